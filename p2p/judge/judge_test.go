package judge

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"starling/p2p/wire"
)

const box = 200 // the mailbox of requests that do not say

func ids(names ...byte) (list []wire.NodeID) {
	for _, n := range names {
		list = append(list, wire.NodeID{n})
	}
	return list
}

// court is a judge of 100 listed relays, and a clock.
type court struct {
	Judge
	now    time.Time
	listed int
}

func newCourt() *court { return &court{now: time.Unix(1e9, 0), listed: 100} }

func (c *court) wait(d time.Duration) { c.now = c.now.Add(d) }

// failed lets a request fail, answered lets one be answered, each with a mailbox that
// is above suspicion.
func (c *court) failed(mixes ...byte) {
	c.wait(time.Second)
	sent := c.now
	c.Answered(nil, wire.NodeID{box}, sent.Add(time.Millisecond), sent)
	c.Failed(ids(mixes...), wire.NodeID{box}, sent, sent.Add(time.Second))
}

func (c *court) answered(mixes ...byte) { c.Answered(ids(mixes...), wire.NodeID{box}, c.now, c.now) }

func (c *court) avoided() (names []byte) {
	list, _ := c.Avoided(func(id wire.NodeID) bool { return id[0] <= byte(c.listed) }, c.listed, c.now.Add(time.Second))
	for _, id := range list {
		names = append(names, id[0])
	}
	return names
}

func (c *court) want(t *testing.T, names ...byte) {
	t.Helper()
	if got := c.avoided(); !slices.Equal(got, names) {
		t.Errorf("avoided: %v, want %v", got, names)
	}
}

func TestWhatFailuresHaveInCommon(t *testing.T) {
	c := newCourt()
	c.failed(1, 2, 3, 4)
	c.want(t) // it may be any of them
	c.failed(1, 5, 6, 7)
	c.failed(1, 8, 9, 10)
	c.want(t, 1)
}

// TestProof: a relay that was up after the request was sent did not lose it; one
// with many answers takes little of the blame.
func TestProof(t *testing.T) {
	c := newCourt()
	for range 3 {
		sent := c.now
		c.Answered(ids(1), wire.NodeID{box}, sent.Add(time.Millisecond), sent)
		c.Failed(ids(1, 2), wire.NodeID{box}, sent, sent.Add(time.Second))
		c.wait(2 * time.Second)
	}
	c.want(t, 2)
	c = newCourt()
	for range 30 {
		c.answered(1)
	}
	c.wait(time.Second)
	for range 3 {
		c.failed(1, 2)
	}
	c.want(t, 2)
	// Four half lives later the proofs count as two.
	c = newCourt()
	for range 30 {
		c.answered(1)
	}
	c.wait(2 * time.Hour)
	for n := range byte(6) {
		c.failed(1, 10+n)
	}
	c.want(t, 1)
}

// TestEnds: a relay is avoided no longer once it answers, or once others explain its
// failures; and not at once again for failures of before.
func TestEnds(t *testing.T) {
	c := newCourt()
	for n := range byte(4) {
		c.failed(1, 10+n)
	}
	c.want(t, 1)
	c.wait(time.Minute)
	c.answered(1)
	c.want(t)
	c.failed(50, 51)
	c.want(t)

	c = newCourt()
	c.failed(1, 2)
	c.failed(1, 2)
	c.failed(1, 2)
	c.want(t, 1, 2)
	for n := range byte(6) {
		c.failed(2, 10+n)
	}
	c.want(t, 2)
	if r := c.parts[part{id: wire.NodeID{1}}]; r.times != 0 {
		t.Errorf("it is held against it: %d", r.times)
	}
}

// TestLonger: for 10 minutes, doubled up to 6 hours each time that a new failure falls
// to it; an answer halves that.
func TestLonger(t *testing.T) {
	c := newCourt()
	for i, want := range []time.Duration{10, 20, 40, 80, 160, 320, 360, 360} {
		for range 3 {
			c.failed(1)
		}
		c.want(t, 1)
		c.wait(want*time.Minute - 10*time.Second)
		if c.want(t, 1); t.Failed() {
			t.Fatalf("the %dth time", i+1)
		}
		c.wait(12 * time.Second)
		if c.want(t); t.Failed() {
			t.Fatalf("the %dth time", i+1)
		}
	}
	c.answered(1)
	if r := c.parts[part{id: wire.NodeID{1}}]; r.times != 4 {
		t.Errorf("after an answer it counts %d of 8 times", r.times)
	}
}

// TestThird: not more than the worst third is avoided, and five are left.
func TestThird(t *testing.T) {
	for listed, want := range map[int]int{100: 20, 30: 10, 7: 2, 6: 1, 5: 0, 3: 0} {
		c := newCourt()
		c.listed = listed
		for n := range byte(20) {
			for range 3 + n%3 {
				c.failed(n + 1)
			}
		}
		got := c.avoided()
		if len(got) != want {
			t.Errorf("of %d: %d avoided, want %d", listed, len(got), want)
		}
		if listed == 30 && slices.ContainsFunc(got[:6], func(n byte) bool { return (n-1)%3 != 2 }) {
			t.Errorf("not the worst: %v", got)
		}
	}
}

