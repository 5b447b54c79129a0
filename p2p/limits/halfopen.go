package limits

import (
	"net/netip"
	"time"
)

// HalfOpen chooses among connections in their handshake. It is not safe for concurrent
// use.
type HalfOpen[C comparable] struct {
	sizes    Sizes
	byAddr   bool
	waiting  map[C]waiter
	hosts    map[netip.Prefix]int
	networks map[netip.Prefix]int
}

type waiter struct {
	addr netip.Addr
	at   time.Time
}

// NewHalfOpen makes one; byAddress says whether shares by address count.
func NewHalfOpen[C comparable](s Sizes, byAddress bool) *HalfOpen[C] {
	return &HalfOpen[C]{s, byAddress, map[C]waiter{}, map[netip.Prefix]int{}, map[netip.Prefix]int{}}
}

// Add takes a connection and returns the one that must go for it, if any. From
// half of the places on the shares of addresses and networks count.
func (h *HalfOpen[C]) Add(c C, addr netip.Addr, now time.Time) (victim C, found bool) {
	switch full := len(h.waiting); {
	case h.byAddr && 2*full >= h.sizes.HalfOpen && h.hosts[Host(addr)] >= h.sizes.HalfHost:
		victim, found = h.oldest(func(a netip.Addr) bool { return Host(a) == Host(addr) })
	case h.byAddr && 2*full >= h.sizes.HalfOpen && h.networks[Network(addr)] >= h.sizes.HalfNet:
		victim, found = h.oldest(func(a netip.Addr) bool { return Network(a) == Network(addr) })
	case full >= h.sizes.HalfOpen && h.byAddr:
		fullest, most := netip.Prefix{}, 0
		for p, n := range h.networks {
			if n > most {
				fullest, most = p, n
			}
		}
		victim, found = h.oldest(func(a netip.Addr) bool { return Network(a) == fullest })
	case full >= h.sizes.HalfOpen:
		victim, found = h.oldest(func(netip.Addr) bool { return true })
	}

	if found {
		h.Remove(victim)
	}

	h.waiting[c] = waiter{addr, now}
	h.hosts[Host(addr)]++
	h.networks[Network(addr)]++
	return victim, found
}

func (h *HalfOpen[C]) oldest(which func(netip.Addr) bool) (old C, found bool) {
	var at time.Time
	for c, w := range h.waiting {
		if which(w.addr) && (!found || w.at.Before(at)) {
			old, at, found = c, w.at, true
		}
	}
	return old, found
}

// Remove takes a connection out and reports whether it was in.
func (h *HalfOpen[C]) Remove(c C) bool {
	w, ok := h.waiting[c]
	if !ok {
		return false
	}
	delete(h.waiting, c)
	down(h.hosts, Host(w.addr))
	down(h.networks, Network(w.addr))
	return true
}

// Len returns how many there are.
func (h *HalfOpen[C]) Len() int { return len(h.waiting) }

func down[K comparable](m map[K]int, k K) {
	if m[k]--; m[k] <= 0 {
		delete(m, k)
	}
}
