// Package island finds out which relays are out of reach when a client's part of the
// network is cut off from the rest, as a country can be.
//
// A request takes seven relays, there and back. Where eight of thirty are left hardly one
// is answered, nobody tells which relay lost it, and package judge never avoids more than a
// third of the list. So the client asks itself, by tests: packets over a guard that it is
// connected to, one other relay, and nobody else. An answer shows that this relay is up, and
// only the relay itself can make it.
//
//	calm ── distress ──► sounding ── more than a third is down ──► cut off
//	  ▲                     │                                         │
//	  └──── a third or less ┴──────────── a third or less ────────────┘
//
// Distress is when of many requests, to several mailboxes, next to none was answered for
// 45 seconds, though the guards were there. Sounding tests every relay of the list, a few at
// a time. A relay is down if it left two tests unanswered over each of the guards that are
// up, of which there must be two: so no guard can make relays look down alone. While cut off a client uses
// those that answered, and the judge goes on among them. The others are tested again, after
// waits that grow; when one of them answers all are tested at once.
//
// Tests prove nothing to the judge, nor do they clear a relay of anything: one that answers
// tests and drops the rest is avoided as any other.
//
// The package is pure: no network, no goroutine, no clock.
package island

import (
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"starling/p2p/wire"
)

// Least is the fewest relays to go on with.
const Least = 5

const (
	// Distress: so many requests, to so many mailboxes, for so long, and of so many at
	// most one was answered, and none just now.
	window        = 2 * time.Minute
	manyFailed    = 8
	manyMailboxes = 2
	failedFor     = 45 * time.Second
	answeredShare = 8
	answeredLong  = 30 * time.Second
	maxKept       = 256 // outcomes of requests

	guardsNeeded = 2
	lostNeeded   = 2                // over each of them
	apart        = 10 * time.Second // between the rounds
	downMost     = 3                // one of so many may be down without being an island
	enoughUp     = 12               // to begin before all have been tested
	enoughAsked  = 60               // to tell that most are there

	flying      = 12 // tests at a time
	stock       = 360
	stockEvery  = 10 * time.Second // one more test
	againMin    = 30 * time.Second
	againMax    = 8 * time.Minute
	pauseMin    = 5 * time.Minute // between soundings that found nothing
	pauseMax    = 2 * time.Hour
	look        = time.Second
	calmLook    = 5 * time.Second
	undecided   = 5 * time.Minute // guards are not blamed for longer
	suspectedBy = 3               // requests in a row
)

// An Island is a client's knowledge of its part of the network. The zero value is empty and ready. It is safe for concurrent use.
type Island struct {
	mu     sync.Mutex
	failed []failure // of the last two minutes, the oldest first
	heard  []time.Time
	quiet  time.Time // since when no request was answered; zero: the last one was

	sounding bool
	cut      bool
	began    time.Time // of the sounding
	relays   map[wire.NodeID]*relay
	guards   []wire.NodeID // that are up
	passed   map[wire.NodeID]bool
	version  int // of the answer of Cut
	flying   int
	stock    float64
	filled   time.Time // the stock, the last time
	pause    time.Duration
	free     time.Time // no sounding before
}

type failure struct {
	at      time.Time
	mailbox wire.NodeID
}

// A relay is one that is tested.
type relay struct {
	up, down bool // neither: not known yet
	flying   bool
	lost     map[wire.NodeID]int // tests, by guard, since the last answer
	next     time.Time           // not before
	wait     time.Duration
}

// A Test is a packet over a guard to a relay and back.
type Test struct{ Guard, Relay wire.NodeID }

// Failed notes that a request over some relays, to a mailbox, brought no answer though the
// guards were there. While cut off only those count that went over reachable relays alone.
func (s *Island) Failed(mixes []wire.NodeID, mailbox wire.NodeID, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cut && (!s.reaches(mailbox) || slices.ContainsFunc(mixes, func(id wire.NodeID) bool { return !s.reaches(id) })) {
		return
	}
	if s.quiet.IsZero() {
		s.quiet = now
	}
	if s.failed = append(s.failed, failure{now, mailbox}); len(s.failed) > maxKept {
		s.failed = s.failed[1:]
	}
}

// Answered notes that a request was answered.
func (s *Island) Answered(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.quiet = time.Time{}
	if s.heard = append(s.heard, now); len(s.heard) > maxKept {
		s.heard = s.heard[1:]
	}
}

// forget drops outcomes that are too old to say anything.
func (s *Island) forget(now time.Time) {
	s.failed = slices.DeleteFunc(s.failed, func(f failure) bool { return now.Sub(f.at) > window })
	s.heard = slices.DeleteFunc(s.heard, func(t time.Time) bool { return now.Sub(t) > window })
}

// answers reports whether enough of the last requests were answered.
func (s *Island) answers() bool { return len(s.heard)*answeredShare > len(s.failed) }

