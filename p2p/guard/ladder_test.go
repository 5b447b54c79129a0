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

// TestGrace: the ladder begins after 15 s of silence, not before; after a false alarm
// after four times as long; after 30 days without after 15 s again.
func TestGrace(t *testing.T) {
	for seed := range uint64(runs(4)) {
		testGrace(t, seed)
	}
}

func testGrace(t *testing.T, seed uint64) {
	w, first := settled(t, 50, seed)
	begins := func() time.Duration {
		t.Helper()
		w.Notice = 0
		w.SetLine(guardtest.Silent)
		began, start := w.Now, time.Duration(0)
		w.OnPlan = func(p guard.Plan) {
			for _, d := range p.Try {
				if start == 0 && !slices.Contains(first, d.ID) {
					start = w.Now.Sub(began)
				}
			}
		}
		for start == 0 && w.Now.Sub(began) < 8*time.Hour {
			w.Run(time.Second)
		}
		w.OnPlan = nil
		w.Run(70 * time.Second) // its steps are rare by then
		for _, stepping := range []bool{true, false} {
			for slices.ContainsFunc(w.Guards.Known(), func(id wire.NodeID) bool { return w.Tries(id) && !slices.Contains(first, id) }) != stepping {
				w.Run(10 * time.Millisecond) // to a moment just after one of them
			}
		}
		w.SetLine(guardtest.Up)
		w.Run(time.Minute)
		if !slices.Equal(w.Guards.InUse(w.Now), first) {
			t.Fatal("the first guards are not back")
		}
		return start
	}
	for _, want := range []time.Duration{15 * time.Second, time.Minute, 4 * time.Minute, 16 * time.Minute, 64 * time.Minute, 256 * time.Minute, 6 * time.Hour, 6 * time.Hour} {
		if got := begins(); got < want || got > want+10*time.Second {
			t.Fatalf("the ladder began after %v, want %v; seen by %d", got, want, len(w.Seen))
		}
	}
	w.Run(29 * day)
	if got := begins(); got < 6*time.Hour {
		t.Fatalf("after 29 calm days the ladder began after %v", got)
	}
	for range 31 {
		w.Run(day)
	}
	if got := begins(); got < 90*time.Minute || got > 91*time.Minute {
		t.Fatalf("after 31 calm days the ladder began after %v", got)
	}
	w.Guards.TryOthers(w.Now)
	w.Run(time.Minute)
	if got := begins(); got < 15*time.Second || got > 30*time.Second {
		t.Fatalf("after \"try others\" the ladder began after %v", got)
	}
}

// TestWait: how long a guard takes to answer is not learned from attempts that were
// made on a dead line. However many outages end during one, a stranger's SYN comes a
// third of a second after a primary's second one, or as much later as a primary takes.
func TestWait(t *testing.T) {
	for _, trip := range []time.Duration{80 * time.Millisecond, 700 * time.Millisecond, 1400 * time.Millisecond} {
		for seed := range uint64(5) {
			w, first := settled(t, 50, seed)
			r := rand.New(rand.NewPCG(seed, 4))
			w.Trip, w.Notice = trip, 0
			for range 15 {
				outage(w, guardtest.Silent, 3*time.Second+time.Duration(r.Int64N(int64(9*time.Second))))
				w.Run(time.Minute)
			}

			var asked time.Time // a primary, the last time
			var gaps []time.Duration
			w.OnPlan = func(p guard.Plan) {
				stranger := false
				for _, d := range p.Try {
					if slices.Contains(first, d.ID) {
						asked = w.Now
					} else {
						stranger = true
					}
				}
				if stranger {
					gaps = append(gaps, w.Now.Sub(asked))
				}
			}
			outage(w, guardtest.Silent, 40*time.Second)
			least, most := trip, time.Second+max(400*time.Millisecond, trip*5/4)
			if len(gaps) < 5 || slices.Min(gaps) < least || slices.Max(gaps) > most {
				t.Errorf("trip %v, seed %d: strangers were asked %v after a primary, want %v to %v", trip, seed, gaps, least, most)
			}
		}
	}
}

// TestAnotherNetwork: when the system says that the network is another, attempts that
// are under way are made anew, because their next SYN may be seconds away. Not more
// than once a second: on a network that changes all the time somebody may answer.
func TestAnotherNetwork(t *testing.T) {
	for _, up := range []int{0, 1} { // guards
		for ms := range 60 {
			w, first := settled(t, 50, 1)
			w.Notice = 0
			if up == 1 {
				w.State = away(guardtest.Absent, first[1])
				w.Lose(first[1])
			} else {
				w.SetLine(guardtest.Silent)
			}
			w.Run(8*time.Second + time.Duration(ms)*100*time.Millisecond)
			w.SetLine(guardtest.Up)
			w.State = nil
			w.Tell()
			w.Run(100 * time.Millisecond)
			if got := w.Guards.InUse(w.Now); !slices.Equal(got, first) {
				t.Errorf("%d up, %d ms: a tenth of a second later %v are in use", up, 100*ms, got)
			}
			seenBy(t, w, first)
		}
	}

	w, first := settled(t, 50, 1)
	w.SetLine(guardtest.Silent)
	w.Run(25 * time.Second)
	w.Trip = 400 * time.Millisecond
	w.SetLine(guardtest.Up)
	for range 10 {
		w.Tell()
		w.Run(200 * time.Millisecond)
	}
	if got := w.Guards.InUse(w.Now); !slices.Equal(got, first) {
		t.Errorf("in use on a network that changes five times a second: %v", got)
	}
}

