package admission

import (
	"slices"
	"time"

	"starling/p2p/directory"
	"starling/p2p/wire"
)

// A Check is a relay to be dialled afresh at its addresses.
type Check struct {
	ID        wire.NodeID
	Raw       []byte
	Addresses []directory.Address
}

// Due returns relays to be checked now, at most so many, and how long to wait before
// asking again.
func (r *Registrar) Due(most int) (due []Check, wait time.Duration) {
	now := r.cfg.Steady()
	wait = time.Minute
	relays := r.Others()

	r.mu.Lock()
	defer r.mu.Unlock()

	// A relay was listed since the last look: its vouchers count now.
	if r.again {
		r.again = false
		before := r.undecided
		for _, c := range r.candidates {
			r.weighed(c, relays)
		}
		r.undecided = before
	}

	// The files of relays that left may stay until there are many.
	for id := range r.files {
		if len(r.files) > len(relays)+64 && !slices.ContainsFunc(relays, func(d *directory.Descriptor) bool { return d.ID == id }) {
			delete(r.files, id)
		}
	}

	// Half is for those that are listed: a relay with many invented ones vouched for
	// does not keep their checks from being made.
	ready, next := r.turns(most+1, now) // one more shows that there are more
	if !next.IsZero() {
		wait = min(wait, next.Sub(now))
	}
	for _, d := range relays {
		f := r.files[d.ID]
		if f == nil { // remembered from another start
			f = &file{check: now, vouched: now}
			r.files[d.ID] = f
		}
		switch {
		case f.check.After(now):
			wait = min(wait, f.check.Sub(now))
		case len(due) < most-min(len(ready), most/2):
			f.check = now.Add(again) // unless its outcome says otherwise
			due = append(due, Check{d.ID, r.cfg.Directory.Signed(d.ID), d.Addresses})
		default:
			wait = 0
		}
	}
	turns := min(len(ready), most-len(due))
	for _, id := range ready[:turns] {
		c := r.candidates[id]
		c.waiting = false
		due = append(due, Check{id, c.raw, c.desc.Addresses})
	}
	if turns < len(ready) {
		wait = 0 // nothing else wakes the caller for the rest
	}

	return due, wait
}

// Failed takes note that a check did not reach its relay, although we are connected:
// others were reached since it began.
func (r *Registrar) Failed(c Check) {
	now := r.cfg.Steady()
	r.mu.Lock()
	defer r.mu.Unlock()

	if it := r.candidates[c.ID]; it != nil {
		// Enough others say that they have reached it: perhaps only our way to it
		// fails.
		if !r.credible(it, r.need(c.ID)) {
			r.doubt(it, now)
			return
		}
		if r.list(it, now.Add(again)) != nil {
			return
		}
	}

	// A check that fails is no proof: the address may be cut off from us alone.
	f := r.files[c.ID]
	if f == nil {
		return
	}
	f.failed = slices.DeleteFunc(append(f.failed, now), func(t time.Time) bool { return now.Sub(t) > unlistIn })
	f.check = now.Add(again)

	// After two failures the relay is as if never reached, and its examiners are blamed.
	if len(f.failed) >= 2 {
		r.cfg.Directory.Reached(c.ID, time.Time{})
		if !f.charged {
			f.charged = true
			for _, id := range f.voices {
				r.blame[id] = append(r.blame[id], now)
			}
			r.disown()
		}
	}

	// Fresh vouchers say that others still reach it.
	if len(f.failed) >= failures && now.Sub(f.vouched) > Fresh {
		delete(r.files, c.ID)
		r.cfg.Directory.Remove(c.ID)
	}
}

// Later puts a check off that could not be made.
func (r *Registrar) Later(c Check, wait time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if it := r.candidates[c.ID]; it != nil {
		it.waiting, it.after = true, r.cfg.Steady().Add(wait)
	}
	if f := r.files[c.ID]; f != nil {
		f.check = r.cfg.Steady().Add(wait)
	}
}

// doubt notes the silence of a candidate, when all of its voices have other candidates
// to prove. It is looked at again twice: it may be there, and nobody may have more to say
// of it. Looks an hour apart are charged to the voices. The caller holds the lock.
func (r *Registrar) doubt(c *candidate, now time.Time) {
	if c.missed.IsZero() {
		c.missed = now
	}
	if now.Sub(c.missed) < again {
		if next := now.Add(lookAgain << c.looks); next.Sub(c.missed) < again {
			c.waiting, c.after = true, next
			c.looks++
		}
		return
	}
	for _, id := range r.others(c) {
		r.blame[id] = append(r.blame[id], now)
	}
	delete(r.candidates, c.desc.ID)
	r.disown()
}

// need is how many vouchers a relay needs.
func (r *Registrar) need(id wire.NodeID) int {
	n := 0
	for _, d := range r.Others() {
		if d.ID != id {
			n++
		}
	}
	return Needed(n)
}

// turns draws candidates that wait, at most so many: a voice, and then one of its own.
// So a new one does not wait behind the inventions of others. next is the earliest time
// of those that were put off; zero if none was. The caller holds the lock.
func (r *Registrar) turns(most int, now time.Time) (ids []wire.NodeID, next time.Time) {
	by := map[wire.NodeID][]wire.NodeID{}
	for id, c := range r.candidates {
		switch {
		case !c.waiting:
		case c.after.After(now):
			if next.IsZero() || c.after.Before(next) {
				next = c.after
			}
		default:
			for voice := range c.voices {
				by[voice] = append(by[voice], id) // maps are walked in a random order
			}
		}
	}

	for len(ids) < most && len(by) > 0 {
		for voice, some := range by {
			if id := some[0]; len(ids) < most && !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
			if by[voice] = some[1:]; len(by[voice]) == 0 {
				delete(by, voice)
			}
		}
	}
	return ids, next
}

// disown unlists the relays that we tried to reach and never did, and that have too few
// vouchers of voices that are not void. The caller holds the lock.
func (r *Registrar) disown() {
	for id, f := range r.files {
		if len(f.failed) == 0 || f.reached != 0 {
			continue
		}
		left := 0
		for _, voice := range f.voices {
			if !r.void(voice) {
				left++
			}
		}
		if len(f.voices) > 0 && left < r.need(id) {
			delete(r.files, id)
			r.cfg.Directory.Remove(id)
		}
	}
}
