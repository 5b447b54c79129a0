// Package guard decides which relays see a client's address.
//
// A guard is a relay that a client connects to. It sees the client's address, so
// the fewer a client ever meets the better: the owner of one relay of ten waits for
// the client to come by. Mostly a client meets others through no fault of its
// guards: a laptop closes its lid, changes its network, loses it. So the silence of
// all is evidence against nobody.
//
// The guards are an ordered list: the met ones, in the order of the first meeting, then
// others that were drawn and not yet needed. The first Use that are up are used. The
// state of the network decides which relays may be dialled:
//
//	network  is so when                                     may be dialled
//	up       a guard is connected                           guards that are wanted; see 3
//	down     no route, or the system says so                primaries, every 1 to 15 s
//	unsure   none is connected: all are silent, or refuse   primaries, every 2 to 15 s;
//	                                                        the ladder after the grace
//
// The rules:
//
//  1. The first two that are up are used. Primaries are those two and a third that
//     was met before.
//  2. When all are silent, the grace is waited for, 15 s at first; 2 min at least
//     when primaries refuse, since then they are likely to restart. Then the ladder:
//     others that were met, then unmet ones in the order of the list, two every 2 s for
//     2 s each, after 20 steps two every half minute. Each step comes only just after a
//     primary has left two SYNs, a second apart, unanswered, or refused. An attempt on
//     a dead line shows nobody the address: only a line that comes back between a
//     primary's SYN and a stranger's does. The stranger's comes a third of a second
//     later, or as much later as a primary takes to answer: so how long that is must
//     not be learned from attempts that were made on a dead line.
//  3. While one of two is away, the other will do for two hours, or until the judge
//     of requests (package judge) avoids one, or no route can be made over it. Then
//     the first that was met stands in, and if there is none, a new one.
//  4. When a primary connects, others are let go. If the ladder ran, it was a false
//     alarm: the grace is four times as long from then on, 6 h at most, and a quarter
//     after 30 days without. A person's command "try others" ends the waiting.
//  5. At most two unmet relays are met in 30 days, except when none of those known is
//     up on a network that is: a connection was refused just now.
//  6. A guard lives for the larger of two draws from 240 to 480 days. It leaves the
//     list of guards a week after it left the list of relays. Its place is kept
//     while it is away.
//  7. Where a guard has answered with its key it is dialled as the rules above say. Any
//     other address is the word of those who list it, and may be somebody else's. In one
//     network (/16, /32) such addresses are dialled at once, a second later, and then
//     each time after twice as long, a day at most, whichever guard is said to be there;
//     and once when the network is another. A guard that was not met goes when it is
//     listed in a network of another.
//  8. No two are of one family: their owner would have the whole of a client's traffic,
//     and a mailbox of the family no guard that may lead to it. One that says so later,
//     and the other too, goes if the other was met before it.
//
// Days of rules 4 to 6 are days lived, see Plan: a clock that is wrong, or is moved,
// ends no guard.
//
// The package is pure: no network, no goroutine, no clock. Events go in, with their
// time; Plan returns the next steps. The client carries it out, and keeps the state on
// disk.
package guard

import (
	"cmp"
	crand "crypto/rand"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"starling/p2p/book"
	"starling/p2p/directory"
	"starling/p2p/wire"
)

const day = 24 * time.Hour

