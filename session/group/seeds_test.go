package group

import (
	"bytes"
	"slices"
	"testing"
)

// TestSeedsPushedOut: members put pieces of seeds of rekeys that there are not into their lanes. They push out none of those that an admin has
// put into the control lane, and whose rekey comes later.
func TestSeedsPushedOut(t *testing.T) {
	w := newWorld(t)
	all := w.room(4)
	owner, bob, evil := all[0], all[1], all[3]
	bob.offline = true
	if err := owner.room.rekey(w.now); err != nil {
		t.Fatal(err)
	}
	c := owner.room.Changes()
	owner.rows = append(owner.rows, c.NewEntries...)
	owner.commit()
	var later []Append
	for _, a := range c.Appends {
		at := bob.room.places.index[nameOf(a.Log)]
		if at.place == nil {
			continue
		}
		in, _ := at.place.vault.open(bob.room.group, at.lane, a.Tag, a.Box)
		if data, _ := in.controlData(); data[0] == typeSeeds {
			bob.take(Entry{nameOf(a.Log), 1, a.Tag, a.Signature, a.Box})
		} else {
			later = append(later, a)
		}
	}
	for i := range 3 * maxChunks {
		bob.take(evil.forge(laneOpen, control(slices.Concat([]byte{typeSeeds}, bytes.Repeat([]byte{byte(i), byte(i >> 8)}, 16), []byte{0, 1, 2}))))
	}
	if n := len(bob.room.aside.chunks); n > maxChunks {
		t.Errorf("%d pieces wait", n)
	}
	bob.restarts()
	for _, a := range later {
		bob.take(Entry{nameOf(a.Log), 1, a.Tag, a.Signature, a.Box})
	}
	if len(later) == 0 || len(bob.room.keys.Lacking()) != 0 {
		t.Errorf("%d heads are lacking", len(bob.room.keys.Lacking()))
	}

	// Admins push out each other's.
	for i := range 3 * maxChunks {
		bob.take(owner.forge(laneControl, control(slices.Concat([]byte{typeSeeds}, bytes.Repeat([]byte{byte(i), byte(i >> 8)}, 16), []byte{0, 1, 2}))))
	}
	if n := len(bob.room.aside.chunks); n > maxChunks {
		t.Errorf("%d pieces wait", n)
	}
}
