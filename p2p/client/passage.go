package client

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/libp2p/go-libp2p/core/sec"
	utls "github.com/refraction-networking/utls"

	"starling/p2p/book"
	"starling/p2p/censor"
	"starling/p2p/link"
	"starling/p2p/transport/web"
	"starling/p2p/wake"
)

// maxWays is how many ways in are remembered for Status.
const maxWays = 32

// An Outcome says how a way in answered.
type Outcome string

// Outcomes.
const (
	Connected    Outcome = "connected"
	Refused      Outcome = "refused"        // nobody listens there
	Silent       Outcome = "silent"         // no answer to the first packet
	Unreachable  Outcome = "unreachable"    // this computer has no way there
	CutOff       Outcome = "cut-off"        // the connection ended in the handshake
	Frozen       Outcome = "frozen"         // it went silent
	WrongKey     Outcome = "wrong-key"      // somebody else is there
	Portal       Outcome = "captive-portal" // this network answers itself, and wants a log-in
	ClockOff     Outcome = "clock-off"      // our day is another than the server's
	NotRelay     Outcome = "not-a-relay"    // a web server and nothing else, or another protocol
	NoHello      Outcome = "no-hello"       // it took the connection and said nothing
	BridgeFailed Outcome = "bridge-failed"  // whoever passes our bytes on did not get there
)

// A Way is a way in that was tried.
type Way struct {
	ID      NodeID
	Addr    string
	Source  book.Source
	Outcome Outcome
	// Bytes came before it froze.
	Bytes int64
	// Skew is by how much its clock is ahead of ours, if it refused and said the time.
	Skew time.Duration
	At   time.Time
}

// Kind names the source of the way.
func (w Way) Kind() string {
	switch w.Source {
	case book.Owner:
		return "given"
	case book.Local:
		return "lan"
	case book.Pasted:
		return "link"
	}
	return "guard"
}

// A passage is a client's way through the network that it is in: what the network does to
// connections, and how each way in answered.
type passage struct {
	*censor.Memory
	book  *book.Book
	place func() string
	tell  func() // something was learned

	mu    sync.Mutex
	ways  map[NodeID]*Way
	there map[NodeID]time.Time // when it was last connected to
}

func newPassage(b *book.Book, place func() string, now func() time.Time, tell func()) *passage {
	all := web.Browsers()
	first := byte(1 + slices.Index(all, web.AnyBrowser()))
	p := &passage{Memory: censor.New(len(all), first, now), book: b, place: place, tell: tell, ways: map[NodeID]*Way{}, there: map[NodeID]time.Time{}}
	p.enter()
	return p
}

// placeOf returns the function that names the network: in a simulation there is none.
func placeOf(cfg Config) func() string {
	switch {
	case cfg.Place != nil:
		return cfg.Place
	case cfg.Options != nil:
		return func() string { return "" }
	}
	return wake.Place
}

// Browser implements web.Disguise.
func (p *passage) Browser() web.Browser { return web.Browsers()[p.Disguise()-1] }

// Passed implements web.Disguise.
func (p *passage) Passed(relay NodeID, b web.Browser, passed bool) {
	p.Memory.Passed(relay, byte(1+slices.Index(web.Browsers(), b)), passed)
}

// Began implements link.Network. Rules for relays on this computer itself would be ones
// for a test.
func (p *passage) Began(id NodeID, at []book.Address) {
	p.enter()
	if !slices.ContainsFunc(at, func(a book.Address) bool { return a.Addr().IsLoopback() }) {
		p.Memory.Began(id)
	}
}

// Ended implements link.Network.
func (p *passage) Ended(id NodeID, source book.Source, at []book.Address, err error) {
	w := &Way{ID: id, Source: source, At: time.Now()}
	if len(at) > 0 {
		w.Addr = book.Multiaddr(at[0]).String()
	}
	w.Outcome, w.Skew = outcomeOf(err)
	if p.counts(w.Outcome) {
		p.Made(id)
	} else {
		p.Untried(id)
	}
	if w.Kind() == "guard" || err != nil {
		p.Met(id, err == nil)
	}
	p.note(w)
	p.noteSilence(id, w.Outcome)
}

// led notes that a way in worked here: a door, a bridge, or censor.Straight. Guards have an
// order of their own.
func (p *passage) led(way NodeID) {
	if p.Led(way) {
		p.tell()
	}
}

// enter tells the memory which network this is.
func (p *passage) enter() { p.Enter(p.place()) }

// noteSilence notes an attempt on which nothing came back: a ban, perhaps.
func (p *passage) noteSilence(id NodeID, o Outcome) {
	if (o == Silent || o == Frozen) && p.lately(id) {
		p.learns(func() { p.Memory.Silent(id, p.counts(o)) })
	}
}

// GivenUp implements link.Network.
func (p *passage) GivenUp(id NodeID, err error) {
	if o, _ := outcomeOf(err); p.counts(o) {
		p.Made(id)
	} else {
		p.Untried(id)
	}
}

