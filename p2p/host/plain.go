package host

import (
	"context"
	"fmt"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/transport"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	"github.com/multiformats/go-multiaddr"

	"starling/p2p/book"
)

// plainTCP is libp2p's TCP at addresses that say so: /ip4/…/tcp/…/plain. Its first bytes
// name libp2p to everybody on the line; it is for meshes of tests, and for relays whose
// operators choose it. At any other address it is not there.
type plainTCP struct{ *tcp.TcpTransport }

var plainPart = multiaddr.StringCast("/" + book.PlainName)

// CanDial implements transport.Transport.
func (plainTCP) CanDial(m multiaddr.Multiaddr) bool {
	a, ok := book.AddressOf(m)
	return ok && a.Plain
}

// Protocols implements transport.Transport.
func (plainTCP) Protocols() []int { return []int{book.PlainCode} }

// Dial implements transport.Transport.
func (t plainTCP) Dial(ctx context.Context, m multiaddr.Multiaddr, p peer.ID) (transport.CapableConn, error) {
	if !t.CanDial(m) {
		return nil, fmt.Errorf("%s is no address of plain TCP", m)
	}
	c, err := t.TcpTransport.Dial(ctx, m.Decapsulate(plainPart), p)
	if err != nil {
		return nil, err
	}
	return plainConn{c, t}, nil
}

// DialWithUpdates implements transport.DialUpdater, which libp2p prefers.
func (t plainTCP) DialWithUpdates(ctx context.Context, m multiaddr.Multiaddr, p peer.ID, _ chan<- transport.DialUpdate) (transport.CapableConn, error) {
	return t.Dial(ctx, m, p)
}

// Listen implements transport.Transport. The address may be an unspecified one.
func (t plainTCP) Listen(m multiaddr.Multiaddr) (transport.Listener, error) {
	l, err := t.TcpTransport.Listen(m.Decapsulate(plainPart))
	if err != nil {
		return nil, err
	}
	return plainListener{l, t}, nil
}

type plainListener struct {
	transport.Listener
	t plainTCP
}

// Accept implements transport.Listener.
func (l plainListener) Accept() (transport.CapableConn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return plainConn{c, l.t}, nil
}

// Multiaddr implements transport.Listener.
func (l plainListener) Multiaddr() multiaddr.Multiaddr {
	return l.Listener.Multiaddr().Encapsulate(plainPart)
}

// A plainConn knows at what kind of address it is.
type plainConn struct {
	transport.CapableConn
	t plainTCP
}

// Transport implements transport.CapableConn.
func (c plainConn) Transport() transport.Transport { return c.t }

// LocalMultiaddr implements network.ConnMultiaddrs.
func (c plainConn) LocalMultiaddr() multiaddr.Multiaddr {
	return c.CapableConn.LocalMultiaddr().Encapsulate(plainPart)
}

// RemoteMultiaddr implements network.ConnMultiaddrs.
func (c plainConn) RemoteMultiaddr() multiaddr.Multiaddr {
	return c.CapableConn.RemoteMultiaddr().Encapsulate(plainPart)
}
