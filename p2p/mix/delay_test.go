package mix

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"starling/p2p/outfox"
)

func linkNumber(n int) Link { return Link{Peer: nodeID(n)} }

// fill puts n packets of a link in and returns how often one had to go.
func fill(d *delays, from Link, n int) (crowded int) {
	for range n {
		if d.add(from, time.Now().Add(time.Second), from.Peer, nil) {
			crowded++
		}
	}
	return crowded
}

// waiting counts the packets of a link, three ways that must agree.
func waiting(t *testing.T, d *delays, l Link) int {
	t.Helper()
	n := 0
	for i, it := range d.queue {
		if it.inQueue != i {
			t.Fatal("a packet does not know its place")
		}
		if it.link == l {
			n++
		}
	}
	g := d.groups[groupOf(l)]
	if g == nil {
		if n > 0 {
			t.Fatal("a link is not counted")
		}
		return 0
	}
	sum := 0
	for _, packets := range g.links {
		sum += len(packets)
		for i, it := range packets {
			if it.inLink != i {
				t.Fatal("a packet does not know its place in its link")
			}
		}
	}
	if sum != g.n || len(g.links[l.Peer]) != n {
		t.Fatalf("%d packets in the queue, %d counted; %d in the group of %d", n, len(g.links[l.Peer]), sum, g.n)
	}
	return n
}

// TestHeaviestLinkMakesRoom: the link that fills the queue loses by it, and no other.
func TestHeaviestLinkMakesRoom(t *testing.T) {
	d := newDelays(100)
	quiet := linkNumber(1)
	fill(d, quiet, 10)
	if n := fill(d, linkNumber(2), 1000); n != 910 {
		t.Errorf("%d went, want 910", n)
	}
	if n := fill(d, quiet, 20); n != 20 {
		t.Errorf("%d went, want 20", n)
	}
	if a, b := waiting(t, d, quiet), waiting(t, d, linkNumber(2)); a != 30 || b != 70 {
		t.Errorf("%d of the quiet link wait, %d of the loud one", a, b)
	}
	// Many links against one: each keeps an equal share.
	for n := range 20 {
		fill(d, linkNumber(10+n), 10)
	}
	for n := range 20 {
		if got := waiting(t, d, linkNumber(10+n)); got < 4 {
			t.Errorf("%d of link %d wait", got, n)
		}
	}
	if d.len() != 100 {
		t.Errorf("%d wait", d.len())
	}
}

// TestNetworksShare: clients of one network count together first, relays each for
// itself.
func TestNetworksShare(t *testing.T) {
	d := newDelays(100)
	network := netip.MustParsePrefix("20.1.2.0/24")
	at := func(n int) Link { return Link{Peer: nodeID(n), Network: network} }
	fill(d, linkNumber(1), 40)
	for n := range 30 {
		fill(d, at(10+n), 2)
	}
	if crowded := fill(d, at(50), 30); crowded != 30 {
		t.Errorf("%d went, want 30", crowded)
	}
	if got := waiting(t, d, linkNumber(1)); got != 40 {
		t.Errorf("a network of 30 clients leaves %d of 40 packets of another", got)
	}
	// Within the network the loud one goes first.
	for n := range 30 {
		if got := waiting(t, d, at(10+n)); got == 0 {
			t.Errorf("client %d has none left", n)
		}
	}
	if got := waiting(t, d, at(50)); got > 10 {
		t.Errorf("the loud client has %d", got)
	}

	d = newDelays(100)
	relays := 0
	for n := range 10 {
		l := Link{Peer: nodeID(n), Relay: true, Network: network}
		fill(d, l, 10)
	}
	fill(d, linkNumber(20), 50)
	for n := range 10 {
		relays += waiting(t, d, Link{Peer: nodeID(n), Relay: true, Network: network})
	}
	if relays < 85 {
		t.Errorf("%d of 100 packets of ten relays in one network wait", relays)
	}

	// Clients without a known network do not count together.
	d = newDelays(100)
	relay := Link{Peer: nodeID(1), Relay: true}
	fill(d, relay, 40)
	for n := range 30 {
		fill(d, linkNumber(10+n), 2)
	}
	fill(d, relay, 10)
	for n := range 30 {
		if got := waiting(t, d, linkNumber(10+n)); got != 2 {
			t.Errorf("client %d has %d of 2 packets left", n, got)
		}
	}
}

// TestGoneLinkTakesNoRoom: a link without packets takes no room, though its network
// still has some.
func TestGoneLinkTakesNoRoom(t *testing.T) {
	d := newDelays(100)
	network := netip.MustParsePrefix("20.1.2.0/24")
	one, two := Link{Peer: nodeID(1), Network: network}, Link{Peer: nodeID(2), Network: network}
	fill(d, one, 3)
	fill(d, two, 1)
	for range 3 {
		d.remove(d.groups[groupOf(one)].links[one.Peer][0])
	}
	if g := d.groups[groupOf(one)]; len(g.links) != 1 || g.n != 1 || waiting(t, d, two) != 1 {
		t.Errorf("%d links, %d packets", len(g.links), g.n)
	}
}

// TestRandomPacketGoes: the packet that goes is random among those of a link, so that
// no sender keeps a packet by the order of sending.
func TestRandomPacketGoes(t *testing.T) {
	old := 0
	for range 200 {
		d := newDelays(10)
		first := linkNumber(1)
		fill(d, first, 10)
		oldest := d.groups[groupOf(first)].links[first.Peer][0]
		fill(d, first, 1)
		for _, it := range d.queue {
			if it == oldest {
				old++
			}
		}
	}
	if old < 160 || old > 199 { // 182 are expected
		t.Errorf("the oldest of 11 packets stays %d of 200 times", old)
	}
}

func TestOverfull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, s := newEngine(t, Config{MaxDelayed: 3})
		start(t, e)
		submit := func(d time.Duration) {
			slot, route := hops(e, 0, d)
			submit(e, packet(t, slot, route))
		}
		for range 5 {
			submit(time.Second)
		}
		submit(0) // needs no room
		wantRefused(t, e, map[string]int64{"overfull": 2})
		time.Sleep(time.Second)
		synctest.Wait()
		submit(time.Second)
		time.Sleep(time.Second)
		synctest.Wait()
		wantRefused(t, e, map[string]int64{"overfull": 2})
		if n := len(s.take()); n != 5 {
			t.Errorf("%d packets went on, want 5", n)
		}
		if len(e.delays.groups) != 0 {
			t.Errorf("%d groups are left of an empty queue", len(e.delays.groups))
		}
	})
}

// TestQueueWakes: an earlier packet wakes the queue that waits for a later one, and
// a thrown out one does not hold it up.
func TestQueueWakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, s := newEngine(t, Config{MaxDelayed: 1})
		start(t, e)
		begin := time.Now()
		for _, d := range []time.Duration{900, 100} {
			slot, route := hops(e, 0, d*time.Millisecond)
			submit(e, packet(t, slot, route))
			synctest.Wait()
		}
		time.Sleep(outfox.MaxDelay)
		synctest.Wait()
		out := s.take()
		if len(out) != 1 {
			t.Fatalf("%d packets went on", len(out))
		}
		if d := out[0].at.Sub(begin); d != 100*time.Millisecond && d != 900*time.Millisecond {
			t.Errorf("the one left waited %v", d)
		}
	})
}
