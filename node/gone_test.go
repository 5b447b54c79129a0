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
	"starling/p2p"
)

// fetchesAt returns where a user believes that another one fetches.
func (u *user) fetchesAt(other *user) (ids []p2p.NodeID) {
	u.t.Helper()
	err := u.store.View(u.t.Context(), func(tx *store.Tx) error {
		contacts, err := tx.ContactsNamed(other.name)
		if err != nil || len(contacts) != 1 {
			return fmt.Errorf("%d contacts: %w", len(contacts), err)
		}
		set, err := tx.Mailboxes(contacts[0].ID[:], false)
		for _, m := range set {
			ids = append(ids, p2p.NodeID(m.Node))
		}
		return err
	})
	if err != nil {
		u.t.Fatal(err)
	}
	return ids
}

func gone(t *testing.T, test func(t *testing.T, net *nettest.Net, ada, bob *user)) {
	synctest.Test(t, func(t *testing.T) {
		net := nettest.New(12)
		net.Set(nettest.Settings{Again: time.Minute})
		ada, bob := newUser(t, net, "Ada"), newUser(t, net, "Bob")
		befriend(t, ada, bob)
		test(t, net, ada, bob)
		ada.shutdown()
		bob.shutdown()
	})
}

// Both mailboxes of an absent user vanish, with their boxes and before more is written.
// The two meet at the same replacements, and afterwards at mailboxes that were told.
func TestMailboxesGone(t *testing.T) {
	gone(t, func(t *testing.T, net *nettest.Net, ada, bob *user) {
		old := ada.fetchesAt(bob)
		bob.shutdown()
		ids := ada.sendAll(bob, []string{"0", "1"})
		ada.waitAll(ids, api.StateSent)
		for _, id := range old {
			net.SetDown(id, true)
			net.Wipe(id)
		}
		time.Sleep(time.Minute)
		late := ada.sendAll(bob, []string{"2", "3", "4"})
		ids = append(ids, late...)
		ada.waitState(late[0], api.StateSealed) // nobody acts on a short absence
		time.Sleep(15 * time.Minute)
		ada.waitAll(late, api.StateSent)
		bob.start()
		time.Sleep(3 * time.Minute)
		ada.waitAll(ids, api.StateDelivered)
		if got := bob.texts(ada); !slices.Equal(got, numbered(5)) {
			t.Errorf("Bob has %v", got)
		}
		time.Sleep(15 * time.Minute)
		told := ada.fetchesAt(bob)
		if len(told) != 2 || slices.Contains(told, old[0]) || slices.Contains(told, old[1]) {
			t.Errorf("Bob fetched at %v, has told %v", old, told)
		}
		ada.waitState(ada.send(bob, "5").ID, api.StateDelivered)
		time.Sleep(8 * time.Hour)
		if s, _ := bob.Status(t.Context()); len(s.Mailboxes) != 2 {
			t.Errorf("Bob still watches %d mailboxes", len(s.Mailboxes))
		}
	})
}

// Mailboxes that have never answered, as those of a newcomer may be who drew two that pass
// nothing on, are replaced within minutes: on one side, and on both.
func TestMailboxesThatNeverAnswered(t *testing.T) {
	for _, both := range []bool{false, true} {
		gone(t, func(t *testing.T, net *nettest.Net, ada, bob *user) {
			eventually(t, "quiet", func() bool { return ada.outboxIdle() && bob.outboxIdle() })
			old := ada.fetchesAt(bob)
			if both {
				old = append(old, bob.fetchesAt(ada)...)
			}
			for _, id := range old {
				net.SetMute(id)
			}
			there, back := ada.send(bob, "there"), bob.send(ada, "back")
			began := time.Now()
			ada.waitState(there.ID, api.StateDelivered)
			bob.waitState(back.ID, api.StateDelivered)
			took := time.Since(began)
			t.Logf("both sides: %v, delivered after %v", both, took)
			if took > 5*time.Minute {
				t.Errorf("both sides: %v, delivered after %v", both, took)
			}
			time.Sleep(10 * time.Minute)
			for _, id := range ada.fetchesAt(bob) {
				if slices.Contains(old, id) {
					t.Error("Bob fetches where nobody answers")
				}
			}
		})
	}
}

// All mailboxes that either side has told are gone, while both are away and
// have something to say.
func TestAllMailboxesGone(t *testing.T) {
	gone(t, func(t *testing.T, net *nettest.Net, ada, bob *user) {
		ada.link.SetOffline(true)
		bob.link.SetOffline(true)
		there, back := ada.sendAll(bob, numbered(5)), bob.sendAll(ada, numbered(5))
		for _, id := range slices.Concat(ada.fetchesAt(bob), bob.fetchesAt(ada)) {
			net.SetDown(id, true)
		}
		ada.link.SetOffline(false)
		time.Sleep(15 * time.Minute)
		ada.link.SetOffline(true)
		bob.link.SetOffline(false)
		time.Sleep(15 * time.Minute)
		ada.link.SetOffline(false)
		time.Sleep(15 * time.Minute)
		ada.waitAll(there, api.StateDelivered)
		bob.waitAll(back, api.StateDelivered)
		for _, u := range []*user{ada, bob} {
			other := map[*user]*user{ada: bob, bob: ada}[u]
			if got := u.texts(other); !slices.Equal(got, numbered(5)) {
				t.Errorf("%s has %v", u.name, got)
			}
		}
	})
}

// Mailboxes that come and go make nobody move, and nothing is stored elsewhere.
func TestFlappingMailboxes(t *testing.T) {
	gone(t, func(t *testing.T, net *nettest.Net, ada, bob *user) {
		eventually(t, "quiet", func() bool { return ada.outboxIdle() && bob.outboxIdle() })
		time.Sleep(time.Minute) // the last receipts, which nobody waits for
		old := ada.fetchesAt(bob)
		bob.shutdown()
		m := ada.send(bob, "hello")
		ada.waitState(m.ID, api.StateSent)
		time.Sleep(time.Minute)
		boxes := net.Boxes()
		for range 16 { // four hours: after four and a half Ada may ask for the receipt
			for _, down := range []bool{true, false} {
				for _, id := range old {
					net.SetDown(id, down)
				}
				time.Sleep(8 * time.Minute)
			}
		}
		if now := net.Boxes(); now != boxes {
			t.Errorf("%d boxes, then %d", boxes, now)
		}
		bob.start()
		for range 50 {
			for _, down := range []bool{true, false} {
				net.SetDown(old[0], down)
				time.Sleep(8 * time.Minute)
			}
		}
		ada.waitState(m.ID, api.StateDelivered)
		if told := ada.fetchesAt(bob); !slices.Equal(told, old) {
			t.Errorf("Bob has moved from %v to %v", old, told)
		}
	})
}
