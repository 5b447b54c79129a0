package group

import (
	"strings"
	"testing"
	"time"
)

// TestStory is the plain story: a room, a link, somebody new, words both ways, a restart.
func TestStory(t *testing.T) {
	w := newWorld(t)
	owner := w.found()
	bob := w.joins(owner, "bob")
	carol := w.joins(owner, "carol")
	w.settle()
	for _, p := range w.people {
		if n := len(p.room.Members()); n != 3 {
			t.Errorf("%s sees %d members", p.name, n)
		}
		if p.room.Title() != "a room" {
			t.Errorf("%s: title %q", p.name, p.room.Title())
		}
	}

	owner.must(owner.says("hello"))
	w.settle()
	w.hears("hello", bob, carol)
	bob.must(bob.says("hello yourself"))
	w.settle()
	w.hears("hello yourself", owner, carol)
	w.restart()
	long := strings.Repeat("a long text ", 5000)
	carol.must(carol.says(long))
	w.settle()
	w.hears(long, owner, bob)
	owner.must(owner.says("after"))
	w.pass(time.Minute)
	w.hears("after", bob, carol)
	for _, p := range w.people {
		if len(p.fails) > 0 {
			t.Errorf("%s: %v", p.name, p.fails)
		}
	}
	if a, b := bob.room.Safety(carol.room.Self()), carol.room.Safety(bob.room.Self()); a != b || len(a) != 60 {
		t.Errorf("%q and %q", a, b)
	}
}
