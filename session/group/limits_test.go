package group

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	"starling/session/group/keys"
	"starling/session/group/members"
)

// readsBack fails if a state that somebody stored cannot be opened again.
func (p *person) readsBack() {
	p.w.t.Helper()
	state := p.room.whole()
	r, err := Open(state, p.rows)
	if err != nil {
		p.w.t.Fatalf("%s: the state of %d bytes cannot be read back: %v", p.name, sizeOf(state), err)
	}
	if !sameState(r.whole(), state) {
		p.w.t.Errorf("%s: another state is read back", p.name)
	}
}

// TestAnswerTooLongToKeep: the author of a link puts parts into an answer that are longer than any cell. Whoever came in by it
// is in after a restart, too.
func TestAnswerTooLongToKeep(t *testing.T) {
	w := newWorld(t)
	owner := w.found()
	owner.auto = false
	l := w.link(owner, 2, false)
	guest := w.asks(l.Text, "guest")
	w.settle()
	q := owner.room.door.requests[0]
	way := owner.room.door.link(q.link)
	e, err := owner.room.set.Add(owner.room.key, q.person, Writer, nil)
	owner.must(err)
	owner.room.leaves.of[e.Target] = q.leaf
	owner.room.post(entryData(e), true)
	owner.room.entriesPlaced([]*members.Entry{e}, w.now)
	said, sealed, err := owner.room.grant(e.Target, q.leaf, owner.room.keys.Heads(), w.now)
	owner.must(err)
	for _, data := range said {
		owner.room.post(data, true)
	}

	all := owner.room.welcome(said, sealed, nil)
	for _, kind := range []byte{typeHanded, typeSeeds, typeLeaf, typeOffer, typeEntry, typeStatement, typeTurn, 99} {
		for _, n := range []int{40, controlSize, 9000} {
			all = append(all, append([]byte{kind}, bytes.Repeat([]byte{kind}, n)...))
		}
	}
	owner.must(owner.room.answer(q.answer, way.mailboxes, all))
	w.settle()
	if guest.room == nil {
		t.Fatalf("not in: %q", guest.refused)
	}
	guest.readsBack()
	guest.restarts()
	w.allSpeak("after a restart", w.people)
}

// TestMailboxesThatLoseAgain: the mailboxes of a room say without end that they have lost its logs. The knocks are few, the state
// can be read back, and the room is found again.
func TestMailboxesThatLoseAgain(t *testing.T) {
	w := newWorld(t)
	w.light = true
	all := w.room(3)
	carol := all[1]
	carol.offline = true
	before := w.appends
	for range 1500 {
		w.now = w.now.Add(2 * time.Second)
		carol.must(carol.room.Lost(w.now))
	}
	if n := w.appends - before; n > 10 {
		t.Errorf("%d appends", n)
	}
	carol.readsBack()
	for range 1500 { // and after each answer
		carol.room.leaves.make(w.now)
	}
	carol.readsBack()
	carol.offline = false
	w.pass(knockAgain + time.Minute) // the leaf of the last knock is not among so many
	w.allSpeak("lost and found", all)

	// An answer that is lost is asked for again.
	for i := range w.boxes {
		w.boxes[i].logs = map[[16]byte][]Entry{}
	}
	carol.must(carol.room.Lost(w.now))
	for i := range w.boxes {
		w.boxes[i].logs = map[[16]byte][]Entry{}
	}
	carol.read, all[0].read, all[2].read = [2]map[[16]byte]int{{}, {}}, [2]map[[16]byte]int{{}, {}}, [2]map[[16]byte]int{{}, {}}
	w.pass(knockAgain + time.Minute)
	w.allSpeak("asked again", all)
}

// TestLeafOfTheEnd: a thief of a member's key tells the leaf with the last counter there is. Nothing is sealed to it, and
// with one that is taken the member is heard and hears again, after days.
func TestLeafOfTheEnd(t *testing.T) {
	for _, counter := range []uint32{1<<32 - 1, 0} {
		w := newWorld(t)
		w.light = true
		all := w.room(4)
		owner, carol := all[0], all[1]
		if counter == 0 {
			counter = minutes(w.now) + leafAhead
		}
		thief := keys.NewLeafKey()
		carol.writes(laneOpen, control(append([]byte{typeLeaf}, leafData(carol.room.key, carol.room.group, counter, thief.Public())...)))
		w.settle()
		if taken := owner.room.leaves.of[carol.room.self].counter == counter; taken != (counter != 1<<32-1) {
			t.Errorf("counter %d: taken %v", counter, taken)
		}
		owner.must(owner.room.rekey(w.now))
		w.settle()
		w.pass(4 * 24 * time.Hour)
		w.allSpeak(fmt.Sprint("beside a leaf ", counter), all)
	}
}

