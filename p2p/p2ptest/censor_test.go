package p2ptest_test

import (
	"testing"
	"testing/synctest"
	"time"

	"starling/p2p/p2ptest"
	"starling/p2p/virtualtime"
)

// TestCensors: two people behind a network that freezes connections, or bans a machine for a
// minute after more than two connections to one relay. Every box arrives, and once, in about
// the time of an open network.
func TestCensors(t *testing.T) {
	const minute = time.Minute
	for name, c := range map[string]struct {
		censor   virtualtime.Censor
		p50, p99 time.Duration
		freezes  bool
		inMinute int // connections to one relay
	}{
		"police":          {virtualtime.Censor{PerMinute: 2, Ban: minute}, 2 * time.Second, 5 * time.Second, false, 2},
		"curtain":         {virtualtime.Censor{After: 15000}, 3 * time.Second, minute, true, 20},
		"curtain, resets": {virtualtime.Censor{After: 15000, Reset: true}, 3 * time.Second, minute, true, 20},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := p2ptest.Virtual(t, 12, wan, nil)
				defer m.Stop()
				m.Settle(12)
				p := newPost(t, m)
				defer p.stop()
				m.Censored(c.censor, p.from.Node, p.to.Node)
				const boxes = 40
				for range boxes {
					p.send(time.Hour)
					time.Sleep(5 * time.Second)
				}
				p2ptest.Eventually(t, "all boxes", func() bool { return p.delivered() == boxes })

				p50, p99, most := p.quantiles()
				t.Logf("put to OnBox: p50 %v, p99 %v, max %v; %d came again; %+v %v; %+v %v", p50, p99, most, p.more, p.from.Status().Habits, p.from.Status().Refused, p.to.Status().Habits, p.to.Status().Refused)
				if p.more > 0 {
					t.Errorf("%d boxes came again", p.more)
				}
				if p50 > c.p50 || p99 > c.p99 {
					t.Errorf("p50 %v, p99 %v", p50, p99)
				}
				if freezes := p.from.Status().Habits.Budget > 0; freezes && !c.freezes {
					t.Error("taken for a network that freezes")
				}
				for _, who := range []*p2ptest.Client{p.from, p.to} {
					for _, r := range m.Relays {
						if all, n := m.Dials(who.Node, r.Node); n > c.inMinute {
							t.Errorf("%d connections to one relay in a minute, %d in all", n, all)
						}
					}
				}
			})
		})
	}
}
