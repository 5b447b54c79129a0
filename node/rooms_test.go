package node

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"starling/node/api"
	"starling/node/nettest"
	"starling/node/rooms"
	"starling/node/store"
	"starling/p2p"
	"starling/p2p/p2ptest"
	"starling/session/group"
)

// only returns the texts of a list without their authors.
func only(all []string) (texts []string) {
	for _, s := range all {
		_, text, _ := strings.Cut(s, ": ")
		texts = append(texts, text)
	}
	return texts
}

// once fails unless every text is there exactly once.
func (h *hall) once(u *user, want []string) {
	h.t.Helper()
	got := only(h.heard(u))
	slices.Sort(got)
	want = slices.Sorted(slices.Values(want))
	if !slices.Equal(got, want) {
		h.t.Errorf("%s has %q, not %q", u.name, got, want)
	}
}

// mailboxes returns the mailboxes of the room, as somebody knows them.
func (h *hall) mailboxes(u *user) (all []p2p.NodeID) {
	h.t.Helper()
	id, _ := store.ParseID(h.id)
	err := u.rooms.Look(h.t.Context(), id, func(g *group.Room) error {
		for _, m := range g.Logs()[0].Mailboxes {
			all = append(all, p2p.NodeID(m.Node))
		}
		return nil
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return all
}

// places is how many places of the room somebody reads.
func (h *hall) places(u *user) (n int) {
	h.t.Helper()
	id, _ := store.ParseID(h.id)
	err := u.rooms.Look(h.t.Context(), id, func(g *group.Room) error {
		keys := map[string]bool{}
		for _, p := range g.Logs() {
			keys[p.Key] = true
		}
		n = len(keys)
		return nil
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return n
}

// TestRoomRemoved: nobody removed opens a later message, and the others go on.
func TestRoomRemoved(t *testing.T) {
	net := nettest.New(5)
	ada, bob, eve := newUser(t, net, "Ada"), newUser(t, net, "Bob"), newUser(t, net, "Eve")
	h := founded(t, ada, "the pier")
	h.joins(ada, bob, eve)
	h.says(ada, "before")
	h.hears(eve, 1)
	if _, err := ada.ChangeMember(t.Context(), api.MemberRequest{Room: h.id, Member: "Eve", Role: api.RoleNone}); err != nil {
		t.Fatal(err)
	}
	h.waits(eve, "removed", func(r api.Room) bool { return r.State == api.RoomRemoved })
	h.waits(bob, "one less", func(r api.Room) bool { return r.Members == 2 })
	h.says(ada, "after")
	h.says(bob, "me too")
	h.hears(bob, 3)
	h.hears(ada, 3)
	h.once(eve, []string{"before"})
	eve.restart()
	h.once(eve, []string{"before"})
}

// TestRoomLate: a newcomer is given nothing, or the last messages, as the room says; and waits for
// nothing that was said before.
func TestRoomLate(t *testing.T) {
	for _, history := range []int{0, 100} {
		t.Run(fmt.Sprint(history), func(t *testing.T) {
			net := nettest.New(5)
			ada, bob, eve := newUser(t, net, "Ada"), newUser(t, net, "Bob"), newUser(t, net, "Eve")
			h := founded(t, ada, "the pier")
			if _, err := ada.ChangeRoom(t.Context(), api.RoomRequest{Room: h.id, History: &history}); err != nil {
				t.Fatal(err)
			}
			h.joins(ada, bob)
			for i := range 3 {
				h.says(bob, fmt.Sprint("old ", i))
			}
			seen := drawn(t, 40)
			for _, req := range []api.SendRequest{{Picture: seen}, {Text: "with a file", File: &api.SendFile{Name: "x.txt", Data: []byte("kept")}}} {
				req.Contact = h.id
				if _, err := bob.Send(t.Context(), req); err != nil {
					t.Fatal(err)
				}
			}
			h.hears(ada, 5)
			h.joins(ada, eve)
			h.waits(bob, "all in", func(r api.Room) bool { return r.Members == 3 })
			given := len(h.heard(eve))
			if all, _ := eve.History(t.Context(), api.HistoryRequest{Contact: h.id}); history > 0 {
				at := slices.IndexFunc(all, func(m api.Message) bool { return m.Picture != nil })
				if at < 0 || len(all[at].Picture.Data) == 0 || all[at].From.String() != "Bob" {
					t.Fatalf("no picture among %+v", all)
				}
				at = slices.IndexFunc(all, func(m api.Message) bool { return m.File != nil })
				if at < 0 {
					t.Fatal("no file")
				}
				if m, err := eve.Message(t.Context(), all[at].ID); err != nil || string(m.File.Data) != "kept" || m.Text.String() != "with a file" {
					t.Errorf("%+v, %v", m, err)
				}
			}
			if want := map[int]int{0: 0, 100: 5}[history]; given != want || h.room(eve).Unread > 1 {
				t.Fatalf("given %d, %d unread", given, h.room(eve).Unread)
			}
			h.says(bob, "new")
			h.says(ada, "newer")
			got := h.hears(eve, given+2)
			if !slices.Contains(got, "Bob: new") || !slices.Contains(got, "Ada: newer") {
				t.Errorf("%q", got)
			}
		})
	}
}

// TestRoomRestarted: everybody is started again and again while they talk, over a network that loses,
// doubles and overtakes: each text is shown once.
func TestRoomRestarted(t *testing.T) {
	net := nettest.New(5)
	ada, bob, eve := newUser(t, net, "Ada"), newUser(t, net, "Bob"), newUser(t, net, "Eve")
	all := []*user{ada, bob, eve}
	h := founded(t, ada, "the pier")
	h.joins(ada, bob, eve)
	net.Set(nettest.Settings{Delay: 2 * time.Millisecond, LosePut: .1, LoseAnswer: .1, LosePush: .1, Duplicate: .2, Timeout: 5 * time.Millisecond, Again: 10 * time.Millisecond})
	var said []string
	for i := range 15 {
		u := all[i%3]
		said = append(said, fmt.Sprint(i))
		h.says(u, said[i])
		if i%2 == 0 {
			all[(i/2)%3].restart()
		}
	}
	for _, u := range all {
		h.hears(u, len(said))
		h.once(u, said)
	}
}

// TestRoomCauses: an answer is never shown before the message that its author had seen.
func TestRoomCauses(t *testing.T) {
	net := nettest.New(5)
	ada, bob, eve := newUser(t, net, "Ada"), newUser(t, net, "Bob"), newUser(t, net, "Eve")
	h := founded(t, ada, "the pier")
	h.joins(ada, bob, eve)
	net.Set(nettest.Settings{Delay: 20 * time.Millisecond, LosePush: .5, Again: 20 * time.Millisecond})
	for i := range 12 {
		u := []*user{ada, bob}[i%2]
		h.says(u, fmt.Sprint(i))
		h.hears([]*user{bob, ada}[i%2], i+1)
	}
	if got := only(h.hears(eve, 12)); !slices.Equal(got, numbered(12)) {
		t.Errorf("%q", got)
	}
}

// TestRoomMailboxDown: one of the two mailboxes falls silent: the room goes on, and moves.
func TestRoomMailboxDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := nettest.New(5)
		ada, bob := newUser(t, net, "Ada"), newUser(t, net, "Bob")
		defer func() { ada.shutdown(); bob.shutdown() }()
		h := founded(t, ada, "the pier")
		h.joins(ada, bob)
		net.SetDown(h.mailboxes(ada)[0], true)
		sent := h.says(ada, "one")
		h.hears(bob, 1)
		if m, _ := ada.Message(t.Context(), sent.ID); m.State != api.StateSealed {
			t.Errorf("with one mailbox it is %s", m.State)
		}
		time.Sleep(time.Hour) // it is looked after
		back := h.says(bob, "two")
		h.hears(ada, 2)
		bob.waitState(back.ID, api.StateSent)
	})
}

// TestRoomMovesOnce: one of the two mailboxes is gone for good. Owner and admins all see it, and one of them takes the room away from
// it, once: the place before is read still, with the mailbox that is gone, and is no reason to move again.
func TestRoomMovesOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := nettest.New(5)
		ada, bob, eve := newUser(t, net, "Ada"), newUser(t, net, "Bob"), newUser(t, net, "Eve")
		all := []*user{ada, bob, eve}
		defer func() {
			for _, u := range all {
				u.shutdown()
			}
		}()
		h := founded(t, ada, "the pier")
		h.joins(ada, bob, eve)
		for _, name := range []string{"Bob", "Eve"} {
			if _, err := ada.ChangeMember(t.Context(), api.MemberRequest{Room: h.id, Member: name, Role: api.RoleAdmin}); err != nil {
				t.Fatal(err)
			}
		}
		h.says(eve, "we are all here")
		h.hears(ada, 1)
		time.Sleep(10 * time.Minute)

		before := map[*user]int{}
		for _, u := range all {
			before[u] = h.places(u)
		}
		net.SetDown(h.mailboxes(ada)[0], true)
		time.Sleep(3 * time.Hour)
		for _, u := range all {
			if n := h.places(u); n != before[u]+1 {
				t.Errorf("%s knows %d places, before %d", u.name, n, before[u])
			}
		}
		sent := h.says(bob, "in another place")
		bob.waitState(sent.ID, api.StateSent)
		h.hears(eve, 2)
	})
}

