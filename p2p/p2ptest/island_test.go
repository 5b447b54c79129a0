package p2ptest_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"starling/p2p"
	"starling/p2p/client"
	"starling/p2p/p2ptest"
)

// TestIsland: two clients are cut off with eight of twenty relays, their guards and the mailbox among these.
// Boxes go from one to the other again as soon as both have found out: in three minutes, and the one that
// only waits begins with its next poll. Soon after the reopening all relays are used.
func TestIsland(t *testing.T) {
	if testing.Short() {
		t.Skip("half an hour, if a virtual one")
	}
	synctest.Test(t, func(t *testing.T) {
		m := p2ptest.Virtual(t, 20, wan, nil)
		defer m.Stop()
		m.Settle(20)
		p := newPost(t, m)
		defer p.stop()
		first := p.send(time.Minute)
		p2ptest.Eventually(t, "a box before", func() bool { return p.has(first) })

		people := []*p2ptest.Client{p.from, p.to}
		inside := []p2p.NodeID{p.mailbox}
		for _, c := range people {
			for _, g := range c.Status().Guards {
				inside = append(inside, g.ID)
			}
		}
		nodes := []int{p.from.Node, p.to.Node}
		count := 0
		for pass := range 2 {
			for _, r := range m.Relays {
				if in := slices.Contains(inside, r.ID()); count < 8 && (pass == 0) == in {
					nodes = append(nodes, r.Node)
					count++
				}
			}
		}
		m.Cut(nodes...)
		began := time.Now()
		during := p.send(time.Hour)
		p2ptest.Eventually(t, "a box while cut off", func() bool { return p.has(during) })
		t.Logf("boxes go on %v after the cut", time.Since(began))
		if took := time.Since(began); took > client.PollEvery*5/4+5*time.Minute {
			t.Errorf("boxes go on %v after the cut", took)
		}
		for _, c := range people { // one that was lucky, and asks for nothing more, does not know yet
			if n := c.Status().Reached; n != 0 && (n < 5 || n > 8) {
				t.Errorf("%d relays are in use, 8 are there", n)
			}
		}

		time.Sleep(20 * time.Minute)
		m.Heal()
		took := p2ptest.Eventually(t, "all relays are used", func() bool { return p.from.Status().Reached == 0 && p.to.Status().Reached == 0 })
		t.Logf("all relays are used %v after the reopening", took)
		last := p.send(time.Hour)
		p2ptest.Eventually(t, "a box after", func() bool { return p.has(last) })
	})
}
