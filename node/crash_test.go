package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"starling/node/api"
	"starling/node/nettest"
	"starling/node/store/faultfs"
)

// A node killed at any write, from the first invite to the last receipt, and
// started again: every text that was shown as queued is delivered, once, in
// order. STARLING_CRASH=all tries every write of either side, not a few.
func TestKilledNode(t *testing.T) {
	for _, victim := range []string{"Ada", "Bob"} {
		t.Run(victim, func(t *testing.T) {
			stride := 97
			if os.Getenv("STARLING_CRASH") == "all" {
				stride = 1
			}
			for kill := 1; ; kill += stride {
				if !runKilled(t, victim, kill) {
					if kill < 4*stride {
						t.Errorf("only %d writes: the test sees nothing", kill)
					}
					return
				}
				if t.Failed() {
					t.Fatalf("killed at write %d", kill)
				}
			}
		})
	}
}

// A mortal is a user who is killed once.
type mortal struct {
	*user
	fs      *faultfs.FS
	revived bool
}

// revive starts the node again if it has been killed.
func (m *mortal) revive() bool {
	select {
	case <-m.fs.Killed():
	default:
		return false
	}
	if m.revived {
		return false
	}
	m.revived = true
	m.stop() // fails to write, as the dead do
	m.vfs = ""
	m.start()
	return true
}

// runKilled plays the story and reports whether the victim was killed in it.
func runKilled(t *testing.T, victim string, kill int) bool {
	net := nettest.New(4)
	vfs := fmt.Sprintf("node-%s-%d", victim, kill)
	m := &mortal{fs: faultfs.Register(vfs)}
	other := "Bob"
	if victim == "Bob" {
		other = "Ada"
	}
	friend := newUser(t, net, other)
	m.user = newUserOn(t, net, victim, vfs)
	ada, bob := m.user, friend
	if victim == "Bob" {
		ada, bob = friend, m.user
	}
	m.fs.KillAfter(kill)

	// do repeats a step that failed because the victim was killed in it.
	do := func(what string, step func() error) {
		t.Helper()
		for {
			err := step()
			if err == nil {
				return
			}
			deadline := time.Now().Add(5 * time.Second)
			for !m.revive() {
				if m.revived || time.Now().After(deadline) {
					t.Fatalf("%s: %v", what, err)
				}
				time.Sleep(time.Millisecond) // the error may come before the kill is seen
			}
		}
	}
	wait := func(what string, cond func() bool) {
		t.Helper()
		eventually(t, what, func() bool { m.revive(); return cond() })
	}
	ctx := context.Background()
	var link string
	do("invite", func() error {
		invite, err := ada.Invite(ctx, api.InviteRequest{Name: "Bob"})
		if api.CodeOf(err) == api.CodeContactExists {
			return nil
		}
		link = invite.Link
		return err
	})
	do("add contact", func() error {
		_, err := bob.AddContact(ctx, api.AddContactRequest{Link: link, Name: "Ada"})
		if api.CodeOf(err) == api.CodeContactExists {
			return nil // the commit that was cut had taken effect
		}
		return err
	})
	befriended := func(u *user) bool {
		all, err := u.Contacts(ctx)
		return err == nil && len(all) == 1 && all[0].State == api.ContactReady
	}
	wait("contacts ready", func() bool { return befriended(ada) && befriended(bob) })
	var ids []string
	for i := range 5 {
		for _, u := range []*user{ada, bob} {
			to := map[*user]string{ada: "Bob", bob: "Ada"}[u]
			id := fmt.Sprintf("%030d%02d", map[string]int{"Ada": 1, "Bob": 2}[u.name], i)
			do("send", func() error {
				_, err := u.Send(ctx, api.SendRequest{Contact: to, Text: fmt.Sprint(i), ID: id})
				return err
			})
			ids = append(ids, id)
		}
	}
	for i, id := range ids {
		u := []*user{ada, bob}[i%2]
		wait("delivered", func() bool {
			msg, err := u.Message(ctx, id)
			return err == nil && msg.State == api.StateDelivered
		})
	}
	want := numbered(5)
	for _, u := range []*user{ada, bob} {
		var got []string
		wait("all texts", func() bool { got = incoming(u); return len(got) >= len(want) })
		if !slices.Equal(got, want) {
			t.Errorf("%s has %v", u.name, got)
		}
	}
	// Killed after the last word, perhaps while it shuts down.
	if err := m.stop(); !m.revive() && err != nil {
		t.Errorf("Close: %v", err)
	}
	return m.revived
}

// incoming returns the texts that came from the only contact.
func incoming(u *user) (out []string) {
	all, err := u.Contacts(context.Background())
	if err != nil || len(all) != 1 {
		return nil
	}
	history, _ := u.History(context.Background(), api.HistoryRequest{Contact: all[0].ID})
	for _, m := range history {
		if !m.Outgoing {
			out = append(out, m.Text.String())
		}
	}
	return out
}

// While the disk is full nothing is accepted that cannot be kept, and what
// others send waits; then everything goes on.
func TestDiskFull(t *testing.T) {
	fs := faultfs.Register("node-full")
	net := nettest.New(4)
	ada, bob := newUserOn(t, net, "Ada", "node-full"), newUser(t, net, "Bob")
	befriend(t, ada, bob)
	eventually(t, "quiet", ada.outboxIdle)
	fs.SetFull(true)
	_, err := ada.Send(t.Context(), api.SendRequest{Contact: "Bob", Text: "no room"})
	if api.CodeOf(err) != api.CodeDiskFull {
		t.Errorf("got %v", err)
	}
	var e *api.Error
	if !errors.As(err, &e) || e.Hint == "" {
		t.Errorf("no hint: %v", err)
	}
	if _, err := ada.Invite(t.Context(), api.InviteRequest{}); api.CodeOf(err) != api.CodeDiskFull {
		t.Errorf("invite: %v", err)
	}
	m := bob.send(ada, "can you hear me?")
	bob.waitState(m.ID, api.StateSent)
	fs.SetFull(false)
	bob.waitState(m.ID, api.StateDelivered)
	ada.waitState(ada.send(bob, "yes").ID, api.StateDelivered)
	if got := bob.texts(ada); !slices.Equal(got, []string{"yes"}) {
		t.Errorf("got %v", got)
	}
}
