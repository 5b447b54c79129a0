package watch

import (
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"starling/p2p/mailbox"
	"starling/p2p/wire"
)

// TestMailboxThatRestarts: mailboxes forget their readers every five minutes, one after the
// other, in a talk with an entry every 30 s. Most entries come at once all the same.
func TestMailboxThatRestarts(t *testing.T) {
	twoShops(t, func(near, far *library, nearID, farID wire.NodeID, m *member) {
		n := 0
		say := func() time.Duration {
			n++
			for _, l := range []*library{near, far} {
				l.add(theLog, mailbox.Tag{byte(n), byte(n >> 8)}, 0)
			}
			for waited := time.Duration(0); waited < 30*time.Second; waited += 100 * time.Millisecond {
				time.Sleep(100 * time.Millisecond)
				if m.union(theLog) == n {
					return waited
				}
			}
			return 30 * time.Second
		}

		late, all := 0, 0
		for i := range 60 {
			if i%10 == 0 {
				[]*library{near, far}[i/10%2].restart()
			}
			time.Sleep(30 * time.Second)
			if all++; say() > 4*time.Second {
				late++
			}
		}
		t.Logf("%d of %d entries came late", late, all)
		if late > 20 {
			t.Error("readers are deaf")
		}
	})
}

// TestMailboxThatDiesInATalk: the near one answers no more, in the middle of a talk that has used up the blocks of the far one.
// The entries after that come within two minutes at most, and not only when the blocks are replaced at last.
func TestMailboxThatDiesInATalk(t *testing.T) {
	twoShops(t, func(near, far *library, nearID, farID wire.NodeID, m *member) {
		n := 0
		say := func() {
			n++
			for _, l := range []*library{near, far} {
				l.add(theLog, mailbox.Tag{byte(n), byte(n >> 8)}, 0)
			}
		}
		for range 12 {
			say()
			time.Sleep(8 * time.Second)
		}
		near.mu.Lock()
		near.lie = func(*mailbox.Follow, func(*mailbox.Answer)) {}
		near.mu.Unlock()
		near.restart()
		before, worst := n, time.Duration(0)
		for range 30 {
			say()
			time.Sleep(8 * time.Second)
			if behind := n - m.union(theLog); behind > 0 {
				worst = max(worst, time.Duration(behind)*8*time.Second)
			}
		}
		t.Logf("of %d entries the worst came after %v", n-before, worst)
		if worst > 2*time.Minute || m.union(theLog) < n-1 {
			t.Errorf("%d of %d entries; deaf for %v", m.union(theLog), n, worst)
		}
	})
}

// TestRingAfterSilence: the first entry after hours, and after a restart of the near one, comes
// at once.
func TestRingAfterSilence(t *testing.T) {
	twoShops(t, func(near, far *library, nearID, farID wire.NodeID, m *member) {
		time.Sleep(5 * time.Hour)
		near.restart()
		for i := range 20 {
			for _, l := range []*library{near, far} {
				l.add(theLog, mailbox.Tag{byte(i), 7}, 0)
			}
			time.Sleep(3 * time.Second)
			if got := m.union(theLog); got < i {
				t.Fatalf("%d of %d entries", got, i+1)
			}
		}
	})
}

// TestRingIsBounded: a far mailbox that rings costs a tenth of the answers of the near one in
// a talk that does not stop, and nothing in quiet times: nor does one that says that it has no
// seat.
func TestRingIsBounded(t *testing.T) {
	twoShops(t, func(near, far *library, nearID, farID wire.NodeID, m *member) {
		time.Sleep(24 * time.Hour)
		atNear, _ := near.took()
		atFar, _ := far.took()
		if len(atFar) > len(atNear)*5/4 || len(atNear) > 24*6*5/4 {
			t.Errorf("%d and %d requests in a quiet day", len(atNear), len(atFar))
		}
		for i := range 600 {
			for _, l := range []*library{near, far} {
				l.add(theLog, mailbox.Tag{byte(i), byte(i >> 8)}, 0)
			}
			time.Sleep(500 * time.Millisecond)
		}
		blocks := func(l *library) (n int) {
			requests, _ := l.took()
			for _, f := range requests {
				n += len(f.Blocks)
			}
			return n
		}
		there, elsewhere := blocks(near), blocks(far)
		t.Logf("%d blocks at the near one, %d at the far one", there, elsewhere)
		if got := m.union(theLog); got != 600 || elsewhere > there/8 {
			t.Errorf("%d of 600 entries", got)
		}
	})
}

