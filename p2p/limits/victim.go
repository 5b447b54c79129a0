package limits

import (
	"cmp"
	"hash/maphash"
	"net/netip"
	"slices"
	"time"
)

// A Guest is a client's connection when places are shared.
type Guest struct {
	Addr  netip.Addr
	Since time.Time
	Used  time.Time // when it first brought a valid packet; zero: never
}

// idle reports whether a guest has had time to bring something and did not.
func (g Guest) idle(now time.Time) bool { return g.Used.IsZero() && now.Sub(g.Since) >= Idle }

// Victim returns which guest goes so that another may stay; the newcomer is one
// of them. Half of the places are kept for the guests that brought valid packets
// longest. Of the others idle ones go before all, then the youngest of the network with
// most; among equal networks a keyed hash decides, which nobody can aim at. Without
// byNetwork all are of one network.
func Victim(guests []Guest, places int, now time.Time, key maphash.Seed, byNetwork bool) int {
	var workers []int
	for i, g := range guests {
		if !g.Used.IsZero() {
			workers = append(workers, i)
		}
	}
	slices.SortFunc(workers, func(a, b int) int { return guests[a].Used.Compare(guests[b].Used) })
	keep := make([]bool, len(guests))
	for _, i := range workers[:min(places/2, len(workers), len(guests)-1)] {
		keep[i] = true
	}

	var pool, idle []int
	for i, g := range guests {
		if !keep[i] {
			pool = append(pool, i)
			if g.idle(now) {
				idle = append(idle, i)
			}
		}
	}
	if len(idle) > 0 {
		pool = idle
	}

	networks := make([]netip.Prefix, len(guests))
	count := map[netip.Prefix]int{}
	for _, i := range pool {
		if byNetwork {
			networks[i] = Network(guests[i].Addr)
		}
		count[networks[i]]++
	}
	return slices.MaxFunc(pool, func(a, b int) int {
		na, nb := networks[a], networks[b]
		if na != nb {
			return cmp.Or(cmp.Compare(count[na], count[nb]), cmp.Compare(maphash.Comparable(key, na), maphash.Comparable(key, nb)))
		}
		return cmp.Or(guests[a].Since.Compare(guests[b].Since), cmp.Compare(a, b))
	})
}
