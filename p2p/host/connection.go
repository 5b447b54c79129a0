package host

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/libp2p/go-libp2p/core/transport"
	"github.com/multiformats/go-multiaddr"

	"starling/p2p/book"
)

// A Connection is one of a client: beside all others to the same node, and known to
// nobody but its maker.
type Connection = transport.CapableConn

// A Try is how one address answered a dial.
type Try struct {
	At  book.Address
	Err error
}

// A DialError is why no address of a node led to a connection.
type DialError struct{ Tries []Try }

// Error implements error.
func (e *DialError) Error() string { return fmt.Sprintf("dial: %v", errors.Join(e.Unwrap()...)) }

// Unwrap returns the error at each address.
func (e *DialError) Unwrap() []error {
	errs := make([]error, len(e.Tries))
	for i, t := range e.Tries {
		errs[i] = fmt.Errorf("%s: %w", t.At, t.Err)
	}
	return errs
}

// NewConnection connects to the node of a permit, whether there are connections to it or
// not, and gives the permit back. Its addresses are tried in their order, each a while
// after the one before or when that has failed (RFC 8305); the first that shows the
// node's key is the one.
func NewConnection(ctx context.Context, h Host, p *book.Permit) (Connection, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type outcome struct {
		at  book.Address
		c   Connection
		err error
	}

	// Addresses are dialled one after the other, each beside those that have not failed yet.
	addrs := p.Addrs()
	done := make(chan outcome)
	next, under := 0, 0
	start := func() {
		at := addrs[next]
		next++
		under++
		go func() {
			c, err := dialAt(ctx, h, p, at)
			done <- outcome{at, c, err}
		}()
	}

	failed := &DialError{}
	start()
	for under > 0 {
		var beside <-chan time.Time
		if next < len(addrs) {
			beside = time.After(eyeballs)
		}
		select {
		case <-beside:
			start()
		case o := <-done:
			under--
			if o.err == nil {
				cancel()
				p.Done(o.at)
				go func() { // the others have been given up
					for range under {
						if late := <-done; late.c != nil {
							late.c.Close()
						}
					}
				}()
				return o.c, nil
			}
			failed.Tries = append(failed.Tries, Try{o.at, o.err})
			if next < len(addrs) && ctx.Err() == nil {
				start()
			}
		}
	}

	// Called off by us, it says nothing about the addresses.
	if errors.Is(ctx.Err(), context.Canceled) {
		p.Unknown()
	} else {
		p.Done(book.Address{})
	}
	return nil, failed
}

func dialAt(ctx context.Context, h Host, p *book.Permit, at book.Address) (Connection, error) {
	m := book.Multiaddr(at)
	dialer, ok := h.Network().(interface {
		TransportForDialing(multiaddr.Multiaddr) transport.Transport
	})
	if !ok {
		return nil, ErrTransport
	}
	t := dialer.TransportForDialing(m)
	if t == nil {
		return nil, ErrTransport
	}
	return t.Dial(ctx, m, p.ID().Peer())
}

// Refuse ends the streams that the other side opens on a connection, until it ends.
func Refuse(c Connection) {
	for {
		s, err := c.AcceptStream()
		if err != nil {
			return
		}
		s.Reset()
	}
}
