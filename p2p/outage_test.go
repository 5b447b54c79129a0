package p2p_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"starling/p2p"
	"starling/p2p/p2ptest"
	"starling/p2p/wake"
)

// A traveller is a client with a network that comes and goes.
type traveller struct {
	*p2ptest.Client
	t      *testing.T
	m      *p2ptest.Net
	events chan wake.Event
	first  []p2p.NodeID // its guards
	seen   []int        // relays that a packet of it has come to
}

func newTraveller(t *testing.T, m *p2ptest.Net) *traveller {
	v := &traveller{t: t, m: m, events: make(chan wake.Event, 1)}
	v.Client = m.Client(func(cfg *p2p.ClientConfig) { cfg.Wake, cfg.MeanDelay = v.events, -1 })
	p2ptest.Eventually(t, "two guards", func() bool { v.first = v.up(); return v.Status().Ready && len(v.first) == 2 })
	time.Sleep(time.Minute)
	if v.first = v.up(); len(v.first) != 2 {
		t.Fatalf("guards: %v", v.first)
	}
	v.seen = v.witnesses()
	return v
}

// up are the guards that are connected.
func (v *traveller) up() (ids []p2p.NodeID) {
	for _, g := range v.Status().Guards {
		if g.Connected {
			ids = append(ids, g.ID)
		}
	}
	return ids
}

func (v *traveller) witnesses() (relays []int) {
	for i, r := range v.m.Relays {
		if v.m.Reached(v.Node, r.Node) {
			relays = append(relays, i)
		}
	}
	return relays
}

// back waits for both guards, no others, and returns how long that took.
func (v *traveller) back(what string) time.Duration {
	v.t.Helper()
	began := time.Now()
	for !slices.Equal(v.up(), v.first) {
		if time.Sleep(100 * time.Millisecond); time.Since(began) > time.Minute {
			v.t.Fatalf("%s: of %v only %v are back after a minute", what, v.first, v.up())
		}
	}
	took := time.Since(began)
	if took > 15*time.Second {
		v.t.Errorf("%s: both guards are back after %v", what, took)
	}
	if now := v.witnesses(); !slices.Equal(now, v.seen) {
		v.t.Errorf("%s: the address came to relays %v, before to %v", what, now, v.seen)
	}
	return took
}

// TestOutages: lines that are cut for seconds or pulled out for minutes, changes of
// network, sleeps, and relays that all restart. Nobody sees the address for the first
// time, and the same two guards are back within 15 s.
func TestOutages(t *testing.T) {
	rounds := 50
	if testing.Short() {
		rounds = 3
	}
	synctest.Test(t, func(t *testing.T) {
		m := p2ptest.Virtual(t, 12, wan, nil)
		defer m.Stop()
		m.Settle(12)
		v := newTraveller(t, m)
		defer v.Stop()
		if len(v.seen) > 3 { // the guards and the first source
			t.Fatalf("seen by %v at the start", v.seen)
		}
		longest := map[string]time.Duration{}
		note := func(what string) { longest[what] = max(longest[what], v.back(what)) }
		for n := range rounds {
			m.Down(v.Node, true)
			time.Sleep(time.Duration(1+n%14) * time.Second)
			m.Down(v.Node, false)
			note("a short cut")
			time.Sleep(time.Duration(n%3) * 20 * time.Second)

			m.Unplug(v.Node, true)
			time.Sleep(time.Duration(1+n%5) * time.Minute)
			m.Unplug(v.Node, false)
			v.events <- wake.Network
			note("a cable pulled")
			time.Sleep(time.Duration(n%2) * time.Minute)

			m.Unplug(v.Node, true)
			time.Sleep(time.Duration(1+n%3) * 150 * time.Second)
			m.Unplug(v.Node, false)
			v.events <- wake.Resumed
			note("a sleep")
			time.Sleep(10 * time.Second)

			if n%5 == 0 {
				for _, r := range m.Relays {
					r.Stop()
				}
				time.Sleep(time.Duration(6+n) * time.Second)
				for _, r := range m.Relays {
					r.Start()
				}
				note("a restart of all relays")
				time.Sleep(time.Minute)
			}
		}
		for what, d := range longest {
			t.Logf("both guards are back %v after %s, at most", d, what)
		}
	})
}

// TestLongCut: a line that is cut for two minutes, of which the system says nothing.
// The guards are back at once when it is.
func TestLongCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := p2ptest.Virtual(t, 12, wan, nil)
		defer m.Stop()
		m.Settle(12)
		v := newTraveller(t, m)
		defer v.Stop()
		m.Down(v.Node, true)
		time.Sleep(2 * time.Minute)
		m.Down(v.Node, false)
		took := p2ptest.Eventually(t, "a guard", func() bool { return len(v.up()) > 0 })
		t.Logf("a guard is back after %v", took)
		if took > 3*time.Second {
			t.Errorf("a guard is back after %v", took)
		}
	})
}

// TestGuardsAwayInTurns: the guards of a client go and come back, each for ten minutes, both at once or one after the other, so
// that the list of each is told while the other is not in it. While one of them is up, or another that stands in, a box
// reaches a mailbox within a minute.
func TestGuardsAwayInTurns(t *testing.T) {
	const relays, away = 16, 10 * time.Minute
	synctest.Test(t, func(t *testing.T) {
		m := p2ptest.Virtual(t, relays, wan, nil)
		defer m.Stop()
		m.Settle(relays)
		v := newTraveller(t, m)
		defer v.Stop()
		first, second := m.Find(v.first[0]), m.Find(v.first[1])
		leaves := func(what string) {
			t.Helper()
			began := time.Now()
			for {
				ctx, end := context.WithTimeout(t.Context(), 10*time.Second)
				err := p2p.ErrOffline
				if ids, e := v.ChooseMailboxes(1, v.first...); e == nil && m.Find(ids[0]).Running() {
					err = v.Put(ctx, ids[0], randomTag(), randomBox())
				}
				if end(); err == nil {
					break
				}
				if time.Since(began) > time.Minute {
					var up []bool
					for _, r := range []*p2ptest.Relay{first, second} {
						up = append(up, r.Running(), slices.Contains(v.up(), r.ID()))
					}
					t.Fatalf("%s: nothing leaves for a minute: %v; guards run and are up: %v", what, err, up)
				}
				time.Sleep(time.Second)
			}
			t.Logf("%s: a box arrived after %v", what, time.Since(began))
		}

		for n := range 3 {
			first.Stop()
			time.Sleep(time.Duration(n) * 2 * time.Minute)
			second.Stop()
			time.Sleep(away - time.Duration(n)*2*time.Minute)
			leaves("others stand in")
			first.Start()
			time.Sleep(2 * time.Minute)
			second.Start()
			time.Sleep(time.Minute)
			leaves("both are back")

			second.Stop()
			time.Sleep(away)
			leaves("one is away")
			second.Start()
			p2ptest.Eventually(t, "the second is back", func() bool { return slices.Contains(v.up(), second.ID()) })
			time.Sleep(time.Duration(n) * time.Minute)
			first.Stop()
			time.Sleep(time.Minute)
			leaves("the other is, too")
			time.Sleep(away)
			leaves("for long")
			first.Start()
			p2ptest.Eventually(t, "the first is back", func() bool { return slices.Contains(v.up(), first.ID()) })
			time.Sleep(time.Minute)
		}
	})
}
