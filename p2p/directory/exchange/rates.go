package exchange

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"starling/p2p/directory"
	"starling/p2p/wire"
)

// The cost of answers, counted in frames that go out. A new asker gets the whole list;
// after that every asker has a trickle, and so has every network, because new names
// cost an asker nothing.
const (
	// AnswerEvery is how often one asker gets a whole answer, of directory.MaxPages.
	AnswerEvery = 10 * time.Second
	// PrefixRate is the rate of the askers of one network together, bytes a second.
	PrefixRate = (1 << 20) / 60

	perPage   = 7 // descriptors in a page, or more
	maxRates  = 4096
	peerRate  = rate.Limit(directory.MaxPages) / rate.Limit(AnswerEvery/time.Second)
	groupRate = rate.Limit(PrefixRate) / wire.FrameSize
	groupOver = (1 << 20) / wire.FrameSize // pages at once beside two whole lists
)

// rates are the trickles of askers and of their networks.
type rates struct {
	mu     sync.Mutex
	peers  map[wire.NodeID]*rate.Limiter
	groups map[netip.Prefix]*rate.Limiter
}

// allow reports whether an asker of a network, or of none, may have one more page
// of a list of so many relays.
func (r *rates) allow(id wire.NodeID, group netip.Prefix, relays int, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	whole := relays/perPage + 2
	if !limiter(&r.peers, id, peerRate, whole+2*directory.MaxPages).AllowN(now, 1) {
		return false
	}
	return !group.IsValid() || limiter(&r.groups, group, groupRate, 2*whole+groupOver).AllowN(now, 1)
}

// limiter returns the one of a key. When there are too many, any other is dropped: it
// starts again with the share of a newcomer.
func limiter[K comparable](m *map[K]*rate.Limiter, key K, limit rate.Limit, burst int) *rate.Limiter {
	l := (*m)[key]
	if l != nil {
		if burst > l.Burst() {
			l.SetBurst(burst)
		}
		return l
	}
	if *m == nil {
		*m = map[K]*rate.Limiter{}
	}
	if len(*m) >= maxRates {
		for other := range *m {
			delete(*m, other)
			break
		}
	}
	l = rate.NewLimiter(limit, burst)
	(*m)[key] = l
	return l
}
