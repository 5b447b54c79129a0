// Package link moves frames between neighbours.
//
// A link is one libp2p stream that the dialling side opens and both sides use,
// for as long as they are connected:
//
//	dialler                                acceptor
//	   | —— open stream wire.FrameProtocol ——> |
//	   | <—————— a hello, each way ——————————> |
//	   | <—————— frames, any order ——————————> |
//
// Nothing but frames of one size travels on it; see package wire. The hello tells the
// role of a node; until it came there is no link. A connection is of use only with a
// link: where the stream is refused, or no hello comes within HelloTimeout, the dialler
// closes it, and so does either side when the last link between a client and a relay
// ends. Two nodes that dial each other at the same moment keep both links and send on
// the newest.
//
// # Limits
//
// A frame that has begun must be complete within FrameTimeout. A link without a
// whole frame for Config.Idle is closed. Writing waits WriteTimeout at most, in
// which time a queue of QueueSize frames fills. On all links together Config.Queued
// frames wait at most; beyond it each link has room for QueueLeast. Frames that do not fit
// are dropped and counted, the newest first: the mix network above repeats important ones. A
// peer that sends something else than frames loses its link. Sending faster than
// Config.Rate, or than Config.ByNetwork lets a network, is not punished: the reader
// slows down and the peer's own transport makes it wait. Only so many clients may be
// slowed at a time, because their unread frames wait here; of more, the one that has
// been slowed longest is let go.
//
// Packets may make a node dial, see Config.Dials: DialsAtOnce in all, and DialsPerLink
// for the packets of one link, so that packets for nodes that are not there keep nobody
// else's from being dialled. When all are taken, a random one ends of the link that has
// most.
package link

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/protocol"
	manet "github.com/multiformats/go-multiaddr/net"
	"github.com/multiformats/go-multistream"
	"golang.org/x/time/rate"

	"starling/p2p/book"
	"starling/p2p/host"
	"starling/p2p/limits"
	"starling/p2p/wire"
)

const (
	// QueueSize is how many frames may wait on one link, and QueueLeast how many may
	// even while others fill the room.
	QueueSize, QueueLeast = 256, 4
	// FrameTimeout is how long one frame may take to arrive.
	FrameTimeout = 10 * time.Second
	// WriteTimeout is how long a neighbour may refuse to read.
	WriteTimeout = 15 * time.Second
	// DialTimeout bounds connecting and opening the stream.
	DialTimeout = 10 * time.Second
	// HelloTimeout is how long the first frame may take.
	HelloTimeout = 5 * time.Second

	perPeer   = 4  // links accepted from one peer
	batchSize = 16 // frames written at once, at most
)

// Errors of Send and Dial.
var (
	ErrNoLink = errors.New("link: not connected")
	ErrFull   = errors.New("link: queue full")
	ErrClosed = errors.New("link: closed")
	// ErrSilent: the other side took the connection, but no link came of it.
	ErrSilent = errors.New("link: no hello")
)

// Seen is the view of one node, for tests of the knowledge of each.
type Seen struct {
	What string // "in" or "out"; the users of links add their own
	Peer wire.NodeID
	Addr string // remote address of the connection
	Data []byte
}

// Config is how Links are made. Handle is required.
type Config struct {
	Host host.Host
	// Role is the role of this node; zero is a client.
	Role wire.Role
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
	// FrameTimeout and HelloTimeout override the constants of these names, if not
	// 0.
	FrameTimeout, HelloTimeout time.Duration
	// Rate, if set, returns how many frames a second, and at once, are read from
	// a peer, over all of its links.
	Rate func(wire.NodeID) (rate.Limit, int)
	// Listed reports whether a peer is a relay of our list. Others count as clients,
	// against their own word. Nil is nobody.
	Listed func(wire.NodeID) bool
	// ByNetwork, if set, bounds the frames of the clients of one network together.
	ByNetwork *limits.Rates[netip.Prefix]
	// Slowed is how many clients may be slowed at a time; 0 is any number.
	Slowed int
	// Queued is how many frames may wait on all links together; 0 is any number.
	Queued int
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
	queued  atomic.Int64 // frames that wait, if they are counted

	mu     sync.Mutex
	closed bool
	coming map[wire.NodeID]int // streams without a hello
	peers  map[wire.NodeID][]*stream
	roles  map[wire.NodeID]wire.Role     // of connected peers, and some former ones
	rates  map[wire.NodeID]*rate.Limiter // of those there is a link to
	slowed map[*stream]time.Time         // clients, since when
	dials  dials
}

