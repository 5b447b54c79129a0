// Package link moves frames between neighbours.
//
// A link is one libp2p stream that the dialling side opens and both sides use,
// for as long as they are connected:
//
//	dialler                                acceptor
//	   | —— open stream wire.FrameProtocol ——> |
//	   | <—————— frames, any order ——————————> |
//
// Nothing but frames of one size travels on it; see package wire. Two nodes
// that dial each other at the same moment keep both links and send on the
// newest.
//
// # Limits
//
// A frame that has begun must be complete within FrameTimeout. A link without
// a whole frame for Config.Idle is closed. Writing waits WriteTimeout at most,
// in which time a queue of QueueSize frames fills; what does not fit is
// dropped and counted, the newest first, because the mix network above repeats
// what matters. A peer that sends something else than frames loses its link.
// Sending faster than Config.Rate is not punished: the reader slows down and
// the peer's own transport makes it wait.
package link

import (
	"context"
	"errors"
	"io"
	"maps"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"golang.org/x/time/rate"

	"starling/p2p/book"
	"starling/p2p/host"
	"starling/p2p/wire"
)

const (
	// QueueSize is how many frames may wait on one link.
	QueueSize = 256
	// FrameTimeout is how long one frame may take to arrive.
	FrameTimeout = 10 * time.Second
	// WriteTimeout is how long a neighbour may refuse to read.
	WriteTimeout = 15 * time.Second
	// DialTimeout bounds connecting and opening the stream.
	DialTimeout = 10 * time.Second

	perPeer   = 4  // links accepted from one peer
	batchSize = 16 // frames written at once, at most
	pending   = 64 // frames that wait for one dial
	backoff   = 2 * time.Second
)

// Errors of Send and Dial.
var (
	ErrNoLink = errors.New("link: not connected")
	ErrFull   = errors.New("link: queue full")
	ErrClosed = errors.New("link: closed")
)

// Seen is what a node came to see, for tests that ask who learns what.
type Seen struct {
	What string // "in" or "out"; the users of links add their own
	Peer wire.NodeID
	Addr string // remote address of the connection
	Data []byte
}

// Config is how Links are made. Handle is required.
type Config struct {
	Host host.Host
	// Handle gets every good frame. It must be quick and may keep the frame.
	Handle func(from wire.NodeID, f *wire.Frame)
	// Book says where a node may be dialled. It is that of Host.
	Book *book.Book
	// Dials reports whether Send may dial a node without a link. Nil is never.
	Dials func(wire.NodeID) bool
	// Changed, if set, is called after the first link to a peer came up and
	// after the last went down. It must be quick.
	Changed func(peer wire.NodeID, up bool)
	// Count, if set, is called with the reason of every drop or refusal.
	Count func(reason string)
	// Idle, if set, returns how long a peer's link may be silent.
	Idle func(wire.NodeID) time.Duration
	// FrameTimeout overrides the constant of that name, if not 0.
	FrameTimeout time.Duration
	// Rate, if set, returns how many frames a second, and at once, are read from
	// a peer's link.
	Rate func(wire.NodeID) (rate.Limit, int)
	// Tap, if set, sees all that passes. For tests.
	Tap func(Seen)
}

// Links are the links of one node.
type Links struct {
	cfg    Config
	ctx    context.Context // ends with Close; owns the dials
	cancel context.CancelFunc
	wg     sync.WaitGroup

	in, out atomic.Int64 // frames

	mu     sync.Mutex
	closed bool
	peers  map[wire.NodeID][]*stream
	dials  map[wire.NodeID]*dial
}

type stream struct {
	peer wire.NodeID
	s    network.Stream
	out  chan *wire.Frame
	done chan struct{} // closed when the reader has ended
	last atomic.Int64  // Unix nanoseconds of the last write
}

type dial struct {
	waiting []*wire.Frame
	failed  time.Time // if not zero, when it failed: no new attempt until backoff is over
}

// New makes Links without a link.
func New(cfg Config) *Links {
	if cfg.FrameTimeout == 0 {
		cfg.FrameTimeout = FrameTimeout
	}
	l := &Links{cfg: cfg, peers: map[wire.NodeID][]*stream{}, dials: map[wire.NodeID]*dial{}}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	return l
}

// Accept lets others open links to us.
func (l *Links) Accept() {
	l.cfg.Host.SetStreamHandler(wire.FrameProtocol, func(s network.Stream) { l.serve(s, nil) })
}

