package mix

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"testing"
	"testing/cryptotest"
	"testing/synctest"
	"time"

	"starling/p2p/outfox"
	"starling/p2p/wire"
)

// relayAt returns relay number n with the given addresses.
func relayAt(n int, addrs ...string) Relay {
	r := Relay{ID: nodeID(n), Keys: anyKeys()}
	for _, a := range addrs {
		r.Addrs = append(r.Addrs, netip.MustParseAddr(a))
	}
	return r
}

// anyKeys are those of the day before, today and two days after.
func anyKeys() (keys []Key) {
	for x := range outfox.Epoch(4) {
		keys = append(keys, Key{outfox.EpochAt(time.Now()) - 1 + x, anyKey})
	}
	return keys
}

// mesh returns n relays, each in a network of its own.
func mesh(n int) (list []Relay) {
	for i := range n {
		list = append(list, relayAt(i, fmt.Sprintf("20.%d.0.1", i)))
	}
	return list
}

func newRoutes(cfg RoutesConfig, list []Relay) *Routes {
	r := NewRoutes(cfg)
	r.Update(list)
	return r
}

func ids(hops []outfox.Hop) (list []wire.NodeID) {
	for _, h := range hops {
		list = append(list, h.ID)
	}
	return list
}

func TestRoutesKeepTheRules(t *testing.T) {
	list := mesh(30)
	// Five more in the network of relay 0, one of them also in that of relay 1.
	for i := range 5 {
		list = append(list, relayAt(100+i, fmt.Sprintf("20.0.9.%d", i+1)))
	}
	list[30].Addrs = append(list[30].Addrs, netip.MustParseAddr("::ffff:20.1.7.7"))
	list = append(list, relayAt(200, "2a00:1::1"), relayAt(201, "2a00:1:ffff::1"))
	networks := make(map[wire.NodeID][]netip.Prefix)
	r := newRoutes(RoutesConfig{}, list)
	for _, it := range r.relays {
		networks[it.ID] = it.networks
	}
	pinned := make(map[wire.NodeID]bool)
	for _, p := range r.Pins() {
		pinned[p.ID] = true
	}
	guard, mailbox := nodeID(0), nodeID(1)
	thirds := make(map[wire.NodeID]bool)
	for n := range 2000 {
		var way []wire.NodeID // guard, second, third, mailbox
		if n%2 == 0 {
			_, hops, err := r.Forward(guard, mailbox)
			if err != nil {
				t.Fatal(err)
			}
			way = ids(hops[:])
			if hops[3].Delay != 0 {
				t.Fatal("the mailbox is to wait")
			}
		} else {
			_, hops, err := r.Back(mailbox, guard)
			if err != nil {
				t.Fatal(err)
			}
			way = []wire.NodeID{hops[2].ID, hops[1].ID, hops[0].ID, mailbox}
		}
		if way[0] != guard || way[3] != mailbox {
			t.Fatal("another guard or mailbox")
		}
		if !pinned[way[1]] {
			t.Fatal("the second layer is not pinned")
		}
		thirds[way[2]] = true
		seen := make(map[netip.Prefix]bool)
		for i, id := range way {
			if slices.Contains(way[:i], id) {
				t.Fatal("one relay twice")
			}
			for _, p := range networks[id] {
				if seen[p] {
					t.Fatalf("two relays in %v", p)
				}
				seen[p] = true
			}
		}
	}
	// 28 alone in a network and the two of one IPv6 network are apart from guard and
	// mailbox; only pins may be short of a second.
	if len(thirds) < 28 {
		t.Errorf("only %d relays were ever third", len(thirds))
	}
	if thirds[nodeID(100)] || thirds[nodeID(103)] {
		t.Error("a relay of the guard's network was third")
	}
}

