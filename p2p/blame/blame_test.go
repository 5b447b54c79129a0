package blame

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"starling/p2p/wire"
)

func ids(names ...byte) (list []wire.NodeID) {
	for _, n := range names {
		list = append(list, wire.NodeID{n})
	}
	return list
}

// bench is a ledger and a clock, and tells who is doubtful.
type bench struct {
	Ledger
	now time.Time
}

func newBench() *bench { return &bench{now: time.Unix(1e9, 0)} }

func (b *bench) failed(names ...byte)   { b.Failed(ids(names...), b.now, b.now.Add(time.Second)) }
func (b *bench) answered(names ...byte) { b.Answered(ids(names...), b.now, b.now) }

func (b *bench) wait(d time.Duration) { b.now = b.now.Add(d) }

func (b *bench) want(t *testing.T, names ...byte) {
	t.Helper()
	var got []byte
	list, _ := b.Doubtful(b.now.Add(time.Second))
	for _, id := range list {
		got = append(got, id[0])
	}
	if !slices.Equal(got, names) {
		t.Errorf("doubtful: %v, want %v", got, names)
	}
}

func TestWhatFailuresHaveInCommon(t *testing.T) {
	b := newBench()
	b.failed(1, 2, 3, 4)
	b.want(t) // it may be any of them
	b.failed(1, 5, 6, 7)
	b.failed(1, 8, 9, 10)
	b.want(t, 1)
}

func TestProof(t *testing.T) {
	b := newBench()
	b.answered(1, 2, 3)
	b.wait(time.Second)
	b.failed(1, 2, 3, 4)
	b.failed(1, 2, 3, 4)
	b.want(t, 4) // the only one that has never answered
	b.wait(time.Second)
	b.answered(4)
	b.want(t)
	if len(b.failures) != 0 {
		t.Errorf("kept: %v", b.failures)
	}
}

// TestLateProof: an answer that comes after its request was given up takes the
// failure back.
func TestLateProof(t *testing.T) {
	b := newBench()
	for range 10 {
		b.failed(1)
	}
	b.want(t, 1)
	b.answered(1)
	b.want(t)
	// And what was sent before the proof is not held against it after.
	sent := b.now.Add(-time.Second)
	for range 10 {
		b.Failed(ids(1), sent, b.now)
	}
	b.want(t)
}

func TestBetterExplanation(t *testing.T) {
	b := newBench()
	for range 3 {
		b.failed(1, 2)
	}
	b.want(t, 1, 2) // as like as two peas
	b.wait(time.Second)
	b.answered(1)
	b.want(t)
	for range 3 {
		b.failed(1, 2)
	}
	b.want(t, 2)
	if r := b.relays[wire.NodeID{1}]; r.times != 0 {
		t.Errorf("it is held against it: %+v", r)
	}
}

// TestBackAgain: when one answers that was down, its failures stay its own.
func TestBackAgain(t *testing.T) {
	b := newBench()
	for n := range byte(10) {
		b.failed(100, 10+n, 30+n)
	}
	b.want(t, 100)
	b.wait(time.Minute)
	b.answered(100)
	b.want(t)
	if len(b.failures) != 0 {
		t.Errorf("others are blamed: %v", b.failures)
	}
}

// TestLonger: it takes longer each time, until there is an answer.
func TestLonger(t *testing.T) {
	b := newBench()
	for _, want := range []time.Duration{1, 2, 4, 8, 16, 32, 36, 36} {
		for range 3 {
			b.failed(1)
		}
		b.want(t, 1)
		b.wait(want*memory - time.Second)
		b.want(t, 1)
		b.wait(time.Second)
		b.want(t)
	}
	b.answered(1)
	b.wait(time.Hour)
	for range 3 {
		b.failed(1)
	}
	b.wait(memory)
	b.want(t)
}

func TestBounded(t *testing.T) {
	b := newBench()
	r := rand.New(rand.NewPCG(1, 2))
	for range 5000 {
		var id wire.NodeID
		for i := range id {
			id[i] = byte(r.Uint32())
		}
		if r.IntN(2) == 0 {
			b.Failed([]wire.NodeID{id}, b.now, b.now)
		} else {
			b.Answered([]wire.NodeID{id}, b.now, b.now)
		}
	}
	if len(b.failures) > maxFailures || len(b.relays) > maxRelays {
		t.Errorf("%d failures, %d relays", len(b.failures), len(b.relays))
	}
}

