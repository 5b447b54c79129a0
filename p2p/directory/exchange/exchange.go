// Package exchange asks neighbours for their lists of relays, and answers when they
// ask. The pages are those of package directory; they travel as frames of the link
// that packets use, too. Nobody gets a page unasked.
//
// A neighbour that was asked before is asked for its news only. A new neighbour, or one
// that restarted, is asked twice by the owner of a list: for descriptors issued since
// the list was last complete, and then for all parts in which the two still differ.
// Those are few unless the mesh was cut.
//
// A relay says the same again and again. A neighbour sends these descriptors as renewals,
// package directory has them, of others that it has sent before. Some may not fit: the
// one before was refused here, or is another. Then all descriptors that differ are asked
// for as a whole, once, in the same look.
//
// # Asking
//
// A slow neighbour is not waited for: the next page comes within PageTimeout, every
// page but the last has an entry, and the whole list comes within ListTimeout, or
// SlowTimeout as long as it comes with SlowRate. Entries that came count, and the
// next look begins where this one ended.
//
// # Answering
//
// Pages are counted per asker and per network, see AnswerEvery and PrefixRate. An asker
// that asks for more is told to come later, or to ask another.
//
// One asker can use up what its network has, under as many names as it likes, and many
// people may be behind one address. So an asker that has not had more than its own share
// is told the price of a list, too: a stamp (package stamp) for its node id and the ten
// minutes on the answerer's clock. The price begins with ListBits, and has one more for
// each doubling of the lists that its network bought in the last minutes. So the price
// of a newcomer grows as the square root of the work that others do to raise it.
package exchange

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"

	"starling/p2p/directory"
	"starling/p2p/wire"
)

const (
	// PageTimeout is how long the next page may take.
	PageTimeout = 5 * time.Second
	// ListTimeout is how long a list may take, SlowTimeout while it comes with
	// SlowRate bytes a second.
	ListTimeout = 15 * time.Second
	SlowTimeout = 30 * time.Second
	SlowRate    = 20_000

	// PagesAtOnce are asked for with one request.
	PagesAtOnce = directory.MaxPages

	// maxPages bounds one Pull: a full directory of the largest descriptors.
	maxPages = directory.MaxRelays/3 + 2
	maxMarks = 256
	// maxUnfit bounds the renewals of a list with a wrong signature. After these no other
	// is tried, and whole descriptors are asked for.
	maxUnfit = 16
	// nameWait is how long a descriptor that was named may be lacking. Lists of honest
	// relays are the same long before, so that it tells nothing of those of others; and
	// the one before has as long to go.
	nameWait = 12 * time.Hour

	// narrowFrom is how many relays make it worth to leave some out, and overlap is a
	// margin for descriptors under way and for wrong clocks.
	narrowFrom = 64
	overlap    = directory.MaxSkew + 5*time.Minute
)

// Errors of Pull.
var (
	ErrTimeout = errors.New("exchange: neighbour does not answer in time")
	ErrRefused = errors.New("exchange: neighbour sends what is no directory")
	ErrLater   = errors.New("exchange: neighbour has answered enough for now")
)

// Config is how an Exchange is made. Directory and Send are required.
type Config struct {
	Directory *directory.Directory
	// Send queues a frame for a neighbour.
	Send func(wire.NodeID, *wire.Frame) error
	// Take decides about an entry that a neighbour has; nil is Directory.Take. The
	// error says why it was not taken.
	Take func(from wire.NodeID, e directory.Entry) error
	// Heard, if set, is told the time on a neighbour's clock, and how long ago it was
	// asked.
	Heard func(from wire.NodeID, at time.Time, asked time.Duration)
	// Now is the time of day, which descriptors are asked for by; nil is time.Now.
	Now func() time.Time
	// Serve answers requests.
	Serve bool
	// Names, if set, reports whether somebody else brings the descriptors, so that their
	// names do.
	Names func() bool
	// Self is the node id that the neighbours know the asker or answerer by.
	Self wire.NodeID
	// Pay, if set, reports whether to work for a list now, for seconds; see Sparingly.
	Pay func() bool
	// Bits is the lowest price of a list; zero is ListBits.
	Bits int
	// Network, if set, returns the network that an asker comes from; askers of one
	// share a rate. It is none if it is not valid.
	Network func(wire.NodeID) netip.Prefix
	// Count, if set, is called with the reason of every refusal.
	Count func(reason string)
}