func TestNetworkRules(t *testing.T) {
	for _, tc := range []struct {
		name  string
		a, b  Relay
		apart bool
	}{
		{"one /16", relayAt(1, "20.1.0.1"), relayAt(2, "20.1.255.1"), false},
		{"two /16", relayAt(1, "20.1.0.1"), relayAt(2, "20.2.0.1"), true},
		{"IPv4 in IPv6", relayAt(1, "20.1.0.1"), relayAt(2, "::ffff:20.1.3.4"), false},
		{"one /32", relayAt(1, "2a00:1:2::1"), relayAt(2, "2a00:1:3::1"), false},
		{"two /32", relayAt(1, "2a00:1::1"), relayAt(2, "2a00:2::1"), true},
		{"second address", relayAt(1, "20.1.0.1", "20.9.0.1"), relayAt(2, "20.2.0.1", "20.9.1.1"), false},
		{"private addresses do not count", relayAt(1, "20.1.0.1", "10.0.0.1"), relayAt(2, "20.2.0.1", "10.0.0.2"), true},
		{"itself", relayAt(1, "20.1.0.1"), relayAt(1, "20.2.0.1"), false},
	} {
		r := NewRoutes(RoutesConfig{})
		na, okA := r.networks(tc.a.Addrs)
		nb, okB := r.networks(tc.b.Addrs)
		if !okA || !okB {
			t.Errorf("%s: not fit", tc.name)
		}
		a, b := &relay{Relay: tc.a, networks: na}, &relay{Relay: tc.b, networks: nb}
		if apart(a, b) != tc.apart || apart(b, a) != tc.apart {
			t.Errorf("%s: apart %v", tc.name, !tc.apart)
		}
	}
}

func TestUnfitRelays(t *testing.T) {
	noKey := relayAt(1, "20.1.0.1")
	noKey.Keys = nil
	for _, tc := range []struct {
		name    string
		relay   Relay
		fit     bool
		private bool // fit with AllowPrivate
	}{
		{"public", relayAt(1, "20.1.0.1"), true, true},
		{"no key", noKey, false, false},
		{"no address", relayAt(1), false, true},
		{"loopback", relayAt(1, "127.0.0.1", "::1"), false, true},
		{"LAN", relayAt(1, "192.168.1.1", "10.1.1.1", "172.16.0.1", "fd00::1", "fe80::1%eth0"), false, true},
		{"carrier NAT", relayAt(1, "100.64.3.4"), false, true},
		{"documentation", relayAt(1, "203.0.113.9", "2001:db8::9"), false, true},
		{"nowhere", relayAt(1, "0.0.0.0", "255.255.255.255", "224.0.0.1", "::"), false, true},
		{"four networks", relayAt(1, "20.1.0.1", "20.2.0.1", "20.3.0.1", "2a00:1::1", "20.1.0.2"), true, true},
		{"everywhere", relayAt(1, "20.1.0.1", "20.2.0.1", "20.3.0.1", "2a00:1::1", "20.4.0.1"), false, true},
	} {
		if n := newRoutes(RoutesConfig{}, []Relay{tc.relay}).Len(); (n == 1) != tc.fit {
			t.Errorf("%s: %d fit", tc.name, n)
		}
		if n := newRoutes(RoutesConfig{AllowPrivate: true}, []Relay{tc.relay}).Len(); (n == 1) != tc.private {
			t.Errorf("%s, private allowed: %d fit", tc.name, n)
		}
	}
	if n := newRoutes(RoutesConfig{}, []Relay{relayAt(1, "20.1.0.1"), relayAt(1, "20.2.0.1")}).Len(); n != 1 {
		t.Errorf("one relay twice in the list counts %d times", n)
	}
}