type stream struct {
	peer    wire.NodeID
	s       network.Stream
	role    wire.Role
	network netip.Prefix
	out     chan *wire.Frame
	done    chan struct{} // closed when the reader has ended
	last    atomic.Int64  // Unix nanoseconds of the last write
}

// New makes Links without a link.
func New(cfg Config) *Links {
	if cfg.FrameTimeout == 0 {
		cfg.FrameTimeout = FrameTimeout
	}
	if cfg.HelloTimeout == 0 {
		cfg.HelloTimeout = HelloTimeout
	}
	if cfg.Listed == nil {
		cfg.Listed = func(wire.NodeID) bool { return false }
	}
	if cfg.Role == 0 {
		cfg.Role = wire.RoleClient
	}

	l := &Links{
		cfg:    cfg,
		coming: map[wire.NodeID]int{},
		peers:  map[wire.NodeID][]*stream{},
		roles:  map[wire.NodeID]wire.Role{},
		rates:  map[wire.NodeID]*rate.Limiter{},
		slowed: map[*stream]time.Time{},
		dials:  newDials(),
	}

	l.ctx, l.cancel = context.WithCancel(context.Background())
	return l
}

// Accept lets others open links to us.
func (l *Links) Accept() {
	l.cfg.Host.SetStreamHandler(wire.FrameProtocol, func(s network.Stream) { l.serve(s, nil, false) })
}

// Go runs f beside the links, and reports whether it does: not after Close. Close ends
// the context of f and waits for it.
func (l *Links) Go(f func(context.Context)) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.wg.Go(func() { f(l.ctx) })
	}
	return !l.closed
}

// Close ends all links and waits for their goroutines.
func (l *Links) Close() {
	l.cfg.Host.RemoveStreamHandler(wire.FrameProtocol)
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.cancel() // every stream ends by itself
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

// Role returns the role in a connected peer's last hello, and zero if it had none.
func (l *Links) Role(id wire.NodeID) wire.Role {
	connected := l.cfg.Host.Network().Connectedness(id.Peer()) == network.Connected
	l.mu.Lock()
	defer l.mu.Unlock()
	if !connected {
		delete(l.roles, id)
	}
	return l.roles[id]
}

// forgetRoles drops the roles of peers that are not connected any more.
func (l *Links) forgetRoles() {
	for id := range l.roles {
		if len(l.peers[id]) == 0 && l.cfg.Host.Network().Connectedness(id.Peer()) != network.Connected {
			delete(l.roles, id)
		}
	}
}

// Waiting returns how many frames wait on all links, if Config.Queued bounds them.
func (l *Links) Waiting() int { return int(l.queued.Load()) }

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

// Quiet returns the peers to which nothing was written for a time.
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
	err := l.open(ctx, id)
	if err != nil && !l.Connected(id) {
		l.cfg.Host.Network().ClosePeer(id.Peer()) // it is of no use
	}
	return err
}

// open opens a link over a connection.
func (l *Links) open(ctx context.Context, id wire.NodeID) error {
	ctx, cancel := context.WithTimeout(ctx, l.cfg.HelloTimeout)
	defer cancel()
	// Between relays of the list no packet waits for a hello.
	eager := l.cfg.Role == wire.RoleRelay && l.cfg.Listed(id)
	s, err := l.stream(network.WithNoDial(ctx, "link"), id, eager)
	if err != nil {
		return err
	}
	up := make(chan struct{})
	go l.serve(s, up, eager)
	select {
	case <-up:
	case <-ctx.Done():
		s.Reset()
		<-up
	}
	if !l.Connected(id) {
		return ErrSilent
	}
	return nil
}

