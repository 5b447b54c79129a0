package store

import (
	"testing"

	"starling/node/api"
)

// The list says of each conversation what its own queries say.
func TestStandings(t *testing.T) {
	s := open(t, newProfile(t))
	bob, eve := NewID(), NewID()
	update(t, s, func(tx *Tx) error {
		if err := tx.AddContact(Contact{ID: bob, Name: "Bob", State: api.ContactReady, Created: now}, nil); err != nil {
			return err
		}
		if err := tx.AddContact(Contact{ID: eve, Name: "Eve", State: api.ContactReady, Created: now.Add(1000)}, nil); err != nil {
			return err
		}
		for _, text := range []string{"read", "unread", "unread too"} {
			if _, err := tx.AddMessage(Message{ID: NewID(), Contact: bob, Text: text, Time: now, State: api.StateReceived}, now); err != nil {
				return err
			}
		}
		if _, err := tx.AddMessage(Message{ID: NewID(), Contact: bob, Outgoing: true, Text: "ours", Time: now, State: api.StateQueued}, now); err != nil {
			return err
		}
		c, err := tx.Contact(bob)
		if err != nil {
			return err
		}
		first, err := tx.HistoryAfter(bob, 0, 1)
		if err != nil {
			return err
		}
		c.ReadSeq = first[0].Seq
		return tx.SetContact(c)
	})

	all := view(t, s, func(tx *Tx) ([]Standing, error) { return tx.Standings() })
	if len(all) != 3 || all[0].ID != Self || all[1].ID != bob || all[2].ID != eve {
		t.Fatalf("the list is %v", all)
	}
	if b := all[1]; b.Unread != 2 || b.Unsent != 0 || b.Last == nil || b.Last.Text != "ours" || b.Name != "Bob" {
		t.Errorf("of Bob it says %+v", b)
	}
	if e := all[2]; e.Unread != 0 || e.Last != nil {
		t.Errorf("of Eve, who wrote nothing, it says %+v", e)
	}
	one := view(t, s, func(tx *Tx) (Standing, error) { return tx.Standing(bob) })
	if one.Unread != 2 || one.Last == nil || one.Last.Text != "ours" {
		t.Errorf("alone it says %+v", one)
	}
}
