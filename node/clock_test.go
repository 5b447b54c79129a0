package node

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"starling/node/api"
	"starling/node/nettest"
	"starling/p2p"
)

const year = 365 * 24 * time.Hour

// by has the next starts of a user be on a computer whose clock is ahead of the relays'.
func (u *user) by(ahead time.Duration) {
	u.network = func(cfg p2p.ClientConfig) (Network, error) {
		u.link = u.net.Client(cfg)
		u.link.SetAhead(ahead)
		return u.link, nil
	}
}

// untold has the next starts of a user be where no relay tells the time.
func (u *user) untold() {
	u.network = func(cfg p2p.ClientConfig) (Network, error) {
		u.link = u.net.Client(cfg)
		u.link.SetUntold()
		return u.link, nil
	}
}

// TestWrongClockGivesNothingUp: a computer starts with a clock that is a year ahead, for
// one start: what waits to be delivered is not given up, what is missing is asked for
// still, and an invite is as good as before.
func TestWrongClockGivesNothingUp(t *testing.T) {
	gone(t, func(t *testing.T, net *nettest.Net, ada, bob *user) {
		bob.shutdown()
		m := ada.send(bob, "hello")
		ada.waitState(m.ID, api.StateSent)
		invite, err := ada.Invite(t.Context(), api.InviteRequest{Expires: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		ada.shutdown()

		time.Sleep(year) // that is what the clocks say, but not how long mailboxes keep
		for _, id := range net.Mailboxes() {
			net.Wipe(id)
		}
		ada.by(year)
		ada.start()
		time.Sleep(30 * time.Minute)
		if state, why := ada.state(m.ID); state != api.StateSent {
			t.Errorf("the message is %s: %s", state, why)
		}
		if open, err := ada.Invites(t.Context()); err != nil || len(open) != 1 || slices.Contains(ada.log.invites(), "expired") {
			t.Errorf("open invites: %v, %v", open, err)
		}

		bob.by(year)
		bob.start()
		ada.waitState(m.ID, api.StateDelivered)
		eve := &user{t: t, name: "Eve", net: net, dir: bob.dir}
		eve.dir.Dir += "-eve"
		mustCreate(t, eve)
		eve.by(year)
		eve.start()
		defer eve.shutdown()
		if _, err := eve.AddContact(t.Context(), api.AddContactRequest{Link: invite.Link, Name: "Ada"}); err != nil {
			t.Errorf("an invite that lives: %v", err)
		}

		// And its time is over when the relays say so, too.
		bob.shutdown()
		last := ada.send(bob, "late")
		time.Sleep(14*24*time.Hour + time.Hour)
		if state, _ := ada.state(last.ID); state != api.StateFailed {
			t.Errorf("two weeks later it is %s", state)
		}
	})
}

// TestNewSessionByTheRelaysClock: a profile that was put back offers new sessions, on
// computers whose clocks are a year wrong: the times in offers are those of the relays. An
// offer that was made before they had told the time is made again.
func TestNewSessionByTheRelaysClock(t *testing.T) {
	for name, c := range map[string]struct {
		ahead time.Duration
		late  bool // the relays tell the time after the start
	}{"ahead": {year, false}, "behind": {-year, false}, "ahead, told later": {year, true}, "behind, told later": {-year, true}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				net := nettest.New(12)
				net.Set(nettest.Settings{Again: time.Minute})
				ada, bob := newMarkedUser(t, net, "Ada"), newMarkedUser(t, net, "Bob")
				befriend(t, ada, bob)
				talk(t, ada, bob, "first")
				old := func() string { ada.shutdown(); defer ada.start(); return ada.copyProfile() }()
				talk(t, ada, bob, "second")
				ada.shutdown()
				bob.shutdown()
				ada.putBack(old)

				bob.by(c.ahead)
				bob.start()
				ada.by(c.ahead)
				if c.late {
					ada.by(0)
				}
				ada.start()
				if c.late {
					time.Sleep(2 * time.Second)
					ada.link.SetAhead(c.ahead)
				}
				eventually(t, "a new session", func() bool {
					return ada.contact(bob).State == api.ContactReady && len(bob.notices(ada)) > 0
				})
				talk(t, ada, bob, "third")
				ada.shutdown()
				bob.shutdown()
			})
		})
	}
}

// TestTimersOfAWrongClock: a message of a room stays for its time, and no longer, where the clock is a year off.
func TestTimersOfAWrongClock(t *testing.T) {
	const timer = 3600
	inVirtualTime(t, func(t *testing.T, _ *nettest.Net, ada, _ *user) {
		for _, ahead := range []time.Duration{year, -year} {
			ada.link.SetAhead(ahead)
			h := founded(t, ada, fmt.Sprint("the pier ", ahead))
			seconds := timer
			if _, err := ada.ChangeRoom(t.Context(), api.RoomRequest{Room: h.id, Timer: &seconds}); err != nil {
				t.Fatal(err)
			}
			said := h.says(ada, "for an hour")
			ada.waitState(said.ID, api.StateSent)
			time.Sleep(timer*time.Second - time.Minute)
			if _, err := ada.Message(t.Context(), said.ID); err != nil {
				t.Errorf("%v ahead, before its time: %v", ahead, err)
			}
			time.Sleep(3 * time.Minute)
			if _, err := ada.Message(t.Context(), said.ID); api.CodeOf(err) != api.CodeNoMessage {
				t.Errorf("%v ahead, after its time: %v", ahead, err)
			}
		}
	})
}
