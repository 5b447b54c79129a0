package tuitest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"starling/node/api"
)

// TestRoomSeeds: the rooms for the screen are what they are said to be.
func TestRoomSeeds(t *testing.T) {
	n := NewNode(time.Now)
	ids := Rooms(n)
	AttackRooms(n)
	all, err := n.ListRooms(t.Context())
	if err != nil || len(all) != 5 {
		t.Fatalf("%+v, %v", all, err)
	}
	byID := map[string]api.Room{}
	for _, r := range all {
		byID[r.ID] = r
	}
	if r := byID[ids["Lighthouse"]]; r.Members != 5 || r.Mentions != 1 || r.Unread != 3 || r.Role != api.RoleOwner {
		t.Errorf("%+v", r)
	}
	if r := byID[ids["Harbour assembly"]]; r.Members != 30 || r.Waiting != 2 || len(r.Forks) != 1 || r.Role != api.RoleAdmin {
		t.Errorf("%+v", r)
	}
	if r := byID[ids["Old crew"]]; r.State != api.RoomRemoved {
		t.Errorf("%+v", r)
	}
	if r := byID[ids["Tide tables"]]; r.Role != api.RoleReader || r.Unread != 0 {
		t.Errorf("%+v", r)
	}
}

// TestCompany: three nodes in one room show the same.
func TestCompany(t *testing.T) {
	ctx := t.Context()
	all := Company(time.Now, "Ada", "Bob", "Cleo")
	room, err := all[0].CreateRoom(ctx, api.CreateRoomRequest{Name: "three"})
	if err != nil {
		t.Fatal(err)
	}
	link, err := all[0].InviteToRoom(ctx, api.RoomInviteRequest{Room: room.ID, Uses: 2})
	if err != nil {
		t.Fatal(err)
	}

	for _, n := range all[1:] {
		if r, err := n.JoinRoom(ctx, api.JoinRoomRequest{Link: link.Link}); err != nil || r.State != api.RoomReady {
			t.Fatalf("%+v, %v", r, err)
		}
	}
	for i, n := range all {
		m, err := n.Send(ctx, api.SendRequest{Contact: "three", Text: fmt.Sprint("from ", i)})
		if err != nil {
			t.Fatal(err)
		}
		for _, other := range all {
			h, err := other.History(ctx, api.HistoryRequest{Contact: room.ID})
			if err != nil || !slices.ContainsFunc(h, func(got api.Message) bool { return got.ID == m.ID && got.Member == m.Member }) {
				t.Errorf("%s has not %q: %v", other.name(), m.Text, err)
			}
		}
	}
}
