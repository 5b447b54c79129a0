package node

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"starling/node/api"
	"starling/node/inbox/watch"
	"starling/node/nettest"
	"starling/p2p"
	"starling/p2p/mailbox"
)

// Bob is away for 15 days; Ada wrote more on the first than a session waits for.
// Both directions go on when he is back, and both learn of the losses.
func TestAwayTooLong(t *testing.T) {
	gone(t, func(t *testing.T, net *nettest.Net, ada, bob *user) {
		net.Set(nettest.Settings{Again: time.Hour})
		talk(t, ada, bob, "first")
		bob.shutdown()
		var ids []string
		for i := range 40 {
			ids = append(ids, ada.send(bob, fmt.Sprint(i)).ID)
		}
		ada.waitAll(ids, api.StateSent)
		time.Sleep(14*24*time.Hour + time.Hour)
		ada.waitAll(ids, api.StateFailed)
		for _, m := range net.Mailboxes() {
			net.Wipe(m)
		}
		bob.start()
		back := bob.send(ada, "I am back")
		eventually(t, "Ada hears Bob", func() bool { return slices.Contains(ada.said(bob), "I am back") })
		now := ada.send(bob, "welcome back")
		time.Sleep(24 * time.Hour)
		bob.waitState(back.ID, api.StateDelivered)
		ada.waitState(now.ID, api.StateDelivered)
		if got := bob.said(ada); !slices.Contains(got, "welcome back") {
			t.Errorf("Bob has %q", got)
		}
		// Ada's own messages say it to her, and Bob is told how many.
		if m, err := ada.Message(t.Context(), ids[7]); err != nil || m.State != api.StateFailed || m.Reason == "" {
			t.Errorf("%+v, %v", m, err)
		}
		if got := bob.notices(ada); len(got) != 1 || !strings.Contains(got[0], "40 messages") {
			t.Errorf("Bob is told %q", got)
		}
		last := bob.last(ada)
		if last.Text.String() != "welcome back" || last.Gap != api.GapLost {
			t.Errorf("%+v", last)
		}
		// Lost messages can be sent again.
		if _, err := ada.Retry(t.Context(), ids[39]); err != nil {
			t.Fatal(err)
		}
		ada.waitState(ids[39], api.StateDelivered)
		talk(t, ada, bob, "on")

		// It is told once, after a restart of either, and stays true on both sides.
		ada.restart()
		bob.restart()
		talk(t, ada, bob, "still")
		if got := bob.notices(ada); len(got) != 1 || len(ada.notices(bob)) != 0 {
			t.Errorf("after a start Bob is told %q, Ada %q", got, ada.notices(bob))
		}
		if m, err := ada.Message(t.Context(), ids[7]); err != nil || m.State != api.StateFailed || m.Reason == "" {
			t.Errorf("after a start: %+v, %v", m, err)
		}
	})
}

// last returns the newest message of a conversation that is no notice.
func (u *user) last(with *user) (m api.Message) {
	all, err := u.History(context.Background(), api.HistoryRequest{Contact: with.name})
	if err != nil {
		u.t.Fatal(err)
	}
	for _, x := range all {
		if x.State != api.StateNotice {
			m = x
		}
	}
	return m
}

// Ada lets Bob see when she is writing. Bob is away; she writes and deletes for
// minutes. Then one of Bob's two mailboxes loses its disk: nothing of value was
// there, and everything goes on.
func TestTypingAway(t *testing.T) {
	gone(t, func(t *testing.T, net *nettest.Net, ada, bob *user) {
		talk(t, ada, bob, "first")
		yes := true
		if _, err := ada.ChangeSettings(t.Context(), api.SettingsChange{Typing: &yes}); err != nil {
			t.Fatal(err)
		}
		bobs := ada.fetchesAt(bob)
		bob.shutdown()
		for range 60 {
			if err := ada.Typing(t.Context(), bob.name); err != nil {
				t.Fatal(err)
			}
			time.Sleep(6 * time.Second)
		}
		text := ada.send(bob, "at last")
		ada.waitState(text.ID, api.StateSent)
		net.Wipe(bobs[1])
		bob.start()
		time.Sleep(time.Hour)
		ada.waitState(text.ID, api.StateDelivered)
		talk(t, ada, bob, "on")
		if got := append(ada.notices(bob), bob.notices(ada)...); len(got) != 0 {
			t.Errorf("told of %q", got)
		}
	})
}

