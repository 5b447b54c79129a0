package host

import (
	"context"
	"errors"

	"github.com/libp2p/go-libp2p/core/transport"
	"github.com/multiformats/go-multiaddr"

	"starling/p2p/book"
)

// ErrTransport means that a host does not dial addresses of such a kind.
var ErrTransport = errors.New("no transport for the address")

// Afresh dials the node of a permit at its first address, connected or not, and
// hangs up once it has shown its key there. It gives the permit back.
func Afresh(ctx context.Context, h Host, p *book.Permit) error {
	at := p.Addrs()[0]
	m := book.Multiaddr(at)
	dialer, ok := h.Network().(interface {
		TransportForDialing(multiaddr.Multiaddr) transport.Transport
	})
	if !ok || dialer.TransportForDialing(m) == nil {
		p.Done(book.Address{})
		return ErrTransport
	}
	c, err := dialer.TransportForDialing(m).Dial(ctx, m, p.ID().Peer())
	if err != nil {
		p.Done(book.Address{})
		return err
	}
	c.Close()
	p.Done(at)
	return nil
}
