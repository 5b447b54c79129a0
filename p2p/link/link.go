// Package link moves frames between neighbours.
//
// A link is carried by a libp2p stream that the dialling side opens and both sides use:
//
//	dialler                                acceptor
//	   | —— open stream wire.FrameProtocol ——> |
//	   | —————————————— a hello —————————————> |
//	   | <————————————— a hello —————————————— |
//	   | <—————— frames, any order ——————————> |
//
// Nothing but frames of one size travels on it; see package wire. The hello tells the
// role of a node; until it came there is no link. A connection is of use only with a
// link: where the stream is refused, or no hello comes within HelloTimeout, the dialler
// closes it, and so does either side when the last link between a client and a relay
// ends. Two relays that dial each other at the same moment keep both links and send on
// the newest.
//
//	link.go    Links, and what others ask of them
//	end.go     our end of one link: queue, numbers, frames that are kept
//	line.go    one stream of one connection
//	accept.go  lines that others open
//	renew.go   lines that a client opens, one after the other
//	carry.go   reading and writing
//	dials.go   dials for packets
//	pace.go    the rates at which is read
//
// # Links that last
//
// A link of a client outlives its connections, which a network may freeze, reset or
// forbid. Each end counts the frames that came and keeps those it wrote, Window at most,
// until the other side says that they came: every tellEvery frames, and in each hello.
// The hello on the next line names the link and the number that came; both sides then
// write again what the other lacks. Who comes with the right key and the id of the link
// has it; the id was told to nobody else. The side that was dialled keeps a link without
// a line for absentFor, and a frame for keptFor after it was written.
//
//	carried ── silence, reset, budget used up ──> a next line beside ── hello ──> carried
//	                                                   |no
//	                                                   v
//	                                  no link (kept for absentFor) ── Dial ──> carried
//
// A client asks after a line that said nothing for silentFor though something was
// written, and makes the next if no answer comes within answerFor. Where the network is
// known to freeze connections after so many bytes (Config.Network), the next line is
// there before.
//
// # Limits
//
// A frame that has begun must be complete within FrameTimeout. A link without a
// whole frame for Config.Idle is closed. Writing waits WriteTimeout at most, in
// which time a queue of QueueSize frames fills. On all links together Config.Queued
// frames wait or are kept at most; beyond it each link has room for QueueLeast. Frames that do not fit
// are dropped and counted, the newest first: the mix network above repeats important ones. A
// peer that sends something else than frames loses its link. Sending faster than
// Config.Rate, or than Config.ByNetwork lets a network, or Config.In all together, is not punished: the reader
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
	"errors"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
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

	// BatchSize is how many frames are written at once, at most: Config.Out lets as many
	// through.
	BatchSize = 16

	perPeer = 4 // links accepted from one peer

	// Window is how many frames an end of a link that lasts keeps at most, until the
	// other side says that they came.
	Window = 64
	// MaxAbsent is how many links of clients are kept while nothing carries them.
	MaxAbsent = 128

	tellEvery = 16                // frames that come before we say so
	absentFor = 90 * time.Second  // a link is kept without a line
	keptFor   = 150 * time.Second // a frame is kept without a word about it
	sweepEach = 15 * time.Second

	movesEvery, movesAtOnce = 2 * time.Second, 8 // lines that a peer may put a link on

	silentFor    = 1500 * time.Millisecond // until the other side is asked whether it is there
	answerFor    = 1500 * time.Millisecond // that its answer may take
	lookFirst    = 4 * time.Second         // after a frame, where a network may have frozen the line; twice as long each time
	looks        = 4                       // so many times
	renewTime    = 6 * time.Second         // for the next line
	renewLeast   = time.Second             // until it is tried again, twice as long each time
	renewMost    = 30 * time.Second
	renewSparing = 4 * time.Second         // and no more than that, where connections are few and full
	soonEnough   = 3 * time.Second         // that a link may wait for its turn to be dialled
	promptly     = 1500 * time.Millisecond // the next line is there, where a network froze the one before alone
	farewell     = 100 * time.Millisecond
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
	// In and Out, if set, bound the frames read and written on all links together.
	In, Out *rate.Limiter
	// Queued is how many frames may wait on all links together; 0 is any number.
	Queued int
	// Network, if set, knows what the network of a client does to connections.
	Network Network
	// Tap, if set, sees all that passes. For tests.
	Tap func(Seen)
}

