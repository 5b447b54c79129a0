package mix

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"starling/p2p/outfox"
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
		through := func() int {
			mu.Lock()
			defer mu.Unlock()
			return len(passed)
		}
		if n := through(); n != 50 {
			t.Errorf("%d at once, want 50", n)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if n := through(); n < 149 || n > 150 {
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

// TestGateTurns: links take turns, however much they would like to send, and relays
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

// TestGateLate: a gate that is opened late lets in the waiting links, in their order,
// and none that came after them before them. Turns saved up beyond them are not lost.
func TestGateLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var passed []wire.NodeID
		var mu sync.Mutex
		late := func(by time.Duration, later ...Link) (took time.Duration) {
			g := newGate(1, 5)
			for range 5 {
				g.enter(stranger)
			}
			passed = nil
			var done sync.WaitGroup
			press(g, linkNumber(1), 1, &done, &passed, &mu)
			synctest.Wait()
			g.mu.Lock()
			g.at = g.at.Add(-by) // and the timer has not been heard yet
			g.mu.Unlock()
			begin := time.Now()
			for _, l := range later {
				press(g, l, 1, &done, &passed, &mu)
			}
			done.Wait()
			for range int(by/time.Second) - 1 - len(later) {
				g.enter(stranger)
			}
			return time.Since(begin).Round(time.Millisecond)
		}
		if d := late(time.Second, linkNumber(2)); d != time.Second || passed[0] != linkNumber(1).Peer {
			t.Errorf("who came later went first, after %v", d)
		}
		if d := late(3 * time.Second); d > time.Second {
			t.Errorf("three turns took %v", d)
		}
	})
}

// TestGateOfRelaysAlone: the turn of the clients is nobody's when none wait.
func TestGateOfRelaysAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(10, 1)
		var passed []wire.NodeID
		var mu sync.Mutex
		var done sync.WaitGroup
		press(g, neighbour, 21, &done, &passed, &mu)
		begin := time.Now()
		done.Wait()
		if d := time.Since(begin).Round(time.Millisecond); len(passed) != 21 || d != 2*time.Second {
			t.Errorf("%d passed in %v", len(passed), d)
		}
	})
}

// TestPathsForgetNobodyInDebt: a client that has used up a share of a path does not get
// another by filling the table, which grows with clients that are not full, and no
// bucket holds more than the burst.
func TestPathsForgetNobodyInDebt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPaths(10, 100)
		use := func(n int) (wait time.Duration) {
			for range n {
				wait = p.take(nodeID(1), nodeID(2))
			}
			return wait
		}
		use(100)
		for n := range 1023 {
			p.take(nodeID(10+n), nodeID(2))
		}
		p.take(nodeID(2000), nodeID(2)) // one too many
		if len(p.buckets) != 1025 || p.prune != 2048 {
			t.Errorf("%d buckets, the next look at %d", len(p.buckets), p.prune)
		}
		if wait := use(1); wait == 0 {
			t.Error("a share was forgotten")
		}

		time.Sleep(time.Hour)
		for n := range 1023 {
			p.take(nodeID(3000+n), nodeID(2))
		}
		if len(p.buckets) != 2048 {
			t.Errorf("%d buckets: looked at before their time", len(p.buckets))
		}
		if p.take(nodeID(5000), nodeID(2)); len(p.buckets) != 1024 || p.prune != 2046 {
			t.Errorf("%d buckets, the next look at %d", len(p.buckets), p.prune)
		}
		time.Sleep(time.Hour)
		for n := range 1022 {
			p.take(nodeID(6000+n), nodeID(2))
		}
		if p.take(nodeID(8000), nodeID(2)); len(p.buckets) != 1023 {
			t.Errorf("%d buckets", len(p.buckets))
		}
		time.Sleep(time.Hour)
		for n := range 1023 {
			p.take(nodeID(8001+n), nodeID(2))
			time.Sleep(time.Hour)
		}
		if p.take(nodeID(9100), nodeID(2)); p.prune < 1024 {
			t.Errorf("the next look at %d", p.prune)
		}
		if wait := use(100); wait != 0 {
			t.Errorf("the burst waits %v", wait)
		}
		if wait := use(1); wait != 100*time.Millisecond {
			t.Errorf("one more than the burst waits %v", wait)
		}
	})
}

// TestShareOfTheMailbox: a client's share holds for the mailbox here, too, and a
// relay's link has none.
func TestShareOfTheMailbox(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, s := newEngine(t, Config{PathRate: 1, PathBurst: 2})
		slot := outfox.SlotAt(time.Now()) + outfox.MaxAhead
		var route [outfox.Layers]outfox.Hop
		for i := range route {
			route[i] = outfox.Hop{ID: nodeID(i), Key: keyOf(e, slot.Epoch())}
		}
		last := func() []byte {
			p := packet(t, slot, route)
			for range outfox.Layers - 1 {
				submit(e, p)
				p = s.take()[0].packet
			}
			return p.Append(nil)
		}
		begin := time.Now()
		for range 5 {
			e.Handle(neighbour, last())
		}
		if d := time.Since(begin); d != 0 {
			t.Errorf("a relay's packets wait %v", d)
		}
		for range 5 {
			e.Handle(stranger, last())
		}
		if d := time.Since(begin); d != 3*time.Second || len(s.delivered) != 10 {
			t.Errorf("%d delivered; a client's packets waited %v, want 3 s", len(s.delivered), d)
		}
	})
}