// TestMailboxThatRingsFalsely: a far one that pushes what nobody said becomes the near one a
// bounded number of times before the next poll, and what is said comes all the same.
func TestMailboxThatRingsFalsely(t *testing.T) {
	twoShops(t, func(near, far *library, nearID, farID wire.NodeID, m *member) {
		var position atomic.Uint32
		n := byte(0)
		far.mu.Lock()
		far.lie = func(f *mailbox.Follow, answered func(*mailbox.Answer)) {
			end := mailbox.LogEnd{Name: theLog, Instance: 9, Last: position.Load()}
			answered(&mailbox.Answer{Kind: mailbox.Ended, Standing: len(f.Blocks) - 1, Ends: []mailbox.LogEnd{end}})
			if f.Mode == mailbox.Look {
				return
			}
			time.AfterFunc(3*time.Second, func() {
				at := position.Add(1)
				e := &mailbox.LogEntry{Name: theLog, Instance: 9, Position: at}
				e.Tag = mailbox.Tag{1, byte(at), byte(at >> 8)}
				answered(&mailbox.Answer{Kind: mailbox.Logged, Standing: 3, Entry: e})
			})
		}
		far.mu.Unlock()
		for range 24 {
			time.Sleep(30 * time.Minute)
			n++
			near.add(theLog, mailbox.Tag{n, 200}, 0)
		}
		time.Sleep(time.Hour)
		atNear, _ := near.took()
		atFar, _ := far.took()
		t.Logf("%d requests at the honest one, %d at the liar", len(atNear), len(atFar))
		m.mu.Lock()
		got := 0
		for tag := range m.got[nearID][theLog] {
			if tag[1] == 200 {
				got++
			}
		}
		m.mu.Unlock()
		if got != 24 {
			t.Errorf("%d of 24 entries", got)
		}
		if len(atNear) > 13*6*4+int(position.Load())/8 || len(atFar) > 13*6*4+int(position.Load())/2 {
			t.Errorf("it has itself asked all the time, for %d entries", position.Load())
		}
	})
}

// TestAgain: who misses something has both mailboxes asked at once, and is told their ends anew;
// who misses something all the time, at the polls.
func TestAgain(t *testing.T) {
	twoShops(t, func(near, far *library, nearID, farID wire.NodeID, m *member) {
		time.Sleep(time.Hour)
		near.restart()
		far.restart()
		for _, l := range []*library{near, far} {
			l.add(theLog, mailbox.Tag{1}, 0)
			l.took()
		}
		m.ws.Again("room")
		time.Sleep(8 * time.Second)
		if m.union(theLog) != 1 {
			t.Error("the entry did not come")
		}
		for _, at := range []wire.NodeID{nearID, farID} {
			m.mu.Lock()
			ends := m.endsTold[at]
			m.mu.Unlock()
			m.ws.Again("room")
			time.Sleep(8 * time.Second)
			m.mu.Lock()
			if m.endsTold[at] == ends {
				t.Error("the end was not told again")
			}
			m.mu.Unlock()
		}

		near.took()
		for range 24 * 60 {
			m.ws.Again("room")
			time.Sleep(time.Minute)
		}
		if requests, _ := near.took(); len(requests) > 24*6*5/4+hasteMost/hasteCost+24*6/4 {
			t.Errorf("%d requests a day", len(requests))
		}
		if requests, _ := far.took(); slices.ContainsFunc(requests, func(f *mailbox.Follow) bool { return len(f.Logs) != 1 }) {
			t.Error("a request names other logs")
		}
	})
}

// TestAgainWhenBack: mailboxes that seemed to be gone are asked at once, and not for ever: a question costs as much as to others.
func TestAgainWhenBack(t *testing.T) {
	twoShops(t, func(near, far *library, _, _ wire.NodeID, m *member) {
		both := func(lose float64) {
			for _, l := range []*library{near, far} {
				l.restart()
				l.loses(lose)
				l.missing.Store(lose > 0)
			}
		}
		time.Sleep(time.Minute)
		both(1)
		m.ws.Again("room")
		time.Sleep(30 * time.Minute)
		both(0)
		near.add(theLog, mailbox.Tag{1}, 0)
		far.add(theLog, mailbox.Tag{1}, 0)
		m.ws.Again("room")
		time.Sleep(8 * time.Second)
		if m.union(theLog) != 1 {
			t.Error("the entry did not come")
		}

		both(1)
		near.took()
		for range 24 * 60 {
			m.ws.Again("room")
			time.Sleep(time.Minute)
		}
		if requests, _ := near.took(); len(requests) > 24*10*5/4+hasteMost/hasteCost+24*10/4 {
			t.Errorf("%d requests a day", len(requests))
		}
	})
}

