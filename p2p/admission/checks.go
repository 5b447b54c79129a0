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

	for id, c := range r.candidates {
		if len(due) < most && c.waiting {
			due = append(due, Check{id, c.raw, c.desc.Addresses})
			c.waiting = false
		}
	}

	// The files of relays that left may stay until there are many.
	for id := range r.files {
		if !slices.ContainsFunc(relays, func(d *directory.Descriptor) bool { return d.ID == id }) && len(r.files) > len(relays)+64 {
			delete(r.files, id)
		}
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
		case len(due) < most:
			f.check = now.Add(again) // unless its outcome says otherwise
			due = append(due, Check{d.ID, r.cfg.Directory.Signed(d.ID), d.Addresses})
		default:
			wait = 0
		}
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
		// Enough others say that they have reached it: it may be we who cannot.
		if r.list(it, now.Add(again)) != nil {
			return
		}
	}

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
		}
	}

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
		it.waiting = true
	}
	if f := r.files[c.ID]; f != nil {
		f.check = r.cfg.Steady().Add(wait)
	}
}
