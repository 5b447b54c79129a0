package guard_test

import (
	"bytes"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"starling/p2p/directory"
	"starling/p2p/guard"
	"starling/p2p/guard/guardtest"
	"starling/p2p/wire"
)

const day = 24 * time.Hour

// world is one with guards drawn from n relays.
func world(n int, seed uint64) *guardtest.World {
	g := guard.New(guard.Config{Rand: rand.New(rand.NewPCG(seed, 1))})
	w := guardtest.New(g)
	g.Relays(guardtest.Relays(0, n), true)
	return w
}

// settled is one whose two guards are connected.
func settled(t *testing.T, n int, seed uint64) (w *guardtest.World, first []wire.NodeID) {
	t.Helper()
	w = world(n, seed)
	w.Run(time.Minute)
	first = w.Guards.InUse(w.Now)
	if len(first) != guard.Use || len(w.Seen) != guard.Use || w.Links() != guard.Use {
		t.Fatalf("%d guards, %d links, seen by %d", len(first), w.Links(), len(w.Seen))
	}
	return w, first
}

// outage lets the line be away.
func outage(w *guardtest.World, l guardtest.Line, d time.Duration) {
	w.SetLine(l)
	w.Run(d)
	w.SetLine(guardtest.Up)
}

// seenBy fails unless exactly these have seen the address.
func seenBy(t *testing.T, w *guardtest.World, want []wire.NodeID) {
	t.Helper()
	for id := range w.Seen {
		if !slices.Contains(want, id) {
			t.Errorf("%v: seen by %v", w.Now, id)
		}
	}
	if len(w.Seen) != len(want) {
		t.Errorf("seen by %d, want %d", len(w.Seen), len(want))
	}
}

// away makes some relays be something else than listening.
func away(s guardtest.State, ids ...wire.NodeID) func(wire.NodeID, time.Time) guardtest.State {
	return func(id wire.NodeID, _ time.Time) guardtest.State {
		if slices.Contains(ids, id) {
			return s
		}
		return guardtest.Listens
	}
}

