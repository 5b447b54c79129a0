package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3/vfs"

	"starling/node/api"
	"starling/node/nettest"
	"starling/p2p/mailbox"
	"starling/p2p/virtualdisk"
)

// A node or the only mailbox killed at any write, from the first invite to the last
// receipt, and started again: every text that was shown as queued is delivered, once,
// in order, and so are its changes. With power the machine goes down, and writes that
// were not synced are lost as well. STARLING_CRASH=all tries every write, not a few.
func TestKilledNode(t *testing.T) {
	for _, victim := range []string{"Ada", "Bob", "mailbox"} {
		for _, power := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, power fails=%v", victim, power), func(t *testing.T) {
				stride := map[string]int{"Ada": 197, "Bob": 197, "mailbox": 29}[victim]
				everyKill(t, stride, func(kill int) bool { return runKilled(t, victim, kill, power) })
			})
		}
	}
}

// everyKill plays a story that is cut at one write after the other, in strides, until none
// of its writes is the one.
func everyKill(t *testing.T, stride int, run func(kill int) (killed bool)) {
	least := 2 * stride
	if os.Getenv("STARLING_CRASH") == "all" {
		stride = 1
	} else if testing.Short() {
		stride *= 3
	}
	for kill := 1; ; kill += stride {
		killed := run(kill)
		if t.Failed() {
			t.Fatalf("killed at write %d", kill)
		}
		if !killed {
			t.Logf("%d writes, every %d. tried", kill, stride)
			if kill < least {
				t.Errorf("only %d writes: the test sees nothing", kill)
			}
			return
		}
	}
}

// A mortal is a user that is killed once, or nobody.
type mortal struct {
	*user
	fs      *virtualdisk.FS
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

// do repeats a step that failed because m was killed in it.
func (m *mortal) do(t *testing.T, what string, step func() error) {
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

// wait waits for a condition, with m revived when it is killed.
func (m *mortal) wait(t *testing.T, what string, cond func() bool) {
	t.Helper()
	eventually(t, what, func() bool { m.revive(); return cond() })
}

// runKilled plays the story and reports whether the victim was killed in it.
func runKilled(t *testing.T, victim string, kill int, power bool) bool {
	name := fmt.Sprintf("%s-%v-%d", victim, power, kill)
	var fs *virtualdisk.FS
	disks := map[string]string{}
	net := nettest.New(4)
	if victim == "mailbox" {
		net = nettest.New(1)
		fs = virtualdisk.New()
		vfs.Register(name, fs)
	} else {
		fs = virtualdisk.Register(name)
		disks[victim] = name
	}
	ada, bob := newUserOn(t, net, "Ada", disks["Ada"]), newUserOn(t, net, "Bob", disks["Bob"])
	m := &mortal{fs: fs, user: map[string]*user{"Ada": ada, "Bob": bob}[victim]}
	if power {
		fs.FailPowerAfter(kill)
	} else {
		fs.KillAfter(kill)
	}
	if victim == "mailbox" {
		end := mortalMailbox(t, net, fs, name)
		defer end()
		m.revived = true // by itself
	}

	do := func(what string, step func() error) { t.Helper(); m.do(t, what, step) }
	wait := func(what string, cond func() bool) { t.Helper(); m.wait(t, what, cond) }
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
	for i, u := range []*user{ada, bob} {
		do("edit", func() error {
			_, err := u.Edit(ctx, api.EditRequest{Message: ids[i], Text: "edited"})
			return err
		})
		do("delete", func() error {
			err := u.Delete(ctx, api.DeleteRequest{Messages: []string{ids[2+i]}, Both: true})
			if api.CodeOf(err) == api.CodeNoMessage {
				return nil // as above
			}
			return err
		})
	}
	for i, id := range ids {
		u := []*user{ada, bob}[i%2]
		wait("delivered", func() bool {
			msg, err := u.Message(ctx, id)
			return err == nil && msg.State == api.StateDelivered
		})
	}
	want := []string{"edited", "", "2", "3", "4"}
	for _, u := range []*user{ada, bob} {
		var got []string
		wait("all texts", func() bool {
			got = incoming(u)
			return len(got) > len(want) || len(got) == len(want) && got[0] == want[0] && got[1] == want[1]
		})
		if !slices.Equal(got, want) {
			t.Errorf("%s has %v", u.name, got)
		}
	}
	if m.user == nil {
		return fs.Dead()
	}
	// Killed after the last word, perhaps while it shuts down.
	if err := m.stop(); !m.revive() && err != nil {
		t.Errorf("Close: %v", err)
	}
	return m.revived
}

// mortalMailbox puts the only mailbox on a disk, and starts it again, on the
// ordinary one, when it has been killed.
func mortalMailbox(t *testing.T, net *nettest.Net, fs *virtualdisk.FS, disk string) (end func()) {
	id, path := net.Mailboxes()[0], filepath.Join(t.TempDir(), "mailbox.db")
	open := func(disk string) *mailbox.SQLite {
		s, err := mailbox.OpenSQLiteOn(disk, path, 1000)
		if err != nil {
			if disk == "" {
				t.Errorf("open again: %v", err)
			}
			return nil
		}
		net.SetStore(id, s)
		return s
	}
	s := open(disk)
	if s == nil { // killed while it was opened
		s = open("")
		disk = ""
	}
	ended := make(chan struct{})
	var watch sync.WaitGroup
	watch.Go(func() {
		select {
		case <-fs.Killed():
			if disk != "" {
				s.Close()
				s = open("")
			}
		case <-ended:
		}
	})
	return func() {
		close(ended)
		watch.Wait()
		if s != nil {
			s.Close()
		}
	}
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

// While the disk is full nothing is accepted that cannot be kept, and contents of
// others wait; then everything goes on.
func TestDiskFull(t *testing.T) {
	fs := virtualdisk.Register("node-full")
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
	if got := bob.shown(ada, 1); !slices.Equal(got, []string{"yes"}) {
		t.Errorf("got %v", got)
	}
}
