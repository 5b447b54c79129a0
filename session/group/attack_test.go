package group

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"starling/session/group/keys"
	"starling/session/group/members"
	"starling/session/internal/cbchmac"
	"starling/session/internal/kdf"
)

// forge puts a plaintext into a lane of somebody's present place.
func (p *person) forge(lane uint8, in *inner) Entry {
	at := p.room.writing()
	tag, box := at.vault.seal(p.room.group, lane, in)
	name := at.name(lane, at.segment[lane])
	return Entry{Name: name, Position: 1, Tag: tag, Box: box}
}

// refuses checks that an entry is refused, and changes nothing: but a message that its sender has not
// signed waits for their return.
func (p *person) refuses(what string, e Entry) {
	p.w.t.Helper()
	before := p.room.whole()
	events, err := p.room.Take(e, p.w.now)
	if err == nil || len(events) > 0 {
		p.w.t.Errorf("%s: taken (%v)", what, events)
	}
	p.room.aside.waits = slices.DeleteFunc(p.room.aside.waits, func(w waiting) bool { return w.kind == kindStray })
	if !sameState(before, p.room.whole()) {
		p.w.t.Errorf("%s: something has changed", what)
	}
	if c := p.room.Changes(); len(c.NewEntries)+len(c.Appends) > 0 {
		p.w.t.Errorf("%s: something goes out", what)
	}
}

// lastCell is the newest cell of somebody, with its place in a log.
func (w *world) lastCell(by *person, text string) (Entry, *inner) {
	w.t.Helper()
	by.must(nil)
	if err := by.room.Say([16]byte{0xee, byte(contents), byte(contents >> 8)}, []byte(text), w.now); err != nil {
		w.t.Fatal(err)
	}
	contents++
	c := by.room.Changes()
	by.rows = append(by.rows, c.NewEntries...)
	a := c.Appends[len(c.Appends)-1]
	at := by.room.places.index[nameOf(a.Log)]
	in, ok := at.place.vault.open(by.room.group, at.lane, a.Tag, a.Box)
	if !ok {
		w.t.Fatal("no cell")
	}
	by.stores()
	return Entry{nameOf(a.Log), 1, a.Tag, a.Signature, a.Box}, in
}

// TestForgedCells: 16, 27, 38, 49, 50: each flip of a bit, each cut, another lane or place, another
// sender, group, list or number.
func TestForgedCells(t *testing.T) {
	w := newWorld(t)
	all := w.room(3)
	owner, bob, carol := all[0], all[1], all[2]
	e, in := w.lastCell(bob, "the word")

	for i := range 200 {
		flipped := e
		flipped.Box = slices.Clone(e.Box)
		flipped.Box[(i*37)%boxSize] ^= 1 << (i % 8)
		carol.refuses("flipped", flipped)
	}
	for _, n := range []int{0, 1, 15, 16, 47, 1535, 1537} {
		cut := e
		cut.Box = append(slices.Clone(e.Box), 0)[:n]
		carol.refuses(fmt.Sprint("cut at ", n), cut)
	}
	other := e
	other.Tag[0] ^= 1
	carol.refuses("under another tag", other)
	other = e
	other.Name = [16]byte{1}
	carol.refuses("in no log", other)
	place := carol.room.writing()
	for lane := range uint8(lanes) {
		if other.Name = place.name(lane, 0); other.Name != e.Name {
			carol.refuses(fmt.Sprint("49: in lane ", lane), other)
		}
	}

	// Somebody with the key of the place seals under a tag of their choice.
	chosen := carol.forge(laneOpen, control([]byte{typeLeaf, 1}))
	chosen.Tag = [16]byte{1}
	key, iv := place.vault.key(chosen.Tag)
	chosen.Box = cbchmac.Seal(nil, &key, &iv, in[:], owner.room.group[:], []byte{laneOpen}, chosen.Tag[:])
	carol.refuses("under a chosen tag", chosen)

	m, _ := parseMessage(in)
	change := func(what string, f func(m *message)) {
		t.Helper()
		n := *m
		f(&n)
		carol.refuses(what, carol.forge(laneOpen, n.inner()))
	}
	change("38: by another", func(m *message) { m.sender = owner.room.self })
	change("50: under another list", func(m *message) { m.list[0] ^= 1 })
	change("50: in another group", func(m *message) {
		hash := m.bodyHash()
		m.signature = bob.room.key.Sign(kdf.SignCell, append(m.place([32]byte{1}, keys.Nonce{}), hash[:]...))
	})
	change("under another number", func(m *message) { m.number++ })
	change("signature", func(m *message) { m.signature[5] ^= 1 })
	change("body", func(m *message) { m.sealed[100] ^= 1 })
	change("signed, under a key of nobody", func(m *message) {
		m.sealed[100] ^= 1
		hash := m.bodyHash()
		m.signature = bob.room.key.Sign(kdf.SignCell, append(m.place(bob.room.group, keys.Nonce{}), hash[:]...))
	})
	change("the last number", func(m *message) {
		m.number = 1<<32 - 1
		hash := m.bodyHash()
		m.signature = bob.room.key.Sign(kdf.SignCell, append(m.place(bob.room.group, keys.Nonce{}), hash[:]...))
	})
	long := *in
	long[innerSize-1] = 1
	carol.refuses("more than zeros behind", carol.forge(laneOpen, &long))
	carol.refuses("no kind", carol.forge(laneOpen, &inner{9}))
	carol.refuses("empty", carol.forge(laneOpen, &inner{}))

	carol.take(e)
	w.hears("the word", carol)
	before := carol.room.whole()
	carol.take(e)
	if !sameState(before, carol.room.whole()) {
		t.Error("11: a cell that comes again changes something")
	}
	w.hears("the word", carol)
}

