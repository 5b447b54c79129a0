package store

import (
	"testing"
	"time"

	"starling/node/api"
)

// Each message of ours is written after the one before it, also if that was
// erased since; but for one that may never arrive.
func TestLastSent(t *testing.T) {
	s := open(t, newProfile(t))
	bob := NewID()
	update(t, s, func(tx *Tx) error { return tx.AddContact(Contact{ID: bob, Name: "Bob", Created: now}, nil) })
	last := func() ContentID {
		return view(t, s, func(tx *Tx) (ContentID, error) { c, err := tx.Contact(bob); return c.LastSent, err })
	}
	send := func(state api.State) (m Message) {
		m = Message{ID: NewID(), Contact: bob, Outgoing: true, Text: "x", Time: now, State: state, Previous: last()}
		update(t, s, func(tx *Tx) (err error) {
			if _, err = tx.AddMessage(m, now); err == nil {
				m, err = tx.Message(m.ID)
			}
			return err
		})
		return m
	}
	a := send(api.StateDelivered)
	b := send(api.StateSealed)
	update(t, s, func(tx *Tx) error {
		_, err := tx.AddMessage(Message{Content: NewID().Content(), Contact: bob, Text: "theirs", State: api.StateReceived}, now)
		if err == nil {
			err = tx.AddNotice(Message{ID: NewID(), Contact: bob, Outgoing: true, Text: "a notice"}, now)
		}
		return err
	})
	c := send(api.StateQueued)
	if b.Previous != a.ID.Content() || c.Previous != b.ID.Content() || last() != c.ID.Content() {
		t.Fatalf("%v %v %v", a, b, c)
	}
	update(t, s, func(tx *Tx) error { return tx.TakeBack(b, now) })
	c = view(t, s, func(tx *Tx) (Message, error) { return tx.Message(c.ID) })
	if c.Previous != a.ID.Content() {
		t.Error("what was taken back before it arrived is still named")
	}
	update(t, s, func(tx *Tx) error { return tx.Erase(c, now) })
	if last() != a.ID.Content() {
		t.Error("what was erased before it arrived is the last one")
	}
	update(t, s, func(tx *Tx) error { return tx.Erase(a, now) })
	if last() != a.ID.Content() {
		t.Error("what has arrived is not named any more")
	}
}

// The signs of missing messages, a few at a time.
func TestLose(t *testing.T) {
	s := open(t, newProfile(t))
	bob := NewID()
	update(t, s, func(tx *Tx) error {
		err := tx.AddContact(Contact{ID: bob, Name: "Bob", Created: now}, nil)
		for i := range maxFilled + 1 {
			if err == nil {
				_, err = tx.AddMessage(Message{Content: NewID().Content(), Contact: bob, Text: "x", State: api.StateReceived, Previous: NewID().Content(),
					Written: int64(i), Gap: now.Add(time.Duration(i) * time.Second)}, now)
			}
		}
		return err
	})
	for i, want := range []bool{true, false, false} {
		update(t, s, func(tx *Tx) error {
			more, err := tx.Lose(now.Add(time.Hour), now)
			if more != want {
				t.Errorf("round %d: more is %v", i, more)
			}
			return err
		})
	}
	for _, m := range view(t, s, func(tx *Tx) ([]Message, error) { return tx.History(bob, 1<<60, 100) }) {
		if !m.Lost || m.Gap.IsZero() {
			t.Errorf("%+v", m)
		}
	}
}
