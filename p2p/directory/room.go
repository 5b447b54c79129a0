package directory

import (
	"bytes"
	"cmp"
	"net/netip"
	"slices"
	"time"

	"starling/p2p/wire"
)

// # Room
//
// A place in the directory costs an address that was reached, not a word. The number of
// relays in one network is therefore no door that eight lies could close. Up to
// MaxPerNetwork stand in a /24 (IPv4) or /48 (IPv6), two at one address, and their
// weight in every draw is shared among them, see [Snapshot.Weights]. A full directory
// evicts, see [Directory.makeRoom].
const (
	// MaxPerNetwork bounds the relays of one /24 or /48.
	MaxPerNetwork = 32
	// MaxPerAddress bounds the relays of one IPv4 address or IPv6 /64.
	MaxPerAddress = 2
	// NetworkWeight is the weight of all relays of a /24 or /48 together.
	NetworkWeight = 2
	// wideWeight is the least weight of all relays of a /16 or /32 together; and
	// wideShare the same as a part of all relays.
	wideWeight = 4
	wideShare  = 0.02

	// NewsEvery is how often one relay may have a new descriptor, NewsBurst how many
	// of them it may have saved up. A farewell may spend the next one ahead.
	NewsEvery = 10 * time.Minute
	NewsBurst = 8

	// Grown is how long a relay is known after which it is not young in any network,
	// and is not evicted for a younger one.
	Grown = 7 * 24 * time.Hour
)

// often reports whether a relay has had its news. It leaves at next the wait of the
// entry that takes the place of old.
func (d *Directory) often(old *entry, desc *Descriptor, now time.Time) (next time.Time, often bool) {
	next = now
	if old != nil && old.news.After(now) {
		next = old.news
	}
	ahead := NewsBurst - 1
	if desc.Leaving() {
		ahead++
	}
	if !d.cfg.News || desc.ID == d.cfg.Self || next.Sub(now) <= time.Duration(ahead)*NewsEvery {
		return next.Add(NewsEvery), false
	}
	return next, true
}

// Late takes the descriptors that came too often, when their time has come. Call it now
// and then.
func (d *Directory) Late() {
	d.mu.Lock()
	var raws [][]byte
	for _, e := range d.relays {
		if e.late != nil {
			raws = append(raws, e.late)
		}
	}
	d.mu.Unlock()
	for _, raw := range raws {
		d.Add(raw) // one that is still too early stays
	}
}

// Remove forgets a relay.
func (d *Directory) Remove(id wire.NodeID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.drop(func(e *entry) bool { return e.ID == id })
}

// crowded reports whether the networks of a descriptor have no room for one more.
func (d *Directory) crowded(old *entry, desc *Descriptor) bool {
	var held []netip.Prefix
	if old != nil {
		held = networksOf(old.Descriptor)
	}
	for _, n := range networksOf(desc) {
		most := MaxPerNetwork
		if n.Bits() == 32 && n.Addr().Is4() || n.Bits() == 64 {
			most = MaxPerAddress
		}
		if d.networks[n] >= most && !slices.Contains(held, n) {
			return true
		}
	}
	return false
}

// networksOf returns the networks in which a relay takes a place: of each address that
// is dialled the address itself and its block.
func networksOf(desc *Descriptor) []netip.Prefix {
	var all []netip.Prefix
	for _, a := range Dialable(desc.Addresses) {
		for _, n := range []netip.Prefix{a.Network(), a.block(32, 64)} {
			if n.IsValid() && !slices.Contains(all, n) {
				all = append(all, n)
			}
		}
	}
	return all
}

// makeRoom evicts a relay for one that comes: of the heaviest /16 or /32 the
// youngest, those that were not reached before those that were. A relay reached long
// ago stays. It reports whether there is room.
func (d *Directory) makeRoom(now time.Time) bool {
	d.prune(now)
	if len(d.relays) < d.cfg.MaxRelays {
		return true
	}

	counts := map[netip.Prefix]int{}
	for _, e := range d.relays {
		if grown(e, now) {
			continue
		}
		for _, w := range widesOf(e.Descriptor) {
			counts[w]++
		}
	}

	var heaviest netip.Prefix
	for w, n := range counts {
		// A tie is broken by the address: the order of a map would let an attacker try again.
		if n > counts[heaviest] || n == counts[heaviest] && w.Addr().Less(heaviest.Addr()) {
			heaviest = w
		}
	}

	var out *entry
	for _, e := range d.relays {
		if !grown(e, now) && slices.Contains(widesOf(e.Descriptor), heaviest) && (out == nil || younger(e, out)) {
			out = e
		}
	}

	if out == nil {
		return false
	}
	d.drop(func(e *entry) bool { return e == out })
	return true
}

func grown(e *entry, now time.Time) bool {
	return !e.reached.IsZero() && now.Sub(e.reached) > Grown
}

// younger orders by how well a relay is known: not reached, reached late, came late.
func younger(a, b *entry) bool {
	switch {
	case a.reached.IsZero() != b.reached.IsZero():
		return a.reached.IsZero()
	case !a.reached.Equal(b.reached):
		return a.reached.After(b.reached)
	}
	return a.stamp > b.stamp
}

