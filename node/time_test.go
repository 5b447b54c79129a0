package node

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"starling/node/api"
	"starling/node/nettest"
)

// inVirtualTime runs a test in virtual time, on a network with clients that look for
// boxes again every ten minutes.
func inVirtualTime(t *testing.T, test func(t *testing.T, net *nettest.Net, ada, bob *user)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		net := nettest.New(4)
		net.Set(quiet)
		ada, bob := newUser(t, net, "Ada"), newUser(t, net, "Bob")
		befriend(t, ada, bob)
		test(t, net, ada, bob)
		// The nodes must have ended before the bubble does.
		ada.shutdown()
		bob.shutdown()
	})
}

var quiet = nettest.Settings{Again: 10 * time.Minute}

func (u *user) state(id string) (api.State, string) {
	m, err := u.Message(context.Background(), id)
	if err != nil {
		u.t.Fatal(err)
	}
	return m.State, m.Reason
}

// A recipient that is away for longer than mailboxes keep boxes.
func TestExpiry(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, net *nettest.Net, ada, bob *user) {
		bob.shutdown()
		m := ada.send(bob, "hello")
		time.Sleep(13 * 24 * time.Hour)
		if state, _ := ada.state(m.ID); state != api.StateSent {
			t.Errorf("after 13 days: %s", state)
		}
		if err := ada.Discard(t.Context(), m.ID); api.CodeOf(err) != api.CodeUsage {
			t.Errorf("discarded what may still arrive: %v", err)
		}
		time.Sleep(25 * time.Hour)
		state, reason := ada.state(m.ID)
		if state != api.StateFailed || !strings.Contains(reason, "not confirmed") {
			t.Errorf("after 14 days: %s, %q", state, reason)
		}
		for _, id := range net.Mailboxes() {
			net.Wipe(id) // their time is over too
		}
		ada.restart()
		if state, _ := ada.state(m.ID); state != api.StateFailed {
			t.Errorf("after a restart: %s", state)
		}
		again, err := ada.Retry(t.Context(), m.ID)
		if err != nil || again.State != api.StateSealed || again.Reason != "" {
			t.Fatalf("%+v, %v", again, err)
		}
		bob.start()
		time.Sleep(time.Hour)
		if state, _ := ada.state(m.ID); state != api.StateDelivered {
			t.Errorf("tried again: %s", state)
		}
		if got := bob.texts(ada); !slices.Equal(got, []string{"hello"}) {
			t.Errorf("got %v", got)
		}
	})
}

func TestDiscard(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, net *nettest.Net, ada, bob *user) {
		bob.shutdown()
		m := ada.send(bob, "hello")
		time.Sleep(15 * 24 * time.Hour)
		if err := ada.Discard(t.Context(), m.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := ada.Message(t.Context(), m.ID); api.CodeOf(err) != api.CodeNoMessage {
			t.Errorf("still there: %v", err)
		}
		bob.start()
		next := ada.send(bob, "next")
		time.Sleep(time.Hour)
		if state, _ := ada.state(next.ID); state != api.StateDelivered {
			t.Errorf("the next one is %s", state)
		}
		if got := bob.received(ada); len(got) == 0 || got[len(got)-1].Gap != "" {
			t.Errorf("what was discarded is missed: %+v", got)
		}
	})
}

// Mailboxes that say that they keep a box, and do not: it is stored again.
func TestRepair(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, net *nettest.Net, ada, bob *user) {
		net.Set(nettest.Settings{Again: quiet.Again, Forget: 1})
		m := ada.send(bob, "hello")
		time.Sleep(time.Minute)
		if state, _ := ada.state(m.ID); state != api.StateSent {
			t.Errorf("at first: %s", state)
		}
		net.Set(quiet)
		time.Sleep(time.Hour)
		if state, _ := ada.state(m.ID); state != api.StateDelivered {
			t.Errorf("after an hour: %s", state)
		}
	})
}

