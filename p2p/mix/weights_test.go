package mix

import (
	"fmt"
	"math"
	"net/netip"
	"testing"
	"testing/cryptotest"

	"starling/p2p/wire"
)

// TestDrawnByWeight: a relay is drawn by its weight, whichever way it is found, and a
// weight that cannot be is one.
func TestDrawnByWeight(t *testing.T) {
	cryptotest.SetGlobalRandom(t, 5)
	given := []float64{1, 1, 0.25, 0.5, 1, 0, -3, 7, 1, 1}
	want := []float64{1, 1, 0.25, 0.5, 1, 1, 1, 1, 1, 1}
	list := mesh(len(given))
	sum := 0.0
	for n := range list {
		list[n].Weight = given[n]
		if n >= 2 {
			sum += want[n]
		}
	}
	r := newRoutes(RoutesConfig{}, list)
	var some []*relay
	for n := range r.relays {
		if r.relays[n].Weight != want[n] {
			t.Errorf("weight %v counts as %v", given[n], r.relays[n].Weight)
		}
		if n >= 2 {
			some = append(some, &r.relays[n])
		}
	}
	const draws = 12_000
	for name, draw := range map[string]func() wire.NodeID{
		"guessed": func() wire.NodeID {
			got, err := r.Pick(1, nodeID(0), nodeID(1))
			if err != nil {
				t.Fatal(err)
			}
			return got[0]
		},
		"of all": func() wire.NodeID { return r.heavy(some).ID },
	} {
		drawn := map[wire.NodeID]float64{}
		for range draws {
			drawn[draw()]++
		}
		for n := 2; n < len(given); n++ {
			if got := drawn[nodeID(n)] / draws * sum; math.Abs(got-want[n]) > 0.1 {
				t.Errorf("%s: weight %v is drawn as %.2f, want %v", name, given[n], got, want[n])
			}
		}
	}
	if r.heavy(some[:1]) != some[0] {
		t.Error("the only one is not drawn")
	}
}

// TestMeets: two relays that follow each other have addresses of one kind, as far as is
// known.
func TestMeets(t *testing.T) {
	kinds := map[string][]string{"none": nil, "four": {"20.1.0.1"}, "six": {"2a00:1::1"}, "both": {"20.1.0.1", "2a00:1::1"}, "mapped": {"::ffff:20.1.0.1"}}
	apart := map[string]bool{"four six": true, "six four": true, "mapped six": true, "six mapped": true}
	of := func(kind string) *relay {
		it := Relay{}
		for _, a := range kinds[kind] {
			it.Addrs = append(it.Addrs, netip.MustParseAddr(a))
		}
		r := newRelay(it, nil)
		return &r
	}
	for a := range kinds {
		for b := range kinds {
			if got := meets(of(a), of(b)); got == apart[a+" "+b] {
				t.Errorf("%s beside %s: %v", a, b, got)
			}
		}
	}
}

// TestGrownHasIPv4: a mailbox or pin has an IPv4 address as long as others will do, a
// third mix need not.
func TestGrownHasIPv4(t *testing.T) {
	var list []Relay
	for i := range 6 {
		list = append(list, relayAt(i, fmt.Sprintf("20.%d.0.1", i), fmt.Sprintf("2a0%d:1::1", i)))
	}
	for i := 6; i < 9; i++ {
		list = append(list, relayAt(i, fmt.Sprintf("2a0%d:1::1", i)))
	}
	r := newRoutes(RoutesConfig{}, list)
	third := 0
	for range 300 {
		_, way, err := r.Forward(nodeID(0), nodeID(1))
		if err != nil {
			t.Fatal(err)
		}
		if way[2].ID[1] >= 6 {
			third++
		}
		if way[1].ID[1] >= 6 {
			t.Fatal("a pin without IPv4")
		}
	}
	if third == 0 {
		t.Error("never third")
	}
	if got, err := r.Pick(7); err != nil || got[6][1] < 6 {
		t.Errorf("the seventh is %v: %v", got, err)
	}
}
