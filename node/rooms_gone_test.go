package node

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"starling/node/api"
	"starling/node/nettest"
	"starling/p2p"
)

// TestRoomWithoutMailboxes: both mailboxes of a room are gone for good, at once. Who is there, who comes back later, and who has only a
// link, meet elsewhere: all is said once, in order, and sent; and the room moves, once.
func TestRoomWithoutMailboxes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := nettest.New(9)
		ada, bob, eve, joe := newUser(t, net, "Ada"), newUser(t, net, "Bob"), newUser(t, net, "Eve"), newUser(t, net, "Joe")
		all := []*user{ada, bob, eve, joe}
		defer func() {
			for _, u := range all {
				u.shutdown()
			}
		}()
		h := founded(t, ada, "the pier")
		h.joins(ada, bob, eve)
		link := h.link(ada, 1)
		h.says(bob, "we are all here")
		h.hears(ada, 1)
		h.hears(eve, 1)
		time.Sleep(10 * time.Minute)
		eve.shutdown()

		before := h.places(ada)
		for _, m := range h.mailboxes(ada) {
			net.SetDown(m, true)
		}
		sent := h.says(bob, "where is everybody")
		time.Sleep(3 * time.Minute)
		h.hears(ada, 2)
		bob.waitState(sent.ID, api.StateSent)
		back := h.says(ada, "here")
		h.hears(bob, 3)
		ada.waitState(back.ID, api.StateSent)
		h.asks(joe, link)
		time.Sleep(3 * time.Minute)
		h.waits(joe, "let in", func(r api.Room) bool { return r.State == api.RoomReady })

		time.Sleep(3 * time.Hour)
		if n := h.places(ada); n != before+1 {
			t.Errorf("%d places, before %d", n, before)
		}
		last := h.says(joe, "I am new")
		joe.waitState(last.ID, api.StateSent)
		h.hears(ada, 4)
		eve.start()
		time.Sleep(5 * time.Minute)
		h.hears(eve, 4)
		h.says(eve, "late")
		want := []string{"Bob: we are all here", "Bob: where is everybody", "Ada: here", "Joe: I am new", "Eve: late"}
		for _, u := range []*user{ada, bob, eve} {
			if got := h.hears(u, 5); !slices.Equal(got, want) {
				t.Errorf("%s hears %q", u.name, got)
			}
		}
	})
}

// TestRoomDelayed: why a message is not sent is told while the mailboxes of its room do not answer: of what waits when that is found out, and of
// what is said later.
func TestRoomDelayed(t *testing.T) {
	t.Run("both", func(t *testing.T) { delayed(t, 2, "the mailboxes of the room do not answer") })
	t.Run("one", func(t *testing.T) { delayed(t, 1, "one mailbox of the room has it") })
}

func delayed(t *testing.T, gone int, want string) {
	synctest.Test(t, func(t *testing.T) {
		net := nettest.New(9)
		ada, bob := newUser(t, net, "Ada"), newUser(t, net, "Bob")
		defer func() { ada.shutdown(); bob.shutdown() }()
		h := founded(t, ada, "the pier")
		h.joins(ada, bob)
		time.Sleep(10 * time.Minute)
		for _, m := range h.mailboxes(ada)[:gone] {
			net.SetDown(m, true)
		}

		told := func(m api.Message) {
			t.Helper()
			if got, err := ada.Message(t.Context(), m.ID); err != nil || got.State != api.StateSealed || !strings.HasPrefix(got.Reason, want) {
				t.Errorf("%s: %s %q, %v", m.Text, got.State, got.Reason, err)
			}
			last := ""
			for _, e := range ada.log.all() {
				if e.Kind == api.EventState && e.ID == m.ID {
					last = e.Reason
				}
			}
			if !strings.HasPrefix(last, want) {
				t.Errorf("%s: told was %q", m.Text, last)
			}
		}
		first := h.says(ada, "before it is known")
		time.Sleep(45 * time.Second)
		second := h.says(ada, "after that")
		time.Sleep(time.Second)
		told(first)
		told(second)

		time.Sleep(10 * time.Minute)
		for _, m := range []api.Message{first, second} {
			ada.waitState(m.ID, api.StateSent)
			if got, err := ada.Message(t.Context(), m.ID); err != nil || got.Reason != "" {
				t.Errorf("%s is sent: %q, %v", m.Text, got.Reason, err)
			}
		}
	})
}

// TestRoomMailboxesComeBack: who was away while both mailboxes of a room were has everything from these once they are
// back; who had not seen them gone, too.
func TestRoomMailboxesComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := nettest.New(9)
		ada, bob, eve := newUser(t, net, "Ada"), newUser(t, net, "Bob"), newUser(t, net, "Eve")
		defer func() { ada.shutdown(); bob.shutdown(); eve.shutdown() }()
		h := founded(t, ada, "the pier")
		h.joins(ada, bob, eve)
		time.Sleep(10 * time.Minute)
		eve.shutdown()

		gone := h.mailboxes(ada)
		down := func(are bool) {
			for _, m := range gone {
				net.SetDown(m, are)
			}
		}
		down(true)
		time.Sleep(2 * time.Minute)
		h.says(ada, "one")
		h.hears(bob, 1)
		down(false)
		time.Sleep(2 * time.Minute)
		h.says(bob, "two")
		h.hears(ada, 2)
		eve.start()
		if got := h.hears(eve, 2); !slices.Equal(got, []string{"Ada: one", "Bob: two"}) {
			t.Errorf("%q", got)
		}
		for _, m := range gone {
			if slices.ContainsFunc(h.mailboxes(ada), func(n p2p.NodeID) bool { return n == m }) {
				return
			}
		}
		t.Error("the room has moved")
	})
}
