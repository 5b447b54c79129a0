package node

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"starling/node/api"
	"starling/node/nettest"
	"starling/node/store"
)

// A pier is a room of Ada and others whose two mailboxes go, in virtual time.
type pier struct {
	*hall
	net *nettest.Net
	all map[string]*user
}

// atPier plays a story in a room of Ada and others. Mailboxes that are down do not answer for long.
func atPier(t *testing.T, play func(t *testing.T, p *pier), others ...string) {
	synctest.Test(t, func(t *testing.T) {
		net := nettest.New(12)
		net.Set(nettest.Settings{Timeout: 20 * time.Second})
		p := &pier{net: net, all: make(map[string]*user)}
		ada := newMarkedUser(t, net, "Ada")
		p.all["Ada"] = ada
		var guests []*user
		for _, name := range others {
			u := newMarkedUser(t, net, name)
			p.all[name] = u
			guests = append(guests, u)
		}
		defer func() {
			for _, u := range p.all {
				u.shutdown()
			}
		}()
		p.hall = founded(t, ada, "the pier")
		p.joins(ada, guests...)
		time.Sleep(10 * time.Minute)
		play(t, p)
	})
}

// down takes the mailboxes of the room away, or brings them back: those of now.
func (p *pier) down() (back func()) {
	gone := p.mailboxes(p.all["Ada"])
	for _, m := range gone {
		p.net.SetDown(m, true)
	}
	return func() {
		for _, m := range gone {
			p.net.SetDown(m, false)
		}
	}
}

// left is how much is on its way at somebody.
func left(u *user) (n int) {
	u.store.View(u.t.Context(), func(tx *store.Tx) error {
		all, err := tx.Appends()
		for _, a := range all {
			if !a.Content.IsZero() {
				n++
			}
		}
		return err
	})
	return n
}

// TestRoomMeetsOverRestarts: somebody whose program stops again and again while both mailboxes of a room are gone says all once, and in
// order; so does whoever reads it.
func TestRoomMeetsOverRestarts(t *testing.T) {
	atPier(t, func(t *testing.T, p *pier) {
		ada, bob := p.all["Ada"], p.all["Bob"]
		back := p.down()
		var want []string
		var ids []string
		for i, pause := range []time.Duration{0, time.Second, 31 * time.Second, 65 * time.Second, 66 * time.Second, 95 * time.Second, 125 * time.Second} {
			for n := range 4 {
				text := fmt.Sprint(i, n)
				ids = append(ids, p.says(bob, text).ID)
				want = append(want, "Bob: "+text)
			}
			time.Sleep(pause)
			bob.restart()
			if i%2 == 1 {
				ada.restart()
			}
		}
		time.Sleep(20 * time.Minute)
		for _, id := range ids {
			bob.waitState(id, api.StateSent)
		}
		if got := p.hears(ada, len(want)); !slices.Equal(got, want) {
			t.Errorf("Ada hears %q", got)
		}
		back()
		bob.restart()
		time.Sleep(20 * time.Minute)
		if got := p.heard(ada); !slices.Equal(got, want) {
			t.Errorf("Ada hears %q", got)
		}
		if n := left(bob); n > 0 {
			t.Errorf("%d are on their way", n)
		}
	}, "Bob")
}

// TestRoomMailboxesFlap: mailboxes that are gone for 90 seconds and back for 30, for an hour: all is said once, and nothing grows.
func TestRoomMailboxesFlap(t *testing.T) {
	atPier(t, func(t *testing.T, p *pier) {
		ada, bob := p.all["Ada"], p.all["Bob"]
		var want []string
		for i := range 30 {
			text := fmt.Sprint(i)
			want = append(want, "Bob: "+text)
			back := p.down()
			p.says(bob, text)
			time.Sleep(90 * time.Second)
			back()
			time.Sleep(30 * time.Second)
		}
		time.Sleep(10 * time.Minute)
		if got := p.hears(ada, len(want)); !slices.Equal(got, want) {
			t.Errorf("Ada hears %q", got)
		}
		if a, b := left(ada), left(bob); a+b > 0 {
			t.Errorf("%d and %d are on their way", a, b)
		}
	}, "Bob")
}