// TestRoomFull: a room holds 32 people; the 33rd is told so.
func TestRoomFull(t *testing.T) {
	net := nettest.New(5)
	ada := newUser(t, net, "Ada")
	h := founded(t, ada, "many")
	link := h.link(ada, 40)
	var all []*user
	for i := range api.MaxMembers {
		u := newUser(t, net, fmt.Sprint("guest ", i))
		all = append(all, u)
		h.asks(u, link)
	}
	in, out := 0, 0
	for _, u := range all {
		h.waits(u, "an answer", func(r api.Room) bool { return r.State != api.RoomPending })
		switch h.room(u).State {
		case api.RoomReady:
			in++
		case api.RoomRefused:
			out++
		}
	}
	if in != api.MaxMembers-1 || out != 1 {
		t.Errorf("%d are in, %d were refused", in, out)
	}
	h.says(ada, "welcome")
	for _, u := range all {
		if h.room(u).State == api.RoomReady {
			h.hears(u, 1)
		}
	}
}

// TestRoomLinkUsedUp: a link for two that eight use at once lets two in.
func TestRoomLinkUsedUp(t *testing.T) {
	net := nettest.New(5)
	ada := newUser(t, net, "Ada")
	h := founded(t, ada, "few")
	link := h.link(ada, 2)
	states := make(map[api.RoomState]int)
	var all []*user
	for i := range 8 {
		u := newUser(t, net, fmt.Sprint("guest ", i))
		all = append(all, u)
		h.asks(u, link)
	}
	for _, u := range all {
		h.waits(u, "an answer", func(r api.Room) bool { return r.State != api.RoomPending })
		states[h.room(u).State]++
	}
	if states[api.RoomReady] != 2 || states[api.RoomRefused] != 6 {
		t.Errorf("%v", states)
	}
}

