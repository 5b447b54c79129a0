package session

import (
	"crypto/subtle"

	"golang.org/x/crypto/cryptobyte"

	"starling/session/envelope"
	"starling/session/internal/kdf"
	"starling/session/ratchet"
)

// Limits of the cells a receiver waits for. They count cells, never time.
const (
	// Ahead is how many tags after the highest number known are asked for.
	Ahead = 32
	// MaxGaps is how many cells that were passed over are still asked for; the
	// oldest are given up first. One flare passes over no more.
	MaxGaps = MaxUnheard
	// MaxGapAge is how many cells after it a missing cell is given up. It is also
	// given up when its key is (ratchet.MaxOldChains).
	MaxGapAge = 1024
	// flaresAhead is how many of the peer's flares are waited for: the one that may
	// be up, and the one after it, in case another cell has made it needless.
	flaresAhead = 2
)

// receiver is the receiving direction: the cells that have come, the tags of the
// others, and the conditions for a cell to continue the same history.
type receiver struct {
	cells   chain      // behind ahead
	number  uint32     // one more than the highest that is known to be sealed
	last    mac        // of cell number-1
	ahead   [Ahead]Tag // of cells number, number+1, …
	gaps    []gap      // ascending
	lost    []Span     // below the gaps: given up, and not told yet
	flares  chain      // behind flare
	flare   [flaresAhead]Tag
	answers chain // at the answer to our flare that is up, or else to the next
}

// A gap is a run of cells that have not come.
type gap struct {
	first  uint32
	tags   []Tag
	steps  uint32 // of the ratchet when the oldest of their keys was made, or fewer
	before mac    // of cell first-1
	known  bool   // before is known; not so when older cells of the run were given up
	after  mac    // named as the MAC of the last of the run
}

// place is where a cell belongs.
type place struct {
	kind   kind
	number uint32 // of a cell or a flare
	gap    int    // index in gaps, or -1
	offset int    // in the gap or in ahead
}

type kind uint8

const (
	ordinary kind = iota // a fragment of a content
	flare
	answer
)

func newReceiver(k [kdf.Size]byte) (r receiver) {
	r.cells, r.flares, r.answers = chains(k)
	for i := range r.ahead {
		r.ahead[i] = r.cells.next()
	}
	for i := range r.flare {
		r.flare[i] = r.flares.next()
	}
	return r
}

// nextFlare is the number of the peer's flare that may be up.
func (r *receiver) nextFlare() uint32 { return r.flares.n - flaresAhead }

// flaresFrom notes that the peer's flares below a number are done with.
func (r *receiver) flaresFrom(n uint32) {
	for r.nextFlare() < n {
		r.flare[0], r.flare[1] = r.flare[1], r.flares.next()
	}
}

func (r *receiver) missing() (n int) {
	for i := range r.gaps {
		n += len(r.gaps[i].tags)
	}
	return n
}

