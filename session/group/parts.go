package group

import (
	"hash/maphash"
	"maps"
	"slices"
	"time"

	"starling/session/group/keys"
	"starling/session/group/members"
)

// The names of the parts of a state, beside those of package keys. A part of one member has their id behind it.
const (
	partFirst  = ""  // the version, our key, and all that changes with every message
	partPlaces = "p" // where the logs are
	partLeaves = "l" // our own
	partLeaf   = "f" // of one member
	partHeard  = "m" // of one member: their newest cells and contents
	partHalves = "h" // contents of which pieces are missing
	partBefore = "b" // refs of before we came
	partDoor   = "d"
	partDuty   = "u"
	partAside  = "a"
	partAnswer = "n" // answers to our knock, if there are any
)

// parts hands out everything that a state is made of. See [keys.Keys.Parts].
func parts(r *core, put func(name string, revision uint64, add func([]byte) []byte)) {
	part := func(name string, append func(p *pen)) {
		put(name, 0, func(b []byte) []byte {
			p := &pen{b}
			append(p)
			return p.b
		})
	}
	part(partFirst, func(p *pen) { appendFirst(r, p) })
	part(partPlaces, r.places.append)
	part(partLeaves, r.leaves.append)

	// Each member is a part of its own.
	for id := range r.leaves.of {
		part(partLeaf+string(id[:]), func(p *pen) { r.leaves.appendOf(p, id) })
	}
	for id := range r.ear.notes {
		part(partHeard+string(id[:]), func(p *pen) { r.ear.appendOf(p, id) })
	}

	part(partHalves, r.ear.appendHalves)
	part(partBefore, func(p *pen) { appendRefs(p, r.ear.before) })
	part(partDoor, r.door.append)
	part(partDuty, r.duty.append)
	part(partAside, func(p *pen) {
		r.aside.append(p)
		parked := parkedEntries(r.set)
		p.u16(len(parked))
		for _, b := range parked {
			p.blob(b)
		}
	})
	if len(r.back.answers) > 0 {
		part(partAnswer, r.back.appendAnswers)
	}
	r.keys.Parts(put)
}

func appendFirst(r *core, p *pen) {
	p.u8(stateVersion)
	p.raw(r.key.Bytes())
	p.raw(r.group[:])
	appendMailboxes(p, r.mailboxes)
	r.ear.append(p)
	r.back.append(p)
}

// A shelf knows the parts that are stored: of each its revision, or the sum of its bytes.
type shelf struct {
	seed  maphash.Seed
	parts map[string]shelved
	round uint32
	page  []byte // used again and again
}

type shelved struct {
	sum   uint64
	round uint32
}

// State returns the secrets and places: of the parts that have changed since the last call the bytes, and nil for those that are no
// more.
func (r *Room) State() map[string][]byte {
	s, changed, count := &r.shelf, map[string][]byte{}, 0
	s.round++
	parts(&r.core, func(name string, revision uint64, add func([]byte) []byte) {
		had, known := s.parts[name]
		now := shelved{revision, s.round}
		if revision == 0 {
			s.page = add(s.page[:0])
			now.sum = maphash.Bytes(s.seed, s.page)
		}
		switch {
		case known && had.sum == now.sum:
		case revision == 0:
			changed[name] = slices.Clone(s.page)
		default:
			changed[name] = add(nil)
		}
		s.parts[name] = now
		count++
	})
	clear(s.page[:cap(s.page)])

	if len(s.parts) > count {
		maps.DeleteFunc(s.parts, func(name string, p shelved) bool {
			if p.round == s.round {
				return false
			}
			changed[name] = nil
			return true
		})
	}
	return changed
}

// Open opens a stored room: all parts of its state, and all rows in the order of their adding.
func Open(state map[string][]byte, rows [][]byte) (*Room, error) {
	e := readerOf(state[partFirst])
	version := e.u8()
	key, err := members.ParseKey(e.Take(members.SeedSize, members.SeedSize))
	group := e.b32()
	if err != nil || version != stateVersion || len(rows) == 0 {
		return nil, ErrInvalid
	}
	r, err := openRows(key, rows)
	if err != nil || r.group != group {
		return nil, ErrInvalid
	}

	if r.keys.Restore(state) != nil {
		return nil, ErrInvalid
	}
	for _, w := range r.words.all {
		if w.step != nil {
			r.keys.TakeStep(w.step)
		}
	}

	r.mailboxes = e.mailboxes()
	r.ear.read(e)
	r.back.read(e)
	if !e.Done() || !r.openParts(state) {
		return nil, ErrInvalid
	}
	r.shelve(state)

	// What follows from all of it is computed anew, and nobody is told of it.
	r.words.stale = true
	view := r.duty.view
	r.settle(time.Unix(0, 0))
	r.duty.view = view
	r.rows, r.out, r.events = nil, nil, nil
	return r, nil
}

// openParts reads the other parts, and reports whether they are sound.
func (r *Room) openParts(state map[string][]byte) bool {
	sound, count := true, 1
	part := func(name string, read func(e *reader)) {
		b, known := state[name]
		e := readerOf(b)
		read(e)
		sound = sound && known && e.Done()
		count++
	}
	part(partPlaces, r.places.read)
	part(partLeaves, r.leaves.read)
	part(partHalves, r.ear.readHalves)
	part(partBefore, func(e *reader) { r.ear.before = readRefs(e, maxBefore) })
	part(partDoor, func(e *reader) { r.door.read(e, r.group) })
	part(partDuty, r.duty.read)
	var parked [][]byte
	part(partAside, func(e *reader) {
		r.aside.read(e)
		for range e.Count(2, maxAsideWords) {
			parked = append(parked, e.blob(controlSize))
		}
	})

	// Those of one member, and of the keys.
	for name := range state {
		kind, of := name[:min(len(name), 1)], name[min(len(name), 1):]
		switch {
		case kind == keys.PartPrefix:
			count++
		case kind == partLeaf && len(of) == len(ID{}):
			part(name, func(e *reader) { r.leaves.readOf(e, ID([]byte(of))) })
		case name == partAnswer:
			part(name, r.back.readAnswers)
		case kind == partHeard && len(of) == len(ID{}):
			part(name, func(e *reader) { r.ear.readOf(e, ID([]byte(of))) })
		}
	}
	if !sound || count != len(state) || len(r.leaves.own) == 0 {
		return false
	}
	unparkEntries(r.set, parked)
	return true
}

// shelve notes the parts that are stored.
func (r *Room) shelve(state map[string][]byte) {
	parts(&r.core, func(name string, revision uint64, _ func([]byte) []byte) {
		if revision == 0 {
			revision = maphash.Bytes(r.shelf.seed, state[name])
		}
		r.shelf.parts[name] = shelved{sum: revision}
	})
}
