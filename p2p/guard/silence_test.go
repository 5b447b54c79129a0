package guard_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"starling/p2p/guard"
	"starling/p2p/guard/guardtest"
	"starling/p2p/wire"
)

// TestOutagesShowNobodyElse: silence, no route and the system's word for them, of many
// lengths, with the grace as long as it is at first: nobody but the two guards sees the
// address, and they are back 15 s later.
func TestOutagesShowNobodyElse(t *testing.T) {
	for name, line := range map[string]guardtest.Line{"silent": guardtest.Silent, "no route": guardtest.NoRoute} {
		for _, told := range []bool{false, true} {
			w, first := settled(t, 50, 1)
			r := rand.New(rand.NewPCG(2, 2))
			for i := range runs(200) {
				d := time.Duration(r.Int64N(int64(35 * time.Second)))
				if line == guardtest.NoRoute || told {
					d *= 100
				}
				w.SetLine(line)
				if told {
					w.Tell()
				}
				w.Run(d)
				w.SetLine(guardtest.Up)
				if told {
					w.Tell()
				}
				w.Run(15 * time.Second)
				if got := w.Guards.InUse(w.Now); !slices.Equal(got, first) {
					t.Fatalf("%s, told %v, outage %d of %v: 15 s later %v are used, want %v", name, told, i, d, got, first)
				}
				w.Run(time.Minute)
			}
			seenBy(t, w, first)
		}
	}
}

// TestLongSilence: with the ladder running, 2,000 outages of hours in two years end
// at any moment. The budget holds, and the grace has grown so that it is not used up.
func TestLongSilence(t *testing.T) {
	most := 0
	for seed := range uint64(runs(8)) {
		w, _ := settled(t, 500, seed)
		r := rand.New(rand.NewPCG(seed, 2))
		for range 100 {
			outage(w, guardtest.Silent, time.Minute+time.Duration(r.Int64N(int64(20*time.Minute))))
			w.Run(15 * time.Second)
			if len(w.Guards.InUse(w.Now)) == 0 {
				t.Fatal("no guard 15 s after an outage")
			}
			w.Run(10 * time.Hour)
		}
		most = max(most, len(w.Seen))
	}
	t.Logf("seen by %d at most after 100 long outages in 42 days", most)
	if most > guard.Use+2*2 {
		t.Errorf("seen by %d", most)
	}
}

// TestAwayWhileNobodyWasUp: an outage is no absence, however long.
func TestAwayWhileNobodyWasUp(t *testing.T) {
	w, first := settled(t, 50, 1)
	w.SetLine(guardtest.NoRoute)
	w.Run(20 * time.Hour)
	w.State = away(guardtest.Absent, first[0])
	w.SetLine(guardtest.Up)
	w.Run(2 * time.Hour)
	seenBy(t, w, first)
	w.Run(20 * time.Second)
	if len(w.Seen) != 3 {
		t.Errorf("seen by %d two hours later", len(w.Seen))
	}
}

// TestRestart: all relays go down and refuse, and come back after a minute and a half,
// strangers before the guards. No stranger is met.
func TestRestart(t *testing.T) {
	for seed := range uint64(20) {
		w, first := settled(t, 50, seed)
		back := w.Now.Add(90 * time.Second)
		w.State = func(id wire.NodeID, at time.Time) guardtest.State {
			later := back
			if slices.Contains(first, id) {
				later = back.Add(20 * time.Second)
			}
			if at.Before(later) {
				return guardtest.Refuses
			}
			return guardtest.Listens
		}
		w.Lose(first[0])
		w.Lose(first[1])
		w.Run(90*time.Second + 20*time.Second + 6*time.Second)
		if got := w.Guards.InUse(w.Now); !slices.Equal(got, first) {
			t.Errorf("6 s after they are back: %v", got)
		}
		seenBy(t, w, first)
	}
}
