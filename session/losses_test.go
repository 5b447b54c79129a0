package session

import (
	"slices"
	"testing"
)

// TestLostIsBounded: of more spans than are kept, the two that lie nearest become one,
// and no lost cell is left out.
func TestLostIsBounded(t *testing.T) {
	r := new(receiver)
	lost := map[uint64]bool{}
	lose := func(n uint32) { r.lose(n); lost[uint64(n)] = true }
	for i := range uint32(MaxLost) {
		lose(10 * i)
		lose(10*i + 1) // the same span
	}
	if len(r.lost) != MaxLost || r.lost[3] != (Span{30, 2}) {
		t.Fatalf("%d spans, %v", len(r.lost), r.lost[3])
	}

	last := uint32(10*(MaxLost-1) + 1)
	lose(last + 3) // nearest to the last
	if len(r.lost) != MaxLost || r.lost[MaxLost-1] != (Span{uint64(last - 1), 5}) || r.lost[MaxLost-2].Count != 2 {
		t.Errorf("the last are %v", r.lost[MaxLost-2:])
	}
	lose(last + 100) // of the others the first two are as near as any
	if r.lost[0] != (Span{0, 12}) || r.lost[1] != (Span{20, 2}) {
		t.Errorf("the first are %v", r.lost[:2])
	}
	for n := last + 103; n < last+5000; n += 1 + n%7 {
		lose(n)
	}

	for i, s := range r.lost {
		if i > 0 && s.First <= r.lost[i-1].end() {
			t.Fatalf("%v meet", r.lost[i-1:i+1])
		}
		for n := s.First; n < s.end(); n++ {
			delete(lost, n)
		}
	}
	if len(r.lost) != MaxLost || len(lost) != 0 {
		t.Errorf("%d spans, without %v", len(r.lost), lost)
	}
}

// TestImpossibleLosses: what is lost lies in spans that ascend and do not meet, below
// all that is waited for.
func TestImpossibleLosses(t *testing.T) {
	s := gapped(t)
	first := uint64(s.receive.gaps[0].first) + 2
	s.GiveUp(first)
	number := uint64(s.receive.number)
	many := make([]Span, MaxLost+1)
	for name, c := range map[string]struct {
		lost []Span
		good bool
	}{
		"as it is":              {s.receive.lost, true},
		"none":                  {nil, true},
		"two":                   {[]Span{{0, 1}, {2, first - 2}}, true},
		"too many":              {many, false},
		"an empty one":          {[]Span{{0, 0}}, false},
		"of what is waited for": {[]Span{{0, first + 1}}, false},
		"beyond all":            {[]Span{{number, 1}}, false},
		"far beyond":            {[]Span{{1<<32 - 1, 1<<32 - 1}}, false},
		"that meet":             {[]Span{{0, 1}, {1, 1}}, false},
		"one over the other":    {[]Span{{0, 2}, {1, 1}}, false},
		"in another order":      {[]Span{{2, 1}, {0, 1}}, false},
	} {
		if got := reading(t, s, func(s *Session) { s.receive.lost = c.lost }); got != c.good {
			t.Errorf("%s: %v", name, got)
		}
	}

	if !reading(t, s, func(s *Session) { s.receive.gaps, s.receive.lost = nil, []Span{{0, number}} }) {
		t.Error("all, while nothing is waited for")
	}
	if reading(t, s, func(s *Session) { s.receive.gaps, s.receive.lost = nil, []Span{{0, number + 1}} }) {
		t.Error("more than all")
	}

	for i := range many[:MaxLost] { // as many as can be
		many[i] = Span{uint64(2 * i), 1}
	}
	if !reading(t, s, func(s *Session) {
		s.receive.gaps, s.receive.lost = nil, many[:MaxLost]
		s.receive.number = 2 * MaxLost
		s.receive.cells.n = s.receive.number + Ahead
	}) {
		t.Error("as many as can be")
	}
	if got := restore(t, state(t, s)).TakeLost(); !slices.Equal(got, s.TakeLost()) || len(got) != 1 {
		t.Errorf("read back %v", got)
	}
}
