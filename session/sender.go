package session

import (
	"golang.org/x/crypto/cryptobyte"

	"starling/session/envelope"
	"starling/session/internal/kdf"
)

// Limits of the cells a sender sends. They count cells, never time.
const (
	// MaxUnheard is how many cells may be sealed that the peer is not known to
	// have come past. One cell may then skip as many keys, and the peer watches as
	// many tags: both are fewer than ratchet.MaxSkip, two signals included.
	MaxUnheard = 768
	// flareAt is how many such cells there are when a flare goes up. A receiver asks
	// for at least as many of the tags ahead.
	flareAt = 12
)

// sender is the sending direction.
type sender struct {
	cells    chain  // at the next cell
	previous mac    // of the cell before
	heard    uint32 // the peer has come to this number: below it lie cells that came, and gaps
	flares   chain  // at the flare that is up, or else at the next
	flare    *signal
	answers  chain // behind the last answer
	answer   *signal
}

// A signal is a cell without a content, which is repeated until it is known to
// have come.
type signal struct {
	number uint32 // of the next cell when it was sealed
	Cell
}

func newSender(k [kdf.Size]byte) (s sender) {
	s.cells, s.flares, s.answers = chains(k)
	return s
}

// next moves on behind a box and returns its tag.
func (s *sender) next(box *[envelope.CellSize]byte) Tag {
	s.previous = envelope.MAC(box)
	return s.cells.next()
}

// unheard returns how many cells the peer is not known to have come past.
func (s *sender) unheard() int { return int(s.cells.n - s.heard) }

// marshal appends the sender: cells 36 ‖ previous 32 ‖ heard 4 ‖ flares 36 ‖
// answers 36 ‖ signals 1 (1 flare, 2 answer), each: number 4 ‖ tag 16 ‖ box 1,536.
func (s *sender) marshal(b *cryptobyte.Builder) {
	s.cells.marshal(b)
	b.AddBytes(s.previous[:])
	b.AddUint32(s.heard)
	s.flares.marshal(b)
	s.answers.marshal(b)

	b.AddUint8(bit(s.flare != nil) | bit(s.answer != nil)<<1)
	for _, x := range []*signal{s.flare, s.answer} {
		if x != nil {
			b.AddUint32(x.number)
			b.AddBytes(x.Tag[:])
			b.AddBytes(x.Box[:])
		}
	}
}

// unmarshal reads the encoding of marshal, and refuses a sender that cannot be.
func (s *sender) unmarshal(in *cryptobyte.String) bool {
	var signals uint8
	if !s.cells.unmarshal(in) || !in.CopyBytes(s.previous[:]) || !in.ReadUint32(&s.heard) ||
		!s.flares.unmarshal(in) || !s.answers.unmarshal(in) || !in.ReadUint8(&signals) || signals > 3 ||
		s.heard > s.cells.n || s.unheard() > MaxUnheard {
		return false
	}
	if signals&1 != 0 {
		s.flare = new(signal)
	}
	if signals&2 != 0 {
		s.answer = new(signal)
	}
	return s.flare.unmarshal(in, s) && s.answer.unmarshal(in, s) && (s.answer == nil || s.answers.n > 0)
}

// unmarshal reads a signal, if there is one.
func (x *signal) unmarshal(in *cryptobyte.String, s *sender) bool {
	return x == nil ||
		in.ReadUint32(&x.number) && x.number <= s.cells.n && in.CopyBytes(x.Tag[:]) && in.CopyBytes(x.Box[:])
}
