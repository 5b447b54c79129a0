package relay_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"starling/p2p"
	"starling/p2p/admission"
	"starling/p2p/directory"
	"starling/p2p/link"
	"starling/p2p/p2ptest"
)

// TestMissed: the only examiner that a new relay knows does not reach it, because packets
// are lost for a while. The relay knocks again, and is listed when the examiner may dial its
// address once more, which is after ten minutes.
func TestMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const lost = 8 * time.Second
		var net atomic.Pointer[p2ptest.Net]
		var once sync.Once
		m := p2ptest.Virtual(t, 2, wan, func(i int, cfg *p2p.RelayConfig) {
			if i != 0 {
				return
			}
			cfg.Tap = func(s link.Seen) {
				m := net.Load()
				k, err := admission.ParseKnock(s.Data)
				if m == nil || err != nil || s.What != "in" {
					return
				}
				if d, err := directory.Parse(k.Raw); err == nil && d.ID == s.Peer {
					once.Do(func() {
						m.Block(0, 1)
						time.AfterFunc(lost, m.Unblock)
					})
				}
			}
		})
		defer m.Stop()
		net.Store(m)
		took := m.Settle(2)
		once.Do(func() { t.Error("nobody has knocked: this test shows nothing") })
		t.Logf("listed after %v", took)
		if took < lost || took > 13*time.Minute {
			t.Errorf("listed after %v", took)
		}
	})
}
