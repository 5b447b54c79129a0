package directory

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"starling/p2p/wire"
)

// crowd is n relays that need no signatures, each in a network of its own.
func crowd(first, n int) (all []*Descriptor) {
	for i := first; i < first+n; i++ {
		var seed [8]byte
		binary.BigEndian.PutUint64(seed[:], uint64(i))
		all = append(all, &Descriptor{
			ID:        sha256.Sum256(seed[:]),
			Addresses: []Address{{AddrPort: netip.AddrPortFrom(netip.AddrFrom4([4]byte{byte(i >> 8), byte(i), 0, 1}), 1)}},
		})
	}
	return all
}

func secretOf(n int) [32]byte { return sha256.Sum256([]byte(fmt.Sprint("secret ", n))) }

func ids(all []*Descriptor) (out []wire.NodeID) {
	for _, d := range all {
		out = append(out, d.ID)
	}
	return out
}

// TestRendezvousVector: the ranking is part of the protocol: this one was computed
// apart, with Python's hmac.
func TestRendezvousVector(t *testing.T) {
	s := &Snapshot{}
	for i := range 8 {
		d := crowd(i, 1)[0]
		d.ID = wire.NodeID{31: byte(i)}
		s.Relays = append(s.Relays, d)
	}
	var secret [32]byte
	for i := range secret {
		secret[i] = byte(i)
	}
	var got string
	for _, id := range s.Rendezvous(secret, 8) {
		got += hex.EncodeToString(id[31:])
	}
	if want := "0201070605030400"; got != want {
		t.Errorf("ranking %s, want %s", got, want)
	}
}

func TestRendezvous(t *testing.T) {
	s := &Snapshot{Relays: crowd(0, 100)}
	secret := secretOf(1)
	all := s.Rendezvous(secret, 1000)
	if len(all) != 100 || len(slices.Compact(slices.SortedFunc(slices.Values(all), compareIDs))) != 100 {
		t.Fatalf("%d of 100 relays ranked, or one twice", len(all))
	}
	for n := range 10 {
		if got := s.Rendezvous(secret, n); !slices.Equal(got, all[:n]) {
			t.Errorf("the first %d are no prefix", n)
		}
	}
	// The order the directory is in means nothing.
	mixed := &Snapshot{Relays: slices.Clone(s.Relays)}
	rand.Shuffle(100, func(i, j int) { mixed.Relays[i], mixed.Relays[j] = mixed.Relays[j], mixed.Relays[i] })
	if !slices.Equal(mixed.Rendezvous(secret, 100), all) {
		t.Error("ranking depends on the order of the directory")
	}
	if slices.Equal(s.Rendezvous(secretOf(2), 100), all) {
		t.Error("ranking does not depend on the secret")
	}
	if got := s.Rendezvous(secret, 2, all[0], all[2]); !slices.Equal(got, []wire.NodeID{all[1], all[3]}) {
		t.Error("avoided relays are not passed over, or others, too")
	}
	if got := (&Snapshot{}).Rendezvous(secret, 2); len(got) != 0 {
		t.Error("relays out of nothing")
	}
}

func compareIDs(a, b wire.NodeID) int { return slices.Compare(a[:], b[:]) }

// TestRendezvousDisruption: a relay that leaves takes only itself out of the
// ranking. One that comes moves others down by one place at most.
func TestRendezvousDisruption(t *testing.T) {
	const relays = 50
	s := &Snapshot{Relays: crowd(0, relays)}
	for n := range 20 {
		secret := secretOf(n)
		before := s.Rendezvous(secret, relays)
		for i := range relays {
			without := &Snapshot{Relays: slices.Delete(slices.Clone(s.Relays), i, i+1)}
			gone := s.Relays[i].ID
			want := slices.DeleteFunc(slices.Clone(before), func(id wire.NodeID) bool { return id == gone })
			if !slices.Equal(without.Rendezvous(secret, relays), want) {
				t.Fatalf("the others changed places when one of %d left", relays)
			}
		}
	}
}

// TestRendezvousIsEven: every relay is first for about as many secrets.
func TestRendezvousIsEven(t *testing.T) {
	const relays, secrets = 20, 4000
	s := &Snapshot{Relays: crowd(0, relays)}
	first := map[wire.NodeID]int{}
	for n := range secrets {
		first[s.Rendezvous(secretOf(n), 1)[0]]++
	}
	for _, id := range ids(s.Relays) {
		// 200 expected, standard deviation 14; the secrets are fixed.
		if n := first[id]; n < 140 || n > 260 {
			t.Errorf("a relay of %d is first for %d of %d secrets", relays, n, secrets)
		}
	}
}

func TestRendezvousNetworks(t *testing.T) {
	s := &Snapshot{Relays: crowd(0, 30)}
	for i, d := range s.Relays { // ten networks of three
		d.Addresses[0] = Address{AddrPort: netip.AddrPortFrom(netip.AddrFrom4([4]byte{11, byte(i % 10), byte(i), 1}), 1)}
	}
	for n := range 50 {
		seen := map[netip.Prefix]bool{}
		got := s.Rendezvous(secretOf(n), 30)
		for _, id := range got {
			i := slices.Index(ids(s.Relays), id)
			if w := s.Relays[i].Addresses[0].Wide(); seen[w] {
				t.Fatal("two relays of one network")
			} else {
				seen[w] = true
			}
		}
		if len(got) != 10 {
			t.Fatalf("%d relays of 10 networks", len(got))
		}
	}
	s.private = true
	if got := s.Rendezvous(secretOf(1), 30); len(got) != 30 {
		t.Errorf("%d of 30 where private addresses are admitted", len(got))
	}
}

