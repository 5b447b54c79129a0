package guard_test

import (
	"slices"
	"testing"
	"time"

	"starling/p2p/guard"
	"starling/p2p/guard/guardtest"
)

// TestLife: guards live for 240 to 480 days lived, leave a week after they left the
// list, and keep their place before.
func TestLife(t *testing.T) {
	var lives []time.Duration
	for seed := range uint64(40) {
		w, first := settled(t, 50, seed)
		began := w.Now
		for range 500 {
			w.Run(day)
			known := w.Guards.Known()
			if !slices.Contains(known, first[0]) || !slices.Contains(known, first[1]) {
				lives = append(lives, w.Now.Sub(began))
				break
			}
		}
		if len(w.Guards.InUse(w.Now)) != 2 || w.Links() != 2 {
			w.Run(time.Minute)
			if len(w.Guards.InUse(w.Now)) != 2 || w.Links() != 2 {
				t.Errorf("seed %d: nobody took the place", seed)
			}
		}
	}
	slices.Sort(lives)
	if len(lives) != 40 || lives[0] < 240*day || lives[39] > 481*day || lives[20] < 300*day || lives[20] > 420*day {
		t.Errorf("the first of two guards lived for %v, %v in the middle, %v", lives[0], lives[20], lives[39])
	}

	w, first := settled(t, 50, 1)
	list := slices.DeleteFunc(guardtest.Relays(0, 50), func(r guard.Relay) bool { return r.ID == first[0] })
	w.Guards.Relays(list, true)
	for range 6 {
		w.Run(day)
	}
	if got := w.Guards.InUse(w.Now); !slices.Equal(got, append(first[1:2:2], first[0])) {
		t.Fatalf("six days after it left the list: %v", got)
	}
	w.Guards.Relays(append(list, guardtest.Relay(int(first[0][3])-1)), true) // it is back
	w.Run(day)
	w.Guards.Relays(list, true)
	for range 6 {
		w.Run(day)
	}
	seenBy(t, w, first)
	w.Run(day)
	w.Run(time.Minute)
	if got := w.Guards.Known(); slices.Contains(got, first[0]) || w.Linked(first[0]) || len(w.Seen) != 3 {
		t.Errorf("a week after it left the list: %v, seen by %d", got, len(w.Seen))
	}
}

// TestClock: a clock that is wrong, jumps, or stands still while the profile lies unused
// ends no guard.
func TestClock(t *testing.T) {
	w, first := settled(t, 50, 1)
	for _, skew := range []time.Duration{365 * day, -365 * day, 0, 10 * 365 * day, 0} {
		w.Skew = skew
		w.Run(time.Hour)
		if got := w.Guards.Known()[:2]; !slices.Equal(got, first) {
			t.Errorf("skew %v: %v", skew, got)
		}
	}
	// A year between two starts is a day.
	b := w.Guards.Append(nil)
	g := guard.New(guard.Config{})
	if _, err := g.Cut(b); err != nil {
		t.Fatal(err)
	}
	g.Plan(w.Now, w.Now.Add(365*day))
	if got := g.Known()[:2]; !slices.Equal(got, first) {
		t.Errorf("after a year: %v", got)
	}
}
