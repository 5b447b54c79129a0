package group

import (
	"testing"
	"time"
)

// TestLeftFromTheOldPlace: a member that has not read the newest rekey leaves, in the place of before. Somebody who came in since hears of it.
func TestLeftFromTheOldPlace(t *testing.T) {
	for _, apart := range []bool{false, true} {
		w := newWorld(t)
		all := w.room(3)
		owner, leaver, gone := all[0], all[1], all[2]
		w.pass(time.Minute)
		leaver.offline = true
		owner.must(owner.room.SetRole(gone.room.self, Nobody, w.now))
		if !apart {
			w.settle()
		}
		late := w.joins(owner, "late")
		leaver.must(leaver.room.Leave(w.now))
		w.settle()
		w.pass(40 * time.Minute)
		w.allSpeak("without them", []*person{owner, late})
		if n := len(late.room.Members()); n != 2 {
			t.Errorf("late sees %d", n)
		}
	}
}
