package group

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"starling/session/group/keys"
	"starling/session/group/members"
	"starling/session/internal/kdf"
)

// others is everybody but one.
func others(all []*person, but ...*person) []*person {
	return slices.DeleteFunc(slices.Clone(all), func(p *person) bool { return slices.Contains(but, p) })
}

// allSpeak checks that all of these hear each other.
func (w *world) allSpeak(what string, all []*person, readers ...*person) {
	w.t.Helper()
	for i, p := range all {
		text := fmt.Sprint(what, ", by ", i)
		p.must(p.says(text))
		w.settle()
		w.hears(text, append(others(all, p), readers...)...)
	}
}

// backup is what a backup holds.
type backup struct {
	state map[string][]byte
	rows  [][]byte
}

func (p *person) backup() backup { return backup{maps.Clone(p.state), slices.Clone(p.rows)} }

// restored opens a backup, and reads everything from the beginning.
func (p *person) restored(b backup) {
	r, err := Open(b.state, b.rows)
	if err != nil {
		p.w.t.Fatal(err)
	}
	p.room, p.rows, p.state = r, b.rows, maps.Clone(b.state)
	p.room.Restored()
	p.commit()
	p.read = [2]map[[16]byte]int{{}, {}}
}

// readsToTheEnd tells the room of all ends.
func (p *person) readsToTheEnd() {
	p.w.settle()
	for _, place := range p.room.Logs() {
		for _, m := range place.Mailboxes {
			for _, name := range place.Names {
				p.tell(p.room.Ended(name, m.Node, p.w.now))
				p.commit()
			}
		}
	}
	p.w.settle()
}

// TestRestored: F4. A restored member, admin and owner seal nothing before the control lane was read at
// both mailboxes; then they go on, no number is signed twice, and nobody is accused.
func TestRestored(t *testing.T) {
	for who := range 3 {
		w := newWorld(t)
		all := w.room(4)
		owner, admin := all[0], all[1]
		owner.must(owner.room.SetRole(admin.room.Self(), Admin, w.now))
		w.settle()
		p := all[who]
		p.must(p.says("before the backup"))
		old := p.backup()
		p.must(p.says("after the backup"))
		w.settle()
		p.must(p.says("and another"))
		w.settle()
		all[3].must(all[3].says("meanwhile"))
		w.settle()

		w.now = w.now.Add(time.Minute)
		p.heard = nil
		p.restored(old)
		if err := p.says("too soon"); err != ErrNotYet {
			t.Fatalf("%d: said before it has read: %v", who, err)
		}
		for _, place := range p.room.Logs() {
			p.room.Ended(place.Names[0], place.Mailboxes[0].Node, w.now)
		}
		if err := p.says("one mailbox is not enough"); err != ErrNotYet {
			t.Errorf("%d: said before it has read both: %v", who, err)
		}
		p.readsToTheEnd()
		if own := 3; len(p.heard) != own {
			t.Errorf("%d: has heard %d of its own and others' words again, not %d", who, len(p.heard), own)
		}
		w.allSpeak(fmt.Sprint("after the restore of ", who), all)
		for _, q := range all {
			if slices.ContainsFunc(q.events, func(e Event) bool { _, is := e.(Forked); return is }) {
				t.Errorf("%s accuses somebody", q.name)
			}
			if q != p && !slices.ContainsFunc(q.events, func(e Event) bool { r, is := e.(Returned); return is && r.Member == p.room.Self() }) {
				t.Errorf("%s was not shown the return", q.name)
			}
		}
		if who < 2 {
			if err := p.room.SetRole(all[3].room.Self(), Reader, w.now); err != ErrSoon {
				t.Errorf("%d: a role entry at once: %v", who, err)
			}
			w.now = w.now.Add(time.Hour)
			p.must(p.room.SetRole(all[3].room.Self(), Reader, w.now))
			w.settle()
			w.allSpeak("with one reader", all[:3], all[3])
		}
	}
}

// TestRestoredBehindRekey: the keys were changed since the backup, with the old leaf and with one that the
// backup does not have.
func TestRestoredBehindRekey(t *testing.T) {
	for _, renewed := range []bool{false, true} {
		w := newWorld(t)
		all := w.room(4)
		owner, bob := all[0], all[1]
		old := bob.backup()
		readers := all[2:2]
		if renewed {
			readers = all[2:3]
			owner.must(owner.room.SetRole(all[2].room.Self(), Reader, w.now))
			w.pass(25 * time.Hour) // bob makes a new leaf
			if len(bob.room.leaves.own) < 2 {
				t.Fatal("no new leaf")
			}
		}
		owner.must(owner.room.SetRole(all[3].room.Self(), Nobody, w.now))
		w.settle()
		w.now = w.now.Add(time.Minute)
		bob.restored(old)
		bob.readsToTheEnd()
		w.pass(5 * time.Minute)
		if !renewed {
			w.allSpeak("behind a rekey", all[:3])
			continue
		}
		w.allSpeak("behind two rekeys", []*person{owner, bob}, readers...)
	}
}

