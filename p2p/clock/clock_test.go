package clock

import (
	"math/rand/v2"
	"testing"
	"time"

	"starling/p2p/wire"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// A world has the time, a computer that is wrong about it, and relays.
type world struct {
	time  time.Time
	wrong time.Duration // by which the computer's clock is ahead
	mono  time.Duration
	c     *Clock
}

func newWorld(wrong time.Duration) *world {
	w := &world{time: noon, wrong: wrong}
	w.c = New(Config{Wall: func() time.Time { return w.time.Add(w.wrong) }, Mono: func() time.Duration { return w.mono }})
	return w
}

func (w *world) pass(d time.Duration)  { w.time, w.mono = w.time.Add(d), w.mono+d }
func (w *world) sleep(d time.Duration) { w.time = w.time.Add(d) }

// hear takes a reading of a relay with a clock that is ahead, over a round trip.
func (w *world) hear(relay byte, ahead, trip time.Duration) {
	w.pass(trip / 2)
	at := w.time.Add(ahead)
	w.pass(trip - trip/2)
	w.c.Hear(wire.NodeID{relay}, at, trip)
}

// bound is that of n honest relays that renew every 8 h, and of liars that issue as far
// ahead as they like.
func (w *world) bound(honest, liars int, ahead time.Duration) Bound {
	rnd := rand.New(rand.NewPCG(1, 2))
	var all []Signed
	for range honest {
		issued := w.time.Add(-time.Duration(rnd.Int64N(int64(8 * time.Hour))))
		all = append(all, Signed{issued, issued.Add(8 * time.Hour)})
	}
	for range liars {
		all = append(all, Signed{w.time.Add(ahead), w.time.Add(ahead + 8*time.Hour)})
	}
	return BoundOf(all)
}

func (w *world) check(t *testing.T, what string, by time.Duration) {
	t.Helper()
	if d := w.c.Now().Sub(w.time); d.Abs() > by {
		t.Errorf("%s: %v from the time, at most %v", what, d, by)
	}
}

const year = 365 * 24 * time.Hour

// TestYears: with three sources, or two, the time is right however wrong the
// computer's clock is.
func TestYears(t *testing.T) {
	for _, wrong := range []time.Duration{-year, -24 * time.Hour, -11 * time.Minute, 0, time.Minute, 7 * time.Hour, 36 * time.Hour, year} {
		for sources := byte(2); sources <= 5; sources++ {
			w := newWorld(wrong)
			for i := range sources {
				w.hear(i, time.Duration(i)*time.Second, 300*time.Millisecond)
			}
			w.c.Judge(w.bound(20, 0, 0))
			w.check(t, wrong.String(), 5*time.Second)
			if ahead, sure := w.c.Off(); !sure || (ahead-wrong).Abs() > 5*time.Second {
				t.Errorf("the computer is %v ahead, it says %v, sure: %v", wrong, ahead, sure)
			}
			w.pass(time.Hour)
			w.check(t, "an hour later", 5*time.Second)
		}
	}
}

// TestOneReading: the word of one is taken only when this computer's clock cannot be
// right and that one can.
func TestOneReading(t *testing.T) {
	w := newWorld(0)
	w.hear(1, 3*time.Hour, 0)
	if w.c.Judge(w.bound(20, 0, 0)); w.c.Now() != w.time {
		t.Error("one liar moved a clock that was right")
	}
	w = newWorld(-year)
	w.hear(1, 0, 0)
	w.c.Judge(w.bound(20, 0, 0))
	w.check(t, "a year behind, one source", time.Second)
	if _, sure := w.c.Off(); sure {
		t.Error("sure by the word of one")
	}
	w = newWorld(-year)
	w.hear(1, year, 0)
	if w.c.Judge(w.bound(20, 0, 0)); !w.c.Now().Equal(w.time.Add(-year)) {
		t.Error("a liar outside of the bound was believed")
	}
}

// TestLiars: one source of three cannot move the time, two can within the bound.
func TestLiars(t *testing.T) {
	for _, lie := range []time.Duration{-10 * year, -time.Hour, -3 * time.Minute, 3 * time.Minute, time.Hour, 10 * year} {
		w := newWorld(-5 * time.Hour)
		w.hear(1, 0, 0)
		w.hear(2, lie, 0)
		w.hear(3, time.Second, 0)
		w.c.Judge(w.bound(20, 6, lie))
		w.check(t, "one of three says "+lie.String(), 2*time.Second)

		w = newWorld(0)
		w.hear(1, lie, 0)
		w.hear(2, lie, 0)
		w.hear(3, 0, 0)
		w.c.Judge(w.bound(20, 0, 0))
		w.check(t, "two of three say "+lie.String(), 8*time.Hour)
	}
	w := newWorld(0)
	w.hear(1, time.Hour, 0)
	w.hear(2, 0, 0)
	if w.c.Judge(w.bound(20, 0, 0)); w.c.Now() != w.time {
		t.Error("two that differ moved the clock")
	}
	w = newWorld(0)
	for i, said := range []time.Duration{-time.Hour, 10 * time.Minute, time.Hour} {
		w.hear(byte(i+1), said, 0)
	}
	if w.c.Judge(w.bound(20, 0, 0)); w.c.Now() != w.time {
		t.Error("three of which no two agree moved the clock")
	}
}

// TestBound: a quarter of liars pushes neither end by more than honest relays are
// apart.
func TestBound(t *testing.T) {
	w := newWorld(0)
	for _, lie := range []time.Duration{-10 * year, -48 * time.Hour, 48 * time.Hour, 10 * year} {
		b := w.bound(30, 10, lie)
		if !b.Holds(w.time) {
			t.Errorf("%v: the time is not between %v and %v", lie, b.From, b.To)
		}
		if b.Holds(w.time.Add(17*time.Hour)) || b.Holds(w.time.Add(-9*time.Hour)) {
			t.Errorf("%v: between %v and %v", lie, b.From, b.To)
		}
	}
	if b := BoundOf([]Signed{{w.time, w.time.Add(year)}}); b.Holds(w.time.Add(3 * 24 * time.Hour)) {
		t.Error("a relay that renews once a year pushes the bound")
	}
}

// TestNonsense: times that nobody can mean are no reading.
func TestNonsense(t *testing.T) {
	w := newWorld(0)
	for i, at := range []time.Time{{}, time.Unix(0, 0), time.Unix(1<<40, 0), noon.AddDate(500, 0, 0)} {
		w.c.Hear(wire.NodeID{byte(i)}, at, 0)
		if len(w.c.readings) > 0 {
			t.Errorf("%v is heard", at)
		}
	}
	for i := range 1000 {
		w.c.Hear(wire.NodeID{1, byte(i), byte(i >> 8)}, noon, 0)
	}
	if n := len(w.c.readings); n > maxReadings {
		t.Errorf("%d readings", n)
	}
}

// TestSetWhileRunning: a clock that is put right, or wrong, while the program runs
// does not move the time.
func TestSetWhileRunning(t *testing.T) {
	for _, from := range []time.Duration{-year, 11 * time.Minute, 0} {
		for _, to := range []time.Duration{0, -3 * time.Hour, -year} {
			w := newWorld(from)
			w.hear(1, 0, 0)
			w.hear(2, 0, 0)
			w.c.Judge(w.bound(20, 0, 0))
			w.pass(time.Minute)
			w.wrong = to
			if to > from && to != 0 {
				continue // set forward to another wrong time: a sleep, until somebody says more
			}
			jumped := w.c.Jumps() > 0
			w.check(t, "set from "+from.String()+" to "+to.String(), 3*time.Second)
			if jumped != (from != to) {
				t.Errorf("from %v to %v: jumped %v", from, to, jumped)
			}
			w.hear(1, 0, 0)
			w.hear(2, 0, 0)
			w.c.Judge(w.bound(20, 0, 0))
			w.check(t, "and heard again", 3*time.Second)
		}
	}
}

// TestSleep: the time goes on while the computer sleeps, and earlier readings keep
// their worth.
func TestSleep(t *testing.T) {
	for _, wrong := range []time.Duration{0, -3 * time.Minute, year} {
		for _, sleep := range []time.Duration{10 * time.Second, time.Minute, 150 * time.Second, 9 * time.Hour} {
			w := newWorld(wrong)
			for i := range byte(3) {
				w.hear(i, 0, 0)
			}
			w.c.Judge(w.bound(20, 0, 0))
			w.sleep(sleep)
			if first, second := w.c.Jumps(), w.c.Jumps(); first != 1 || second != 1 {
				t.Errorf("a sleep is seen %d, %d times", first, second)
			}
			w.check(t, "slept "+sleep.String(), 3*time.Second)
			w.c.Judge(w.bound(20, 0, 0))
			w.check(t, "and judged again", 3*time.Second)
		}
	}
}

// TestBacked: a clock that is right is backed by one source, against any others.
func TestBacked(t *testing.T) {
	w := newWorld(0)
	w.hear(1, time.Hour, 0)
	if w.c.Backed() {
		t.Error("backed by who says something else")
	}
	w.hear(2, time.Second, 0)
	if !w.c.Backed() {
		t.Error("not backed")
	}
	if w.pass(2 * fresh); w.c.Backed() {
		t.Error("backed by what was said long ago")
	}
}