// TestBodies: the author of a body lies about its parts.
func TestBodies(t *testing.T) {
	good := func() *body { return &body{previous: Ref{1}, id: [16]byte{2}, count: 1, data: []byte("text")} }
	for what, f := range map[string]func(b []byte){
		"version":         func(b []byte) { b[0] = 2 },
		"index":           func(b []byte) { b[34] = 1 },
		"count 0":         func(b []byte) { b[36] = 0 },
		"count too large": func(b []byte) { b[35], b[36] = 1, 0 },
		"causes":          func(b []byte) { b[37] = maxCauses + 1 },
		"length":          func(b []byte) { b[38] = 0xff },
		"zeros":           func(b []byte) { b[bodySize-1] = 1 },
		"not full":        func(b []byte) { b[36] = 2 },
	} {
		b := good().encode()
		if _, ok := parseBody(b); !ok {
			t.Fatal("the good one is refused")
		}
		if f(b); func() bool { _, ok := parseBody(b); return ok }() {
			t.Errorf("%s: taken", what)
		}
	}
	for _, n := range []int{0, 1, dataSize - 16, dataSize, dataSize + 1, MaxContent} {
		var all []byte
		for _, b := range fragments(Ref{1}, [16]byte{}, []Ref{{1}}, bytes.Repeat([]byte{7}, n)) {
			got, ok := parseBody(b.encode())
			if !ok {
				t.Fatalf("%d bytes: fragment %d of %d is refused", n, b.index, b.count)
			}
			all = append(all, got.data...)
		}
		if len(all) != n {
			t.Errorf("%d bytes come as %d", n, len(all))
		}
	}
}

