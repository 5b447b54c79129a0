package p2p

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"starling/p2p/mix"
	"starling/p2p/wire"
)

func TestDoubts(t *testing.T) {
	var d doubts
	now := time.Now()
	a, b := NodeID{1}, NodeID{2}
	d.failed([]NodeID{a, b}, nil, now)
	if ids, _ := d.avoided(now); len(ids) != 0 {
		t.Error("avoided after one failure")
	}
	d.answered([]NodeID{b}, now)
	_, before := d.avoided(now)
	d.failed([]NodeID{a, b}, nil, now)
	ids, after := d.avoided(now)
	if !ids[a] || ids[b] || before == after {
		t.Errorf("avoided: %v", ids)
	}
	if ids, _ := d.avoided(now.Add(doubtLife + time.Second)); len(ids) != 0 {
		t.Error("avoided for ever")
	}
	// Who has been on the way of an answer is not blamed beside one who has not.
	if d.m[b].points != 0 {
		t.Error("blamed in spite of a proof")
	}
	// When both have, both are: one of them has changed.
	d.failed([]NodeID{b}, nil, now)
	d.failed([]NodeID{b}, nil, now)
	if ids, _ := d.avoided(now); !ids[b] {
		t.Error("a proof is one for ever")
	}
	d.excused([]NodeID{a, b})
	if ids, _ := d.avoided(now); len(ids) != 0 {
		t.Error("not excused")
	}
	// Nor is anybody for the silence of a guard or mailbox that never answered.
	for range 2 * doubtPoints {
		d.failed([]NodeID{b}, []NodeID{{9}}, now)
	}
	if ids, _ := d.avoided(now); !d.m[b].proven(now) && len(ids) != 0 {
		t.Error("blamed for another")
	}
	d.failed([]NodeID{a}, nil, now)
	d.failed([]NodeID{a}, nil, now)
	if d.forgive(); d.m[a].points != 0 || d.m[a].times != 1 {
		t.Errorf("not forgiven: %+v", d.m[a])
	}
	// It takes longer each time, until there is an answer.
	later := now
	for _, want := range []time.Duration{2 * doubtLife, 4 * doubtLife} {
		later = later.Add(doubtMost + time.Second)
		d.failed([]NodeID{a}, nil, later)
		d.failed([]NodeID{a}, nil, later)
		ids, _ := d.avoided(later.Add(want))
		if after, _ := d.avoided(later.Add(want + time.Second)); !ids[a] || after[a] {
			t.Errorf("not avoided for %v", want)
		}
	}
}

// TestDoubtsFindWhoSwallows: of 50 relays ten pass nothing on. Routes are drawn
// as a client does; soon most of them bring an answer.
func TestDoubtsFindWhoSwallows(t *testing.T) {
	var d doubts
	now := time.Now()
	answers := 0
	for i := range 400 {
		now = now.Add(2 * time.Second)
		avoid, _ := d.avoided(now)
		var fit, route []NodeID
		for n := range byte(50) {
			if !avoid[NodeID{n}] {
				fit = append(fit, NodeID{n})
			}
		}
		if len(fit) < 25 {
			t.Fatalf("after %d routes only %d relays are left", i, len(fit))
		}
		swallowed := false
		for _, j := range rand.Perm(len(fit))[:5] {
			route = append(route, fit[j])
			swallowed = swallowed || fit[j][0] < 10
		}
		if swallowed {
			d.failed(route, nil, now)
		} else {
			d.answered(route, now)
			if i >= 200 {
				answers++
			}
		}
	}
	if t.Logf("%d of the last 200 answered", answers); answers < 160 {
		t.Errorf("only %d of the last 200 routes brought an answer", answers)
	}
}

func TestTimings(t *testing.T) {
	// An idle client with guards and watches at a mesh of 50 relays moves less than
	// 5 MB a day, both ways together, with what TCP and yamux add.
	const (
		onWire = wire.FrameSize + 186 // Noise, yamux, two segments, their acknowledgement
		pings  = 2 * 6264 * 100       // of both links: see host.TestIdleMuxer
		relays = 50
	)
	public := timings(false)
	polls := 2 * float64(24*time.Hour) / float64(min(public.poll/2, public.pollShare)) // a request and none
	looks := float64(24*time.Hour) / float64(public.list)
	renewed := relays * float64(3*24*time.Hour) / float64(lifetime(relays)) / looks // between two looks
	list := looks * (1 + math.Ceil(renewed*209/2372))
	alive := float64(24*time.Hour) / float64(public.keepalive*2/3) // on the link without requests
	frames := polls + list + alive
	t.Logf("%.0f frames for polls, %.0f for the list, %.0f to keep a link: %.2f MB of frames, %.2f MB in all",
		polls, list, alive, frames*wire.FrameSize/1e6, (frames*onWire+pings)/1e6)
	if frames*onWire+pings > 5e6 {
		t.Errorf("%.0f bytes a day", frames*onWire+pings)
	}
	c, err := NewClient(ClientConfig{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		c.watches.m[string(rune(i))] = &watch{}
	}
	if d := c.watches.interval(); d < time.Hour || d > maxPoll+maxPoll/4 {
		t.Errorf("100 watches are polled every %v", d)
	}
	if c.patience() < 24*mix.DefaultMeanDelay {
		t.Error("no patience")
	}
}