// Everything that was ever put away is lost, again and again, also signals of the
// session: later contents come.
func TestEverythingLostAgain(t *testing.T) {
	gone(t, func(t *testing.T, net *nettest.Net, ada, bob *user) {
		net.Set(nettest.Settings{Again: 6 * time.Hour})
		talk(t, ada, bob, "first")
		for _, u := range []*user{ada, bob} {
			other := map[*user]*user{ada: bob, bob: ada}[u]
			other.shutdown()
			for i := range 20 {
				u.send(other, fmt.Sprint("lost ", i))
			}
			time.Sleep(15 * 24 * time.Hour)
			for _, m := range net.Mailboxes() {
				net.Wipe(m)
			}
			if u == ada {
				u.restart()
			}
			other.start()
			time.Sleep(2 * time.Hour)
		}
		talk(t, ada, bob, "at last")
	})
}

// More is written to an absent contact than may be on its way: it waits, says why, and
// comes in order.
func TestMoreThanMayBeOnItsWay(t *testing.T) {
	gone(t, func(t *testing.T, net *nettest.Net, ada, bob *user) {
		talk(t, ada, bob, "first")
		bob.shutdown()
		long := strings.Repeat("a", api.MaxText-10)
		var ids []string
		for i := range 40 {
			ids = append(ids, ada.send(bob, fmt.Sprint(i, long)).ID)
		}
		time.Sleep(time.Hour)
		m, err := ada.Message(t.Context(), ids[39])
		if err != nil || m.State != api.StateQueued || !strings.Contains(m.Reason, "collected") {
			t.Fatalf("%v %q, %v", m.State, m.Reason, err)
		}
		bob.start()
		time.Sleep(time.Hour)
		ada.waitAll(ids, api.StateDelivered)
		got := bob.said(ada)
		for i, s := range got[1:] {
			if !strings.HasPrefix(s, fmt.Sprint(i, "a")) {
				t.Fatalf("%d is %q", i, s[:4])
			}
		}
		if len(got) != 41 {
			t.Errorf("%d texts", len(got))
		}
	})
}

// A dropper says that it has stored a box and keeps nothing.
type dropper struct{ *mailbox.Memory }

func (dropper) Put(context.Context, mailbox.Tag, *mailbox.Box, time.Time, bool) error { return nil }

// One or both mailboxes of Bob's lie. Ada's texts come over the other one, or within a
// day where the two meet, and nobody is blamed.
func TestMailboxesThatDrop(t *testing.T) {
	for _, n := range []int{1, 2} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			for played := false; !played; {
				gone(t, func(t *testing.T, net *nettest.Net, ada, bob *user) {
					eventually(t, "quiet", func() bool { return ada.outboxIdle() && bob.outboxIdle() })
					liars := ada.fetchesAt(bob)[:n]
					// Were they both of Ada's as well, receipts would be dropped, too.
					played = slices.ContainsFunc(bob.fetchesAt(ada), func(at p2p.NodeID) bool { return !slices.Contains(liars, at) })
					if played {
						adaReachesBob(t, net, ada, bob, liars)
					}
				})
			}
		})
	}
}

