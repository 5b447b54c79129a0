package guard

import (
	"slices"
	"time"

	"starling/p2p/directory"
	"starling/p2p/wire"
)

// An Attempt is a connection to be made now. Its end is told by Connected or Failed.
type Attempt struct {
	ID        wire.NodeID
	Addresses []directory.Address
	Timeout   time.Duration
}

// A Plan is the steps to take now.
type Plan struct {
	// Close are links that nobody needs, and attempts to be given up, before Try.
	Close []wire.NodeID
	Try   []Attempt
	// Next is when to look again, if nothing happens before.
	Next time.Time
	// Save: the state has changed.
	Save bool
}

// Plan returns the steps to take. now is of a clock that only runs on; clock is the
// time of day as it is best known, by which guards live and die: it may be wrong, or
// zero while nothing is known of it.
func (s *Guards) Plan(now, clock time.Time) Plan {
	s.live(clock)
	s.prune()
	p := &plan{Plan: Plan{Next: now.Add(time.Hour)}, now: now, dark: !s.anyUp()}
	switch {
	case s.anyUp() || s.metCount() == 0 && now.Sub(s.heard) < recent:
		s.fill(p)
	default:
		s.search(p)
	}
	s.release(p)
	p.Close, s.gone = append(p.Close, s.gone...), nil
	p.Save, s.change = s.change, false
	return p.Plan
}

type plan struct {
	Plan
	now    time.Time
	dark   bool // nobody is up
	wanted []*guard
}

// at asks for another look.
func (p *plan) at(t time.Time) {
	if t.Before(p.Next) {
		p.Next = t
	}
}

// try dials a guard, unless it is connected, under way, or failed just now, or its
// addresses have to wait for their turn.
func (s *Guards) try(p *plan, g *guard, timeout time.Duration) {
	p.wanted = append(p.wanted, g)
	switch {
	case g.link || g.dialling():
		return
	case g.next.After(p.now):
		p.at(g.next)
		return
	}

	at, later := s.where(g, p.now)
	if len(at) > 0 {
		s.count(g, at, p.now)
		g.began, g.dark, g.dials = p.now, p.dark, at
		p.Try = append(p.Try, Attempt{g.id, at, timeout})
	} else if !later.IsZero() {
		p.at(later)
	}
}

// fill brings the guards in use to Use: rules 1 and 3.
func (s *Guards) fill(p *plan) {
	held := 0
	for _, g := range s.list[:s.metCount()] {
		if held == Use {
			return
		}
		if g.avoided(p.now) {
			p.at(g.no)
			continue
		}
		s.try(p, g, dialTimeout)
		if g.link || !s.waited(g, p) {
			held++
		}
	}

	unmet := s.list[s.metCount():]
	for _, g := range unmet {
		if g.dialling() && held < Use {
			s.try(p, g, quietTimeout)
			held++
		}
	}

	for held < Use && s.mayMeet(p.now) {
		g := s.untried(p)
		if g == nil {
			return
		}
		s.try(p, g, quietTimeout)
		held++
	}
}

// untried is the next unmet guard to try: the first that has not failed, a new one, or
// one at the end of its pause. Without one it asks for a look at the end of the first.
func (s *Guards) untried(p *plan) *guard {
	for i := s.metCount(); ; i++ {
		s.ready(i + 1)
		if i == len(s.list) {
			break
		}
		if g := s.list[i]; g.tries == 0 && !g.dialling() && !s.barred(g, p.now) {
			return g
		}
	}

	for _, g := range s.list[s.metCount():] {
		at, later := s.where(g, p.now)
		switch {
		case g.dialling():
		case g.next.After(p.now):
			p.at(g.next)
		case len(at) > 0:
			return g
		case !later.IsZero():
			p.at(later)
		}
	}
	return nil
}

// waited reports whether it has been waited for a guard long enough.
func (s *Guards) waited(g *guard, p *plan) bool {
	if s.asked {
		return true
	}
	if p.now.Sub(s.still) < shortFor {
		if p.now.Sub(s.short) >= shortFor {
			return true
		}
		p.at(s.short.Add(shortFor))
	}
	if g.away.IsZero() {
		return false // not tried yet
	}
	since := g.away
	if since.Before(s.since) {
		since = s.since // while none was up, nobody was away
	}
	if p.now.Sub(since) < standIn {
		p.at(since.Add(standIn))
		return false
	}
	return true
}