func TestFewRelays(t *testing.T) {
	guard, mailbox := nodeID(0), nodeID(1)
	both := func(r *Routes, g, m wire.NodeID) error {
		_, _, err := r.Forward(g, m)
		_, _, back := r.Back(m, g)
		if err != back {
			t.Errorf("forward %v, back %v", err, back)
		}
		return err
	}
	for n, want := range []error{ErrUnknownRelay, ErrUnknownRelay, ErrFewRelays, ErrFewRelays, nil, nil} {
		if err := both(newRoutes(RoutesConfig{}, mesh(n)), guard, mailbox); !errors.Is(err, want) {
			t.Errorf("%d relays: %v, want %v", n, err, want)
		}
	}
	r := newRoutes(RoutesConfig{}, mesh(10))
	if err := both(r, guard, guard); !errors.Is(err, ErrFewRelays) {
		t.Errorf("guard and mailbox are one: %v", err)
	}
	if err := both(r, guard, nodeID(99)); !errors.Is(err, ErrUnknownRelay) {
		t.Errorf("unknown mailbox: %v", err)
	}
	if err := both(r, nodeID(99), mailbox); !errors.Is(err, ErrUnknownRelay) {
		t.Errorf("unknown guard: %v", err)
	}
	// Ten relays in one network are one relay.
	var list []Relay
	for i := range 10 {
		list = append(list, relayAt(i, fmt.Sprintf("20.1.0.%d", i+1)))
	}
	if err := both(newRoutes(RoutesConfig{}, list), guard, mailbox); !errors.Is(err, ErrFewRelays) {
		t.Errorf("all in one network: %v", err)
	}
	if err := both(newRoutes(RoutesConfig{AllowPrivate: true}, list), guard, mailbox); err != nil {
		t.Errorf("all in one network, private allowed: %v", err)
	}
	// A mailbox that is in others' networks cannot force the choice.
	list = mesh(6)
	for i := 2; i < 6; i++ {
		list[1].Addrs = append(list[1].Addrs, netip.MustParseAddr(fmt.Sprintf("20.%d.0.99", i)))
	}
	list = append(list, relayAt(50, "21.1.0.1"), relayAt(51, "21.2.0.1"))
	if err := both(newRoutes(RoutesConfig{}, list), guard, mailbox); !errors.Is(err, ErrUnknownRelay) {
		t.Errorf("mailbox that is everywhere: %v", err)
	}
}

// TestDoubtful: doubtful relays are mixes only when no other keeps the rules, and
// still guard and mailbox where they are asked for.
func TestDoubtful(t *testing.T) {
	list := mesh(8)
	for i := range 4 {
		list[i].Doubtful = true
	}
	r := newRoutes(RoutesConfig{}, list)
	doubtful := func(id wire.NodeID) bool {
		return slices.ContainsFunc(list, func(it Relay) bool { return it.ID == id && it.Doubtful })
	}
	if slices.ContainsFunc(r.Pins(), func(p Pin) bool { return doubtful(p.ID) }) {
		t.Error("a doubtful relay is pinned")
	}
	for range 100 {
		_, way, err := r.Forward(nodeID(0), nodeID(1))
		if err != nil || doubtful(way[1].ID) || doubtful(way[2].ID) {
			t.Fatalf("%v, %v", ids(way[:]), err)
		}
		if got, err := r.Pick(4); err != nil || slices.ContainsFunc(got, doubtful) {
			t.Fatalf("picked %v, %v", got, err)
		}
	}
	if _, err := r.Pick(5); err != nil {
		t.Error("a doubtful relay is not better than none")
	}
	// Pins that became doubtful keep their places; others are used beside them.
	before := r.Pins()
	for i := range list {
		list[i].Doubtful = i >= 4
	}
	r.Update(list)
	if after := r.Pins(); len(after) != maxPins || !slices.Equal(after[:len(before)], before) {
		t.Errorf("pins: %v, then %v", before, after)
	}
	for range 100 {
		if _, way, err := r.Forward(nodeID(0), nodeID(1)); err != nil || doubtful(way[1].ID) {
			t.Fatalf("%v, %v", ids(way[:]), err)
		}
	}
	// When all are, there is a route all the same.
	for i := range list {
		list[i].Doubtful = true
	}
	r.Update(list)
	if _, _, err := r.Back(nodeID(1), nodeID(0)); err != nil {
		t.Error(err)
	}
	if r = newRoutes(RoutesConfig{}, list); len(r.Pins()) != 1 {
		t.Errorf("%d pins, want one to begin with", len(r.Pins()))
	}
}

