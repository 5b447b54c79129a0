package admission

import (
	"bytes"
	"cmp"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"time"

	"starling/p2p/directory"
	"starling/p2p/limits"
	"starling/p2p/wire"
)

const (
	// askAgain is between two knocks at one door: an examiner dials an address once
	// in that time. busyAgain is the same after it said that it was busy.
	askAgain  = 10 * time.Minute
	busyAgain = 15 * time.Second
	// silentAgain is the same while it says nothing.
	silentAgain = time.Minute
	// renewAfter is how old a voucher is when it is renewed.
	renewAfter = 5 * 24 * time.Hour
	// forgetAfter is how long an address that was not reached is not announced.
	forgetAfter = time.Hour
	// unseenAfter is how long examiners have to say that they reached an address before
	// it counts as not reached: perhaps none of them has a way to it.
	unseenAfter = 20 * time.Second
	maxDoors    = 256
)

// An Applicant is our side of being examined. The zero value has asked nobody. The
// times that it is given are of a clock that does not jump; the day is given beside.
type Applicant struct {
	mu     sync.Mutex
	doors  map[wire.NodeID]*door
	failed map[directory.Address]trial
}

// A door is an examiner and its answer.
type door struct {
	asked   time.Time
	again   time.Time // not before
	nonce   uint64
	sent    []byte // the descriptor
	voucher Voucher
	said    bool // there is a voucher
	before  bool // it is of before this start: it counts, and is asked for once more

	seen   netip.Addr // that our knock came from, by its word
	seenAt time.Time
}

// A trial is the result of examiners at one of our addresses.
type trial struct {
	reached, failed time.Time
	foreign         time.Time // another node answered
}

// Ask returns a knock for each of some doors that have no voucher for a descriptor,
// or an old one.
func (a *Applicant) Ask(doors []wire.NodeID, raw []byte, now time.Time, today uint32) map[wire.NodeID]Knock {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.unseen(raw, now, today)
	knocks := map[wire.NodeID]Knock{}
	for _, id := range doors {
		d := a.doors[id]
		if d != nil && (d.again.After(now) || !d.before && d.holds(raw, today) && today < d.voucher.Day+uint32(renewAfter/(24*time.Hour))) {
			continue
		}
		if d == nil {
			a.makeRoom()
			d = &door{}
			a.doors[id] = d
		}
		d.asked, d.again, d.nonce, d.sent = now, now.Add(silentAgain), rand.Uint64(), slices.Clone(raw)
		d.before = false
		knocks[id] = Knock{Nonce: d.nonce, Raw: d.sent}
	}
	return knocks
}

// unseen notes the addresses of a descriptor that no voucher for it has, though there
// are some since a while. Examiners list nobody at an address that nobody reaches. They
// are asked again at once: they remember their results.
func (a *Applicant) unseen(raw []byte, now time.Time, today uint32) {
	var seen byte
	vouched, waited := false, false
	for _, d := range a.doors {
		if d.holds(raw, today) {
			seen |= d.voucher.Mask
			vouched, waited = true, waited || now.Sub(d.asked) >= unseenAfter
		}
	}
	desc, err := directory.Parse(raw)
	if err != nil || !vouched || !waited {
		return
	}
	missing := Dialable(desc.Addresses) &^ seen
	if missing == 0 {
		return
	}
	a.tried(desc, 0, missing, now)
	for _, d := range a.doors {
		d.again = now
	}
}

func (a *Applicant) makeRoom() {
	if a.doors == nil {
		a.doors, a.failed = map[wire.NodeID]*door{}, map[directory.Address]trial{}
	}
	limits.MakeRoom(a.doors, maxDoors, nil, 0)
}

// holds reports whether the door's voucher is one for a descriptor's addresses.
func (d *door) holds(raw []byte, today uint32) bool {
	return d.said && fresh(d.voucher.Day, today) && bytes.Equal(directory.AddressBytes(d.sent), directory.AddressBytes(raw))
}

// Missed says that a knock did not reach its door.
func (a *Applicant) Missed(id wire.NodeID, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if d := a.doors[id]; d != nil {
		d.again = now.Add(busyAgain)
	}
}

