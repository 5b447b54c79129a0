package mix

import (
	crand "crypto/rand"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"time"

	"starling/p2p/outfox"
	"starling/p2p/wire"
)

// Limits and defaults of Routes.
const (
	// DefaultMeanDelay is the mean wait at a mix in the fast profile.
	DefaultMeanDelay = 30 * time.Millisecond
	// delayCap is the largest sampled wait, in means: one in e^10 would be longer.
	delayCap = 10

	// Pins are the relays of the second layer. Their number and lives are those of
	// Tor's vanguards-lite (proposal 333).
	pinCount   = 4
	maxPins    = 2 * pinCount // with those that are out of the directory
	pinMinLife = 24 * time.Hour
	pinMaxLife = 12 * 24 * time.Hour

	// maxNetworks caps the networks a relay may say it is in. A mailbox that is in
	// all the others' networks would leave only its accomplices for a route.
	maxNetworks = 4
)

// Errors of Routes.
var (
	// ErrFewRelays means that no route keeps the rules. The message must wait.
	ErrFewRelays = errors.New("mix: too few relays for a route")
	// ErrUnknownRelay means that a relay asked for is not in the directory, or not
	// fit for a route.
	ErrUnknownRelay = errors.New("mix: unknown relay")
)

// Relay is a relay, as a client knows it.
type Relay struct {
	ID       wire.NodeID
	Keys     []Key // of the epochs that are known
	Addrs    []netip.Addr
	Doubtful bool // taken only when it is asked for, or no other will do
	Young    bool // not reached for long: third mix only, as long as others will do
	// Weight is that in every draw, at most 1; 0 is 1. Those of one network share one.
	Weight float64
	// Kin are relays of the same people. No two of them are in one route.
	Kin []wire.NodeID
}

// key returns the key of an epoch, or none.
func (r *Relay) key(epoch outfox.Epoch) outfox.PublicKey {
	for _, k := range r.Keys {
		if k.Epoch == epoch {
			return k.Public
		}
	}
	return outfox.PublicKey{}
}

// Pin is a relay of the second layer.
type Pin struct {
	ID    wire.NodeID
	Until time.Time
}

// RoutesConfig configures Routes.
type RoutesConfig struct {
	// AllowPrivate admits relays without a public address and lifts the rule on
	// networks. For tests and demos on one machine.
	AllowPrivate bool
	// MeanDelay is the mean wait at each mix; zero is DefaultMeanDelay, below zero
	// is no wait.
	MeanDelay time.Duration
	// Pins are those of the last time, from Pins.
	Pins []Pin
	// Now is the clock for epochs, slots and pins; nil is time.Now.
	Now func() time.Time
	// Settled, if not nil, reports whether Now is to be believed. Before that no pin
	// ends: a clock that is wrong for one look costs nothing.
	Settled func() bool
	// Rand, if not nil, draws instead of the system: for simulations, which are then what their seed says.
	Rand *rand.Rand
}

// Routes chooses routes, by these rules:
//
//  1. The first mix is the guard that the caller keeps to; the mailbox is not it.
//  2. The second mix is one of four pinned relays, each kept for 1 to 12 days: an
//     attacker that makes a client answer again and again sees few relays around the
//     guard.
//  3. The third mix is any relay, anew for each packet.
//  4. No relay twice, no two in one network (/16 of IPv4, /32 of IPv6), and no two of
//     one family: those that say of each other that the same people run them. Two that
//     follow each other have addresses of one kind: a relay that has only an IPv6
//     address is next to such as have one.
//  5. The way back keeps the same rules, with its own choice.
//  6. Each mix waits for an exponential time, sampled here.
//  7. A request expires 1 to 4 slots from now, drawn evenly, a reply block after 4: a
//     relay sees the same of either. When a hop has no key of the epoch that this
//     gives, which is the one before in the first slots of a day, it is 4.
//
// When the rules cannot be kept there is no route: ErrFewRelays. A relay is drawn by
// its weight, not by its own word. Doubtful relays are second and third only when no
// other keeps the rules.
type Routes struct {
	cfg RoutesConfig
	rnd *rand.Rand // over crypto/rand, but in simulations

	mu     sync.Mutex // guards the fields below, and rnd
	relays []relay
	index  map[wire.NodeID]int
	pins   []Pin
}

type relay struct {
	Relay
	networks  []netip.Prefix
	four, six bool // has addresses of the kind
}

func newRelay(it Relay, networks []netip.Prefix) relay {
	r := relay{Relay: it, networks: networks}
	for _, a := range it.Addrs {
		switch a = a.Unmap(); {
		case a.Is4():
			r.four = true
		case a.Is6():
			r.six = true
		}
	}
	return r
}

// meets reports whether one of two relays can dial the other, by the kinds of their
// addresses. Where no address is known it may be.
func meets(a, b *relay) bool {
	return a.four && b.four || a.six && b.six || !a.four && !a.six || !b.four && !b.six
}

