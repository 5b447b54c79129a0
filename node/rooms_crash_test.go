package node

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"starling/node/api"
	"starling/node/nettest"
	"starling/p2p/virtualdisk"
)

// A node killed at any write, from the making of a room to the last text in it, and started again: every
// text that was shown as queued is there once, at both, and so are its changes. STARLING_CRASH=all
// tries every write, not a few.
func TestKilledInRoom(t *testing.T) {
	for _, victim := range []string{"Ada", "Bob"} {
		for _, power := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, power fails=%v", victim, power), func(t *testing.T) {
				everyKill(t, 211, func(kill int) bool { return runKilledInRoom(t, victim, kill, power) })
			})
		}
	}
}

// runKilledInRoom plays the story and reports whether the victim was killed in it.
func runKilledInRoom(t *testing.T, victim string, kill int, power bool) bool {
	name := fmt.Sprintf("room-%s-%v-%d", victim, power, kill)
	fs := virtualdisk.Register(name)
	disks := map[string]string{victim: name}
	net := nettest.New(4)
	ada, bob := newUserOn(t, net, "Ada", disks["Ada"]), newUserOn(t, net, "Bob", disks["Bob"])
	m := &mortal{fs: fs, user: map[string]*user{"Ada": ada, "Bob": bob}[victim]}
	if power {
		fs.FailPowerAfter(kill)
	} else {
		fs.KillAfter(kill)
	}

	do := func(what string, step func() error) { t.Helper(); m.do(t, what, step) }
	wait := func(what string, cond func() bool) { t.Helper(); m.wait(t, what, cond) }
	ctx := context.Background()
	only := func(u *user) (room api.Room, n int) {
		all, err := u.ListRooms(ctx)
		if err != nil || len(all) == 0 {
			return room, 0
		}
		return all[0], len(all)
	}

	do("create", func() error {
		if _, n := only(ada); n > 0 {
			return nil // the commit that was cut had taken effect
		}
		// The dead do not answer.
		ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
		defer cancel()
		_, err := ada.CreateRoom(ctx, api.CreateRoomRequest{Name: "the pier"})
		return err
	})
	room, _ := only(ada)
	link := ""
	do("invite", func() error {
		ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
		defer cancel()
		invite, err := ada.InviteToRoom(ctx, api.RoomInviteRequest{Room: room.ID})
		link = invite.Link
		return err
	})
	do("join", func() error { _, err := bob.JoinRoom(ctx, api.JoinRoomRequest{Link: link}); return err })
	wait("both in", func() bool {
		a, _ := only(ada)
		b, _ := only(bob)
		return a.Members == 2 && b.Members == 2 && b.State == api.RoomReady
	})

	var ids []string
	for i := range 3 {
		for n, u := range []*user{ada, bob} {
			id := fmt.Sprintf("%030d%02d", n+1, i)
			do("send", func() error {
				_, err := u.Send(ctx, api.SendRequest{Contact: room.ID, Text: fmt.Sprintf("%d%d", n, i), ID: id})
				return err
			})
			ids = append(ids, id)
		}
	}
	do("edit", func() error {
		_, err := ada.Edit(ctx, api.EditRequest{Message: ids[0], Text: "edited"})
		return err
	})
	for i, id := range ids {
		wait("sent", func() bool {
			msg, err := []*user{ada, bob}[i%2].Message(ctx, id)
			return err == nil && msg.State == api.StateSent
		})
	}

	want := []string{"01", "02", "10", "11", "12", "edited"}
	for _, u := range []*user{ada, bob} {
		var got []string
		wait("all texts", func() bool {
			got = nil
			all, _ := u.History(ctx, api.HistoryRequest{Contact: room.ID})
			for _, msg := range all {
				if msg.State != api.StateNotice {
					got = append(got, msg.Text.String())
				}
			}
			slices.Sort(got)
			return len(got) > len(want) || len(got) == len(want) && slices.Contains(got, "edited")
		})
		if !slices.Equal(got, want) {
			t.Errorf("%s has %v", u.name, got)
		}
		if r, n := only(u); n != 1 || len(r.Forks) > 0 {
			t.Errorf("%s has %d rooms, and %v", u.name, n, r.Forks)
		}
	}
	if err := m.stop(); !m.revive() && err != nil {
		t.Errorf("Close: %v", err)
	}
	return m.revived
}
