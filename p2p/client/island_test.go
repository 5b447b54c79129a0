package client

import (
	"slices"
	"testing"
	"time"

	"starling/p2p/island"
	"starling/p2p/mailbox"
	"starling/p2p/outfox"
)

// cutOff has a client find out that of its relays only the first are in reach. Two of them are its guards.
func cutOff(t *testing.T, c *Client, ids []NodeID, inside int) {
	t.Helper()
	now := time.Now()
	for i := range 60 {
		c.sounder.Failed(nil, ids[i%len(ids)], now.Add(time.Duration(i)*time.Second))
	}
	for range 600 {
		now = now.Add(time.Second)
		p := c.sounder.Plan(ids, ids[:2], now)
		if p.Changed {
			c.sounder.changed()
			return
		}
		for _, x := range p.Tests {
			if slices.Index(ids, x.Relay) < inside {
				c.sounder.Came(x, now)
			} else {
				c.sounder.Lost(x, now)
			}
		}
	}
	t.Fatal("it is not found out")
}

// TestGoesOnAmongTheReached: routes, mailboxes and meeting places are drawn from the relays that are
// in reach, and the others count as missing, as long as that is so.
func TestGoesOnAmongTheReached(t *testing.T) {
	c, ids := knowing(t, 24)
	inside := ids[:8]
	away := func(id NodeID) bool { return !slices.Contains(inside, id) }
	cutOff(t, c, ids, len(inside))
	if s := c.Status(); s.Reached != len(inside) || s.Doubtful != 0 {
		t.Errorf("%d are reached, %d doubtful", s.Reached, s.Doubtful)
	}
	for range 200 {
		_, way, err := c.routes.Forward(ids[0], ids[7])
		if err != nil || slices.ContainsFunc(way[:], func(h outfox.Hop) bool { return away(h.ID) }) {
			t.Fatalf("%v: %v", way, err)
		}
		boxes, err := c.ChooseMailboxes(2)
		if err != nil || slices.ContainsFunc(boxes, away) {
			t.Fatalf("mailboxes %v: %v", boxes, err)
		}
	}

	meet, err := c.Rendezvous([32]byte{1}, 4)
	if err != nil || len(meet) != 4 || slices.ContainsFunc(meet, away) {
		t.Errorf("meeting places: %v, %v", meet, err)
	}
	if got := c.Unheard(ids); len(got) != len(ids) {
		t.Errorf("%d were never heard", len(got))
	}
	snap := c.dir.Snapshot()
	for _, id := range ids {
		c.judge.Answered(nil, id, time.Now(), time.Now())
		if c.silent(snap, id) != away(id) {
			t.Errorf("%v is missing: %v", id, !away(id))
		}
	}
	if got := c.Unheard(ids); slices.ContainsFunc(got, func(id NodeID) bool { return !away(id) }) || len(got) != 16 {
		t.Errorf("%d were not heard", len(got))
	}
}

// TestLiarsOnAnIsland: a relay that answers tests and drops everything else is avoided; but never more than a third of
// those that are in reach.
func TestLiarsOnAnIsland(t *testing.T) {
	c, ids := knowing(t, 24)
	for i := range 20 { // of before, over relays that are away
		c.judge.Failed([]NodeID{ids[2], ids[9+i%10]}, ids[20], time.Now(), time.Now())
	}
	cutOff(t, c, ids, 9)
	for _, id := range ids[10:14] { // and later, of relays that are away
		for range 9 {
			c.judge.Failed([]NodeID{id}, ids[8], time.Now(), time.Now())
			c.judge.Answered(nil, ids[8], time.Now().Add(time.Second), time.Now())
		}
	}
	c.routes.now()
	if got := c.routes.avoided(); got != 0 {
		t.Errorf("%d are avoided for what others explain", got)
	}
	for most, liars := range [][]NodeID{nil, ids[2:3], ids[2:4], ids[2:5], ids[2:8]} {
		for _, id := range liars {
			for range 6 {
				c.judge.Failed([]NodeID{id}, ids[8], time.Now(), time.Now())
				c.judge.Answered(nil, ids[8], time.Now().Add(time.Second), time.Now())
			}
		}
		c.routes.now()
		if got := c.routes.avoided(); got != min(most, 3) {
			t.Errorf("%d liars: %d are avoided", len(liars), got)
		}
	}
}

// TestTestsProveNothing: the answer to a test clears no relay of anything.
func TestTestsProveNothing(t *testing.T) {
	c, ids := knowing(t, 12)
	for range 6 {
		c.judge.Failed([]NodeID{ids[2]}, ids[8], time.Now(), time.Now())
		c.judge.Answered(nil, ids[8], time.Now().Add(time.Second), time.Now())
	}
	c.routes.now()
	before := c.routes.doubtful()
	handed := 0
	req := &request{mailbox: ids[2], test: true, sent: time.Now(), c: c, answered: func(*mailbox.Answer) { handed++ }}
	req.there = [4]outfox.Hop{hop(ids[0]), hop(ids[2]), hop(ids[0]), hop(ids[2])}
	b := &back{req: req, way: [3]outfox.Hop{hop(ids[0]), hop(ids[2]), hop(ids[0])}}
	b.came(ids[0], &mailbox.Answer{Kind: mailbox.Listed}, time.Now().Add(time.Minute))
	c.sounder.Came(island.Test{Guard: ids[0], Relay: ids[2]}, time.Now())
	c.routes.now()
	if got := c.routes.doubtful(); handed != 1 || len(before) != 1 || !slices.Equal(got, before) {
		t.Errorf("doubtful: %v, then %v", before, got)
	}
}
