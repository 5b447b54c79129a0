package guard_test

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"starling/p2p/guard"
	"starling/p2p/guard/guardtest"
)

// TestState: the order, the meetings, the grace and the budget survive a restart.
func TestState(t *testing.T) {
	w, first := settled(t, 300, 1)
	w.State = away(guardtest.Absent, first...)
	w.Lose(first[0])
	w.Lose(first[1])
	w.Run(time.Hour)
	g := w.Guards
	b := g.Append(nil)
	again := guard.New(guard.Config{})
	rest, err := again.Cut(append(bytes.Clone(b), 7, 7))
	if err != nil || !bytes.Equal(rest, []byte{7, 7}) {
		t.Fatal(err)
	}
	if !slices.Equal(again.Known(), g.Known()) || !slices.Equal(again.Met(), g.Met()) || !bytes.Equal(again.Append(nil), b) {
		t.Error("it is not what it was")
	}
	for _, id := range g.Known() {
		if !slices.Equal(again.Addresses(id), g.Addresses(id)) {
			t.Error("addresses are lost")
		}
	}
	for n := range b {
		if _, err := again.Cut(b[:n]); err == nil {
			t.Errorf("cut at %d: accepted", n)
		}
	}
	// And goes on where it was: those that were met come first, the budget is spent.
	next := guardtest.New(again)
	again.Relays(guardtest.Relays(0, 300), true)
	next.State = w.State
	next.Run(time.Hour)
	for id := range next.Seen {
		if !slices.Contains(g.Met(), id) {
			t.Errorf("%v is new", id)
		}
	}
}

func FuzzState(f *testing.F) {
	g := guard.New(guard.Config{Rand: rand.New(rand.NewPCG(1, 1))})
	w := guardtest.New(g)
	g.Relays(guardtest.Relays(0, 300), true)
	w.Run(time.Hour)
	f.Add(g.Append(nil))
	f.Add(guard.New(guard.Config{}).Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		g := guard.New(guard.Config{})
		if rest, err := g.Cut(b); err == nil && !bytes.Equal(append(g.Append(nil), rest...), b) {
			t.Fatalf("%x is not written as it was read", b)
		}
	})
}
