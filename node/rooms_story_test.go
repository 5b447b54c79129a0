package node

import (
	"fmt"
	"testing"
	"time"

	"starling/node/api"
	"starling/node/nettest"
	"starling/node/store"
)

// A hall is a room with its people.
type hall struct {
	t    testing.TB
	id   string
	name string
}

// founded makes a room of somebody.
func founded(t testing.TB, u *user, name string) *hall {
	t.Helper()
	room, err := u.CreateRoom(t.Context(), api.CreateRoomRequest{Name: name})
	if err != nil {
		t.Fatal(err)
	}
	return &hall{t, room.ID, name}
}

// joins lets people in, by a link of host.
func (h *hall) joins(host *user, guests ...*user) {
	h.t.Helper()
	link := h.link(host, len(guests))
	for _, u := range guests {
		h.asks(u, link)
	}
	for _, u := range guests {
		h.waits(u, "let in", func(r api.Room) bool { return r.State == api.RoomReady })
	}
	// Nobody reads what is said by members that have not heard of them.
	for _, u := range append(guests, host) {
		h.waits(u, "all in", func(r api.Room) bool { return r.Members == h.room(host).Members })
	}
}

func (h *hall) link(host *user, uses int) string {
	h.t.Helper()
	link, err := host.InviteToRoom(h.t.Context(), api.RoomInviteRequest{Room: h.id, Uses: uses})
	if err != nil {
		h.t.Fatal(err)
	}
	return link.Link
}

func (h *hall) asks(u *user, link string) {
	h.t.Helper()
	if _, err := u.JoinRoom(h.t.Context(), api.JoinRoomRequest{Link: link}); err != nil {
		h.t.Fatal(err)
	}
}

// room returns the room as somebody sees it.
func (h *hall) room(u *user) (found api.Room) {
	h.t.Helper()
	all, err := u.ListRooms(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	for _, r := range all {
		if r.ID == h.id {
			found = r
		}
	}
	return found
}

func (h *hall) waits(u *user, what string, cond func(api.Room) bool) {
	h.t.Helper()
	eventually(h.t, u.name+": "+what, func() bool { return cond(h.room(u)) })
}

// says has somebody say something.
func (h *hall) says(u *user, text string) api.Message {
	h.t.Helper()
	m, err := u.Send(h.t.Context(), api.SendRequest{Contact: h.id, Text: text})
	if err != nil {
		h.t.Fatal(err)
	}
	return m
}

// heard returns the texts of the room at somebody, with the names of their authors.
func (h *hall) heard(u *user) (out []string) {
	h.t.Helper()
	all, err := u.History(h.t.Context(), api.HistoryRequest{Contact: h.id, Limit: 1000})
	if err != nil {
		h.t.Fatal(err)
	}
	for _, m := range all {
		if m.State != api.StateNotice {
			out = append(out, m.From.String()+": "+m.Text.String())
		}
	}
	return out
}

// hears waits until somebody has heard n texts.
func (h *hall) hears(u *user, n int) (out []string) {
	h.t.Helper()
	deadline := time.Now().Add(time.Minute)
	for out = h.heard(u); len(out) < n; out = h.heard(u) {
		if time.Now().After(deadline) {
			h.dump(u)
			h.t.Fatalf("%s hears %q", u.name, out)
		}
		time.Sleep(10 * time.Millisecond)
	}
	return out
}

func (h *hall) dump(u *user) {
	id, _ := store.ParseID(h.id)
	h.t.Logf("%s: %+v", u.name, h.room(u))
	s, _ := u.Status(h.t.Context())
	h.t.Logf("refused %v", s.Refused)
	u.store.View(h.t.Context(), func(tx *store.Tx) error {
		says, _ := tx.Says(id, 100)
		appends, _ := tx.Appends()
		parked, _ := tx.Parked(id)
		h.t.Logf("%d says, %d appends, %d parked", len(says), len(appends), len(parked))
		return nil
	})
	all, _ := u.History(h.t.Context(), api.HistoryRequest{Contact: h.id, Limit: 1000})
	for _, m := range all {
		h.t.Logf("%s %s: %s", m.State, m.From, m.Text)
	}
}

// TestRoom: three people make a room and talk, in both directions; everything is shown once, and after
// its causes.
func TestRoom(t *testing.T) {
	net := nettest.New(5)
	ada, bob, eve := newUser(t, net, "Ada"), newUser(t, net, "Bob"), newUser(t, net, "Eve")
	h := founded(t, ada, "the pier")
	h.joins(ada, bob, eve)
	for i, u := range []*user{bob, ada, eve, bob} {
		h.says(u, fmt.Sprint(i))
		for _, o := range []*user{ada, bob, eve} {
			h.hears(o, i+1)
		}
	}
}

// TestRoomDoor: a link that asks somebody; refused, and let in by the same link.
func TestRoomDoor(t *testing.T) {
	net := nettest.New(5)
	ada, bob := newUser(t, net, "Ada"), newUser(t, net, "Bob")
	h := founded(t, ada, "behind a door")
	link, err := ada.InviteToRoom(t.Context(), api.RoomInviteRequest{Room: h.id, Uses: 2, Approve: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, admit := range []bool{false, true} {
		h.asks(bob, link.Link)
		deadline := time.Now().Add(5 * time.Second)
		for h.room(ada).Waiting != 1 {
			if time.Now().After(deadline) {
				h.dump(ada)
				h.dump(bob)
				t.Fatal("no knock ", admit)
			}
			time.Sleep(10 * time.Millisecond)
		}
		if err := ada.AnswerKnock(t.Context(), api.KnockRequest{Room: h.id, Member: "Bob", Admit: admit}); err != nil {
			t.Fatal(err)
		}
		want := map[bool]api.RoomState{true: api.RoomReady, false: api.RoomRefused}[admit]
		h.waits(bob, string(want), func(r api.Room) bool { return r.State == want })
	}
}