// distress reports whether next to nothing comes back.
func (s *Island) distress(now time.Time) bool {
	s.forget(now)
	if len(s.failed) < manyFailed || s.answers() || now.Sub(s.failed[0].at) < failedFor {
		return false
	}
	if n := len(s.heard); n > 0 && now.Sub(s.heard[n-1]) < answeredLong {
		return false
	}
	boxes := map[wire.NodeID]bool{}
	for _, f := range s.failed {
		boxes[f.mailbox] = true
	}
	return len(boxes) >= manyMailboxes
}

// Suspects reports whether the silence of all may have another cause than the guards: nothing has
// come back for a while, and relays have not been tested yet.
func (s *Island) Suspects(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget(now)
	if s.cut {
		return false
	}
	if s.sounding {
		return now.Sub(s.began) < undecided
	}
	return len(s.failed) >= suspectedBy && !s.answers() && !now.Before(s.free) && !s.quiet.IsZero() && now.Sub(s.quiet) < undecided
}

// A Plan is the next steps.
type Plan struct {
	Tests []Test
	// Next is when to look again.
	Next time.Time
	// Alone: another guard is needed to find out anything.
	Alone bool
	// Changed: other relays are reachable than before.
	Changed bool
}

// Plan returns the tests to make now. list are the relays that are known, guards those
// that are up and over which nothing has to be spared.
func (s *Island) Plan(list, guards []wire.NodeID, now time.Time) (p Plan) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refill(now)
	s.guards = guards
	distress := s.distress(now)
	p.Next = now.Add(look)
	defer func() {
		switch {
		case !s.sounding && !s.cut && len(s.failed) == 0:
			p.Next = now.Add(time.Hour) // the next failure says when
		case !s.sounding:
			p.Next = now.Add(calmLook)
		}
	}()

	switch {
	case !s.sounding && !s.cut:
		if !distress || now.Before(s.free) || len(guards) == 0 {
			return p
		}
		s.sounding, s.began = true, now
		s.relays, s.passed = map[wire.NodeID]*relay{}, map[wire.NodeID]bool{}
	case s.sounding && !s.cut && s.answers():
		s.end(now, false)
		return p
	case s.cut && distress && !now.Before(s.free):
		s.again(now)
	}

	s.listed(list, now)
	p.Changed = s.decide(now)
	p.Alone = s.sounding && len(guards) < guardsNeeded
	if s.sounding || s.cut {
		p.Tests = s.tests(now)
	}
	return p
}

// refill adds the tests that time has brought.
func (s *Island) refill(now time.Time) {
	if s.filled.IsZero() {
		s.stock = stock
	} else if d := now.Sub(s.filled); d > 0 {
		s.stock = min(stock, s.stock+float64(d)/float64(stockEvery))
	}
	s.filled = now
}

// listed takes over the list. A guard that is connected needs no test.
func (s *Island) listed(list []wire.NodeID, now time.Time) {
	there := make(map[wire.NodeID]bool, len(list))
	for _, id := range list {
		there[id] = true
		r := s.relays[id]
		if r == nil {
			r = &relay{next: now}
			s.relays[id] = r
		}
		if slices.Contains(s.guards, id) && !r.up {
			s.version++
			r.up, r.down, r.lost = true, false, nil
		}
	}
	for id, r := range s.relays {
		if !there[id] && !r.flying {
			delete(s.relays, id)
		}
	}
}

// again tests all relays anew, as most of those that were there do not answer.
func (s *Island) again(now time.Time) {
	s.sounding, s.began, s.failed = true, now, nil
	s.pause = min(max(pauseMin, 2*s.pause), pauseMax)
	s.free = now.Add(s.pause)
	for _, r := range s.relays {
		if r.up {
			r.lost, r.next = nil, now
		}
	}
}

// tests chooses those that are due, at random: first of relays of which the last ones left it open.
func (s *Island) tests(now time.Time) (tests []Test) {
	var due []wire.NodeID
	for id, r := range s.relays {
		if !r.flying && !r.next.After(now) && (!r.up || s.sounding && s.cut) && !slices.Contains(s.guards, id) {
			due = append(due, id)
		}
	}
	slices.SortFunc(due, func(a, b wire.NodeID) int { return slices.Compare(a[:], b[:]) })
	rand.Shuffle(len(due), func(i, j int) { due[i], due[j] = due[j], due[i] })
	open := func(id wire.NodeID) bool { return len(s.relays[id].lost) > 0 && !s.relays[id].down }
	due = slices.Concat(where(due, open), where(due, func(id wire.NodeID) bool { return !open(id) }))

	for _, id := range due {
		if s.flying >= flying || s.stock < 1 || len(s.guards) == 0 {
			break
		}
		r := s.relays[id]
		g := s.over(r)
		if !s.cut && len(s.guards) < guardsNeeded && r.lost[g] >= lostNeeded {
			continue // more of that says nothing
		}
		r.flying = true
		s.flying++
		s.stock--
		tests = append(tests, Test{g, id})
	}
	return tests
}