// bridgeEnded notes how an attempt to connect to a bridge ended.
func (p *passage) bridgeEnded(id NodeID, err error) {
	p.GivenUp(id, err)
	o, _ := outcomeOf(err)
	if p.noteSilence(id, o); o == Connected {
		p.came(id, time.Now())
	}
}

// counts reports whether an attempt came to a handshake.
func (p *passage) counts(o Outcome) bool {
	return o != Refused && o != Silent && o != Unreachable && o != BridgeFailed
}

// came notes when a relay was there.
func (p *passage) came(id NodeID, at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.there) >= maxWays {
		clear(p.there)
	}
	p.there[id] = at
}

// lately reports whether a relay was there a moment ago.
func (p *passage) lately(id NodeID) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	at, ok := p.there[id]
	return ok && time.Since(at) < banned
}

// banned is how long after the last connection silence may be a ban.
const banned = 2 * time.Minute

func (p *passage) note(w *Way) {
	if w.Outcome == Connected {
		p.came(w.ID, w.At)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ways[w.ID] == nil && len(p.ways) >= maxWays {
		var oldest *Way
		for _, o := range p.ways {
			if oldest == nil || o.At.Before(oldest.At) {
				oldest = o
			}
		}
		delete(p.ways, oldest.ID)
	}
	p.ways[w.ID] = w
}

// Frozen implements link.Network.
func (p *passage) Frozen(id NodeID, bytes int64) {
	p.learns(func() { p.Memory.Frozen(id, bytes) })
	p.mu.Lock()
	if w := p.ways[id]; w != nil {
		w.Bytes = bytes
	}
	p.mu.Unlock()
}

// learns tells if more is known of the network after something happened.
func (p *passage) learns(happens func()) {
	known, scarce := p.Habits(), p.Scarce()
	happens()
	if now := p.Habits(); now.Budget != known.Budget || now.Bans != known.Bans || p.Scarce() != scarce {
		p.tell()
	}
}

// Silent implements link.Network.
func (p *passage) Silent(id NodeID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if w := p.ways[id]; w != nil && w.Outcome == Connected {
		w.Outcome, w.At = Frozen, time.Now()
	}
}

// await waits until a relay may be connected to.
func (p *passage) await(ctx context.Context, id NodeID) error {
	for {
		d := p.Wait(id)
		if d <= 0 {
			return nil
		}
		t := time.NewTimer(d)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		}
	}
}

// tried returns the ways that were tried, the last first.
func (p *passage) tried() (all []Way) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, w := range p.ways {
		all = append(all, *w)
	}
	slices.SortFunc(all, func(a, b Way) int { return b.At.Compare(a.At) })
	return all
}

// outcomeOf says how a dial ended, and by how much the server's clock is ahead.
func outcomeOf(err error) (Outcome, time.Duration) {
	var dial *web.DialError
	var piped *web.PipeError
	var socket *net.OpError
	var mismatch sec.ErrPeerIDMismatch
	is := func(targets ...error) bool {
		return slices.ContainsFunc(targets, func(t error) bool { return errors.Is(err, t) })
	}

	switch {
	case err == nil:
		return Connected, 0
	case errors.As(err, &mismatch):
		return WrongKey, 0
	case errors.Is(err, link.ErrSilent):
		return NoHello, 0
	case errors.As(err, &piped):
		return BridgeFailed, 0
	case errors.As(err, &dial) && dial.Step != web.StepConnect:
		return webOutcome(dial)
	case is(syscall.ECONNREFUSED):
		return Refused, 0
	case is(syscall.ENETUNREACH, syscall.EHOSTUNREACH, syscall.ENETDOWN, syscall.EADDRNOTAVAIL):
		return Unreachable, 0
	case is(syscall.ECONNRESET):
		return CutOff, 0
	case errors.Is(err, context.DeadlineExceeded) && !errors.As(err, &dial) && !errors.As(err, &socket):
		return Frozen, 0 // of plain TCP: it was connected
	}
	return Silent, 0
}

// webOutcome says how a handshake ended.
func webOutcome(err *web.DialError) (Outcome, time.Duration) {
	var record utls.RecordHeaderError
	var timeout net.Error
	silent := os.IsTimeout(err.Err) || errors.As(err.Err, &timeout) && timeout.Timeout() || errors.Is(err.Err, context.DeadlineExceeded)
	switch {
	case err.Step == web.StepTLS && errors.As(err.Err, &record):
		if string(record.RecordHeader[:]) == "HTTP/" {
			return Portal, 0
		}
		return NotRelay, 0
	case silent:
		return Frozen, 0
	case err.Step == web.StepUpgrade && (err.Status/100 == 3 || err.Status == http.StatusNetworkAuthenticationRequired):
		return Portal, 0
	case err.Step == web.StepUpgrade && (err.Skew > clockOff || err.Skew < -clockOff):
		return ClockOff, err.Skew
	case errors.Is(err.Err, web.ErrNotRelay):
		return NotRelay, 0
	case err.Step == web.StepInner:
		return WrongKey, 0
	}
	return CutOff, 0
}

// clockOff is more than the path of a relay allows.
const clockOff = 24 * time.Hour