// NewRoutes returns Routes without relays: see Update.
func NewRoutes(cfg RoutesConfig) *Routes {
	if cfg.MeanDelay == 0 {
		cfg.MeanDelay = DefaultMeanDelay
	}
	cfg.MeanDelay = max(0, cfg.MeanDelay)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Settled == nil {
		cfg.Settled = func() bool { return true }
	}
	pins := slices.Clone(cfg.Pins)
	if len(pins) > maxPins {
		pins = pins[:maxPins]
	}
	if cfg.Rand == nil {
		cfg.Rand = rand.New(systemSource{})
	}
	return &Routes{cfg: cfg, rnd: cfg.Rand, pins: pins}
}

// systemSource is crypto/rand as a source of numbers.
type systemSource struct{}

func (systemSource) Uint64() uint64 {
	var b [8]byte
	crand.Read(b[:])
	return binary.LittleEndian.Uint64(b[:])
}

// Update replaces the directory. Call it with the whole list, when it changes and when
// an epoch begins: relays without a key of the epoch are left out. It reports whether
// Pins changed.
func (r *Routes) Update(list []Relay) (pinned bool) {
	epoch := outfox.EpochAt(r.cfg.Now())
	relays := make([]relay, 0, len(list))
	index := make(map[wire.NodeID]int, len(list))
	for _, it := range list {
		networks, ok := r.networks(it.Addrs)
		if _, twice := index[it.ID]; !ok || twice || it.key(epoch).IsZero() {
			continue
		}
		if it.Weight <= 0 || it.Weight > 1 {
			it.Weight = 1
		}
		index[it.ID] = len(relays)
		relays = append(relays, newRelay(it, networks))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.relays, r.index = relays, index
	return r.repin(r.cfg.Now())
}

// networks returns the networks of a relay, and whether it is fit for routes.
func (r *Routes) networks(addrs []netip.Addr) (list []netip.Prefix, ok bool) {
	if r.cfg.AllowPrivate {
		return nil, true
	}
	for _, a := range addrs {
		a = a.Unmap().WithZone("")
		if !public(a) {
			continue
		}
		bits := 32
		if a.Is4() {
			bits = 16
		}
		if p := netip.PrefixFrom(a, bits).Masked(); !slices.Contains(list, p) {
			list = append(list, p)
		}
	}
	return list, len(list) > 0 && len(list) <= maxNetworks
}

// private lists prefixes that netip does not know as private.
var private = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("100.64.0.0/10"),
	netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"),
	netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("2001:db8::/32"),
}

func public(a netip.Addr) bool {
	return a.IsGlobalUnicast() && !a.IsPrivate() &&
		!slices.ContainsFunc(private, func(p netip.Prefix) bool { return p.Contains(a) })
}

// apart reports whether both may be on one route.
func apart(a, b *relay) bool {
	return a.ID != b.ID && !slices.Contains(a.Kin, b.ID) && !slices.ContainsFunc(a.networks, func(p netip.Prefix) bool {
		return slices.Contains(b.networks, p)
	})
}

func apartFromAll(a *relay, others ...*relay) bool {
	for _, b := range others {
		if !apart(a, b) {
			return false
		}
	}
	return true
}

func (r *Routes) known(id wire.NodeID) *relay {
	if i, ok := r.index[id]; ok {
		return &r.relays[i]
	}
	return nil
}

// repin drops pins that ended and adds new ones until pinCount are in the directory.
// A pin that is missing there or doubtful keeps its place. So relays that come and go,
// or a half-read directory, do not cost many new pins.
func (r *Routes) repin(now time.Time) (changed bool) {
	var present []*relay
	keep := r.pins[:0]
	settled := r.cfg.Settled()

	for _, p := range r.pins {
		// By an unsettled clock all pins could end at once, and new ones tell more relays of us.
		if settled && (!p.Until.After(now) || p.Until.After(now.Add(pinMaxLife))) {
			changed = true
			continue
		}
		keep = append(keep, p)
		if it := r.known(p.ID); it != nil && !it.Doubtful {
			present = append(present, it)
		}
	}

	r.pins = keep
	for len(present) < pinCount && len(r.pins) < maxPins {
		it := r.choose(present, true, nil)
		if it == nil || it.Doubtful && len(r.pins) > 0 {
			break
		}
		present = append(present, it)
		// The longer of two, so that most pins in use are long-lived.
		span := int64(pinMaxLife - pinMinLife)
		life := pinMinLife + time.Duration(max(r.rnd.Int64N(span), r.rnd.Int64N(span)))
		r.pins = append(r.pins, Pin{it.ID, now.Add(life)})
		changed = true
	}

	return changed
}

// choose draws a relay apart from others, by weight, and beside those of between; nil
// if none fits. If it is to be grown, relays that are young or have no IPv4 address
// come only after all others, and doubtful ones after those.
func (r *Routes) choose(others []*relay, grown bool, between []*relay) *relay {
	fits := func(it *relay) bool {
		return apartFromAll(it, others...) && !slices.ContainsFunc(between, func(b *relay) bool { return !meets(it, b) })
	}
	rank := func(it *relay) int {
		switch {
		case it.Doubtful:
			return 2
		case grown && (it.Young || it.six && !it.four):
			return 1
		}
		return 0
	}
	// Nearly every relay fits in a large directory: guess before looking at all. A
	// relay of weight one half is taken half of the times.
	for range min(len(r.relays), 16) {
		it := &r.relays[r.rnd.IntN(len(r.relays))]
		if rank(it) == 0 && (it.Weight == 1 || r.rnd.Float64() < it.Weight) && fits(it) {
			return it
		}
	}

	var fit [3][]*relay
	for i := range r.relays {
		if it := &r.relays[i]; fits(it) {
			fit[rank(it)] = append(fit[rank(it)], it)
		}
	}
	for _, some := range fit {
		if len(some) > 0 {
			return r.heavy(some)
		}
	}
	return nil
}