// TestLeafOfAWrongClock: somebody's clock is two years ahead for one new leaf, which nobody takes. They make another when it is right.
func TestLeafOfAWrongClock(t *testing.T) {
	w := newWorld(t)
	all := w.room(3)
	owner, carol := all[0], all[1]
	carol.room.renew(w.now.Add(2 * 365 * 24 * time.Hour))
	carol.must(nil)
	w.pass(time.Minute)
	own := carol.room.leaves.newest()
	if told := owner.room.leaves.of[carol.room.self]; told.counter != own.counter || own.counter > minutes(w.now)+1 {
		t.Errorf("leaf %d is told, %d is the newest", told.counter, own.counter)
	}
	owner.must(owner.room.rekey(w.now))
	w.pass(time.Minute)
	w.allSpeak("with a new leaf", all)
}

// TestDoorIsShared: hundreds wait by one link. Who comes by another is let in.
func TestDoorIsShared(t *testing.T) {
	w := newWorld(t)
	w.light = true
	owner := w.found()
	owner.auto = false
	known, own := w.link(owner, 1000, true), w.link(owner, 1, false)
	way := owner.room.door.link(known.ID)
	for i := range MaxWaiting { // what hundreds of requests leave
		k, leaf := members.NewKey(), keys.NewLeafKey()
		person, err := members.Introduce(k, owner.room.group, way.id(), leaf.Public().Hash(), "x")
		if err != nil {
			t.Fatal(err)
		}
		owner.room.door.requests = append(owner.room.door.requests, &request{id: [16]byte{1, byte(i)}, link: way.id(), at: w.now.Unix(), person: person, answer: [32]byte{1, byte(i)}})
	}
	stranger := w.asks(known.Text, "one more")
	w.settle()
	if n := len(owner.room.door.requests); n != MaxWaiting || stranger.refused != "" {
		t.Errorf("%d wait, and one more is answered %q", n, stranger.refused)
	}
	stranger.offline = true
	owner.auto = true
	friend := w.asks(own.Text, "friend")
	w.settle()
	if friend.room == nil {
		t.Fatalf("a friend is not let in: %q", friend.refused)
	}
	w.allSpeak("beside hundreds", []*person{owner, friend})
}

// TestClockAheadEndsNothing: a clock is a year ahead for one look, and nobody is sure of it: links and secrets stay.
func TestClockAheadEndsNothing(t *testing.T) {
	w := newWorld(t)
	all := w.room(3)
	owner := all[0]
	l := w.link(owner, 2, false)
	first := owner.room.keys.Heads()[0]
	owner.must(owner.room.rekey(w.now))
	w.settle()
	owner.room.Due(w.now.Add(365 * 24 * time.Hour))
	owner.must(nil)
	if len(owner.room.Links()) != 1 || !slices.Contains(owner.room.keys.Retired(), first) || owner.room.places.of(first) == nil {
		t.Errorf("%d links, %d former keys, %d places", len(owner.room.Links()), len(owner.room.keys.Retired()), len(owner.room.places.all))
	}
	guest := w.asks(l.Text, "guest")
	w.pass(time.Minute)
	if guest.room == nil {
		t.Fatalf("not let in: %q", guest.refused)
	}
	w.allSpeak("the clock is right", append(all, guest))
	w.pass(15 * 24 * time.Hour)
	if len(owner.room.Links()) != 0 || slices.Contains(owner.room.keys.Retired(), first) || owner.room.places.of(first) != nil {
		t.Error("nothing ends")
	}
}

// TestHalvesOfACrowd: an admin lets in and removes people without end, each of whom leaves halves of contents. What is kept of them is
// bounded, and of those in the room nothing is pushed out.
func TestHalvesOfACrowd(t *testing.T) {
	e := &ear{}
	e.init()
	out := func(id ID) bool { return id[0] == 1 }
	honest := &partial{sender: ID{2}, count: 3, pieces: map[int][]byte{0: make([]byte, dataSize)}}
	e.partial = append(e.partial, honest)
	for i := range 400 {
		for range maxPartials {
			sender := ID{1, byte(i), byte(i >> 8)}
			e.makeRoom(sender, out)
			e.partial = append(e.partial, &partial{sender: sender, count: 2, pieces: map[int][]byte{1: {1}}})
		}
	}
	if len(e.partial) > mostPartials || !slices.Contains(e.partial, honest) {
		t.Errorf("%d halves, that of a member among them: %v", len(e.partial), slices.Contains(e.partial, honest))
	}
}
