package group

import (
	"fmt"
	"testing"
	"time"

	"starling/session/group/keys"
	"starling/session/internal/kdf"
)

// skips passes over all that somebody has not read yet, as if both mailboxes had lost it.
func (p *person) skips() {
	for i, box := range p.w.boxes {
		for _, place := range p.places() {
			for _, name := range place.Names {
				p.read[i][name] = len(box.logs[name])
			}
		}
	}
}

// TestMissedHead: two people rekey at once, and one of the rekeys never came to a member. They find it out by a message
// that they cannot open, ask for it, and are handed the head that they do not know: whoever answers made it before the
// other one, or after it.
func TestMissedHead(t *testing.T) {
	for missed := range 2 {
		for _, first := range []int{0, 1} {
			t.Run(fmt.Sprint("that of leader ", missed, ", leader ", first, " first"), func(t *testing.T) {
				w := newWorld(t)
				all := w.room(4)
				leaders, member := all[:2], all[3]
				leaders[0].must(leaders[0].room.SetRole(leaders[1].room.self, Admin, w.now))
				w.pass(15 * time.Minute)

				// Each of the two posts at the place of before; the member misses one.
				for _, i := range []int{first, 1 - first} {
					leaders[i].must(leaders[i].room.Move(w.mailboxes(), w.now))
					if i == missed {
						member.skips()
					} else {
						member.reads()
					}
					w.now = w.now.Add(time.Second)
				}
				w.settle()
				if n := len(member.room.keys.Heads()); n != 1 {
					t.Fatalf("the member knows %d heads", n)
				}

				leaders[0].must(leaders[0].says("unreadable"))
				w.pass(time.Second)
				if waits := len(member.room.aside.waits) > 0; member.room.Behind(w.now) != waits {
					t.Errorf("behind: %v, and something waits: %v", !waits, waits)
				}
				w.pass(5 * time.Minute)
				if member.room.Behind(w.now) {
					t.Error("the member is behind for good")
				}
				w.hears("unreadable", all[1], all[2], member)
				if n := len(member.room.keys.Heads()); n != len(leaders[0].room.keys.Heads()) {
					t.Errorf("the member knows %d heads, the owner %d", n, len(leaders[0].room.keys.Heads()))
				}
				w.allSpeak("afterwards", all)
			})
		}
	}
}

// TestMissedRekey: somebody never sees the keys that all others have gone on to, nor anything else where they read. They speak, and by
// that the owner finds out; they hear what was said meanwhile.
func TestMissedRekey(t *testing.T) {
	w := newWorld(t)
	all := w.room(3)
	owner, member := all[0], all[2]
	w.pass(15 * time.Minute)
	owner.must(owner.room.Move(w.mailboxes(), w.now))
	member.skips()
	w.settle()
	owner.must(owner.says("in another place"))
	w.pass(10 * time.Minute)
	for i := range 2 {
		member.must(member.says(fmt.Sprint("is anybody there? ", i)))
		w.pass(5 * time.Minute)
	}
	w.hears("in another place", all[1:]...)
	w.allSpeak("afterwards", all)
	if n := len(owner.room.duty.trailing); n > 0 {
		t.Errorf("%d are behind", n)
	}
}

// TestTrailsForWant: whoever speaks under former keys all the time is answered now and then, and not each time.
func TestTrailsForWant(t *testing.T) {
	w := newWorld(t)
	all := w.room(3)
	owner, member := all[0], all[2]
	w.pass(15 * time.Minute)
	owner.must(owner.room.Move(w.mailboxes(), w.now))
	w.people = w.people[:2]
	w.settle()
	w.pass(10 * time.Minute)
	before := w.appends
	for i := range 60 {
		member.must(member.says(fmt.Sprint("I stay ", i)))
		w.pass(3 * time.Minute)
	}
	if n := w.appends - before - 2*60; n > 2*20*(favours+3*60/10) {
		t.Errorf("%d appends", n)
	}
}