// TestRoomNames: the longest name and the shortest.
func TestRoomNames(t *testing.T) {
	net := nettest.New(5)
	ada, bob := newUser(t, net, "Ada"), newUser(t, net, "Bob")
	for _, name := range []string{strings.Repeat("ä", 32), "🦜"} {
		h := founded(t, ada, name)
		h.joins(ada, bob)
		if got := h.room(bob).Name.String(); got != name {
			t.Errorf("%q is called %q", name, got)
		}
		if _, err := bob.Send(t.Context(), api.SendRequest{Contact: name, Text: "hi"}); err != nil {
			t.Error(err)
		}
		h.hears(ada, 1)
	}

	// A room that somebody else calls like a person or another room does not stand in their place.
	befriend(t, ada, bob)
	h := founded(t, bob, "Bob")
	h.joins(bob, ada)
	if got := h.room(ada).Name.String(); got == "Bob" || !strings.HasPrefix(got, "Bob (") {
		t.Errorf("the room is called %q", got)
	}
	m := ada.send(bob, "to the person")
	ada.waitState(m.ID, api.StateDelivered)
}

// TestRoomRestored: a profile that is put back from an older copy comes back to the room by itself: what
// was said meanwhile is there once, and it speaks again.
func TestRoomRestored(t *testing.T) {
	net := nettest.New(5)
	ada, bob := newUser(t, net, "Ada"), newMarkedUser(t, net, "Bob")
	h := founded(t, ada, "the pier")
	h.joins(ada, bob)
	h.says(bob, "one")
	h.hears(ada, 1)
	bob.shutdown()
	old := bob.copyProfile()
	bob.start()
	h.says(bob, "two")
	h.says(ada, "three")
	h.hears(bob, 3)
	h.hears(ada, 3)
	bob.shutdown()
	bob.putBack(old)
	bob.start()
	h.hears(bob, 3)
	h.says(bob, "four")
	h.hears(ada, 4)
	h.says(ada, "five")
	h.hears(bob, 5)
	for _, u := range []*user{ada, bob} {
		h.once(u, []string{"one", "two", "three", "four", "five"})
		if f := h.room(u).Forks; len(f) > 0 {
			t.Errorf("%s is shown %v", u.name, f)
		}
	}
}

