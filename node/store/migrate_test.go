package store

import (
	"fmt"
	"testing"

	"starling/node/api"
)

// A database of every earlier version becomes one of today, with all that was
// in it, and what was said can be searched.
func TestMigrate(t *testing.T) {
	all := migrations
	for v := 1; v < len(all); v++ {
		t.Run(fmt.Sprint("from ", v), func(t *testing.T) {
			migrations = all[:v]
			defer func() { migrations = all }()
			p := newProfile(t)
			s := open(t, p)
			bob, text, mine, notice := NewID(), NewID(), NewID(), NewID()
			update(t, s, func(tx *Tx) error {
				for _, q := range []struct {
					sql  string
					args []any
				}{
					{`DELETE FROM meta WHERE key = 'search'`, nil},
					{`INSERT INTO contacts(id, name, named, state, created, read_seq, next_seq, invite, version, session)
						VALUES(?, 'Bob', 1, 'ready', 1, 1, 7, 'i', 1, ?)`, []any{bob, tx.seal("contacts", bob[:], 1, []byte("state"))}},
					{`INSERT INTO messages(seq, id, contact, outgoing, text, time, state) VALUES(1, ?, ?, 0, 'Grüße', 5, 'received')`, []any{text, bob}},
					{`INSERT INTO messages(seq, id, contact, outgoing, text, time, state) VALUES(2, ?, ?, 1, 'grüß dich', 6, 'sent')`, []any{mine, bob}},
					{`INSERT INTO messages(seq, id, contact, outgoing, text, time, state) VALUES(3, ?, ?, 0, 'Grußworte', 7, 'notice')`, []any{notice, bob}},
					{`INSERT INTO items(id, contact, kind, created, state) VALUES(?, ?, 2, 6, 'sent')`, []any{mine, bob}},
					{`INSERT INTO events(seq, kind, contact, message, time) VALUES(2, 'message', ?, ?, 6)`, []any{bob, mine}},
				} {
					if err := tx.exec(q.sql, q.args...); err != nil {
						return err
					}
				}
				return nil
			})
			s.Close()
			migrations = all
			s = open(t, p)
			c := view(t, s, func(tx *Tx) (Contact, error) { return tx.Contact(bob) })
			if c.Name != "Bob" || c.NextSeq != 7 || c.TimerPlace != -1 || c.Pinned || c.Timer != 0 || !c.Muted.IsZero() || c.LastSent != mine {
				t.Errorf("%+v", c)
			}
			state := view(t, s, func(tx *Tx) ([]byte, error) { state, _, err := tx.Session(bob); return state, err })
			if string(state) != "state" {
				t.Errorf("session %q", state)
			}
			history := view(t, s, func(tx *Tx) ([]Message, error) { return tx.History(bob, 100, 10) })
			if len(history) != 3 || history[0].Text != "Grüße" || history[0].Place != -1 || !history[0].Ref.IsZero() || history[1].Timer != 0 ||
				history[0].Written != -1 || !history[0].Previous.IsZero() || !history[0].Gap.IsZero() || history[0].Lost || !history[0].Late.IsZero() {
				t.Errorf("%+v", history)
			}
			if got := found(t, s, "grus", ID{}); len(got) != 2 || got[0] != "grüß dich" {
				t.Errorf("found %q", got)
			}
			items := view(t, s, (*Tx).Items)
			if len(items) != 1 || items[0].ID != mine || !items[0].Ref.IsZero() || items[0].State != api.StateSent {
				t.Errorf("%+v", items)
			}
			update(t, s, func(tx *Tx) error { return tx.TakeBack(history[0], now) })
			update(t, s, func(tx *Tx) error { return tx.Erase(history[1], now) })
			if got := found(t, s, "gr", ID{}); len(got) != 0 {
				t.Errorf("found %q", got)
			}
		})
	}
}
