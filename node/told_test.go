package node

import (
	"testing"
	"time"

	"starling/node/api"
	"starling/node/nettest"
)

// TestTimesToldAreTheRelays: the times told to contacts do not show how wrong this
// computer's clock is: of a message, an edit, and a read.
func TestTimesToldAreTheRelays(t *testing.T) {
	gone(t, func(t *testing.T, net *nettest.Net, ada, bob *user) {
		yes := true
		if _, err := ada.ChangeSettings(t.Context(), api.SettingsChange{ReadReceipts: &yes}); err != nil {
			t.Fatal(err)
		}
		const ahead = 73*time.Second + 456*time.Millisecond
		ada.link.SetAhead(ahead)
		asked := bob.send(ada, "how late is it?")
		bob.waitState(asked.ID, api.StateDelivered)
		time.Sleep(123 * time.Millisecond)

		now := time.Now()
		m := ada.send(bob, "late")
		ada.waitState(m.ID, api.StateDelivered)
		if _, err := ada.Edit(t.Context(), api.EditRequest{Message: m.ID, Text: "later"}); err != nil {
			t.Fatal(err)
		}
		if err := ada.MarkRead(t.Context(), "Bob"); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the edit", func() bool { return bob.last(ada).Text.String() == "later" })
		got := bob.last(ada)
		var read time.Time
		eventually(t, "it is read", func() bool {
			m, err := bob.Message(t.Context(), asked.ID)
			if err != nil {
				t.Fatal(err)
			}
			read = m.Read
			return !read.IsZero()
		})
		for what, at := range map[string]time.Time{"message": got.Time, "edit": got.Edited, "reading": read} {
			if at.Nanosecond() != 0 || now.Add(-ahead).Sub(at).Abs() > 30*time.Second {
				t.Errorf("the time of the %s is %v, by the relays it is %v", what, at, now.Add(-ahead))
			}
		}
	})
}
