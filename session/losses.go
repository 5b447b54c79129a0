package session

import "golang.org/x/crypto/cryptobyte"

// MaxLost is how many spans of lost cells are kept to be told. Of more, the two that
// lie nearest to each other become one, with what came between them: to send that
// again does no harm.
const MaxLost = 64

// A Span is a run of cells of one direction.
type Span struct{ First, Count uint64 }

func (s Span) end() uint64 { return s.First + s.Count }

// TakeLost returns which cells of the peer's were given up since it was last called,
// ascending, at most MaxLost spans. The peer is to be told: nothing else says that it
// repeats them in vain.
func (s *Session) TakeLost() []Span {
	lost := s.receive.lost
	s.receive.lost = nil
	return lost
}

// Losing reports whether TakeLost has something to return.
func (s *Session) Losing() bool { return len(s.receive.lost) > 0 }

// GiveUp stops waiting for the cells of the peer that are missing below a number,
// and reports whether there were any: none of them is in the Window any more. The
// caller knows for how long mailboxes keep what the peer does not repeat.
func (s *Session) GiveUp(below uint64) bool {
	before := s.receive.missing()
	s.receive.drop(func(g *gap) bool { return uint64(g.first) < below })
	return s.receive.missing() < before
}

// Sent reports whether a claim of the peer's is about cells that we sealed, all of
// them.
func (s *Session) Sent(claim Span) bool {
	n := s.Sealed()
	return claim.Count > 0 && claim.First < n && claim.Count <= n-claim.First
}

// lose notes that a cell after all those that were lost is lost, too.
func (r *receiver) lose(number uint32) {
	n := uint64(number)
	if last := len(r.lost) - 1; last >= 0 && r.lost[last].end() == n {
		r.lost[last].Count++
		return
	}

	r.lost = append(r.lost, Span{n, 1})
	if len(r.lost) <= MaxLost {
		return
	}
	near := 1
	for i := 2; i < len(r.lost); i++ {
		if r.lost[i].First-r.lost[i-1].end() < r.lost[near].First-r.lost[near-1].end() {
			near = i
		}
	}
	r.lost[near-1].Count = r.lost[near].end() - r.lost[near-1].First
	r.lost = append(r.lost[:near], r.lost[near+1:]...)
}

// marshalLost appends the lost: spans 1, each: first 4 ‖ count 4.
func (r *receiver) marshalLost(b *cryptobyte.Builder) {
	b.AddUint8(uint8(len(r.lost)))
	for _, s := range r.lost {
		b.AddUint32(uint32(s.First))
		b.AddUint32(uint32(s.Count))
	}
}

// unmarshalLost reads what marshalLost wrote, of a receiver that can be: ascending
// spans that do not meet, below all that is still waited for.
func (r *receiver) unmarshalLost(in *cryptobyte.String) bool {
	var n uint8
	if !in.ReadUint8(&n) || n > MaxLost {
		return false
	}
	limit := uint64(r.number)
	if len(r.gaps) > 0 {
		limit = uint64(r.gaps[0].first)
	}
	for i := range int(n) {
		var first, count uint32
		if !in.ReadUint32(&first) || !in.ReadUint32(&count) || count == 0 {
			return false
		}
		s := Span{uint64(first), uint64(count)}
		if s.end() > limit || i > 0 && s.First <= r.lost[i-1].end() {
			return false
		}
		r.lost = append(r.lost, s)
	}
	return true
}
