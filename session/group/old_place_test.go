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

// TestSeedsAfterAStep: somebody lacks the seeds of a rekey for so long that they ask, and are given a later generation. Then the seeds come: all
// that was said before is heard.
func TestSeedsAfterAStep(t *testing.T) {
	w := newWorld(t)
	all := w.room(4)
	owner, carol := all[0], all[3]
	w.pass(time.Minute)
	carol.offline = true
	owner.must(owner.room.rekey(w.now))
	w.settle()
	owner.must(owner.says("before the step"))
	w.settle()

	late := func(e Entry) bool {
		at := carol.room.places.index[e.Name]
		if at.place == nil {
			return false
		}
		in, ok := at.place.vault.open(carol.room.group, at.lane, e.Tag, e.Box)
		if !ok || in[0] == kindMessage {
			return false
		}
		data, _ := in.controlData()
		return data[0] == typeSeeds
	}
	var seeds []Entry
	w.hide = func(_ int, e Entry) bool {
		if late(e) {
			seeds = append(seeds, e)
			return true
		}
		return false
	}
	carol.offline = false
	w.pass(20 * time.Minute)
	if len(seeds) == 0 || len(carol.room.keys.Lacking()) > 0 {
		t.Fatalf("%d seeds held back, %d heads lacking", len(seeds), len(carol.room.keys.Lacking()))
	}
	w.hide = nil
	for _, e := range seeds {
		carol.take(e)
	}
	w.pass(time.Minute)
	w.hears("before the step", all[1:]...)
	carol.restarts()
	w.allSpeak("all is well", all)
}
