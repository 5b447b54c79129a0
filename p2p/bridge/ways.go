package bridge

import (
	"cmp"
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/transport"
	manet "github.com/multiformats/go-multiaddr/net"
	"github.com/multiformats/go-multistream"

	"starling/p2p/book"
	"starling/p2p/transport/web"
	"starling/p2p/wire"
)

const (
	// MaxBridges is how many a client keeps.
	MaxBridges = 16
	// connectTime is how long a bridge may take to be connected, over Tor as well.
	connectTime = 20 * time.Second
	// A bridge that failed is not connected to again before; each time in a row
	// doubles it.
	againLeast, againMost = time.Second, 30 * time.Second
	// strikes is how many pipes in a row may come to nothing before the connection
	// to the bridge is made anew.
	strikes = 2
)

// ErrNoBridge: this client reaches relays over bridges alone, and none is there. It is as
// if the machine had no way out.
var ErrNoBridge = errors.Join(errors.New("bridge: no bridge is there"), syscall.EHOSTUNREACH)

// A DownError says that a bridge itself is not reached.
type DownError struct{ Err error }

// Error implements error.
func (e *DownError) Error() string { return "the bridge is not reached: " + e.Err.Error() }

// Is makes it as if the machine had no way out: nothing is concluded about the relay.
func (e *DownError) Is(target error) bool { return target == syscall.EHOSTUNREACH }

// Config is how Ways are made.
type Config struct {
	// Dial connects to a bridge at its addresses, and shows that it has its key.
	Dial func(context.Context, *Link) (transport.CapableConn, error)
	// Only: relays are reached over bridges alone.
	Only bool
	// Changed, if set, is called when a bridge came up or went.
	Changed func(up bool)
	// Network is what is known of the network that we are in.
	Network Network
}

// A Network knows what the network that we are in does to connections, and which ways led
// to relays from there: bridges by their names, and one name for all relays that were dialled
// themselves.
type Network interface {
	// Led notes that a way led there.
	Led(way wire.NodeID)
	// Place is lower for a way that led there later.
	Place(way wire.NodeID) int
	// Budget is after how many bytes a connection to a bridge freezes, 0 for never.
	Budget(bridge wire.NodeID) int64
	// Wait is how long no other handshake with a bridge may be made.
	Wait(bridge wire.NodeID) time.Duration
	// Began notes that one begins at some addresses, Ended how it ended.
	Began(bridge wire.NodeID, at []book.Address)
	Ended(bridge wire.NodeID, err error)
}

// straight is the name of the way without a bridge.
var straight wire.NodeID

// Ways are the bridges of one client.
type Ways struct {
	cfg Config
	ctx context.Context // ends with Close
	end context.CancelFunc

	mu    sync.Mutex
	only  bool
	all   []*one
	under map[wire.NodeID]int // dials of a relay that are under way
	wait  sync.WaitGroup
}

// one is a bridge.
type one struct {
	ways *Ways
	link *Link

	// Guarded by ways.mu.
	conns      []*outer      // the newest last
	connecting chan struct{} // closed at the end
	err        error         // of the last attempt
	failed     int           // attempts, and pipes, in a row
	again      time.Time
}

// outer is a connection to a bridge.
type outer struct {
	transport.CapableConn
	up    time.Time
	pipes map[wire.NodeID]int // by the relay; by ways.mu
	used  bool                // it has had one
}

// Received returns how many bytes have come on it, less than 0 if nobody counts them.
func (o *outer) Received() int64 {
	if c, ok := o.CapableConn.(interface{ Received() int64 }); ok {
		return c.Received()
	}
	return -1
}

// Status is the state of one bridge.
type Status struct {
	Link      *Link
	Connected bool
	Since     time.Time
	Pipes     int // open now
	// Err says how the last attempt ended, nil if well.
	Err error
}

// New makes Ways without a bridge.
func New(cfg Config) *Ways {
	w := &Ways{cfg: cfg, only: cfg.Only, under: map[wire.NodeID]int{}}
	w.ctx, w.end = context.WithCancel(context.Background())
	return w
}

