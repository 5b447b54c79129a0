package node

import (
	"context"
	"slices"
	"testing"
	"time"

	"starling/node/api"
	"starling/node/nettest"
	"starling/node/outbox"
	"starling/node/store"
)

// received returns the messages of a contact that are here.
func (u *user) received(from *user) []api.Message {
	u.t.Helper()
	all, err := u.History(context.Background(), api.HistoryRequest{Contact: from.name, Limit: 1000})
	if err != nil {
		u.t.Fatal(err)
	}
	return slices.DeleteFunc(all, func(m api.Message) bool { return m.Outgoing || m.State == api.StateNotice })
}

// signed returns the received texts, with "?" behind one shown with a gap before it,
// "!" if that is lost, and "<" and the text it should stand above behind a late one.
func (u *user) signed(from *user) (out []string) {
	u.t.Helper()
	for _, m := range u.received(from) {
		s := m.Text.String() + map[api.Gap]string{api.GapMissing: "?", api.GapLost: "!"}[m.Gap]
		if m.Late != nil {
			s += "<" + m.Late.Text.String()
		}
		out = append(out, s)
	}
	return out
}

func (u *user) wantSigned(from *user, want ...string) {
	u.t.Helper()
	if got := u.signed(from); !slices.Equal(got, want) {
		u.t.Errorf("shown %q, want %q", got, want)
	}
}

// Both mailboxes lose a message that they said they keep. The message after it waits,
// is then shown with a sign, and the sign goes when the sender has stored it again.
func TestGap(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, net *nettest.Net, ada, bob *user) {
		ada.send(bob, "0")
		time.Sleep(time.Minute)
		net.Set(nettest.Settings{Again: quiet.Again, Forget: 1})
		ada.send(bob, "1")
		time.Sleep(time.Second)
		net.Set(quiet)
		two := ada.send(bob, "2")
		time.Sleep(time.Second)
		ada.send(bob, "3")
		time.Sleep(4 * time.Minute)
		bob.wantSigned(ada, "0")
		if state, _ := ada.state(two.ID); state != api.StateDelivered {
			t.Errorf("what waits is %s", state)
		}
		bob.restart() // what waits is on disk
		time.Sleep(2 * time.Minute)
		bob.wantSigned(ada, "0", "2?", "3")
		time.Sleep(20 * time.Minute)
		bob.wantSigned(ada, "0", "2", "3", "1<2")
		told := 0
		err := bob.Events(t.Context(), 0, func(ev api.Event) error {
			if ev.Kind == api.EventChanged && ev.ID == two.ID {
				told++
				if ev.Message.Gap != "" {
					t.Errorf("told of the gap of today: %q", ev.Message.Gap)
				}
			}
			if s, err := bob.Status(t.Context()); err != nil || ev.Seq >= s.LastEvent {
				return context.Canceled
			}
			return nil
		})
		if told != 1 {
			t.Errorf("told %d times; %v", told, err)
		}
	})
}

// Receipts that are lost are no gap, and hold up nothing.
func TestLostReceiptIsNoGap(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, net *nettest.Net, ada, bob *user) {
		ada.send(bob, "0")
		time.Sleep(time.Minute)
		ada.shutdown()
		bob.send(ada, "hello")
		time.Sleep(time.Minute)
		net.Set(nettest.Settings{Again: quiet.Again, Forget: 1})
		ada.start()
		time.Sleep(time.Minute)
		net.Set(quiet)
		one := ada.send(bob, "1")
		time.Sleep(time.Second)
		bob.wantSigned(ada, "0", "1")
		if _, err := ada.Edit(t.Context(), api.EditRequest{Message: one.ID, Text: "one"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		bob.wantSigned(ada, "0", "one")
	})
}

// A sender that is gone for two weeks: their message is said to be lost, and still
// taken when they come back and try again.
func TestGapNeverFilled(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, net *nettest.Net, ada, bob *user) {
		ada.send(bob, "0")
		time.Sleep(time.Minute)
		net.Set(nettest.Settings{Again: quiet.Again, Forget: 1})
		one := ada.send(bob, "1")
		time.Sleep(time.Second)
		net.Set(quiet)
		ada.send(bob, "2")
		time.Sleep(time.Second)
		ada.shutdown()
		time.Sleep(13 * 24 * time.Hour)
		bob.wantSigned(ada, "0", "2?")
		time.Sleep(26 * time.Hour)
		bob.wantSigned(ada, "0", "2!")
		ada.start()
		time.Sleep(time.Hour)
		if state, _ := ada.state(one.ID); state != api.StateFailed {
			t.Fatalf("the message is %s", state)
		}
		if _, err := ada.Retry(t.Context(), one.ID); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		bob.wantSigned(ada, "0", "2", "1<2")
	})
}

// A gap that a lost session leaves is closed in the next one.
func TestGapOverReset(t *testing.T) {
	net := nettest.New(5)
	ada, bob := newMarkedUser(t, net, "Ada"), newMarkedUser(t, net, "Bob")
	befriend(t, ada, bob)
	talk(t, ada, bob, "first")
	ada.waitIdle()
	before := len(bob.received(ada))
	net.Set(nettest.Settings{Forget: 1})
	one := ada.send(bob, "1")
	eventually(t, "both copies of 1 are stored, and forgotten", func() (both bool) {
		err := ada.store.View(t.Context(), func(tx *store.Tx) error {
			id, err := store.ParseID(one.ID)
			if err != nil {
				return err
			}
			item, err := tx.Item(id)
			both = err == nil && len(item.Cells) == 1 && len(item.Cells[0].Stored) == outbox.Copies
			return err
		})
		return err == nil && both
	})
	net.Set(nettest.Settings{})
	ada.shutdown()
	old := ada.copyProfile()
	ada.start()
	ada.waitState(ada.send(bob, "2").ID, api.StateDelivered) // and waits
	ada.shutdown()
	ada.putBack(old)
	ada.start()
	eventually(t, "the lost message", func() bool { return len(bob.received(ada)) == before+2 })
	if got := bob.signed(ada)[before:]; !slices.Equal(got, []string{"2", "1<2"}) {
		t.Errorf("shown %q", got)
	}
	ada.waitState(ada.send(bob, "3").ID, api.StateDelivered)
	eventually(t, "the next message", func() bool { return len(bob.received(ada)) == before+3 })
	if got := bob.signed(ada)[before+2:]; !slices.Equal(got, []string{"3"}) {
		t.Errorf("shown %q", got)
	}
}
