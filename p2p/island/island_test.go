package island

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"starling/p2p/wire"
)

// A world is the relays around a client, two or more of them its guards.
type world struct {
	Island
	t      *testing.T
	now    time.Time
	list   []wire.NodeID
	guards []wire.NodeID
	passes func(Test) bool // whether a test comes back
	silent bool            // the guards say nothing at all
	mail   func() bool     // whether a request is answered
	made   []Test
	news   int
	alone  bool
	flying []landing
}

// A landing is when a test ends.
type landing struct {
	Test
	at time.Time
}

func id(i int) (n wire.NodeID) {
	n[0], n[1] = byte(i>>8), byte(i)
	return n
}

// newWorld has the first relays as guards; only those below inside are there.
func newWorld(t *testing.T, relays, inside int) *world {
	w := &world{t: t, now: time.Unix(1_000_000, 0), mail: func() bool { return false }}
	for i := range relays {
		w.list = append(w.list, id(i))
	}
	w.guards = w.list[:2]
	w.passes = func(x Test) bool { return w.index(x.Relay) < inside }
	return w
}

func (w *world) index(n wire.NodeID) int { return slices.Index(w.list, n) }

// live goes on for a while: a request is sent every third second, and what is planned is done.
func (w *world) live(d time.Duration) {
	for end := w.now.Add(d); w.now.Before(end); w.now = w.now.Add(time.Second) {
		w.flying = slices.DeleteFunc(w.flying, func(l landing) bool {
			if l.at.After(w.now) {
				return false
			}
			switch {
			case w.silent:
				w.Void(l.Test, w.now)
			case w.passes(l.Test):
				w.Came(l.Test, w.now)
			default:
				w.Lost(l.Test, w.now)
			}
			return true
		})
		if w.now.Unix()%3 == 0 && !w.silent {
			if w.mail() {
				w.Answered(w.now)
			} else {
				reached, _, _ := w.Cut()
				box := w.list[rand.IntN(len(w.list))]
				if reached == nil || reached(box) {
					w.Failed(nil, box, w.now)
				}
			}
		}

		p := w.Plan(w.list, w.guards, w.now)
		w.alone = p.Alone
		if p.Changed {
			w.news++
		}
		for _, x := range p.Tests {
			if slices.Contains(w.guards, x.Relay) || !slices.Contains(w.guards, x.Guard) {
				w.t.Fatalf("a test of %v over %v", x.Relay, x.Guard)
			}
			w.made = append(w.made, x)
			took := 7 * time.Second
			if w.passes(x) {
				took = time.Second
			}
			w.flying = append(w.flying, landing{x, w.now.Add(took)})
		}
	}
}

// reached returns the places of the relays to go on with.
func (w *world) reached() (all []int) {
	if there, _, _ := w.Cut(); there != nil {
		for i, n := range w.list {
			if there(n) {
				all = append(all, i)
			}
		}
	}
	return all
}

// TestCutOff: of thirty relays eight are left. Three minutes later these are known, and soon
// after the reopening all are used.
func TestCutOff(t *testing.T) {
	w := newWorld(t, 30, 8)
	w.live(3 * time.Minute)
	if got := w.reached(); !slices.Equal(got, []int{0, 1, 2, 3, 4, 5, 6, 7}) || w.news != 1 {
		t.Fatalf("three minutes after the cut: %v, %d times news", got, w.news)
	}
	if !w.Gone(id(8)) || w.Gone(id(7)) || w.Gone(id(1000)) {
		t.Error("another relay is gone")
	}
	w.mail = func() bool { return true }
	w.live(3 * time.Hour)
	if got := w.reached(); len(got) != 8 {
		t.Fatalf("three hours later: %v", got)
	}
	w.passes = func(Test) bool { return true }
	w.live(2 * time.Minute)
	if got := w.reached(); got != nil || w.news != 2 {
		t.Errorf("two minutes after the reopening: %v, %d times news", got, w.news)
	}
	made := len(w.made)
	if w.live(time.Hour); len(w.made) != made {
		t.Errorf("%d tests of a network that is whole", len(w.made)-made)
	}
}

