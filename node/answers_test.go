package node

import (
	"fmt"
	"testing"
	"time"

	"starling/node/api"
	"starling/node/inbox/watch"
	"starling/node/nettest"
	"starling/node/outbox"
	"starling/node/store"
)

// signals returns how many signals of a user's session with another are up.
func (u *user) signals(with *user) (n int) {
	u.t.Helper()
	err := u.store.View(u.t.Context(), func(tx *store.Tx) error {
		contacts, err := tx.ContactsNamed(with.name)
		if err != nil || len(contacts) != 1 {
			return fmt.Errorf("%d contacts: %w", len(contacts), err)
		}
		s, _, err := outbox.Session(tx, contacts[0].ID)
		if err == nil {
			n = len(s.Signals())
		}
		return err
	})
	if err != nil {
		u.t.Fatal(err)
	}
	return n
}

// Ada says more at once than may be on its way without a flare, and then neither says
// anything any more: no signal stays up, and no box is left.
func TestAnswersEnd(t *testing.T) {
	gone(t, func(t *testing.T, net *nettest.Net, ada, bob *user) {
		talk(t, ada, bob, "first")
		eventually(t, "quiet", func() bool { return ada.outboxIdle() && bob.outboxIdle() })
		time.Sleep(time.Minute)
		before := net.Boxes()
		bob.shutdown()
		ids := ada.sendAll(bob, numbered(14))
		ada.waitAll(ids, api.StateSent)
		if ada.signals(bob) == 0 {
			t.Fatal("no flare is up")
		}
		bob.start()
		ada.waitAll(ids, api.StateDelivered)
		time.Sleep(time.Minute)
		if bob.signals(ada) == 0 {
			t.Fatal("no answer is up")
		}
		time.Sleep(20 * time.Minute)
		for _, pair := range [][2]*user{{ada, bob}, {bob, ada}} {
			if n := pair[0].signals(pair[1]); n > 0 {
				t.Errorf("%s has %d signals up", pair[0].name, n)
			}
		}
		time.Sleep(watch.LateAfter + time.Hour) // for copies that were stored late
		if n := net.Boxes(); n > before {
			t.Errorf("%d boxes are left, %d were there", n, before)
		}
	})
}
