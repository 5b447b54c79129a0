package virtual

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/config"
	"github.com/libp2p/go-libp2p/core/connmgr"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/transport"
	libp2pquic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/quicreuse"
	"github.com/multiformats/go-multiaddr"
)

// silent takes the router's complaints about packets to nodes that are down.
var silent = slog.New(slog.DiscardHandler)

// transport replaces a host's transports by one that speaks QUIC over the
// network and calls it TCP.
func (n *Network) transport(ip net.IP) libp2p.Option {
	return func(cfg *libp2p.Config) error {
		cfg.Transports = nil
		return cfg.Apply(libp2p.Transport(func(key crypto.PrivKey, gater connmgr.ConnectionGater, limits network.ResourceManager) (transport.Transport, error) {
			reset, err := config.PrivKeyToStatelessResetKey(key)
			if err != nil {
				return nil, err
			}
			token, err := config.PrivKeyToTokenGeneratorKey(key)
			if err != nil {
				return nil, err
			}
			sockets, err := quicreuse.NewConnManager(reset, token,
				quicreuse.OverrideSourceIPSelector(func() (quicreuse.SourceIPSelector, error) { return source(ip), nil }),
				quicreuse.OverrideListenUDP(func(_ string, a *net.UDPAddr) (net.PacketConn, error) {
					return n.listen(ip, a.Port), nil
				}))
			if err != nil {
				return nil, err
			}
			inner, err := libp2pquic.NewTransport(key, sockets, nil, gater, limits)
			if err != nil {
				sockets.Close()
				return nil, err
			}
			return &quicAsTCP{inner, sockets}, nil
		}))
	}
}

type source net.IP

func (s source) PreferredSourceIPForDestination(*net.UDPAddr) (net.IP, error) { return net.IP(s), nil }

// quicAsTCP is a QUIC transport under TCP addresses.
type quicAsTCP struct {
	quic    transport.Transport
	sockets *quicreuse.ConnManager
}

var (
	udpTail   = multiaddr.StringCast("/quic-v1")
	errNotTCP = errors.New("virtual: not a TCP address")
)

// toQUIC turns /ip4/…/tcp/… into /ip4/…/udp/…/quic-v1.
func toQUIC(a multiaddr.Multiaddr) (multiaddr.Multiaddr, bool) {
	if len(a) != 2 || a[1].Protocol().Code != multiaddr.P_TCP {
		return nil, false
	}
	udp, err := multiaddr.NewComponent("udp", a[1].Value())
	if err != nil {
		return nil, false
	}
	return append(multiaddr.Multiaddr{a[0], *udp}, udpTail...), true
}

// fromQUIC turns it back.
func fromQUIC(a multiaddr.Multiaddr) multiaddr.Multiaddr {
	if len(a) < 2 || a[1].Protocol().Code != multiaddr.P_UDP {
		return a
	}
	tcp, err := multiaddr.NewComponent("tcp", a[1].Value())
	if err != nil {
		return a
	}
	return multiaddr.Multiaddr{a[0], *tcp}
}

func (t *quicAsTCP) CanDial(a multiaddr.Multiaddr) bool {
	_, ok := toQUIC(a)
	return ok
}

func (t *quicAsTCP) Protocols() []int { return []int{multiaddr.P_TCP} }
func (t *quicAsTCP) Proxy() bool      { return false }

// Close is called by the swarm.
func (t *quicAsTCP) Close() error {
	if c, ok := t.quic.(io.Closer); ok {
		c.Close()
	}
	return t.sockets.Close()
}

func (t *quicAsTCP) Dial(ctx context.Context, a multiaddr.Multiaddr, p peer.ID) (transport.CapableConn, error) {
	quic, ok := toQUIC(a)
	if !ok {
		return nil, errNotTCP
	}
	c, err := t.quic.Dial(ctx, quic, p)
	if err != nil {
		return nil, err
	}
	return &conn{c, t}, nil
}

func (t *quicAsTCP) Listen(a multiaddr.Multiaddr) (transport.Listener, error) {
	quic, ok := toQUIC(a)
	if !ok {
		return nil, errNotTCP
	}
	l, err := t.quic.Listen(quic)
	if err != nil {
		return nil, err
	}
	return &listener{l, t}, nil
}

type listener struct {
	transport.Listener
	t *quicAsTCP
}

func (l *listener) Accept() (transport.CapableConn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &conn{c, l.t}, nil
}

func (l *listener) Multiaddr() multiaddr.Multiaddr { return fromQUIC(l.Listener.Multiaddr()) }

type conn struct {
	transport.CapableConn
	t *quicAsTCP
}

func (c *conn) LocalMultiaddr() multiaddr.Multiaddr { return fromQUIC(c.CapableConn.LocalMultiaddr()) }
func (c *conn) RemoteMultiaddr() multiaddr.Multiaddr {
	return fromQUIC(c.CapableConn.RemoteMultiaddr())
}
func (c *conn) Transport() transport.Transport { return c.t }
