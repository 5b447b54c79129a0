package client

import (
	"crypto/rand"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"

	"starling/p2p/directory"
	"starling/p2p/guard"
	"starling/p2p/host"
	"starling/p2p/outfox"
	"starling/p2p/wire"
)

// related is a client that knows relays of which each names others, all of them reached
// long ago, and their ids.
func related(t *testing.T, relays int, names func(n int) []int) (*Client, []NodeID) {
	t.Helper()
	c, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	keys, ids := make([]crypto.PrivKey, relays), make([]NodeID, relays)
	for n := range relays {
		key, public, err := crypto.GenerateEd25519Key(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if keys[n] = key; err == nil {
			ids[n], err = wire.NodeIDFromKey(public)
		}
		if err != nil {
			t.Fatal(err)
		}
	}

	now := time.Now().Truncate(time.Second)
	for n, key := range keys {
		d := directory.Descriptor{
			ID: ids[n], Sequence: 1, Issued: now, Expires: now.Add(24 * time.Hour), Capacity: 1, Epoch: directory.FirstEpoch(now),
			Addresses: []directory.Address{{AddrPort: netip.AddrPortFrom(netip.AddrFrom4([4]byte{20, byte(n), 0, 1}), 4001)}},
		}
		for _, other := range names(n) {
			d.Family = append(d.Family, directory.PrefixOf(ids[other]))
		}
		for i := range d.Keys {
			k, err := outfox.NewPrivateKey()
			if err != nil {
				t.Fatal(err)
			}
			d.Keys[i] = k.Public()
		}
		raw, err := d.Sign(key)
		if err == nil {
			err = c.dir.Add(raw)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return c, ids
}

// TestNoTwoOfAFamily draws guards, mailboxes, meeting places and ways of many clients among
// 24 relays of which half are of four families: no two of one are guards of a client, on a
// way, or keep mail for one person. Eight others name the honest ones at random: a lie that
// changes nothing.
func TestNoTwoOfAFamily(t *testing.T) {
	const relays, families, liars = 24, 4, 8
	family := func(n int) int { // -1 is none
		if n < relays/2 {
			return n % families
		}
		return -1
	}
	c, ids := related(t, relays, func(n int) (named []int) {
		switch {
		case family(n) >= 0:
			for other := range relays / 2 {
				if other != n && family(other) == family(n) {
					named = append(named, other)
				}
			}
		case n >= relays-liars:
			for i := range directory.MaxFamily {
				named = append(named, (n*5+i)%(relays-liars))
			}
		}
		return named
	})
	snap := c.routes.now()
	same := func(some ...NodeID) bool {
		seen := map[int]bool{}
		for _, id := range some {
			f := family(slices.Index(ids, id))
			if f >= 0 && seen[f] {
				return true
			}
			seen[f] = true
		}
		return false
	}

	used, beside := map[NodeID]int{}, 0 // beside: a liar and one that it names, on one way
	for range 300 {
		guards := guard.New(guard.Config{})
		guards.Relays(guardsAmong(snap, host.Families{Four: true}, false), true)
		guards.Plan(time.Now(), time.Now())
		pair := guards.Known()[:guard.Use]
		if same(guards.Known()...) {
			t.Fatal("two guards are of one family")
		}
		mailboxes, err := c.routes.Pick(2, pair...)
		if err != nil {
			t.Fatal(err)
		}
		if same(slices.Concat(mailboxes, pair)...) {
			t.Fatal("guards and mailboxes are of one family")
		}
		var secret [32]byte
		rand.Read(secret[:])
		if same(snap.Rendezvous(secret, relays)...) {
			t.Fatal("two of a family are meeting places")
		}

		for _, mailbox := range ids { // of contacts: any
			at, _, way, err := c.routes.there(pair, mailbox)
			if err != nil {
				if !same(pair[0], mailbox) && !same(pair[1], mailbox) && !slices.Contains(pair, mailbox) {
					t.Fatalf("no way: %v", err)
				}
				continue
			}
			hops := []NodeID{at, way[1].ID, way[2].ID, mailbox}
			_, back, err := c.routes.back([]NodeID{at}, 0, mailbox)
			if err != nil {
				t.Fatal(err)
			}
			if same(hops...) || same(mailbox, back[0].ID, back[1].ID, back[2].ID) {
				t.Fatal("two of a family are on one way")
			}
			for _, id := range hops {
				used[id]++
			}
			if n := slices.Index(ids, hops[2]); n >= relays-liars && slices.Contains(hops, ids[n*5%(relays-liars)]) {
				beside++
			}
		}
	}
	for n, id := range ids {
		if used[id] == 0 {
			t.Errorf("relay %d is never used", n)
		}
	}
	if beside == 0 {
		t.Error("who is named by a liar is never beside it: the word of one counts")
	}
}