// Close ends all links and waits for their goroutines.
func (l *Links) Close() {
	l.cfg.Host.RemoveStreamHandler(wire.FrameProtocol)
	l.cancel()
	l.mu.Lock()
	l.closed = true
	var all []*stream
	for _, streams := range l.peers {
		all = append(all, streams...)
	}
	l.mu.Unlock()
	for _, s := range all {
		s.s.Reset()
	}
	l.wg.Wait()
}

func (l *Links) count(reason string) {
	if l.cfg.Count != nil {
		l.cfg.Count(reason)
	}
}

func (l *Links) tap(what string, c network.Conn, id wire.NodeID, data []byte) {
	if l.cfg.Tap != nil {
		l.cfg.Tap(Seen{What: what, Peer: id, Addr: c.RemoteMultiaddr().String(), Data: slices.Clone(data)})
	}
}

// Connected reports whether there is a link to a peer.
func (l *Links) Connected(id wire.NodeID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.peers[id]) > 0
}

// Traffic returns how many bytes of frames were read and written.
func (l *Links) Traffic() (in, out int64) {
	return l.in.Load() * wire.FrameSize, l.out.Load() * wire.FrameSize
}

// Peers returns everybody there is a link to.
func (l *Links) Peers() []wire.NodeID {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Collect(maps.Keys(l.peers))
}

// Quiet returns those to whom nothing was written for a time.
func (l *Links) Quiet(d time.Duration) (ids []wire.NodeID) {
	before := time.Now().Add(-d).UnixNano()
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, streams := range l.peers {
		if !slices.ContainsFunc(streams, func(st *stream) bool { return st.last.Load() > before }) {
			ids = append(ids, id)
		}
	}
	return ids
}

// Dial connects to a node, where the book lets it, and opens a link, unless
// there is one.
func (l *Links) Dial(ctx context.Context, id wire.NodeID) error {
	if l.Connected(id) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, DialTimeout)
	defer cancel()
	if err := host.Reach(ctx, l.cfg.Host, l.cfg.Book, id); err != nil {
		return err
	}
	s, err := l.cfg.Host.NewStream(network.WithNoDial(ctx, "link"), id.Peer(), wire.FrameProtocol)
	if err != nil {
		return err
	}
	up := make(chan struct{})
	go l.serve(s, up)
	<-up
	if !l.Connected(id) {
		return ErrClosed
	}
	return nil
}

// Drop closes the links and connections to a peer.
func (l *Links) Drop(id wire.NodeID) {
	l.mu.Lock()
	all := slices.Clone(l.peers[id])
	l.mu.Unlock()
	for _, s := range all {
		s.s.Reset()
	}
	l.cfg.Host.Network().ClosePeer(id.Peer())
}

// Send queues a frame for a peer and does not wait. Without a link it dials
// if Config.Dials says so; the frame then waits for the outcome, which only the
// counters tell.
func (l *Links) Send(to wire.NodeID, f *wire.Frame) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return ErrClosed
	}
	if streams := l.peers[to]; len(streams) > 0 {
		select {
		case streams[len(streams)-1].out <- f:
			return nil
		default:
			l.count("queue full")
			return ErrFull
		}
	}
	d := l.dials[to]
	if d != nil && !d.failed.IsZero() && time.Since(d.failed) > backoff {
		d = nil
	}
	if d == nil {
		if l.cfg.Dials == nil || !l.cfg.Dials(to) {
			l.count("no link")
			return ErrNoLink
		}
		l.prune()
		d = &dial{}
		l.dials[to] = d
		l.wg.Add(1)
		go func() {
			defer l.wg.Done()
			l.dial(to, d)
		}()
	}
	if !d.failed.IsZero() {
		l.count("unreachable")
		return ErrNoLink
	}
	if len(d.waiting) >= pending {
		l.count("queue full")
		return ErrFull
	}
	d.waiting = append(d.waiting, f)
	return nil
}

// SendWait queues a frame for a peer it has a link to, and waits for room.
func (l *Links) SendWait(ctx context.Context, to wire.NodeID, f *wire.Frame) error {
	l.mu.Lock()
	streams := l.peers[to]
	if l.closed || len(streams) == 0 {
		l.mu.Unlock()
		return ErrNoLink
	}
	st := streams[len(streams)-1]
	l.mu.Unlock()
	select {
	case st.out <- f:
		return nil
	case <-st.done:
		return ErrNoLink
	case <-ctx.Done():
		return ctx.Err()
	}
}

// prune forgets dials that failed long ago.
func (l *Links) prune() {
	for id, d := range l.dials {
		if !d.failed.IsZero() && time.Since(d.failed) > backoff {
			delete(l.dials, id)
		}
	}
}

