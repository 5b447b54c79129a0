package store

import (
	"errors"
	"fmt"
	"testing"
)

// TestRoomSecrets: parts of the secrets of a room change by themselves, and never from an old copy. One that was moved or put back
// does not open, and all go with the room.
func TestRoomSecrets(t *testing.T) {
	s := open(t, newProfile(t))
	one, other := NewID(), NewID()
	part := func(all ...string) map[string][]byte {
		m := map[string][]byte{}
		for i := 0; i < len(all); i += 2 {
			m[all[i]] = []byte(all[i+1])
		}
		return m
	}
	update(t, s, func(tx *Tx) error {
		return errors.Join(tx.AddRoom(Room{ID: one}, "one", now, part("", "a", "x", "b", "y", "c")), tx.AddRoom(Room{ID: other}, "other", now, part("", "d")))
	})
	var version int64
	holds := func(when string, id ID, want map[string][]byte) {
		t.Helper()
		got := view(t, s, func(tx *Tx) (all map[string][]byte, err error) {
			all, version, err = tx.RoomSecrets(id)
			return all, err
		})
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %s, want %s", when, got, want)
		}
	}
	holds("at first", one, part("", "a", "x", "b", "y", "c"))

	update(t, s, func(tx *Tx) error {
		return tx.SetRoomSecrets(one, version, map[string][]byte{"x": []byte("e"), "y": nil, "z": {}})
	})
	old := version
	holds("changed", one, part("", "a", "x", "e", "z", ""))
	holds("the other", other, part("", "d"))
	if err := s.Update(t.Context(), func(tx *Tx) error { return tx.SetRoomSecrets(one, old, part("", "from an old copy")) }); !errors.Is(err, ErrStale) {
		t.Errorf("write from an old copy: %v", err)
	}
	holds("after a stale write", one, part("", "a", "x", "e", "z", ""))

	// As others would change the rows.
	back := errors.New("rollback")
	for name, sql := range map[string]string{
		"of another part":    `UPDATE secrets SET sealed = (SELECT sealed FROM secrets WHERE contact = ?1 AND part = X'') WHERE contact = ?1 AND part = X'78' AND ?2 IS NOT NULL`,
		"of another room":    `UPDATE secrets SET sealed = (SELECT sealed FROM secrets WHERE contact = ?2) WHERE contact = ?1 AND part = X''`,
		"under another name": `UPDATE secrets SET part = X'77' WHERE contact = ?1 AND part = X'78' AND ?2 IS NOT NULL`,
		"of before":          `UPDATE secrets SET version = version - 1 WHERE contact = ?1 AND part = X'78' AND ?2 IS NOT NULL`,
	} {
		err := s.Update(t.Context(), func(tx *Tx) error {
			if err := tx.execOne(sql, one, other); err != nil {
				return err
			}
			if _, _, err := tx.RoomSecrets(one); err != nil {
				return back
			}
			return nil
		})
		if err != back {
			t.Errorf("a part %s is opened: %v", name, err)
		}
	}

	update(t, s, func(tx *Tx) error { return tx.ForgetRoom(one) })
	holds("forgotten", one, nil)
	holds("the other, then", other, part("", "d"))
	update(t, s, func(tx *Tx) error { return tx.RemoveContact(other) })
	if n := view(t, s, func(tx *Tx) (int64, error) { return tx.number(`SELECT count(*) FROM secrets`) }); n != 0 {
		t.Errorf("%d parts are left", n)
	}
}
