package relay_test

import (
	"testing"
	"testing/synctest"
	"time"

	"starling/p2p/p2ptest"
	"starling/p2p/virtualtime"
)

// TestRestartInAMesh: a relay that restarts is in nobody's eyes a new one, nor are the
// others in its.
func TestRestartInAMesh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := p2ptest.Virtual(t, 6, virtualtime.Links{LatencyMin: 20 * time.Millisecond, LatencyMax: 60 * time.Millisecond, BitsPerSecond: 2e7}, nil)
		defer m.Stop()
		m.Settle(6)
		const up = 2 * time.Hour
		time.Sleep(up)
		back := m.Relays[3]
		back.Stop()
		time.Sleep(10 * time.Minute)
		back.Start()
		m.Settle(6)
		time.Sleep(2 * time.Minute)

		for _, r := range m.Relays {
			if r == back {
				continue
			}
			if since := back.Since(r.ID()); since.IsZero() || time.Since(since) < up {
				t.Errorf("relay %d counts as reached since %v", r.Node, time.Since(since))
			}
			if since := r.Since(back.ID()); since.IsZero() || time.Since(since) < up {
				t.Errorf("to relay %d it counts as reached since %v", r.Node, time.Since(since))
			}
		}
	})
}
