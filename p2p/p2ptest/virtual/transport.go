package virtual

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"strconv"
	"time"

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
	"github.com/quic-go/quic-go"

	"starling/p2p/host"
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
			ask(sockets.ClientConfig(), host.ClientNotices)
			return &quicAsTCP{quic: inner, sockets: sockets, listen: func(port int) *lent {
				return lend(n.listen(ip, port), reset, token)
			}}, nil
		}))
	}
}

type source net.IP

func (s source) PreferredSourceIPForDestination(*net.UDPAddr) (net.IP, error) { return net.IP(s), nil }

// ask lets a connection find out that it is dead as soon as one of the public
// network does: see package host. QUIC would ask after it four times a minute,
// which is most of what it costs to be idle; so it does in half of that time.
func ask(cfg *quic.Config, notices time.Duration) {
	cfg.MaxIdleTimeout, cfg.KeepAlivePeriod = notices, notices/2
}

// lent is what a relay listens with. libp2p has no other way to say how patient a
// listener is, and takes it for unspecified addresses only.
type lent struct {
	quic.Transport
	returned <-chan struct{} // libp2p does not use it any more
}

func lend(c net.PacketConn, reset quic.StatelessResetKey, token quic.TokenGeneratorKey) *lent {
	return &lent{Transport: quic.Transport{Conn: c, StatelessResetKey: &reset, TokenGeneratorKey: &token}}
}

// Listen implements quicreuse.QUICTransport.
func (l *lent) Listen(tls *tls.Config, cfg *quic.Config) (quicreuse.QUICListener, error) {
	ask(cfg, host.GuestNoticed)
	return l.Transport.Listen(tls, cfg)
}

// anywhere is a socket that says it listens on all addresses.
type anywhere struct{ net.PacketConn }

func (a anywhere) LocalAddr() net.Addr {
	return &net.UDPAddr{IP: net.IPv4zero, Port: a.PacketConn.LocalAddr().(*net.UDPAddr).Port}
}

// quicAsTCP is a QUIC transport under TCP addresses.
type quicAsTCP struct {
	quic    transport.Transport
	sockets *quicreuse.ConnManager
	listen  func(port int) *lent
	lent    []*lent
}

var (
	udpTail    = multiaddr.StringCast("/quic-v1")
	everywhere = multiaddr.StringCast("/ip4/0.0.0.0")[0]
	errNotTCP  = errors.New("virtual: not a TCP address")
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
	err := t.sockets.Close()
	for _, l := range t.lent {
		<-l.returned
		err = errors.Join(err, l.Close(), l.Conn.Close())
	}
	return err
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

// Listen is called before anything is dialled.
func (t *quicAsTCP) Listen(a multiaddr.Multiaddr) (transport.Listener, error) {
	udp, ok := toQUIC(a)
	if !ok {
		return nil, errNotTCP
	}
	port, err := strconv.Atoi(udp[1].Value())
	if err != nil {
		return nil, err
	}
	tr := t.listen(port)
	if tr.returned, err = t.sockets.LendTransport("udp4", tr, anywhere{tr.Conn}); err != nil {
		return nil, errors.Join(err, tr.Conn.Close())
	}
	t.lent = append(t.lent, tr)
	ask(t.sockets.ClientConfig(), host.RelayNotices) // who listens is a relay
	l, err := t.quic.Listen(append(multiaddr.Multiaddr{everywhere}, udp[1:]...))
	if err != nil {
		return nil, err
	}
	return &listener{l, t, a}, nil
}

type listener struct {
	transport.Listener
	t *quicAsTCP
	a multiaddr.Multiaddr
}

func (l *listener) Accept() (transport.CapableConn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &conn{c, l.t}, nil
}

func (l *listener) Multiaddr() multiaddr.Multiaddr { return l.a }

type conn struct {
	transport.CapableConn
	t *quicAsTCP
}

func (c *conn) LocalMultiaddr() multiaddr.Multiaddr { return fromQUIC(c.CapableConn.LocalMultiaddr()) }
func (c *conn) RemoteMultiaddr() multiaddr.Multiaddr {
	return fromQUIC(c.CapableConn.RemoteMultiaddr())
}
func (c *conn) Transport() transport.Transport { return c.t }