// A receipt that is lost is asked for.
func TestLostReceipt(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, net *nettest.Net, ada, bob *user) {
		bob.shutdown()
		m := ada.send(bob, "hello")
		time.Sleep(time.Minute)
		net.Set(nettest.Settings{Again: quiet.Again, Forget: 1}) // Bob's receipt is lost
		bob.start()
		time.Sleep(time.Minute)
		if got := bob.texts(ada); !slices.Equal(got, []string{"hello"}) {
			t.Fatalf("got %v", got)
		}
		if state, _ := ada.state(m.ID); state != api.StateSent {
			t.Fatalf("message is %s", state)
		}
		net.Set(quiet)
		time.Sleep(5 * time.Minute)
		bob.send(ada, "did you write?") // so Ada sees that Bob is there
		time.Sleep(10 * time.Minute)
		if state, _ := ada.state(m.ID); state != api.StateDelivered {
			t.Errorf("message is %s", state)
		}
		if got := bob.texts(ada); !slices.Equal(got, []string{"hello"}) {
			t.Errorf("shown twice: %v", got)
		}
	})
}

// Three boxes in ten vanish in mailboxes that claim to keep them, and as many
// are lost on the way, for days: every text arrives, once. Order may only break
// where something was missing for longer than the wait.
func TestLossyDays(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, net *nettest.Net, ada, bob *user) {
		net.Set(nettest.Settings{Again: quiet.Again, Forget: 0.3, LosePut: 0.3, LoseAnswer: 0.3, Delay: 100 * time.Millisecond, Timeout: 5 * time.Second})
		var ids []string
		for i := range 100 {
			ids = append(ids, ada.send(bob, fmt.Sprint(i)).ID, bob.send(ada, fmt.Sprint(i)).ID)
			time.Sleep(5 * time.Minute)
		}
		time.Sleep(7 * 24 * time.Hour)
		for i, id := range ids {
			u := []*user{ada, bob}[i%2]
			if state, _ := u.state(id); state != api.StateDelivered {
				t.Errorf("message %d is %s", i, state)
			}
		}
		for _, u := range []*user{ada, bob} {
			other := map[*user]*user{ada: bob, bob: ada}[u]
			got := u.texts(other)
			slices.Sort(got)
			want := numbered(100)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("%s has %d texts", u.name, len(got))
			}
			for _, m := range u.received(other) {
				if m.Gap != "" {
					t.Errorf("%s misses what is before %s", u.name, m.Text)
				}
			}
		}
	})
}

// An invite's time runs out; cells under way by then are still taken.
func TestInviteExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := nettest.New(4)
		net.Set(quiet)
		ada, bob := newUser(t, net, "Ada"), newUser(t, net, "Bob")
		invite, err := ada.Invite(t.Context(), api.InviteRequest{Expires: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		unused, err := ada.Invite(t.Context(), api.InviteRequest{Expires: 2 * time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(30 * time.Minute)
		ada.shutdown()
		if _, err := bob.AddContact(t.Context(), api.AddContactRequest{Link: invite.Link, Name: "Ada"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Hour)
		ada.start()
		time.Sleep(time.Hour)
		if !ada.ready(bob) || !bob.ready(ada) {
			t.Error("the hello that waited was not taken")
		}
		_, err = bob.AddContact(t.Context(), api.AddContactRequest{Link: unused.Link})
		if api.CodeOf(err) != api.CodeInviteExpired {
			t.Errorf("expired invite: %v", err)
		}
		if all, _ := ada.Invites(t.Context()); len(all) != 0 {
			t.Errorf("open invites %v", all)
		}
		if got := ada.log.invites(); !slices.Contains(got, "used") || !slices.Contains(got, "expired") {
			t.Errorf("told %v", got)
		}
		time.Sleep(8 * 24 * time.Hour)
		if s, _ := ada.Status(t.Context()); len(s.Mailboxes) > 2 {
			t.Errorf("still watches %d mailboxes", len(s.Mailboxes))
		}
		ada.shutdown()
		bob.shutdown()
	})
}