// blocksOf returns the networks of a relay of one kind, over all of its addresses that
// are dialled: which it names first is its choice. Without any it is in the network of
// nobody.
func blocksOf(d *Descriptor, kind func(Address) netip.Prefix) []netip.Prefix {
	var all []netip.Prefix
	for _, a := range Dialable(d.Addresses) {
		if n := kind(a); n.IsValid() && !slices.Contains(all, n) {
			all = append(all, n)
		}
	}
	if len(all) == 0 {
		all = append(all, netip.Prefix{})
	}
	return all
}

// widesOf returns each /16 or /32 of a relay.
func widesOf(d *Descriptor) []netip.Prefix { return blocksOf(d, Address.Wide) }

// Weights returns the weight of each of Relays in a draw, at most 1: its share of
// the weight of its /24 and its /16 (/48 and /32). Of several networks the one counts
// in which it weighs least. Where private addresses are admitted everybody weighs 1.
func (s *Snapshot) Weights() []float64 {
	weights := make([]float64, len(s.Relays))
	counts := map[netip.Prefix]int{}
	blocks := make([][2][]netip.Prefix, len(s.Relays)) // near and wide
	for i, d := range s.Relays {
		blocks[i] = [2][]netip.Prefix{blocksOf(d, Address.Network), widesOf(d)}
		for _, p := range slices.Concat(blocks[i][0], blocks[i][1]) {
			// A relay with two addresses counts in both of its networks.
			counts[p]++
		}
	}

	wide := s.wideWeight()
	for i := range s.Relays {
		weights[i] = 1
		if s.private {
			continue
		}
		for _, p := range blocks[i][0] {
			weights[i] = min(weights[i], NetworkWeight/float64(counts[p]))
		}
		for _, p := range blocks[i][1] {
			weights[i] = min(weights[i], wide/float64(counts[p]))
		}
	}
	return weights
}

// wideWeight is the weight of all relays of a /16 or /32 together.
func (s *Snapshot) wideWeight() float64 { return max(wideWeight, wideShare*float64(len(s.Relays))) }

// Young returns which of Relays are young: not reached, or later than half of the
// median age of all, by weight, ago, or Grown. They are third mixes, and neither guards nor
// second ones nor mailboxes. In a young network minutes are enough.
func (s *Snapshot) Young() []bool {
	type age struct {
		age    time.Duration
		weight float64
	}
	var ages []age
	sum := 0.0
	for i, w := range s.Weights() {
		if !s.since[i].IsZero() {
			ages = append(ages, age{s.now.Sub(s.since[i]), w})
			sum += w
		}
	}

	// The median by weight.
	slices.SortFunc(ages, func(a, b age) int { return cmp.Compare(a.age, b.age) })

	// Many new ones of one network do not make everybody old.
	least := Grown
	upTo := 0.0
	for _, a := range ages {
		if upTo += a.weight; upTo > sum/2 {
			least = min(least, a.age/2)
			break
		}
	}
	young := make([]bool, len(s.Relays))
	for i := range s.Relays {
		young[i] = s.since[i].IsZero() || s.now.Sub(s.since[i]) < least
	}
	return young
}

// Families returns for each relay that names some the others of its family: those
// that name it too.
func (s *Snapshot) Families() map[wire.NodeID][]wire.NodeID {
	named := map[Prefix][]*Descriptor{} // by the beginning of their id
	for _, d := range s.Relays {
		if len(d.Family) > 0 {
			named[PrefixOf(d.ID)] = append(named[PrefixOf(d.ID)], d)
		}
	}
	families := map[wire.NodeID][]wire.NodeID{}
	for _, some := range named {
		for _, d := range some {
			for _, prefix := range d.Family {
				for _, other := range named[prefix] {
					if d.ID != other.ID && Kin(d, other) {
						families[d.ID] = append(families[d.ID], other.ID)
					}
				}
			}
		}
	}
	return families
}

// merge takes the word of another source about how long the same descriptor's relay was
// reached. The shorter time counts: nobody makes a relay older by saying so.
func (e *entry) merge(o *entry) {
	if bytes.Equal(e.raw, o.raw) && (e.reached.IsZero() || o.reached.After(e.reached)) {
		e.reached = o.reached
	}
}

// Signed returns the descriptor of a relay as it was signed, or nil.
func (d *Directory) Signed(id wire.NodeID) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	if e := d.relays[id]; e != nil {
		return e.raw
	}
	return nil
}

// Shift moves the times noted here by as much as the clock was wrong. Times signed by
// relays stay as they are.
func (d *Directory) Shift(by time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.cfg.Now()
	for _, e := range d.relays {
		e.news = e.news.Add(by)
		if e.reached.IsZero() {
			continue
		}
		if e.reached = e.reached.Add(by); e.reached.After(now) {
			e.reached = now
		}
	}
	for id, until := range d.liars {
		d.liars[id] = until.Add(by)
	}
	d.snap = nil
}
