package node

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"starling/node/api"
	"starling/node/nettest"
)

// lostWhileAway has both be away for 16 days, while the mailboxes lose their disks.
func (h *hall) lostWhileAway(net *nettest.Net, ada, bob *user) {
	mailboxes := h.mailboxes(bob)
	ada.shutdown()
	bob.shutdown()
	time.Sleep(16 * 24 * time.Hour)
	for _, m := range mailboxes {
		net.Wipe(m)
	}
}

// TestRoomOwnerBehindLoss: the only one with rights puts back a copy of their profile of before a removal, after both mailboxes have lost
// their disks. The members tell them by themselves: they know who is in the room, speak and hear again, and the person removed hears
// nothing.
func TestRoomOwnerBehindLoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := nettest.New(5)
		ada, bob, eve, dan := newMarkedUser(t, net, "Ada"), newUser(t, net, "Bob"), newUser(t, net, "Eve"), newUser(t, net, "Dan")
		all := []*user{ada, bob, dan}
		defer func() {
			for _, u := range append(all, eve) {
				u.shutdown()
			}
		}()
		h := founded(t, ada, "the pier")
		h.joins(ada, bob, eve)
		h.says(bob, "one")
		h.hears(ada, 1)
		time.Sleep(time.Minute)
		ada.shutdown()
		old := ada.copyProfile()
		ada.start()
		if _, err := ada.ChangeMember(t.Context(), api.MemberRequest{Room: h.id, Member: "Eve", Role: api.RoleNone}); err != nil {
			t.Fatal(err)
		}
		h.waits(bob, "Eve is out", func(r api.Room) bool { return r.Members == 2 && !r.Healing })
		h.joins(ada, dan)
		h.says(ada, "two")
		h.hears(bob, 2)
		time.Sleep(time.Minute)

		ada.shutdown()
		for _, m := range h.mailboxes(bob) {
			net.Wipe(m)
		}
		ada.putBack(old)
		ada.start()
		time.Sleep(3 * time.Hour)
		for _, u := range all {
			h.says(u, u.name+" after")
		}
		time.Sleep(20 * time.Minute) // what is lost on its way is asked for later
		for _, u := range all {
			eventually(t, u.name+" hears all", func() bool {
				heard := h.heard(u)
				return !slices.ContainsFunc(all, func(o *user) bool { return !slices.Contains(heard, o.name+": "+o.name+" after") })
			})
			if r := h.room(u); r.State != api.RoomReady || len(r.Forks) > 0 || r.Members != 3 || r.Healing {
				t.Errorf("%s: %+v", u.name, r)
			}
		}
		if got := h.heard(eve); slices.ContainsFunc(got, func(s string) bool { return s != "Bob: one" }) {
			t.Errorf("Eve hears %q", got)
		}
	})
}

// TestRoomOwnerOfAnOldCopy: the only one with rights puts back a copy of 16 days ago, when the mailboxes have nothing of then any more
// and nobody is there. They are told what that means, in the conversation and in the status, and could leave. As soon
// as somebody is heard, it is over.
func TestRoomOwnerOfAnOldCopy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := nettest.New(5)
		ada, bob := newMarkedUser(t, net, "Ada"), newUser(t, net, "Bob")
		defer func() {
			ada.shutdown()
			bob.shutdown()
		}()
		h := founded(t, ada, "the pier")
		h.joins(ada, bob)
		h.says(ada, "one")
		h.hears(bob, 1)
		time.Sleep(time.Minute)
		ada.shutdown()
		old := ada.copyProfile()
		ada.start()
		h.says(ada, "two")
		h.hears(bob, 2)
		time.Sleep(time.Minute)

		h.lostWhileAway(net, ada, bob)
		ada.putBack(old)
		ada.start()
		h.waits(ada, "told that nobody may read", func(r api.Room) bool { return r.Unheard })
		if s, err := ada.Status(t.Context()); err != nil || s.RoomsUnheard != 1 || s.Rooms != 1 {
			t.Errorf("%+v, %v", s, err)
		}
		all, err := ada.History(t.Context(), api.HistoryRequest{Contact: h.id})
		told := func(m api.Message) bool {
			return m.Change != nil && m.Change.Kind == api.ChangeUnheard && m.Change.Self && !m.Outgoing
		}
		if err != nil || !slices.ContainsFunc(all, told) {
			t.Errorf("no notice: %+v, %v", all, err)
		}
		ada.restart()
		if !h.room(ada).Unheard {
			t.Error("forgotten by a restart")
		}
		waits, err := ada.Send(t.Context(), api.SendRequest{Contact: h.id, Text: "is somebody there"})
		if err != nil {
			t.Fatal(err)
		}
		is := func(state api.State, reason string) func() bool {
			return func() bool {
				all, err := ada.History(t.Context(), api.HistoryRequest{Contact: h.id, Limit: 1})
				return err == nil && len(all) == 1 && all[0].ID == waits.ID && all[0].State == state && strings.HasPrefix(all[0].Reason, reason) && (reason == "") == (all[0].Reason == "")
			}
		}
		eventually(t, "told why it waits", is(api.StateQueued, "after a backup or a long absence"))
		eventually(t, "sent", is(api.StateSent, ""))

		bob.start()
		h.says(bob, "here I am")
		h.waits(ada, "somebody is heard", func(r api.Room) bool { return !r.Unheard && r.State == api.RoomReady })
		if s, err := ada.Status(t.Context()); err != nil || s.RoomsUnheard != 0 {
			t.Errorf("%+v, %v", s, err)
		}
		if h.room(bob).Unheard {
			t.Error("Bob was not away")
		}
	})
}

// TestRoomOwnerLeavesAnOldCopy: who hears nobody leaves a room that they own, though others are in it by their copy.
func TestRoomOwnerLeavesAnOldCopy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := nettest.New(5)
		ada, bob := newMarkedUser(t, net, "Ada"), newUser(t, net, "Bob")
		defer ada.shutdown()
		h := founded(t, ada, "the pier")
		h.joins(ada, bob)
		time.Sleep(time.Minute)
		ada.shutdown()
		old := ada.copyProfile()
		ada.start()
		if err := ada.LeaveRoom(t.Context(), h.id); api.CodeOf(err) != api.CodeRank {
			t.Errorf("left with others in it: %v", err)
		}
		h.says(ada, "one")
		h.hears(bob, 1)
		time.Sleep(time.Minute)

		h.lostWhileAway(net, ada, bob)
		ada.putBack(old)
		ada.start()
		h.waits(ada, "told", func(r api.Room) bool { return r.Unheard })
		if err := ada.LeaveRoom(t.Context(), h.id); err != nil {
			t.Fatal(err)
		}
		if r := h.room(ada); r.State != api.RoomLeft || r.Unheard {
			t.Errorf("%+v", r)
		}
		if err := ada.RemoveContact(t.Context(), h.id); err != nil {
			t.Error(err)
		}
	})
}