// TestRoomLetsInLater: somebody asks at a moment when nobody can be let in, within the hour after an owner has come back from a
// backup. They are let in when it is over, without asking again.
func TestRoomLetsInLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := nettest.New(5)
		ada, bob, eve := newMarkedUser(t, net, "Ada"), newUser(t, net, "Bob"), newUser(t, net, "Eve")
		defer func() { ada.shutdown(); bob.shutdown(); eve.shutdown() }()
		h := founded(t, ada, "the pier")
		h.joins(ada, bob)
		link := h.link(ada, 1)
		ada.shutdown()
		old := ada.copyProfile()
		ada.start()
		h.says(ada, "after the backup")
		h.hears(bob, 1)
		ada.shutdown()
		ada.putBack(old)
		ada.start()
		time.Sleep(time.Minute)

		h.asks(eve, link)
		time.Sleep(30 * time.Minute)
		if s := h.room(eve).State; s != api.RoomPending {
			t.Errorf("after half an hour Eve is %s", s)
		}
		time.Sleep(35 * time.Minute)
		if s := h.room(eve).State; s != api.RoomReady {
			t.Errorf("after an hour Eve is %s", s)
		}
		h.says(eve, "in at last")
		h.hears(ada, 2)
	})
}

// TestRoomClock: on a computer whose clock is a year off a room is as elsewhere, and its times are
// those of the relays.
func TestRoomClock(t *testing.T) {
	for _, ahead := range []time.Duration{365 * 24 * time.Hour, -365 * 24 * time.Hour} {
		net := nettest.New(5)
		ada, bob := newUser(t, net, "Ada"), newUser(t, net, "Bob")
		ada.link.SetAhead(ahead)
		bob.link.SetAhead(ahead)
		h := founded(t, ada, "the pier")
		h.joins(ada, bob)
		h.says(bob, "one")
		h.hears(ada, 1)
		h.says(ada, "two")
		h.hears(bob, 2)
		if made := h.room(bob).Created; time.Since(made)-ahead > time.Hour || time.Since(made)-ahead < 0 {
			t.Errorf("made at %v", made)
		}
	}
}

// TestRoomAway: somebody was away for 15 days, while the keys changed: they come back by themselves.
func TestRoomAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := nettest.New(5)
		net.Set(nettest.Settings{Again: time.Minute})
		ada, bob, eve := newUser(t, net, "Ada"), newUser(t, net, "Bob"), newUser(t, net, "Eve")
		defer func() { ada.shutdown(); bob.shutdown(); eve.shutdown() }()
		h := founded(t, ada, "the pier")
		h.joins(ada, bob, eve)
		h.says(bob, "one")
		h.hears(ada, 1)
		bob.shutdown()
		for range 15 {
			time.Sleep(24 * time.Hour)
			h.says(ada, "a day")
		}
		bob.start()
		h.waits(bob, "back", func(r api.Room) bool { return r.State == api.RoomReady })
		time.Sleep(time.Hour)
		h.says(bob, "I am back")
		eventually(t, "Bob is heard", func() bool { return slices.Contains(h.heard(ada), "Bob: I am back") })
		h.says(ada, "welcome")
		eventually(t, "Ada is heard", func() bool { return slices.Contains(h.heard(bob), "Ada: welcome") })
	})
}

// TestRoomOverRelays is a room of three over real relays, in virtual time.
func TestRoomOverRelays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := p2ptest.Virtual(t, 12, slow, nil)
		defer m.Stop()
		m.Settle(12)
		ada, bob, eve := newVirtualUser(t, m, "Ada", 100), newVirtualUser(t, m, "Bob", 101), newVirtualUser(t, m, "Eve", 102)
		defer func() { ada.shutdown(); bob.shutdown(); eve.shutdown() }()
		began := time.Now()
		h := founded(t, ada, "the pier")
		t.Logf("made in %v", time.Since(began))
		began = time.Now()
		h.joins(ada, bob, eve)
		t.Logf("two let in after %v", time.Since(began))
		time.Sleep(5 * time.Minute)
		for i, u := range []*user{bob, ada, eve} {
			began = time.Now()
			sent := h.says(u, fmt.Sprint(i))
			for _, o := range []*user{ada, bob, eve} {
				h.hears(o, i+1)
			}
			t.Logf("shown to all after %v", time.Since(began))
			u.waitState(sent.ID, api.StateSent)
		}
	})
}

