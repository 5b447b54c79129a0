package session

import (
	"crypto/subtle"

	"starling/session/envelope"
	"starling/session/internal/kdf"
)

// Limits of what a receiver waits for. They count cells, never time.
const (
	// Ahead is how many tags after the highest received are asked for, and so
	// how far one cell may be ahead of the last.
	Ahead = 32
	// MaxGaps is how many cells that were passed over are still asked for; the
	// oldest are given up first.
	MaxGaps = 256
	// MaxGapAge is how many cells after it a missing cell is given up.
	MaxGapAge = 1024
)

// A tag chain gives one tag per cell of a direction:
//
//	tag  = HMAC(key, TagValue), the first 16 bytes
//	key' = HMAC(key, TagNext)
func nextTag(k *[kdf.Size]byte) (tag Tag) {
	value := kdf.Step(kdf.TagValue, k)
	*k = kdf.Step(kdf.TagNext, k)
	copy(tag[:], value[:])
	return tag
}

type mac = [envelope.MACSize]byte

// sender is the sending direction.
type sender struct {
	key      [kdf.Size]byte // of the tag of cell seq
	seq      uint64         // of the next cell
	previous mac            // of cell seq-1
}

// next moves on behind a box and returns its tag.
func (s *sender) next(box *[envelope.CellSize]byte) Tag {
	s.previous = envelope.MAC(box)
	s.seq++
	return nextTag(&s.key)
}

// receiver is the receiving direction: which cells have come, which tags the
// others have, and what must hold for a cell to continue the same history.
type receiver struct {
	key   [kdf.Size]byte // of the tag after ahead
	seq   uint64         // one more than the highest received
	last  mac            // of cell seq-1
	ahead [Ahead]Tag     // of cells seq, seq+1, …
	gaps  []gap          // ascending
}

// A gap is a run of cells that have not come, between two that have.
type gap struct {
	first  uint64
	tags   []Tag
	before mac  // of cell first-1
	known  bool // before is known; not so when older cells of the run were given up
	after  mac  // what cell first+len(tags) named as the one before it
}

// place is where a cell belongs.
type place struct {
	seq    uint64
	gap    int // index in gaps, or -1
	offset int // in the gap or in ahead
}

func newReceiver(k [kdf.Size]byte) receiver {
	r := receiver{key: k}
	for i := range r.ahead {
		r.ahead[i] = nextTag(&r.key)
	}
	return r
}

func (r *receiver) window() []Tag {
	tags := make([]Tag, 0, r.missing()+Ahead)
	for i := range r.gaps {
		tags = append(tags, r.gaps[i].tags...)
	}
	return append(tags, r.ahead[:]...)
}

func (r *receiver) missing() (n int) {
	for i := range r.gaps {
		n += len(r.gaps[i].tags)
	}
	return n
}

func (r *receiver) find(tag Tag) (place, bool) {
	for i := range r.ahead {
		if equal(r.ahead[i][:], tag[:]) {
			return place{seq: r.seq + uint64(i), gap: -1, offset: i}, true
		}
	}
	for g := range r.gaps {
		for i := range r.gaps[g].tags {
			if equal(r.gaps[g].tags[i][:], tag[:]) {
				return place{seq: r.gaps[g].first + uint64(i), gap: g, offset: i}, true
			}
		}
	}
	return place{}, false
}

// continues reports whether a cell at p, with its own MAC and the one it
// names, agrees with its neighbours as far as they are here.
func (r *receiver) continues(p place, previous, own *mac) bool {
	if p.gap < 0 {
		return p.offset > 0 || equal(previous[:], r.last[:])
	}
	g := &r.gaps[p.gap]
	if p.offset == 0 && g.known && !equal(previous[:], g.before[:]) {
		return false
	}
	return p.offset < len(g.tags)-1 || equal(own[:], g.after[:])
}

// accept notes that the cell at p has come.
func (r *receiver) accept(p place, previous, own *mac) {
	if p.gap >= 0 {
		r.fill(p, previous, own)
		return
	}
	if p.offset > 0 {
		r.gaps = append(r.gaps, gap{
			first: r.seq, tags: append([]Tag(nil), r.ahead[:p.offset]...),
			before: r.last, known: true, after: *previous,
		})
	}
	r.seq, r.last = p.seq+1, *own
	n := copy(r.ahead[:], r.ahead[p.offset+1:])
	for ; n < Ahead; n++ {
		r.ahead[n] = nextTag(&r.key)
	}
	r.giveUp()
}

// fill splits a gap around the cell at p.
func (r *receiver) fill(p place, previous, own *mac) {
	g := r.gaps[p.gap]
	left := gap{first: g.first, tags: g.tags[:p.offset:p.offset], before: g.before, known: g.known, after: *previous}
	right := gap{first: p.seq + 1, tags: g.tags[p.offset+1:], before: *own, known: true, after: g.after}
	rest := append([]gap(nil), r.gaps[p.gap+1:]...)
	r.gaps = r.gaps[:p.gap]
	for _, part := range []gap{left, right} {
		if len(part.tags) > 0 {
			r.gaps = append(r.gaps, part)
		}
	}
	r.gaps = append(r.gaps, rest...)
}

// giveUp enforces MaxGaps and MaxGapAge.
func (r *receiver) giveUp() {
	missing := r.missing()
	for len(r.gaps) > 0 && (missing > MaxGaps || r.seq-r.gaps[0].first > MaxGapAge) {
		g := &r.gaps[0]
		missing--
		g.first++
		g.tags = g.tags[1:]
		g.known = false
		if len(g.tags) == 0 {
			r.gaps = r.gaps[1:]
		}
	}
}

func equal(a, b []byte) bool { return subtle.ConstantTimeCompare(a, b) == 1 }