// heavy draws one of some relays by weight.
func (r *Routes) heavy(some []*relay) *relay {
	sum := 0.0
	for _, it := range some {
		sum += it.Weight
	}
	at := r.rnd.Float64() * sum
	for _, it := range some {
		if at -= it.Weight; at < 0 {
			return it
		}
	}
	return some[len(some)-1]
}

// Pins returns the pinned relays, to be kept for the next start.
func (r *Routes) Pins() []Pin {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.pins)
}

// Len returns how many relays are fit for routes.
func (r *Routes) Len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.relays)
}

// Pick returns n relays, apart from each other and from those to avoid: guards, or
// mailboxes. The error is ErrFewRelays.
func (r *Routes) Pick(n int, avoid ...wire.NodeID) ([]wire.NodeID, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var others []*relay
	for _, id := range avoid {
		if it := r.known(id); it != nil {
			others = append(others, it)
		}
	}
	picked := make([]wire.NodeID, 0, n)
	for len(picked) < n {
		it := r.choose(others, true, nil)
		if it == nil {
			return nil, ErrFewRelays
		}
		picked = append(picked, it.ID)
		others = append(others, it)
	}
	return picked, nil
}

// Forward returns a route to a mailbox: guard, second, third, mailbox, and the slot in
// which a packet over it is to expire. The error is ErrUnknownRelay when the guard or
// the mailbox is not in the directory, and ErrFewRelays.
func (r *Routes) Forward(guard, mailbox wire.NodeID) (slot outfox.Slot, route [outfox.Layers]outfox.Hop, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := outfox.SlotAt(r.cfg.Now())
	way, err := r.way(guard, mailbox, now)
	if err != nil {
		return 0, route, err
	}

	slot = now + 1 + outfox.Slot(r.rnd.IntN(outfox.MaxAhead))
	for _, it := range way {
		if it.key(slot.Epoch()).IsZero() {
			slot = now + outfox.MaxAhead
		}
	}
	for i, it := range way {
		route[i] = r.hop(it, slot)
	}
	route[outfox.Layers-1].Delay = 0
	return slot, route, nil
}

// Back returns a route for a reply block: third, second, guard, and the slot in which
// the block is to expire. Errors are those of Forward.
func (r *Routes) Back(mailbox, guard wire.NodeID) (slot outfox.Slot, route [outfox.Layers - 1]outfox.Hop, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := outfox.SlotAt(r.cfg.Now())
	way, err := r.way(guard, mailbox, now)
	if err != nil {
		return 0, route, err
	}
	slot = now + outfox.MaxAhead
	for i := range route {
		route[i] = r.hop(way[len(route)-1-i], slot)
	}
	return slot, route, nil
}

// way chooses guard, second, third and mailbox, all with a key of the longest-lived
// packet made now.
func (r *Routes) way(guard, mailbox wire.NodeID, now outfox.Slot) (way [outfox.Layers]*relay, err error) {
	first, last := r.known(guard), r.known(mailbox)
	if first == nil || last == nil {
		return way, ErrUnknownRelay
	}
	if !apart(first, last) {
		return way, ErrFewRelays
	}

	pins := slices.Clone(r.pins)
	r.rnd.Shuffle(len(pins), func(i, j int) { pins[i], pins[j] = pins[j], pins[i] })
	// Doubtful ones only when no other way is left.
	for _, doubtful := range []bool{false, true} {
		for _, p := range pins {
			second := r.known(p.ID)
			if second == nil || second.Doubtful != doubtful || !apartFromAll(second, first, last) || !meets(first, second) {
				continue
			}
			third := r.choose([]*relay{first, second, last}, false, []*relay{second, last})
			if third == nil {
				continue
			}

			way = [outfox.Layers]*relay{first, second, third, last}
			for _, it := range way {
				if it.key((now + outfox.MaxAhead).Epoch()).IsZero() {
					return way, ErrFewRelays // an epoch began, and Update was not called
				}
			}
			return way, nil
		}
	}
	return way, ErrFewRelays
}

// hop makes a stop with a wait of its own.
func (r *Routes) hop(it *relay, slot outfox.Slot) outfox.Hop {
	return outfox.Hop{ID: it.ID, Key: it.key(slot.Epoch()), Delay: r.delay()}
}

// delay samples an exponential wait.
func (r *Routes) delay() time.Duration {
	d := time.Duration(min(r.rnd.ExpFloat64(), delayCap) * float64(r.cfg.MeanDelay))
	return min(d.Round(time.Millisecond), outfox.MaxDelay)
}
