package p2p_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"starling/p2p"
	"starling/p2p/directory"
	"starling/p2p/link"
	"starling/p2p/p2ptest"
	"starling/p2p/wire"
)

// TestIdleListIsRenewals: what an idle client hears of relays that go on as they are is
// renewals, two of each: both guards tell their own list. Descriptors of a mesh so small
// live too short to be named by one of them.
func TestIdleListIsRenewals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const relays, hours = 6, 6
		m := p2ptest.Virtual(t, relays, wan, nil)
		defer m.Stop()
		m.Settle(relays)
		var frames, renewals, wholes, bytes atomic.Int64
		c := m.Client(func(cfg *p2p.ClientConfig) {
			cfg.Tap = func(s link.Seen) {
				if s.What == "out" && isRequest(s.Data) {
					frames.Add(1)
				}
				if s.What != "in" {
					return
				}
				p, err := directory.ParsePage(s.Data)
				if err != nil {
					return
				}
				frames.Add(1)
				for _, e := range p.Entries {
					if bytes.Add(int64(len(e.Raw))); e.Renews() {
						renewals.Add(1)
					} else {
						wholes.Add(1)
					}
				}
			}
		})
		defer c.Stop()
		p2ptest.Eventually(t, "client ready", func() bool { return c.Status().Ready && c.Status().Relays == relays })
		time.Sleep(2 * time.Hour)
		frames.Store(0)
		renewals.Store(0)
		wholes.Store(0)
		bytes.Store(0)
		time.Sleep(hours * time.Hour)

		n, whole := renewals.Load(), wholes.Load()
		said := float64(relays*hours) / 1.5 // half of a life of 3 h
		t.Logf("in %d hours: %d frames of %d bytes; %d renewals and %d whole descriptors, %.0f bytes each, %.2f for each that was signed",
			hours, frames.Load(), wire.FrameSize, n, whole, float64(bytes.Load())/float64(n+whole), float64(n+whole)/said)
		if whole > n/4 {
			t.Errorf("%d whole descriptors beside %d renewals", whole, n)
		}
		if c.Status().Relays != relays {
			t.Errorf("%d relays", c.Status().Relays)
		}
	})
}