// TestAwayForAFortnight: who comes back after fifteen days finds no log, knocks at the door and is in.
func TestAwayForAFortnight(t *testing.T) {
	for _, forgotten := range []bool{false, true} {
		w := newWorld(t)
		all := w.room(4)
		owner, bob := all[0], all[1]
		w.pass(time.Minute)
		bob.offline = true
		w.pass(16 * 24 * time.Hour)
		owner.must(owner.room.SetRole(all[3].room.Self(), Nobody, w.now))
		all[3].offline = true
		w.pass(time.Minute)
		// The mailboxes have nothing of before.
		keep := map[[16]byte]bool{}
		for _, place := range owner.room.Logs() {
			if place.Key[:5] == "doors" {
				for _, n := range place.Names {
					keep[n] = true
				}
			}
		}
		for i := range w.boxes {
			for name := range w.boxes[i].logs {
				at := owner.room.places.index[name]
				if !keep[name] && (at.place == nil || at.place.retired != 0) {
					delete(w.boxes[i].logs, name)
				}
			}
		}

		if bob.restarts(); forgotten {
			bob.restored(bob.backup())
		}
		bob.offline = false
		w.pass(time.Minute)
		bob.must(bob.room.Lost(w.now))
		if !bob.room.Away() {
			t.Error("bob is not away")
		}
		if err := bob.says("where are you"); err != ErrNotYet {
			t.Error(err)
		}
		bob.restarts()
		w.pass(time.Minute)
		w.allSpeak(fmt.Sprint("after a fortnight ", forgotten), all[:3])
		if bob.room.Away() || bob.room.Role(all[3].room.Self()) != Nobody {
			t.Error("bob is behind")
		}
		// The same knock again, by whoever has the door, is answered by nobody.
		appends := w.appends
		for _, log := range w.boxes[0].logs {
			for _, e := range log {
				if keep[e.Name] {
					owner.take(e)
				}
			}
		}
		w.pass(time.Minute)
		if w.appends != appends {
			t.Error("a knock is answered twice")
		}
	}
}

// TestKnockOfAStranger: neither somebody removed nor a forged knock is answered.
func TestKnockOfAStranger(t *testing.T) {
	w := newWorld(t)
	all := w.room(3)
	owner, bob := all[0], all[1]
	old := bob.backup()
	owner.must(owner.room.SetRole(bob.room.Self(), Nobody, w.now))
	w.settle()
	w.boxes[0].logs, w.boxes[1].logs = map[[16]byte][]Entry{}, map[[16]byte][]Entry{}
	bob.restored(old)
	bob.must(bob.room.Lost(w.now.Add(time.Hour)))
	w.pass(time.Minute)
	if !bob.room.Away() || len(owner.room.duty.needs) != 0 {
		t.Error("somebody removed is let in by the door")
	}
}

// TestSeedsToSomeOnly: an admin gives seeds to some only. The others say so, and the owner hands them over.
func TestSeedsToSomeOnly(t *testing.T) {
	w := newWorld(t)
	all := w.room(5)
	owner, admin, carol := all[0], all[1], all[2]
	owner.must(owner.room.SetRole(admin.room.Self(), Admin, w.now))
	w.settle()
	// The piece with carol's seed never goes out.
	admin.must(nil)
	if err := admin.room.SetRole(all[4].room.Self(), Reader, w.now); err != nil {
		t.Fatal(err)
	}
	c := admin.room.Changes()
	rekey := admin.room.words.rekeys[admin.room.keys.Heads()[0]].rekey
	from, to, _ := seedOf(rekey, carol.room.Self())
	n := 0
	for _, a := range c.Appends {
		at := owner.room.places.index[nameOf(a.Log)]
		if at.place != nil {
			in, _ := at.place.vault.open(owner.room.group, at.lane, a.Tag, a.Box)
			if data, _ := in.controlData(); data[0] == typeSeeds {
				if i := int(data[33]); i == from/chunkSize || i == (to-1)/chunkSize {
					n++
					continue
				}
			}
		}
		w.put(a)
	}
	if n == 0 {
		t.Fatal("the test withholds nothing")
	}
	admin.rows = append(admin.rows, c.NewEntries...)
	admin.commit()
	admin.offline = true
	w.settle()
	if len(carol.room.keys.Lacking()) != 1 {
		t.Fatal("carol has the seed")
	}
	w.pass(7 * time.Minute)
	w.allSpeak("after the need", []*person{owner, carol, all[3]}, all[4])
}

