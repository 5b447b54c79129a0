package session

import (
	"errors"
	"testing"

	"starling/session/envelope"
)

// sealSignal seals a body under the tag of a signal, however wrong it is.
func sealSignal(t *testing.T, s *Session, tag Tag, edit func(b *envelope.Body)) Cell {
	t.Helper()
	c := sealBody(t, s, func(b *envelope.Body, p *[envelope.BodySize]byte) {
		if p == nil {
			b.Count, b.Data = 0, nil
			edit(b)
		}
	})
	c.Tag = tag
	return c
}

// TestLiesAboutCounts: a peer's counts of heard cells and flares are believed as far as
// they can be, and nothing is changed by more.
func TestLiesAboutCounts(t *testing.T) {
	type lie struct {
		name string
		edit func(b *envelope.Body)
		want error
	}
	alice, bob := talking(t)
	sealed, next := bob.send.cells.n, bob.receive.nextFlare()
	for _, l := range []lie{
		{"heard all", func(b *envelope.Body) { b.Heard = sealed }, nil},
		{"heard one more", func(b *envelope.Body) { b.Heard = sealed + 1 }, ErrBehind},
		{"heard everything", func(b *envelope.Body) { b.Heard = 1<<32 - 1 }, ErrBehind},
		{"heard nothing", func(b *envelope.Body) { b.Heard = 0 }, nil},
		{"the next flare", func(b *envelope.Body) { b.Flare = next + 1 }, nil},
		{"the one after", func(b *envelope.Body) { b.Flare = next + 2 }, ErrBehind},
		{"a late flare", func(b *envelope.Body) { b.Flare = 1<<32 - 1 }, ErrBehind},
	} {
		to := restore(t, state(t, bob))
		before := string(state(t, to))
		_, err := to.Open(sealBody(t, alice, func(b *envelope.Body, p *[envelope.BodySize]byte) { l.edit(b) }))
		if err != l.want || err != nil && string(state(t, to)) != before {
			t.Errorf("%s: %v", l.name, err)
		}
		if to.send.heard > to.send.cells.n || to.send.heard < bob.send.heard || to.Room() > MaxUnheard {
			t.Errorf("%s: heard %d of %d", l.name, to.send.heard, to.send.cells.n)
		}
	}
}

// TestLiesInSignals: a flare and an answer must fit their tags, and move nothing
// further than a direction can have come.
func TestLiesInSignals(t *testing.T) {
	alice, bob := talking(t)
	for range flareAt {
		seal(t, bob, "lost")
	}
	if bob.send.flare == nil || len(bob.Calls()) != flaresAhead+1 {
		t.Fatal("no flare is up")
	}
	tags, here := bob.Calls(), bob.receive.number
	up := bob.send.flare.number
	for name, l := range map[string]struct {
		tag  Tag
		edit func(b *envelope.Body)
		want error
	}{
		"flare":                          {tags[0], func(b *envelope.Body) {}, nil},
		"flare, as far as can be":        {tags[0], func(b *envelope.Body) { b.Number = here + MaxUnheard }, nil},
		"flare, further":                 {tags[0], func(b *envelope.Body) { b.Number = here + MaxUnheard + 1 }, ErrBehind},
		"flare, at the end":              {tags[0], func(b *envelope.Body) { b.Number = 1<<32 - 1 }, ErrBehind},
		"flare behind":                   {tags[0], func(b *envelope.Body) { b.Number = here - 1 }, nil},
		"flare of another number":        {tags[0], func(b *envelope.Body) { b.Flare++ }, ErrRefused},
		"flare of a number before":       {tags[1], func(b *envelope.Body) {}, ErrRefused},
		"flare with a content":           {tags[0], func(b *envelope.Body) { b.Count, b.Data = 1, []byte("x") }, ErrRefused},
		"flare of another history":       {tags[0], func(b *envelope.Body) { b.Previous[0] ^= 1 }, ErrForked},
		"answer that has not heard":      {tags[2], func(b *envelope.Body) { b.Heard = up - 1 }, ErrRefused},
		"answer":                         {tags[2], func(b *envelope.Body) { b.Heard = up }, nil},
		"answer that has heard more":     {tags[2], func(b *envelope.Body) { b.Heard = up + 1 }, ErrBehind},
		"answer, far ahead":              {tags[2], func(b *envelope.Body) { b.Heard, b.Number = up, 1<<32-1 }, ErrBehind},
		"signal under the tag of a cell": {bob.receive.ahead[0], func(b *envelope.Body) {}, ErrRefused},
	} {
		to := restore(t, state(t, bob))
		before := string(state(t, to))
		_, err := to.Open(sealSignal(t, alice, l.tag, l.edit))
		if err != l.want || err != nil && (string(state(t, to)) != before || !errors.Is(err, ErrRefused)) {
			t.Errorf("%s: %v", name, err)
		}
		if n := len(to.Window()); n > 3+MaxGaps+Ahead {
			t.Errorf("%s: %d tags", name, n)
		}
		if err == nil && len(to.Signals()) > 2 {
			t.Errorf("%s: %d signals", name, len(to.Signals()))
		}
	}
}

// TestSignalsBesideGaps: the cell that a signal names as the one before it is held
// against the cells on both sides, when they come.
func TestSignalsBesideGaps(t *testing.T) {
	alice, bob := talking(t)
	var lost []Cell
	for len(alice.Signals()) == 0 {
		lost = append(lost, seal(t, alice, "lost"))
	}
	if _, err := bob.Open(alice.Signals()[0]); err != nil {
		t.Fatal(err)
	}
	if bob.Passed() != alice.Sealed() || len(bob.Signals()) != 1 {
		t.Fatalf("come to %d of %d", bob.Passed(), alice.Sealed())
	}
	last, answer := lost[len(lost)-1], bob.Signals()[0]

	// Another history between the flare and the cells before.
	bob = restore(t, state(t, bob))
	for _, spoil := range []func(g *gap){func(g *gap) { g.after[0] ^= 1 }, func(g *gap) { g.before[0] ^= 1 }} {
		other := restore(t, state(t, bob))
		spoil(&other.receive.gaps[0])
		_, one := other.Open(last)
		_, two := restoreAnyway(other).Open(lost[0])
		if (one == ErrForked) == (two == ErrForked) {
			t.Errorf("%v, %v", one, two)
		}
	}

	// A signal from before, which comes late: at either end of the gap.
	for _, at := range []uint32{bob.receive.gaps[0].first, bob.receive.number} {
		late := sealSignal(t, alice, bob.receive.flare[0], func(b *envelope.Body) { b.Number, b.Flare = at, bob.receive.nextFlare() })
		if _, err := bob.Open(late); (err == nil) != (at == bob.receive.number) || err != nil && err != ErrForked {
			t.Errorf("at %d: %v", at, err)
		}
	}
	for _, c := range lost {
		open(t, bob, c, "lost")
	}
	open(t, alice, seal(t, bob, "y"), "y")
	if alice.send.flare == nil || !containsTag(alice.Window(), answer.Tag) {
		t.Error("the flare is over though the peer may not know of it")
	}
	if _, err := alice.Open(answer); err != nil || alice.send.flare != nil || containsTag(alice.Window(), answer.Tag) {
		t.Error("the flare is still up", err)
	}
}

// restoreAnyway copies a session without the checks of reading it back.
func restoreAnyway(s *Session) *Session {
	c := *s
	return &c
}
