// Package metrics publishes the counts of a relay for Prometheus, and nobody's traffic.
//
// There are two kinds of figures. Facts are about the relay itself: whether it is listed,
// its limits, the relays it knows. They are exact, and of now. Counts come about by the
// relay's users. A frequent reader could watch one of them: a link opens when a lamp goes
// on, a box comes when a message was sent. So Counts keep a rule:
//
//	delayed  they are read at the end of every ten minutes of the clock (Period), and
//	         published at the end of the next ten
//	blurred  a random number is added, anew for each figure and each ten minutes, from a
//	         two-sided geometric distribution with a scale of twice the share of one
//	         client in ten minutes (unit)
//	rounded  to a multiple of that share, or of eight clients
//
// It follows that one client more or less, as busy as its share, changes the odds of any
// published figure of any ten minutes by at most the factor 1.65, which is the root of e.
// The share of a busy client is 1,024 packets and 64 boxes in ten minutes. A client that
// does more, or goes on for days, shows more of itself: sums over all clients remain.
// There is no metric of the process (processor time, memory, goroutines, open files) nor
// of libp2p, since each of them follows the number of connections and packets exactly and
// at once.
//
// A counter never falls: it is the highest sum of the blurred increments so far.
package metrics

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	crand "crypto/rand"
)

// Period is how long counts stand, and how much older than that they are.
const Period = 10 * time.Minute

// blur is the scale of the random number, in shares of one client.
const blur = 2

// A unit is the share of one client in ten minutes in a figure, and the step to which the
// figure is rounded.
type unit struct{ share, step float64 }

var (
	people  = unit{1, 8}
	packets = unit{1024, 1024}
	bytes   = unit{1024 * 2400, 4 << 20}
	boxes   = unit{64, 64}
	events  = unit{64, 64} // refusals and the like
)

// Facts are of the relay itself.
type Facts struct {
	Version, Protocol, Go string
	Started               time.Time
	Listed, Reachable     bool
	Asleep                bool // its quota is used up
	Asked                 int  // other relays that have said anything lately
	ListedBy, ReachedBy   int
	Unreached             int // addresses at which nobody finds it
	Relays, Neighbours    int
	ClockAhead            time.Duration
	ClientPlaces          int
	BoxPlaces             int
	Bandwidth, Quota      int64  // 0: no limit
	Capacity              int    // packets a second, by its word to others
	DiskLow, DiskFull     bool   // so that new mail is, or soon will be, refused
	Role                  string // "relay"
}

// Counts come about by the relay's users.
type Counts struct {
	Clients, Links, Boxes                int
	QueuedFrames, DelayedPackets         int
	DiskFree, QuotaUsed                  int64
	Forwarded, Delivered                 int64
	BytesIn, BytesOut                    int64
	MailStored, MailFetched, MailRefused int64
	Turned                               int64 // clients without a place
	Refused                              map[string]int64
}

// maxReasons bounds the reasons of refusals that are published; others are "other".
const maxReasons = 64

// A Board holds the counts that are published. Its zero value is not usable.
type Board struct {
	random *rand.Rand

	mu       sync.Mutex
	waiting  *figures           // for the end of the next
	shown    figures            // now
	sums     map[series]float64 // of blurred increments
	highest  map[series]float64
	previous map[series]float64 // of counters, as they are
}

// series names one figure: a metric, and its label if it has one.
type series struct{ name, label string }

// figures are those of one moment.
type figures map[series]float64

// NewBoard makes a board on which everything is zero.
func NewBoard() *Board {
	var seed [32]byte
	crand.Read(seed[:])
	return newBoard(seed)
}

func newBoard(seed [32]byte) *Board {
	return &Board{
		random: rand.New(rand.NewChaCha8(seed)), shown: figures{},
		sums: map[series]float64{}, highest: map[series]float64{}, previous: map[series]float64{},
	}
}

// Run reads counts at the end of every Period of the clock until ctx ends.
func (b *Board) Run(ctx context.Context, read func() Counts) {
	for {
		now := time.Now()
		select {
		case <-ctx.Done():
			return
		case <-time.After(now.Truncate(Period).Add(Period).Sub(now)):
			b.Turn(read())
		}
	}
}

// Turn ends a Period with the counts of now: those of the one before are published.
func (b *Board) Turn(now Counts) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.waiting != nil {
		b.shown = *b.waiting
	}
	f := figures{}
	for _, g := range gauges {
		f[series{g.name, ""}] = b.level(g.of(now), g.unit)
	}
	for _, c := range counters {
		for label, value := range c.of(now) {
			s := series{c.name, label}
			f[s] = b.sum(s, value, c.unit)
		}
	}
	b.waiting = &f
}

// level blurs a figure that goes up and down.
func (b *Board) level(value float64, u unit) float64 {
	return max(0, rounded(value+b.noise(u), u))
}

// sum blurs a figure that only grows. One that has fallen began anew.
func (b *Board) sum(s series, value float64, u unit) float64 {
	grown := value - b.previous[s]
	if grown < 0 {
		grown = value
	}
	b.previous[s] = value
	b.sums[s] += grown + b.noise(u)
	b.highest[s] = max(b.highest[s], rounded(b.sums[s], u))
	return b.highest[s]
}

func rounded(value float64, u unit) float64 { return math.Floor(value/u.step+0.5) * u.step }

// noise is the difference of two geometric numbers: the probability of two neighbours, one
// share apart, differs by the factor e^(1/blur).
func (b *Board) noise(u unit) float64 {
	p := 1 - math.Exp(-1/(blur*u.share))
	geometric := func() float64 { return math.Floor(math.Log(1-b.random.Float64()) / math.Log1p(-p)) }
	return geometric() - geometric()
}

// Shown returns the counts published now, blurred and rounded: for a log, which keeps the
// same rule.
func (b *Board) Shown(name string) float64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all float64
	for s, v := range b.shown {
		if s.name == name {
			all += v
		}
	}
	return all
}

// labels returns the labels of a counter that are published, in order.
func labels(f figures, name string) (all []string) {
	for s := range f {
		if s.name == name {
			all = append(all, s.label)
		}
	}
	slices.Sort(all)
	return all
}