// Close hangs up.
func (w *Ways) Close() {
	w.end()
	w.mu.Lock()
	all := w.all
	w.all = nil
	w.mu.Unlock()
	for _, b := range all {
		b.hangUp()
	}
	w.wait.Wait()
}

// Set replaces the bridges. Those that stay keep their connections.
func (w *Ways) Set(links []*Link, only bool) {
	w.mu.Lock()
	was := w.all
	w.only, w.all = only, nil
	for _, l := range links[:min(len(links), MaxBridges)] {
		i := slices.IndexFunc(was, func(b *one) bool { return b.link.ID == l.ID })
		if i < 0 {
			w.all = append(w.all, &one{ways: w, link: l})
			continue
		}
		was[i].link = l
		w.all = append(w.all, was[i])
	}
	gone := slices.DeleteFunc(slices.Clone(was), func(b *one) bool { return slices.Contains(w.all, b) })
	w.mu.Unlock()
	for _, b := range gone {
		b.hangUp()
	}
}

// Only reports whether relays are reached over bridges alone.
func (w *Ways) Only() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.only
}

// Any reports whether there is a bridge.
func (w *Ways) Any() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.all) > 0
}

func (w *Ways) find(id wire.NodeID) *one {
	i := slices.IndexFunc(w.all, func(b *one) bool { return b.link.ID == id })
	if i < 0 {
		return nil
	}
	return w.all[i]
}

// May reports whether a socket may be opened to an address: any one, or of bridges alone.
func (w *Ways) May(a book.Address) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.only || slices.ContainsFunc(w.all, func(b *one) bool { return slices.Contains(b.link.Dialled(), a) })
}

// Name returns the onion service that an address stands for.
func (w *Ways) Name(a book.Address) (string, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, b := range w.all {
		for _, o := range b.link.Onions {
			if o.standIn() == a {
				return o.String(), true
			}
		}
	}
	return "", false
}

// Host returns the host name of a bridge, empty if it has none.
func (w *Ways) Host(id wire.NodeID) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if b := w.find(id); b != nil {
		return b.link.Host
	}
	return ""
}

// Status returns the state of all bridges.
func (w *Ways) Status() (all []Status) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, b := range w.all {
		newest := b.newest()
		s := Status{Link: b.link, Connected: newest != nil, Err: b.err}
		for _, o := range b.conns {
			for _, n := range o.pipes {
				s.Pipes += n
			}
		}
		if newest != nil {
			s.Since = newest.up
		}
		all = append(all, s)
	}
	return all
}

// Detour implements web.Detour. Bridges are dialled themselves. Of the addresses of a
// relay one takes the pipes.
func (w *Ways) Detour(relay wire.NodeID) (d web.Detour) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.find(relay) != nil || len(w.all) == 0 && !w.only {
		return web.Detour{Straight: true}
	}
	d = web.Detour{Straight: !w.only, None: ErrNoBridge}
	if w.under[relay] > 0 {
		return d
	}
	w.under[relay]++
	d.Done = sync.OnceFunc(func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.under[relay]--; w.under[relay] == 0 {
			delete(w.under, relay)
		}
	})
	d.Straightly = func() { w.cfg.Network.Led(straight) }

	order := slices.Clone(w.all)
	place := map[*one]int{}
	for _, b := range order {
		place[b] = w.cfg.Network.Place(b.link.ID)
		d.Last = d.Last || place[b] < w.cfg.Network.Place(straight)
	}
	slices.SortStableFunc(order, func(a, b *one) int {
		return cmp.Or(a.rank()-b.rank(), place[a]-place[b])
	})
	for _, b := range order {
		var over *outer // of this pipe; Open comes before Ended
		d.Pipes = append(d.Pipes, web.Pipe{
			Open: func(ctx context.Context) (c net.Conn, err error) {
				c, over, err = b.open(ctx, relay)
				return c, err
			},
			Ended: func(err error) { b.ended(over, err) },
		})
	}
	return d
}

// rank is lower for a bridge that is more likely to work. The caller holds the lock.
func (b *one) rank() int {
	n := 2 * min(b.failed, 16)
	if b.newest() == nil {
		n++
	}
	return n
}

