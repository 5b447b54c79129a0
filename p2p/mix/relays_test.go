package mix

import (
	"slices"
	"testing"

	"starling/p2p/wire"
)

// TestYoung: a relay that was not reached for long is a third mix, and neither a second
// one nor a mailbox, as long as others will do.
func TestYoung(t *testing.T) {
	list := mesh(20)
	young := map[wire.NodeID]bool{}
	for i := 8; i < 20; i++ {
		list[i].Young = true
		young[list[i].ID] = true
	}
	r := newRoutes(RoutesConfig{}, list)
	third := 0
	for range 300 {
		_, route, err := r.Forward(list[0].ID, list[1].ID)
		if err != nil {
			t.Fatal(err)
		}
		if young[route[1].ID] {
			t.Fatal("a young relay is second")
		}
		if young[route[2].ID] {
			third++
		}
		boxes, err := r.Pick(2)
		if err != nil || young[boxes[0]] || young[boxes[1]] {
			t.Fatalf("mailboxes %v, %v", boxes, err)
		}
	}
	if third == 0 {
		t.Error("no young relay is ever third")
	}

	for i := range list {
		list[i].Young = true
	}
	if _, _, err := newRoutes(RoutesConfig{}, list).Forward(list[0].ID, list[1].ID); err != nil {
		t.Errorf("all are young: %v", err)
	}
}

// TestKin: no two relays of a family are in one route.
func TestKin(t *testing.T) {
	list := mesh(6)
	list[2].Kin, list[3].Kin = []wire.NodeID{list[3].ID}, []wire.NodeID{list[2].ID}
	r := newRoutes(RoutesConfig{AllowPrivate: true}, list)
	for range 200 {
		_, route, err := r.Forward(list[0].ID, list[1].ID)
		if err != nil {
			t.Fatal(err)
		}
		if in := ids(route[:]); slices.Contains(in, list[2].ID) && slices.Contains(in, list[3].ID) {
			t.Fatal("two of a family in one route")
		}
	}
	if _, _, err := r.Forward(list[2].ID, list[3].ID); err == nil {
		t.Error("guard and mailbox are of one family")
	}
}