// TestLadder: no stranger is dialled while a primary's attempt is younger
// than a second, two at a time, and 20 steps in a row take 2 s each, then half a minute.
func TestLadder(t *testing.T) {
	w, first := settled(t, 200, 1)
	w.Notice = 0
	w.SetLine(guardtest.Silent)
	began := map[wire.NodeID]time.Time{}
	var steps []time.Time
	w.OnPlan = func(p guard.Plan) {
		strangers := 0
		for _, d := range p.Try {
			if slices.Contains(first, d.ID) {
				began[d.ID] = w.Now
			} else if strangers++; d.Timeout != 2*time.Second {
				t.Errorf("a stranger has %v", d.Timeout)
			}
		}
		if strangers == 0 {
			return
		}
		if strangers != 2 {
			t.Errorf("%d strangers in a step", strangers)
		}
		steps = append(steps, w.Now)
		fresh := false
		for _, at := range began {
			if since := w.Now.Sub(at); since < time.Second {
				t.Errorf("a step %v after a primary was asked", since)
			} else if since < 2*time.Second {
				fresh = true
			}
		}
		if !fresh {
			t.Error("a step though no primary was asked in the last 2 s")
		}
	}
	w.Run(3 * time.Minute)
	if len(steps) < 23 {
		t.Fatalf("%d steps", len(steps))
	}
	for i := range steps[1:] {
		gap, fast := steps[i+1].Sub(steps[i]), i < 19
		if fast && (gap < 1900*time.Millisecond || gap > 2500*time.Millisecond) || !fast && i > 20 && (gap < 29*time.Second || gap > 50*time.Second) {
			t.Errorf("step %d comes %v after the one before", i+1, gap)
		}
	}
	seenBy(t, w, first)
}

// TestBlocked: nine of ten relays, among them the guards, are silent from one moment
// to the next. Most find another soon after the grace.
func TestBlocked(t *testing.T) {
	var took []time.Duration
	for seed := range uint64(60) {
		w, first := settled(t, 300, seed)
		r := rand.New(rand.NewPCG(seed, 3))
		open := map[wire.NodeID]bool{}
		for _, i := range r.Perm(300)[:30] {
			open[guardtest.ID(i)] = true
		}
		delete(open, first[0])
		delete(open, first[1])
		w.State = func(id wire.NodeID, _ time.Time) guardtest.State {
			if open[id] {
				return guardtest.Listens
			}
			return guardtest.Absent
		}
		w.Lose(first[0])
		w.Lose(first[1])
		began := w.Now
		for len(w.Guards.InUse(w.Now)) == 0 && w.Now.Sub(began) < time.Hour {
			w.Run(100 * time.Millisecond)
		}
		took = append(took, w.Now.Sub(began))
		if n := len(w.Seen); n > 4 {
			t.Errorf("seen by %d", n)
		}
	}
	slices.Sort(took)
	t.Logf("median %v, nine of ten %v, longest %v", took[30], took[54], took[59])
	if took[30] > 35*time.Second || took[54] > time.Minute+15*time.Second {
		t.Errorf("median %v, nine of ten %v", took[30], took[54])
	}
}

// TestBlockedForLong: strangers that worked for long were no false alarm, they are let
// go when the first guards are back, and the next time they come before unmet ones.
func TestBlockedForLong(t *testing.T) {
	w, first := settled(t, 300, 1)
	block := func(ids ...wire.NodeID) {
		w.State = away(guardtest.Absent, ids...)
		for _, id := range ids {
			w.Lose(id)
		}
	}
	block(first...)
	w.Run(time.Hour)
	strangers := w.Guards.InUse(w.Now)
	if len(strangers) == 0 || len(w.Seen) != guard.Use+len(strangers) {
		t.Fatalf("strangers: %v", strangers)
	}
	w.State = nil
	w.Run(10 * time.Minute)
	if got := w.Guards.InUse(w.Now); !slices.Equal(got, first) || w.Links() != guard.Use {
		t.Fatalf("the first are not back alone: %v, %d links", got, w.Links())
	}
	seen := len(w.Seen)
	w.Run(40 * day)
	block(first...)
	lost := w.Now
	for len(w.Guards.InUse(w.Now)) == 0 {
		w.Run(100 * time.Millisecond)
	}
	if after := w.Now.Sub(lost); after > 20*time.Second {
		t.Errorf("it was no false alarm, but took %v", after)
	}
	if len(w.Seen) != seen {
		t.Errorf("seen by %d, before by %d: those met before come first", len(w.Seen), seen)
	}
}
