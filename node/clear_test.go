package node

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"starling/node/api"
	"starling/node/nettest"
)

// TestClearGoesOn: a conversation that is cleared while texts are on their way, and copies
// of old ones come again, shows nothing old, loses nothing new, and says of no gap.
func TestClearGoesOn(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, net *nettest.Net, ada, bob *user) {
		for i := range 3*clearBatch/64 + 1 {
			bob.send(ada, fmt.Sprint("old ", i))
		}
		time.Sleep(time.Minute)
		bob.shutdown()
		sealed := ada.send(bob, "on its way")
		time.Sleep(time.Minute)
		if state, _ := ada.state(sealed.ID); state != api.StateSent {
			t.Fatal(state)
		}
		net.Set(nettest.Settings{Again: quiet.Again, Duplicate: 1})
		if err := ada.ClearConversation(t.Context(), "Bob"); err != nil {
			t.Fatal(err)
		}

		bob.start()
		after := ada.send(bob, "after")
		bob.send(ada, "new")
		time.Sleep(30 * time.Minute)
		if got := ada.texts(bob); fmt.Sprint(got) != "[new]" {
			t.Errorf("shown %q", got)
		}
		bob.wantSigned(ada, "on its way", "after")
		if state, _ := ada.state(after.ID); state != api.StateDelivered {
			t.Error(state)
		}
		if s, err := ada.Status(t.Context()); err != nil || s.Outbox != (api.Outbox{}) {
			t.Errorf("%+v, %v", s.Outbox, err)
		}
	})
}

// TestClearBeforeSealing: a text that was not sealed yet goes with the conversation:
// nothing of it waits, and the next ones name no message that never comes. One that the
// outbox had sealed by then arrives: its cell is a part of the session.
func TestClearBeforeSealing(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, _ *nettest.Net, ada, bob *user) {
		ada.send(bob, "first")
		time.Sleep(time.Minute)
		ada.link.SetOffline(true)
		ada.send(bob, "never mind")
		if err := ada.ClearConversation(t.Context(), "Bob"); err != nil {
			t.Fatal(err)
		}
		ada.link.SetOffline(false)
		ada.send(bob, "second")
		time.Sleep(time.Hour)
		got := bob.signed(ada)
		got = slices.DeleteFunc(got, func(s string) bool { return strings.HasPrefix(s, "never mind") })
		if !slices.Equal(got, []string{"first", "second"}) {
			t.Errorf("%q", got)
		}
		if s, err := ada.Status(t.Context()); err != nil || s.Outbox != (api.Outbox{}) {
			t.Errorf("%+v, %v", s.Outbox, err)
		}
	})
}

// TestNewName: contacts are told another name, also one that was away.
func TestNewName(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, _ *nettest.Net, ada, bob *user) {
		bob.shutdown()
		name := "Augusta"
		if _, err := ada.ChangeSettings(t.Context(), api.SettingsChange{Name: &name}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		bob.start()
		eventually(t, "the new name", func() bool {
			all, err := bob.Contacts(t.Context())
			return err == nil && all[0].Name.String() == name
		})
		ada.name = name
		ada.send(bob, "it is me")
		bob.shown(ada, 1)
	})
}
