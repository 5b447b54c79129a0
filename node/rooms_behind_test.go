package node

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"starling/node/api"
	"starling/node/nettest"
)

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
