package exchange

import (
	"math"
	"math/bits"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"starling/p2p/directory"
	"starling/p2p/stamp"
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

// Stamps for lists.
const (
	// ListBits is the price of a list in a network that bought none lately, some
	// 0.15 s of a core.
	ListBits = 20
	// maxBits is the highest price that an asker pays, some 10 s, and payEvery how
	// often it pays one.
	maxBits  = 26
	payEvery = time.Minute

	listLabel  = "starling/list/2\x00"
	period     = 10 * time.Minute
	cheapLists = 8 // in a period, before the price of a network doubles
	// maxSold lists are sold in a period.
	maxSold = 4096
)

func periodOf(t time.Time) uint32 { return uint32(t.Unix() / int64(period/time.Second)) }

// listOffer is the list of a relay for one asker in a period of the relay's clock.
func listOffer(relay, asker wire.NodeID, period uint32) stamp.Offer {
	return stamp.For(listLabel, relay, period, asker[:])
}

// rates are the trickles of askers and of their networks.
type rates struct {
	bits int // lowest price of a list

	mu     sync.Mutex
	peers  map[wire.NodeID]*rate.Limiter
	groups map[netip.Prefix]*network
	sold   [2]sales // in the period that runs, and in the one before
}

// network is what the askers of one network had.
type network struct {
	*rate.Limiter
	lists float64 // that it bought, less with time
	at    time.Time
}

// sales are the pages that are left to the buyers of a period.
type sales struct {
	period uint32
	pages  map[wire.NodeID]int
}

// allow reports whether an asker of a network, or of none, may have one more page
// of a list of so many relays. If its network has had too much, it tells the bits of
// a stamp that helps.
func (r *rates) allow(id wire.NodeID, group netip.Prefix, relays int, now time.Time) (ok bool, price byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.peer(id, relays).AllowN(now, 1) {
		return false, 0
	}
	if !group.IsValid() {
		return true, 0
	}
	n := r.network(group, relays, now)
	if n.AllowN(now, 1) {
		return true, 0
	}
	for _, s := range r.sold {
		if s.pages[id] > 0 {
			s.pages[id]--
			return true, 0
		}
	}
	return false, byte(r.price(n, now))
}

// sell takes the stamp of an asker, once in a period. clock is the time of day, of
// which the asker was told.
func (r *rates) sell(self, id wire.NodeID, number uint64, group netip.Prefix, relays int, clock, now time.Time) {
	if !group.IsValid() {
		return
	}
	this := periodOf(clock)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.turn(this)
	for i, s := range r.sold {
		if _, had := s.pages[id]; had || len(r.sold[0].pages) >= maxSold {
			return
		}
		offer := listOffer(self, id, s.period)
		// The price may have gone up by a bit since it was told.
		n := r.network(group, relays, now)
		if s.period+uint32(i) != this || offer.Bits(number) < r.price(n, now)-1 {
			continue
		}
		n.lists = n.fresh(now) + 1
		n.at = now
		r.sold[0].pages[id] = whole(relays) + 2*directory.MaxPages
		return
	}
}

// turn begins the period that runs.
func (r *rates) turn(period uint32) {
	if r.sold[0].period == period && r.sold[0].pages != nil {
		return
	}
	last := r.sold[0]
	if last.period+1 != period {
		last = sales{period: period - 1}
	}
	r.sold = [2]sales{{period, map[wire.NodeID]int{}}, last}
}

// price is the bits of the next stamp of a network.
func (r *rates) price(n *network, now time.Time) int {
	return r.bits + bits.Len(uint(n.fresh(now))/cheapLists)
}

// fresh returns how many of the lists that a network bought still count.
func (n *network) fresh(now time.Time) float64 {
	return n.lists * math.Exp(-float64(now.Sub(n.at))/float64(period))
}

// whole is the pages of a list.
func whole(relays int) int { return relays/perPage + 2 }

func (r *rates) peer(id wire.NodeID, relays int) *rate.Limiter {
	burst := whole(relays) + 2*directory.MaxPages
	l := entry(&r.peers, id, func() *rate.Limiter { return rate.NewLimiter(peerRate, burst) })
	return grown(l, burst)
}

func (r *rates) network(group netip.Prefix, relays int, now time.Time) *network {
	burst := 2*whole(relays) + groupOver
	n := entry(&r.groups, group, func() *network { return &network{Limiter: rate.NewLimiter(groupRate, burst), at: now} })
	grown(n.Limiter, burst)
	return n
}

// grown is a limiter with a burst that grows with the list.
func grown(l *rate.Limiter, burst int) *rate.Limiter {
	if burst > l.Burst() {
		l.SetBurst(burst)
	}
	return l
}

// entry returns the one of a key. When there are too many, any other is dropped: it
// starts again as a newcomer.
func entry[K comparable, V any](m *map[K]V, key K, fresh func() V) V {
	if v, held := (*m)[key]; held {
		return v
	}
	if *m == nil {
		*m = map[K]V{}
	}
	if len(*m) >= maxRates {
		for other := range *m {
			delete(*m, other)
			break
		}
	}
	v := fresh()
	(*m)[key] = v
	return v
}
