package directory

import (
	"crypto/sha256"
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"
	"time"

	"starling/p2p/wire"
)

// sybils adds n relays of one operator to a crowd, relay i at the addresses that at
// returns, and returns their ids.
func sybils(s *Snapshot, n int, at func(i int) []string) (bad map[wire.NodeID]bool) {
	bad = map[wire.NodeID]bool{}
	for i := range n {
		var seed [8]byte
		binary.BigEndian.PutUint64(seed[:], uint64(1_000_000+i))
		d := &Descriptor{ID: sha256.Sum256(seed[:])}
		for _, a := range at(i) {
			d.Addresses = append(d.Addresses, Address{AddrPort: netip.AddrPortFrom(netip.MustParseAddr(a), 1)})
		}
		bad[d.ID] = true
		s.Relays = append(s.Relays, d)
	}
	slices.SortFunc(s.Relays, func(a, b *Descriptor) int { return compareID(a, b.ID) })
	return bad
}

// networks are the places of an operator's many addresses, how many there are, and the
// most that all of them may weigh together beside 100 others.
var networks = map[string]struct {
	n    int
	most float64
	at   func(i int) []string
}{
	"one /24": {32, NetworkWeight, func(i int) []string { return []string{netip.AddrFrom4([4]byte{90, 1, 1, byte(i)}).String()} }},
	"one /16": {200, 6, func(i int) []string { return []string{netip.AddrFrom4([4]byte{90, 1, byte(i), 1}).String()} }},
	"one /48": {32, NetworkWeight, func(i int) []string { return []string{at6(0x1, 0x1, i)} }},
	"one /32": {200, 6, func(i int) []string { return []string{at6(0x1, i, 1)} }},
	"one /24 behind /32s": {32, NetworkWeight, func(i int) []string {
		return []string{at6(i, 1, 1), netip.AddrFrom4([4]byte{90, 1, 1, byte(i)}).String()}
	}},
}

// at6 is an address in a /32 and a /48 by number.
func at6(wide, near, host int) string {
	b := [16]byte{0: 0x2a, 1: 0x10, 3: byte(wide), 5: byte(near), 15: byte(host)}
	return netip.AddrFrom16(b).String()
}

// TestWeights: however many relays one operator has in a network, all of them weigh as
// two of a /24 or /48, and as max(4, 2 % of all) of a /16 or /32; which of its addresses
// a relay names first changes nothing.
func TestWeights(t *testing.T) {
	for name, c := range networks {
		s := &Snapshot{Relays: crowd(0, 100)}
		bad := sybils(s, c.n, c.at)
		ours, others := 0.0, 0.0
		for i, w := range s.Weights() {
			if bad[s.Relays[i].ID] {
				ours += w
			} else {
				others += w
			}
		}
		if ours > c.most+1e-9 || others != 100 {
			t.Errorf("%s: %d relays weigh %.2f, at most %v; the others %v", name, c.n, ours, c.most, others)
		}
	}
}

// TestRendezvousSybil: the owner of a full network is the first meeting place of two
// sharers of a secret no more often than that network weighs.
func TestRendezvousSybil(t *testing.T) {
	for name, c := range networks {
		s := &Snapshot{Relays: crowd(0, 100)}
		bad := sybils(s, c.n, c.at)
		const secrets = 1000
		first := 0
		for n := range secrets {
			if bad[s.Rendezvous(secretOf(n), 1)[0]] {
				first++
			}
		}
		// 100 others; three deviations above.
		if most := secrets * c.most / (100 + c.most); float64(first) > most+3*8 {
			t.Errorf("%s: first for %d of %d secrets, expected at most %.0f", name, first, secrets, most)
		}
	}
}

// TestYoungBesideSybils: many new relays of one network do not make each other old.
func TestYoungBesideSybils(t *testing.T) {
	s := &Snapshot{Relays: crowd(0, 100), now: start}
	bad := sybils(s, 200, networks["one /16"].at)
	for _, d := range s.Relays {
		since := start.Add(-100 * 24 * time.Hour)
		if bad[d.ID] {
			since = start.Add(-time.Hour)
		}
		s.since = append(s.since, since)
	}
	for i, young := range s.Young() {
		if young != bad[s.Relays[i].ID] {
			t.Fatalf("a relay of %v is young: %v", s.now.Sub(s.since[i]), young)
		}
	}
}

// TestFullBesideSybils: a full directory makes room in the network that is full, also
// if its relays name others first.
func TestFullBesideSybils(t *testing.T) {
	now := start
	d := New(Config{Now: func() time.Time { return now }, MaxRelays: 12})
	add := func(n int, at ...string) *relay {
		r := newRelay(t, n)
		r.d.Addresses = nil
		for _, a := range at {
			r.d.Addresses = append(r.d.Addresses, Address{AddrPort: netip.AddrPortFrom(netip.MustParseAddr(a), 1)})
		}
		if err := d.Add(r.sign(t)); err != nil {
			t.Fatal(err)
		}
		d.Reached(r.d.ID, now)
		return r
	}
	var bad []*relay
	for i := range 8 {
		bad = append(bad, add(i, at6(i, 1, 1), netip.AddrFrom4([4]byte{90, 1, byte(i), 1}).String()))
	}
	for i := range 6 {
		add(100+i, netip.AddrFrom4([4]byte{byte(100 + i), 1, 1, 1}).String())
	}
	left := 0
	for _, r := range bad {
		if _, ok := d.Find(r.d.ID); ok {
			left++
		}
	}
	if left != 6 {
		t.Errorf("%d of 8 in one /16 are left beside 6 who came, want 6", left)
	}
}