// search looks for any guard while none is up: rule 2.
func (s *Guards) search(p *plan) {
	if s.silent.IsZero() {
		s.alone, s.silent = p.now, p.now
	}
	s.ready(Use)
	down := s.offline || p.now.Sub(s.nowhere) < pauseDown
	if down {
		s.silent, s.steps = p.now, 0
	}
	if !down && s.steps == 0 && !s.silent.Add(s.patience(p.now)).After(p.now) {
		s.begin(p)
	}
	s.tryPrimaries(p)
	switch {
	case s.steps > 0:
		s.climb(p)
	case !down:
		p.at(s.silent.Add(s.patience(p.now)))
	}
}

// patience is how long all have to be silent before the ladder begins.
func (s *Guards) patience(now time.Time) time.Duration {
	switch {
	case s.asked:
		return 0
	case s.refuses(now):
		return max(s.grace, restart)
	}
	return s.grace
}

// begin begins a ladder. Attempts that are under way are made anew, all at once.
func (s *Guards) begin(p *plan) {
	s.ladder++
	s.steps = 1
	s.stepped = time.Time{}
	for _, g := range s.primaries() {
		if g.dialling() {
			p.Close = append(p.Close, g.id)
		}
		g.began, g.next = time.Time{}, p.now
	}
}

// tryPrimaries tries them; beside the ladder all at the same moment, or one after the
// other, so that there are moments at which none is about to answer.
func (s *Guards) tryPrimaries(p *plan) {
	if s.steps > 0 && slices.ContainsFunc(s.primaries(), (*guard).dialling) {
		p.wanted = append(p.wanted, s.primaries()...)
		return
	}
	for _, g := range s.primaries() {
		s.try(p, g, s.timeout(g, p.now))
	}
}

// timeout is how long an attempt to reach a primary may take while all are silent. It
// is not much longer than the last answered one took, because a new attempt is the
// soonest to find the network back. Now and then it is longer, in case the network is
// slow.
func (s *Guards) timeout(g *guard, now time.Time) time.Duration {
	slow := g.took == 0 && g.tries%slowTry == 0 || g.took > 0 && g.tries%slowTry == slowTry-1 && !s.fast()
	switch {
	case slow:
		return dialTimeout
	case s.fast() || now.Sub(s.alone) < early || s.steps > 0 && now.Sub(s.stepped) >= slowPause-patience:
		return min(max(stepTimeout, g.wait()+g.took), dialTimeout)
	}
	return quietTimeout
}

// fast reports whether the ladder is new.
func (s *Guards) fast() bool { return s.steps > 0 && s.steps <= fastSteps && !s.anyUp() }

func (s *Guards) refuses(now time.Time) bool {
	return now.Sub(s.refusal) < recent
}

// climb takes the next step of the ladder, if a primary has just not answered.
func (s *Guards) climb(p *plan) {
	under := false
	for _, g := range s.list { // those of the last step have their time
		if g.step == s.ladder && g.dialling() {
			p.wanted = append(p.wanted, g)
			under = true
		}
	}
	if under {
		return
	}

	pause := stepPause
	if s.steps > fastSteps {
		pause = slowPause
	}
	if next := s.stepped.Add(pause - patience/4); next.After(p.now) {
		p.at(next)
		return
	}
	if !s.unanswered(p) {
		return
	}

	s.steps++
	s.stepped = p.now
	for range stepDials {
		g := s.candidate(p.now)
		if g == nil {
			return
		}
		g.step, g.next = s.ladder, p.now
		s.try(p, g, s.stepTimeout())
	}
}

// stepTimeout is longer where primaries took longer.
func (s *Guards) stepTimeout() time.Duration {
	took := time.Duration(0)
	for _, g := range s.primaries() {
		took = max(took, g.took)
	}
	return min(max(stepTimeout, 2*took+patience), dialTimeout)
}

// unanswered reports whether a primary has just left an attempt without an answer,
// or refused it, and none may be about to answer. Where none may be dialled, because it
// has never answered, there is nothing to wait for.
func (s *Guards) unanswered(p *plan) bool {
	fresh, barred := false, true
	for _, g := range s.primaries() {
		if !g.dialling() {
			fresh = fresh || g.why != Timeout && p.now.Sub(g.ended) < patience/2
			barred = barred && s.barred(g, p.now)
			continue
		}
		barred = false
		since, wait := p.now.Sub(g.began), g.wait()
		if since < wait {
			p.at(g.began.Add(wait))
			return false
		}
		fresh = fresh || since < wait+patience/2
	}
	return fresh || barred
}

// wait is when an attempt counts as unanswered: TCP has asked twice by then, the
// second time longer ago than the guard takes to connect.
func (g *guard) wait() time.Duration {
	return patience + min(max(patience*3/10, g.took*5/4), 2*patience)
}

