package main

import (
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"time"

	"starling/p2p/guard"
	"starling/p2p/guard/guardtest"
	"starling/p2p/wire"
)

const (
	day    = 24 * time.Hour
	relays = 1000
	months = 12
)

// A life is a laptop's habits in a year.
type life struct {
	outages float64 // a day
	told    float64 // the part of them that the system tells of
	leave   float64 // the part of all relays that leave for good, a day
	away    float64 // the part that is away for 1 to 12 hours, a day
}

// A year is the outcome of one.
type year struct {
	seen    [months + 1]int // relays that have seen the address, at the end of each month
	covered float64         // part of the time with a line in which some guard was up
}

// A laptop goes through a year with the guards of the program.
type laptop struct {
	life
	w    *guardtest.World
	r    *rand.Rand
	seed uint64
	born time.Time
	gone map[wire.NodeID]time.Time
	list []guard.Relay
	next int // relay that is not listed yet
}

// until draws the time of the next event of a kind that happens so often a day; for an
// event that never happens, in a hundred years.
func until(r *rand.Rand, often float64) time.Duration {
	const never = 100 * 365 * day
	return time.Duration(min(r.ExpFloat64()/often*float64(day), float64(never)))
}

// outage draws a length: roaming and lids, tunnels and meetings, nights.
func outage(r *rand.Rand) time.Duration {
	switch x := r.Float64(); {
	case x < .6:
		return 10*time.Second + time.Duration(r.Float64()*float64(110*time.Second))
	case x < .9:
		return time.Duration(120 * math.Pow(15, r.Float64()) * float64(time.Second))
	}
	return time.Duration(1800 * math.Pow(16, r.Float64()) * float64(time.Second))
}

// state is the state of a relay at a time: gone for good, away for hours, or there.
// Half of those that are gone or away refuse, the others are silent.
func (l *laptop) state(id wire.NodeID, at time.Time) guardtest.State {
	absent := guardtest.State(guardtest.Absent)
	if id[3]%2 == 0 {
		absent = guardtest.Refuses
	}
	if at.After(l.gone[id]) {
		return absent
	}
	for ago := range 2 {
		n := int(at.Sub(l.born)/day) - ago
		var draw rand.PCG
		draw.Seed(l.seed<<32|uint64(n+1), uint64(id[2])<<8|uint64(id[3]))
		r := rand.New(&draw)
		if r.Float64() < l.away {
			from := l.born.Add(time.Duration(n)*day + time.Duration(r.Float64()*float64(day)))
			if to := from.Add(time.Hour + time.Duration(r.Float64()*float64(11*time.Hour))); at.After(from) && at.Before(to) {
				return absent
			}
		}
	}
	return guardtest.Listens
}

// renew takes relays that left off the list, and lists as many new ones.
func (l *laptop) renew() {
	l.list = slices.DeleteFunc(l.list, func(r guard.Relay) bool { return l.w.Now.After(l.gone[r.ID]) })
	for len(l.list) < relays {
		r := guardtest.Relay(l.next)
		l.next++
		l.gone[r.ID] = l.w.Now.Add(until(l.r, l.leave))
		l.list = append(l.list, r)
	}
	l.w.Guards.Relays(slices.Clone(l.list), true)
}

// live goes through a year.
func (f life) live(seed uint64) (y year) {
	r := rand.New(rand.NewPCG(seed, 77))
	l := &laptop{life: f, r: r, seed: seed, gone: map[wire.NodeID]time.Time{},
		w: guardtest.New(guard.New(guard.Config{Rand: rand.New(rand.NewPCG(seed, 78))}))}
	l.born = l.w.Now
	l.w.State = l.state
	l.renew()

	var up, served time.Duration
	const look, settle = 10 * time.Minute, 15 * time.Second // the guards have so long to be back
	next := l.born.Add(until(r, f.outages))
	for n := range 365 * int(day/look) {
		if n%int(day/look) == 0 {
			l.renew()
			y.seen[n*months/(365*int(day/look))] = len(l.w.Seen)
		}
		end := l.born.Add(time.Duration(n+1) * look)
		for next.Before(end) {
			l.w.Run(max(0, next.Sub(l.w.Now)))
			l.cut(outage(r))
			l.w.Run(settle)
			next = l.w.Now.Add(until(r, f.outages))
		}
		l.w.Run(max(0, end.Sub(l.w.Now)))

		for _, id := range l.w.Guards.InUse(l.w.Now) {
			if l.state(id, l.w.Now) != guardtest.Listens {
				l.w.Lose(id)
			}
		}
		if up++; len(l.w.Guards.InUse(l.w.Now)) > 0 {
			served++
		}
	}

	y.seen[months] = len(l.w.Seen)
	y.covered = float64(served) / float64(up)
	return y
}

// cut takes the line away for a time. A line that the system reports as down is
// reported as up at the end as well.
func (l *laptop) cut(d time.Duration) {
	if l.r.Float64() < l.told {
		l.w.SetLine(guardtest.NoRoute)
		l.w.Tell()
		l.w.Skip(d)
		l.w.SetLine(guardtest.Up)
		l.w.Tell()
		return
	}
	l.w.Back = l.w.Now.Add(d)
	l.w.SetLine(guardtest.Silent)
	l.w.Run(d)
	l.w.SetLine(guardtest.Up)
}

// many lives through years side by side.
func (f life) many(runs int) []year {
	years := make([]year, runs)
	var wait sync.WaitGroup
	room := make(chan struct{}, runtime.NumCPU())
	for i := range years {
		wait.Go(func() {
			room <- struct{}{}
			years[i] = f.live(uint64(i + 1))
			<-room
		})
	}
	wait.Wait()
	return years
}

// quantile of the relays that have seen the address after a year.
func quantile(years []year, q float64) int {
	var all []int
	for _, y := range years {
		all = append(all, y.seen[months])
	}
	slices.Sort(all)
	return all[int(math.Ceil(q*float64(len(all))))-1]
}

// bad is the part of laptops that have met a bad relay after some months when a part f
// of all is bad: in the mean over all choices of bad ones.
func bad(years []year, month int, f float64) (p float64) {
	for _, y := range years {
		p += (1 - math.Pow(1-f, float64(y.seen[month]))) / float64(len(years))
	}
	return p
}

func covered(years []year) (part float64) {
	for _, y := range years {
		part += y.covered / float64(len(years))
	}
	return part
}