const (
	// Use is how many guards are used at a time.
	Use = 2
	// MaxGuards bounds the list, as in Tor (guard-spec, section 4.2).
	MaxGuards = 60

	primaries   = Use + 1
	lifeMin     = 240 * day
	lifeMax     = 480 * day
	unlistedFor = 7 * day
	standIn     = 2 * time.Hour    // one of two is away for so long before another stands in
	shortFor    = time.Minute      // no route for so long does the same
	avoidedFor  = 30 * time.Minute // a guard that the judge avoids is away for so long

	graceMin    = 15 * time.Second
	graceMax    = 6 * time.Hour
	graceFactor = 4
	graceCalm   = 30 * day        // without a false alarm: a quarter
	restart     = 2 * time.Minute // the least grace while primaries refuse
	trueAlarm   = time.Minute     // a stranger up for so long before a primary: no false alarm

	budget    = 2 // unmet relays in
	budgetFor = 30 * day

	stepDials   = 2
	stepTimeout = 2 * time.Second
	stepPause   = 2 * time.Second
	fastSteps   = 20
	slowPause   = 30 * time.Second
	recent      = 10 * time.Second // a refusal shows for so long that the network is up

	dialTimeout  = 10 * time.Second // for a slow network
	quietTimeout = 5 * time.Second  // of a relay that nobody waits for
	slowTry      = 4                // of so many attempts in a row one has dialTimeout
	steady       = 10 * time.Second // a link that lasted for less counts as a failure
	early        = 5 * time.Minute  // of silence: primaries are tried all the time
	pauseMin     = time.Second
	pauseSilent  = 10 * time.Second
	pauseRefused = 5 * time.Second
	pauseDown    = 15 * time.Second
	pauseUp      = 5 * time.Minute
)

// When TCP asks, after the first time in an attempt (RFC 6298: the first wait is a
// second, each further one twice as long).
const (
	patience = time.Second
	third    = 3 * time.Second
	fourth   = 7 * time.Second
)

// A Relay is one that could be a guard.
type Relay struct {
	ID        wire.NodeID
	Addresses []directory.Address
	// Weight is that in the draw, at most 1; 0 is 1. Those of one network share one.
	Weight float64
	// Fit reports whether it may become one: whether it has been reached, and for
	// long enough. A guard stays one.
	Fit bool
	// Kin are relays of the same people, as both say.
	Kin []wire.NodeID
}

// A Result is how an attempt to connect ended.
type Result int

// Results, beside success. Everything that a relay, or a machine at its address,
// must have done shows that the network is up.
const (
	Timeout     Result = iota // no answer at all
	Refused                   // a machine answered that nobody listens
	WrongKey                  // somebody else is there, or speaks something else
	Unreachable               // this machine has no way to it
)

// A guard is one entry of the list. Times are of Guards.lived.
type guard struct {
	id        wire.NodeID
	addresses []directory.Address
	until     time.Duration  // end of its life
	met       time.Duration  // when it was first connected; 0 is never
	unlisted  time.Duration  // when it left the list of relays; 0 is not
	sure      bool           // two sources agree on it
	proved    []book.Address // where it answered with its key, the last first

	// Not stored.
	link  bool
	began time.Time           // of the attempt under way; zero is none
	dark  bool                // nobody was up for a part of it
	dials []directory.Address // of that attempt
	since time.Time           // of the last link
	took  time.Duration       // from a SYN to the link, as far as is known
	tries int                 // that failed in a row
	ended time.Time           // the last of them,
	why   Result              // and how
	away  time.Time           // since when, if tries or lost
	next  time.Time           // not tried again before
	no    time.Time           // avoided until then
	step  int                 // the ladder on which it was last tried
}

func (g *guard) dialling() bool             { return !g.began.IsZero() }
func (g *guard) avoided(now time.Time) bool { return g.no.After(now) }

// Config is how Guards are made.
type Config struct {
	// AllowPrivate lifts the rule that no two guards are in one network; that on
	// families stays.
	AllowPrivate bool
	// Rand draws; nil is the system's. For simulations.
	Rand *rand.Rand
}