// TestReadingIsLost: a reading that has no answer, while blocks stand, is made again. Nothing else
// was sent until the next poll: whoever had a gap had it for half an hour, and was deaf once the
// blocks were used up.
func TestReadingIsLost(t *testing.T) {
	bookshop(t, mailbox.LogPosition{Name: theLog}, func(l *library, m *member) {
		time.Sleep(time.Minute)
		l.loses(1)
		l.add(theLog, mailbox.Tag{1}, 0)
		l.loses(0)
		l.add(theLog, mailbox.Tag{2}, 0) // shows the gap
		time.Sleep(900 * time.Millisecond)
		l.loses(1)
		time.Sleep(2 * time.Second) // the reading is lost
		l.loses(0)
		for i := range 12 {
			l.add(theLog, mailbox.Tag{byte(i), 3}, 0)
			time.Sleep(2 * time.Second)
		}
		if got := m.has(wire.NodeID{1}, theLog); got != 14 {
			t.Errorf("%d of 14 entries", got)
		}
	})
}

// TestBothPushesAreLost: both mailboxes push an entry over a guard that died unnoticed, and no other comes to show it. After
// a loss that was noticed it is asked for soon; in good times nothing more is asked.
func TestBothPushesAreLost(t *testing.T) {
	for _, lossy := range []bool{true, false} {
		twoShops(t, func(near, far *library, nearID, farID wire.NodeID, m *member) {
			n := byte(0)
			say := func(lost ...*library) {
				n++
				for _, l := range []*library{near, far} {
					l.loses(0)
				}
				for _, l := range lost {
					l.loses(1)
				}
				for _, l := range []*library{near, far} {
					l.add(theLog, mailbox.Tag{n, 8}, 0)
				}
				near.loses(0)
				far.loses(0)
			}
			time.Sleep(time.Minute)
			if lossy {
				say(far)
				time.Sleep(time.Minute)
			}
			say()
			time.Sleep(5 * time.Second)
			near.took()
			far.took()
			say(near, far)
			time.Sleep(lossLook + 10*time.Second)
			asked, _ := near.took()
			if got := m.union(theLog) == int(n); got != lossy || !lossy && len(asked) > 0 {
				t.Errorf("lossy=%v: %d of %d entries, %d requests", lossy, m.union(theLog), n, len(asked))
			}
		})
	}
}

// TestBothMailboxesRestart: both mailboxes forget their readers at once, and no entry tells of it. Their new descriptors do, since they
// come before their time; whoever makes many of them is asked no more often for that, and a renewal is no reason to ask.
func TestBothMailboxesRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		libraries := map[wire.NodeID]*library{{1}: newLibrary(1), {2}: newLibrary(2)}
		m := newMember(t, libraries, 4*time.Hour, mailbox.LogPosition{Name: theLog})
		for _, l := range libraries {
			l.issued, l.renews = time.Now(), 50*time.Minute
		}
		m.ws.RelaysChanged()
		time.Sleep(time.Hour)
		for _, l := range libraries {
			l.took()
			l.issued, l.renews = time.Now(), 12*time.Hour
		}
		m.ws.RelaysChanged()
		time.Sleep(time.Hour)
		for _, l := range libraries {
			if requests, _ := l.took(); len(requests) > 0 {
				t.Errorf("%d requests for a renewal", len(requests))
			}
			l.restart()
		}
		asked := 0
		for range 30 {
			for _, l := range libraries {
				l.issued = time.Now()
			}
			m.ws.RelaysChanged()
			time.Sleep(time.Minute)
		}
		for _, l := range libraries {
			l.add(theLog, mailbox.Tag{9}, 0)
			requests, _ := l.took()
			asked += len(requests)
		}
		time.Sleep(time.Minute)
		if m.union(theLog) != 1 {
			t.Error("its reader is deaf")
		}
		if asked > 12 {
			t.Errorf("%d requests", asked)
		}
	})
}
