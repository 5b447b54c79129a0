package guard_test

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"starling/p2p/book"
	"starling/p2p/directory"
	"starling/p2p/guard"
	"starling/p2p/guard/guardtest"
	"starling/p2p/wire"
)

// without returns a list without some relays.
func without(list []guard.Relay, ids ...wire.NodeID) []guard.Relay {
	return slices.DeleteFunc(slices.Clone(list), func(r guard.Relay) bool { return slices.Contains(ids, r.ID) })
}

// TestDrawnApart: two clients draw their guards apart, and from a source that is given,
// as in a simulation, the same come.
func TestDrawnApart(t *testing.T) {
	draw := func(cfg guard.Config) []wire.NodeID {
		g := guard.New(cfg)
		g.Relays(guardtest.Relays(0, 300), true)
		guardtest.New(g).Run(time.Minute)
		return g.Met()
	}
	given := func(seed uint64) guard.Config { return guard.Config{Rand: rand.New(rand.NewPCG(seed, 1))} }
	if a, b := draw(guard.Config{}), draw(guard.Config{}); slices.Equal(a, b) {
		t.Errorf("two clients have the guards %v", a)
	}
	if a, b := draw(given(1)), draw(given(1)); !slices.Equal(a, b) {
		t.Errorf("of one seed come %v and %v", a, b)
	}
}

// TestListsThatEndNoGuard: an empty list says nothing, and one source alone, which may
// lie, ends no guard by leaving it out.
func TestListsThatEndNoGuard(t *testing.T) {
	for name, tell := range map[string]func(g *guard.Guards, first []wire.NodeID){
		"empty": func(g *guard.Guards, first []wire.NodeID) { g.Relays(nil, true) },
		"of one source": func(g *guard.Guards, first []wire.NodeID) {
			g.Relays(without(guardtest.Relays(0, 50), first...), false)
		},
		"of strangers":    func(g *guard.Guards, first []wire.NodeID) { g.Relays(guardtest.Relays(100, 150), false) },
		"empty of nobody": func(g *guard.Guards, first []wire.NodeID) { g.Relays([]guard.Relay{}, false) },
	} {
		w, first := settled(t, 50, 1)
		for range 10 {
			tell(w.Guards, first)
			w.Run(day)
		}
		if got := w.Guards.InUse(w.Now); !slices.Equal(got, first) || len(w.Seen) != 2 {
			t.Errorf("%s: %v in use, want %v; seen by %d", name, got, first, len(w.Seen))
		}
	}
}

// TestUnsureGuards: of the guards that one source alone has told of those stay that
// others tell of too, and they stay from then on; the rest go. Later words of the one
// source change nothing.
func TestUnsureGuards(t *testing.T) {
	g := guard.New(guard.Config{})
	g.Relays(guardtest.Relays(0, 2), false)
	w := guardtest.New(g)
	w.Run(time.Minute)
	if len(w.Seen) != 2 {
		t.Fatalf("seen by %d", len(w.Seen))
	}
	known := func(want ...int) {
		t.Helper()
		got := g.Known()
		for _, n := range want {
			if !slices.Contains(got, guardtest.ID(n)) {
				t.Errorf("relay %d is no guard any more: %v", n, got)
			}
		}
	}
	g.Relays(guardtest.Relays(5, 9), false)
	known(0, 1)
	g.Relays(guardtest.Relays(0, 1), true)
	if got := g.Known(); !slices.Equal(got, []wire.NodeID{guardtest.ID(0)}) {
		t.Fatalf("guards %v", got)
	}
	g.Relays(guardtest.Relays(0, 9), false) // this makes it no less sure
	g.Relays(guardtest.Relays(5, 9), true)
	known(0)
}

// TestLeavesAfterAWeek: a guard that the list lacks goes a week after it first did,
// however often that is told.
func TestLeavesAfterAWeek(t *testing.T) {
	w, first := settled(t, 50, 1)
	list := without(guardtest.Relays(0, 50), first[0])
	for range 8 {
		w.Guards.Relays(list, true)
		w.Run(day)
	}
	w.Run(time.Minute)
	if slices.Contains(w.Guards.Known(), first[0]) {
		t.Error("it stays, since it is told every day")
	}
}