// newest returns the last connection that is open, nil if there is none. The caller holds the
// lock.
func (b *one) newest() *outer {
	b.conns = slices.DeleteFunc(b.conns, func(o *outer) bool { return o.IsClosed() })
	if len(b.conns) == 0 {
		return nil
	}
	return b.conns[len(b.conns)-1]
}

// ended notes how a pipe over a connection ended: whether the relay showed its key.
func (b *one) ended(over *outer, err error) {
	w := b.ways
	w.mu.Lock()
	var down *DownError
	if err == nil {
		w.cfg.Network.Led(b.link.ID)
		b.failed, b.err = 0, nil
	} else if !errors.Is(err, context.Canceled) && !errors.As(err, &down) {
		b.failed++
		b.err = err
	}
	// A bridge says of itself that it is busy, and its connection is no worse for it.
	var verdict *VerdictError
	anew := err != nil && b.failed >= strikes && !errors.As(err, &verdict)
	w.mu.Unlock()
	if anew && over != nil {
		over.Close()
	}
}

// hangUp closes all connections. One is made again when somebody needs it.
func (b *one) hangUp() {
	b.ways.mu.Lock()
	all := b.conns
	b.conns = nil
	b.ways.mu.Unlock()
	for _, o := range all {
		o.Close()
	}
}

// open opens a pipe to a relay, and returns the connection that it is in.
func (b *one) open(ctx context.Context, relay wire.NodeID) (net.Conn, *outer, error) {
	o, err := b.connect(ctx, relay)
	if err != nil {
		return nil, nil, &DownError{err}
	}

	done := sync.OnceFunc(func() { b.left(o, relay) })
	s, err := o.OpenStream(ctx)
	if err != nil {
		done()
		o.Close()
		return nil, o, &DownError{err}
	}
	local, err := manet.ToNetAddr(o.LocalMultiaddr())
	if err != nil {
		done()
		s.Reset()
		return nil, o, err
	}
	remote, err := manet.ToNetAddr(o.RemoteMultiaddr())
	if err != nil {
		done()
		s.Reset()
		return nil, o, err
	}

	return &pipe{MuxedStream: s, named: multistream.NewMSSelect(s, Protocol), relay: relay, local: local, remote: remote, over: o, done: done}, o, nil
}

// left notes that a pipe is closed. A connection without one goes, if there is a newer one.
func (b *one) left(o *outer, relay wire.NodeID) {
	b.ways.mu.Lock()
	if o.pipes[relay]--; o.pipes[relay] == 0 {
		delete(o.pipes, relay)
	}
	idle := len(o.pipes) == 0 && o != b.newest()
	b.ways.mu.Unlock()
	if idle {
		o.Close()
	}
}

// errLater: handshakes with the bridge follow each other too fast.
var errLater = errors.New("bridge: not now, so that it does not look like somebody who hurries")

// connect returns the connection to the bridge that takes a pipe to a relay, which is counted,
// and makes one if need be: one attempt at a time, whoever asks for it, and not given up with them.
func (b *one) connect(ctx context.Context, relay wire.NodeID) (*outer, error) {
	w := b.ways
	for tried := false; ; tried = true {
		w.mu.Lock()
		newest := b.newest()
		var later error
		switch pause := time.Until(b.again); {
		case newest != nil && b.fits(newest, relay):
			defer w.mu.Unlock()
			return newest.take(relay), nil
		case b.connecting != nil:
		case w.ctx.Err() != nil:
			later = w.ctx.Err()
		case b.err != nil && (pause > 0 || tried):
			later = b.err
		case w.cfg.Network.Wait(b.link.ID) > 0:
			later = errLater
		default:
			b.connecting = make(chan struct{})
			w.wait.Go(b.attempt)
		}
		if later != nil {
			defer w.mu.Unlock()
			if newest != nil && !b.spent(newest) {
				return newest.take(relay), nil
			}
			return nil, later
		}
		under := b.connecting
		w.mu.Unlock()

		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-under:
		}
	}
}

