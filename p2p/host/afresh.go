package host

import (
	"context"
	"errors"
	"time"

	"github.com/libp2p/go-libp2p/core/transport"
	"github.com/multiformats/go-multiaddr"

	"starling/p2p/book"
)

// ErrTransport means that a host does not dial addresses of such a kind.
var ErrTransport = errors.New("no transport for the address")

// beside is how long a dial may take before a second one is made beside it. Where a tenth of
// all packets is lost, some dials take longer than they may, and of two hardly any.
const beside = 2 * time.Second

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
	t := dialer.TransportForDialing(m)
	err := eitherOf(ctx, func(ctx context.Context) error {
		c, err := t.Dial(ctx, m, p.ID().Peer())
		if err == nil {
			c.Close()
		}
		return err
	})
	if err != nil {
		at = book.Address{}
	}
	p.Done(at)
	return err
}

// eitherOf dials, and once more beside it if that takes long. It returns when one has
// worked, or both have ended.
func eitherOf(ctx context.Context, dial func(context.Context) error) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 2)
	under := 0
	try := func() {
		under++
		go func() { ended <- dial(ctx) }()
	}

	// No dial outlives the permit that it was made with.
	defer func() {
		cancel()
		for range under {
			<-ended
		}
	}()

	try()
	late := time.NewTimer(beside)
	defer late.Stop()
	for under > 0 {
		select {
		case <-late.C:
			try()
		case err = <-ended:
			if under--; err == nil {
				return nil
			}
		}
	}
	return err
}