// measure learns how long a guard takes to connect from an attempt that led to a link
// after d. One that was under way while nobody was up may have begun long before the
// line was back: only this is certain, that its last SYN was answered, or an earlier
// one.
func (g *guard) measure(d time.Duration) {
	least := d
	if g.dark {
		for _, asked := range []time.Duration{fourth, third, patience} {
			if d >= asked {
				least = d - asked
				break
			}
		}
	}
	took := min(max(g.took, least), d)
	if g.took > 0 {
		took = min(took, 2*g.took) // a SYN may have been lost
	}
	g.took = took
}

// candidate is the next guard on the ladder: others that were met, then unmet ones.
// When all have had their turn they have it again.
func (s *Guards) candidate(now time.Time) *guard {
	first := s.primaries()
	for range 2 {
		for i := len(first); i < MaxGuards; i++ {
			s.ready(i + 1)
			if i >= len(s.list) {
				break
			}
			g := s.list[i]
			if g.step == s.ladder || g.dialling() || s.barred(g, now) {
				continue
			}
			if g.met == 0 && !s.mayMeet(now) {
				break
			}
			return g
		}
		if s.steps <= fastSteps {
			return nil
		}
		s.ladder++
	}
	return nil
}

// release lets go the guards that are not needed: rule 4. The second of a step that
// found somebody has seen us as well as the first.
func (s *Guards) release(p *plan) {
	used := s.inUse(p.now)
	for i, g := range s.list {
		switch {
		case g.link && !slices.Contains(used, g) && len(used) == Use:
		case g.dialling() && !slices.Contains(p.wanted, g) && (s.steps == 0 || g.step != s.ladder):
			if i >= max(Use, s.metCount()) {
				s.spent = append(s.spent, s.lived) // it may have seen us
				s.change = true
			}
		default:
			continue
		}
		p.Close = append(p.Close, g.id)
		g.link, g.began, g.tries, g.away, g.next = false, time.Time{}, 0, time.Time{}, time.Time{}
	}
}

// inUse are the first Use guards that are up; one that is avoided only if there is
// no other.
func (s *Guards) inUse(now time.Time) (used []*guard) {
	for _, g := range s.list {
		if g.link && !g.avoided(now) && len(used) < Use {
			used = append(used, g)
		}
	}
	if len(used) > 0 {
		return used
	}
	for _, g := range s.list {
		if g.link && len(used) < Use {
			used = append(used, g)
		}
	}
	return used
}

// InUse returns the guards to send over, the preferred first, and those that are listed before others: no route can be made over
// another. While none is, one that is avoided is better.
func (s *Guards) InUse(now time.Time) []wire.NodeID {
	used := s.inUse(now)
	gone := func(g *guard) bool { return g.unlisted > 0 }
	listed := slices.DeleteFunc(slices.Clone(used), gone)
	if len(listed) == 0 {
		listed = slices.DeleteFunc(slices.Clone(s.list), func(g *guard) bool { return !g.link || gone(g) })
	}
	rest := slices.DeleteFunc(used, func(g *guard) bool { return !gone(g) })
	all := append(listed, rest...)
	return ids(all[:min(len(all), Use)])
}

// Hopeful reports whether a guard is up, or one of those that were up before is
// likely to be soon.
func (s *Guards) Hopeful() bool { return s.anyUp() || s.metCount() > 0 && s.steps == 0 }

// Known returns all guards in order, those never met among them.
func (s *Guards) Known() []wire.NodeID { return ids(s.list) }

// Sure reports whether a relay is a guard that two sources agree on.
func (s *Guards) Sure(id wire.NodeID) bool {
	g := s.find(id)
	return g != nil && g.sure
}

// Met returns the guards that have seen our address.
func (s *Guards) Met() []wire.NodeID { return ids(s.list[:s.metCount()]) }

// Addresses returns where a guard is listed.
func (s *Guards) Addresses(id wire.NodeID) []directory.Address {
	if g := s.find(id); g != nil {
		return g.addresses
	}
	return nil
}

func ids(list []*guard) []wire.NodeID {
	ids := make([]wire.NodeID, len(list))
	for i, g := range list {
		ids[i] = g.id
	}
	return ids
}

// Network is the state of the network, as far as it is known.
type Network int

// Up, Down, Unsure: see the package comment.
const (
	Unsure Network = iota
	Up
	Down
)

// State returns the state of the network.
func (s *Guards) State(now time.Time) Network {
	switch {
	case s.anyUp() || s.refuses(now):
		return Up
	case s.offline || now.Sub(s.nowhere) < pauseDown:
		return Down
	}
	return Unsure
}
