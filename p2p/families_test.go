package p2p_test

import (
	"slices"
	"testing"
	"testing/synctest"

	"starling/p2p"
	"starling/p2p/p2ptest"
)

// TestFamilies: twelve relays of which three owners have three each, and say so when they
// start again. No client has guards, or chooses mailboxes, of one family, and its mail goes out all the
// same. One more names three others, who do not name it.
func TestFamilies(t *testing.T) {
	const relays, owners, liar = 12, 3, 11
	owner := func(n int) int { // -1 is one who has only this one
		if n < 9 {
			return n % owners
		}
		return -1
	}

	synctest.Test(t, func(t *testing.T) {
		var ids []string // once they are known
		m := p2ptest.Virtual(t, relays, wan, func(i int, cfg *p2p.RelayConfig) {
			for n, id := range ids {
				if n != i && (owner(n) >= 0 && owner(n) == owner(i) || i == liar && n < 3) {
					cfg.Family = append(cfg.Family, id)
				}
			}
		})
		defer m.Stop()
		m.Settle(relays)
		for _, r := range m.Relays {
			ids = append(ids, r.PeerID())
		}
		for _, r := range m.Relays {
			r.Stop()
			r.Start()
		}
		m.Settle(relays)

		same := func(some []p2p.NodeID) bool {
			seen := map[int]bool{}
			for _, id := range some {
				o := owner(m.Find(id).Node)
				if o >= 0 && seen[o] {
					return true
				}
				seen[o] = true
			}
			return false
		}
		for range 6 {
			c := m.Client(nil)
			p2ptest.Eventually(t, "two guards", func() bool { s := c.Status(); return s.Ready && s.Relays == relays && guardsUp(s) == 2 })
			var guards []p2p.NodeID
			for _, g := range c.Status().Guards {
				guards = append(guards, g.ID)
			}
			boxes, err := c.ChooseMailboxes(2)
			if err != nil {
				t.Fatal(err)
			}
			if same(slices.Concat(guards, boxes)) {
				t.Errorf("guards %v and mailboxes %v are of one family", guards, boxes)
			}

			tag := randomTags(1)[0]
			p2ptest.Eventually(t, "put", func() bool { return c.Put(t.Context(), boxes[0], tag, randomBox()) == nil })
			c.Stop()
		}
	})
}