// adaReachesBob has mailboxes of Bob's drop what they are given.
func adaReachesBob(t *testing.T, net *nettest.Net, ada, bob *user, liars []p2p.NodeID) {
	time.Sleep(time.Minute)
	bob.shutdown()
	for _, id := range liars {
		net.SetStore(id, dropper{mailbox.NewMemory(1 << 10)})
	}
	m := ada.send(bob, "hello")
	ada.waitState(m.ID, api.StateSent)
	bob.start()
	time.Sleep(24 * time.Hour)
	ada.waitState(m.ID, api.StateDelivered)
	if got := bob.said(ada); !slices.Contains(got, "hello") {
		t.Errorf("Bob has %q", got)
	}

	late := ada.send(bob, "and now")
	bob.send(ada, "I am here")
	time.Sleep(24 * time.Hour)
	ada.waitState(late.ID, api.StateDelivered)
}

// TestCopyAfterItsTime: a second copy that is stored when nobody asks for it any more,
// because the receipt is late and the mailbox was away, does not lie there until it
// expires.
func TestCopyAfterItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := nettest.New(40)
		var ada, bob *user
		var his, hers []p2p.NodeID
		for apart := false; !apart; { // four mailboxes
			ada, bob = newUser(t, net, "Ada"), newUser(t, net, "Bob")
			befriend(t, ada, bob)
			time.Sleep(time.Minute)
			his, hers = ada.fetchesAt(bob), bob.fetchesAt(ada)
			if apart = !slices.ContainsFunc(his, func(id p2p.NodeID) bool { return slices.Contains(hers, id) }); !apart {
				ada.shutdown()
				bob.shutdown()
			}
		}
		away := append([]p2p.NodeID{his[1]}, hers...)
		for _, id := range away {
			net.SetDown(id, true)
		}

		const texts = 30
		ids := ada.sendAll(bob, numbered(texts))
		eventually(t, "shown", func() bool { return len(bob.texts(ada)) == texts })
		time.Sleep(watch.SecondCopy + time.Second)
		ids = append(ids, ada.sendAll(bob, []string{"one more"})...)
		eventually(t, "shown", func() bool { return len(bob.texts(ada)) == texts+1 })

		net.SetDown(away[0], false)
		eventually(t, "second copies", func() bool { return net.Boxes(his...) > texts/2 })
		for _, id := range away {
			net.SetDown(id, false)
		}
		eventually(t, "delivered", func() bool { return ada.reached(ids, api.StateDelivered) })
		time.Sleep(watch.LateAfter + time.Hour)
		if left := net.Boxes(his...); left > 0 {
			t.Errorf("%d boxes are left in his mailboxes", left)
		}
		ada.shutdown()
		bob.shutdown()
	})
}

// One of Bob's mailboxes drops all it is given. His client finds that out by boxes of
// its own, he moves, and Ada is told where to. All that she says meanwhile arrives, in
// order and once, and he misses nothing.
func TestMailboxThatDropsIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := nettest.New(12)
		net.Set(nettest.Settings{Again: 10 * time.Minute})
		net.SetTrials(true)
		ada, bob := newUser(t, net, "Ada"), newUser(t, net, "Bob")
		befriend(t, ada, bob)
		eventually(t, "quiet", func() bool { return ada.outboxIdle() && bob.outboxIdle() })
		time.Sleep(time.Minute)
		old := ada.fetchesAt(bob)
		net.SetStore(old[0], dropper{mailbox.NewMemory(1 << 10)})

		began, n := time.Now(), 0
		for ; slices.Contains(ada.fetchesAt(bob), old[0]); n++ {
			if time.Since(began) > 40*24*time.Hour {
				t.Fatal("he has not moved in 40 days")
			}
			ada.send(bob, fmt.Sprint(n))
			time.Sleep(6 * time.Hour)
		}
		t.Logf("moved after %v", time.Since(began))
		told := ada.fetchesAt(bob)
		if len(told) != 2 || !slices.Contains(told, old[1]) {
			t.Errorf("Bob fetched at %v, has told %v", old, told)
		}

		ids := ada.sendAll(bob, []string{fmt.Sprint(n), fmt.Sprint(n + 1)})
		time.Sleep(time.Hour)
		ada.waitAll(ids, api.StateDelivered)
		bob.wantSigned(ada, numbered(n+2)...)
		ada.shutdown()
		bob.shutdown()
	})
}
