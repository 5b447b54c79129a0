package web

import (
	"context"
	"errors"
	"net"
	"syscall"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/transport"
	"github.com/multiformats/go-multiaddr"

	"starling/p2p/book"
	"starling/p2p/wire"
)

const (
	// headStart is how long one way has before the next is tried beside it.
	headStart = time.Second
	// pipeTime is how long the words of a pipe and Noise over it may take: the bridge
	// makes a connection meanwhile.
	pipeTime = 12 * time.Second
)

// A Detour says how a relay is reached whose bytes others may pass on.
type Detour struct {
	// Straight: the relay may be dialled itself.
	Straight bool
	// Pipes are the ways beside, the best first. They come first, too, if Last: the
	// last way that led to a relay was one.
	Pipes []Pipe
	Last  bool
	// None is the error where there is no way at all.
	None error
	// Done, if set, is called when the dial has ended, Straightly if the relay itself
	// was reached.
	Done, Straightly func()
}

// A Pipe is a way to a relay whose bytes somebody else passes on.
type Pipe struct {
	// Open returns a connection of bytes with the relay.
	Open func(context.Context) (net.Conn, error)
	// Ended is told whether the relay showed its key over it; nil if so.
	Ended func(error)
}

// A Piped connection knows why it came to nothing.
type Piped interface{ Failed() error }

// A PipeError says that a relay was not reached over a pipe. It is the word of whoever
// passes the bytes on, so nothing is concluded from its cause.
type PipeError struct{ text string }

// Error implements error.
func (e *PipeError) Error() string { return "web: over a bridge: " + e.text }

// errSlow: another way was faster.
var errSlow = errors.New("web: another way was faster")

// tries is one dial over several ways.
type tries struct {
	t  *Transport
	to multiaddr.Multiaddr
	p  peer.ID
	d  Detour
}

// ended is the end of one of them.
type ended struct {
	c   transport.CapableConn
	err error
	way int
}

// around reaches a relay over the first way that leads to it. The ways are tried one
// after the other, a headStart apart or as soon as one fails.
func (t *Transport) around(ctx context.Context, to multiaddr.Multiaddr, p peer.ID, d Detour) (transport.CapableConn, error) {
	r := tries{t, to, p, d}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	all := len(d.Pipes)
	if d.Straight {
		all++
	}
	ends := make(chan ended, all)
	began := make([]time.Time, 0, all)
	var errs []error

	next := time.NewTimer(0)
	defer next.Stop()
	// Failures come at once behind a censor: the next way does not wait for its head start then.
	for over := 0; over < all; {
		select {
		case <-next.C:
		case e := <-ends:
			over++
			if e.err == nil {
				cancel()
				r.leave(e.way, began, ends, len(began)-over)
				return e.c, nil
			}
			errs = append(errs, e.err)
		}
		if n := len(began); n < all {
			began = append(began, time.Now())
			go func() {
				c, err := r.try(ctx, n)
				ends <- ended{c, err, n}
			}()
			next.Reset(headStart)
		}
	}
	return nil, worst(errs)
}

// pipe returns the pipe of a way, false for the straight one.
func (r tries) pipe(way int) (Pipe, bool) {
	if r.d.Straight && !r.d.Last {
		way--
	}
	if way < 0 || way >= len(r.d.Pipes) {
		return Pipe{}, false
	}
	return r.d.Pipes[way], true
}

// try tries one way.
func (r tries) try(ctx context.Context, way int) (transport.CapableConn, error) {
	pipe, ok := r.pipe(way)
	if !ok {
		c, err := r.t.straight(ctx, r.to, r.p)
		if err == nil && r.d.Straightly != nil {
			r.d.Straightly()
		}
		return c, err
	}
	c, err := r.t.over(ctx, r.to, r.p, pipe)
	if err == nil || ctx.Err() == nil || errors.Is(ctx.Err(), context.DeadlineExceeded) {
		pipe.Ended(err)
	}
	return c, err
}

// leave ends the other ways. One that had its time is worse than that which led there.
func (r tries) leave(winner int, began []time.Time, ends <-chan ended, left int) {
	for way, at := range began {
		if pipe, ok := r.pipe(way); ok && way < winner && time.Since(at) >= headStart {
			pipe.Ended(errSlow)
		}
	}
	go func() {
		for range left {
			if e := <-ends; e.err == nil {
				e.c.Close()
			}
		}
	}()
}

// worst returns the error that says most: that of the straight way, then that a pipe led
// nowhere; and only if all bridges are down, that there is no way.
func worst(errs []error) error {
	var down error
	for _, err := range errs {
		var dial *DialError
		if errors.As(err, &dial) {
			return err
		}
	}
	for _, err := range errs {
		var piped *PipeError
		if errors.As(err, &piped) {
			return err
		}
		down = err
	}
	return down
}

// over makes a connection with a relay over a pipe.
func (t *Transport) over(ctx context.Context, to multiaddr.Multiaddr, p peer.ID, pipe Pipe) (transport.CapableConn, error) {
	scope, err := t.cfg.Resources.OpenConnection(network.DirOutbound, true, to)
	if err != nil {
		return nil, err
	}
	bytes, err := pipe.Open(ctx)
	if err != nil {
		scope.Done()
		if errors.Is(err, syscall.EHOSTUNREACH) {
			return nil, err
		}
		return nil, &PipeError{err.Error()}
	}

	stop := context.AfterFunc(ctx, func() { bytes.Close() })
	defer stop()
	c, err := t.inner(ctx, bytes, bytes, network.DirOutbound, p, scope, pipeTime)
	if err != nil {
		scope.Done()
		bytes.Close()
		if piped, ok := bytes.(Piped); ok && piped.Failed() != nil {
			err = piped.Failed()
		}
		return nil, &PipeError{err.Error()}
	}
	return c, nil
}

// Carry connects to a relay for somebody else, who speaks Noise with it: first is their
// first message, and the connection has the bytes after it.
func (t *Transport) Carry(ctx context.Context, at book.Address, relay wire.NodeID, first []byte) (net.Conn, error) {
	if at.Plain {
		return nil, errors.New("web: no address of a web server")
	}
	tcp, err := t.cfg.Dialer.DialContext(ctx, "tcp", at.String())
	if err != nil {
		return nil, &DialError{Step: StepConnect, Err: err}
	}
	quiet(tcp)
	stop := context.AfterFunc(ctx, func() { tcp.Close() })
	defer stop()
	up, err := t.ask(ctx, tcp, at.AddrPort, relay)
	if err == nil {
		up.first, up.asked = first, true
		err = up.upgrade()
	}
	if err != nil {
		tcp.Close()
		return nil, err
	}
	return up, nil
}