// stream opens a stream. Without eager its name has been taken by the other side,
// without waiting for identify, which may never come.
func (l *Links) stream(ctx context.Context, id wire.NodeID, eager bool) (network.Stream, error) {
	if eager {
		return l.cfg.Host.NewStream(ctx, id.Peer(), wire.FrameProtocol)
	}
	s, err := l.cfg.Host.Network().NewStream(ctx, id.Peer())
	if err != nil {
		return nil, err
	}
	deadline, _ := ctx.Deadline()
	s.SetDeadline(deadline)
	if err := multistream.SelectProtoOrFail(protocol.ID(wire.FrameProtocol), s); err != nil {
		s.Reset()
		return nil, fmt.Errorf("%w: %w", ErrSilent, err)
	}
	if err := s.SetProtocol(wire.FrameProtocol); err != nil {
		s.Reset()
		return nil, err
	}
	s.SetDeadline(time.Time{})
	return s, nil
}

// Drop closes the links and connections to a peer. The connections go first: to
// reset a stream is to send something, which waits while the peer reads nothing.
func (l *Links) Drop(id wire.NodeID) {
	l.mu.Lock()
	all := slices.Clone(l.peers[id])
	l.mu.Unlock()
	l.cfg.Host.Network().ClosePeer(id.Peer())
	for _, s := range all {
		s.s.Reset()
	}
}

// Send queues a frame for a peer and does not wait. Without a link it dials,
// if Config.Dials says so; the frame then waits for the outcome, which only the
// counters tell.
func (l *Links) Send(to wire.NodeID, f *wire.Frame) error { return l.SendFor(wire.NodeID{}, to, f) }

// SendFor sends a frame that came over a link: a dial for it is of that link's share.
func (l *Links) SendFor(asker, to wire.NodeID, f *wire.Frame) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return ErrClosed
	}
	if streams := l.peers[to]; len(streams) > 0 {
		return l.enqueue(streams[len(streams)-1], f)
	}
	return l.sendLater(asker, to, f)
}

// enqueue puts a frame into the queue of a link. When all queues together are full, each
// link has room for QueueLeast: deaf peers take no room from others. The caller holds the
// lock.
func (l *Links) enqueue(st *stream, f *wire.Frame) error {
	if l.cfg.Queued > 0 && l.queued.Load() >= int64(l.cfg.Queued) && len(st.out) >= QueueLeast {
		l.count("queues full")
		return ErrFull
	}
	select {
	case st.out <- f:
		l.counted(1)
		return nil
	default:
		l.count("queue full")
		return ErrFull
	}
}

