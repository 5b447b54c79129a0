// Package sources decides which relays a client believes in, given the lists of
// several relays.
//
// The maker of a list of relays chooses them. A list may be short, so that only
// accomplices are left, or stuffed with relays that are not there. So a client asks
// several sources, and believes in a relay as far as they agree:
//
//	lists  believed are the relays of
//	0      the last belief
//	1      the last belief, while that is enough, with those that are back; else the list
//	2      both, if each has half of the other's relays; else the longer one,
//	       and that only after the others had their time
//	3, 4…  more than half of them
//
// The last belief that sources agreed on has a voice of its own beside them, so
// that one guard that leaves out a relay does not take it away. So have relays that sources
// agreed on before, and that had left since, as soon as a list names them again. A list with less
// than half of the relays that the others agree on has no voice at all, and its
// source is let go: Belief.Dropped.
//
// Belief is about ids. The descriptor of a relay that is believed in proves itself,
// from any hand.
//
// Three sources of which two are hostile capture a newcomer: with a tenth of
// all relays hostile one newcomer in 35. One hostile source of three adds
// nothing and hides nothing.
package sources

import (
	"slices"

	"starling/p2p/wire"
)

// A List is the whole list of one source.
type List struct {
	Source wire.NodeID
	Relays []wire.NodeID
}

// Question is the evidence for a Belief.
type Question struct {
	Lists []List
	// Kept are the relays that were believed in when sources agreed last and of
	// which there is a valid descriptor.
	Kept []wire.NodeID
	// Back are relays that sources agreed on before. They count where a list names them.
	Back []wire.NodeID
	// Few is how many relays are enough for a client.
	Few int
	// Waited: no other source will tell its list soon.
	Waited bool
}

// A Belief is the answer.
type Belief struct {
	Relays map[wire.NodeID]bool
	// Decided is false while it is better to wait for more lists.
	Decided bool
	// Agreed: at least two sources, or one and the memory of the last start, say the
	// same.
	Agreed bool
	// Sources is how many lists it rests on.
	Sources int
	// Dropped are sources with lists that cannot be meant well.
	Dropped []wire.NodeID
}

// Believe answers.
func Believe(q Question) Belief {
	switch len(q.Lists) {
	case 0:
		return Belief{Relays: set(q.Kept), Decided: true, Agreed: len(q.Kept) > 0}
	case 1:
		return q.one()
	case 2:
		return q.two()
	}

	b := q.majority(q.Lists)
	fair := slices.DeleteFunc(slices.Clone(q.Lists), func(l List) bool {
		short := 2*common(l, b.Relays) < len(b.Relays)
		if short {
			b.Dropped = append(b.Dropped, l.Source)
		}
		return short
	})

	if len(b.Dropped) > 0 && len(fair) >= 2 {
		dropped := b.Dropped
		b = q.majority(fair)
		b.Dropped = dropped
	}

	b.Decided = q.Waited || len(b.Relays) > 0
	return b
}

func (q Question) one() Belief {
	l := q.Lists[0]
	if len(q.Kept) >= q.Few {
		b := Belief{Relays: set(q.Kept), Decided: true, Agreed: true, Sources: 1}
		named := set(l.Relays)
		for _, id := range q.Back {
			if named[id] {
				b.Relays[id] = true
			}
		}
		return b
	}
	return Belief{Relays: set(l.Relays), Decided: q.Waited, Sources: 1}
}

func (q Question) two() Belief {
	a, b := q.Lists[0], q.Lists[1]
	if len(b.Relays) > len(a.Relays) {
		a, b = b, a
	}
	if len(q.Kept) >= q.Few || len(a.Relays) == 0 || 2*common(b, set(a.Relays)) >= len(a.Relays) {
		return q.majority(q.Lists)
	}
	longer := Belief{Relays: set(a.Relays), Decided: q.Waited, Sources: 1}
	if q.Waited {
		longer.Dropped = []wire.NodeID{b.Source}
	}
	return longer
}

// majority counts voices.
func (q Question) majority(lists []List) Belief {
	voices := map[wire.NodeID]int{}
	for _, l := range lists {
		for id := range set(l.Relays) { // a list has one voice for each
			voices[id]++
		}
	}
	for id := range set(slices.Concat(q.Kept, q.Back)) {
		if voices[id] > 0 {
			voices[id]++
		}
	}
	b := Belief{Relays: map[wire.NodeID]bool{}, Decided: true, Sources: len(lists)}
	for id, n := range voices {
		if n > len(lists)/2 {
			b.Relays[id] = true
		}
	}
	b.Agreed = len(b.Relays) > 0
	return b
}

func set(ids []wire.NodeID) map[wire.NodeID]bool {
	m := make(map[wire.NodeID]bool, len(ids))
	for _, id := range ids {
		m[id] = true
	}
	return m
}

// common counts the relays of a list that are in a set.
func common(l List, of map[wire.NodeID]bool) int {
	n := 0
	for id := range set(l.Relays) {
		if of[id] {
			n++
		}
	}
	return n
}