// TestRoomMailboxGone: one of the mailboxes of a room is gone for good: what was said is sent after five minutes, and stays so.
func TestRoomMailboxGone(t *testing.T) {
	atPier(t, func(t *testing.T, p *pier) {
		bob := p.all["Bob"]
		p.net.SetDown(p.mailboxes(bob)[0], true)
		m := p.says(bob, "one")
		time.Sleep(6 * time.Minute)
		bob.waitState(m.ID, api.StateSent)
		if left(bob) == 0 {
			t.Error("it does not go to the mailbox any more")
		}
		bob.shutdown()
		p.all["Ada"].shutdown()
		time.Sleep(15 * 24 * time.Hour)
		p.all["Ada"].start()
		bob.start()
		time.Sleep(10 * time.Minute)
		bob.waitState(m.ID, api.StateSent)
		if n := left(bob); n > 0 {
			t.Errorf("%d are on their way", n)
		}
	}, "Bob")
}

// TestRoomLeftWithoutMailboxes: the word that somebody leaves arrives while both mailboxes are gone.
func TestRoomLeftWithoutMailboxes(t *testing.T) {
	atPier(t, func(t *testing.T, p *pier) {
		ada, bob := p.all["Ada"], p.all["Bob"]
		p.down()
		time.Sleep(10 * time.Second)
		if err := bob.LeaveRoom(t.Context(), p.id); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Minute)
		p.waits(ada, "Bob is out", func(r api.Room) bool { return r.Members == 2 })
	}, "Bob", "Eve")
}

// TestRoomMovedAndGone: somebody is away while the room moves from one lost mailbox, and comes back when the other one is lost as well.
func TestRoomMovedAndGone(t *testing.T) {
	atPier(t, func(t *testing.T, p *pier) {
		ada, bob, eve := p.all["Ada"], p.all["Bob"], p.all["Eve"]
		eve.shutdown()
		was := p.mailboxes(ada)
		p.net.SetDown(was[0], true)
		time.Sleep(20 * time.Minute)
		p.says(ada, "moved")
		p.hears(bob, 1)
		p.net.SetDown(was[1], true)
		time.Sleep(time.Hour)
		eve.start()
		time.Sleep(time.Hour)
		p.says(bob, "here")
		p.hears(ada, 2)
		time.Sleep(15 * time.Minute) // what was said under the keys that went with the mailboxes is a gap
		p.hears(eve, 1)
		p.says(eve, "and I")
		p.hears(ada, 3)
	}, "Bob", "Eve")
}

// TestRoomGoneWhileAway: somebody comes back after 15 days, and both mailboxes are gone since the first: the others, which met elsewhere and moved,
// answer at the door.
func TestRoomGoneWhileAway(t *testing.T) {
	atPier(t, func(t *testing.T, p *pier) {
		ada, bob, eve := p.all["Ada"], p.all["Bob"], p.all["Eve"]
		eve.shutdown()
		p.down()
		time.Sleep(20 * time.Minute)
		p.says(ada, "moved")
		p.hears(bob, 1)
		bob.shutdown()
		ada.shutdown()
		time.Sleep(15 * 24 * time.Hour)
		ada.start()
		bob.start()
		eve.start()
		time.Sleep(3 * time.Hour)
		p.says(eve, "back")
		p.hears(ada, 2)
		p.says(bob, "here")
		p.hears(eve, 2)
	}, "Bob", "Eve")
}

// TestRoomRestoredAndGone: the owner, or a member, puts back a copy of the profile while both mailboxes are gone for good.
func TestRoomRestoredAndGone(t *testing.T) {
	for _, name := range []string{"Ada", "Bob"} {
		t.Run(name, func(t *testing.T) {
			atPier(t, func(t *testing.T, p *pier) {
				u := p.all[name]
				u.shutdown()
				old := u.copyProfile()
				u.start()
				p.says(u, "one")
				p.hears(p.all["Eve"], 1)
				time.Sleep(time.Minute)
				p.down()
				u.shutdown()
				u.putBack(old)
				u.start()
				time.Sleep(2*time.Hour + 30*time.Minute)
				last := p.says(u, "two")
				time.Sleep(5 * time.Minute)
				u.waitState(last.ID, api.StateSent)
				p.hears(p.all["Eve"], 2)
			}, "Bob", "Eve")
		})
	}
}

// TestRoomAloneAndGone: the owner is alone, puts back a copy, and both mailboxes are gone for good: the room can be joined again.
func TestRoomAloneAndGone(t *testing.T) {
	atPier(t, func(t *testing.T, p *pier) {
		ada := p.all["Ada"]
		ada.shutdown()
		old := ada.copyProfile()
		ada.start()
		p.down()
		ada.shutdown()
		ada.putBack(old)
		ada.start()
		time.Sleep(2*time.Hour + 20*time.Minute) // an hour without roles after the return
		bob := newMarkedUser(t, p.net, "Bob")
		p.all["Bob"] = bob
		p.joins(ada, bob)
		p.says(bob, "here")
		p.hears(ada, 1)
	})
}