// meet is how often a sender's first k and a recipient's first m have a relay
// in common, when each knows all but a share of the relays, and not the same.
func meet(relays, secrets int, unknown float64, k, m int) float64 {
	rnd := rand.New(rand.NewPCG(1, uint64(relays)))
	all := crowd(0, relays)
	view := func() *Snapshot {
		s := &Snapshot{}
		for _, d := range all {
			if rnd.Float64() >= unknown {
				s.Relays = append(s.Relays, d)
			}
		}
		return s
	}
	met := 0
	for n := range secrets {
		sender, recipient := view().Rendezvous(secretOf(n), k), view().Rendezvous(secretOf(n), m)
		if slices.ContainsFunc(sender, func(id wire.NodeID) bool { return slices.Contains(recipient, id) }) {
			met++
		}
	}
	return float64(met) / float64(secrets)
}

// TestRendezvousMeets: two sides that each miss other relays still meet: of the
// sender's first two one is among the recipient's first four.
func TestRendezvousMeets(t *testing.T) {
	for _, tc := range []struct {
		unknown float64
		atLeast float64
	}{{0, 1}, {0.05, 0.985}, {0.3, 0.85}} {
		if got := meet(100, 1000, tc.unknown, 2, 4); got < tc.atLeast {
			t.Errorf("with %.0f %% unknown to each they meet with probability %.3f, want %.3f", 100*tc.unknown, got, tc.atLeast)
		}
	}
}

// BenchmarkRendezvousMeets prints how often two meet; its time means nothing.
func BenchmarkRendezvousMeets(b *testing.B) {
	for _, unknown := range []float64{0.05, 0.15, 0.30} {
		for _, km := range [][2]int{{2, 2}, {2, 4}, {3, 6}} {
			b.Run(fmt.Sprintf("unknown=%.2f/sender=%d/recipient=%d", unknown, km[0], km[1]), func(b *testing.B) {
				for range b.N {
					b.ReportMetric(meet(100, 10_000, unknown, km[0], km[1]), "met")
				}
			})
		}
	}
}

func BenchmarkRendezvous(b *testing.B) {
	s := &Snapshot{Relays: crowd(0, MaxRelays)}
	secret := secretOf(1)
	for b.Loop() {
		s.Rendezvous(secret, 4)
	}
}

// TestRendezvousFamily: of two that name each other only the first is a meeting place.
// One that names others, whom they do not, takes nobody's place.
func TestRendezvousFamily(t *testing.T) {
	for _, private := range []bool{false, true} {
		s := &Snapshot{Relays: crowd(0, 20), private: private}
		plain := s.Rendezvous(secretOf(1), 20)
		find := func(id wire.NodeID) *Descriptor {
			return s.Relays[slices.IndexFunc(s.Relays, func(d *Descriptor) bool { return d.ID == id })]
		}
		liar := find(plain[0])
		for _, id := range plain[1 : 1+MaxFamily] {
			liar.Family = append(liar.Family, PrefixOf(id))
		}
		if got := s.Rendezvous(secretOf(1), 20); !slices.Equal(got, plain) {
			t.Errorf("private %v: the word of one changes the ranking", private)
		}

		find(plain[3]).Family = []Prefix{PrefixOf(plain[0])}
		find(plain[7]).Family = []Prefix{PrefixOf(plain[0])}
		want := slices.DeleteFunc(slices.Clone(plain), func(id wire.NodeID) bool { return id == plain[3] || id == plain[7] })
		if got := s.Rendezvous(secretOf(1), 20); !slices.Equal(got, want) {
			t.Errorf("private %v: two of a family are meeting places", private)
		}
		if got := s.Rendezvous(secretOf(1), 4); !slices.Equal(got, want[:4]) {
			t.Errorf("private %v: the first four are %v", private, got)
		}
	}
}

// TestFamiliesOfLiars: however many relays name however many others, who did not name
// them is of no family; and it costs no more than the names that there is room for.
func TestFamiliesOfLiars(t *testing.T) {
	s := &Snapshot{Relays: crowd(0, 400)}
	honest, liars := s.Relays[:200], s.Relays[200:]
	for i, d := range liars {
		for j := range MaxFamily {
			d.Family = append(d.Family, PrefixOf(honest[(i*MaxFamily+j)%len(honest)].ID))
		}
	}
	// Two honest ones of one owner, named by everybody else, too; one names itself.
	honest[0].Family, honest[1].Family = []Prefix{PrefixOf(honest[1].ID)}, []Prefix{PrefixOf(honest[0].ID)}
	honest[2].Family = []Prefix{PrefixOf(honest[2].ID), PrefixOf(honest[2].ID)}
	// And two liars that name each other twice.
	liars[0].Family = slices.Repeat([]Prefix{PrefixOf(liars[1].ID)}, MaxFamily)
	liars[1].Family = slices.Repeat([]Prefix{PrefixOf(liars[0].ID)}, MaxFamily)

	got := s.Families()
	if len(got) != 4 || !slices.Equal(got[honest[0].ID], ids(honest[1:2])) || !slices.Equal(got[honest[1].ID], ids(honest[:1])) {
		t.Errorf("%d relays have a family", len(got))
	}
	for _, n := range []int{0, 1} {
		if all := got[liars[n].ID]; len(all) > MaxFamily || slices.ContainsFunc(all, func(id wire.NodeID) bool { return id != liars[1-n].ID }) {
			t.Errorf("a liar's family is %v", all)
		}
	}
}
