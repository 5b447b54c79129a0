package world

import (
	"math/rand/v2"
	"time"
)

// A state is a link at one time. Rates are megabits a second.
type state struct {
	latency, jitter time.Duration
	up, down        float64
	gone            bool // nothing comes through
}

const ms = time.Millisecond

// The links. They are models for tests, of the orders of size that operators and public
// speed tests tell, and no measurements of ours.
const (
	Datacentre = "datacentre"
	Fibre      = "fibre"
	Cable      = "cable"
	DSL        = "dsl"
	Mobile     = "mobile"    // LTE: rates and latency change every 10 s, now and then a hole
	Commuter   = "wifi-lte"  // Wi-Fi at home, LTE on the way, and a second without either between them
	Satellite  = "satellite" // in low orbit: another satellite every 15 s, as Starlink's
)

// Links returns the names of all links.
func Links() []string {
	return []string{Datacentre, Fibre, Cable, DSL, Mobile, Commuter, Satellite}
}

// steady are the links that do not change.
var steady = map[string]state{
	"":         {up: 1000, down: 1000}, // an outsider
	Datacentre: {latency: ms / 2, jitter: ms / 10, up: 1000, down: 1000},
	Fibre:      {latency: 2 * ms, jitter: ms / 4, up: 100, down: 300},
	Cable:      {latency: 8 * ms, jitter: 2 * ms, up: 20, down: 200},
	DSL:        {latency: 12 * ms, jitter: 1 * ms, up: 10, down: 50},
}

// The times of links that change.
const (
	mobileSlot    = 10 * time.Second
	mobileHole    = 1500 * ms
	commuterSlot  = 45 * time.Second
	commuterGap   = time.Second
	satelliteSlot = 15 * time.Second
	satelliteGap  = 150 * ms
	satelliteHole = 2 * time.Second
)

// state returns the link of a machine at a time.
func (w *World) state(machine int, at time.Duration) state {
	if machine < 0 || machine >= len(w.machines) {
		return steady[""]
	}
	link := w.machines[machine].Link
	switch link {
	case Mobile:
		return w.mobile(machine, at)
	case Commuter:
		return w.commuter(machine, at)
	case Satellite:
		return w.satellite(machine, at)
	}
	return steady[link]
}

// slot returns which slot of a length a time is in, how far, and a generator that
// belongs to the machine and the slot. Machines change at different times.
func (w *World) slot(machine int, at, length time.Duration) (n int64, into time.Duration, draw *rand.Rand) {
	phase := rand.New(rand.NewPCG(w.seed, uint64(machine)<<8|1)).Int64N(int64(length))
	at += time.Duration(phase)
	n = int64(at / length)
	return n, at % length, rand.New(rand.NewPCG(w.seed^uint64(n)<<20, uint64(machine)<<8|2))
}

func between(draw *rand.Rand, low, high float64) float64 { return low + draw.Float64()*(high-low) }

func (w *World) mobile(machine int, at time.Duration) state {
	_, into, draw := w.slot(machine, at, mobileSlot)
	s := state{latency: time.Duration(between(draw, 20, 45) * float64(ms)), jitter: 8 * ms, up: between(draw, 2, 15), down: between(draw, 5, 60)}
	s.gone = draw.Float64() < 0.03 && into < mobileHole
	return s
}

func (w *World) commuter(machine int, at time.Duration) state {
	n, into, draw := w.slot(machine, at, commuterSlot)
	s := state{latency: 5 * ms, jitter: 2 * ms, up: 20, down: 80}
	if n%2 == 1 {
		s = state{latency: time.Duration(between(draw, 25, 45) * float64(ms)), jitter: 8 * ms, up: between(draw, 3, 12), down: between(draw, 8, 40)}
	}
	s.gone = into < commuterGap
	return s
}

func (w *World) satellite(machine int, at time.Duration) state {
	_, into, draw := w.slot(machine, at, satelliteSlot)
	s := state{latency: time.Duration(between(draw, 12, 30) * float64(ms)), jitter: 4 * ms, up: between(draw, 5, 20), down: between(draw, 50, 150)}
	s.gone = into < satelliteGap || draw.Float64() < 0.02 && into < satelliteHole
	return s
}
