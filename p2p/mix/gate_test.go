package mix

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"starling/p2p/wire"
)

// press lets n packets of a link through the gate, one after the other, and counts.
func press(g *gate, from Link, n int, done *sync.WaitGroup, passed *[]wire.NodeID, mu *sync.Mutex) {
	done.Go(func() {
		for range n {
			g.enter(from)
			mu.Lock()
			*passed = append(*passed, from.Peer)
			mu.Unlock()
		}
	})
}

func count(list []wire.NodeID, id wire.NodeID) (n int) {
	for _, x := range list {
		if x == id {
			n++
		}
	}
	return n
}

// TestGateRate: at once the burst, then the rate.
func TestGateRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(100, 50)
		var passed []wire.NodeID
		var mu sync.Mutex
		var done sync.WaitGroup
		press(g, stranger, 250, &done, &passed, &mu)
		synctest.Wait()
		if len(passed) != 50 {
			t.Errorf("%d at once, want 50", len(passed))
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if n := len(passed); n < 149 || n > 150 {
			t.Errorf("%d after a second, want 150", n)
		}
		done.Wait()
		if n := g.count(); n != 200 {
			t.Errorf("%d had to wait, want 200", n)
		}
		// It fills up again, and no further.
		time.Sleep(time.Hour)
		begin := time.Now()
		for range 50 {
			g.enter(stranger)
		}
		if d := time.Since(begin); d != 0 {
			t.Errorf("the burst took %v", d)
		}
		if g.enter(stranger); time.Since(begin) == 0 {
			t.Error("one more did not wait")
		}
	})
}

// TestGateTurns: links take turns, whatever they would like to send, and relays
// three for one.
func TestGateTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(1000, 1)
		var passed []wire.NodeID
		var mu sync.Mutex
		var done sync.WaitGroup
		for range 4 { // four streams of one client
			press(g, linkNumber(1), 1000, &done, &passed, &mu)
		}
		for n := range 3 {
			press(g, linkNumber(2+n), 1000, &done, &passed, &mu)
		}
		relays := []Link{{Peer: nodeID(100), Relay: true}, {Peer: nodeID(101), Relay: true}}
		for _, l := range relays {
			press(g, l, 1000, &done, &passed, &mu)
		}
		synctest.Wait()
		time.Sleep(time.Second)
		synctest.Wait()

		mu.Lock()
		now := passed
		mu.Unlock()
		if len(now) < 999 || len(now) > 1002 {
			t.Errorf("%d passed in a second", len(now))
		}
		for _, l := range relays {
			if n := count(now, l.Peer); n < 365 || n > 385 {
				t.Errorf("a relay had %d turns, want 375", n)
			}
		}
		for n := range 4 {
			if n := count(now, nodeID(1+n)); n < 55 || n > 70 {
				t.Errorf("a client had %d turns, want 62", n)
			}
		}
		done.Wait()
		if len(passed) != 9000 {
			t.Errorf("%d passed in all", len(passed))
		}
		if g.waiting != 0 || len(g.classes[0].queues)+len(g.classes[1].queues)+len(g.classes[0].order)+len(g.classes[1].order) != 0 {
			t.Error("something is left of an empty gate")
		}
	})
}

// TestPaths: a client's packets for one next hop pass at its rate, others are not
// held up, and a full bucket takes no room.
func TestPaths(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPaths(10, 100)
		for i := range 100 {
			if d := p.take(nodeID(1), nodeID(2)); d != 0 {
				t.Fatalf("packet %d waits %v", i, d)
			}
		}
		for i := range 3 {
			if d := p.take(nodeID(1), nodeID(2)); d != time.Duration(i+1)*100*time.Millisecond {
				t.Errorf("packet %d beyond the burst waits %v", i, d)
			}
		}
		if p.take(nodeID(1), nodeID(3)) != 0 || p.take(nodeID(4), nodeID(2)) != 0 {
			t.Error("another client, or next hop, waits")
		}
		time.Sleep(time.Second)
		if d := p.take(nodeID(1), nodeID(2)); d != 0 {
			t.Errorf("after a second one waits %v", d)
		}

		time.Sleep(time.Hour)
		for n := range 20_000 {
			p.take(nodeID(n), nodeID(2))
			time.Sleep(time.Millisecond)
		}
		if n := len(p.buckets); n > 2048 {
			t.Errorf("%d buckets, of which a hundred are not full", n)
		}
		time.Sleep(time.Hour)
		if d := p.take(nodeID(1), nodeID(2)); d != 0 {
			t.Errorf("a bucket that was dropped makes wait: %v", d)
		}
	})
}
