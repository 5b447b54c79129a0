package client

import (
	"crypto/ed25519"
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"

	"starling/p2p/directory"
	"starling/p2p/outfox"
	"starling/p2p/wire"
)

// TestAge: how long a relay has been reached is the median of its sources; one that
// calls it old is not believed, nor one that says it was never reached.
func TestAge(t *testing.T) {
	const day = 24 * time.Hour
	for name, tt := range map[string]struct {
		say  []time.Duration // ages; 0 is vouched for only
		want time.Duration
	}{
		"one":                     {[]time.Duration{3 * day}, 3 * day},
		"two":                     {[]time.Duration{3 * day, 2 * day}, 2 * day},
		"an accomplice":           {[]time.Duration{40 * day, time.Hour, 2 * time.Hour}, 2 * time.Hour},
		"an accomplice, two":      {[]time.Duration{40 * day, time.Hour}, time.Hour},
		"one that hides":          {[]time.Duration{0, 3 * day, 4 * day}, 3 * day},
		"never reached by others": {[]time.Duration{40 * day, 0, 0}, 0},
	} {
		c, ids := knowing(t, 1)
		said := time.Now()
		for i, age := range tt.say {
			o := c.lists.opinion(NodeID{byte(i)})
			o.said.Store(&said)
			o.dir.Merge(c.dir, func(*directory.Descriptor) bool { return true })
			if age > 0 {
				o.dir.Reached(ids[0], said.Add(-age))
			}
		}
		c.lists.age(map[NodeID]bool{ids[0]: true})
		got := time.Duration(0)
		if since := c.dir.Since(ids[0]); !since.IsZero() {
			got = time.Since(since)
		}
		if (got - tt.want).Abs() > time.Minute {
			t.Errorf("%s: reached for %v, want %v", name, got, tt.want)
		}
	}
}

// says is a descriptor of relay n, at an address of its choice.
func says(t *testing.T, n int, sequence uint64, at string) ([]byte, NodeID) {
	t.Helper()
	var seed [ed25519.SeedSize]byte
	binary.BigEndian.PutUint64(seed[:], uint64(n)+1)
	key, err := crypto.UnmarshalEd25519PrivateKey(ed25519.NewKeyFromSeed(seed[:]))
	if err != nil {
		t.Fatal(err)
	}
	id, err := wire.NodeIDFromKey(key.GetPublic())
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().Truncate(time.Second)
	d := directory.Descriptor{ID: id, Sequence: sequence, Issued: now, Expires: now.Add(24 * time.Hour), Capacity: 1, Epoch: directory.FirstEpoch(now),
		Addresses: []directory.Address{{AddrPort: netip.MustParseAddrPort(at)}}}
	k, err := outfox.NewPrivateKey()
	if err != nil {
		t.Fatal(err)
	}
	for i := range d.Keys {
		d.Keys[i] = k.Public()
	}
	if err := d.Promise(key); err != nil {
		t.Fatal(err)
	}
	raw, err := d.Sign(key)
	if err != nil {
		t.Fatal(err)
	}
	return raw, id
}

// TestGuardElsewhere: a relay signs any address it likes, and shows that to its clients
// alone, or has an accomplice show it. They dial where others list it, and go along
// when it moves.
func TestGuardElsewhere(t *testing.T) {
	const relays, home, victim = 8, "20.1.0.1:4001", "9.9.9.9:80"
	_, id := says(t, 0, 1, home)
	for name, c := range map[string]struct {
		before string            // what was believed
		say    map[int]string    // by which source; 0 is the relay itself
		newer  map[string]uint64 // sequences
		want   string
	}{
		"itself":                     {home, map[int]string{0: victim, 1: home}, map[string]uint64{victim: 9}, home},
		"itself, alone":              {home, map[int]string{0: victim}, map[string]uint64{victim: 9}, home},
		"itself, to a newcomer":      {"", map[int]string{0: victim, 1: home, 2: home}, map[string]uint64{victim: 9}, home},
		"an accomplice":              {home, map[int]string{1: victim, 2: home}, map[string]uint64{victim: 9}, home},
		"an accomplice, to newcomer": {"", map[int]string{1: victim, 2: home, 3: home}, map[string]uint64{victim: 9}, home},
		"one of two, to a newcomer":  {"", map[int]string{1: victim, 2: home}, map[string]uint64{victim: 9}, home},
		"and itself":                 {home, map[int]string{0: victim, 1: victim, 2: home}, map[string]uint64{victim: 9}, home},
		"it moved":                   {victim, map[int]string{1: home, 2: home}, map[string]uint64{home: 9}, home},
		"it moved, by one":           {victim, map[int]string{1: home}, map[string]uint64{home: 9}, home},
		"half know that it moved":    {home, map[int]string{1: victim, 2: home}, map[string]uint64{victim: 9}, home},
		"there is nobody else":       {"", map[int]string{0: home}, nil, home},
	} {
		cl, _ := knowing(t, 0)
		sequence := func(at string) uint64 { return max(1, c.newer[at]) }
		others := func(d *directory.Directory) {
			for n := 1; n < relays; n++ {
				raw, _ := says(t, n, 1, netip.AddrPortFrom(netip.AddrFrom4([4]byte{30, byte(n), 0, 1}), 4001).String())
				d.Add(raw)
			}
		}
		if c.before != "" {
			raw, _ := says(t, 0, sequence(c.before), c.before)
			if err := cl.dir.Add(raw); err != nil {
				t.Fatal(err)
			}
			others(cl.dir)
			for _, d := range cl.dir.Snapshot().Relays {
				cl.lists.kept = append(cl.lists.kept, d.ID)
			}
		}
		for source, at := range c.say {
			from := id
			if source > 0 {
				_, from = says(t, source, 1, home)
			}
			o := cl.lists.opinion(from)
			o.whole = time.Now()
			others(o.dir)
			raw, _ := says(t, 0, sequence(at), at)
			if err := o.dir.Add(raw); err != nil {
				t.Fatal(err)
			}
		}
		cl.lists.believe()
		d, ok := cl.dir.Find(id)
		if !ok || len(d.Addresses) != 1 || d.Addresses[0].AddrPort.String() != c.want {
			t.Errorf("%s: listed %v, %+v", name, ok, d)
		}
	}
}
