package node

import (
	"slices"
	"testing"
	"time"

	"starling/node/api"
	"starling/node/chat"
	"starling/node/nettest"
	"starling/node/rooms"
	"starling/node/store"
	"starling/session/group"
)

func (h *hall) member(at *user, name string) (found api.Member) {
	h.t.Helper()
	all, err := at.Members(h.t.Context(), h.id)
	if err != nil {
		h.t.Fatal(err)
	}
	i := slices.IndexFunc(all, func(m api.Member) bool { return m.Name.String() == name })
	if i < 0 {
		h.t.Fatalf("no %s among %+v", name, all)
	}
	return all[i]
}

// TestRoomAside: a member offers another one a conversation of two. Only that one learns of it, nothing is
// opened before they take it, and both go by their names in the room.
func TestRoomAside(t *testing.T) {
	net := nettest.New(5)
	ada, bob, eve := newUser(t, net, "Ada"), newUser(t, net, "Bob"), newUser(t, net, "Eve")
	h := founded(t, ada, "the pier")
	link := h.link(ada, 2)
	for as, u := range map[string]*user{"Bobby": bob, "Evi": eve} {
		if _, err := u.JoinRoom(t.Context(), api.JoinRoomRequest{Link: link, Name: as}); err != nil {
			t.Fatal(err)
		}
	}
	for _, u := range []*user{ada, bob, eve} {
		h.waits(u, "all in", func(r api.Room) bool { return r.Members == 3 })
	}

	// Both newcomers know each other's keys.
	if _, err := eve.AnswerMember(t.Context(), api.MemberAnswerRequest{Room: h.id, Member: "Bobby", Accept: true}); api.CodeOf(err) != api.CodeNoInvite {
		t.Errorf("took what was not offered: %v", err)
	}
	got, err := bob.InviteMember(t.Context(), api.MemberInviteRequest{Room: h.id, Member: "Evi"})
	if err != nil || got.Member != h.room(eve).Me || time.Until(got.Expires) > 25*time.Hour {
		t.Fatalf("%+v, %v", got, err)
	}
	h.waits(eve, "asked", func(r api.Room) bool { return r.Asking == 1 })
	if !h.member(eve, "Bobby").Asking || h.member(eve, "Ada").Asking {
		t.Error("the wrong one asks")
	}
	h.says(bob, "after")
	h.hears(ada, 1)
	if all, _ := eve.Contacts(t.Context()); len(all) != 0 || h.room(ada).Asking != 0 {
		t.Fatal("it was opened, or others were told")
	}

	c, err := eve.AnswerMember(t.Context(), api.MemberAnswerRequest{Room: h.id, Member: "Bobby", Accept: true})
	if err != nil || c.Name.String() != "Bobby" || c.As.String() != "Evi" {
		t.Fatalf("%+v, %v", c, err)
	}
	if h.room(eve).Asking != 0 {
		t.Error("it is asked still")
	}
	m, err := eve.Send(t.Context(), api.SendRequest{Contact: c.ID, Text: "alone"})
	if err != nil {
		t.Fatal(err)
	}
	eve.waitState(m.ID, api.StateDelivered)
	all, _ := bob.Contacts(t.Context())
	if len(all) != 1 || all[0].Name.String() != "Evi" || all[0].As.String() != "Bobby" {
		t.Fatalf("Bob has %+v", all)
	}
	back, err := bob.Send(t.Context(), api.SendRequest{Contact: "Evi", Text: "at last"})
	if err != nil {
		t.Fatal(err)
	}
	bob.waitState(back.ID, api.StateDelivered)
	if all, _ := eve.Contacts(t.Context()); all[0].Name.String() != "Bobby" {
		t.Errorf("after the profile came Bob is called %q", all[0].Name)
	}
}

// content has a member say any content, as a program of their own would.
func (h *hall) content(u *user, c *chat.Content) {
	h.t.Helper()
	id, _ := store.ParseID(h.id)
	err := u.rooms.Update(h.t.Context(), id, func(t *rooms.Tx) error {
		return t.Tx.AddSay(store.Say{Room: id, ID: store.NewID(), Content: c.Encode(), Created: t.Now()})
	})
	if err != nil {
		h.t.Fatal(err)
	}
}

