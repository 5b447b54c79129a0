// Package guard decides which relays a client connects to.
//
// A guard sees its client's address, so the fewer a client ever uses the
// better. The list grows only when it must: the first two guards that answer
// are used, and a later one stands in only while an earlier one is away.
//
//	first   second   third …        in the order they were drawn
//	 up      up                     first and second are used
//	 up      away     up            third stands in until second is back
//
// A guard leaves the list when its lifetime is over, which is drawn as the
// larger of two values between 60 and 120 days so that most live long, or when
// it has been away for 20 days. The list holds MaxGuards, as many as Tor's
// (guard-spec, section 4.2): with nine of ten relays blocked, one client in 550
// is left without a guard. Who can keep all of them away from us keeps us offline
// rather than handing us to another.
//
// It is pure state: the client dials and reports, and keeps the list on disk.
package guard

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"starling/p2p/directory"
	"starling/p2p/wire"
)

const (
	// Use is how many guards are used at a time.
	Use = 2
	// MaxGuards bounds the list.
	MaxGuards = 60

	lifeMin = 60 * 24 * time.Hour
	lifeMax = 120 * 24 * time.Hour
	goneFor = 20 * 24 * time.Hour
)

// A Guard is one entry of the list.
type Guard struct {
	ID      wire.NodeID
	Address directory.Address // where it answered last
	Until   time.Time         // end of its lifetime
	Seen    time.Time         // when it answered last
}

// List are the guards of one client, the preferred first. The zero value is
// empty. It is not safe for concurrent use.
type List struct {
	Guards []Guard
}

// IDs returns the ids in order.
func (l *List) IDs() []wire.NodeID {
	ids := make([]wire.NodeID, len(l.Guards))
	for i, g := range l.Guards {
		ids[i] = g.ID
	}
	return ids
}

// Prune removes the guards whose time is over and reports whether there were.
func (l *List) Prune(now time.Time) bool {
	n := len(l.Guards)
	l.Guards = slices.DeleteFunc(l.Guards, func(g Guard) bool {
		return now.After(g.Until) || now.Sub(g.Seen) > goneFor
	})
	return len(l.Guards) != n
}

// Extend draws one more guard, not in a network of another one unless private
// addresses are admitted. It reports whether there was one to draw.
func (l *List) Extend(s *directory.Snapshot, now time.Time, allowPrivate bool) bool {
	if len(l.Guards) >= MaxGuards {
		return false
	}
	fits := func(d *directory.Descriptor) bool {
		return !slices.ContainsFunc(l.Guards, func(g Guard) bool {
			return g.ID == d.ID || !allowPrivate && slices.ContainsFunc(d.Addresses, func(a directory.Address) bool {
				return a.Wide() == g.Address.Wide()
			})
		})
	}
	var some []*directory.Descriptor
	for _, d := range s.Relays {
		if fits(d) {
			some = append(some, d)
		}
	}
	if len(some) == 0 {
		return false
	}
	d := some[rand.IntN(len(some))]
	l.Guards = append(l.Guards, Guard{ID: d.ID, Address: d.Addresses[slices.IndexFunc(d.Addresses, directory.Address.Dialable)], Until: now.Add(lifetime()), Seen: now})
	return true
}

// Answered notes that a guard was reached at an address.
func (l *List) Answered(id wire.NodeID, a directory.Address, now time.Time) {
	for i := range l.Guards {
		if l.Guards[i].ID == id {
			l.Guards[i].Seen = now
			if a.IsValid() {
				l.Guards[i].Address = a
			}
		}
	}
}

func lifetime() time.Duration {
	draw := func() time.Duration { return lifeMin + rand.N(lifeMax-lifeMin) }
	return max(draw(), draw())
}

// Wanted says which guards to keep and which to dial, given which are up and
// which were found to be away. Whoever is up but not kept should be let go.
// more reports that the list is too short.
func (l *List) Wanted(up, away func(wire.NodeID) bool) (keep, dial []wire.NodeID, more bool) {
	hopeful := 0 // dialled and not known to be away
	for _, g := range l.Guards {
		if len(keep)+hopeful == Use {
			return keep, dial, false
		}
		if up(g.ID) {
			keep = append(keep, g.ID)
			continue
		}
		dial = append(dial, g.ID)
		if !away(g.ID) {
			hopeful++
		}
	}
	return keep, dial, len(keep)+hopeful < Use
}

// ErrState means that a stored list cannot be read.
var ErrState = errors.New("guard: damaged state")

// Append appends the encoding: count (1), then for each guard until (8) ‖
// seen (8), Unix seconds ‖ length (1) ‖ hint.
func (l *List) Append(b []byte) []byte {
	b = append(b, byte(len(l.Guards)))
	for _, g := range l.Guards {
		b = binary.BigEndian.AppendUint64(b, uint64(g.Until.Unix()))
		b = binary.BigEndian.AppendUint64(b, uint64(g.Seen.Unix()))
		hint := directory.Hint{ID: g.ID, Addresses: []directory.Address{g.Address}}.Append(nil)
		b = append(b, byte(len(hint)))
		b = append(b, hint...)
	}
	return b
}

// Cut reads a list from the front of b and returns the rest.
func Cut(b []byte) (List, []byte, error) {
	if len(b) == 0 || b[0] > MaxGuards {
		return List{}, nil, ErrState
	}
	n := int(b[0])
	b = b[1:]
	var l List
	for range n {
		if len(b) < 17 || len(b) < 17+int(b[16]) {
			return List{}, nil, ErrState
		}
		hint, err := directory.ParseHint(b[17 : 17+int(b[16])])
		if err != nil {
			return List{}, nil, ErrState
		}
		until, seen := binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])
		if until > 1<<40 || seen > 1<<40 {
			return List{}, nil, ErrState
		}
		l.Guards = append(l.Guards, Guard{
			ID: hint.ID, Address: hint.Addresses[0],
			Until: time.Unix(int64(until), 0), Seen: time.Unix(int64(seen), 0),
		})
		b = b[17+int(b[16]):]
	}
	return l, b, nil
}
