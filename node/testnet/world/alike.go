package world

import (
	"math/rand/v2"
	"sync"
	"time"
)

// Alike is a network whose links are all alike, with a latency drawn for each pair of
// machines.
type Alike struct {
	least, most time.Duration
	loss, rate  float64
	seed        uint64

	mu  sync.Mutex
	rnd *rand.Rand
}

// NewAlike makes one. The rate is bits a second, 0 for no limit.
func NewAlike(least, most time.Duration, loss, rate float64, seed uint64) *Alike {
	if rate == 0 {
		rate = steady[""].up * 1e6
	}
	return &Alike{least: least, most: most, loss: loss, rate: rate, seed: seed, rnd: rand.New(rand.NewPCG(seed, 78))}
}

// Delay is as that of a World.
func (a *Alike) Delay(from, to int, _ time.Duration) (d time.Duration, lost bool) {
	d = a.least
	if a.most > a.least {
		draw := rand.New(rand.NewPCG(a.seed, uint64(min(from, to)+1)<<32|uint64(max(from, to)+1)))
		d += time.Duration(draw.Int64N(int64(a.most - a.least)))
	}
	if a.loss == 0 {
		return d, false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return d, a.rnd.Float64() < a.loss
}

// Rate is as that of a World.
func (a *Alike) Rate(int, bool, time.Duration) float64 { return a.rate }