// TestRereadsAreFew: cells of a member that wait for ever push each other out, all day, while others open. The logs are read again
// seven times in the first day, and not each time.
func TestRereadsAreFew(t *testing.T) {
	w := newWorld(t)
	w.light = true
	all := w.room(3)
	owner, evil := all[0], all[2]
	_, in := w.lastCell(evil, "a cell")
	m, _ := parseMessage(in)
	rereads := 0
	for i := range 24 * 2 {
		for j := range maxAsideOf + 1 {
			m.list, m.number = keys.Digest{1, byte(i)}, uint32(j)
			hash := m.bodyHash()
			m.signature = evil.room.key.Sign(kdf.SignCell, append(m.place(owner.room.group, keys.Nonce{}), hash[:]...))
			owner.take(owner.forge(laneOpen, m.inner()))
		}
		owner.room.aside.opens = true
		before := len(owner.events)
		events, _ := owner.room.Due(w.now)
		owner.tell(events)
		for _, e := range owner.events[before:] {
			if _, is := e.(Reread); is {
				rereads++
			}
		}
		w.now = w.now.Add(30 * time.Minute)
	}
	if rereads < 3 || rereads > 9 {
		t.Errorf("%d times", rereads)
	}
}

// TestDroppedLogIsDamaged: a stored name of a log that is none is no sound state.
func TestDroppedLogIsDamaged(t *testing.T) {
	w := newWorld(t)
	owner := w.found()
	for _, size := range []int{15, 16, 17} {
		owner.room.aside.waits = []waiting{{kind: kindDropped, data: make([]byte, size)}}
		if _, err := Open(owner.room.whole(), owner.rows); (err == nil) != (size == 16) {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
}

// TestNobodyComesInWithoutAPlace: an admin has new keys, and not yet the card that says where the room is now. Whoever asks or knocks
// at that moment waits for it: they would read no log, and nobody's answer.
func TestNobodyComesInWithoutAPlace(t *testing.T) {
	w := newWorld(t)
	all := w.room(3)
	owner, admin := all[0], all[1]
	owner.must(owner.room.SetRole(admin.room.self, Admin, w.now))
	w.pass(settlesIn + time.Minute)
	l, err := admin.room.MakeLink(1, false, w.now.Add(time.Hour), w.now)
	admin.must(err)
	w.settle()

	if err := owner.room.rekey(w.now); err != nil {
		t.Fatal(err)
	}
	owner.withoutACard(admin)
	owner.commit()
	w.settle()
	if len(admin.room.keys.Lacking()) > 0 || atHome(&admin.room.core) {
		t.Fatal("the admin has the card")
	}
	late := w.asks(l.Text, "late")
	w.settle()
	if late.room != nil {
		t.Error("let in without a place")
	}

	w.pass(10 * time.Minute)
	for _, q := range admin.room.Requests() {
		admin.must(admin.room.Approve(q.ID, true, nil, w.now))
	}
	w.pass(time.Minute)
	if late.room == nil {
		t.Fatal("not let in")
	}
	w.allSpeak("in a place", append(all, late))
}

// TestGoneForWant: somebody whose mailboxes are gone asks for what they missed by what they know, as rarely as for other things that are lost; they are
// answered, and hear what was said meanwhile. The only one with the right to move the room asks nobody.
func TestGoneForWant(t *testing.T) {
	w := newWorld(t)
	all := w.room(3)
	owner, member := all[0], all[2]
	w.pass(15 * time.Minute)
	owner.must(owner.room.Move(w.mailboxes(), w.now))
	member.skips()
	w.settle()
	owner.must(owner.says("in another place"))
	w.pass(10 * time.Minute)

	asked := func(p *person, d time.Duration) int {
		before := w.appends
		for end := w.now.Add(d); w.now.Before(end); w.now = w.now.Add(time.Minute) {
			p.must(p.room.Gone(w.now))
		}
		return (w.appends - before) / Mailboxes
	}
	if n := asked(owner, time.Hour); n > 0 {
		t.Errorf("the owner asks %d times", n)
	}
	if n := asked(member, 24*time.Hour); n < 5 || n > 10 {
		t.Errorf("the member asks %d times", n)
	}
	w.now = w.now.Add(24 * time.Hour)
	member.must(member.room.Gone(w.now))
	w.pass(10 * time.Minute)
	w.hears("in another place", all[1:]...)
	w.allSpeak("afterwards", all)
}
