package p2p_test

import (
	"testing"
	"testing/synctest"
	"time"

	"starling/p2p"
	"starling/p2p/clock"
	"starling/p2p/p2ptest"
)

// TestRelayWithAWrongClock: a relay with a wrong clock, be it the one that all others
// were given, learns the time from its neighbours, is listed by all and lists all.
func TestRelayWithAWrongClock(t *testing.T) {
	wrongs := []time.Duration{-year, -11 * time.Minute, -2 * time.Minute, 5 * time.Hour, year}
	if testing.Short() {
		wrongs = []time.Duration{-2 * time.Minute, year}
	}
	for _, wrong := range wrongs {
		for _, node := range []int{0, 4} {
			synctest.Test(t, func(t *testing.T) { relayWithAWrongClock(t, node, wrong) })
		}
	}
}

func relayWithAWrongClock(t *testing.T, node int, wrong time.Duration) {
	const relays = 7
	m := p2ptest.Virtual(t, relays, wan, func(n int, cfg *p2p.RelayConfig) {
		if n == node {
			cfg.Clock = func() time.Time { return time.Now().Add(wrong) }
		}
	})
	defer m.Stop()
	took := m.Settle(relays)
	known := p2ptest.Eventually(t, "the clock is known", func() bool { return m.Relays[node].Status().ClockKnown })
	s := m.Relays[node].Status()
	t.Logf("relay %d %v wrong: listed by all after %v, known %v later; it says %v", node, wrong, took, known, s.ClockAhead)
	if (s.ClockAhead-wrong).Abs() > 10*time.Second && wrong.Abs() > 2*time.Minute {
		t.Errorf("%v wrong: it says %v", wrong, s.ClockAhead)
	}

	// Of two readings that are together the middle is believed, until there is a third.
	most := 10 * time.Second
	if wrong.Abs() <= clock.Together {
		most += clock.Together / 2
	}
	for i, r := range m.Relays {
		if i == node {
			continue
		}
		if s := r.Status(); s.ClockAhead.Abs() > most {
			t.Errorf("another relay was moved by %v", s.ClockAhead)
		}
		p2ptest.Eventually(t, "another relay is right", func() bool { return r.Status().ClockAhead.Abs() <= 10*time.Second })
	}
	p2ptest.Eventually(t, "it says that it is listed", func() bool { return m.Relays[node].Status().Listed })
}