func TestStaleDirectory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoutes(RoutesConfig{}, mesh(10))
		for range 2 { // days that the relays have told their keys of
			time.Sleep(outfox.EpochLength)
			if _, _, err := r.Forward(nodeID(0), nodeID(1)); err != nil {
				t.Errorf("a day later: %v", err)
			}
		}
		time.Sleep(outfox.EpochLength)
		if _, _, err := r.Forward(nodeID(0), nodeID(1)); !errors.Is(err, ErrFewRelays) {
			t.Errorf("without a key of the day: %v", err)
		}
		if _, _, err := r.Back(nodeID(1), nodeID(0)); !errors.Is(err, ErrFewRelays) {
			t.Errorf("without a key of the day, back: %v", err)
		}
		if r.Update(mesh(10)); r.Len() != 10 {
			t.Errorf("%d relays with new keys", r.Len())
		}
	})
}

// TestSlots: requests expire one to four slots ahead, each as often, and blocks
// after four, at any time of the day and with the keys that the slot says. With the key
// of the day before missing, a request that would need it takes four.
func TestSlots(t *testing.T) {
	day := outfox.EpochAt(time.Now())
	keyOf := map[outfox.Epoch]outfox.PublicKey{}
	for x := day - 1; x <= day+1; x++ {
		k, err := outfox.NewPrivateKey()
		if err != nil {
			t.Fatal(err)
		}
		keyOf[x] = k.Public()
	}
	for _, old := range []bool{true, false} {
		list := mesh(6)
		for i := range list {
			list[i].Keys = []Key{{day, keyOf[day]}, {day + 1, keyOf[day+1]}}
			if old || i > 0 { // the guard has restarted
				list[i].Keys = append(list[i].Keys, Key{day - 1, keyOf[day-1]})
			}
		}
		for hour := range 24 {
			now := day.Start().Add(time.Duration(hour) * time.Hour)
			r := newRoutes(RoutesConfig{Now: func() time.Time { return now }}, list)
			drawn := map[int]int{}
			const draws = 400
			for range draws {
				slot, way, err := r.Forward(nodeID(0), nodeID(1))
				if err != nil {
					t.Fatal(err)
				}
				for _, h := range way {
					if !h.Key.Equal(keyOf[slot.Epoch()]) {
						t.Fatalf("at %d:00 another key than the slot says", hour)
					}
				}
				drawn[int(slot-outfox.SlotAt(now))]++

				slot, back, err := r.Back(nodeID(1), nodeID(0))
				if err != nil || slot != outfox.SlotAt(now)+outfox.MaxAhead || !back[2].Key.Equal(keyOf[day]) {
					t.Fatalf("at %d:00 a block of slot %+d: %v", hour, slot-outfox.SlotAt(now), err)
				}
			}
			for ahead := 1; ahead <= outfox.MaxAhead; ahead++ {
				want := draws / outfox.MaxAhead
				if before := hour/2+ahead < outfox.MaxAhead; before && !old {
					want = 0
				} else if ahead == outfox.MaxAhead && !old {
					want = draws / outfox.MaxAhead * max(1, outfox.MaxAhead-hour/2)
				}
				if n := drawn[ahead]; n < want-60 || n > want+60 || want == 0 && n > 0 {
					t.Errorf("at %d:00, old keys %v: %d of %d draws are %d ahead, want about %d", hour, old, n, draws, ahead, want)
				}
			}
			if len(drawn) > outfox.MaxAhead {
				t.Errorf("draws: %v", drawn)
			}
		}
	}
}

