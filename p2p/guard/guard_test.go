package guard_test

import (
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

// runs is how often something random is tried; not so often with -short.
func runs(n int) int {
	if testing.Short() {
		return (n + 3) / 4
	}
	return n
}

// world is one with guards drawn from n relays.
func world(n int, seed uint64) *guardtest.World {
	g := guard.New(guard.Config{Rand: rand.New(rand.NewPCG(seed, 1))})
	w := guardtest.New(g)
	g.Relays(guardtest.Relays(0, n), true)
	return w
}

// settled is a world with two connected guards.
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

// TestHistories: random histories of lines, relays and restarts. Always the list is
// in order, no more relays are met than the rules allow, and all guards in use are
// connected.
func TestHistories(t *testing.T) {
	for seed := range uint64(runs(100)) {
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
