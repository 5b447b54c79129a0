package p2p_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"starling/p2p"
	"starling/p2p/p2ptest"
)

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
