package guard_test

import (
	"slices"
	"testing"
	"time"

	"starling/p2p/guard/guardtest"
	"starling/p2p/wire"
)

// TestStandIn: one of two away is waited for, two hours, then another stands in until
// it is back; the next time it is the same one.
func TestStandIn(t *testing.T) {
	for _, s := range []guardtest.State{guardtest.Absent, guardtest.Refuses, guardtest.Other} {
		w, first := settled(t, 50, 1)
		w.State = away(s, first[0])
		w.Lose(first[0])
		w.Run(2*time.Hour - time.Second)
		if got := w.Guards.InUse(w.Now); !slices.Equal(got, first[1:]) {
			t.Fatalf("before two hours: %v", got)
		}
		seenBy(t, w, first)
		w.Run(2 * time.Second)
		two := w.Guards.InUse(w.Now)
		if len(two) != 2 || two[0] != first[1] || len(w.Seen) != 3 {
			t.Fatalf("after two hours: %v, seen by %d", two, len(w.Seen))
		}
		w.State = nil
		w.Run(10 * time.Minute)
		if got := w.Guards.InUse(w.Now); !slices.Equal(got, first) || w.Links() != 2 {
			t.Fatalf("it is back: %v, %d links", got, w.Links())
		}
		w.State = away(s, first[1])
		w.Lose(first[1])
		w.Run(2*time.Hour + time.Minute)
		if got := w.Guards.InUse(w.Now); !slices.Equal(got, []wire.NodeID{first[0], two[1]}) || len(w.Seen) != 3 {
			t.Fatalf("the next time: %v, seen by %d", got, len(w.Seen))
		}
	}
}

// TestAvoided: a relay that the judge avoids counts as one that hung up, for half
// an hour; then it is tried again.
func TestAvoided(t *testing.T) {
	w, first := settled(t, 50, 1)
	w.Guards.Avoid(first[0], w.Now)
	if got := w.Guards.InUse(w.Now); !slices.Equal(got, first[1:]) {
		t.Errorf("in use at once: %v", got)
	}
	w.Run(time.Minute)
	two := w.Guards.InUse(w.Now)
	if len(two) != 2 || two[0] != first[1] || w.Linked(first[0]) || len(w.Seen) != 3 {
		t.Fatalf("in use: %v, seen by %d", two, len(w.Seen))
	}
	w.Run(28 * time.Minute)
	if got := w.Guards.InUse(w.Now); !slices.Equal(got, two) {
		t.Errorf("after 29 minutes: %v", got)
	}
	w.Run(7 * time.Minute)
	if got := w.Guards.InUse(w.Now); !slices.Equal(got, first) || w.Links() != 2 {
		t.Errorf("after half an hour: %v", got)
	}
	// Both avoided: the budget holds, and one of them is better than nobody.
	for range 50 {
		for _, id := range w.Guards.InUse(w.Now) {
			w.Guards.Avoid(id, w.Now)
		}
		w.Run(5 * time.Minute)
		if len(w.Guards.InUse(w.Now)) == 0 {
			t.Fatal("nobody is left")
		}
	}
	if len(w.Seen) != 4 {
		t.Errorf("who makes guards be avoided is shown %d relays, want 4", len(w.Seen))
	}
	w.Guards.Avoid(first[0], w.Now)
	w.Guards.Trust(first[0])
	if got := w.Guards.InUse(w.Now); got[0] != first[0] && w.Linked(first[0]) {
		t.Errorf("trusted again: %v", got)
	}
}

// TestShort: when the only guard that is up is where a message should go, another is
// met after a minute, not at once, and not for one that was asked for once.
func TestShort(t *testing.T) {
	w, first := settled(t, 50, 1)
	w.State = away(guardtest.Refuses, first[0])
	w.Lose(first[0])
	w.Guards.Short(w.Now)
	w.Run(5 * time.Minute)
	seenBy(t, w, first)
	for range 5 {
		w.Guards.Short(w.Now)
		w.Run(10 * time.Second)
	}
	seenBy(t, w, first)
	for range 3 {
		w.Guards.Short(w.Now)
		w.Run(10 * time.Second)
	}
	if len(w.Guards.InUse(w.Now)) != 2 || len(w.Seen) != 3 {
		t.Errorf("%v, seen by %d", w.Guards.InUse(w.Now), len(w.Seen))
	}
}

// TestBudget: two unmet relays in 30 days, however many of those in use go away.
func TestBudget(t *testing.T) {
	w, first := settled(t, 50, 1)
	gone := []wire.NodeID{}
	w.State = func(id wire.NodeID, _ time.Time) guardtest.State {
		if slices.Contains(gone, id) {
			return guardtest.Absent
		}
		return guardtest.Listens
	}
	for range 4 { // the second of those in use goes away for good, every day
		used := w.Guards.InUse(w.Now)
		if len(used) == 2 {
			gone = append(gone, used[1])
			w.Lose(used[1])
		}
		w.Run(day)
	}
	if len(w.Seen) != 4 {
		t.Errorf("seen by %d, want 4", len(w.Seen))
	}
	if got := w.Guards.InUse(w.Now); !slices.Equal(got, first[:1]) {
		t.Errorf("in use %v", got)
	}
	for range 27 {
		w.Run(day)
	}
	if len(w.Seen) != 5 || len(w.Guards.InUse(w.Now)) != 2 {
		t.Errorf("30 days after the first: seen by %d", len(w.Seen))
	}
	// None of those known is up, and the network is: one refuses. There is no budget.
	gone = append(gone, w.Guards.InUse(w.Now)[1])
	gone = append(gone, first[0])
	w.State = func(id wire.NodeID, _ time.Time) guardtest.State {
		switch {
		case id == first[0]:
			return guardtest.Refuses
		case slices.Contains(gone, id):
			return guardtest.Absent
		}
		return guardtest.Listens
	}
	for _, id := range w.Guards.InUse(w.Now) {
		w.Lose(id)
	}
	w.Run(10 * time.Minute)
	if len(w.Guards.InUse(w.Now)) == 0 {
		t.Error("nobody is found on a network that is up")
	}
}