// TestNotEntitled: 33. Changes by people without the right, signed by others, replayed from another room.
func TestNotEntitled(t *testing.T) {
	w := newWorld(t)
	all := w.room(3)
	owner, bob, carol := all[0], all[1], all[2]
	draft := func(by *person, target ID, role Role) *members.Entry {
		return &members.Entry{Kind: members.SetRole, Group: by.room.group, Author: by.room.self, Counter: 1,
			Parents: by.room.set.Heads(), Target: target, Role: role}
	}
	e := draft(bob, carol.room.self, Nobody)
	e.Sign(bob.room.key)
	owner.refuses("a member removes another", owner.forge(laneOpen, control(entryData(e))))
	e = draft(owner, carol.room.self, Nobody)
	e.Counter = 4
	e.Sign(bob.room.key)
	carol.refuses("signed by another", carol.forge(laneOpen, control(entryData(e))))

	st := bob.room.set.State(bob.room.key, members.Settings, 9)
	st.Body = (&Settings{Title: "bob's"}).encode()
	st.Sign(bob.room.key)
	carol.refuses("settings by a member", carol.forge(laneOpen, control(append([]byte{typeStatement}, st.Append(nil)...))))
	st = bob.room.set.State(bob.room.key, members.Card, 9)
	st.Body = sealCard(bob.room.group, bob.room.writing().rekey, bob.room.writing().vault.secret, st.Context(), newCard([32]byte{1}, [32]byte{2}, w.mailboxes()))
	st.Sign(bob.room.key)
	carol.refuses("52: a card by a member", carol.forge(laneOpen, control(append([]byte{typeStatement}, st.Append(nil)...))))
	st = bob.room.set.State(bob.room.key, members.Rekey, 9)
	rekey, _, err := bob.room.keys.Rekey(keys.Member(bob.room.self), st.Context(), []keys.Recipient{{Member: keys.Member(bob.room.self), Leaf: bob.room.leaves.newest().key.Public()}})
	if err != nil {
		t.Fatal(err)
	}
	st.Body = rekey.Append(nil)
	st.Sign(bob.room.key)
	carol.refuses("40: a rekey by a member", carol.forge(laneOpen, control(append([]byte{typeStatement}, st.Append(nil)...))))

	// Another room of the same people.
	elsewhere := newWorld(t)
	them := elsewhere.room(3)
	x := them[0].room.set.Entries()[1]
	carol.refuses("an entry of another room", carol.forge(laneControl, control(entryData(x))))
	for _, row := range them[0].rows {
		if row[0] == rowStatement {
			carol.refuses("a statement of another room", carol.forge(laneControl, control(append([]byte{typeStatement}, row[9:]...))))
		}
	}
}

// TestSwappedLeaf is what 57 becomes with signed leaves: nobody publishes a leaf in the name of another, and an
// older one does not come back.
func TestSwappedLeaf(t *testing.T) {
	w := newWorld(t)
	all := w.room(3)
	owner, bob, carol := all[0], all[1], all[2]
	forged := leafData(carol.room.key, owner.room.group, 99, carol.room.leaves.newest().key.Public())
	copy(forged, bob.room.self[:])
	owner.refuses("a leaf in the name of another", owner.forge(laneOpen, control(append([]byte{typeLeaf}, forged...))))
	low := make([]byte, leafDataSize)
	copy(low, leafData(bob.room.key, owner.room.group, 99, bob.room.leaves.newest().key.Public()))
	clear(low[20+1184 : 20+1216])
	owner.refuses("6: a leaf of low order", owner.forge(laneOpen, control(append([]byte{typeLeaf}, low...))))

	first := leafData(bob.room.key, owner.room.group, 0, bob.room.leaves.newest().key.Public())
	bob.room.renew(w.now)
	bob.must(nil)
	w.settle()
	counter := owner.room.leaves.of[bob.room.self].counter
	if counter == 0 {
		t.Fatal("no new leaf")
	}
	owner.take(owner.forge(laneOpen, control(append([]byte{typeLeaf}, first...))))
	if owner.room.leaves.of[bob.room.self].counter != counter {
		t.Error("an older leaf comes back")
	}
	owner.must(owner.room.rekey(w.now))
	w.settle()
	w.allSpeak("with a new leaf", all)
}