// Guards are the guards of one client. They are not safe for concurrent use.
type Guards struct {
	private bool
	piped   bool // no address is dialled
	rnd     *rand.Rand
	list    []*guard // met, in order; then unmet
	relays  []Relay
	kin     map[wire.NodeID][]wire.NodeID // of those that have some
	agreed  bool
	dry     bool // there is no relay to draw, as far as was looked

	lived  time.Duration   // time that counts, from 1
	clock  time.Time       // at the last Plan
	grace  time.Duration   // rule 2
	calm   time.Duration   // since when there was no false alarm
	spent  []time.Duration // when unmet relays were met, of the last 30 days
	change bool            // there is something to be saved

	// Not stored.
	alone   time.Time                // since when nobody is up, or the network changed
	silent  time.Time                // since when the grace is counted
	since   time.Time                // since when somebody is
	refusal time.Time                // the last
	nowhere time.Time                // when there was no way the last time
	offline bool                     // the system says so
	renewed time.Time                // when attempts were last made anew because the network changed
	heard   time.Time                // when the network was last known to be up by others
	short   time.Time                // since when no route can be made,
	still   time.Time                // and the last time
	asked   bool                     // a person wants others
	gone    []wire.NodeID            // removed, with a link or an attempt
	strange map[netip.Prefix]strange // where nobody has answered: rule 7
	ladder  int                      // its number
	steps   int                      // on it
	stepped time.Time                // the last
}

// New makes Guards without one.
func New(cfg Config) *Guards {
	s := &Guards{private: cfg.AllowPrivate, rnd: cfg.Rand, lived: 1, grace: graceMin, calm: 1, strange: map[netip.Prefix]strange{}}
	if s.rnd == nil {
		var seed [32]byte
		crand.Read(seed[:])
		s.rnd = rand.New(rand.NewChaCha8(seed))
	}
	return s
}

// Piped tells whether guards are reached by their name alone, over bridges: then no
// address is dialled, and none has to wait for its turn.
func (s *Guards) Piped(is bool) { s.piped = is }

func (s *Guards) find(id wire.NodeID) *guard {
	i := slices.IndexFunc(s.list, func(g *guard) bool { return g.id == id })
	if i < 0 {
		return nil
	}
	return s.list[i]
}

func (s *Guards) anyUp() bool {
	return slices.ContainsFunc(s.list, func(g *guard) bool { return g.link })
}

// metCount is also where the unmet begin.
func (s *Guards) metCount() int {
	n := slices.IndexFunc(s.list, func(g *guard) bool { return g.met == 0 })
	if n < 0 {
		return len(s.list)
	}
	return n
}

// primaries are the guards that are tried when none is up.
func (s *Guards) primaries() []*guard {
	n := max(Use, min(primaries, s.metCount()))
	return s.list[:min(n, len(s.list))]
}

// live moves the time that counts on by the clock, a day at most between two looks: so
// a clock that jumps, or a profile that lay unused for a year, ends no guard. It never
// goes back, and stands still while the time is not known.
func (s *Guards) live(clock time.Time) {
	if !s.clock.IsZero() { // that of no time is before all
		s.lived += min(max(0, clock.Sub(s.clock)), day)
	}
	if !clock.IsZero() {
		s.clock = clock
	}
	if s.grace > graceMin && s.lived-s.calm >= graceCalm {
		s.grace = max(graceMin, s.grace/graceFactor)
		s.calm = s.lived
		s.change = true
	}
	s.spent = slices.DeleteFunc(s.spent, func(at time.Duration) bool { return s.lived-at >= budgetFor })
}

// prune removes the guards at the end of their time. One at the end of its life stays
// while no other may take its place.
func (s *Guards) prune() {
	stay := budget - len(s.spent) // and those that may come
	for _, g := range s.list {
		if g.met > 0 && g.until > s.lived {
			stay++
		}
	}
	s.remove(func(g *guard) bool {
		switch {
		case g.unlisted > 0 && s.lived-g.unlisted >= unlistedFor:
			return true
		case g.until > s.lived:
			return false
		case g.met > 0 && stay < Use:
			stay++
			return false
		}
		return true
	})
}

// remove takes guards off the list.
func (s *Guards) remove(over func(*guard) bool) {
	s.list = slices.DeleteFunc(s.list, func(g *guard) bool {
		if !over(g) {
			return false
		}
		if g.link || g.dialling() {
			s.gone = append(s.gone, g.id)
		}
		s.change, s.dry = true, false
		return true
	})
}