// take counts a pipe. The caller holds the lock.
func (o *outer) take(relay wire.NodeID) *outer {
	o.pipes[relay]++
	o.used = true
	return o
}

// fits reports whether the newest connection is one for a pipe to a relay. Who asks for a
// second one to the same relay moves a link: the first is frozen, or will be. Where
// connections are known to freeze each pipe has its own, so that a link knows its room. The
// caller holds the lock.
func (b *one) fits(o *outer, relay wire.NodeID) bool {
	return o.pipes[relay] == 0 && (!o.used || b.ways.cfg.Network.Budget(b.link.ID) == 0)
}

// spent reports whether a connection has no room for another pipe: the network would freeze it
// in the middle.
func (b *one) spent(o *outer) bool {
	budget := b.ways.cfg.Network.Budget(b.link.ID)
	return budget > 0 && o.Received()+pipeLeast > budget
}

// pipeLeast are the bytes of a pipe with a handshake and one frame.
const pipeLeast = 5 << 10

// attempt connects once.
func (b *one) attempt() {
	w := b.ways
	ctx, cancel := context.WithTimeout(w.ctx, connectTime)
	defer cancel()
	w.mu.Lock()
	l := b.link
	w.mu.Unlock()
	w.cfg.Network.Began(l.ID, l.Dialled())
	c, err := w.cfg.Dial(ctx, l)
	w.cfg.Network.Ended(l.ID, err)

	var idle []*outer
	w.mu.Lock()
	unwanted := !slices.Contains(w.all, b)
	b.err = err
	if err == nil && !unwanted {
		for _, o := range b.conns {
			if len(o.pipes) == 0 {
				idle = append(idle, o)
			}
		}
		b.conns, b.failed = append(b.conns, &outer{CapableConn: c, up: time.Now(), pipes: map[wire.NodeID]int{}}), 0
	} else if err != nil {
		b.failed++
		b.again = time.Now().Add(min(againLeast<<min(b.failed-1, 8), againMost))
	}
	if err == nil && unwanted {
		b.err = ErrNoBridge
	}
	close(b.connecting)
	b.connecting = nil
	w.mu.Unlock()

	if err == nil && unwanted {
		c.Close()
	}
	for _, o := range idle {
		o.Close()
	}
	if w.cfg.Changed != nil {
		w.cfg.Changed(err == nil)
	}
}

// A pipe is a connection of bytes with a relay. The first message goes out with the
// request, and the first Read waits for the answer.
type pipe struct {
	network.MuxedStream
	named         multistream.LazyConn
	relay         wire.NodeID
	local, remote net.Addr
	over          *outer
	done          func()

	first  []byte
	asked  bool
	failed error
}

// Write implements net.Conn.
func (p *pipe) Write(b []byte) (int, error) {
	if p.asked {
		return p.named.Write(b)
	}
	if len(p.first)+len(b) > MaxFirst {
		return 0, errors.New("bridge: more than the first message before the answer")
	}
	p.first = append(p.first, b...)
	return len(b), nil
}

// Read implements net.Conn.
func (p *pipe) Read(b []byte) (int, error) {
	if !p.asked {
		p.asked = true
		_, p.failed = p.named.Write(Request{p.relay, p.first}.Append(nil))
		if p.failed == nil {
			p.failed = readVerdict(p.named)
		}
	}
	if p.failed != nil {
		return 0, p.failed
	}
	return p.named.Read(b)
}

// Received returns how many bytes have come on the connection that the pipe is in.
func (p *pipe) Received() int64 { return p.over.Received() }

// Failed implements web.Piped: why there was no answer, or a bad one.
func (p *pipe) Failed() error { return p.failed }

// Close implements net.Conn.
func (p *pipe) Close() error {
	p.done()
	return p.MuxedStream.Reset() // nobody reads the rest, and to wait for the other side is to be held
}

// LocalAddr implements net.Conn.
func (p *pipe) LocalAddr() net.Addr { return p.local }

// RemoteAddr implements net.Conn: the bridge's, which is where the bytes go.
func (p *pipe) RemoteAddr() net.Addr { return p.remote }