// TestPinsOutliveAWrongClock: while the clock is not to be believed no pin ends by
// it.
func TestPinsOutliveAWrongClock(t *testing.T) {
	now, settled := time.Now(), true
	r := newRoutes(RoutesConfig{Now: func() time.Time { return now }, Settled: func() bool { return settled }}, mesh(40))
	pins := r.Pins()
	settled = false
	for _, wrong := range []time.Duration{-365 * 24 * time.Hour, 365 * 24 * time.Hour} {
		right := now
		now = now.Add(wrong)
		if r.Update(nil) || !slices.Equal(r.Pins(), pins) {
			t.Errorf("clock wrong by %v: pins changed", wrong)
		}
		now = right
	}
	settled = true
	if now = now.Add(365 * 24 * time.Hour); !r.Update(nil) || len(r.Pins()) != 0 {
		t.Error("pins do not end")
	}
}

// TestGuardAndMailboxInOneNetwork: neither guard nor mailbox are on the way of the
// other's network, whichever is asked.
func TestGuardAndMailboxInOneNetwork(t *testing.T) {
	list := append(mesh(10), relayAt(100, "20.0.9.1"))
	r := newRoutes(RoutesConfig{}, list)
	for _, ends := range [][2]wire.NodeID{{nodeID(0), nodeID(100)}, {nodeID(100), nodeID(0)}} {
		if _, _, err := r.Forward(ends[0], ends[1]); !errors.Is(err, ErrFewRelays) {
			t.Errorf("there: %v", err)
		}
		if _, _, err := r.Back(ends[1], ends[0]); !errors.Is(err, ErrFewRelays) {
			t.Errorf("back: %v", err)
		}
	}
}

func TestPins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cryptotest.SetGlobalRandom(t, 1)
		list := mesh(40)
		r := newRoutes(RoutesConfig{}, list)
		pins := r.Pins()
		if len(pins) != pinCount {
			t.Fatalf("%d pins, want %d", len(pins), pinCount)
		}
		for _, p := range pins {
			if life := time.Until(p.Until); life < pinMinLife || life > pinMaxLife {
				t.Errorf("pinned for %v", life)
			}
		}
		if r.Update(list) || !slices.Equal(r.Pins(), pins) {
			t.Error("the same directory changes the pins")
		}
		// They survive a restart, and a directory read by halves.
		again := NewRoutes(RoutesConfig{Pins: pins})
		if !slices.Equal(again.Pins(), pins) || again.Update(list) || !slices.Equal(again.Pins(), pins) {
			t.Error("pins are lost at a restart")
		}
		half := slices.DeleteFunc(slices.Clone(list), func(r Relay) bool { return r.ID == pins[0].ID })
		if !again.Update(half) || len(again.Pins()) != pinCount+1 || again.Pins()[0] != pins[0] {
			t.Errorf("with one pin gone: %d pins", len(again.Pins()))
		}
		if again.Update(list) {
			t.Error("with the pin back, pins change")
		}
		for range 200 {
			_, hops, err := again.Forward(nodeID(0), nodeID(1))
			if err != nil {
				t.Fatal(err)
			}
			if !slices.ContainsFunc(again.Pins(), func(p Pin) bool { return p.ID == hops[1].ID }) {
				t.Fatal("second layer not pinned")
			}
		}
		// However many vanish, there are at most eight.
		for n := range 10 {
			gone := slices.DeleteFunc(slices.Clone(list), func(r Relay) bool {
				return slices.ContainsFunc(again.Pins(), func(p Pin) bool { return p.ID == r.ID })
			})
			again.Update(gone)
			if got := len(again.Pins()); got > maxPins {
				t.Fatalf("round %d: %d pins", n, got)
			}
		}
		// And each ends.
		time.Sleep(pinMaxLife)
		if !r.Update(list) {
			t.Fatal("pins do not end")
		}
		for _, p := range r.Pins() {
			if slices.Contains(pins, p) {
				t.Error("a pin outlived its time")
			}
		}
		// More than there can be are not taken over.
		if n := len(NewRoutes(RoutesConfig{Pins: make([]Pin, 100)}).Pins()); n != maxPins {
			t.Errorf("%d of 100 pins are taken over", n)
		}
		// Pins that would live for ever are not believed.
		r = newRoutes(RoutesConfig{Pins: []Pin{{nodeID(3), time.Now().Add(1000 * time.Hour)}}}, list)
		for _, p := range r.Pins() {
			if time.Until(p.Until) > pinMaxLife {
				t.Errorf("pinned until %v", p.Until)
			}
		}
	})
}

