package relay_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"starling/p2p"
	"starling/p2p/directory"
	"starling/p2p/link"
	"starling/p2p/p2ptest"
	"starling/p2p/virtualtime"
	"starling/p2p/wire"
)

// TestSilentStrangers: sixteen strangers, each in a network of its own, say that they are
// relays, are asked for their lists, and say nothing; and again, without end. The lists of
// relays are asked for as often as without them, and at once when one comes back.
func TestSilentStrangers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const relays, strangers = 4, 16
		var mu sync.Mutex
		asked := map[wire.NodeID][]time.Time{} // for their lists
		m := p2ptest.Virtual(t, relays, virtualtime.Links{LatencyMin: 20 * time.Millisecond, LatencyMax: 60 * time.Millisecond, BitsPerSecond: 2e7},
			func(i int, cfg *p2p.RelayConfig) {
				if i == 0 {
					cfg.Tap = func(s link.Seen) {
						if _, err := directory.ParseRequest(s.Data); err == nil && s.What == "out" {
							mu.Lock()
							defer mu.Unlock()
							asked[s.Peer] = append(asked[s.Peer], time.Now())
						}
					}
				}
			})
		defer m.Stop()
		m.Settle(relays)

		ctx, stop := context.WithCancel(t.Context())
		var work sync.WaitGroup
		defer work.Wait()
		defer stop()
		for i := range strangers {
			h, _ := stranger(t, m, 900+i)
			defer h.Close()
			work.Go(func() {
				for ctx.Err() == nil {
					s, err := h.NewStream(network.WithNoDial(ctx, "test"), m.Relays[0].ID().Peer(), wire.FrameProtocol)
					if err != nil {
						return
					}
					s.Write(wire.Hello{Role: wire.RoleRelay}.Bytes())
					select {
					case <-time.After(2 * time.Second):
					case <-ctx.Done():
					}
					s.Reset()
				}
			})
		}
		time.Sleep(time.Minute)

		honest := map[wire.NodeID]bool{}
		for _, r := range m.Relays[1:] {
			honest[r.ID()] = true
		}
		mu.Lock()
		silent := len(asked) - len(honest)
		clear(asked)
		mu.Unlock()
		if silent < strangers/2 {
			t.Fatalf("only %d strangers were asked: this test shows nothing", silent)
		}

		const minutes = 11
		time.Sleep(minutes * time.Minute)
		looks := 0
		mu.Lock()
		for id := range honest {
			looks += len(asked[id])
		}
		mu.Unlock()
		if looks < 2 { // one in six minutes and a quarter, at least
			t.Errorf("lists of relays were asked for %d times in %d minutes", looks, minutes)
		}

		back := m.Relays[3]
		back.Stop()
		time.Sleep(10 * time.Second)
		mu.Lock()
		clear(asked)
		mu.Unlock()
		back.Start()
		came := time.Now()
		p2ptest.Eventually(t, "a relay that comes back is asked for its list", func() bool {
			mu.Lock()
			defer mu.Unlock()
			return len(asked[back.ID()]) > 0
		})
		if took := time.Since(came); took > 3*time.Second {
			t.Errorf("asked after %v", took)
		}
	})
}
