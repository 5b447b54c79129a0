package virtualtime

import (
	"context"
	"net"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/transport"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	"github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// transport replaces a host's transports by libp2p's TCP on the connections of
// this network.
func (n *Network) transport(ip net.IP) libp2p.Option {
	return func(cfg *libp2p.Config) error {
		cfg.Transports = nil
		return cfg.Apply(libp2p.Transport(func(up transport.Upgrader, limits network.ResourceManager) (transport.Transport, error) {
			from := dialer{n, ip}
			t, err := tcp.NewTCPTransport(up, limits, nil, tcp.DisableReuseport(),
				tcp.WithDialerForAddr(func(multiaddr.Multiaddr) (tcp.ContextDialer, error) { return from, nil }))
			if err != nil {
				return nil, err
			}
			return &virtualTCP{t, up, n}, nil
		}))
	}
}

// virtualTCP is libp2p's transport, which dials where it is told to and
// listens where it likes.
type virtualTCP struct {
	*tcp.TcpTransport
	upgrader transport.Upgrader
	net      *Network
}

func (t *virtualTCP) Listen(a multiaddr.Multiaddr) (transport.Listener, error) {
	addr, err := manet.ToNetAddr(a)
	if err != nil {
		return nil, err
	}
	l, err := t.net.listen(addr)
	if err != nil {
		return nil, err
	}
	wrapped, err := manet.WrapNetListener(l)
	if err != nil {
		l.Close()
		return nil, err
	}
	return t.upgrader.UpgradeGatedMaListener(t, t.upgrader.GateMaListener(wrapped)), nil
}

// Dialer dials from node i, without libp2p.
func (n *Network) Dialer(i int) func(ctx context.Context, network, address string) (net.Conn, error) {
	n.settle(i)
	return dialer{n, Address(i)}.DialContext
}

// dialer dials from a node.
type dialer struct {
	net *Network
	ip  net.IP
}

func (d dialer) DialContext(ctx context.Context, _, address string) (net.Conn, error) {
	to, err := net.ResolveTCPAddr("tcp4", address)
	if err != nil {
		return nil, err
	}
	return d.net.dial(ctx, d.ip, to)
}
