package guard

import (
	"slices"
	"time"

	"starling/p2p/book"
	"starling/p2p/wire"
)

// Relays tells the list of relays as it is believed now. agreed is false while only one
// source has told it. Guards drawn from such a list are kept only if they stand in the
// first one that others agree on.
func (s *Guards) Relays(list []Relay, agreed bool) {
	if len(list) == 0 {
		return
	}

	s.relays, s.agreed, s.dry = list, agreed, false
	find := byRelay(list)
	s.families(find)
	s.remove(func(g *guard) bool {
		_, listed := find(g.id)
		return agreed && !g.sure && !listed
	})

	for _, g := range s.list {
		r, listed := find(g.id)
		switch {
		case !listed && !agreed:
		case !listed && g.unlisted == 0:
			g.unlisted = s.lived
			s.change = true
		case listed:
			s.change = s.change || g.unlisted > 0 || agreed && !g.sure
			g.unlisted, g.sure = 0, g.sure || agreed
			s.moved(g, r.Addresses)
		}
	}
	s.crowded()
}

// Links tells which relays there are links to, and where they answered.
func (s *Guards) Links(up func(wire.NodeID) (at book.Address, linked bool), now time.Time) {
	for _, g := range slices.Clone(s.list) {
		if at, linked := up(g.id); linked {
			s.Connected(g.id, at, now)
		} else {
			s.Lost(g.id, now)
		}
	}
}

// Connected tells that there is a link to a guard, at an address where it answered with
// its key.
func (s *Guards) Connected(id wire.NodeID, at book.Address, now time.Time) {
	g := s.find(id)
	if g == nil || g.link {
		return
	}
	s.prove(g, at)

	if g.dialling() {
		g.measure(now.Sub(g.began))
	}

	first := !s.anyUp()
	s.alarm(g, first, now)
	g.link, g.since, g.began, g.away, g.next = true, now, time.Time{}, time.Time{}, time.Time{}
	s.asked = false

	if first {
		s.since, s.silent = now, time.Time{}
		for _, o := range s.list { // one that was silent because all were is soon tried again
			if o != g {
				o.tries = 0
				o.next = earlier(o.next, now.Add(s.jitter(pauseMin)))
			}
		}
	}

	s.meet(g)
}

// meet notes that a guard has seen our address.
func (s *Guards) meet(g *guard) {
	if g.met > 0 {
		return
	}
	if s.metCount() >= Use {
		s.spent = append(s.spent, s.lived)
	}
	i := slices.Index(s.list, g)
	s.list = slices.Delete(s.list, i, i+1)
	s.list = slices.Insert(s.list, s.metCount(), g)
	g.met = s.lived
	s.change = true
}

// alarm judges the ladder when a guard connects: rule 4.
func (s *Guards) alarm(g *guard, first bool, now time.Time) {
	if s.steps == 0 || g.step == s.ladder || !slices.Contains(s.primaries(), g) {
		return
	}
	if first || now.Sub(s.since) < trueAlarm {
		s.grace = min(graceFactor*s.grace, graceMax)
		s.calm = s.lived
		s.change = true
	}
	s.steps = 0
}

// Held tells that an attempt begins so much later, since a relay gets only so many
// connections a minute. That is no silence of the guard, and time stands still for it.
func (s *Guards) Held(id wire.NodeID, d time.Duration) {
	later := func(t *time.Time) {
		if !t.IsZero() {
			*t = t.Add(d)
		}
	}
	if g := s.find(id); g != nil {
		later(&g.away)
		later(&g.began)
		later(&s.silent)
	}
}

// Failed tells how an attempt ended that led to no link.
func (s *Guards) Failed(id wire.NodeID, why Result, now time.Time) {
	switch why {
	case Refused, WrongKey:
		s.refusal, s.nowhere = now, time.Time{}
	case Unreachable:
		s.nowhere = now
	}
	g := s.find(id)
	if g == nil || !g.dialling() {
		return
	}
	quick := now.Sub(g.began) < patience // it did not wait for an answer
	g.began, g.ended, g.why = time.Time{}, now, why
	g.tries++
	if g.away.IsZero() {
		g.away = now
	}
	pause := s.pause(g, why)
	if quick {
		pause = max(pause, pauseMin)
	}
	g.next = now.Add(s.jitter(pause))
}