// TestLeftOut is attack 56: a rekey without one member is shown, and others hand over the heads.
func TestLeftOut(t *testing.T) {
	w := newWorld(t)
	all := w.room(4)
	owner, admin, carol := all[0], all[1], all[2]
	owner.must(owner.room.SetRole(admin.room.Self(), Admin, w.now))
	w.settle()
	delete(admin.room.leaves.of, carol.room.Self())
	admin.must(admin.room.rekey(w.now))
	w.settle()
	if !slices.ContainsFunc(owner.events, func(e Event) bool { l, is := e.(LeftOut); return is && l.Member == carol.room.Self() }) {
		t.Error("the owner is not shown it")
	}
	unkeyed := 0
	for _, m := range owner.room.Members() {
		if m.Unkeyed {
			unkeyed++
		}
	}
	if unkeyed != 1 {
		t.Errorf("%d shown as without keys", unkeyed)
	}
	w.pass(3 * time.Minute)
	w.allSpeak("with carol", all)
}

// TestDeadMailbox: one of the mailboxes is gone. Whoever was restored waits for it an hour, and is back.
func TestDeadMailbox(t *testing.T) {
	w := newWorld(t)
	all := w.room(3)
	bob := all[1]
	bob.restored(bob.backup())
	for _, place := range bob.room.Logs() {
		for _, name := range place.Names {
			bob.room.Ended(name, w.boxes[0].at.Node, w.now)
		}
	}
	w.pass(30 * time.Minute)
	if err := bob.says("too soon"); err != ErrNotYet {
		t.Error(err)
	}
	w.pass(time.Hour)
	w.allSpeak("with one mailbox", all)
}

// TestAwayIsARestore: who was away for more than 14 days, with the profile on disk, reads before they sign.
func TestAwayIsARestore(t *testing.T) {
	w := newWorld(t)
	all := w.room(3)
	bob := all[1]
	bob.room.Due(w.now)
	bob.commit()
	bob.restarts()
	w.now = w.now.Add(15 * 24 * time.Hour)
	bob.room.Due(w.now)
	bob.commit()
	if err := bob.says("at once"); err != ErrNotYet || !bob.room.Returning() {
		t.Error(err)
	}
	bob.readsToTheEnd()
	w.pass(2 * time.Hour)
	w.allSpeak("after a fortnight", all)
}

// TestMove: the room goes to other mailboxes; everybody follows, and newcomers, too.
func TestMove(t *testing.T) {
	w := newWorld(t)
	all := w.room(3)
	old := w.boxes
	w.boxes[0].at.Node[5], w.boxes[1].at.Node[5] = 9, 9
	if err := all[1].room.Move(w.mailboxes(), w.now); err != ErrRank {
		t.Error(err)
	}
	if err := all[0].room.Move(nil, w.now); err == nil {
		t.Error("to nowhere")
	}
	owner := all[0]
	if err := owner.room.Move(w.mailboxes(), w.now); err != nil {
		t.Fatal(err)
	}
	c := owner.room.Changes()
	owner.rows = append(owner.rows, c.NewEntries...)
	fresh := w.boxes
	for _, boxes := range [][2]mailboxes{old, fresh} {
		w.boxes = boxes
		for _, a := range c.Appends {
			w.put(a)
		}
	}
	for _, boxes := range [][2]mailboxes{old, fresh, old, fresh} {
		w.boxes = boxes
		for _, p := range w.people {
			p.read = [2]map[[16]byte]int{{}, {}}
		}
		w.settle()
	}
	owner.commit()
	w.allSpeak("elsewhere", all)
	late := w.joins(owner, "late")
	w.allSpeak("elsewhere, with one more", append(all, late))
}

