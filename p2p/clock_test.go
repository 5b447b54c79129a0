package p2p_test

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"starling/p2p"
	"starling/p2p/p2ptest"
)

const year = 365 * 24 * time.Hour

func guardIDs(s p2p.Status) (ids []string) {
	for _, g := range s.Guards {
		ids = append(ids, g.ID.String())
	}
	slices.Sort(ids)
	return ids
}

// exchange puts a box with one client and lets another fetch it.
func exchange(t *testing.T, from, to *p2ptest.Client) {
	t.Helper()
	tag, box := randomTag(), randomBox()
	ids, err := to.ChooseMailboxes(1)
	if err != nil {
		t.Fatal(err)
	}
	p2ptest.Eventually(t, "put", func() bool { return from.Put(t.Context(), ids[0], tag, box) == nil })
	p2ptest.Eventually(t, "fetched", func() bool {
		got, err := to.Fetch(t.Context(), ids[0], []p2p.Tag{tag})
		return err == nil && len(got[tag]) == len(box)
	})
}

// TestWrongClock: a newcomer with a clock that is wrong by up to a year, either way, is
// served as any other and told so. With the guards of a start with the right clock it
// starts again, with the same.
func TestWrongClock(t *testing.T) {
	wrongs := []time.Duration{-year, -36 * time.Hour, -11 * time.Minute, 3 * time.Hour, 60 * time.Hour, year}
	if testing.Short() {
		wrongs = []time.Duration{-year, year}
	}
	synctest.Test(t, func(t *testing.T) {
		m := p2ptest.Virtual(t, 8, wan, nil)
		defer m.Stop()
		m.Settle(8)
		right := m.Client(nil)
		defer right.Stop()
		p2ptest.Eventually(t, "ready", func() bool { return right.Status().Ready })
		for _, wrong := range wrongs {
			var mu sync.Mutex
			var state []byte
			start := func(wrong time.Duration) *p2ptest.Client {
				mu.Lock()
				defer mu.Unlock()
				return m.Client(func(cfg *p2p.ClientConfig) {
					cfg.State = state
					cfg.SaveState = func(b []byte) error { mu.Lock(); defer mu.Unlock(); state = b; return nil }
					cfg.Clock = func() time.Time { return time.Now().Add(wrong) }
				})
			}
			served := func(c *p2ptest.Client, wrong time.Duration) {
				t.Helper()
				took := p2ptest.Eventually(t, "ready", func() bool { s := c.Status(); return s.Ready && guardsUp(s) == 2 && s.ClockKnown })
				if took > 10*time.Second {
					t.Errorf("%v wrong: ready after %v", wrong, took)
				}
				s := c.Status()
				if (s.ClockAhead - wrong).Abs() > 10*time.Second {
					t.Errorf("%v wrong: status says %v", wrong, s.ClockAhead)
				}
				if s.Relays != len(m.Relays) {
					t.Errorf("%v wrong: lists %d relays", wrong, s.Relays)
				}
				exchange(t, c, right)
				exchange(t, right, c)
			}
			newcomer := start(wrong)
			served(newcomer, wrong)
			newcomer.Stop()

			state = nil
			first := start(0)
			served(first, 0)
			guards := guardIDs(first.Status())
			first.Stop()
			again := start(wrong)
			served(again, wrong)
			if got := guardIDs(again.Status()); !slices.Equal(got, guards) {
				t.Errorf("%v wrong: other guards", wrong)
			}
			again.Stop()
			last := start(0)
			served(last, 0)
			if got := guardIDs(last.Status()); !slices.Equal(got, guards) {
				t.Errorf("after a start %v wrong: other guards", wrong)
			}
			last.Stop()
		}
	})
}

// TestClockPutRight: the clock of a client that runs is set, to the right time and
// to a wrong one, and messages go on.
func TestClockPutRight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := p2ptest.Virtual(t, 8, wan, nil)
		defer m.Stop()
		m.Settle(8)
		right := m.Client(nil)
		defer right.Stop()
		var wrong atomic.Int64
		wrong.Store(int64(-year))
		c := m.Client(func(cfg *p2p.ClientConfig) {
			cfg.Clock = func() time.Time { return time.Now().Add(time.Duration(wrong.Load())) }
		})
		defer c.Stop()
		known := func() bool { s := c.Status(); return s.Ready && s.ClockKnown }
		p2ptest.Eventually(t, "ready", known)
		p2ptest.Eventually(t, "ready", func() bool { return right.Status().Ready })
		guards := guardIDs(c.Status())
		for _, now := range []time.Duration{0, -5 * time.Hour, 3 * time.Minute, year, -year, 0} {
			wrong.Store(int64(now))
			time.Sleep(time.Minute)
			exchange(t, c, right)
			exchange(t, right, c)
			if s := c.Status(); (s.ClockAhead - now).Abs() > 10*time.Second {
				t.Errorf("set to %v ahead, status says %v", now, s.ClockAhead)
			}
			if got := guardIDs(c.Status()); !slices.Equal(got, guards) {
				t.Errorf("other guards after the clock was set")
			}
		}
	})
}
