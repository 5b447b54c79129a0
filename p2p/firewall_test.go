package p2p_test

import (
	"testing"
	"testing/synctest"
	"time"

	"starling/p2p"
	"starling/p2p/p2ptest"
)

// TestFirewall: a client in a network that lets it reach a third of the relays only,
// and that nobody can dial, finds guards among those, sends and gets mail at relays
// that it cannot reach itself, and keeps to two guards.
func TestFirewall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := p2ptest.Virtual(t, 9, wan, nil)
		defer m.Stop()
		m.Settle(9)

		blocked := map[p2p.NodeID]bool{}
		behind := len(m.Relays)
		for i, r := range m.Relays {
			if i%3 != 0 { // the first is whom it was told of
				m.Block(behind, r.Node)
				blocked[r.ID()] = true
			}
		}
		got := make(chan p2p.Tag, 64)
		c := m.Client(func(cfg *p2p.ClientConfig) {
			cfg.OnBox = func(_ p2p.NodeID, tag p2p.Tag, _ []byte) {
				select {
				case got <- tag:
				default: // it comes until it is acknowledged
				}
			}
		})
		defer c.Stop()
		if c.Node != behind {
			t.Fatal("another client is behind the firewall")
		}
		took := p2ptest.Eventually(t, "ready", func() bool { return c.Status().Ready })
		both := p2ptest.Eventually(t, "two guards", func() bool { return guardsUp(c.Status()) == 2 })
		t.Logf("ready after %v, two guards %v later", took, both)
		if took > time.Minute {
			t.Errorf("ready after %v", took)
		}

		var at p2p.NodeID
		for id := range blocked {
			at = id
		}
		tags := randomTags(5)
		c.Watch("mail", at, tags)
		for _, tag := range tags {
			p2ptest.Eventually(t, "put", func() bool { return c.Put(t.Context(), at, tag, randomBox()) == nil })
			select {
			case tag := <-got:
				c.Ack("mail", at, tag)
			case <-time.After(time.Minute):
				t.Fatal("mail does not come from a relay that is blocked")
			}
		}

		time.Sleep(10 * time.Minute)
		met := 0
		for _, r := range m.Relays {
			switch {
			case blocked[r.ID()] && m.Reached(behind, r.Node):
				t.Errorf("relay %d was reached", r.Node)
			case m.Reached(behind, r.Node):
				met++
			}
		}
		if s := c.Status(); guardsUp(s) != 2 || !s.Ready || met > 3 || c.Connections() != 2 {
			t.Errorf("%d guards, ready %v, %d relays met, %d connections", guardsUp(s), s.Ready, met, c.Connections())
		}
	})
}
