package store

import (
	"encoding/binary"
	"testing"
)

// TestPruneTold: of the contents of a room that were taken the newest are remembered, of
// each room as many.
func TestPruneTold(t *testing.T) {
	s := open(t, newProfile(t))
	rooms := []ID{NewID(), NewID()}
	ref := func(n int) (r Ref) {
		binary.BigEndian.PutUint64(r[:], uint64(n))
		return r
	}
	update(t, s, func(tx *Tx) error {
		for _, id := range rooms {
			if err := tx.AddRoom(Room{ID: id}, "room", now, nil); err != nil {
				return err
			}
		}
		for n := range maxTold + 2 {
			if err := tx.SetTold(rooms[0], ref(n)); err != nil {
				return err
			}
		}
		return tx.SetTold(rooms[1], ref(0))
	})
	update(t, s, func(tx *Tx) error { return tx.PruneTold() })

	for _, tt := range []struct {
		room ID
		n    int
		want bool
	}{{rooms[0], 0, false}, {rooms[0], 1, false}, {rooms[0], 2, true}, {rooms[0], maxTold + 1, true}, {rooms[1], 0, true}} {
		if told := view(t, s, func(tx *Tx) (bool, error) { return tx.Told(tt.room, ref(tt.n)) }); told != tt.want {
			t.Errorf("content %d: %t", tt.n, told)
		}
	}
}
