package client

import (
	"math"
	"net/netip"
	"testing"
	"time"

	"starling/p2p/guard"
	"starling/p2p/mix"
)

// TestSybilShare: an operator with many relays in one /24 or /16 is guard, second,
// third and mailbox as often as its network weighs, not as often as it has relays.
func TestSybilShare(t *testing.T) {
	const honest, draws = 40, 3000
	for name, tt := range map[string]struct {
		relays int
		weight float64
		at     func(n int) netip.Addr
	}{
		"one /24": {32, 2, func(n int) netip.Addr { return netip.AddrFrom4([4]byte{90, 1, 1, byte(n)}) }},
		"one /16": {100, 4, func(n int) netip.Addr { return netip.AddrFrom4([4]byte{90, 1, byte(n), 1}) }},
	} {
		c, ids := knowingAt(t, honest+tt.relays, func(n int) netip.Addr {
			if n < honest {
				return netip.AddrFrom4([4]byte{20, byte(n), 0, 1})
			}
			return tt.at(n - honest)
		})
		bad := map[NodeID]bool{}
		for _, id := range ids {
			c.dir.Reached(id, time.Now().Add(-30*24*time.Hour))
			d, _ := c.dir.Find(id)
			bad[id] = d.Addresses[0].Addr().As4()[0] == 90
		}
		snap := c.routes.now()
		guards := guardsAmong(snap, c.cfg.Families(), false)
		list := relayList(snap, nil)

		took := map[string]int{}
		note := func(what string, id NodeID) {
			if bad[id] {
				took[what]++
			}
		}
		for range draws {
			box, err := c.ChooseMailboxes(1)
			if err != nil {
				t.Fatal(err)
			}
			note("mailbox", box[0])
		}
		for range draws / 20 {
			g := guard.New(guard.Config{})
			g.Relays(guards, true)
			g.Plan(time.Now(), time.Now())
			for _, id := range g.Known()[:guard.Use] {
				note("guard", id)
			}
			r := mix.NewRoutes(mix.RoutesConfig{})
			r.Update(list)
			for _, p := range r.Pins() {
				note("second", p.ID)
			}
		}
		first, last := hopOf(ids, bad, 0), hopOf(ids, bad, 1)
		for range draws {
			_, way, err := c.routes.Forward(first, last)
			if err != nil {
				t.Fatal(err)
			}
			note("third", way[2].ID)
		}

		// Of a route and of the guards at most one is in a network, so the others have a
		// few less to be drawn from.
		share := tt.weight / (honest - 4 + tt.weight)
		for what, n := range map[string]int{"mailbox": draws, "third": draws, "guard": draws / 20 * guard.Use, "second": draws / 20 * 4} {
			// Five deviations: by chance in one run of a million.
			got, most := float64(took[what])/float64(n), share+5*math.Sqrt(share*(1-share)/float64(n))
			t.Logf("%s: %s in %.1f %% of %d draws; %d of %d relays are its", name, what, 100*got, n, tt.relays, honest+tt.relays)
			if got > most {
				t.Errorf("%s: %s in %.1f %% of draws, want at most %.1f %%", name, what, 100*got, 100*most)
			}
		}
	}
}

// hopOf returns the n-th relay that is not bad.
func hopOf(ids []NodeID, bad map[NodeID]bool, n int) NodeID {
	for _, id := range ids {
		if !bad[id] {
			if n == 0 {
				return id
			}
			n--
		}
	}
	panic("too few")
}
