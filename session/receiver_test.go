package session

import (
	"encoding/binary"
	"math"
	"slices"
	"testing"

	"starling/session/ratchet"
)

// TestGapsFitTheirSteps: a gap is as old as its keys are kept, and not older.
func TestGapsFitTheirSteps(t *testing.T) {
	at := func(steps ...uint32) *receiver {
		r := &receiver{number: 100}
		for i, s := range steps {
			r.gaps = append(r.gaps, gap{first: uint32(10 * (i + 1)), tags: make([]Tag, 3), steps: s})
		}
		return r
	}
	const now, oldest = 1000, 1000 - ratchet.MaxOldChains
	for name, c := range map[string]struct {
		r    *receiver
		good bool
	}{
		"of now":             {at(now), true},
		"the oldest":         {at(oldest), true},
		"too old":            {at(oldest - 1), false},
		"to come":            {at(now + 1), false},
		"of the same":        {at(990, 990), true},
		"the later is older": {at(990, 989), false},
		"one after another":  {at(oldest, 990, now), true},
	} {
		if got := c.r.fits(now); got != c.good {
			t.Errorf("%s: %v", name, got)
		}
	}
	if at(3).fits(2) || at(1<<32-1).fits(3) {
		t.Error("a step to come fits")
	}
}

// TestGiveUpSpans: cells given up are told in runs, and two runs that do not meet are
// two.
func TestGiveUpSpans(t *testing.T) {
	s := gapped(t)
	var want []Span
	for i := range s.receive.gaps {
		g := &s.receive.gaps[i]
		want = append(want, Span{uint64(g.first), uint64(len(g.tags))})
	}
	if !s.GiveUp(s.Passed()) {
		t.Error("nothing is given up")
	}
	s = restore(t, state(t, s))
	if got := s.TakeLost(); !slices.Equal(got, want) || len(got) != 3 {
		t.Errorf("given up %v, want %v", got, want)
	}
	if len(s.receive.gaps) != 0 || s.GiveUp(s.Passed()) || s.Losing() || len(restore(t, state(t, s)).TakeLost()) != 0 {
		t.Error("something is left")
	}
}

// TestSentExactly: of a claim about our cells nothing beyond the last is believed.
func TestSentExactly(t *testing.T) {
	s, _ := talking(t)
	n := s.Sealed()
	for claim, want := range map[Span]bool{{n, 0}: false, {n, 1}: false, {n - 1, 1}: true, {n - 1, 2}: false, {n + 1, 1}: false, {0, n}: true} {
		if got := s.Sent(claim); got != want {
			t.Errorf("%v of %d: %v", claim, n, got)
		}
	}
}

// TestKeysEndWithTheirSteps: a missing cell is given up when its key is, and no sooner.
func TestKeysEndWithTheirSteps(t *testing.T) {
	for steps, want := range map[uint32]int{ratchet.MaxOldChains: 0, ratchet.MaxOldChains + 1: 2} {
		r := &receiver{number: 10, gaps: []gap{{first: 3, tags: make([]Tag, 2), steps: 5}}}
		lost := 0
		r.giveUp(5 + steps)
		for _, s := range r.lost {
			lost += int(s.Count)
		}
		if lost != want {
			t.Errorf("after %d steps %d are given up, want %d", steps, lost, want)
		}
	}
}

// TestAfterGivingUp: when the first of a run is given up, the cell before the second is
// not known any more, and the second still opens; so do those around it.
func TestAfterGivingUp(t *testing.T) {
	alice, bob := talking(t)
	var cells []Cell
	for range 4 {
		cells = append(cells, seal(t, alice, "late"))
	}
	open(t, bob, seal(t, alice, "x"), "x")
	if !bob.GiveUp(uint64(bob.receive.gaps[0].first) + 1) {
		t.Fatal("nothing is given up")
	}
	bob = restore(t, state(t, bob))
	refuse(t, bob, cells[0])
	for _, i := range []int{2, 1, 3} {
		open(t, bob, cells[i], "late")
	}
	if bob.receive.missing() != 0 {
		t.Errorf("%d are missing", bob.receive.missing())
	}
}

// sealedSoFar returns a session with n messages sealed on the chain of its ratchet.
func sealedSoFar(t *testing.T, s *Session, n uint32) *Session {
	t.Helper()
	b := state(t, s)
	inner, err := s.ratchet.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	// Version, AD, flags, RK, DHs with its public key, DHr, CKs, CKr, header keys.
	at := len(b) - len(inner) + 1 + 32 + 1 + 6*32 + 4*64
	binary.BigEndian.PutUint32(b[at:], n)
	if s, err = UnmarshalSession(b); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestNoSignalAfterTheLast: when the ratchet's numbers are used up nothing is sealed any
// more, neither a flare nor an answer.
func TestNoSignalAfterTheLast(t *testing.T) {
	alice, bob := talking(t)
	open(t, alice, seal(t, bob, "so far"), "so far")
	for range flareAt - 1 {
		seal(t, alice, "x")
	}
	alice = sealedSoFar(t, alice, math.MaxUint32-1)
	seal(t, alice, "the last")
	if _, err := alice.Seal(newID(), nil, 0); err != ErrExhausted || len(alice.Signals()) != 0 {
		t.Errorf("%v; %d signals without a key", err, len(alice.Signals()))
	}
	for range flareAt {
		seal(t, bob, "x")
	}
	if _, err := alice.Open(bob.Signals()[0]); err != nil || len(alice.Signals()) != 0 {
		t.Errorf("%v; %d signals without a key", err, len(alice.Signals()))
	}
}
