package node

import (
	"bytes"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"starling/node/api"
	"starling/node/chat"
	"starling/node/nettest"
	"starling/node/store"
	"starling/p2p/book"
	"starling/p2p/bridge"
	"starling/session/group"
)

// forged is a link into a room with another group in it: its maker chooses all of it.
func forged(t *testing.T, link string, id []byte) string {
	t.Helper()
	letters := base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)
	b, err := letters.DecodeString(strings.TrimPrefix(link, group.LinkPrefix))
	if err != nil {
		t.Fatal(err)
	}
	b = b[:len(b)-4]
	copy(b[40:72], append(bytes.Clone(id), make([]byte, 32-len(id))...))
	sum := sha256.Sum256(append([]byte("Starling v1 hash: link"), b...))
	return group.LinkPrefix + letters.EncodeToString(append(b, sum[:4]...))
}

// TestRoomUnderAnotherID: a link says that its room is the note to self, nothing, or a contact. It is no link.
func TestRoomUnderAnotherID(t *testing.T) {
	net := nettest.New(5)
	ada, bob := newUser(t, net, "Ada"), newUser(t, net, "Bob")
	befriend(t, ada, bob)
	h := founded(t, ada, "the pier")
	link := h.link(ada, 2)
	contact, _ := store.ParseID(bob.contact(ada).ID)
	for what, id := range map[string]store.ID{"self": store.Self, "nothing": {}, "a contact": contact} {
		_, err := bob.JoinRoom(t.Context(), api.JoinRoomRequest{Link: forged(t, link, id[:])})
		if api.CodeOf(err) != api.CodeBadInvite {
			t.Errorf("%s: %v", what, err)
		}
	}
	if all, err := bob.ListRooms(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("%+v, %v", all, err)
	}
}

// TestRoomLogOfAnother: a link into another room names a log of this one. Both read it, and each finds what is for it.
func TestRoomLogOfAnother(t *testing.T) {
	net := nettest.New(5)
	ada, bob := newUser(t, net, "Ada"), newUser(t, net, "Bob")
	h := founded(t, ada, "the pier")
	link := h.link(ada, 2)
	if _, err := ada.JoinRoom(t.Context(), api.JoinRoomRequest{Link: forged(t, link, bytes.Repeat([]byte{7}, 32))}); err != nil {
		t.Fatal(err)
	}
	h.asks(bob, link)
	h.waits(bob, "let in", func(r api.Room) bool { return r.State == api.RoomReady })
	ada.restart()
	h.says(bob, "in")
	h.hears(ada, 1)
}

// TestRoomGiftTooLong: a member makes a file so long by its caption, at once or by an edit, that no gift holds it. Newcomers are
// let in, and given what there is beside.
func TestRoomGiftTooLong(t *testing.T) {
	net := nettest.New(5)
	ada, bob, eve := newUser(t, net, "Ada"), newUser(t, net, "Bob"), newUser(t, net, "Eve")
	h := founded(t, ada, "the pier")
	history := 100
	if _, err := ada.ChangeRoom(t.Context(), api.RoomRequest{Room: h.id, History: &history}); err != nil {
		t.Fatal(err)
	}
	h.joins(ada, bob)
	file := func(caption int) *chat.Content {
		return &chat.Content{Kind: chat.File, File: make([]byte, api.MaxFile), FileName: "x", Text: strings.Repeat("x", caption)}
	}
	room := chat.MaxContent - len(file(1).Encode()) + 1
	h.utters(bob, store.ID{1}, file(room).Encode())
	h.utters(bob, store.ID{2}, file(room-20).Encode()) // with a head of its own it is too long
	small := file(1)
	h.utters(bob, store.ID{3}, small.Encode())
	me, _ := store.ParseID(h.room(bob).Me)
	name := store.RoomContent(store.MemberID(me), [16]byte{3})
	h.utters(bob, store.ID{4}, (&chat.Content{Kind: chat.Edit, Ref: chat.ID(name), Text: strings.Repeat("y", api.MaxText)}).Encode())
	h.says(bob, "and this")
	h.hears(ada, 4)
	eventually(t, "the edit is refused", func() bool {
		s, _ := ada.Status(t.Context())
		return s.Refused["edit of a caption"] > 0
	})
	h.joins(ada, eve)
	if got := h.heard(eve); len(got) != 2 || got[1] != "Bob: and this" {
		t.Errorf("Eve is given %d messages", len(got))
	}
}