// TestSaves: a list is saved when it changes something, and only then.
func TestSaves(t *testing.T) {
	w, first := settled(t, 50, 1)
	list := guardtest.Relays(0, 50)
	g, at := w.Guards, w.Now
	moved := slices.Clone(list)
	for i := range moved {
		moved[i].Addresses = []directory.Address{{AddrPort: netip.AddrPortFrom(moved[i].Addresses[0].Addr(), 9)}}
	}
	bare := slices.Clone(list)
	for i := range bare {
		bare[i].Addresses = nil
	}
	for _, c := range []struct {
		name string
		do   func()
		want bool
	}{
		{"the same", func() { g.Relays(list, true) }, false},
		{"the same of one source", func() { g.Relays(list, false) }, false},
		{"a guard is gone", func() { g.Relays(without(list, first[0]), true) }, true},
		{"and still is", func() { g.Relays(without(list, first[0]), true) }, false},
		{"for one source both are", func() { g.Relays(without(list, first...), false) }, false},
		{"it is back", func() { g.Relays(list, true) }, true},
		{"they have moved", func() { g.Relays(moved, true) }, true},
		{"and are there", func() { g.Relays(moved, true) }, false},
		{"back, says one source", func() { g.Relays(list, false) }, true},
		{"something else before", func() { g.TryOthers(at); g.Relays(list, true) }, true},
	} {
		g.Plan(at, at)
		c.do()
		if got := g.Plan(at, at).Save; got != c.want {
			t.Errorf("%s: saved %v", c.name, got)
		}
	}

	// Their addresses are those told last; one without a told address has its last.
	g.Relays(moved, true)
	if got := g.Addresses(first[0]); len(got) != 1 || got[0].Port() != 9 {
		t.Errorf("it is at %v", got)
	}
	g.Relays(bare, true)
	if got := g.Addresses(first[0]); len(got) != 1 || got[0].Port() != 9 {
		t.Errorf("without an address it is at %v", got)
	}

	// That two agree on a guard is worth knowing.
	g = guard.New(guard.Config{})
	g.Relays(list, false)
	g.Plan(at, at)
	if g.Relays(list, false); g.Plan(at, at).Save {
		t.Error("that one source says the same again is saved")
	}
	g.Relays(list, true)
	if !g.Plan(at, at).Save {
		t.Error("that it is sure now is not saved")
	}
}

// TestLinks: links that are not known of count, and those that are gone do not.
func TestLinks(t *testing.T) {
	w, first := settled(t, 50, 1)
	g := w.Guards
	links := first
	tell := func() {
		g.Links(func(id wire.NodeID) (book.Address, bool) { return book.Address{}, slices.Contains(links, id) }, w.Now)
	}
	for _, want := range [][]wire.NodeID{first, first[1:], first[1:], first, nil, first[:1], first} {
		links = want
		tell()
		if got := g.InUse(w.Now); !slices.Equal(got, want) {
			t.Errorf("links to %v, in use %v", want, got)
		}
	}
}

// TestStrangers: news of relays that are no guards, or that is not new, changes
// nothing.
func TestStrangers(t *testing.T) {
	w, first := settled(t, 50, 1)
	g, id := w.Guards, guardtest.ID(1000)
	before := g.InUse(w.Now)
	g.Connected(id, book.Address{}, w.Now)
	g.Lost(id, w.Now)
	g.Failed(id, guard.Timeout, w.Now)
	g.Avoid(id, w.Now)
	g.Trust(id)
	g.Connected(first[0], book.Address{}, w.Now)
	g.Failed(first[0], guard.Timeout, w.Now)
	if got := g.InUse(w.Now); !slices.Equal(got, before) || slices.Contains(g.Known(), id) || g.Addresses(id) != nil {
		t.Errorf("%v in use, want %v", got, before)
	}
	if p := g.Plan(w.Now, w.Now); len(p.Try) != 0 || len(p.Close) != 0 || p.Save {
		t.Errorf("plan %+v", p)
	}
}

// TestTryOthersOnce: a person's command is done when a guard is found: the next time
// one of two is away it is waited for as always.
func TestTryOthersOnce(t *testing.T) {
	w, first := settled(t, 50, 1)
	w.State = away(guardtest.Absent, first...)
	w.Lose(first[0])
	w.Lose(first[1])
	w.Run(time.Second)
	w.Guards.TryOthers(w.Now)
	w.Run(10 * time.Second)
	found := len(w.Seen)
	if found < 3 || found > 4 {
		t.Fatalf("seen by %d", found)
	}
	w.State = nil
	w.Run(time.Hour)
	if got := w.Guards.InUse(w.Now); !slices.Equal(got, first) {
		t.Fatalf("in use %v", got)
	}
	w.State = away(guardtest.Absent, first[0])
	w.Lose(first[0])
	w.Run(time.Hour)
	if got := w.Guards.InUse(w.Now); !slices.Equal(got, first[1:]) || len(w.Seen) != found {
		t.Errorf("it was not waited for: %v, seen by %d", got, len(w.Seen))
	}
}
