package group

import (
	"fmt"
	"testing"
	"time"

	"starling/session/group/keys"
)

// TestTwoAdminsFillTheRoom: two admins who do not hear of each other let in as many as there may be, each. There are more people then than a room
// is for; everybody that has keys goes on, all see the same people, and nobody more comes in.
func TestTwoAdminsFillTheRoom(t *testing.T) {
	w := newWorld(t)
	w.light = true
	all := w.room(2)
	owner, admin := all[0], all[1]
	owner.must(owner.room.SetRole(admin.room.Self(), Admin, w.now))
	w.settle()
	links := []Link{w.link(owner, MaxUses, false), w.link(admin, MaxUses, false)}
	w.settle()
	owner.apart, admin.apart = 1, 2
	for side := range 2 {
		for i := range Limit {
			p := w.asks(links[side].Text, fmt.Sprint("guest ", side, i))
			p.apart = side + 1
			w.settle()
		}
	}
	w.together()
	w.pass(20 * time.Minute)
	speak := func(when string) (can []*person) {
		t.Helper()
		for _, p := range w.people {
			if p.room == nil {
				continue
			}
			if n := len(p.room.Members()); n != 2*Limit-2 {
				t.Errorf("%s sees %d members", p.name, n)
			}
			if p.room.speaks() == nil {
				can = append(can, p)
			}
		}
		for _, p := range []*person{owner, admin, can[len(can)-1]} {
			text := fmt.Sprint(when, ": ", p.name)
			p.must(p.says(text))
			w.settle()
			w.hears(text, others(can, p)...)
		}
		return can
	}
	if n := len(speak("together")); n != 2*Limit-2 {
		t.Errorf("%d can speak", n)
	}

	// New keys are for so many at once; the others ask.
	owner.must(owner.room.rekey(w.now))
	w.settle()
	lack := 0
	for _, p := range w.people {
		if p.room != nil && len(p.room.keys.Lacking()) > 0 {
			lack++
		}
	}
	if lack != 2*Limit-2-keys.MaxRecipients {
		t.Errorf("%d have no keys", lack)
	}
	w.pass(10 * time.Minute)
	if n := len(speak("with new keys")); n != 2*Limit-2 {
		t.Errorf("%d can speak after a rekey", n)
	}
	late := w.asks(w.link(owner, 1, false).Text, "late")
	w.settle()
	if late.room != nil || late.refused != "full" {
		t.Errorf("one more: %q", late.refused)
	}
}