// TestPinsAreUsedAlike: each pin is second as often as another, and one that is not in
// the directory never.
func TestPinsAreUsedAlike(t *testing.T) {
	list := mesh(40)
	r := newRoutes(RoutesConfig{}, list)
	missing := r.Pins()[0].ID
	r.Update(slices.DeleteFunc(list, func(it Relay) bool { return it.ID == missing }))
	pins := r.Pins()
	var ends []wire.NodeID
	for n := 0; len(ends) < 2; n++ {
		if !slices.ContainsFunc(pins, func(p Pin) bool { return p.ID == nodeID(n) }) {
			ends = append(ends, nodeID(n))
		}
	}
	used := map[wire.NodeID]int{}
	const draws = 400
	for range draws {
		_, way, err := r.Forward(ends[0], ends[1])
		if err != nil {
			t.Fatal(err)
		}
		used[way[1].ID]++
	}
	for _, p := range pins[1:] {
		if n := used[p.ID]; n < draws/8 || n > draws*3/8 {
			t.Errorf("a pin is second %d of %d times", n, draws)
		}
	}
	if used[missing] != 0 || len(used) != pinCount {
		t.Errorf("%d relays are second", len(used))
	}
	if n := r.Len(); n != 39 || n != r.Len() {
		t.Errorf("%d relays", r.Len())
	}
}

// TestPinsAreLongLived: a pin lives for the longer of two draws, two thirds of the span
// in the mean.
func TestPinsAreLongLived(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cryptotest.SetGlobalRandom(t, 4)
		list, n, sum := mesh(8), 0, 0.0
		for range 250 {
			for _, p := range newRoutes(RoutesConfig{}, list).Pins() {
				n++
				sum += float64(time.Until(p.Until)-pinMinLife) / float64(pinMaxLife-pinMinLife)
			}
		}
		if mean := sum / float64(n); mean < 0.63 || mean > 0.70 {
			t.Errorf("the mean life of %d pins is %.3f of the span, want two thirds", n, mean)
		}
	})
}

// TestDoubtfulIsNoSecondPin: beside a pin that is not doubtful, no doubtful relay is
// pinned.
func TestDoubtfulIsNoSecondPin(t *testing.T) {
	list := mesh(10)
	for i := 2; i < len(list); i++ {
		list[i].Doubtful = true
	}
	if pins := newRoutes(RoutesConfig{}, list).Pins(); len(pins) != 2 {
		t.Errorf("%d pins of two relays that are not doubtful", len(pins))
	}
}

func TestPick(t *testing.T) {
	list := append(mesh(6), relayAt(50, "20.0.0.50"), relayAt(51, "20.0.0.51"))
	r := newRoutes(RoutesConfig{}, list)
	for range 200 {
		got, err := r.Pick(3, nodeID(1), nodeID(50), nodeID(999))
		if err != nil || len(got) != 3 {
			t.Fatalf("picked %d: %v", len(got), err)
		}
		for i, id := range got {
			if id == nodeID(0) || id == nodeID(1) || id == nodeID(50) || id == nodeID(51) || slices.Contains(got[:i], id) {
				t.Fatalf("picked %v", id)
			}
		}
	}
	if _, err := r.Pick(7); !errors.Is(err, ErrFewRelays) {
		t.Errorf("seven of six networks: %v", err)
	}
	if got, err := r.Pick(0); err != nil || len(got) != 0 {
		t.Errorf("none: %v, %v", got, err)
	}
}

