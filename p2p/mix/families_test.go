package mix

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"starling/p2p/wire"
)

// TestIPv6Only: a relay with nothing but an IPv6 address stands only next to relays that
// have one, and is pinned or a mailbox only where no other is left.
func TestIPv6Only(t *testing.T) {
	list := mesh(12)
	only := map[wire.NodeID]bool{}
	both := map[wire.NodeID]bool{}
	for i := range 8 {
		it := relayAt(100+i, fmt.Sprintf("2a0%d:1::1", i))
		only[it.ID] = true
		list = append(list, it)
	}
	for i := range 4 {
		list[i].Addrs = append(list[i].Addrs, netip.MustParseAddr(fmt.Sprintf("2b0%d:1::1", i)))
		both[list[i].ID] = true
	}
	has6 := func(id wire.NodeID) bool { return only[id] || both[id] }
	r := newRoutes(RoutesConfig{}, list)

	used := 0
	for n := range 2000 {
		way := make([]wire.NodeID, 0, 4)
		if n%2 == 0 {
			_, hops, err := r.Forward(list[0].ID, list[1].ID)
			if err != nil {
				t.Fatal(err)
			}
			way = append(way, ids(hops[:])...)
		} else {
			_, hops, err := r.Back(list[1].ID, list[5].ID)
			if err != nil {
				t.Fatal(err)
			}
			way = append(append(way, list[1].ID), ids(hops[:])...)
		}
		for i, id := range way {
			if !only[id] {
				continue
			}
			used++
			if i > 0 && !has6(way[i-1]) || i+1 < len(way) && !has6(way[i+1]) {
				t.Fatalf("hop %d has only an IPv6 address, and a neighbour has none", i)
			}
		}
	}
	if used == 0 {
		t.Log("no relay with IPv6 alone was used: the pins have none")
	}
	for _, p := range r.Pins() {
		if only[p.ID] {
			t.Error("pinned though others were there")
		}
	}
	boxes, err := r.Pick(4)
	if err != nil || slices.ContainsFunc(boxes, func(id wire.NodeID) bool { return only[id] }) {
		t.Errorf("mailboxes %v, %v", boxes, err)
	}

	// A mesh of such relays works.
	list = nil
	for i := range 8 {
		list = append(list, relayAt(100+i, fmt.Sprintf("2a0%d:1::1", i)))
	}
	if _, _, err := newRoutes(RoutesConfig{}, list).Forward(list[0].ID, list[1].ID); err != nil {
		t.Errorf("IPv6 alone: %v", err)
	}
	// A guard without IPv6 leads to none of them.
	list = append(list, relayAt(1, "20.1.0.1"))
	if _, _, err := newRoutes(RoutesConfig{}, list).Forward(list[8].ID, list[1].ID); !errors.Is(err, ErrFewRelays) {
		t.Errorf("from a guard without IPv6: %v", err)
	}
}