// TestNumberReused: 51, and the fork. Two bodies under one number are a proof with two signatures, and nobody is
// muted for it.
func TestNumberReused(t *testing.T) {
	w := newWorld(t)
	all := w.room(3)
	owner, bob, carol := all[0], all[1], all[2]
	twin, err := Open(bob.state, bob.rows)
	if err != nil {
		t.Fatal(err)
	}
	e, _ := w.lastCell(bob, "one thing")
	if err := twin.Say([16]byte{9}, []byte("another thing"), w.now); err != nil {
		t.Fatal(err)
	}
	// Other bodies to the two mailboxes.
	w.boxes[0].logs[e.Name] = append(w.boxes[0].logs[e.Name], e)
	a := twin.Changes().Appends[0]
	w.boxes[1].put(a)
	w.settle()
	for _, p := range []*person{owner, carol} {
		n := 0
		for _, ev := range p.events {
			if f, is := ev.(Forked); is {
				n++
				public, _ := p.room.set.Key(bob.room.self)
				if f.Member != bob.room.self || !f.A.Holds(public) || !f.B.Holds(public) || f.A.Body == f.B.Body || f.A.Number != f.B.Number {
					t.Errorf("%s: no proof: %+v", p.name, f)
				}
				f.A.Number++
				if f.A.Holds(public) {
					t.Error("a proof about another number holds")
				}
			}
		}
		if n != 1 {
			t.Errorf("%s was told %d times", p.name, n)
		}
	}
	w.hears("one thing", owner, carol)
	w.hears("another thing")
	bob.must(bob.says("not muted"))
	w.settle()
	w.hears("not muted", owner, carol)
}

// TestGarbageInALane: a member floods their lane; the others' words go on in it.
func TestGarbageInALane(t *testing.T) {
	w := newWorld(t)
	all := w.room(4)
	bob := all[1]
	p := bob.room.writing()
	s, _ := p.writer(p.lane)
	k := logKey(s, p.lane, 0)
	for i := range 300 {
		box := bytes.Repeat([]byte{byte(i), byte(i >> 8)}, boxSize/2)
		tag := [16]byte{byte(i), byte(i >> 8)}
		w.put(Append{Mailboxes: w.mailboxes(), Log: publicOf(k), Tag: tag, Signature: sign(k, tag, box), Box: box})
	}
	before := all[2].room.whole()
	w.settle()
	if !sameState(before, all[2].room.whole()) {
		t.Error("garbage is kept")
	}
	w.allSpeak("beside garbage", all)
}

// TestFloodedSegment: a segment with 4,096 entries is left by all, the last brings a rekey.
func TestFloodedSegment(t *testing.T) {
	w := newWorld(t)
	all := w.room(3)
	for round := range segments - 1 {
		for _, p := range all {
			at := p.room.writing()
			e := Entry{Name: at.name(at.lane, at.segment[at.lane]), Position: SegmentSize, Box: make([]byte, boxSize)}
			p.room.Take(e, w.now)
			p.commit()
			p.restarts()
		}
		w.allSpeak(fmt.Sprint("in segment ", round+1), all)
		w.pass(turnRest + time.Second)
	}
	old := all[0].room.keys.Heads()[0]
	w.pass(time.Hour)
	if all[1].room.keys.Heads()[0] == old {
		t.Error("no rekey in the last segment")
	}
	w.allSpeak("in fresh lanes", all)
}

// TestTakenTags: F1. Somebody who writes in a lane sees a cell at one mailbox and takes its tag at the other. The cell goes to
// the open lane; the second time a rekey separates the writers, and two dealings leave one.
func TestTakenTags(t *testing.T) {
	w := newWorld(t)
	all := w.room(9)
	owner, evil := all[0], all[8]
	for round := range 12 {
		victims := []*person{}
		for _, p := range all[1:8] {
			if p.room.writing().lane == evil.room.writing().lane {
				victims = append(victims, p)
			}
		}
		for _, p := range victims[:min(1, len(victims))] {
			for try := range 2 {
				text := fmt.Sprintf("round %d, %d", round, try)
				if err := p.says0(text); err != nil {
					t.Fatal(err)
				}
				c := p.room.Changes()
				p.rows = append(p.rows, c.NewEntries...)
				a := c.Appends[len(c.Appends)-1]
				at := evil.room.writing()
				secret, _ := at.writer(at.lane)
				k := logKey(secret, at.lane, at.segment[at.lane])
				garbage := make([]byte, boxSize)
				w.boxes[1].put(Append{Log: a.Log, Tag: a.Tag, Signature: sign(k, a.Tag, garbage), Box: garbage})
				w.boxes[0].put(a)
				if err := p.room.Refused(a, false, w.now); err != nil {
					t.Fatal(err)
				}
				p.commit()
				w.settle()
				w.hears(text, others(all, p)...)
			}
		}
		w.pass(time.Hour + time.Minute)
		for _, m := range owner.room.Members() {
			if m.Suspect && m.ID != evil.room.self {
				t.Errorf("round %d: %s is suspected", round, m.Name)
			} else if m.Suspect {
				return
			}
		}
		owner.must(owner.room.rekey(w.now))
		w.settle()
	}
	t.Error("the flooder was not found")
}

