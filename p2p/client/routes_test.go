package client

import (
	"crypto/rand"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"

	"starling/p2p/directory"
	"starling/p2p/outfox"
	"starling/p2p/wire"
)

// knowing returns a client that knows some relays, each in a network of its own.
func knowing(t *testing.T, relays int) (*Client, []NodeID) {
	t.Helper()
	return knowingAt(t, relays, func(n int) netip.Addr { return netip.AddrFrom4([4]byte{20, byte(n), 0, 1}) })
}

// knowingAt is knowing, with relays at given addresses.
func knowingAt(t *testing.T, relays int, at func(n int) netip.Addr) (*Client, []NodeID) {
	t.Helper()
	c, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	for n := range relays {
		key, public, err := crypto.GenerateEd25519Key(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		id, err := wire.NodeIDFromKey(public)
		if err != nil {
			t.Fatal(err)
		}
		now := time.Now().Truncate(time.Second)
		d := directory.Descriptor{
			ID: id, Sequence: 1, Issued: now, Expires: now.Add(24 * time.Hour), Capacity: 1,
			Epoch:     directory.FirstEpoch(now),
			Addresses: []directory.Address{{AddrPort: netip.AddrPortFrom(at(n), 4001)}},
		}
		for i := range d.Keys {
			k, err := outfox.NewPrivateKey()
			if err != nil {
				t.Fatal(err)
			}
			d.Keys[i] = k.Public()
		}
		raw, err := d.Sign(key)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.dir.Add(raw); err != nil {
			t.Fatal(err)
		}
	}
	var ids []NodeID
	for _, d := range c.routes.now().Relays {
		ids = append(ids, d.ID)
	}
	return c, ids
}

func hop(id NodeID) outfox.Hop { return outfox.Hop{ID: id} }

// TestDoubtsHaveAnEnd: however many relays seem to be down, two thirds of them and
// five are used.
func TestDoubtsHaveAnEnd(t *testing.T) {
	for relays, most := range map[int]int{5: 0, 6: 1, 9: 3, 10: 3, 20: 6, 21: 7} {
		c, ids := knowing(t, relays)
		for i, id := range ids {
			for range 4 + i/(relays-1) {
				c.judge.Failed([]NodeID{id}, ids[0], time.Now(), time.Now())
				c.judge.Answered(nil, ids[0], time.Now().Add(time.Second), time.Now())
			}
		}
		c.routes.now()
		got := c.routes.doubtful()
		if len(got) != most {
			t.Errorf("of %d relays %d are doubtful, want %d", relays, len(got), most)
		}
		if most > 0 && !slices.Contains(got, ids[relays-1]) {
			t.Errorf("of %d relays the one with the most failures is not doubtful", relays)
		}
	}
}

// TestProofOfAWay: an answer proves its own way and the way of its request, and not
// those of other answers; leases over a doubtful relay are renewed.
func TestProofOfAWay(t *testing.T) {
	c, id := knowing(t, 12)
	req := &request{mailbox: id[3], sent: time.Now(), there: [4]outfox.Hop{hop(id[0]), hop(id[1]), hop(id[2]), hop(id[3])}}
	for _, third := range []NodeID{id[4], id[5]} {
		req.backs = append(req.backs, &back{req: req, way: [3]outfox.Hop{hop(third), hop(id[1]), hop(id[0])}})
	}
	c.answered(req.backs[0], id[0], time.Now())
	for range 3 {
		failed := &request{mailbox: id[3], sent: time.Now(), there: [4]outfox.Hop{hop(id[0]), hop(id[4]), hop(id[5]), hop(id[3])}}
		failed.backs = []*back{{req: failed, way: [3]outfox.Hop{hop(id[2]), hop(id[1]), hop(id[0])}}}
		c.blame(failed)
	}
	c.routes.now()
	if got := c.routes.doubtful(); !slices.Equal(got, []NodeID{id[5]}) {
		t.Errorf("doubtful: %v, want only %v", got, id[5])
	}
	stands := &request{mailbox: id[3], there: req.there, backs: req.backs[:1]}
	lost := &request{mailbox: id[3], there: req.there, backs: req.backs[1:]}
	snap := c.dir.Snapshot()
	for _, r := range []*request{stands, lost} { // with the keys of the directory
		r.slot = outfox.SlotAt(time.Now()) + 1
		for _, b := range r.backs {
			b.slot = outfox.SlotAt(time.Now()) + outfox.MaxAhead
		}
		withKeys(t, snap, r)
	}
	if !stands.valid(snap, c.routes.doubtful()) || lost.valid(snap, c.routes.doubtful()) {
		t.Error("the wrong one is renewed")
	}
}

func withKeys(t *testing.T, snap *directory.Snapshot, r *request) {
	t.Helper()
	set := func(way []outfox.Hop, slot outfox.Slot) {
		for i := range way {
			d, ok := snap.Find(way[i].ID)
			if !ok {
				t.Fatal("unknown relay")
			}
			way[i].Key, _ = d.Key(uint32(slot.Epoch()))
		}
	}
	set(r.there[:], r.slot)
	for _, b := range r.backs {
		set(b.way[:], b.slot)
	}
}

// TestBelieved: not more than a third of all relays count as liars, however many seem to
// have lied.
func TestBelieved(t *testing.T) {
	ids := make([]NodeID, 9)
	for i := range ids {
		ids[i] = NodeID{byte(i)}
	}
	for _, tt := range []struct{ liars, relays, want int }{{0, 12, 0}, {2, 12, 2}, {9, 12, 4}, {9, 5, 1}, {9, 0, 0}} {
		if got := believed(ids[:tt.liars], tt.relays); len(got) != tt.want || tt.want > 0 && got[0] != ids[0] {
			t.Errorf("of %d liars among %d relays %d are believed, want %d", tt.liars, tt.relays, len(got), tt.want)
		}
	}
}

// TestOver: a request goes over listed guards in their order, not over the mailbox, nor over one that is doubted, while there is
// another; and over a doubted one before one that is not listed, over which there is no way.
func TestOver(t *testing.T) {
	a, b := NodeID{1}, NodeID{2}
	for name, tt := range map[string]struct{ up, unlisted, doubted, want []NodeID }{
		"both":                     {[]NodeID{a, b}, nil, nil, []NodeID{a, b}},
		"one is doubted":           {[]NodeID{a, b}, nil, []NodeID{a}, []NodeID{b}},
		"both are":                 {[]NodeID{a, b}, nil, []NodeID{a, b}, []NodeID{a, b}},
		"one is not listed":        {[]NodeID{a, b}, []NodeID{b}, nil, []NodeID{a}},
		"and the other doubted":    {[]NodeID{a, b}, []NodeID{b}, []NodeID{a}, []NodeID{a}},
		"the mailbox is a guard":   {[]NodeID{a, {9}}, nil, nil, []NodeID{a}},
		"and the other is doubted": {[]NodeID{a, {9}}, nil, []NodeID{a}, []NodeID{a, {9}}},
		"nobody is listed":         {[]NodeID{a, b}, []NodeID{a, b}, nil, []NodeID{a, b}},
	} {
		not := func(some []NodeID) func(NodeID) bool {
			return func(id NodeID) bool { return !slices.Contains(some, id) }
		}
		doubted := func(id NodeID) bool { return slices.Contains(tt.doubted, id) }
		if got := over(tt.up, NodeID{9}, not(tt.unlisted), doubted); !slices.Equal(got, tt.want) {
			t.Errorf("%s: over %v, want %v", name, got, tt.want)
		}
	}
}
