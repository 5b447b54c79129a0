package admission

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"

	"starling/p2p/limits"
)

const (
	maxLine        = 64 // relays that wait for their turn to be examined
	maxLineNetwork = 4  // of them from one /24 or /48, whose addresses share them
)

// A Turn is a relay that waits to be examined.
type Turn struct {
	Check  Check
	Nonce  uint64     // of its knock
	Source netip.Addr // where it comes from
	// Unasked: it has not knocked, and is to be asked for its list once it is reached.
	Unasked bool
}

// A Line is the relays that wait for their turn. Networks take turns, even one with
// many relays in it; a relay has one place. Make it by NewLine.
type Line struct {
	byNetwork bool
	wake      chan struct{}

	mu    sync.Mutex
	turns []Turn
}

// NewLine makes an empty Line. byNetwork bounds how many of one network wait.
func NewLine(byNetwork bool) *Line {
	return &Line{byNetwork: byNetwork, wake: make(chan struct{}, 1)}
}

// Wake says that somebody waits.
func (l *Line) Wake() <-chan struct{} { return l.wake }

// Join gives somebody a place, and reports whether there is one. Where all are taken,
// one of the network goes that has most.
func (l *Line) Join(t Turn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if i := slices.IndexFunc(l.turns, func(o Turn) bool { return o.Check.ID == t.Check.ID }); i >= 0 {
		l.turns[i] = t
		return true
	}

	counts := l.counts()
	here := counts[l.network(t)]
	if l.byNetwork && here >= maxLineNetwork {
		if !l.yields(t) {
			return false
		}
		here--
	}
	if len(l.turns) >= maxLine {
		i := slices.IndexFunc(l.turns, func(o Turn) bool { return counts[l.network(o)] > here+1 })
		if i < 0 {
			return false
		}
		l.turns = slices.Delete(l.turns, i, i+1)
	}

	l.turns = append(l.turns, t)
	l.kick()
	return true
}

// yields takes out one of the address that has most of its network in the line, if that
// has two more than the address of a newcomer: so a neighbour that always knocks does not
// keep a relay out. It reports whether it did. The caller holds the lock.
func (l *Line) yields(t Turn) bool {
	hosts := map[netip.Prefix]int{}
	for _, o := range l.turns {
		if l.network(o) == l.network(t) {
			hosts[limits.Host(o.Source)]++
		}
	}
	i := slices.IndexFunc(l.turns, func(o Turn) bool {
		return l.network(o) == l.network(t) && hosts[limits.Host(o.Source)] >= hosts[limits.Host(t.Source)]+2
	})
	if i >= 0 {
		l.turns = slices.Delete(l.turns, i, i+1)
	}
	return i >= 0
}

// Next takes the relay of a random network that waits longest.
func (l *Line) Next() (t Turn, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.turns) == 0 {
		return t, false
	}
	skip := rand.IntN(len(l.counts()))
	var network netip.Prefix
	for of := range l.counts() {
		if network = of; skip == 0 {
			break
		}
		skip--
	}
	i := slices.IndexFunc(l.turns, func(o Turn) bool { return l.network(o) == network })
	t = l.turns[i]
	if l.turns = slices.Delete(l.turns, i, i+1); len(l.turns) > 0 {
		l.kick()
	}
	return t, true
}

func (l *Line) kick() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// counts returns how many of each network wait. The caller holds the lock.
func (l *Line) counts() map[netip.Prefix]int {
	n := map[netip.Prefix]int{}
	for _, t := range l.turns {
		n[l.network(t)]++
	}
	return n
}

func (l *Line) network(t Turn) netip.Prefix {
	if !l.byNetwork {
		return netip.Prefix{}
	}
	return block(t.Source)
}