// counted counts frames that wait.
func (l *Links) counted(n int) {
	if l.cfg.Queued > 0 {
		l.queued.Add(int64(n))
	}
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

// serve owns a stream until it ends. up, if not nil, is closed once the link
// can be used or has failed. With eager it can be used before the hello came.
func (l *Links) serve(s network.Stream, up chan struct{}, eager bool) {
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
	if !l.begin(id) {
		s.Reset()
		close(up)
		return
	}
	defer l.wg.Done()
	ended := context.AfterFunc(l.ctx, func() { s.Reset() })
	defer ended()
	st := &stream{peer: id, s: s, out: make(chan *wire.Frame, QueueSize), done: make(chan struct{})}
	err = l.greet(st)
	if err == nil && !eager {
		err = l.hear(st)
	}
	if !l.add(st, err == nil) {
		l.count("no hello")
		s.Reset()
		close(up)
		return
	}
	close(up)

	var writer sync.WaitGroup
	writer.Go(func() { l.write(st) })
	if eager {
		err = l.hear(st)
	}
	if err == nil {
		err = l.read(st)
	}
	switch {
	case errors.Is(err, wire.ErrHello):
		l.count("no hello")
	case errors.Is(err, wire.ErrFrame):
		l.count("malformed frame")
	case errors.Is(err, errSlow):
		l.count("slow frame")
	}
	s.Reset()
	close(st.done)
	writer.Wait()
	l.remove(st)
	l.counted(-len(st.out)) // nobody adds to them any more
}

// begin counts a stream that has no hello yet.
func (l *Links) begin(id wire.NodeID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || len(l.peers[id])+l.coming[id] >= perPeer {
		l.count("too many links")
		return false
	}
	l.coming[id]++
	l.wg.Add(1)
	return true
}

// greet sends our role.
func (l *Links) greet(st *stream) error {
	if ip, err := manet.ToIP(st.s.Conn().RemoteMultiaddr()); err == nil {
		a, _ := netip.AddrFromSlice(ip)
		st.network = limits.Network(a.Unmap())
	}
	ours := wire.Hello{Role: l.cfg.Role}
	rand.Read(ours.Link[:])
	st.s.SetWriteDeadline(time.Now().Add(l.cfg.HelloTimeout))
	if _, err := st.s.Write(ours.Frame()[:]); err != nil {
		return err
	}
	l.out.Add(1)
	return nil
}

// hear reads the other side's role.
func (l *Links) hear(st *stream) error {
	st.s.SetReadDeadline(time.Now().Add(l.cfg.HelloTimeout))
	defer st.s.SetReadDeadline(time.Time{})

	var f wire.Frame
	if err := wire.ReadFrame(st.s, &f); err != nil {
		return err
	}
	l.in.Add(1)
	if f.Type() != wire.TypeHello {
		return wire.ErrHello
	}

	theirs, err := wire.ParseHello(f.Body())
	if err != nil {
		return err
	}
	if l.cfg.Role == wire.RoleClient && theirs.Role == wire.RoleClient {
		return wire.ErrHello // clients have nothing to say to each other
	}

	l.mu.Lock()
	defer l.mu.Unlock()
	if st.role = theirs.Role; len(l.peers[st.peer]) > 0 {
		l.roles[st.peer] = st.role
	}
	return nil
}

// add makes a link of a stream that was greeted.
func (l *Links) add(st *stream, greeted bool) bool {
	l.mu.Lock()
	if l.coming[st.peer]--; l.coming[st.peer] == 0 {
		delete(l.coming, st.peer)
	}

	if l.closed || !greeted {
		l.mu.Unlock()
		return false
	}

	l.peers[st.peer] = append(l.peers[st.peer], st)
	if st.role != 0 {
		l.roles[st.peer] = st.role
	}
	if len(l.roles) > 2*len(l.peers)+64 {
		l.forgetRoles()
	}

	first := len(l.peers[st.peer]) == 1
	if first && l.cfg.Rate != nil {
		l.rates[st.peer] = rate.NewLimiter(l.cfg.Rate(st.peer))
	}
	l.mu.Unlock()
	if first && l.cfg.Changed != nil {
		l.cfg.Changed(st.peer, true)
	}
	return true
}

func (l *Links) remove(st *stream) {
	l.mu.Lock()
	delete(l.slowed, st)
	rest := slices.DeleteFunc(l.peers[st.peer], func(o *stream) bool { return o == st })
	if len(rest) > 0 {
		l.peers[st.peer] = rest
	} else {
		delete(l.peers, st.peer)
		delete(l.rates, st.peer)
	}
	l.mu.Unlock()
	if len(rest) > 0 {
		return
	}
	if l.cfg.Changed != nil {
		l.cfg.Changed(st.peer, false)
	}
	if l.cfg.Role == wire.RoleClient || st.role == wire.RoleClient {
		st.s.Conn().Close() // nothing else uses it, and a newer one is none of ours
	}
}

// errSlow means that a frame began and did not end.
var errSlow = errors.New("link: frame not completed in time")

func (l *Links) read(st *stream) error {
	for {
		if err := l.pace(st); err != nil {
			return err
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
		if f.Type() == wire.TypeHello {
			return wire.ErrFrame // there is one
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

		l.counted(-1)
		data := f[:]
		l.tap("out", st.s.Conn(), st.peer, f.Body())
		// Frames that wait already are written with it: one record, one system call.
		if n := min(len(st.out), batchSize-1); n > 0 {
			batch := make([]byte, 0, (n+1)*wire.FrameSize)
			batch = append(batch, f[:]...)
			for range n {
				f = <-st.out
				l.counted(-1)
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