// extend draws one more guard, by weight, not in a network or of the family of another.
func (s *Guards) extend() bool {
	if len(s.list) >= MaxGuards || s.dry {
		return false
	}
	var some []Relay
	for _, r := range s.relays {
		if r.Fit && len(r.Addresses) > 0 && !slices.ContainsFunc(s.list, func(g *guard) bool { return !s.apart(r, g) }) {
			some = append(some, r)
		}
	}
	if len(some) == 0 {
		s.dry = true
		return false
	}
	r := s.heavy(some)
	draw := func() time.Duration { return lifeMin + time.Duration(s.rnd.Int64N(int64(lifeMax-lifeMin))) }
	s.list = append(s.list, &guard{
		id: r.ID, addresses: slices.Clone(r.Addresses), until: s.lived + max(draw(), draw()), sure: s.agreed,
	})
	s.change = true
	return true
}

// heavy draws one of some relays by weight.
func (s *Guards) heavy(some []Relay) Relay {
	weight := func(r Relay) float64 {
		if r.Weight <= 0 {
			return 1
		}
		return min(r.Weight, 1)
	}

	sum := 0.0
	for _, r := range some {
		sum += weight(r)
	}
	at := s.rnd.Float64() * sum
	for _, r := range some {
		if at -= weight(r); at < 0 {
			return r
		}
	}
	return some[len(some)-1]
}

func (s *Guards) apart(r Relay, g *guard) bool {
	if r.ID == g.id || s.related(r.ID, g.id) {
		return false
	}
	return s.private || !slices.ContainsFunc(r.Addresses, func(a directory.Address) bool {
		return a.Dialable() && a.Wide().IsValid() && slices.ContainsFunc(directory.Dialable(g.addresses), func(b directory.Address) bool { return a.Wide() == b.Wide() })
	})
}

// related reports whether two relays are of one family.
func (s *Guards) related(a, b wire.NodeID) bool {
	return slices.Contains(s.kin[a], b) || slices.Contains(s.kin[b], a)
}

// families notes which relays are of one family. Of a guard that is not listed now its
// last word holds.
func (s *Guards) families(listed func(wire.NodeID) (Relay, bool)) {
	kin := map[wire.NodeID][]wire.NodeID{}
	for _, g := range s.list {
		if _, there := listed(g.id); !there {
			kin[g.id] = s.kin[g.id]
		}
	}
	for _, r := range s.relays {
		if len(r.Kin) > 0 {
			kin[r.ID] = slices.Clone(r.Kin)
		}
	}
	s.kin = kin
}

// ready makes sure that there are n guards in the list, as far as there are relays.
func (s *Guards) ready(n int) {
	for len(s.list) < n && s.extend() {
	}
}

// mayMeet reports whether an unmet relay may be connected to: the first ones, and
// others by rule 5. Those under way count.
func (s *Guards) mayMeet(now time.Time) bool {
	first := max(Use, s.metCount()) // that are not counted
	under := 0
	for i, g := range s.list {
		if i >= first && g.dialling() {
			under++
		}
	}
	switch {
	case s.asked || s.metCount() < Use && s.anyUp():
		return true
	case !s.anyUp() && s.refuses(now):
		return true
	}
	return len(s.spent)+under < budget
}

// jitter spreads d by a quarter either way.
func (s *Guards) jitter(d time.Duration) time.Duration {
	return d - d/4 + time.Duration(s.rnd.Int64N(int64(d/2)+1))
}

// byRelay finds a relay of a list.
func byRelay(relays []Relay) func(wire.NodeID) (Relay, bool) {
	sorted := slices.SortedFunc(slices.Values(relays), func(a, b Relay) int { return slices.Compare(a.ID[:], b.ID[:]) })
	return func(id wire.NodeID) (Relay, bool) {
		i, ok := slices.BinarySearchFunc(sorted, id, func(r Relay, id wire.NodeID) int {
			return cmp.Or(slices.Compare(r.ID[:], id[:]))
		})
		if !ok {
			return Relay{}, false
		}
		return sorted[i], true
	}
}