// A mesh loses what goes over relays that are down, and one in some requests.
type mesh struct {
	relays int
	down   map[byte]bool
	loss   float64
	floor  int // of relays that are used
}

// run sends requests as a client does, over two guards at a time and four pins, and
// returns how many of them were answered.
func (m mesh) run(b *bench, r *rand.Rand, requests int, every time.Duration) (answered int) {
	var guards, pins []byte
	for _, n := range r.Perm(m.relays) {
		if !m.down[byte(n)] { // nobody connects to one that is
			guards = append(guards, byte(n))
		}
	}
	for _, n := range r.Perm(m.relays) {
		if len(pins) < 4 && !slices.Contains(guards[:2], byte(n)) {
			pins = append(pins, byte(n))
		}
	}
	silent := map[byte]int{} // requests over a guard that brought nothing
	all := make([]byte, m.relays)
	for i := range all {
		all[i] = byte(i)
	}
	for range requests {
		b.wait(every)
		doubtful, _ := b.Doubtful(b.now)
		doubtful = doubtful[:min(len(doubtful), m.relays-m.floor)]
		turn := r.IntN(2)
		way := func(mailbox ...byte) []byte {
			way := append(mailbox, guards[turn])
			pick := func(from []byte) {
				var fit, poor []byte
				for _, n := range from {
					switch {
					case slices.Contains(way, n):
					case slices.Contains(doubtful, wire.NodeID{n}):
						poor = append(poor, n)
					default:
						fit = append(fit, n)
					}
				}
				if len(fit) == 0 {
					fit = poor
				}
				way = append(way, fit[r.IntN(len(fit))])
			}
			pick(pins)
			pick(all)
			if len(mailbox) == 0 {
				pick(all)
			}
			return way
		}
		route := way()
		route = append(route, way(route[3])...)
		if !slices.ContainsFunc(route, func(n byte) bool { return m.down[n] }) && r.Float64() >= m.loss {
			b.Answered(ids(route...), b.now, b.now)
			answered++
			delete(silent, guards[turn])
			continue
		}
		b.Failed(ids(route...), b.now, b.now.Add(6*time.Second))
		if silent[guards[turn]]++; silent[guards[turn]] == 8 { // another takes its place
			delete(silent, guards[turn])
			guards = append(slices.Delete(guards, turn, turn+1), guards[turn])
		}
	}
	return answered
}

func TestMeshes(t *testing.T) {
	for _, c := range []struct {
		name     string
		mesh     mesh
		warm     int // requests before it counts
		requests int
		answered int // at least, in the mean of the runs
	}{
		{"all is well", mesh{relays: 20, floor: 10}, 0, 100, 100},
		{"one in twenty is lost", mesh{relays: 20, floor: 10, loss: 0.05}, 0, 100, 92},
		{"a third is lost", mesh{relays: 20, floor: 10, loss: 0.33}, 0, 100, 62},
		{"one of six is down", mesh{relays: 6, floor: 5, down: set(0)}, 0, 30, 23},
		{"ten of fifty are down", mesh{relays: 50, floor: 25, down: set(0, 1, 2, 3, 4, 5, 6, 7, 8, 9)}, 50, 200, 180},
		{"four of ten are down", mesh{relays: 10, floor: 5, down: set(0, 1, 2, 3)}, 100, 100, 80},
	} {
		t.Run(c.name, func(t *testing.T) {
			const runs = 20
			sum := 0
			for seed := range uint64(runs) {
				b, r := newBench(), rand.New(rand.NewPCG(seed, 1))
				c.mesh.run(b, r, c.warm, 2*time.Second)
				sum += c.mesh.run(b, rand.New(rand.NewPCG(seed, 1)), c.requests, 2*time.Second)
			}
			t.Logf("%.1f of %d are answered", float64(sum)/runs, c.requests)
			if sum < c.answered*runs {
				t.Errorf("%.1f of %d are answered, want %d", float64(sum)/runs, c.requests, c.answered)
			}
		})
	}
}

func set(names ...byte) map[byte]bool {
	m := map[byte]bool{}
	for _, n := range names {
		m[n] = true
	}
	return m
}

// BenchmarkFailed is the cost of a failure when as many as can be are kept.
func BenchmarkFailed(b *testing.B) {
	l, r := newBench(), rand.New(rand.NewPCG(1, 1))
	for b.Loop() {
		var route []byte
		for range 7 {
			route = append(route, byte(r.IntN(100)))
		}
		l.failed(route...)
	}
}
