package relay

import (
	"net/netip"
	"slices"
	"sync"
	"time"

	"starling/p2p/admission"
	"starling/p2p/clock"
	"starling/p2p/directory"
	"starling/p2p/pace"
	"starling/p2p/wire"
)

const (
	// boundFrom is how many other relays' signed times bound the time that can be
	// learned. With as many in the list, nodes outside it have no voice.
	boundFrom = 4
	maxVoices = 64
)

// voices are the relays heard about the time: one of a /16 or /32.
type voices struct {
	mu sync.Mutex
	of map[wire.NodeID]netip.Prefix
	// zero is the time of day at began, as it is believed now: a correction moves it.
	began, zero time.Time
}

// hearTime takes a neighbour's word about the time. A node that connects and calls
// itself a relay has no voice; a relay that was reached or that the owner named has.
func (r *Relay) hearTime(from wire.NodeID, at time.Time, asked time.Duration) {
	if !r.voice(from) {
		return
	}
	wide := directory.Address{AddrPort: netip.AddrPortFrom(r.sourceOf(from), 1)}.Wide()
	if r.cfg.AllowPrivate {
		wide = netip.Prefix{}
	}
	if r.told.take(from, wide) {
		r.clock.Hear(from, at, asked)
	}
}

// take reports whether a relay of a network is heard beside the others. None that is
// not valid is taken for another's.
func (v *voices) take(from wire.NodeID, wide netip.Prefix) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	for id, other := range v.of {
		if id != from && other == wide && wide.IsValid() {
			return false
		}
	}
	if _, held := v.of[from]; !held && len(v.of) >= maxVoices {
		clear(v.of)
	}
	v.of[from] = wide
	return true
}

// voice reports whether a neighbour's word about the time counts.
func (r *Relay) voice(id wire.NodeID) bool {
	if slices.Contains(r.book.Named(), id) || !r.dir.Since(id).IsZero() {
		return true
	}
	_, reached := r.book.Reached(id)
	return !reached.IsZero() && len(r.lobby.register.Others()) < boundFrom
}

// learnTime judges the neighbours' words about the time. When our clock was wrong,
// refused descriptors are asked for again, and our own is signed anew.
func (r *Relay) learnTime() {
	others := r.lobby.register.Others()
	var bound clock.Bound
	// Signed times of many give a bound that a few liars cannot move.
	if len(others) >= boundFrom {
		bound = clock.BoundOf(directory.Signed(others, r.cfg.AllowPrivate))
		r.told.mu.Lock()
		// Words of relays that have lost their voice since are taken back.
		for id := range r.told.of {
			if !r.voice(id) {
				delete(r.told.of, id)
				r.clock.Forget(id)
			}
		}
		r.told.mu.Unlock()
	} else if r.clock.Backed() {
		return // no signed times say that it is wrong, and one source says that it is right
	}

	if !r.clock.Judge(bound) {
		return
	}
	ahead, _ := r.clock.Off()
	r.log.Warn("the clock of this computer is wrong", "ahead", ahead)

	// Times that were noted by the wrong clock move with it.
	r.told.mu.Lock()
	zero := r.now().Add(-time.Since(r.told.began))
	by := zero.Sub(r.told.zero)
	r.told.zero = zero
	r.told.mu.Unlock()
	r.dir.Shift(by)

	// Lists are asked for again: valid descriptors were refused as expired or of the future.
	r.list.Restart()
	pace.Kick(r.keys)
	for _, p := range r.relayPeers() {
		if id, err := wire.NodeIDFromPeer(p); err == nil {
			r.meet(id)
		}
	}
}

// take decides about an entry of a neighbour's list. An entry that only our clock may
// be against leads to others to ask for the time.
func (r *Relay) take(from wire.NodeID, e directory.Entry) error {
	err := r.lobby.register.Read(from, e)
	switch id := e.ID(); {
	case id == r.id:
		if err == nil {
			pace.Kick(r.keys) // we said it before this start: say something newer
		}
		return err
	case err == nil || len(r.lobby.register.Others()) >= boundFrom:
		return err
	}
	if _, sure := r.clock.Off(); sure {
		return err
	}
	d, bad := directory.Parse(e.Raw)
	if now := r.now(); bad != nil || d.Expires.After(now) && !d.Issued.After(now.Add(directory.MaxSkew)) {
		return err
	}

	switch {
	case r.voice(from):
		r.book.Hear(d.ID, directory.ForBook(d.Addresses)...)
	case d.ID == from:
		r.book.Hear(d.ID, directory.ForBook(d.Addresses)...)
		// If there is no place, the next list will do.
		r.lobby.line.Join(admission.Turn{Check: admission.Check{ID: d.ID, Raw: e.Raw, Addresses: d.Addresses}, Source: r.sourceOf(from), Unasked: true})
	}
	return err
}

// meet has a neighbour asked for its list soon.
func (r *Relay) meet(id wire.NodeID) {
	select {
	case r.met <- id:
	default: // the next round will do
	}
}
