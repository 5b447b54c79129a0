package p2p_test

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"starling/p2p"
	"starling/p2p/outfox"
	"starling/p2p/p2ptest"
)

// TestAllMailboxesSilent: both mailboxes of somebody with one contact and nothing to say
// fall silent. Nothing else is asked that could be answered, so that the cause might be
// their own line. They find out that it is not.
func TestAllMailboxesSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const relays = 12
		var silent [relays + 1]atomic.Bool
		m := p2ptest.Virtual(t, relays, wan, func(node int, cfg *p2p.RelayConfig) {
			cfg.Meddle = func(_ p2p.NodeID, p *outfox.Packet, send func(*outfox.Packet)) {
				if !silent[node].Load() {
					send(p)
				}
			}
		})
		defer m.Stop()
		m.Settle(relays)

		c := m.Client(func(*p2p.ClientConfig) {})
		defer c.Stop()
		p2ptest.Eventually(t, "ready", func() bool { return c.Status().Ready })
		var watched []p2p.NodeID
		for _, r := range m.Relays {
			guard := slices.ContainsFunc(c.Status().Guards, func(g p2p.GuardStatus) bool { return g.ID == r.ID() })
			if !guard && len(watched) < 2 {
				watched = append(watched, r.ID())
				c.Watch(fmt.Sprint(r.Node), r.ID(), []p2p.Tag{randomTag(), randomTag()})
			}
		}
		time.Sleep(time.Hour)
		for _, r := range m.Relays {
			if slices.Contains(watched, r.ID()) {
				silent[r.Node].Store(true)
			}
		}

		began := time.Now()
		for {
			time.Sleep(time.Minute)
			missing, err := c.Missing(watched)
			if err == nil && len(missing) == 2 {
				break
			}
			if time.Since(began) > 24*time.Hour {
				t.Fatalf("of %v only %v are missing after a day", watched, missing)
			}
		}
		t.Logf("found out after %v", time.Since(began).Round(time.Minute))
	})
}
