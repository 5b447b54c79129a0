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
	"starling/p2p/p2ptest"
)

// A dropper calls boxes stored and drops them.
type dropper struct{ *mailbox.Memory }

// Put says that the box was here already and is acknowledged: the sender is told that
// it is stored, and nobody gets it.
func (dropper) Put(context.Context, mailbox.Tag, *mailbox.Box, time.Time, bool) error {
	return mailbox.ErrAcknowledged
}

// TestLiarsAreMissing: half of the relays drop stored boxes. A client that watches at
// two of them, and at an honest one, finds out which by boxes of its own, and chooses
// none of them any more, at its next start neither.
func TestLiarsAreMissing(t *testing.T) {
	if testing.Short() {
		t.Skip("days, if virtual ones")
	}
	synctest.Test(t, func(t *testing.T) {
		m := p2ptest.Virtual(t, 8, wan, func(node int, cfg *p2p.RelayConfig) {
			if node%2 == 1 {
				cfg.Store = dropper{mailbox.NewMemory(1 << 10)}
			}
		})
		defer m.Stop()
		m.Settle(8)
		var state []byte
		start := func() *p2ptest.Client {
			c := m.Client(func(cfg *p2p.ClientConfig) {
				cfg.State, cfg.SaveState = state, func(b []byte) error { state = b; return nil }
			})
			p2ptest.Eventually(t, "ready", func() bool { return c.Status().Ready })
			return c
		}
		c := start()
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

		c.Stop()
		c = start()
		defer c.Stop()
		var missing []p2p.NodeID
		p2ptest.Eventually(t, "a list", func() (ok bool) {
			var err error
			missing, err = c.Missing(watched)
			return err == nil
		})
		if len(missing) != 2 || !slices.Contains(missing, lying[0]) || !slices.Contains(missing, lying[1]) {
			t.Errorf("missing: %v; liars: %v", missing, lying[:2])
		}
		for range 20 {
			ids, err := c.ChooseMailboxes(1)
			if err != nil || slices.Contains(lying[:2], ids[0]) {
				t.Errorf("chosen: %v, %v", ids, err)
			}
		}
	})
}
