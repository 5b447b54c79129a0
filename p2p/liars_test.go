package p2p_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"starling/p2p"
	"starling/p2p/mailbox"
	"starling/p2p/p2ptest/virtual"
)

// A dropper calls stored what it drops.
type dropper struct{ *mailbox.Memory }

// Put says that the box was here already and is acknowledged: the sender is told that
// it is stored, and nobody gets it.
func (dropper) Put(context.Context, mailbox.Tag, *mailbox.Box, time.Time, bool) error {
	return mailbox.ErrAcknowledged
}

// TestLiarsAreMissing: half of the relays drop what they call stored. A client that
// watches at two of them, and at an honest one, finds out which by boxes of its own,
// and chooses none of them any more.
func TestLiarsAreMissing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := virtual.NewMeshOf(t, 8, wan, func(node int, cfg *p2p.RelayConfig) {
			if node%2 == 1 {
				cfg.Store = dropper{mailbox.NewMemory(1 << 10)}
			}
		})
		defer m.Stop()
		m.Settle(8)
		c := m.Client(nil)
		defer c.Stop()
		virtual.Eventually(t, "ready", func() bool { return c.Status().Ready })

		var lying, honest []p2p.NodeID
		for _, r := range m.Relays {
			if r.Node%2 == 1 {
				lying = append(lying, r.ID())
			} else {
				honest = append(honest, r.ID())
			}
		}
		watched := slices.Concat(lying[:2], honest[:1])
		for _, id := range watched {
			for i := range 8 { // each with trials of its own
				c.Watch(fmt.Sprint(id, i), id, []p2p.Tag{randomTag(), randomTag()})
			}
		}

		began := time.Now()
		for {
			time.Sleep(10 * time.Minute)
			missing, err := c.Missing(watched)
			if err == nil && len(missing) >= 2 {
				break
			}
			if time.Since(began) > 7*24*time.Hour {
				t.Fatalf("of %v only %v are missing after a week", watched, missing)
			}
		}
		t.Logf("found out after %v", time.Since(began).Round(time.Minute))

		missing, err := c.Missing(watched)
		if err != nil || len(missing) > 2 || !slices.Contains(missing, lying[0]) || !slices.Contains(missing, lying[1]) {
			t.Errorf("missing: %v, %v; liars: %v", missing, err, lying[:2])
		}
		for range 20 {
			ids, err := c.ChooseMailboxes(1)
			if err != nil || slices.Contains(lying[:2], ids[0]) {
				t.Errorf("chosen: %v, %v", ids, err)
			}
		}
	})
}
