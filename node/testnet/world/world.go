// Package world is a network like the world's: regions that are far from each other,
// links of homes, phones and satellites, and bursts of loss. It says how long a packet
// takes, at which rate it leaves, and whether it is lost; others carry the packets: in
// virtual time p2p/virtualtime, between processes package shaper.
//
// The way of a packet is the link of its sender, half of the round trip between the two
// regions, and the link of its receiver. Draws follow from the seed, and the state of a
// link at a time from the seed and the time alone; jitter and losses are drawn one after
// the other.
package world

import (
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// A Machine is where one node runs.
type Machine struct {
	Region string
	Link   string  // one of Links
	Up     float64 // megabits a second; 0: those of its link
	Down   float64
}

// Bursts are losses that come together: Gilbert and Elliott's two states of a link, each
// way. The zero value is none.
type Bursts struct {
	Enter float64 // chance for each packet that a bad time begins
	Leave float64 // and that it ends
	Loss  float64 // chance of a packet to be lost in a bad time
}

// A World is the network between machines. Its methods may be called from any goroutine.
type World struct {
	machines []Machine
	rtt      [][]time.Duration // between machines' regions, by region
	region   []int             // of each machine
	jitter   time.Duration
	bursts   Bursts
	seed     uint64

	mu  sync.Mutex
	rnd *rand.Rand
	bad [][2]bool // of each machine, up and down
}

// New makes the network of some machines. Their regions are those of the table.
func New(table *Table, machines []Machine, jitter time.Duration, bursts Bursts, seed uint64) *World {
	w := &World{machines: machines, rtt: table.rtt, jitter: jitter, bursts: bursts, seed: seed,
		rnd: rand.New(rand.NewPCG(seed, 77)), bad: make([][2]bool, len(machines))}
	for _, m := range machines {
		w.region = append(w.region, slices.Index(table.Regions, m.Region))
	}
	return w
}

// Usual is the time that a packet takes between two machines, without jitter.
func (w *World) Usual(from, to int, at time.Duration) time.Duration {
	d := w.state(from, at).latency + w.state(to, at).latency
	if w.knows(from) && w.knows(to) {
		d += w.rtt[w.region[from]][w.region[to]] / 2
	}
	return d
}

func (w *World) knows(i int) bool { return i >= 0 && i < len(w.machines) && w.region[i] >= 0 }

// Delay draws how long a packet takes that leaves at a time, and whether it is lost.
func (w *World) Delay(from, to int, at time.Duration) (d time.Duration, lost bool) {
	a, b := w.state(from, at), w.state(to, at)
	w.mu.Lock()
	defer w.mu.Unlock()
	d = w.Usual(from, to, at)
	for _, jitter := range []time.Duration{w.jitter, a.jitter, b.jitter} {
		if jitter > 0 {
			d += time.Duration(math.Abs(w.rnd.NormFloat64()) * float64(jitter))
		}
	}
	up, down := w.burst(from, 0), w.burst(to, 1) // both states go on
	return d, up || down || a.gone || b.gone
}

// burst draws a loss on one way of a machine's link.
func (w *World) burst(i, way int) bool {
	if w.bursts.Enter == 0 || i < 0 || i >= len(w.bad) {
		return false
	}
	bad := &w.bad[i][way]
	if *bad {
		*bad = w.rnd.Float64() >= w.bursts.Leave
	} else {
		*bad = w.rnd.Float64() < w.bursts.Enter
	}
	return *bad && w.rnd.Float64() < w.bursts.Loss
}

// Rate is the bits a second that a machine's link has, up or down.
func (w *World) Rate(machine int, up bool, at time.Duration) float64 {
	s := w.state(machine, at)
	rate, own := s.down, 0.0
	if up {
		rate = s.up
	}
	if machine >= 0 && machine < len(w.machines) {
		if own = w.machines[machine].Down; up {
			own = w.machines[machine].Up
		}
	}
	if own > 0 {
		rate = own
	}
	return max(rate, least) * 1e6
}

// least is the slowest rate there is, in megabits a second.
const least = 0.01
