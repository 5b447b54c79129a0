package group

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// TestPartitionOfAnHour: two halves of a room reach one mailbox each. In each an admin removes a friend of the other admin, and lets
// somebody in. After an hour all hear each other again: one state, nobody stuck, and the two who were removed
// open nothing of what follows the merge, with all that ever lay anywhere.
func TestPartitionOfAnHour(t *testing.T) {
	w := newWorld(t)
	all := w.room(8)
	owner, one, two := all[0], all[1], all[2]
	for _, p := range []*person{one, two} {
		owner.must(owner.room.SetRole(p.room.self, Admin, w.now))
		w.settle()
	}
	w.pass(time.Hour)
	friends := []*person{all[6], all[7]} // of two, of one: each in the half of their friend
	halves := [2][]*person{{owner, one, all[3], friends[1]}, {two, all[4], all[5], friends[0]}}
	for i, half := range halves {
		for _, p := range half {
			p.apart = i + 1
		}
	}

	one.must(one.room.SetRole(friends[0].room.self, Nobody, w.now))
	two.must(two.room.SetRole(friends[1].room.self, Nobody, w.now))
	for minute := range 6 {
		for i, half := range halves {
			for k, p := range half[:3] {
				p.must(p.says(fmt.Sprintf("half %d, %d, by %d", i, minute, k)))
			}
		}
		w.pass(10 * time.Minute)
	}
	for i, half := range halves {
		for k, p := range half[:3] {
			w.hears(fmt.Sprintf("half %d, 5, by %d", i, k), others(half, p)...)
		}
	}

	w.together()
	w.pass(10 * time.Minute)
	left := slices.Concat(halves[0][:3], halves[1][:3])
	for _, p := range left {
		if n := len(p.room.keys.Heads()); n != 1 || p.room.Healing() || fmt.Sprint(ids(p)) != fmt.Sprint(ids(owner)) {
			t.Errorf("%s: %d heads, healing %v, %v", p.name, n, p.room.Healing(), ids(p))
		}
	}
	for i, half := range halves {
		for k, p := range half[:3] {
			text := fmt.Sprintf("half %d, 5, by %d", i, k)
			for _, q := range others(left, p) {
				if !slices.ContainsFunc(q.heard, func(s Said) bool { return string(s.Content) == text }) {
					t.Errorf("%s never heard %q", q.name, text)
				}
			}
		}
	}

	w.allSpeak("together again", left)
	for range 2 {
		for i := range w.boxes {
			for _, log := range w.boxes[i].logs {
				for _, e := range log {
					friends[0].room.Take(e, w.now)
					friends[1].room.Take(e, w.now)
				}
			}
		}
	}
	for _, p := range friends {
		if _, events := p.heard, p.room.flush(); len(events) > 0 || slices.ContainsFunc(p.heard, func(s Said) bool { return len(s.Content) > 8 && string(s.Content[:8]) == "together" }) {
			t.Errorf("%s reads on", p.name)
		}
		if p.room.Role(p.room.self) != Nobody {
			t.Errorf("%s is in", p.name)
		}
	}
}

// TestLinkServedByItsAuthorAlone: F10. Another admin lets nobody in by it, though they would know of the request.
func TestLinkServedByItsAuthorAlone(t *testing.T) {
	w := newWorld(t)
	all := w.room(3)
	owner, admin := all[0], all[1]
	owner.must(owner.room.SetRole(admin.room.self, Admin, w.now))
	w.settle()
	l, err := owner.room.MakeLink(1, false, w.now.Add(time.Hour), w.now)
	if err != nil {
		t.Fatal(err)
	}
	owner.commit()
	owner.offline = true
	guest := w.asks(l.Text, "guest")
	w.settle()
	for _, log := range w.boxes[0].logs {
		for _, e := range log {
			admin.take(e)
		}
	}
	if w.settle(); guest.room != nil || len(admin.room.Requests()) != 0 {
		t.Error("somebody else serves the link")
	}
	owner.offline = false
	if w.settle(); guest.room == nil {
		t.Error("the author does not")
	}
}

// TestTurnsOfLiars: a writer of a lane says that its segments are left, all at once, and those of other lanes. The others go
// on, and hear each other.
func TestTurnsOfLiars(t *testing.T) {
	w := newWorld(t)
	all := w.room(7)
	owner, evil := all[0], all[6]
	at := evil.room.writing()
	for lane := range uint8(lanes) {
		for segment := range uint8(segments + 1) {
			in := control([]byte{typeTurn, lane, segment})
			if lane != at.lane {
				owner.refuses("a turn of another lane", evil.forge(at.lane, in))
				continue
			}
			s, _ := at.writer(lane)
			if segment < segments {
				w.put(putInto(&at.vault, s, evil.room.group, lane, segment, w.mailboxes(), in))
			}
		}
	}
	owner.refuses("a turn cut", evil.forge(at.lane, control([]byte{typeTurn, at.lane})))
	before := len(owner.room.words.rekeys)
	w.allSpeak("beside turns", all)
	w.pass(50 * time.Minute)
	if n := len(owner.room.words.rekeys) - before; n > 0 {
		t.Errorf("%d rekeys", n)
	}
	w.pass(time.Hour)
	w.allSpeak("later", all)
}
