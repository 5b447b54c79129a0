package p2p_test

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"starling/p2p"
	"starling/p2p/outfox"
	"starling/p2p/p2ptest"
	"starling/p2p/wake"
)

// firstMessage puts boxes until one is stored, at the given mailboxes in turns.
func firstMessage(t *testing.T, c *p2ptest.Client, mailboxes []p2p.NodeID) time.Duration {
	t.Helper()
	began, stored := time.Now(), atomic.Bool{}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for _, m := range mailboxes {
		go func() {
			for ctx.Err() == nil && c.Put(ctx, m, randomTag(), randomBox()) != nil {
				time.Sleep(50 * time.Millisecond)
			}
			stored.Store(stored.Load() || ctx.Err() == nil)
		}()
	}
	p2ptest.Eventually(t, "a message leaves", stored.Load)
	return time.Since(began)
}

// TestWakeUps: when the system says that the network is back, or the computer was
// asleep, the first message leaves at once, over the same guards.
func TestWakeUps(t *testing.T) {
	for _, tt := range []struct {
		name string
		away time.Duration
		says wake.Event
		most time.Duration
		// times is how often it happens, each time at another moment of the attempts
		// that are under way.
		times int
	}{
		{"the line was down for two minutes", 2 * time.Minute, wake.Network, 2 * time.Second, 2},
		{"another network at once", time.Second, wake.Network, 2 * time.Second, 1},
		{"resumed after 150 s", 150 * time.Second, wake.Resumed, time.Second, 3},
		{"resumed after a night", 9 * time.Hour, wake.Resumed, time.Second, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := p2ptest.Virtual(t, 8, wan, nil)
				defer m.Stop()
				m.Settle(8)
				events := make(chan wake.Event, 1)
				c := m.Client(func(cfg *p2p.ClientConfig) { cfg.Wake = events; cfg.MeanDelay = -1 })
				defer c.Stop()
				p2ptest.Eventually(t, "ready", func() bool { return c.Status().Ready && guardsUp(c.Status()) == 2 })
				guards := guardIDs(c.Status())
				mailboxes, err := c.ChooseMailboxes(2)
				if err != nil {
					t.Fatal(err)
				}
				firstMessage(t, c, mailboxes)
				for n := range tt.times {
					m.Down(c.Node, true)
					time.Sleep(tt.away + time.Duration(n)*300*time.Millisecond)
					m.Down(c.Node, false)
					events <- tt.says
					took := firstMessage(t, c, mailboxes)
					t.Logf("the first message left after %v", took)
					if took > tt.most {
						t.Errorf("the first message left after %v, at most %v", took, tt.most)
					}
					p2ptest.Eventually(t, "both guards", func() bool { return guardsUp(c.Status()) == 2 })
					if got := guardIDs(c.Status()); strings.Join(got, " ") != strings.Join(guards, " ") {
						t.Errorf("other guards")
					}
				}
			})
		})
	}
}

// TestStopWhileAsking: a client that is stopped while it asks its guards whether they
// are there leaves nothing behind that runs: the bubble would not end.
func TestStopWhileAsking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := p2ptest.Virtual(t, 8, wan, nil)
		defer m.Stop()
		m.Settle(8)
		events := make(chan wake.Event)
		c := m.Client(func(cfg *p2p.ClientConfig) { cfg.Wake = events; cfg.MeanDelay = -1 })
		p2ptest.Eventually(t, "ready", func() bool { return c.Status().Ready && guardsUp(c.Status()) == 2 })
		m.Down(c.Node, true)
		events <- wake.Network
		synctest.Wait()
		began := time.Now()
		c.Stop()
		if took := time.Since(began); took > 100*time.Millisecond {
			t.Errorf("stopped after %v", took)
		}
	})
}

// TestSilentDrop: a guard that dies without a word is let go within 20 s when an
// answer is due over it.
func TestSilentDrop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := p2ptest.Virtual(t, 8, wan, nil)
		defer m.Stop()
		m.Settle(8)
		c := m.Client(nil)
		defer c.Stop()
		p2ptest.Eventually(t, "ready", func() bool { return c.Status().Ready && guardsUp(c.Status()) == 2 })
		for _, g := range c.Status().Guards {
			for _, r := range m.Relays {
				if r.ID() == g.ID {
					m.Down(r.Node, true)
				}
			}
		}
		time.Sleep(3 * time.Second)
		if guardsUp(c.Status()) != 2 {
			t.Fatal("this test shows nothing: somebody has said that the guards are gone")
		}
		mailboxes, err := c.ChooseMailboxes(1)
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		go c.Put(t.Context(), mailboxes[0], randomTag(), randomBox())
		p2ptest.Eventually(t, "it is noticed", func() bool { return guardsUp(c.Status()) < 2 })
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("noticed after %v", took)
		} else {
			t.Logf("noticed after %v", took)
		}
	})
}

// TestStatusTellsTheTruth: while relays drop everything a client is not ready, and
// says so; when something comes back it is.
func TestStatusTellsTheTruth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dropping atomic.Bool
		m := p2ptest.Virtual(t, 8, wan, func(_ int, cfg *p2p.RelayConfig) {
			cfg.Meddle = func(_ p2p.NodeID, p *outfox.Packet, send func(*outfox.Packet)) {
				if !dropping.Load() {
					send(p)
				}
			}
		})
		defer m.Stop()
		m.Settle(8)
		c := m.Client(nil)
		defer c.Stop()
		p2ptest.Eventually(t, "ready", func() bool { return c.Status().Ready && guardsUp(c.Status()) == 2 })
		mailboxes, err := c.ChooseMailboxes(2)
		if err != nil {
			t.Fatal(err)
		}
		dropping.Store(true)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var puts sync.WaitGroup
		for _, to := range mailboxes {
			puts.Go(func() {
				for ctx.Err() == nil {
					if c.Put(ctx, to, randomTag(), randomBox()) != nil {
						time.Sleep(time.Second) // a put that fails at once would stop the clock
					}
				}
			})
		}
		took := p2ptest.Eventually(t, "not ready", func() bool { return !c.Status().Ready })
		if s := c.Status(); s.Reason == "" || took > time.Minute {
			t.Errorf("not ready after %v: %q", took, s.Reason)
		}
		puts.Wait()
		dropping.Store(false)
		firstMessage(t, c, mailboxes)
		if s := c.Status(); !s.Ready {
			t.Errorf("not ready, though a message was stored: %q", s.Reason)
		}
	})
}
