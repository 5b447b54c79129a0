package node

import (
	"testing"

	"starling/node/nettest"
	"starling/node/store"
)

// TestComparedNameStays: a contact compared by safety number keeps the compared name,
// under any later one of theirs.
func TestComparedNameStays(t *testing.T) {
	gone(t, func(t *testing.T, net *nettest.Net, ada, bob *user) {
		talk(t, ada, bob, "first")
		named := func() bool {
			var all []store.Contact
			err := ada.store.View(t.Context(), func(tx *store.Tx) (err error) { all, err = tx.ContactsNamed("Bob"); return err })
			if err != nil || len(all) != 1 {
				t.Fatalf("%v, %v", all, err)
			}
			return all[0].Named
		}
		if named() {
			t.Fatal("this test cannot fail: the owner has named Bob")
		}
		verify(t, ada, bob)
		if !named() {
			t.Error("Bob may call himself another after he was compared")
		}
	})
}
