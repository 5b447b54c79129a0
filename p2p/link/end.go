package link

import (
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"starling/p2p/wire"
)

// An end is our end of a link. One that lasts outlives its lines: frames are numbered by
// their order, each way, and those not known to have come are kept and written again to
// the next line.
type end struct {
	peer    wire.NodeID
	id      [16]byte
	lasts   bool
	dialled bool // by us, so that we make the next line
	out     chan *wire.Frame
	more    chan struct{} // for the writer: a line, an acknowledgement
	done    chan struct{} // closed at the end
	last    atomic.Int64  // Unix nanoseconds of the last write
	moves   *rate.Limiter // to other lines, by the peer's will

	mu       sync.Mutex
	role     wire.Role
	network  netip.Prefix // of the last line
	line     *line        // that carries it; nil for none
	since    time.Time    // none does
	up       bool         // somebody was told that there is a link
	over     bool         // the end
	kept     []keptOne    // frames that are not known to have come
	acked    uint64       // those before
	at       uint64       // the last one that was written to the line
	received uint64       // the other side's frames
	told     uint64       // of which it knows
	broken   int64        // bytes that came on a line that broke
	brokeAt  time.Time
	frugal   bool // the last line had a budget
	tries    int  // to make the next one since, the last of them at
	triedAt  time.Time
}

// A keptOne is a frame that may be needed again.
type keptOne struct {
	f  *wire.Frame
	at time.Time
}

func newEnd(peer wire.NodeID, id [16]byte, lasts, dialled bool) *end {
	return &end{
		peer: peer, id: id, lasts: lasts, dialled: dialled,
		out: make(chan *wire.Frame, QueueSize), more: make(chan struct{}, 1), done: make(chan struct{}), since: time.Now(),
		moves: rate.NewLimiter(rate.Every(movesEvery), movesAtOnce),
	}
}

func (e *end) kick() {
	select {
	case e.more <- struct{}{}:
	default:
	}
}

// present reports whether it counts as a link: the dialler is told of its absence, the
// other side keeps what comes for it.
func (e *end) present() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.up
}

// carried reports whether a line carries it.
func (e *end) carried() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.up && (e.dialled || e.line != nil)
}

// last frame written, or to be written, of those kept. The caller holds the lock.
func (e *end) sent() uint64 { return e.acked + uint64(len(e.kept)) }

// forget drops frames up to a number. The caller holds the lock.
func (e *end) forget(to uint64) (n int) {
	n = int(to - e.acked)
	clear(e.kept[:n])
	e.kept = e.kept[n:]
	if len(e.kept) == 0 {
		e.kept = nil
	}
	e.acked = to
	e.at = max(e.at, to)
	return n
}

// acknowledge takes the peer's word for the number of frames that came. It is good for
// frames that were written to the line.
func (e *end) acknowledge(ln *line, n uint64) (freed int, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.lasts {
		return 0, wire.ErrFrame
	}
	if e.line != ln {
		return 0, nil // of a former line, whose end the hello on this one has told
	}
	if n > e.at {
		return 0, wire.ErrFrame
	}
	if n > e.acked {
		freed = e.forget(n)
	}
	e.kick()
	return freed, nil
}

// leave takes the line away for another that the peer has made, if we have all frames
// after those that it has.
func (e *end) leave(has uint64) (received uint64, former *line, ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.over || has < e.acked || has > e.sent() || !e.moves.Allow() {
		return 0, nil, false
	}
	if former = e.line; former != nil {
		e.line, e.since = nil, time.Now()
	}
	e.told = e.received
	return e.received, former, true
}

// carry puts the link on a line, behind so many of our frames. It returns the line before
// and how many frames need not be kept any more.
func (e *end) carry(ln *line, has uint64) (former *line, freed int, ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.over || has < e.acked || has > e.sent() {
		return nil, 0, false
	}
	former = e.line
	freed = e.forget(has)
	e.line, e.at, e.network = ln, has, ln.network
	e.kick()
	return former, freed, true
}

// afresh begins to count anew: the peer has forgotten the link. What it may have got is
// written once more.
func (e *end) afresh() (former *line) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if former, e.line = e.line, nil; former != nil {
		former.stale = true
	}
	e.acked, e.at, e.received, e.told = 0, 0, 0, 0
	return former
}