// TestOutagesShowNobodyElse: silence, no route and what the system says of them, of
// many lengths, with the grace as long as it is at first: nobody but the two guards
// sees the address, and they are back 15 s later.
func TestOutagesShowNobodyElse(t *testing.T) {
	for name, line := range map[string]guardtest.Line{"silent": guardtest.Silent, "no route": guardtest.NoRoute} {
		for _, told := range []bool{false, true} {
			w, first := settled(t, 50, 1)
			r := rand.New(rand.NewPCG(2, 2))
			for i := range 200 {
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
	for seed := range uint64(8) {
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

// TestGrace: the ladder begins after 15 s of silence, not before; after a false alarm
// after four times as long; after 30 days without after 15 s again.
func TestGrace(t *testing.T) {
	w, first := settled(t, 50, 1)
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

// TestNewcomer: guards are met one after the other until two answer; a list that one
// source alone has told is only for now.
func TestNewcomer(t *testing.T) {
	for seed := range uint64(20) {
		w := world(10, seed)
		w.State = func(id wire.NodeID, _ time.Time) guardtest.State {
			if id[3]%2 == 0 {
				return guardtest.Absent
			}
			return guardtest.Listens
		}
		for range 12 {
			w.Guards.Heard(w.Now)
			w.Run(5 * time.Second)
		}
		if len(w.Guards.InUse(w.Now)) != 2 || len(w.Seen) != 2 {
			t.Errorf("%v in use, seen by %d", w.Guards.InUse(w.Now), len(w.Seen))
		}
	}
	g := guard.New(guard.Config{})
	g.Relays(guardtest.Relays(0, 3), false)
	w := guardtest.New(g)
	w.Run(time.Minute)
	if len(g.InUse(w.Now)) != 2 {
		t.Fatal("one source is none")
	}
	g.Relays(append(guardtest.Relays(10, 30), guardtest.Relays(0, 1)...), true)
	w.Run(time.Minute)
	for _, id := range g.Known() {
		if id == guardtest.ID(1) || id == guardtest.ID(2) {
			t.Errorf("%v was told by one source and stays", id)
		}
	}
	if len(g.InUse(w.Now)) != 2 || w.Links() != 2 {
		t.Errorf("%v in use, %d links", g.InUse(w.Now), w.Links())
	}
	sure := g.Known()
	g.Relays(guardtest.Relays(40, 60), false)
	g.Relays(guardtest.Relays(40, 60), true)
	if got := g.Known(); !slices.Equal(got, sure) {
		t.Error("guards that two agreed on go when others agree on others")
	}
}

// TestDraw: only those that are fit, no two in one network unless private addresses are
// admitted, 60 at most.
func TestDraw(t *testing.T) {
	blocked := func(w *guardtest.World) {
		w.State = func(wire.NodeID, time.Time) guardtest.State { return guardtest.Absent }
		w.Run(6 * time.Hour)
	}
	w := world(100, 1)
	blocked(w)
	if n := len(w.Guards.Known()); n != guard.MaxGuards {
		t.Errorf("%d guards", n)
	}
	for _, private := range []bool{false, true} {
		g := guard.New(guard.Config{AllowPrivate: private})
		list := guardtest.Relays(0, 10)
		for i := range list {
			list[i].Addresses = append(list[i].Addresses, directory.Address{AddrPort: netip.MustParseAddrPort("93.5.0.1:1")})
			list[i].Fit = i < 5
		}
		g.Relays(list, true)
		w := guardtest.New(g)
		blocked(w)
		want := 1
		if private {
			want = 5
		}
		if n := len(g.Known()); n != want {
			t.Errorf("private %v: %d guards, want %d", private, n, want)
		}
	}
}

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
	if got := w.Guards.InUse(w.Now); !slices.Equal(got, first) {
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

// TestHistories: random histories of lines, relays and restarts. Always the list is
// in order, no more relays are met than the rules allow, and all guards in use are
// connected.
func TestHistories(t *testing.T) {
	for seed := range uint64(100) {
		r := rand.New(rand.NewPCG(seed, 9))
		w := world(40, seed)
		states := map[wire.NodeID]guardtest.State{}
		refused := false
		w.State = func(id wire.NodeID, _ time.Time) guardtest.State { return states[id] }
		for range 60 {
			switch id := guardtest.ID(r.IntN(40)); r.IntN(9) {
			case 0:
				states[id] = guardtest.Absent
				w.Lose(id)
			case 1:
				if seed%2 == 0 { // without refusals the budget has no exception
					states[id], refused = guardtest.Refuses, true
					w.Lose(id)
				}
			case 2, 3:
				delete(states, id)
			case 4:
				w.SetLine(guardtest.Line(r.IntN(3)))
			case 5:
				w.SetLine(guardtest.Up)
			case 6:
				w.Tell()
			case 7:
				for _, id := range w.Guards.InUse(w.Now) {
					w.Guards.Avoid(id, w.Now)
				}
			case 8:
				for _, id := range w.Guards.InUse(w.Now) {
					w.Lose(id)
				}
			}
			w.Run(time.Duration(r.ExpFloat64() * float64(10*time.Minute)))
			if used := w.Guards.InUse(w.Now); len(used) > guard.Use || slices.ContainsFunc(used, func(id wire.NodeID) bool { return !w.Linked(id) }) {
				t.Fatalf("seed %d: in use %v", seed, used)
			}
			if w.Links() > 2*guard.Use {
				t.Fatalf("seed %d: %d links", seed, w.Links())
			}
		}
		if n := len(w.Seen); !refused && n > guard.Use+2 {
			t.Errorf("seed %d: seen by %d in %v", seed, n, w.Now)
		}
		w.SetLine(guardtest.Up)
		clear(states)
		w.Run(12 * time.Hour)
		if len(w.Guards.InUse(w.Now)) == 0 {
			t.Errorf("seed %d: nobody is up when all are", seed)
		}
	}
}