// TestLargeIsland: of a thousand relays a fifth is left. Some of them are enough to begin with, and the tests
// stay within their bound.
func TestLargeIsland(t *testing.T) {
	w := newWorld(t, 1000, 200)
	w.live(5 * time.Minute)
	if got := w.reached(); len(got) < enoughUp || slices.Max(got) >= 200 {
		t.Fatalf("five minutes after the cut: %v", got)
	}
	w.mail = func() bool { return true }
	w.live(time.Hour)
	if most := stock + int(65*time.Minute/stockEvery); len(w.made) > most {
		t.Errorf("%d tests in the first hour, more than %d", len(w.made), most)
	}
}

// TestOneGuardCannotSteer: a guard that drops all tests but those of its friends makes no other
// relay look down, while the other guard passes them on; nor does one that is the only guard.
func TestOneGuardCannotSteer(t *testing.T) {
	w := newWorld(t, 30, 30)
	w.passes = func(x Test) bool { return x.Guard == id(1) || w.index(x.Relay) < 8 }
	w.live(time.Hour)
	if got := w.reached(); got != nil || w.news != 0 {
		t.Errorf("beside an honest guard: only %v are used", got)
	}

	w = newWorld(t, 30, 8)
	w.guards = w.list[:1]
	w.live(time.Hour)
	if got := w.reached(); got != nil || !w.alone {
		t.Errorf("alone: only %v are used; another guard is asked for: %v", got, w.alone)
	}
	if len(w.made) > 2*len(w.list) {
		t.Errorf("%d tests that cannot decide anything", len(w.made))
	}
}

// TestTwoGuardsCanSteer: two guards together choose the relays that their client goes on over. That is
// what they can do; it ends when one of them does.
func TestTwoGuardsCanSteer(t *testing.T) {
	w := newWorld(t, 30, 8)
	w.live(5 * time.Minute)
	if len(w.reached()) != 8 {
		t.Fatalf("two liars: %v", w.reached())
	}
	w.guards = []wire.NodeID{id(0), id(20)}
	w.passes = func(x Test) bool { return x.Guard == id(20) || w.index(x.Relay) < 8 }
	w.live(20 * time.Minute)
	if got := w.reached(); got != nil {
		t.Errorf("twenty minutes with an honest one: %v", got)
	}
}

// TestFewLeft: with fewer than five relays nothing goes out over them.
func TestFewLeft(t *testing.T) {
	w := newWorld(t, 30, Least-1)
	w.live(time.Hour)
	if got := w.reached(); got != nil {
		t.Errorf("only %v are used", got)
	}
}

// TestProvoked: an attacker that makes all requests fail gets its victim to test, now and then, and
// nothing else: all relays answer.
func TestProvoked(t *testing.T) {
	w := newWorld(t, 30, 30)
	w.live(6 * time.Hour)
	if got := w.reached(); got != nil || w.news != 0 {
		t.Errorf("only %v are used", got)
	}
	if most := 28 * 8; len(w.made) > most {
		t.Errorf("%d tests in six hours, more than %d", len(w.made), most)
	}
}

// TestAThirdIsNoIsland: where a third of the relays is down the judge is enough.
func TestAThirdIsNoIsland(t *testing.T) {
	w := newWorld(t, 30, 20)
	w.live(time.Hour)
	if got := w.reached(); got != nil {
		t.Errorf("only %v are used", got)
	}
}

