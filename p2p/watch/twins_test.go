package watch

import (
	"testing"
	"testing/synctest"
	"time"

	"starling/p2p/mailbox"
	"starling/p2p/wire"
)

// twoShops is one reader of one log at two libraries.
func twoShops(t *testing.T, test func(near, far *library, nearID, farID wire.NodeID, m *member)) {
	synctest.Test(t, func(t *testing.T) {
		ids := []wire.NodeID{{1}, {2}}
		libraries := map[wire.NodeID]*library{ids[0]: newLibrary(1), ids[1]: newLibrary(2)}
		m := newMember(t, libraries, 10*time.Minute, mailbox.LogPosition{Name: theLog})
		time.Sleep(time.Minute)
		m.ws.mu.Lock()
		near := ids[0]
		for _, w := range m.ws.m {
			if !w.follow.far {
				near = w.mailbox
			}
		}
		m.ws.mu.Unlock()
		far := ids[0]
		if near == far {
			far = ids[1]
		}
		for _, l := range libraries {
			l.took()
		}
		test(libraries[near], libraries[far], near, far, m)
	})
}

// TestTwins: of two mailboxes with the same entries one pushes them, and the other is asked
// for its ends and rings now and then. The ends of both are handed out.
func TestTwins(t *testing.T) {
	twoShops(t, func(near, far *library, nearID, farID wire.NodeID, m *member) {
		for i := range 200 {
			near.add(theLog, mailbox.Tag{byte(i), 5}, 0)
			far.add(theLog, mailbox.Tag{byte(i), 5}, uint32(i%2)) // elsewhere, in other places
			time.Sleep(time.Minute)
		}
		time.Sleep(time.Hour)
		there, elsewhere := m.has(nearID, theLog), m.has(farID, theLog)
		atNear, _ := near.took()
		atFar, _ := far.took()
		t.Logf("%d entries from the near one by %d requests, %d from the far one by %d", there, len(atNear), elsewhere, len(atFar))
		if there != 200 || elsewhere > 120 || len(atFar) > 90 { // 62 in the middle, by the chance of polls
			t.Error("entries come twice")
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		if n, f := m.ends[nearID][theLog], m.ends[farID][theLog]; n.Count != 200 || f.Count != 200 || n.Digest != f.Digest {
			t.Errorf("ends %+v and %+v", n, f)
		}
		if m.early > 0 {
			t.Errorf("%d ends came before the entries", m.early)
		}
	})
}

// TestTwinTakesOver: when the near one is gone the far one pushes within half a minute of the
// next request that has no answer.
func TestTwinTakesOver(t *testing.T) {
	twoShops(t, func(near, far *library, nearID, farID wire.NodeID, m *member) {
		add := func(n byte) {
			for _, l := range []*library{near, far} {
				l.add(theLog, mailbox.Tag{n}, 0)
			}
		}
		for n := range byte(10) {
			add(n)
		}
		time.Sleep(30 * time.Minute)
		near.loses(1)
		time.Sleep(20 * time.Minute) // a poll finds it out
		for n := range byte(10) {
			add(100 + n)
			time.Sleep(10 * time.Second)
		}
		if got := m.union(theLog); got != 20 {
			t.Errorf("%d of 20 entries", got)
		}
		near.loses(0)
		time.Sleep(2 * time.Hour)
		m.ws.mu.Lock()
		defer m.ws.mu.Unlock()
		standing := 0
		for _, w := range m.ws.m {
			if !w.follow.far {
				standing++
			}
		}
		if standing != 1 {
			t.Errorf("%d twins are near", standing)
		}
	})
}

// TestMailboxThatHides: entries that the near one hides are read from the far one, soon
// after a poll.
func TestMailboxThatHides(t *testing.T) {
	twoShops(t, func(near, far *library, nearID, farID wire.NodeID, m *member) {
		for i := range 30 {
			if i%3 > 0 {
				near.add(theLog, mailbox.Tag{byte(i)}, 0)
			}
			far.add(theLog, mailbox.Tag{byte(i)}, 0)
			time.Sleep(time.Second)
		}
		time.Sleep(14 * time.Minute)
		if got := m.union(theLog); got != 30 {
			t.Errorf("%d of 30 entries", got)
		}
		if m.early > 0 {
			t.Errorf("%d ends came before the entries", m.early)
		}
	})
}

// TestReadersSpread: readers of one room have different near mailboxes.
func TestReadersSpread(t *testing.T) {
	first := 0
	for range 64 {
		twoShops(t, func(_, _ *library, nearID, _ wire.NodeID, _ *member) {
			if nearID == (wire.NodeID{1}) {
				first++
			}
		})
	}
	if first < 12 || first > 52 {
		t.Errorf("%d of 64 begin at the first mailbox", first)
	}
}