// TestMissing: a mailbox is missing after eight requests a second apart without an
// answer, if another has answered meanwhile; passing packets on is no answer.
func TestMissing(t *testing.T) {
	a, b := wire.NodeID{201}, wire.NodeID{202}
	c := newCourt()
	ask := func(m wire.NodeID, n byte) {
		c.wait(2 * time.Second)
		c.Failed(ids(n, n+1, n+2), m, c.now, c.now.Add(time.Second))
	}
	for n := range byte(20) {
		ask(a, 3*n)
	}
	if c.Missing(a, c.now) {
		t.Error("it may be us: nobody has answered")
	}
	if c.Passed([]wire.NodeID{a}, c.now, c.now); c.Heard(a) {
		t.Error("it has never answered as a mailbox")
	}
	c.Answered(nil, b, c.now, c.now.Add(time.Second))
	if !c.Missing(a, c.now.Add(time.Second)) || c.Missing(b, c.now) {
		t.Error("it is not missing, or the other is")
	}
	c.Answered([]wire.NodeID{a}, b, c.now, c.now.Add(time.Second))
	if !c.Missing(a, c.now.Add(time.Second)) {
		t.Error("as a mix it works: that says nothing of the mailbox")
	}
	c.Answered(nil, a, c.now, c.now)
	if c.Missing(a, c.now) {
		t.Error("it has answered")
	}
	if ask(a, 90); !c.Heard(a) || c.Heard(wire.NodeID{203}) {
		t.Error("it has answered once, and another never")
	}

	c = newCourt()
	c.Answered(nil, b, c.now, c.now)
	for n := range byte(7) {
		ask(a, 3*n)
	}
	c.Answered(nil, b, c.now, c.now.Add(time.Second))
	if c.Missing(a, c.now) {
		t.Error("seven are too few")
	}
	for range 20 { // lost together: one
		c.Failed(ids(100), a, c.now, c.now)
	}
	if ask(a, 60); !c.Missing(a, c.now) {
		t.Error("eight are enough")
	}
	c = newCourt()
	for range 20 {
		c.Failed(ids(100), a, c.now, c.now)
	}
	c.Answered(nil, b, c.now, c.now.Add(time.Second))
	if c.Missing(a, c.now) {
		t.Error("twenty at once are one")
	}
}

// TestDark: three requests in a row that bring nothing, wherever they went, are the dark. An
// answer ends it; packets that were passed on do not.
func TestDark(t *testing.T) {
	c := newCourt()
	for n := range byte(3) {
		if c.Dark() {
			t.Errorf("dark after %d", n)
		}
		c.Failed(ids(n), wire.NodeID{200 + n}, c.now, c.now)
	}
	if !c.Dark() {
		t.Error("three brought nothing")
	}

	if c.Passed(ids(1), c.now, c.now); !c.Dark() {
		t.Error("nobody has answered")
	}
	if !c.LastAnswer().IsZero() {
		t.Error("an answer that was none")
	}
	if c.Answered(nil, wire.NodeID{200}, c.now, c.now); c.Dark() || !c.LastAnswer().Equal(c.now) {
		t.Error("one has answered")
	}
}

// TestDies: that a relay has answered for hours does not speak for it once it is
// dead: a handful of failures finds it, although most of a small mesh is on each way.
func TestDies(t *testing.T) {
	c := newCourt()
	for range 200 {
		c.wait(30 * time.Second)
		c.answered(1, 2, 3, 4, 5, 6)
	}
	for n := range byte(4) {
		c.failed(1, 2+n, 3+n)
		c.wait(time.Second)
		c.answered(2+n, 3+n)
	}
	c.want(t, 1)
}

// TestForgets: failures are kept for 10 minutes, and 128 of them.
func TestForgets(t *testing.T) {
	c := newCourt()
	c.failed(1, 2)
	c.wait(memory + time.Minute)
	c.failed(1, 3)
	c.want(t)
	for n := range 300 {
		c.failed(byte(2 + n%90))
	}
	if len(c.failures) != maxFailures {
		t.Errorf("%d failures", len(c.failures))
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 10_000 {
		var id wire.NodeID
		for i := range id {
			id[i] = byte(r.Uint32())
		}
		if r.IntN(50) == 0 {
			c.Failed([]wire.NodeID{id}, id, c.now, c.now)
		} else {
			c.Answered([]wire.NodeID{id}, id, c.now, c.now)
		}
	}
	if len(c.parts) > maxParts {
		t.Errorf("%d parts", len(c.parts))
	}
	c.Failed(ids(1, 2, 3, 4, 5, 6, 7, 8, 9, 10), wire.NodeID{11}, c.now, c.now) // no panic
}

// TestVersion: the holder of an answer learns that there is another.
func TestVersion(t *testing.T) {
	c := newCourt()
	version := func() int { _, v := c.Avoided(func(wire.NodeID) bool { return true }, 100, c.now); return v }
	before := version()
	for range 3 {
		c.failed(1)
	}
	failed := version()
	c.answered(1)
	if before == failed || failed == version() {
		t.Error("the answer is another, and its version is not")
	}
}

// BenchmarkFailed is the cost of a failure when as many as can be are kept.
func BenchmarkFailed(b *testing.B) {
	c, r := newCourt(), rand.New(rand.NewPCG(1, 1))
	for b.Loop() {
		var route []byte
		for range 6 {
			route = append(route, byte(r.IntN(100)))
		}
		c.Failed(ids(route...), wire.NodeID{byte(r.IntN(100))}, c.now, c.now)
	}
}

// TestExplain: failures with a relay that is known to be out of reach say nothing of the others,
// and later ones do.
func TestExplain(t *testing.T) {
	c := newCourt()
	for n := range byte(6) {
		c.failed(1, 10+n)
	}
	c.want(t, 1)
	c.Explain(func(id wire.NodeID) bool { return id[0] >= 10 && id[0] < box }, c.now)
	c.want(t)
	for n := range byte(4) {
		c.failed(2, 3+n)
	}
	c.want(t, 2)
	c.Explain(func(wire.NodeID) bool { return false }, c.now)
	c.want(t, 2)
}