func (p *person) says0(text string) error {
	contents++
	return p.room.Say([16]byte{0xcc, byte(contents >> 8), byte(contents)}, []byte(text), p.w.now)
}

// TestHiddenThird: a mailbox hides every third entry. The other has them.
func TestHiddenThird(t *testing.T) {
	w := newWorld(t)
	n := 0
	w.hide = func(mailbox int, e Entry) bool {
		if mailbox == 0 {
			n++
		}
		return mailbox == 0 && n%3 == 0
	}
	all := w.room(4)
	owner := all[0]
	w.allSpeak("before", all)
	owner.must(owner.room.SetRole(all[3].room.self, Nobody, w.now))
	w.pass(2 * time.Minute)
	w.allSpeak("after", all[:3])
}

// TestThirtyThree: the thirty-third is refused, and told so.
func TestThirtyThree(t *testing.T) {
	w := newWorld(t)
	owner := w.found()
	l, err := owner.room.MakeLink(MaxUses, false, w.now.Add(time.Hour), w.now)
	if err != nil {
		t.Fatal(err)
	}
	owner.commit()
	for i := range Limit {
		w.asks(l.Text, fmt.Sprint("member ", i))
		w.settle()
	}
	if n := len(owner.room.Members()); n != Limit {
		t.Errorf("%d members", n)
	}
	if last := w.people[Limit]; last.room != nil || last.refused != "full" {
		t.Errorf("the thirty-third: %q", last.refused)
	}
	in := w.people[:Limit]
	in[5].must(in[5].says("to thirty-one"))
	w.settle()
	w.hears("to thirty-one", others(in, in[5])...)
}

// TestNames: one emoji, 64 bytes, and more.
func TestNames(t *testing.T) {
	w := newWorld(t)
	owner := w.found()
	for _, name := range []string{"🦉", strings.Repeat("ü", 32), "", "\x00\n"} {
		p := w.joins(owner, name)
		w.settle()
		if m := owner.room.Members(); !slices.ContainsFunc(m, func(m Member) bool { return m.ID == p.room.self && m.Name == name && m.By == owner.room.self }) {
			t.Errorf("%q is not in", name)
		}
	}
	l, _ := owner.room.MakeLink(1, false, w.now.Add(time.Hour), w.now)
	for _, name := range []string{strings.Repeat("n", 65), "\xff"} {
		if _, err := Ask(l.Text, name, w.now); err == nil {
			t.Errorf("%q may ask", name)
		}
		if _, err := Found(Founding{Title: "t", Name: name, Mailboxes: w.mailboxes()}); err == nil {
			t.Errorf("%q may found", name)
		}
	}
	for _, title := range []string{strings.Repeat("n", 65), "\xff"} {
		if _, err := Found(Founding{Title: title, Name: "n", Mailboxes: w.mailboxes()}); err == nil {
			t.Errorf("a room %q", title)
		}
	}
}

// TestManyEntries: 10,000 entries of one admin. They are bounded, and the room goes on.
func TestManyEntries(t *testing.T) {
	w := newWorld(t)
	all := w.room(3)
	owner, bob := all[0], all[1]
	kept := 0
	set := owner.room.set
	var refused error
	for i := range 10000 {
		role := Reader + Role(i%2)
		e, err := set.SetRole(owner.room.key, all[2].room.self, role, nil)
		if err != nil {
			refused = err
			break
		}
		kept++
		if _, err := bob.room.Take(bob.forge(laneControl, control(entryData(e))), w.now); err != nil {
			t.Fatal(i, err)
		}
	}
	if refused != members.ErrFull || kept > members.MaxByAuthor {
		t.Errorf("%d entries, then %v", kept, refused)
	}
	bob.room.Changes()
	if n := sizeOf(bob.room.whole()); n > 100<<10 {
		t.Errorf("a state of %d bytes", n)
	}
}