// pause is how long a guard is not tried again after it has failed.
func (s *Guards) pause(g *guard, why Result) time.Duration {
	most := pauseSilent
	long := g.ended.Sub(s.alone) >= early
	switch {
	case s.anyUp():
		most = pauseUp
	case why == Unreachable && (long || s.offline):
		return pauseDown * 4 / 5
	case why == Unreachable: // to ask the system costs nothing and shows nobody anything
		return pauseMin
	case why != Timeout:
		most = pauseRefused
	case s.fast() || !long || g.ended.Sub(s.stepped) < stepPause:
		return 0 // a stranger is asked just now: a primary is to answer before its second SYN
	}
	return min(pauseMin<<min(g.tries-1, 16), most*4/5)
}

// Lost tells that a link has ended.
func (s *Guards) Lost(id wire.NodeID, now time.Time) {
	g := s.find(id)
	if g == nil || !g.link {
		return
	}
	g.link, g.away = false, now
	if now.Sub(g.since) >= steady {
		g.tries = 0
	}
	pause := time.Duration(0)
	if g.tries++; g.tries > 1 {
		pause = s.jitter(s.pause(g, Refused))
	}
	if !s.anyUp() {
		s.quiet(now)
	}
	g.next = now.Add(pause)
}

// quiet begins to wait for the network.
func (s *Guards) quiet(now time.Time) {
	s.alone, s.silent, s.steps = now, now, 0
	for _, g := range s.list {
		if !g.since.IsZero() && now.Sub(g.since) >= steady {
			g.tries = 0
		}
		g.next = earlier(g.next, now.Add(pauseMin))
		g.dark = true // so are attempts under way
	}
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// Network takes the word of the system: that there is no network, or that it has
// changed or the machine was resumed.
func (s *Guards) Network(up bool, now time.Time) {
	s.offline, s.nowhere = !up, time.Time{}
	if up && now.Sub(s.renewed) >= patience { // a line that changes all the time is waited for as well
		s.renew()
		s.welcome(now)
		s.renewed = now
	}
	if s.anyUp() {
		for _, g := range s.list {
			g.tries, g.next = 0, now
		}
		return
	}
	s.quiet(now)
	for _, g := range s.list {
		g.tries, g.next = 0, now
	}
}

// renew gives up the attempts of guards that may see us anyway, so that they are made
// anew at once: they were made on another network, or their next SYN is seconds away.
func (s *Guards) renew() {
	primaries := s.primaries()
	for _, g := range s.list {
		if g.dialling() && (g.met > 0 || !s.anyUp() && slices.Contains(primaries, g)) {
			g.began = time.Time{}
			s.gone = append(s.gone, g.id)
		}
	}
}

// Heard notes that the network is up, by the sign of a node that is no guard.
func (s *Guards) Heard(now time.Time) { s.heard = now }

// Avoid tells that the judge avoids a guard.
func (s *Guards) Avoid(id wire.NodeID, now time.Time) {
	if g := s.find(id); g != nil && !g.avoided(now) {
		g.no = now.Add(avoidedFor)
	}
}

// Trust takes an Avoid back.
func (s *Guards) Trust(id wire.NodeID) {
	if g := s.find(id); g != nil {
		g.no = time.Time{}
	}
}

// Short tells that no route can be made to a mailbox, because it is the only guard that
// is up.
func (s *Guards) Short(now time.Time) {
	if now.Sub(s.still) > shortFor {
		s.short = now
	}
	s.still = now
}

// TryOthers tells that a person does not want to wait.
func (s *Guards) TryOthers(now time.Time) {
	s.grace, s.calm, s.change = graceMin, s.lived, true
	s.asked = len(s.inUse(now)) < Use
	s.welcome(now)
}