// Told takes the reply of a door. It reports whether something is known that was not.
func (a *Applicant) Told(from wire.NodeID, p Reply, now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	d := a.doors[from]
	// Only the answer to a question of ours, in time: others could make us drop addresses.
	if d == nil || d.nonce != p.Nonce || now.Sub(d.asked) > askAgain {
		return false
	}

	desc, err := directory.Parse(d.sent)
	if err != nil {
		return false
	}

	if p.Source.IsValid() {
		d.seen, d.seenAt = p.Source, now
	}
	switch p.Verdict {
	case Vouched:
		// A voucher by somebody else would be passed on as theirs.
		if p.Voucher.Examiner != from || !p.Voucher.verify(d.sent) {
			return false
		}
		d.voucher, d.said = p.Voucher, true
		a.tried(desc, p.Voucher.Mask, 0, now)
	case Unreached:
		d.said = false
		a.tried(desc, 0, p.Mask, now)
		// One examiner's word does not end an address: tried weighs it among others.
		for i, at := range desc.Addresses {
			if t := a.failed[at]; p.Mask>>i&1 == 1 {
				t.foreign = time.Time{}
				if p.Foreign>>i&1 == 1 {
					t.foreign = now
				}
				a.failed[at] = t
			}
		}
	case Busy:
		// Drawn: all that were sent away would come back at once.
		d.again = now.Add(busyAgain/2 + rand.N(busyAgain))
		return false
	}

	d.again = now.Add(askAgain)
	return true
}

func (a *Applicant) tried(desc *directory.Descriptor, reached, failed byte, now time.Time) {
	for i, at := range desc.Addresses {
		t := a.failed[at]
		if reached>>i&1 == 1 {
			t.reached = now
		}
		if failed>>i&1 == 1 {
			t.failed = now
		}
		a.failed[at] = t
	}
}

// Vouchers returns those for a descriptor, the newest first, as many as go with it.
func (a *Applicant) Vouchers(raw []byte, today uint32) (all []Voucher) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, d := range a.doors {
		if d.holds(raw, today) {
			all = append(all, d.voucher)
		}
	}
	slices.SortFunc(all, func(v, w Voucher) int {
		return cmp.Or(-cmp.Compare(v.Day, w.Day), bytes.Compare(v.Examiner[:], w.Examiner[:]))
	})
	return all[:min(len(all), MaxVouchers)]
}

// Unreached reports whether examiners have tried one of our addresses lately, and
// none of them has reached it.
func (a *Applicant) Unreached(at directory.Address, now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	t := a.failed[at]
	return !t.failed.IsZero() && now.Sub(t.failed) < forgetAfter && now.Sub(t.reached) > forgetAfter
}

// Foreign reports whether an examiner has found another node at one of our addresses
// lately.
func (a *Applicant) Foreign(at directory.Address, now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	t := a.failed[at]
	return !t.foreign.IsZero() && now.Sub(t.foreign) < forgetAfter
}

// SeenFrom returns the addresses that examiners see us come from: those that two of them
// say, or that the only one says. They could lie, all of them: it is for our owner, and
// for nothing else.
func (a *Applicant) SeenFrom(now time.Time) (all []netip.Addr) {
	a.mu.Lock()
	defer a.mu.Unlock()
	say := map[netip.Addr]int{}
	doors := 0
	for _, d := range a.doors {
		if d.seen.IsValid() && now.Sub(d.seenAt) < forgetAfter {
			say[d.seen]++
			doors++
		}
	}
	for at, n := range say {
		if n >= min(2, doors) {
			all = append(all, at)
		}
	}
	slices.SortFunc(all, netip.Addr.Compare)
	return all
}

// Reached reports whether an examiner has reached one of our addresses lately.
func (a *Applicant) Reached(at directory.Address, now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	t := a.failed[at]
	return !t.reached.IsZero() && now.Sub(t.reached) < Fresh
}

// Back reports whether an examiner has reached one of our addresses lately, or after all
// that failed.
func (a *Applicant) Back(at directory.Address, now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	t := a.failed[at]
	return !t.reached.IsZero() && (now.Sub(t.reached) < forgetAfter || t.reached.After(t.failed))
}