// TestWaitingIsBounded: somebody's cells that wait take no more than their place, and push out nobody's.
func TestWaitingIsBounded(t *testing.T) {
	w := newWorld(t)
	all := w.room(3)
	owner, bob, carol := all[0], all[1], all[2]
	// A word of carol's under a list that nobody knows yet.
	e, in := w.lastCell(carol, "waits")
	m, _ := parseMessage(in)
	m.list[0] ^= 1
	lie := func(by *person, number uint32) Entry {
		n := *m
		n.sender, n.number = by.room.self, number
		hash := n.bodyHash()
		n.signature = by.room.key.Sign(kdf.SignCell, append(n.place(by.room.group, keys.Nonce{}), hash[:]...))
		return owner.forge(laneOpen, n.inner())
	}
	owner.take(lie(carol, 0))
	for i := range 100 {
		owner.take(lie(bob, uint32(i)))
		st := bob.room.set.State(bob.room.key, members.Return, uint32(i))
		st.Parents = []members.EntryID{{byte(i), 1}}
		st.Body = make([]byte, 16)
		st.Sign(bob.room.key)
		owner.take(owner.forge(laneOpen, control(append([]byte{typeStatement}, st.Append(nil)...))))
		owner.take(owner.forge(laneOpen, control(slices.Concat([]byte{typeSeeds}, bytes.Repeat([]byte{byte(i), 3}, 17), []byte("x")))))
		owner.take(owner.forge(laneOpen, control(slices.Concat([]byte{typeHanded}, bytes.Repeat([]byte{byte(i), 3}, 17)))))
		stranger := *m
		stranger.sender = ID{byte(i)}
		owner.take(owner.forge(laneOpen, stranger.inner()))
	}
	of := map[ID]int{}
	for _, one := range owner.room.aside.waits {
		if one.kind != kindDropped {
			of[one.author]++
		}
	}
	if of[bob.room.self] > maxAsideOf+maxAsideWords || of[carol.room.self] != 1 || of[ID{}] > maxAsideNobody || owner.room.aside.count(kindDropped, ID{}) != 1 ||
		len(owner.room.aside.chunks) > maxChunks || len(owner.room.aside.handed) > maxHanded {
		t.Errorf("%v wait, %d chunks, %d handed", of, len(owner.room.aside.chunks), len(owner.room.aside.handed))
	}
	owner.commit()
	owner.restarts()
	owner.take(e)
	w.hears("waits", owner)
}

// TestRestoredTwice: one backup is put back twice. No number is signed twice under one nonce.
func TestRestoredTwice(t *testing.T) {
	for _, hidden := range []bool{false, true} {
		w := newWorld(t)
		all := w.room(3)
		bob := all[1]
		old := bob.backup()
		for round := range 3 {
			w.now = w.now.Add(time.Minute)
			bob.restored(old)
			for i := range w.boxes {
				for name, log := range w.boxes[i].logs {
					if hidden && bob.room.places.index[name].lane != laneControl {
						bob.read[i][name] = len(log) // the mailboxes do not tell what he has said since
					}
				}
			}
			bob.readsToTheEnd()
			w.allSpeak(fmt.Sprint("restored ", round, hidden), all)
		}
		for _, p := range all {
			if slices.ContainsFunc(p.events, func(e Event) bool { _, is := e.(Forked); return is }) {
				t.Errorf("%s accuses somebody", p.name)
			}
		}
	}
}

// TestHeardBeforeTheReturn: a message of somebody that is back comes before their return, which is
// in another lane. It is shown when that comes; what nobody signed is not.
func TestHeardBeforeTheReturn(t *testing.T) {
	w := newWorld(t)
	all := w.room(3)
	owner, bob := all[0], all[1]
	owner.offline = true
	bob.restored(bob.backup())
	bob.readsToTheEnd()
	e, in := w.lastCell(bob, "early")
	for i := range 2 * maxAsideNobody { // garbage goes first
		m, _ := parseMessage(in)
		m.signature[1] ^= byte(i + 1)
		owner.take(owner.forge(laneOpen, m.inner()))
	}
	owner.take(e)
	owner.restarts()
	owner.offline = false
	w.settle()
	w.hears("early", owner)
	n := 0
	for _, one := range owner.room.aside.waits {
		if one.kind == kindStray {
			n++
		}
	}
	if n > maxAsideNobody {
		t.Errorf("%d strays wait", n)
	}
}

// TestManyRemovedMeanwhile: while somebody is away people come and are removed, again and again, and the door changes with each. They find the
// way back by the one that they know.
func TestManyRemovedMeanwhile(t *testing.T) {
	w := newWorld(t)
	w.light = true
	all := w.room(3)
	owner, bob := all[0], all[1]
	w.pass(time.Minute)
	bob.offline = true
	for i := range 24 {
		p := w.joins(owner, fmt.Sprint("guest ", i))
		owner.must(owner.room.SetRole(p.room.Self(), Nobody, w.now))
		w.settle()
		p.offline = true
	}
	for _, place := range owner.room.Logs() {
		if len(place.Names) > 8 {
			t.Errorf("%d logs in a follow", len(place.Names))
		}
	}
	doors := map[[16]byte]bool{}
	for _, d := range owner.room.door.logs {
		doors[d.name()] = true
	}
	for i := range w.boxes {
		for name := range w.boxes[i].logs {
			at := owner.room.places.index[name]
			if !doors[name] && (at.place == nil || at.place.retired != 0) {
				delete(w.boxes[i].logs, name)
			}
		}
	}
	w.now = w.now.Add(15 * 24 * time.Hour)
	w.pass(time.Minute)
	bob.offline, bob.next = false, time.Time{}
	w.pass(time.Minute)
	bob.must(bob.room.Lost(w.now))
	w.pass(5 * time.Minute)
	if bob.room.Away() {
		t.Error("bob has not come back")
	}
	w.allSpeak("after many removals", []*person{owner, bob, all[2]})
}