// A Network knows what a network does to connections on their way.
type Network interface {
	// Allowance returns how many bytes may come on a new connection before it is
	// frozen; 0 is any number.
	Allowance(wire.NodeID) int64
	// Wait returns how long no new connection to a relay may be made.
	Wait(wire.NodeID) time.Duration
	// Sparing reports whether new connections are few where connections freeze: then each
	// carries all that it may.
	Sparing(wire.NodeID) bool
	// Began and Ended are told of each attempt to connect to a relay; a link that a
	// nil error tells of has had its hello.
	Began(wire.NodeID, []book.Address)
	Ended(wire.NodeID, book.Source, []book.Address, error)
	// GivenUp is told of an attempt that was given up in the middle, in place of Ended.
	GivenUp(wire.NodeID, error)
	// Frozen is told of a connection that went silent, or was cut, after so many bytes, while
	// a new one to the same relay worked; Carried how many came on one that was left;
	// Silent of a relay that does not answer any more.
	Frozen(relay wire.NodeID, bytes int64)
	Carried(relay wire.NodeID, bytes int64)
	Silent(wire.NodeID)
}

// open is a network that does nothing.
type open struct{}

func (open) Allowance(wire.NodeID) int64                           { return 0 }
func (open) Wait(wire.NodeID) time.Duration                        { return 0 }
func (open) Sparing(wire.NodeID) bool                              { return false }
func (open) Began(wire.NodeID, []book.Address)                     {}
func (open) Ended(wire.NodeID, book.Source, []book.Address, error) {}
func (open) GivenUp(wire.NodeID, error)                            {}
func (open) Frozen(wire.NodeID, int64)                             {}
func (open) Carried(wire.NodeID, int64)                            {}
func (open) Silent(wire.NodeID)                                    {}

// Links are the links of one node.
type Links struct {
	cfg    Config
	ctx    context.Context // ends with Close; owns the dials
	cancel context.CancelFunc
	wg     sync.WaitGroup
	sweep  sync.Once

	in, out atomic.Int64 // frames
	queued  atomic.Int64 // frames that wait or are kept, if they are counted
	conns   atomic.Int64 // connections of our own

	mu     sync.Mutex
	closed bool
	coming map[wire.NodeID]int // streams without a hello
	peers  map[wire.NodeID][]*end
	roles  map[wire.NodeID]wire.Role     // of connected peers, and some former ones
	rates  map[wire.NodeID]*rate.Limiter // of those there is a link to
	slowed map[*end]time.Time            // clients, since when
	turns  map[wire.NodeID]*turn         // lines that we open: one at a time to a peer
	dials  dials
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
	if cfg.Network == nil {
		cfg.Network = open{}
	}

	l := &Links{
		cfg:    cfg,
		coming: map[wire.NodeID]int{},
		peers:  map[wire.NodeID][]*end{},
		roles:  map[wire.NodeID]wire.Role{},
		rates:  map[wire.NodeID]*rate.Limiter{},
		slowed: map[*end]time.Time{},
		turns:  map[wire.NodeID]*turn{},
		dials:  newDials(),
	}

	l.ctx, l.cancel = context.WithCancel(context.Background())
	return l
}

// Accept lets others open links to us.
func (l *Links) Accept() {
	l.cfg.Host.SetStreamHandler(wire.FrameProtocol, l.accept)
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
	var all []*end
	for _, ends := range l.peers {
		all = append(all, ends...)
	}
	l.mu.Unlock()
	l.cancel() // every line ends by itself
	for _, e := range all {
		l.end(e, false)
	}
	l.wg.Wait()
}

func (l *Links) count(reason string) {
	if l.cfg.Count != nil {
		l.cfg.Count(reason)
	}
}

func (l *Links) tap(what string, ln *line, id wire.NodeID, data []byte) {
	if l.cfg.Tap != nil {
		l.cfg.Tap(Seen{What: what, Peer: id, Addr: ln.remote.String(), Data: slices.Clone(data)})
	}
}

// Connected reports whether there is a link to a peer.
func (l *Links) Connected(id wire.NodeID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.ContainsFunc(l.peers[id], (*end).present)
}

// Connections returns how many connections of its own a client has.
func (l *Links) Connections() int { return int(l.conns.Load()) }

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

// Peers returns everybody there is a link to that something carries.
func (l *Links) Peers() (ids []wire.NodeID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, ends := range l.peers {
		if slices.ContainsFunc(ends, (*end).carried) {
			ids = append(ids, id)
		}
	}
	return ids
}

// Quiet returns the peers to which nothing was written for a time.
func (l *Links) Quiet(d time.Duration) (ids []wire.NodeID) {
	before := time.Now().Add(-d).UnixNano()
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, ends := range l.peers {
		if slices.ContainsFunc(ends, (*end).carried) && !slices.ContainsFunc(ends, func(e *end) bool { return e.last.Load() > before }) {
			ids = append(ids, id)
		}
	}
	return ids
}

