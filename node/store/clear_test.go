package store

import (
	"fmt"
	"testing"

	"starling/node/api"
)

// TestClearedIsGone: no text of a cleared conversation is left on disk, and others keep
// theirs.
func TestClearedIsGone(t *testing.T) {
	p := newProfile(t)
	s := open(t, p)
	bob, eve := addContact(t, s, "Bob", nil), addContact(t, s, "Eve", nil)
	for i := range 40 {
		update(t, s, func(tx *Tx) error {
			_, err := tx.AddMessage(Message{ID: NewID(), Contact: bob.ID, Text: fmt.Sprint("cleared-canary-", i), State: api.StateReceived, Content: NewID().Content()}, now)
			return err
		})
	}
	update(t, s, func(tx *Tx) error {
		_, err := tx.AddMessage(Message{ID: NewID(), Contact: eve.ID, Text: "stays-here-canary", State: api.StateReceived}, now)
		return err
	})
	update(t, s, func(tx *Tx) error { return tx.SetDraft(Draft{Contact: bob.ID, Text: "draft-of-canary"}) })
	s.Checkpoint()
	for _, text := range []string{"cleared-canary-0", "cleared-canary-39", "draft-of-canary"} {
		if !pagesContain(t, p, s, text) {
			t.Fatal("the test cannot see what is there")
		}
	}

	last := view(t, s, func(tx *Tx) (Message, error) { return tx.LastMessage(bob.ID) })
	left, steps := 40, 0
	for left > 0 {
		update(t, s, func(tx *Tx) error {
			_, n, err := tx.Clear(bob.ID, last.Seq, 7)
			left -= n
			return err
		})
		if steps++; steps > 6 {
			t.Fatalf("%d are left", left)
		}
	}
	update(t, s, func(tx *Tx) error { return tx.TellCleared(bob.ID, now) })
	if err := s.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"cleared-canary-", "draft-of-canary"} {
		if pagesContain(t, p, s, text) {
			t.Errorf("%q is still in the database file", text)
		}
	}
	if !pagesContain(t, p, s, "stays-here-canary") {
		t.Error("the text of another conversation is gone")
	}
	if found := view(t, s, func(tx *Tx) ([]Message, error) { return tx.Search("canary", ID{}, 1<<40, 100) }); len(found) != 1 {
		t.Errorf("%d found", len(found))
	}
	known := view(t, s, func(tx *Tx) (bool, error) { return tx.HasSeen(bob.ID, last.Content) })
	if !known {
		t.Error("a late copy would be shown")
	}
}