// Exchange is one node's side of the protocol.
type Exchange struct {
	cfg   Config
	rates rates

	mu    sync.Mutex
	marks map[wire.NodeID]mark // how far we have read each neighbour
	pulls map[uint64]*pull     // by nonce
	whole time.Time            // when some neighbour last gave us all it had
	named time.Time            // when names were last asked for
}

// A pull is one list that is being read.
type pull struct {
	from  wire.NodeID
	pages chan *directory.Page
}

type mark struct {
	instance [8]byte
	stamp    uint64
	whole    uint64 // the stamp at which we had all
}

// New makes an Exchange.
func New(cfg Config) *Exchange {
	if cfg.Count == nil {
		cfg.Count = func(string) {}
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Take == nil {
		cfg.Take = func(_ wire.NodeID, e directory.Entry) error { return cfg.Directory.Take(e) }
	}
	if cfg.Bits == 0 {
		cfg.Bits = ListBits
	}
	return &Exchange{cfg: cfg, rates: rates{bits: cfg.Bits}, marks: map[wire.NodeID]mark{}, pulls: map[uint64]*pull{}}
}

// Handle takes a frame of type TypeListRequest or TypeListPage.
func (x *Exchange) Handle(from wire.NodeID, f *wire.Frame) {
	switch f.Type() {
	case wire.TypeListRequest:
		r, err := directory.ParseRequest(f.Body())
		if err != nil || !x.cfg.Serve {
			x.cfg.Count("list: refused request")
			return
		}
		x.answer(from, r)
	case wire.TypeListPage:
		p, err := directory.ParsePage(f.Body())
		if err != nil {
			x.cfg.Count("list: malformed page")
			return
		}

		x.mu.Lock()
		defer x.mu.Unlock()
		pull := x.pulls[p.Nonce]
		if pull == nil || pull.from != from {
			x.cfg.Count("list: unasked page")
			return
		}
		select {
		case pull.pages <- p:
		default:
			x.cfg.Count("list: unasked page")
		}
	}
}

// answer sends pages to a neighbour, as many as it may have.
func (x *Exchange) answer(to wire.NodeID, r directory.Request) {
	relays := len(x.cfg.Directory.Snapshot().Relays)
	var group netip.Prefix
	if x.cfg.Network != nil {
		group = x.cfg.Network(to)
	}
	send := func(p *directory.Page) bool {
		frame, err := wire.NewFrame(wire.TypeListPage, p.Append(make([]byte, 0, wire.MaxBody)))
		return err == nil && x.cfg.Send(to, frame) == nil
	}
	if r.Stamp != 0 {
		x.rates.sell(x.cfg.Self, to, r.Stamp, group, relays, x.cfg.Now(), time.Now())
	}
	x.cfg.Directory.Answer(r, func(p *directory.Page) bool {
		if ok, price := x.rates.allow(to, group, relays, time.Now()); !ok {
			x.cfg.Count("list: asked too much")
			send(x.cfg.Directory.Later(r, price))
			return false
		}
		return send(p)
	})
}

// take hands on the entries of a page.
func (x *Exchange) take(from wire.NodeID, p *directory.Page, r *reading) (added int, err error) {
	for _, e := range p.Entries {
		renews := e.Renews()
		if renews && (r.mark.whole == 0 || r.named && x.cfg.Directory.Nameable(e.Raw)) || e.Names() && !r.named {
			x.cfg.Count("list: unasked renewal")
			return added, ErrRefused
		}
		if e.Names() {
			err := x.cfg.Directory.Name(e.Raw)
			r.lacking = r.lacking || errors.Is(err, directory.ErrLacking)
			continue
		}
		if renews {
			if e = x.complete(e, r); e.Raw == nil {
				continue
			}
		}

		switch err := x.cfg.Take(from, e); {
		case err == nil:
			added++
		case errors.Is(err, directory.ErrMalformed), errors.Is(err, directory.ErrSignature):
			// Made from another descriptor than the neighbour's it is no lie.
			if renews {
				r.unfit++
				r.lacking = true
				continue
			}
			x.cfg.Count("list: forged descriptor")
			return added, ErrRefused
		case !errors.Is(err, directory.ErrStale):
			x.cfg.Count(err.Error())
		}
	}
	return added, nil
}

// complete makes the whole entry of a renewal, or none if there is nothing to take.
func (x *Exchange) complete(e directory.Entry, r *reading) (whole directory.Entry) {
	if r.unfit >= maxUnfit {
		r.lacking = true
		return whole
	}
	raw, err := x.cfg.Directory.Complete(e.Raw)
	if err == nil {
		return directory.Entry{Known: e.Known, Raw: raw}
	}
	r.lacking = r.lacking || !errors.Is(err, directory.ErrStale)
	return whole
}

// Pull reads everything that is new at a neighbour and returns how many entries
// were taken.
func (x *Exchange) Pull(ctx context.Context, from wire.NodeID) (added int, err error) {
	nonce := rand.Uint64() | 1 // not 0
	it := &pull{from: from, pages: make(chan *directory.Page, PagesAtOnce)}
	x.mu.Lock()
	x.pulls[nonce] = it
	r := reading{nonce: nonce, mark: x.marks[from], issued: x.whole, date: x.cfg.Now(), began: time.Now()}
	x.mu.Unlock()
	defer func() {
		x.mu.Lock()
		delete(x.pulls, nonce)
		x.mu.Unlock()
	}()
	if !r.issued.IsZero() {
		r.issued = r.issued.Add(-overlap)
	}
	if x.cfg.Directory.Unname(time.Now().Add(-nameWait)) {
		r.mark = mark{}
	}
	r.narrow = r.mark == mark{}
	r.start = r.mark

	// A page is asked for, and the next one unless the answer says that it follows unasked.
	ask := true
	for range maxPages {
		if ask {
			if err := x.ask(it, &r); err != nil {
				return added, err
			}
		}
		p, err := it.next(ctx, &r)
		if err != nil {
			return added, err
		}
		if x.cfg.Heard != nil {
			x.cfg.Heard(from, p.Time, time.Since(r.asked))
		}

		// A crowded relay wants a proof of work first.
		if p.State == directory.PageLater {
			if !x.pay(ctx, from, &r, p) {
				return added, ErrLater
			}
			ask = true
			continue
		}

		n, err := x.take(from, p, &r)
		if added += n; err != nil {
			return added, err
		}
		var done bool
		if ask, done = r.turn(p); done {
			x.remember(from, r.mark, r.date)
			return added, nil
		}
		if !r.narrowed && !r.lacking {
			x.remember(from, r.mark, time.Time{})
		}
	}
	return added, ErrRefused
}

// A reading is how far a Pull has come.
type reading struct {
	nonce        uint64
	mark, start  mark
	lacking      bool      // renewals came that fit nothing that we have
	unfit        int       // of these, with a wrong signature
	named        bool      // names were asked for
	again        bool      // whole descriptors were asked for in place of these
	narrow       bool      // descriptors that we have from others are left out
	narrowed     bool      // a request has said so
	recent       bool      // descriptors older than issued are left out
	issued       time.Time // zero for all
	date         time.Time // of the beginning
	began, asked time.Time
	bytes        int    // of frames that came
	stamp        uint64 // that was made for it
}

// pay makes a stamp at the price of a page, and reports whether to ask again with it.
// Neighbours choose prices: more than maxBits nobody pays, nor twice for a list.
func (x *Exchange) pay(ctx context.Context, from wire.NodeID, r *reading, p *directory.Page) bool {
	if r.stamp != 0 || p.Price == 0 || int(p.Price) > maxBits || x.cfg.Pay == nil || !x.cfg.Pay() {
		return false
	}
	offer := listOffer(from, x.cfg.Self, periodOf(p.Time))
	n, err := offer.Find(ctx, int(p.Price))
	if err != nil {
		return false
	}
	r.stamp, r.began, r.bytes = n, time.Now(), 0
	return true
}

// Sparingly returns a Pay for all exchanges of an asker: it works while a list is needed,
// and once a minute at most, whatever neighbours ask for.
func Sparingly(needed func() bool) func() bool {
	var mu sync.Mutex
	var last time.Time
	return func() bool {
		if !needed() {
			return false
		}
		mu.Lock()
		defer mu.Unlock()
		if !last.IsZero() && time.Since(last) < payEvery {
			return false
		}
		last = time.Now()
		return true
	}
}

// turn takes note of a page, and says whether to ask again or be content.
func (r *reading) turn(p *directory.Page) (ask, done bool) {
	// After a restart it began from 0, and there is no need to read on like that.
	if p.Instance != r.mark.instance {
		r.narrow, r.mark.whole = true, 0
	}
	r.mark.instance, r.mark.stamp = p.Instance, p.Stamp
	switch {
	case p.State == directory.PagePause:
		return true, false
	case p.State == directory.PageLast && r.recent:
		r.recent, r.issued = false, time.Time{}
		r.mark.stamp = 0
		return true, false
	case p.State == directory.PageFollows:
		return false, false
	case r.lacking && !r.again:
		r.again, r.mark.stamp, r.mark.whole = true, r.start.stamp, 0
		return true, false
	}
	r.mark.whole = r.mark.stamp
	return false, true
}

// ask sends the request for entries after the mark.
func (x *Exchange) ask(it *pull, r *reading) error {
	snap := x.cfg.Directory.Snapshot()
	r.named = x.name(r) // and r.mark.whole with it
	req := directory.Request{Nonce: r.nonce, Instance: r.mark.instance, After: r.mark.stamp, Digest: snap.Digest, Pages: PagesAtOnce, Stamp: r.stamp,
		Whole: r.mark.whole, Names: r.named}
	switch {
	case r.again:
		req.Narrow = &directory.Narrow{Sketch: snap.Sketch}
		r.narrowed = true
	case r.narrow && len(snap.Relays) >= narrowFrom:
		req.Narrow = &directory.Narrow{Issued: r.issued, Sketch: snap.Sketch}
		r.narrowed, r.recent = true, r.recent || !r.issued.IsZero()
	}
	f, err := wire.NewFrame(wire.TypeListRequest, req.Append(nil))
	if err != nil {
		return err
	}
	r.asked = time.Now()
	return x.cfg.Send(it.from, f)
}

// name reports whether to ask for names. For as long as descriptors may be held that others
// have brought no renewals are asked for: what fits would tell which.
func (x *Exchange) name(r *reading) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	switch {
	case x.cfg.Names == nil || r.mark.whole == 0:
		return false
	case x.cfg.Names():
		x.named = time.Now()
		return true
	case !x.named.IsZero() && time.Since(x.named) < directory.MaxLifetime:
		r.mark.whole = 0
	}
	return false
}

// next waits for a page, as long as one may take and the whole list may.
func (it *pull) next(ctx context.Context, r *reading) (*directory.Page, error) {
	most := ListTimeout
	if spent := time.Since(r.began); float64(r.bytes) >= SlowRate*spent.Seconds() {
		most = SlowTimeout
	}
	left := min(PageTimeout, most-time.Since(r.began))
	if left <= 0 {
		return nil, ErrTimeout
	}
	timeout := time.NewTimer(left)
	defer timeout.Stop()
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-timeout.C:
		return nil, ErrTimeout
	case p := <-it.pages:
		r.bytes += wire.FrameSize
		return p, nil
	}
}

// Restart forgets how far neighbours were read: refused entries come once more.
func (x *Exchange) Restart() {
	x.mu.Lock()
	defer x.mu.Unlock()
	clear(x.marks)
	x.whole = time.Time{}
}

// remember keeps how far a neighbour was read, and when we had all of it: the zero
// time if we do not yet.
func (x *Exchange) remember(from wire.NodeID, m mark, whole time.Time) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !whole.IsZero() {
		x.whole = whole
	}
	if _, held := x.marks[from]; !held && len(x.marks) >= maxMarks {
		clear(x.marks)
	}
	x.marks[from] = m
}