// TestNoDistress: requests of which some are answered, that go to one mailbox, that are few, or whose guards
// are silent as well, lead to no test.
func TestNoDistress(t *testing.T) {
	w := newWorld(t, 30, 8)
	w.mail = func() bool { return rand.IntN(2) == 0 }
	w.live(2 * time.Hour)
	if len(w.made) > 0 {
		t.Errorf("half is answered: %d tests", len(w.made))
	}

	w = newWorld(t, 30, 8)
	for range 600 {
		w.Failed(nil, id(3), w.now)
		w.now = w.now.Add(3 * time.Second)
		if p := w.Plan(w.list, w.guards, w.now); len(p.Tests) > 0 {
			t.Fatal("one mailbox is silent: tests")
		}
	}

	w = newWorld(t, 30, 8)
	for i := range 100 {
		w.Failed(nil, id(i%30), w.now)
		w.now = w.now.Add(time.Minute)
		if p := w.Plan(w.list, w.guards, w.now); len(p.Tests) > 0 {
			t.Fatal("a request a minute fails: tests")
		}
	}

	w = newWorld(t, 30, 8)
	w.guards = nil
	w.live(time.Hour)
	if len(w.made) > 0 || w.reached() != nil {
		t.Errorf("without a guard: %d tests", len(w.made))
	}
}

// TestGuardsFallSilent: a line that dies under a sounding makes no relay look down.
func TestGuardsFallSilent(t *testing.T) {
	w := newWorld(t, 30, 30)
	w.live(failedFor + 5*time.Second)
	w.silent = true
	w.passes = func(Test) bool { return false }
	w.live(time.Hour)
	if got := w.reached(); got != nil || w.news > 0 {
		t.Errorf("only %v are used", got)
	}
	if most := stock + int(time.Hour/stockEvery); len(w.made) > most {
		t.Errorf("%d tests, more than %d", len(w.made), most)
	}
}

// TestSmallerYet: an island from which more is cut off finds out again who is there.
func TestSmallerYet(t *testing.T) {
	w := newWorld(t, 30, 12)
	w.live(3 * time.Minute)
	w.mail = func() bool { return true }
	w.live(20 * time.Minute)
	w.passes = func(x Test) bool { return w.index(x.Relay) < 6 }
	w.mail = func() bool { return false }
	w.live(8 * time.Minute)
	if got := w.reached(); !slices.Equal(got, []int{0, 1, 2, 3, 4, 5}) {
		t.Errorf("after the second cut: %v", got)
	}
}

// TestListChanges: relays that leave the list are forgotten, and new ones are tested before they are used.
func TestListChanges(t *testing.T) {
	w := newWorld(t, 30, 8)
	w.live(3 * time.Minute)
	w.mail = func() bool { return true }
	w.list = append(w.list[1:], id(100), id(101))
	w.guards = w.list[:2]
	w.passes = func(x Test) bool { return x.Relay == id(100) || w.index(x.Relay) < 7 }
	w.live(3 * time.Minute)
	there, n, _ := w.Cut()
	if there == nil || n != 8 || there(id(0)) || !there(id(100)) || there(id(101)) {
		t.Errorf("%d are used", n)
	}
}

// TestSuspects: guards are not blamed for the first minutes of silence, and are after that.
func TestSuspects(t *testing.T) {
	w := newWorld(t, 30, 30)
	if w.Suspects(w.now) {
		t.Error("before anything failed")
	}
	w.live(12 * time.Second)
	if !w.Suspects(w.now) {
		t.Error("not in the first silence")
	}
	w.live(2 * time.Minute)
	if w.Suspects(w.now) {
		t.Error("after all relays have answered tests")
	}
	w = newWorld(t, 30, 8)
	w.guards = w.list[:1]
	w.live(30 * time.Minute)
	if w.Suspects(w.now) {
		t.Error("for half an hour")
	}

	// So few requests that it never comes to tests.
	var s Island
	now := time.Unix(1_000_000, 0)
	for i := range 40 {
		now = now.Add(30 * time.Second)
		s.Failed(nil, id(i%2), now)
		if p := s.Plan(w.list, w.guards, now); len(p.Tests) > 0 {
			t.Fatal("tests")
		}
		if young := i >= suspectedBy-1 && i < 10; young && !s.Suspects(now) || i > 10 && s.Suspects(now) {
			t.Errorf("after %d requests: %v", i+1, s.Suspects(now))
		}
	}
	s.Answered(now)
	for range 2 * answeredShare {
		s.Failed(nil, id(1), now)
	}
	if !s.Suspects(now) {
		t.Error("not in the next silence")
	}
}