// TestChoiceIsUniform: every relay is as likely as any other.
func TestChoiceIsUniform(t *testing.T) {
	cryptotest.SetGlobalRandom(t, 2)
	r := newRoutes(RoutesConfig{}, mesh(12))
	const draws = 12_000
	count := make(map[wire.NodeID]int)
	for range draws {
		got, err := r.Pick(1, nodeID(0), nodeID(1))
		if err != nil {
			t.Fatal(err)
		}
		count[got[0]]++
	}
	// Ten bins of 1,200: chi squared with 9 degrees of freedom is below 27.9 in 999
	// of 1,000 cases.
	chi := 0.0
	for n := 2; n < 12; n++ {
		d := float64(count[nodeID(n)]) - draws/10
		chi += d * d / (draws / 10)
	}
	if chi > 27.9 {
		t.Errorf("chi squared %.1f over %v", chi, count)
	}
}

func TestDelayIsExponential(t *testing.T) {
	cryptotest.SetGlobalRandom(t, 3)
	const mean, draws = 100 * time.Millisecond, 20_000
	r := NewRoutes(RoutesConfig{MeanDelay: mean})
	var sample []float64
	for range draws {
		d := r.delay()
		if d < 0 || d > delayCap*mean || d%time.Millisecond != 0 {
			t.Fatalf("delay %v", d)
		}
		sample = append(sample, d.Seconds()/mean.Seconds())
	}
	slices.Sort(sample)
	// Kolmogorov-Smirnov against 1 - e^-x: 1.95/√n in 999 of 1,000 cases.
	worst := 0.0
	for i, x := range sample {
		f := 1 - math.Exp(-x)
		worst = max(worst, math.Abs(f-float64(i)/draws), math.Abs(f-float64(i+1)/draws))
	}
	if limit := 1.95 / math.Sqrt(draws); worst > limit {
		t.Errorf("distance %.4f from the exponential distribution, limit %.4f", worst, limit)
	}
	if d := NewRoutes(RoutesConfig{MeanDelay: -time.Second}).delay(); d != 0 {
		t.Errorf("no delay wanted, got %v", d)
	}
	if NewRoutes(RoutesConfig{}).cfg.MeanDelay != DefaultMeanDelay {
		t.Error("no default")
	}
	if d := NewRoutes(RoutesConfig{MeanDelay: time.Hour}).delay(); d > outfox.MaxDelay {
		t.Errorf("delay %v is above the cap", d)
	}
	r = NewRoutes(RoutesConfig{MeanDelay: time.Millisecond})
	for range 300_000 { // one in 22,000 would be longer
		if d := r.delay(); d > delayCap*time.Millisecond {
			t.Fatalf("delay %v is above ten means", d)
		}
	}
}

func BenchmarkForward10000(b *testing.B) {
	var list []Relay
	for i := range 10_000 {
		list = append(list, relayAt(i, fmt.Sprintf("%d.%d.%d.1", 20+i%100, i/100%250, i%250)))
	}
	r := newRoutes(RoutesConfig{}, list)
	for b.Loop() {
		if _, _, err := r.Forward(nodeID(0), nodeID(1)); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkUpdate10000 is the cost of a change in a directory of 10,000 relays to the
// first route after it.
func BenchmarkUpdate10000(b *testing.B) {
	var list []Relay
	for i := range 10_000 {
		list = append(list, relayAt(i, fmt.Sprintf("%d.%d.%d.1", 20+i%100, i/100%250, i%250)))
	}
	r := newRoutes(RoutesConfig{}, list)
	for b.Loop() {
		r.Update(list)
	}
}
