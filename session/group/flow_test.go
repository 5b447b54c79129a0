package group

import (
	"fmt"
	"testing"
	"time"
)

// TestRemovalsAndJoinsOfAnHour is an hour of a busy room: people come and go, admins act at once, and whoever is in hears
// whoever is in.
func TestRemovalsAndJoinsOfAnHour(t *testing.T) {
	w := newWorld(t)
	all := w.room(6)
	owner := all[0]
	for _, p := range all[1:3] {
		owner.must(owner.room.SetRole(p.room.self, Admin, w.now))
		w.settle()
	}
	for round := range 4 {
		w.pass(7 * time.Minute)
		by := all[round%3]
		all = append(all, w.joins(by, fmt.Sprint("guest ", round)))
		// Two remove one each, at once, and not knowing of each other.
		if len(all) > 6 {
			one, two := all[3], all[4]
			all = append(all[:3:3], all[5:]...)
			for i, out := range []*person{one, two} {
				all[1+i].must(all[1+i].room.SetRole(out.room.self, Nobody, w.now))
			}
		}
		w.pass(2 * time.Minute)
		w.allSpeak(fmt.Sprint("round ", round), all)
		if n := len(owner.room.Members()); n != len(all) {
			t.Errorf("round %d: %d members, not %d", round, n, len(all))
		}
		w.restart()
	}
	// What is old is erased.
	w.pass(15 * 24 * time.Hour)
	if n := len(owner.room.places.all); n > 5 {
		t.Errorf("%d places are read", n)
	}
	if n := len(owner.room.keys.Retired()); n > 1 {
		t.Errorf("%d rekeys that are no heads have secrets", n)
	}
	if n := len(owner.room.keys.Lists()); n > 40 {
		t.Errorf("%d lists have keys", n)
	}
	for _, p := range all {
		if n := len(p.room.leaves.own); n < 1 || n > 4 {
			t.Errorf("%s has %d leaves", p.name, n)
		}
	}
	w.allSpeak("a fortnight later", all)
	t.Logf("a state of %d bytes, %d rows", sizeOf(owner.state), len(owner.rows))
}
