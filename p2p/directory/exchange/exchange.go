// Package exchange asks neighbours for what they know of the relays, and
// answers when they ask. The pages are those of package directory; they travel
// as frames of the link that packets use, too.
//
// Of a neighbour that was asked before only what came to it since then is asked
// for. Of another one, or one that restarted, somebody who has a list asks twice:
// for what was issued since the list was last complete, and then for all where
// the two still differ, which is little unless the mesh was cut.
//
// Who has asked once is a listener: when something happened that cannot wait,
// it gets the pages that it misses with nonce 0.
package exchange

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"starling/p2p/directory"
	"starling/p2p/wire"
)

const (
	// PageTimeout is how long the next page may take.
	PageTimeout = 10 * time.Second

	pagesAtOnce = 16
	// maxPages bounds one Pull: a full directory of the largest descriptors.
	maxPages     = directory.MaxRelays/8 + 2
	maxMarks     = 256
	maxListeners = 4096

	// narrowFrom is how many relays make it worth to leave some out, and overlap
	// what may be under way, or said by a clock that is wrong.
	narrowFrom = 64
	overlap    = directory.MaxSkew + 5*time.Minute
)

// Errors of Pull.
var (
	ErrTimeout = errors.New("exchange: neighbour does not answer")
	ErrRefused = errors.New("exchange: neighbour sends what is no directory")
)

// Config is how an Exchange is made. Directory and Send are required.
type Config struct {
	Directory *directory.Directory
	// Send queues a frame for a neighbour.
	Send func(wire.NodeID, *wire.Frame) error
	// Serve answers requests.
	Serve bool
	// Count, if set, is called with the reason of every refusal.
	Count func(reason string)
}

// Exchange is one node's side of the protocol.
type Exchange struct {
	cfg Config

	mu    sync.Mutex
	marks map[wire.NodeID]mark            // how far we have read whom
	pulls map[uint64]chan *directory.Page // by nonce
	from  map[uint64]wire.NodeID
	told  map[wire.NodeID]uint64 // stamp up to which listeners have everything
	whole time.Time              // when some neighbour last gave us all it had
}

type mark struct {
	instance [8]byte
	stamp    uint64
}

// New makes an Exchange.
func New(cfg Config) *Exchange {
	if cfg.Count == nil {
		cfg.Count = func(string) {}
	}
	return &Exchange{cfg: cfg, marks: map[wire.NodeID]mark{}, pulls: map[uint64]chan *directory.Page{}, from: map[uint64]wire.NodeID{}, told: map[wire.NodeID]uint64{}}
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
		if m, ok := x.marks[from]; ok && p.Nonce == 0 && m.instance == p.Instance {
			// Unasked, but of somebody we asked before.
			if _, err := x.take(p); err == nil {
				x.marks[from] = mark{p.Instance, p.Stamp}
			}
			return
		}
		pages := x.pulls[p.Nonce]
		if pages == nil || x.from[p.Nonce] != from {
			x.cfg.Count("list: unasked page")
			return
		}
		select {
		case pages <- p:
		default:
			x.cfg.Count("list: unasked page")
		}
	}
}

// answer sends pages to a listener.
func (x *Exchange) answer(to wire.NodeID, r directory.Request) {
	x.cfg.Directory.Answer(r, func(p *directory.Page) bool {
		frame, err := wire.NewFrame(wire.TypeListPage, p.Append(make([]byte, 0, wire.MaxBody)))
		if err != nil || x.cfg.Send(to, frame) != nil {
			return false
		}
		x.mu.Lock()
		defer x.mu.Unlock()
		if len(x.told) >= maxListeners {
			clear(x.told)
		}
		x.told[to] = p.Stamp
		return true
	})
}

// Push sends a listener what it misses. Others are left alone.
func (x *Exchange) Push(to wire.NodeID) {
	x.mu.Lock()
	after, ok := x.told[to]
	x.mu.Unlock()
	if ok {
		x.answer(to, x.cfg.Directory.Since(after))
	}
}

// Forget ends listening.
func (x *Exchange) Forget(id wire.NodeID) {
	x.mu.Lock()
	defer x.mu.Unlock()
	delete(x.told, id)
}

// take adds the descriptors of a page.
func (x *Exchange) take(p *directory.Page) (added int, err error) {
	for _, raw := range p.Descriptors {
		switch err := x.cfg.Directory.Add(raw); {
		case err == nil:
			added++
		case errors.Is(err, directory.ErrMalformed), errors.Is(err, directory.ErrSignature):
			x.cfg.Count("list: forged descriptor")
			return added, ErrRefused
		case !errors.Is(err, directory.ErrStale):
			x.cfg.Count(err.Error())
		}
	}
	return added, nil
}

// Pull reads everything that is new at a neighbour into the directory and
// returns how many descriptors were taken.
func (x *Exchange) Pull(ctx context.Context, from wire.NodeID) (added int, err error) {
	began := time.Now()
	nonce := rand.Uint64() | 1 // not 0
	pages := make(chan *directory.Page, pagesAtOnce)
	x.mu.Lock()
	x.pulls[nonce], x.from[nonce] = pages, from
	m := x.marks[from]
	issued := x.whole
	x.mu.Unlock()
	if !issued.IsZero() {
		issued = issued.Add(-overlap)
	}
	narrow := m == mark{}
	defer func() {
		x.mu.Lock()
		delete(x.pulls, nonce)
		delete(x.from, nonce)
		x.mu.Unlock()
	}()
	timeout := time.NewTimer(PageTimeout)
	defer timeout.Stop()
	ask, recent := true, false // recent: what is older was left out
	for range maxPages {
		if ask {
			ask = false
			r := x.request(nonce, m, narrow, issued)
			recent = recent || r.Narrow != nil && !issued.IsZero()
			f, err := wire.NewFrame(wire.TypeListRequest, r.Append(nil))
			if err != nil {
				return added, err
			}
			if err := x.cfg.Send(from, f); err != nil {
				return added, err
			}
		}
		timeout.Reset(PageTimeout)
		var p *directory.Page
		select {
		case <-ctx.Done():
			return added, ctx.Err()
		case <-timeout.C:
			return added, ErrTimeout
		case p = <-pages:
		}
		n, err := x.take(p)
		if added += n; err != nil {
			return added, err
		}
		// After a restart it began from 0, and there is no need to read on like that.
		narrow = narrow || p.Instance != m.instance
		m = mark{p.Instance, p.Stamp}
		switch {
		case p.State == directory.PagePause:
			ask = true
		case p.State == directory.PageLast && recent:
			ask, recent, issued = true, false, time.Time{}
			m.stamp = 0
		case p.State != directory.PageFollows:
			x.remember(from, m, began)
			return added, nil
		}
	}
	return added, ErrRefused
}

// request asks for what came after a mark.
func (x *Exchange) request(nonce uint64, m mark, narrow bool, issued time.Time) directory.Request {
	snap := x.cfg.Directory.Snapshot()
	r := directory.Request{Nonce: nonce, Instance: m.instance, After: m.stamp, Digest: snap.Digest, Pages: pagesAtOnce}
	if narrow && len(snap.Relays) >= narrowFrom {
		r.Narrow = &directory.Narrow{Issued: issued, Sketch: snap.Sketch}
	}
	return r
}

func (x *Exchange) remember(from wire.NodeID, m mark, whole time.Time) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.whole = whole
	if len(x.marks) >= maxMarks {
		clear(x.marks)
	}
	x.marks[from] = m
}
