package group

import (
	"testing"

	"starling/session/group/keys"
)

// TestTextChangesLittle: a text that is heard changes three parts of the state, and no row is written for the rest.
func TestTextChangesLittle(t *testing.T) {
	w := newWorld(t)
	all := w.room(6)
	w.allSpeak("something", all)
	w.allSpeak("more", all)
	for _, p := range all {
		p.restarts()
	}

	cell, _ := w.lastCell(all[0], "the last")
	reader := all[3]
	if _, err := reader.room.Take(cell, w.now); err != nil {
		t.Fatal(err)
	}
	changed := reader.room.State()
	if n := sizeOf(changed); len(changed) != 3 || n > 3000 {
		t.Errorf("%d parts of %d bytes", len(changed), n)
	}
	for name := range changed {
		if name != partFirst && name[:1] != partHeard && name[:1] != keys.PartPrefix {
			t.Errorf("part %q", name)
		}
	}
	if again := reader.room.State(); len(again) > 0 {
		t.Errorf("%d parts once more", len(again))
	}
}