// find returns the place of a tag. Our own flare says whether an answer is waited
// for.
func (r *receiver) find(tag Tag, lit bool) (place, bool) {
	for i := range r.ahead {
		if equal(r.ahead[i][:], tag[:]) {
			return place{number: r.number + uint32(i), gap: -1, offset: i}, true
		}
	}

	for g := range r.gaps {
		for i := range r.gaps[g].tags {
			if equal(r.gaps[g].tags[i][:], tag[:]) {
				return place{number: r.gaps[g].first + uint32(i), gap: g, offset: i}, true
			}
		}
	}

	for i := range r.flare {
		if equal(r.flare[i][:], tag[:]) {
			return place{kind: flare, number: r.nextFlare() + uint32(i)}, true
		}
	}

	if lit {
		if t := r.answers.tag(); equal(t[:], tag[:]) {
			return place{kind: answer}, true
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

// agrees reports whether a signal that was sealed before cell n names the MAC of
// the cell before it, as far as that is known.
func (r *receiver) agrees(n uint32, previous *mac) bool {
	if n == r.number {
		return equal(previous[:], r.last[:])
	}
	for i := range r.gaps {
		g := &r.gaps[i]
		if n == g.first && g.known && !equal(previous[:], g.before[:]) ||
			n == g.end() && !equal(previous[:], g.after[:]) {
			return false
		}
	}
	return true
}

// end is the number after the run.
func (g *gap) end() uint32 { return g.first + uint32(len(g.tags)) }

// accept notes that the cell at p has come.
func (r *receiver) accept(p place, previous, own *mac, steps uint32) {
	if p.gap >= 0 {
		r.fill(p, previous, own)
		return
	}
	r.jump(p.number, previous, steps)
	r.number, r.last = p.number+1, *own
	copy(r.ahead[:], r.ahead[1:])
	r.ahead[Ahead-1] = r.cells.next()
}

// jump notes that all cells before n are sealed, and the MAC of the last of them.
func (r *receiver) jump(n uint32, previous *mac, steps uint32) {
	if n <= r.number {
		return
	}
	passed := make([]Tag, n-r.number)
	i := copy(passed, r.ahead[:])
	rest := copy(r.ahead[:], r.ahead[i:])
	for ; i < len(passed); i++ {
		passed[i] = r.cells.next()
	}
	for ; rest < Ahead; rest++ {
		r.ahead[rest] = r.cells.next()
	}
	r.gaps = append(r.gaps, gap{first: r.number, tags: passed, steps: steps, before: r.last, known: true, after: *previous})
	r.number, r.last = n, *previous
}

// fill splits a gap around the cell at p.
func (r *receiver) fill(p place, previous, own *mac) {
	g := r.gaps[p.gap]
	left := gap{first: g.first, tags: g.tags[:p.offset:p.offset], steps: g.steps, before: g.before, known: g.known, after: *previous}
	right := gap{first: p.number + 1, tags: g.tags[p.offset+1:], steps: g.steps, before: *own, known: true, after: g.after}
	rest := append([]gap(nil), r.gaps[p.gap+1:]...)
	r.gaps = r.gaps[:p.gap]
	for _, part := range []gap{left, right} {
		if len(part.tags) > 0 {
			r.gaps = append(r.gaps, part)
		}
	}
	r.gaps = append(r.gaps, rest...)
}

// giveUp enforces the limits.
func (r *receiver) giveUp(steps uint32) {
	missing := r.missing()
	r.drop(func(g *gap) bool {
		over := missing > MaxGaps || r.number-g.first > MaxGapAge || steps-g.steps > ratchet.MaxOldChains
		if over {
			missing--
		}
		return over
	})
}

// drop gives up the oldest missing cells for as long as over says so.
func (r *receiver) drop(over func(*gap) bool) {
	for len(r.gaps) > 0 && over(&r.gaps[0]) {
		g := &r.gaps[0]
		r.lose(g.first)
		g.first++
		g.tags = g.tags[1:]
		g.known = false
		if len(g.tags) == 0 {
			r.gaps = r.gaps[1:]
		}
	}
}

func equal(a, b []byte) bool { return subtle.ConstantTimeCompare(a, b) == 1 }

// marshal appends the receiver: cells 36 ‖ number 4 ‖ last 32 ‖ tags ahead 32 × 16
// ‖ gaps 2, each: first 4 ‖ steps 4 ‖ known 1 ‖ before 32 ‖ after 32 ‖ tags 2 × 16
// ‖ lost ‖ flares 36 ‖ tags of flares 2 × 16 ‖ answers 36.
func (r *receiver) marshal(b *cryptobyte.Builder) {
	r.cells.marshal(b)
	b.AddUint32(r.number)
	b.AddBytes(r.last[:])
	addTags(b, r.ahead[:])
	b.AddUint16(uint16(len(r.gaps)))
	for i := range r.gaps {
		r.gaps[i].marshal(b)
	}
	r.marshalLost(b)
	r.flares.marshal(b)
	addTags(b, r.flare[:])
	r.answers.marshal(b)
}

func (g *gap) marshal(b *cryptobyte.Builder) {
	b.AddUint32(g.first)
	b.AddUint32(g.steps)
	b.AddUint8(bit(g.known))
	b.AddBytes(g.before[:])
	b.AddBytes(g.after[:])
	b.AddUint16(uint16(len(g.tags)))
	addTags(b, g.tags)
}

// unmarshal reads the encoding of marshal, and refuses a receiver that cannot be.
func (r *receiver) unmarshal(in *cryptobyte.String) bool {
	var gaps uint16
	if !r.cells.unmarshal(in) || !in.ReadUint32(&r.number) || r.number > envelope.MaxNumber+1 ||
		r.cells.n != r.number+Ahead ||
		!in.CopyBytes(r.last[:]) || !readTags(in, r.ahead[:]) || !in.ReadUint16(&gaps) {
		return false
	}
	for range gaps {
		var g gap
		if !g.unmarshal(in) {
			return false
		}
		r.gaps = append(r.gaps, g)
	}
	return r.unmarshalLost(in) && r.flares.unmarshal(in) && r.flares.n >= flaresAhead && readTags(in, r.flare[:]) && r.answers.unmarshal(in)
}

func (g *gap) unmarshal(in *cryptobyte.String) bool {
	var known uint8
	var tags uint16
	if !in.ReadUint32(&g.first) || !in.ReadUint32(&g.steps) || !in.ReadUint8(&known) || known > 1 ||
		!in.CopyBytes(g.before[:]) || !in.CopyBytes(g.after[:]) ||
		!in.ReadUint16(&tags) || tags == 0 || tags > MaxGaps {
		return false
	}
	g.known, g.tags = known == 1, make([]Tag, tags)
	return readTags(in, g.tags)
}

// fits reports whether the gaps are possible for a receiver at a step of the ratchet:
// in order, within the limits, and agreeing where they meet.
func (r *receiver) fits(steps uint32) bool {
	for i := range r.gaps {
		g := &r.gaps[i]
		if uint32(len(g.tags)) > r.number || g.first > r.number-uint32(len(g.tags)) ||
			r.number-g.first > MaxGapAge || g.steps > steps || steps-g.steps > ratchet.MaxOldChains {
			return false
		}
		if i > 0 {
			if p := &r.gaps[i-1]; g.first < p.end() || g.steps < p.steps ||
				g.first == p.end() && (!g.known || g.before != p.after) {
				return false
			}
		}
		if g.end() == r.number && g.after != r.last {
			return false
		}
	}
	return r.missing() <= MaxGaps
}

func addTags(b *cryptobyte.Builder, tags []Tag) {
	for i := range tags {
		b.AddBytes(tags[i][:])
	}
}

func readTags(in *cryptobyte.String, tags []Tag) bool {
	for i := range tags {
		if !in.CopyBytes(tags[i][:]) {
			return false
		}
	}
	return true
}

func bit(b bool) uint8 {
	if b {
		return 1
	}
	return 0
}