// TestClockAYearOff: people with clocks a year off are in the same room.
func TestClockAYearOff(t *testing.T) {
	w := newWorld(t)
	all := w.room(4)
	right := w.now
	for i, p := range all {
		w.now = right.Add(time.Duration(i-1) * 365 * 24 * time.Hour)
		p.must(p.says(fmt.Sprint("at another time ", i)))
	}
	w.now = right
	w.settle()
	for i, p := range all {
		w.hears(fmt.Sprint("at another time ", i), others(all, p)...)
	}
	w.now = right.Add(-365 * 24 * time.Hour)
	all[0].must(all[0].room.SetRole(all[3].room.self, Nobody, w.now))
	w.now = right
	w.pass(time.Minute)
	w.allSpeak("without one", all[:3])
}

// TestContentOnce: a content that is said again under its id is told once, however its pieces come.
func TestContentOnce(t *testing.T) {
	w := newWorld(t)
	all := w.room(2)
	owner, bob := all[0], all[1]
	long := strings.Repeat("long ", 2000)
	id := [16]byte{0xab}
	for range 3 {
		owner.must(owner.saysAs(id, long))
		bob.restarts()
		w.settle()
	}
	w.hears(long, bob)
	if n := len(bob.room.ear.partial); n != 0 {
		t.Errorf("%d pieces are left", n)
	}

	// Halves of many contents are bounded, and the newest whole ones come.
	for i := range 20 {
		if err := owner.room.Say([16]byte{0xac, byte(i)}, []byte(long), w.now); err != nil {
			t.Fatal(err)
		}
		c := owner.room.Changes()
		w.put(c.Appends[0])
	}
	owner.commit()
	w.settle()
	if n := len(bob.room.ear.partial); n > maxPartials {
		t.Errorf("%d contents in pieces", n)
	}
	owner.must(owner.says("short"))
	w.settle()
	w.hears("short", bob)
}

// TestCausesOfLiars: causes that nobody has said, or that come later, do no harm, and are bounded.
func TestCausesOfLiars(t *testing.T) {
	w := newWorld(t)
	all := w.room(2)
	owner, bob := all[0], all[1]
	for i := range 40 {
		var lies []Ref
		for j := range maxCauses {
			lies = append(lies, Ref{byte(i), byte(j), 1})
		}
		owner.room.ear.frontier = lies
		owner.must(owner.says(fmt.Sprint("lie ", i)))
		w.settle()
	}
	e := &bob.room.ear
	if len(e.named) > maxNamed || len(e.frontier) > maxCauses {
		t.Errorf("%d named, %d to be named", len(e.named), len(e.frontier))
	}
	bob.must(bob.says("a word"))
	w.settle()
	w.hears("a word", owner)
}

// TestFalseOffer: a pact drafted by nobody's owner, and one for another.
func TestFalseOffer(t *testing.T) {
	w := newWorld(t)
	all := w.room(3)
	owner, bob, carol := all[0], all[1], all[2]
	e := &members.Entry{Kind: members.Pact, Group: owner.room.group, Author: owner.room.self, Counter: 9, Parents: owner.room.set.Heads(), Target: bob.room.self, Role: Nobody}
	e.Sign(carol.room.key)
	bob.refuses("an offer that the owner did not sign", bob.forge(laneOpen, control(append([]byte{typeOffer}, e.Append(nil)...))))
	owner.must(owner.room.HandOver(bob.room.self, Admin, w.now))
	w.settle()
	if carol.room.duty.offer != nil || carol.room.AcceptPact(w.now) == nil {
		t.Error("the room is offered to another")
	}
	bob.must(bob.room.AcceptPact(w.now))
	if bob.room.AcceptPact(w.now) == nil {
		t.Error("accepted twice")
	}
}
