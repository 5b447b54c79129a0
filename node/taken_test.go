package node

import (
	"slices"
	"testing"
	"time"

	"starling/node/api"
	"starling/node/inbox"
	"starling/node/nettest"
)

// Both mailboxes of Bob's say "taken" to Ada and show noise: nothing is given up, no
// mark is lost, nobody is told of anything, and the texts come another way.
func TestTakenWithoutProof(t *testing.T) {
	gone(t, func(t *testing.T, net *nettest.Net, ada, bob *user) {
		talk(t, ada, bob, "first")
		verify(t, ada, bob)
		for _, m := range ada.fetchesAt(bob) {
			net.SetLiar(m, true)
		}
		text := ada.send(bob, "one text is enough")
		m := bob.send(ada, "from Bob, over Ada's own honest mailboxes")
		time.Sleep(24 * time.Hour)
		bob.waitState(m.ID, api.StateDelivered)
		ada.waitState(text.ID, api.StateDelivered)
		for _, u := range []*user{ada, bob} {
			other := map[*user]*user{ada: bob, bob: ada}[u]
			if c := u.contact(other); !c.Verified || c.State != api.ContactReady || len(u.notices(other)) != 0 {
				t.Errorf("%s: %+v, told %q", u.name, c, u.notices(other))
			}
		}
	})
}

// A session that was given up still brings the texts of the other one in it, and both
// are told that the mark is gone.
func TestGivenUpStillReceives(t *testing.T) {
	gone(t, func(t *testing.T, net *nettest.Net, ada, bob *user) {
		talk(t, ada, bob, "first")
		verify(t, ada, bob)
		ada.shutdown()
		old := ada.copyProfile()
		ada.start()
		bobs := ada.fetchesAt(bob)
		eventually(t, "quiet", func() bool { return ada.outboxEmpty() && bob.outboxEmpty() })
		bob.shutdown()
		ada.waitState(ada.send(bob, "in one history").ID, api.StateSent)
		time.Sleep(time.Minute)
		ada.shutdown()
		ada.putBack(old)
		ada.start()
		ada.send(bob, "in another history")
		eventually(t, "Ada finds out", func() bool { return len(ada.notices(bob)) == 1 })
		// Ada's offer does not reach Bob yet; he says something in the old session.
		for _, m := range bobs {
			net.SetDown(m, true)
		}
		bob.start()
		bob.send(ada, "in the old session")
		// Where Ada's mailboxes are the same two, the text comes where the two meet, and the
		// offer may as well.
		began := time.Now()
		for !slices.Contains(ada.said(bob), "in the old session") && time.Since(began) < time.Hour {
			time.Sleep(time.Second)
		}
		soon := time.Since(began) < inbox.DefaultHold
		if c := ada.contact(bob); c.Verified || soon && c.State != api.ContactPending {
			t.Errorf("%+v", c)
		}
		for _, m := range bobs {
			net.SetDown(m, false)
		}
		time.Sleep(time.Hour)
		talk(t, ada, bob, "on")
		for _, u := range []*user{ada, bob} {
			other := map[*user]*user{ada: bob, bob: ada}[u]
			if c := u.contact(other); c.Verified || len(u.notices(other)) != 1 {
				t.Errorf("%s: %+v, told %q", u.name, c, u.notices(other))
			}
		}
		if n := count(ada.said(bob), "in the old session"); n != 1 {
			t.Errorf("shown %d times", n)
		}
	})
}