// TestRoomAsideWithABridge: an offer carries a bridge beside the invite: it is no offer.
func TestRoomAsideWithABridge(t *testing.T) {
	net := nettest.New(5)
	ada, bob := newUser(t, net, "Ada"), newUser(t, net, "Bob")
	h := founded(t, ada, "the pier")
	h.joins(ada, bob)
	i, err := bob.Invite(t.Context(), api.InviteRequest{})
	if err != nil {
		t.Fatal(err)
	}
	way := &bridge.Link{ID: [32]byte{7}, Addresses: []book.Address{book.Web(netip.MustParseAddrPort("20.1.2.3:443"))}}
	for _, text := range []string{i.Link + "," + way.String(), way.String() + "," + i.Link, i.Link + ".", "." + i.Link} {
		h.content(bob, &chat.Content{Kind: chat.Aside, Sealed: h.sealed(bob, ada, text)})
	}
	h.says(bob, "done")
	h.hears(ada, 1)
	if h.room(ada).Asking != 0 {
		t.Error("a bridge is taken for an offer")
	}
	h.content(bob, &chat.Content{Kind: chat.Aside, Sealed: h.sealed(bob, ada, i.Link)})
	h.waits(ada, "asked", func(r api.Room) bool { return r.Asking == 1 })
}

// TestWrongClockClosesNoRoom: a computer's clock is a year ahead, and the relays have not told the time: neither is a request to be let in
// given up, nor what is on its way, nor a link.
func TestWrongClockClosesNoRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := nettest.New(5)
		ada, bob := newUser(t, net, "Ada"), newUser(t, net, "Bob")
		defer func() { ada.shutdown(); bob.shutdown() }()
		h := founded(t, ada, "the pier")
		link := h.link(ada, 1)
		ada.shutdown()
		h.asks(bob, link)
		h.waits(bob, "asks", func(r api.Room) bool { return r.Me != "" })
		bob.shutdown()

		time.Sleep(year)
		for _, u := range []*user{ada, bob} {
			u.untold()
			u.start()
		}
		for _, node := range net.Mailboxes() {
			net.SetDown(node, true)
		}
		said := h.says(ada, "on its way")
		time.Sleep(time.Hour)
		if r := h.room(bob); r.State != api.RoomPending {
			t.Errorf("Bob's request is %s", r.State)
		}
		if m, _ := ada.Message(t.Context(), said.ID); m.State == api.StateFailed {
			t.Errorf("given up: %s", m.Reason)
		}
		for _, u := range []*user{ada, bob} {
			u.link.SetAhead(year)
		}
		time.Sleep(time.Hour)
		if all, err := ada.RoomInvites(t.Context(), h.id); err != nil || len(all) != 1 || all[0].Link != link {
			t.Errorf("links: %+v, %v", all, err)
		}
		if r := h.room(bob); r.State != api.RoomPending {
			t.Errorf("Bob's request is %s", r.State)
		}
		for _, u := range []*user{ada, bob} {
			u.link.SetAhead(0) // it was right
		}
		time.Sleep(time.Hour)
		if r := h.room(bob); r.State != api.RoomRefused {
			t.Errorf("a year after its end the request is %s", r.State)
		}
	})
}

// TestFilledLinkIsTold: so many entries came into the log of a link that somebody must be filling it. Its author is told once both mailboxes say
// so, as one of them may lie.
func TestFilledLinkIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := nettest.New(5)
		ada := newUser(t, net, "Ada")
		defer func() { ada.shutdown() }()
		h := founded(t, ada, "the pier")
		h.link(ada, 1)
		h.link(ada, 1)
		time.Sleep(time.Minute)
		room, _ := store.ParseID(h.id)
		var log [16]byte
		ada.rooms.Look(t.Context(), room, func(g *group.Room) error { log = g.Links()[0].Log; return nil })
		var read []store.LogPosition
		err := ada.store.View(t.Context(), func(tx *store.Tx) (err error) { read, err = tx.LogPositions(room); return err })
		if err != nil {
			t.Fatal(err)
		}
		read = slices.DeleteFunc(read, func(p store.LogPosition) bool { return p.Name != log })
		if len(read) != 2 || read[0].Position != 1 {
			t.Fatalf("the log of the link was read up to %+v", read)
		}
		crowded := func(one, other uint32) (first, second bool) {
			err := ada.store.Update(t.Context(), func(tx *store.Tx) error {
				read[0].Position, read[1].Position = one, other
				return errors.Join(tx.SetLogPosition(room, read[0]), tx.SetLogPosition(room, read[1]))
			})
			if err != nil {
				t.Fatal(err)
			}
			all, err := ada.RoomInvites(t.Context(), h.id)
			if err != nil || len(all) != 2 {
				t.Fatalf("%v, %v", all, err)
			}
			return all[0].Crowded, all[1].Crowded
		}
		for _, tt := range []struct {
			one, other uint32
			want       bool
		}{{1, 1, false}, {2001, 2001, false}, {1 << 31, 1, false}, {1, 1 << 31, false}, {4096, 4096, true}} {
			if first, second := crowded(tt.one, tt.other); first != tt.want || second {
				t.Errorf("with %d and %d entries: %t, and %t of the other", tt.one, tt.other, first, second)
			}
		}
	})
}