func where(ids []wire.NodeID, is func(wire.NodeID) bool) []wire.NodeID {
	return slices.DeleteFunc(slices.Clone(ids), func(id wire.NodeID) bool { return !is(id) })
}

// over is the guard over which a relay has lost the fewest tests, one of them.
func (s *Island) over(r *relay) (best wire.NodeID) {
	least, same := -1, 0
	for _, g := range s.guards {
		switch n := r.lost[g]; {
		case least < 0 || n < least:
			best, least, same = g, n, 1
		case n == least:
			if same++; rand.IntN(same) == 0 {
				best = g
			}
		}
	}
	return best
}

// landed notes that a test has ended, and returns its relay if it is still known.
func (s *Island) landed(t Test) *relay {
	s.flying = max(0, s.flying-1)
	r := s.relays[t.Relay]
	if r != nil {
		r.flying = false
	}
	return r
}

// Came notes that a test was answered.
func (s *Island) Came(t Test, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.landed(t)
	if r == nil {
		return
	}
	was := r.down
	if !r.up {
		s.version++
	}
	r.up, r.down, r.lost, r.wait, r.next = true, false, nil, 0, now.Add(againMax)
	s.passed[t.Guard] = true
	if !was {
		return
	}
	for _, o := range s.relays { // the way to the others may be open again
		if o.down {
			o.next, o.wait = now, 0
		}
	}
}

// Lost notes that a test was not answered though the guard was there.
func (s *Island) Lost(t Test, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.landed(t)
	if r == nil {
		return
	}
	if r.lost == nil {
		r.lost = map[wire.NodeID]int{}
	}
	r.lost[t.Guard]++

	r.next = now
	if n := r.lost[t.Guard]; !slices.ContainsFunc(s.guards, func(g wire.NodeID) bool { return r.lost[g] < n }) {
		r.next = now.Add(apart)
	}
	if r.down = r.down || s.silent(r); r.down {
		s.version++
		r.up = false
		r.wait = min(max(againMin, 2*r.wait), againMax)
		r.next = now.Add(r.wait*3/4 + rand.N(r.wait/2))
	}
}

// silent reports whether a relay has left tests unanswered over all guards.
func (s *Island) silent(r *relay) bool {
	return len(s.guards) >= guardsNeeded && !slices.ContainsFunc(s.guards, func(g wire.NodeID) bool { return r.lost[g] < lostNeeded })
}

// Void notes that a test says nothing: it did not leave, or its guard has been silent since.
func (s *Island) Void(t Test, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.landed(t); r != nil {
		r.next = now.Add(apart)
	}
}

// decide looks whether this is an island, and reports whether that is news.
func (s *Island) decide(now time.Time) (news bool) {
	if !s.sounding && !s.cut {
		return false
	}

	up, down := s.count()
	known, all := up+down, up+down == len(s.relays)
	most := down*downMost > known

	switch {
	case s.cut && !most:
		s.end(now, true)
		return true
	case s.cut:
		if s.sounding && now.Sub(s.began) > undecided {
			s.sounding = false
		}
	case most && up >= Least && (all || up >= enoughUp):
		s.cut, s.sounding = true, false
		s.version++
		s.failed, s.heard, s.pause, s.free = nil, nil, 0, now.Add(pauseMin)
		return true
	case !most && (all || known >= enoughAsked):
		s.end(now, false)
	}
	return false
}

// end goes back to the whole list. After a sounding that found nothing the next is later.
func (s *Island) end(now time.Time, whole bool) {
	s.pause = min(max(pauseMin, 2*s.pause), pauseMax)
	if whole {
		s.pause = 0
	}
	s.free = now.Add(max(s.pause, window))
	s.version++
	s.sounding, s.cut, s.relays, s.passed = false, false, nil, nil
	s.failed, s.heard = nil, nil
}

func (s *Island) count() (up, down int) {
	for _, r := range s.relays {
		switch {
		case r.up:
			up++
		case r.down:
			down++
		}
	}
	return up, down
}

func (s *Island) reaches(id wire.NodeID) bool {
	r := s.relays[id]
	return r != nil && r.up
}

// Cut returns the test for relays that are reached while this is an island, and how many there
// are. Without one nil and 0. The version is another one whenever the rest is.
func (s *Island) Cut() (reached func(wire.NodeID) bool, n, version int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.cut {
		return nil, 0, s.version
	}
	up := map[wire.NodeID]bool{}
	for id, r := range s.relays {
		if r.up {
			up[id] = true
		}
	}
	return func(id wire.NodeID) bool { return up[id] }, len(up), s.version
}

// Gone reports whether a relay was found to be out of reach.
func (s *Island) Gone(id wire.NodeID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.relays[id]
	return s.cut && r != nil && r.down
}

// Passes reports whether a test came back over a guard.
func (s *Island) Passes(guard wire.NodeID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.passed[guard]
}
