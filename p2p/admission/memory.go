package admission

import (
	"bytes"
	"time"

	"starling/p2p/directory"
	"starling/p2p/wire"
)

// An Acquaintance is a relay as it was known when we stopped.
type Acquaintance struct {
	Raw []byte
	// Age is how long ago it had been reached first then; below 0 it never was. The time
	// that we were away is not in it: no clock is needed to go on.
	Age time.Duration
}

// A Charge is a wrong voucher of an examiner, and how long ago it was.
type Charge struct {
	Examiner wire.NodeID
	Ago      []time.Duration
}

// Limits of the memory.
const (
	MaxCharges      = 256 // examiners
	maxChargesOfOne = 2 * charges
)

// earlier is the age of a relay at its addresses.
type earlier struct {
	addresses []byte
	age       time.Duration
}

// Remember takes over how old relays were at the last stop. None is as old again before
// it has answered with its key at the same addresses.
func (r *Registrar) Remember(known []Acquaintance) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, k := range known {
		d, err := directory.Parse(k.Raw)
		if err != nil || k.Age < 0 || len(r.earlier) >= directory.MaxRelays {
			continue
		}
		r.earlier[d.ID] = earlier{bytes.Clone(directory.AddressBytes(k.Raw)), k.Age}
	}
}

// Since returns the time from which a relay that was reached now counts as reached:
// now, or the time before the last stop.
func (r *Registrar) Since(raw []byte) time.Time {
	now := r.cfg.Now()
	d, err := directory.Parse(raw)
	if err != nil {
		return now
	}

	r.mu.Lock()
	defer r.mu.Unlock()
	e, ok := r.earlier[d.ID]
	delete(r.earlier, d.ID)
	if !ok || !bytes.Equal(e.addresses, directory.AddressBytes(raw)) {
		return now
	}
	return now.Add(-e.age)
}

// Acquaintances returns the relays of the directory and how old they are: up to a
// number of them, the newest descriptors first. A relay not reached again since the
// last stop is as old as then.
func (r *Registrar) Acquaintances(limit int) []Acquaintance {
	now := r.cfg.Now()
	var all []Acquaintance
	for _, raw := range r.cfg.Directory.Raw(limit) {
		id := directory.Entry{Raw: raw}.ID()
		k := Acquaintance{Raw: raw, Age: -1}
		if since := r.cfg.Directory.Since(id); !since.IsZero() {
			k.Age = max(0, now.Sub(since))
		}
		all = append(all, k)
	}

	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range all {
		e, ok := r.earlier[directory.Entry{Raw: all[i].Raw}.ID()]
		if ok && all[i].Age < 0 && bytes.Equal(e.addresses, directory.AddressBytes(all[i].Raw)) {
			all[i].Age = e.age
		}
	}
	return all
}

// Charges returns the wrong vouchers of examiners, for Charge, beyond as many right
// ones.
func (r *Registrar) Charges() (all []Charge) {
	now := r.cfg.Steady()
	r.mu.Lock()
	defer r.mu.Unlock()
	for id := range r.blame {
		c := Charge{Examiner: id}
		excess := r.recent(r.blame, id) - r.recent(r.proven, id)
		times := r.blame[id]
		for _, t := range times[max(0, len(times)-max(0, excess)):] {
			if len(c.Ago) < maxChargesOfOne {
				c.Ago = append(c.Ago, now.Sub(t))
			}
		}
		if len(c.Ago) > 0 && len(all) < MaxCharges {
			all = append(all, c)
		}
	}
	return all
}

// Charge takes over the charges of the last start. They end as they would have.
func (r *Registrar) Charge(all []Charge) {
	now := r.cfg.Steady()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range all[:min(len(all), MaxCharges)] {
		for _, ago := range c.Ago[:min(len(c.Ago), maxChargesOfOne)] {
			r.blame[c.Examiner] = append(r.blame[c.Examiner], now.Add(-max(0, ago)))
		}
	}
}

// Restore takes over the vouchers that examiners signed for a descriptor of ours before
// this start. Vouchers that they have not signed are left out. They are asked once more
// all the same: so others learn soon that we are back.
func (a *Applicant) Restore(raw []byte, vouchers []Voucher) {
	if _, err := directory.Parse(raw); err != nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, v := range vouchers {
		if !v.verify(raw) {
			continue
		}
		a.makeRoom()
		a.doors[v.Examiner] = &door{sent: bytes.Clone(raw), voucher: v, said: true, before: true}
	}
}