// sealed seals something for another member.
func (h *hall) sealed(from, to *user, plain string) (out []byte) {
	h.t.Helper()
	id, _ := store.ParseID(h.id)
	me, _ := store.ParseID(h.room(to).Me)
	err := from.rooms.Look(h.t.Context(), id, func(g *group.Room) (err error) {
		out, err = g.SealFor(group.ID(me), []byte(plain))
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return out
}

// TestRoomAsideLies: offers that are none, another's passed on, thousands of them, and one more after a
// refusal: the reader is told of one at most, and nothing of it is opened.
func TestRoomAsideLies(t *testing.T) {
	net := nettest.New(5)
	ada, bob, eve := newUser(t, net, "Ada"), newUser(t, net, "Bob"), newUser(t, net, "Eve")
	h := founded(t, ada, "the pier")
	h.joins(ada, bob, eve)
	link := func() string {
		i, err := bob.Invite(t.Context(), api.InviteRequest{})
		if err != nil {
			t.Fatal(err)
		}
		return i.Link
	}
	asks := func(sealed []byte) { h.content(bob, &chat.Content{Kind: chat.Aside, Sealed: sealed}) }
	ofAda := h.sealed(ada, eve, link())

	for _, lie := range []string{"x", "starling:", "come: " + link(), "https://example.org", h.link(ada, 1)} {
		asks(h.sealed(bob, eve, lie))
	}
	asks(ofAda) // Ada's, as if it were Bob's
	asks([]byte{1})
	asks(make([]byte, chat.MaxSealed))
	h.says(bob, "done")
	h.hears(eve, 1)
	if h.room(eve).Asking != 0 {
		t.Fatal("a lie is an offer")
	}
	refused := func() int64 { // counted once it is on disk, where the message is seen before
		s, _ := eve.Status(t.Context())
		return s.Refused["offer of a member"]
	}
	eventually(t, "Eve refuses them", func() bool { return refused() >= 5 })

	// Many are one, and after a refusal none.
	before := refused()
	for range 40 {
		asks(h.sealed(bob, eve, link()))
	}
	h.says(bob, "many")
	h.hears(eve, 2)
	eventually(t, "some of 48 offers in an hour are not looked at", func() bool { return refused() >= before+8 })
	told := func() (n int) {
		all, _ := eve.History(t.Context(), api.HistoryRequest{Contact: h.id, Limit: 1000})
		for _, m := range all {
			if m.Change != nil && m.Change.Kind == api.ChangeAside {
				n++
			}
		}
		return n
	}
	if told() != 1 || h.room(eve).Asking != 1 {
		t.Errorf("told %d times, %d ask", told(), h.room(eve).Asking)
	}
	if _, err := eve.AnswerMember(t.Context(), api.MemberAnswerRequest{Room: h.id, Member: "Bob"}); err != nil {
		t.Fatal(err)
	}
	eve.restart() // and the counting with it
	asks(h.sealed(bob, eve, link()))
	h.says(bob, "again")
	h.hears(eve, 3)
	if told() != 1 || h.room(eve).Asking != 0 {
		t.Errorf("after a refusal: told %d times, %d ask", told(), h.room(eve).Asking)
	}
}

// TestRoomInviteTo: a link is sent to a contact at once, who is in the room by it.
func TestRoomInviteTo(t *testing.T) {
	net := nettest.New(5)
	ada, bob := newUser(t, net, "Ada"), newUser(t, net, "Bob")
	befriend(t, ada, bob)
	h := founded(t, ada, "the pier")
	if _, err := ada.InviteToRoom(t.Context(), api.RoomInviteRequest{Room: h.id, To: "Carl"}); api.CodeOf(err) != api.CodeNoContact {
		t.Errorf("%v", err)
	}
	if _, err := ada.InviteToRoom(t.Context(), api.RoomInviteRequest{Room: h.id, To: h.id}); api.CodeOf(err) != api.CodeUsage {
		t.Errorf("%v", err)
	}
	if all, _ := ada.RoomInvites(t.Context(), h.id); len(all) != 0 {
		t.Errorf("links to nobody are open: %+v", all)
	}
	link, err := ada.InviteToRoom(t.Context(), api.RoomInviteRequest{Room: h.id, To: "Bob"})
	if err != nil || link.Message == nil || link.Message.Text.String() != link.Link {
		t.Fatalf("%+v, %v", link, err)
	}
	ada.waitState(link.Message.ID, api.StateDelivered)
	got := bob.texts(ada)
	h.asks(bob, got[len(got)-1])
	h.waits(bob, "let in", func(r api.Room) bool { return r.State == api.RoomReady })
}

// TestRoomLeaveForget: who leaves a room and erases it at once has still said so.
func TestRoomLeaveForget(t *testing.T) {
	net := nettest.New(5)
	ada, bob := newUser(t, net, "Ada"), newUser(t, net, "Bob")
	h := founded(t, ada, "the pier")
	h.joins(ada, bob)
	for _, node := range h.mailboxes(ada) {
		net.SetDown(node, true)
	}
	if err := bob.LeaveRoom(t.Context(), h.id); err != nil {
		t.Fatal(err)
	}
	if err := bob.RemoveContact(t.Context(), h.id); err != nil {
		t.Fatal(err)
	}
	bob.restart()
	for _, node := range h.mailboxes(ada) {
		net.SetDown(node, false)
	}
	h.waits(ada, "alone", func(r api.Room) bool { return r.Members == 1 })
}