// TestRoomLost: both mailboxes say of a sudden that they do not have the room's logs. One asks at its door, and meanwhile
// goes on: says and hears as before.
func TestRoomLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := nettest.New(5)
		ada, bob := newUser(t, net, "Ada"), newUser(t, net, "Bob")
		defer func() { ada.shutdown(); bob.shutdown() }()
		h := founded(t, ada, "the pier")
		h.joins(ada, bob)
		h.says(ada, "one")
		h.hears(bob, 1)
		room, _ := store.ParseID(h.id)
		var logs []rooms.End
		bob.rooms.Look(t.Context(), room, func(g *group.Room) error {
			place := g.Logs()[0]
			for _, m := range place.Mailboxes {
				logs = append(logs, rooms.End{Key: hex.EncodeToString(room[:]) + "/" + place.Key, Node: m.Node, Name: place.Names[0]})
			}
			return nil
		})
		net.Set(nettest.Settings{Delay: time.Second, Timeout: time.Minute})
		for _, end := range logs {
			bob.rooms.OnEnd(end)
		}
		h.says(ada, "two")
		h.hears(bob, 2)
		for i := range 5 {
			h.says(bob, fmt.Sprint("still here ", i))
		}
		h.hears(ada, 7)
		if h.room(bob).State != api.RoomReady {
			t.Errorf("Bob is %s", h.room(bob).State)
		}
	})
}

// TestRoomWiped: both mailboxes of a room lose their disks at once, while everybody is there, or while the owner or a
// member is not. All find back by themselves and hear each other, nothing is signed twice, and a link from before still works.
func TestRoomWiped(t *testing.T) {
	for _, gone := range []string{"nobody", "Ada", "Eve"} {
		t.Run(gone, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				net := nettest.New(5)
				ada, bob, eve := newUser(t, net, "Ada"), newUser(t, net, "Bob"), newUser(t, net, "Eve")
				late := newUser(t, net, "Late")
				all := []*user{ada, bob, eve}
				defer func() {
					for _, u := range append(all, late) {
						u.shutdown()
					}
				}()
				h := founded(t, ada, "the pier")
				h.joins(ada, bob, eve)
				link := h.link(ada, 1)
				for i, u := range all {
					h.says(u, u.name+" before")
					for _, o := range all {
						h.hears(o, i+1)
					}
				}
				time.Sleep(time.Minute)
				for _, u := range all {
					if u.name == gone {
						u.shutdown()
					}
				}
				for _, m := range h.mailboxes(bob) {
					net.Wipe(m)
				}
				time.Sleep(time.Hour)
				h.says(bob, "somebody is there")
				for _, u := range all {
					if u.name == gone {
						u.start()
					}
				}
				time.Sleep(3 * time.Hour)
				for _, u := range all {
					h.says(u, u.name+" after")
				}
				for _, u := range all {
					eventually(t, u.name+" hears all", func() bool {
						heard := h.heard(u)
						return !slices.ContainsFunc(all, func(o *user) bool { return !slices.Contains(heard, o.name+": "+o.name+" after") })
					})
				}
				h.asks(late, link)
				h.waits(late, "let in", func(r api.Room) bool { return r.State == api.RoomReady })
				h.says(late, "so am I")
				for _, u := range all {
					eventually(t, u.name+" hears the last", func() bool { return slices.Contains(h.heard(u), "Late: so am I") })
					if r := h.room(u); r.State != api.RoomReady || len(r.Forks) > 0 || r.Members != 4 {
						t.Errorf("%s: %+v", u.name, r)
					}
				}
			})
		})
	}
}

// TestRequestLost: somebody asks to be let in while the owner is away, and both mailboxes lose their disks. The request is
// made again once the owner has put the card of the link again.
func TestRequestLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := nettest.New(5)
		ada, bob, late := newUser(t, net, "Ada"), newUser(t, net, "Bob"), newUser(t, net, "Late")
		defer func() { ada.shutdown(); bob.shutdown(); late.shutdown() }()
		h := founded(t, ada, "the pier")
		h.joins(ada, bob)
		link := h.link(ada, 1)
		time.Sleep(time.Minute)
		ada.shutdown()
		h.asks(late, link)
		h.waits(late, "asks", func(r api.Room) bool { return r.Me != "" })
		time.Sleep(time.Minute)
		for _, m := range h.mailboxes(bob) {
			net.Wipe(m)
		}
		time.Sleep(time.Hour)
		ada.start()
		eventually(t, "let in", func() bool { time.Sleep(time.Minute); return h.room(late).State == api.RoomReady })
		h.says(late, "here")
		for _, u := range []*user{ada, bob} {
			eventually(t, u.name+" hears", func() bool { return slices.Contains(h.heard(u), "Late: here") })
		}
	})
}