func (l *Links) dial(to wire.NodeID, d *dial) {
	err := l.Dial(l.ctx, to)
	l.mu.Lock()
	waiting := d.waiting
	d.waiting = nil
	if err != nil {
		d.failed = time.Now()
	} else {
		delete(l.dials, to)
	}
	l.mu.Unlock()
	for _, f := range waiting {
		if err != nil {
			l.count("unreachable")
		} else {
			l.Send(to, f)
		}
	}
}

// serve owns a stream until it ends. up, if not nil, is closed once the link
// can be used or has failed.
func (l *Links) serve(s network.Stream, up chan struct{}) {
	if up == nil {
		up = make(chan struct{})
	}
	id, err := wire.NodeIDFromPeer(s.Conn().RemotePeer())
	if err != nil {
		l.count("foreign key")
		s.Reset()
		close(up)
		return
	}
	st := &stream{peer: id, s: s, out: make(chan *wire.Frame, QueueSize), done: make(chan struct{})}
	if !l.add(st) {
		s.Reset()
		close(up)
		return
	}
	close(up)
	go func() {
		defer l.wg.Done()
		l.write(st)
	}()
	defer l.wg.Done()
	err = l.read(st)
	switch {
	case errors.Is(err, wire.ErrFrame):
		l.count("malformed frame")
	case errors.Is(err, errSlow):
		l.count("slow frame")
	}
	s.Reset()
	close(st.done)
	l.remove(st)
}

func (l *Links) add(st *stream) bool {
	l.mu.Lock()
	if l.closed || len(l.peers[st.peer]) >= perPeer {
		l.mu.Unlock()
		l.count("too many links")
		return false
	}
	l.peers[st.peer] = append(l.peers[st.peer], st)
	first := len(l.peers[st.peer]) == 1
	l.wg.Add(2) // reader and writer
	l.mu.Unlock()
	if first && l.cfg.Changed != nil {
		l.cfg.Changed(st.peer, true)
	}
	return true
}

func (l *Links) remove(st *stream) {
	l.mu.Lock()
	rest := slices.DeleteFunc(l.peers[st.peer], func(o *stream) bool { return o == st })
	if len(rest) > 0 {
		l.peers[st.peer] = rest
	} else {
		delete(l.peers, st.peer)
	}
	l.mu.Unlock()
	if len(rest) == 0 && l.cfg.Changed != nil {
		l.cfg.Changed(st.peer, false)
	}
}

// errSlow means that a frame began and did not end.
var errSlow = errors.New("link: frame not completed in time")

func (l *Links) read(st *stream) error {
	var limit *rate.Limiter
	if l.cfg.Rate != nil {
		limit = rate.NewLimiter(l.cfg.Rate(st.peer))
	}
	for {
		if limit != nil && !limit.Allow() {
			// What we think of a peer may have changed since the link began.
			r, _ := l.cfg.Rate(st.peer)
			limit.SetLimit(r)
			if err := limit.Wait(l.ctx); err != nil {
				return err
			}
		}
		if l.cfg.Idle != nil {
			st.s.SetReadDeadline(time.Now().Add(l.cfg.Idle(st.peer)))
		}
		f := new(wire.Frame)
		n, err := st.s.Read(f[:])
		if n < len(f) {
			if n == 0 {
				if err != nil {
					return err
				}
				continue
			}
			st.s.SetReadDeadline(time.Now().Add(l.cfg.FrameTimeout))
			if _, err := io.ReadFull(st.s, f[n:]); err != nil {
				if os.IsTimeout(err) {
					return errSlow
				}
				return err
			}
			st.s.SetReadDeadline(time.Time{})
		}
		if err := f.Check(); err != nil {
			return err
		}
		l.in.Add(1)
		l.tap("in", st.s.Conn(), st.peer, f.Body())
		l.cfg.Handle(st.peer, f)
	}
}

func (l *Links) write(st *stream) {
	for {
		var f *wire.Frame
		select {
		case f = <-st.out:
		case <-st.done:
			return
		}
		data := f[:]
		l.tap("out", st.s.Conn(), st.peer, f.Body())
		// What waits already is written with it: one record, one system call.
		if n := min(len(st.out), batchSize-1); n > 0 {
			batch := make([]byte, 0, (n+1)*wire.FrameSize)
			batch = append(batch, f[:]...)
			for range n {
				f = <-st.out
				l.tap("out", st.s.Conn(), st.peer, f.Body())
				batch = append(batch, f[:]...)
			}
			data = batch
		}
		st.s.SetWriteDeadline(time.Now().Add(WriteTimeout))
		if _, err := st.s.Write(data); err != nil {
			st.s.Reset()
			return
		}
		st.last.Store(time.Now().UnixNano())
		l.out.Add(int64(len(data) / wire.FrameSize))
	}
}