// Drop ends the links to a peer and closes the connections with it. The connections go
// first: to reset a stream is to send something, which waits while the peer reads nothing.
func (l *Links) Drop(id wire.NodeID) {
	l.mu.Lock()
	if l.closed { // Close ends them, and waits for no goroutine of ours
		l.mu.Unlock()
		return
	}
	l.wg.Add(1)
	all := slices.Clone(l.peers[id])
	l.mu.Unlock()

	defer l.wg.Done()
	if l.cfg.Role != wire.RoleClient {
		l.cfg.Host.Network().ClosePeer(id.Peer())
	}
	for _, e := range all {
		l.end(e, true)
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
	if e := l.newest(to); e != nil {
		return l.enqueue(e, f)
	}
	return l.sendLater(asker, to, f)
}

// newest returns the link on which frames go to a peer, nil if there is none. The caller
// holds the lock.
func (l *Links) newest(to wire.NodeID) *end {
	for _, e := range slices.Backward(l.peers[to]) {
		if e.present() {
			return e
		}
	}
	return nil
}

// enqueue puts a frame into the queue of a link. When all queues together are full, each
// link has room for QueueLeast: deaf peers take no room from others. The caller holds the
// lock.
func (l *Links) enqueue(e *end, f *wire.Frame) error {
	if l.cfg.Queued > 0 && l.queued.Load() >= int64(l.cfg.Queued) && len(e.out) >= QueueLeast {
		l.count("queues full")
		return ErrFull
	}
	select {
	case e.out <- f:
		l.counted(1)
		return nil
	default:
		l.count("queue full")
		return ErrFull
	}
}

// counted counts frames that wait or are kept.
func (l *Links) counted(n int) {
	if l.cfg.Queued > 0 {
		l.queued.Add(int64(n))
	}
}

// SendWait queues a frame for a peer it has a link to, and waits for room.
func (l *Links) SendWait(ctx context.Context, to wire.NodeID, f *wire.Frame) error {
	l.mu.Lock()
	e := l.newest(to)
	closed := l.closed
	l.mu.Unlock()
	if closed || e == nil {
		return ErrNoLink
	}
	select {
	case e.out <- f:
		l.counted(1)
		return nil
	case <-e.done:
		return ErrNoLink
	case <-ctx.Done():
		return ctx.Err()
	}
}

// add puts an end among those of its peer, and says so if it is the first.
func (l *Links) add(e *end) bool {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return false
	}
	first := !slices.ContainsFunc(l.peers[e.peer], (*end).present)
	l.peers[e.peer] = append(l.peers[e.peer], e)
	if first && l.cfg.Rate != nil {
		l.rates[e.peer] = rate.NewLimiter(l.cfg.Rate(e.peer))
	}
	l.wg.Go(func() { l.write(e) })
	l.mu.Unlock()
	l.setRole(e)

	if e.lasts {
		l.sweep.Do(func() { l.Go(l.tidy) })
	}
	e.set(true)
	if first && l.cfg.Changed != nil {
		l.cfg.Changed(e.peer, true)
	}
	return true
}

// setRole remembers the role of a peer, once it is known.
func (l *Links) setRole(e *end) {
	e.mu.Lock()
	role := e.role
	e.mu.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	if role != 0 && len(l.peers[e.peer]) > 0 {
		l.roles[e.peer] = role
	}
	if len(l.roles) > 2*len(l.peers)+64 {
		l.forgetRoles()
	}
}

// end ends a link for good. With farewell the other side is told so that it forgets it, too.
func (l *Links) end(e *end, tell bool) {
	ln, held, was := e.close()
	if !was {
		return
	}
	l.mu.Lock()
	delete(l.slowed, e)
	if rest := without(l.peers[e.peer], e); len(rest) > 0 {
		l.peers[e.peer] = rest
	} else {
		delete(l.peers, e.peer)
		delete(l.rates, e.peer)
	}
	last := !slices.ContainsFunc(l.peers[e.peer], (*end).present)
	l.counted(-held - len(e.out)) // nobody adds to them any more: that needs the lock
	l.mu.Unlock()

	if e.set(false) && last && l.cfg.Changed != nil {
		l.cfg.Changed(e.peer, false)
	}
	switch {
	case ln == nil:
	case tell && e.lasts && e.dialled:
		l.wg.Go(ln.goodbye)
	case last && (l.cfg.Role == wire.RoleClient || e.isClient()):
		l.wg.Go(ln.hangUp) // nothing else uses it, and a newer one is none of ours
	default:
		l.wg.Go(func() { ln.stream.Reset() })
	}
}

func (e *end) isClient() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.role == wire.RoleClient
}

// tidy forgets frames and links that were kept long enough.
func (l *Links) tidy(ctx context.Context) {
	t := time.NewTicker(sweepEach)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-t.C:
			l.mu.Lock()
			var all []*end
			for ends := range maps.Values(l.peers) {
				all = append(all, ends...)
			}
			l.mu.Unlock()
			for _, e := range all {
				l.counted(-e.expire(now.Add(-keptFor)))
				if since, absent := e.absent(); absent && now.Sub(since) >= absentFor {
					l.end(e, false)
				}
			}
		}
	}
}