// take notes a frame from a line, and reports whether it is one that did not come before.
func (e *end) take(ln *line) bool {
	if !e.lasts {
		return true
	}
	ln.came++
	e.mu.Lock()
	defer e.mu.Unlock()
	if ln.stale || ln.base+ln.came != e.received+1 {
		return false
	}
	e.received++
	if e.received-e.told >= tellEvery {
		e.kick()
	}
	return true
}

// lost takes the line away, if it is the one that carries the link.
func (e *end) lost(ln *line) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.line != ln {
		return false
	}
	e.line, e.since = nil, time.Now()
	return true
}

// back gives the line back to a link that ends.
func (e *end) back(ln *line) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.line == nil {
		e.line = ln
	}
}

// next returns the frames to be written now, and the line to write them to.
func (e *end) next() (ln *line, batch []*wire.Frame) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.line == nil || e.over {
		return nil, nil
	}
	if e.line.full(0) {
		return nil, nil
	}
	if e.lasts && e.received-e.told >= tellEvery {
		e.told = e.received
		batch = append(batch, wire.ReceivedFrame(e.received))
	}

	for len(batch) < BatchSize && !e.line.full(len(batch)) {
		if e.at == e.sent() && !e.fetch() {
			break
		}
		batch = append(batch, e.kept[e.at-e.acked].f)
		e.at++
	}
	e.line.wrote += len(batch)
	return e.line, batch
}

// fetch keeps the next frame of the queue, if there is room. The caller holds the lock.
func (e *end) fetch() bool {
	if len(e.kept) >= Window {
		return false
	}
	select {
	case f := <-e.out:
		e.kept = append(e.kept, keptOne{f, time.Now()})
		return true
	default:
		return false
	}
}

// hungry returns the queue while a frame of it can be written.
func (e *end) hungry() <-chan *wire.Frame {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.line == nil || e.line.full(0) || len(e.kept) >= Window {
		return nil
	}
	return e.out
}

// keep keeps a frame of the queue, and reports whether it did: not after the end.
func (e *end) keep(f *wire.Frame) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.over {
		e.kept = append(e.kept, keptOne{f, time.Now()})
	}
	return !e.over
}

// written notes that a batch is on its way; where nothing is kept, it is forgotten.
func (e *end) written() (freed int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.lasts || e.over {
		return 0
	}
	return e.forget(e.at)
}

// expire forgets frames that were written long ago. A peer that did not get them has had
// the time to say so.
func (e *end) expire(before time.Time) (freed int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.line == nil {
		return 0
	}
	n := 0
	for n < len(e.kept) && e.acked+uint64(n) < e.at && e.kept[n].at.Before(before) {
		n++
	}
	if n > 0 {
		freed = e.forget(e.acked + uint64(n))
		e.kick()
	}
	return freed
}

// absent reports since when no line has carried the link.
func (e *end) absent() (since time.Time, absent bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.since, e.line == nil
}

// origin returns the network that it came from last.
func (e *end) origin() netip.Prefix {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.network
}

// close ends it, and returns its line and the number of frames that it held.
func (e *end) close() (ln *line, held int, was bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.over {
		return nil, 0, false
	}
	e.over = true
	close(e.done)
	ln, held = e.line, len(e.kept)
	e.line, e.kept = nil, nil
	return ln, held, true
}

// set tells whether there is a link, and reports whether that is news.
func (e *end) set(up bool) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.up == up {
		return false
	}
	e.up = up
	return true
}

// broke notes that a line went silent or was cut, after so many bytes. Only the next one
// shows whether the peer was there.
func (e *end) broke(bytes int64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.broken, e.brokeAt, e.tries = bytes, time.Now(), 0
}

// trying notes an attempt to make the next line.
func (e *end) trying() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.tries++
	e.triedAt = time.Now()
}

// mended returns the bytes on a line that broke a short while ago, once another carries the
// link; 0 if none did. A next one that took several attempts, or longer than promptly, speaks
// for a network that was away, and not for one that froze the line alone.
func (e *end) mended() (bytes int64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if now := time.Now(); now.Sub(e.brokeAt) < absentFor && e.tries == 1 && now.Sub(e.triedAt) < promptly {
		bytes = e.broken
	}
	e.broken = 0
	return bytes
}

// heardSince reports whether something has come on the line since a time.
func (ln *line) heardSince(t time.Time) bool { return ln.heard.Load() >= t.UnixNano() }

// without returns ends but one.
func without(all []*end, e *end) []*end {
	return slices.DeleteFunc(slices.Clone(all), func(o *end) bool { return o == e })
}
