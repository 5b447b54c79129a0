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

// stated is control data of a member: a statement of their choice.
func (p *person) stated(topic members.Topic, body []byte) *inner {
	st := p.room.set.State(p.room.key, topic, random())
	st.Body = body
	st.Sign(p.room.key)
	return control(append([]byte{typeStatement}, st.Append(nil)...))
}

// writes puts a plaintext of somebody's choice into a lane that they may write in.
func (p *person) writes(lane uint8, in *inner) {
	p.w.t.Helper()
	a, ok := p.room.writing().put(p.room.group, lane, in)
	if !ok {
		p.w.t.Fatalf("%s may not write in lane %d", p.name, lane)
	}
	p.w.put(a)
}

// TestFalsePositions: a mailbox says of one entry that it is the 4,096th, or that a log is full. Whoever leaves the
// segment for it is heard, and hears the others.
func TestFalsePositions(t *testing.T) {
	w := newWorld(t)
	all := w.room(4)
	bob := all[1]
	for round := range segments {
		w.pass(turnRest + time.Second)
		at := bob.room.writing()
		for lane := range uint8(lanes) {
			bob.room.Take(Entry{Name: at.name(lane, at.segment[lane]), Position: SegmentSize, Box: make([]byte, boxSize)}, w.now)
		}
		bob.commit()
		w.allSpeak(fmt.Sprint("after ", round+1, " false positions"), all)
	}

	carol := all[2]
	for range segments + 2 {
		carol.must(carol.room.Say([16]byte{1, byte(contents)}, []byte(fmt.Sprint("full ", contents)), w.now))
		contents++
		e, _ := w.lastCell(carol, "refused")
		for _, log := range carol.room.places.index {
			if log.place == carol.room.writing() && log.lane == carol.room.writing().lane && log.segment == log.place.segment[log.lane] {
				s, _ := log.place.writer(log.lane)
				a := Append{Mailboxes: w.mailboxes(), Log: publicOf(logKey(s, log.lane, log.segment)), Tag: e.Tag, Box: e.Box}
				if err := carol.room.Refused(a, true, w.now); err != nil && err != ErrFull {
					t.Fatal(err)
				}
			}
		}
		carol.commit()
		w.settle()
	}
	w.allSpeak("after a mailbox said full", all)
	before := len(all[0].room.words.rekeys)
	w.pass(2 * time.Hour)
	if n := len(all[0].room.words.rekeys) - before; n > 3 {
		t.Errorf("%d rekeys in two hours", n)
	}
	w.allSpeak("two hours later", all)
}

// TestListOfLiars: a member says that they write under generations that nobody stated. It makes no keys, and
// newcomers come in.
func TestListOfLiars(t *testing.T) {
	w := newWorld(t)
	all := w.room(3)
	owner, bob := all[0], all[1]
	before := sizeOf(owner.room.whole())
	for _, g := range []uint16{1, 1000, keys.MaxGeneration} {
		l := bob.room.keys.List()
		for i := range l {
			l[i].Generation += g
			l[i].Generation = min(l[i].Generation, keys.MaxGeneration)
		}
		bob.writes(laneOpen, bob.stated(members.Heads, l.Append(nil)))
	}
	w.settle()
	if n := sizeOf(owner.room.whole()) - before; n > 16<<10 {
		t.Errorf("the state grows by %d bytes", n)
	}
	late := w.joins(owner, "late")
	w.settle()
	w.allSpeak("with one more", append(all, late))
}

// TestNeedsWithoutEnd: a member asks for keys again and again, and knocks. What they are answered costs little, and
// who comes or asks later is served.
func TestNeedsWithoutEnd(t *testing.T) {
	w := newWorld(t)
	all := w.room(4)
	owner, bob := all[0], all[1]
	first := bob.room.set.Entries()[0].ID()
	before := w.appends
	for i := range 600 {
		st := bob.room.set.State(bob.room.key, members.Need, random())
		st.Parents = []members.EntryID{first}
		st.Body = bob.room.keys.Heads()[0][:]
		st.Body = slices.Clone(st.Body)
		st.Sign(bob.room.key)
		bob.writes(laneOpen, control(append([]byte{typeStatement}, st.Append(nil)...)))
		if i%3 == 0 {
			own := &ownLeaf{counter: uint32(w.now.Unix()/60) + uint32(i) + 10, key: keys.NewLeafKey()}
			d := bob.room.door.logs[0]
			v := newVault(d.key)
			record := leafData(bob.room.key, bob.room.group, own.counter, own.key.Public())
			w.put(putInto(&v, d.key, bob.room.group, laneDoor, 0, d.mailboxes, control(knockData(bob.room.key, bob.room.group, record, [32]byte{byte(i), byte(i >> 8), 1}))))
		}
		w.pass(5 * time.Second)
	}
	// Ten times in 50 minutes, an honest one would ask; each answer has some 20 cells.
	if n := w.appends - before - 2*(600+200); n > 1500 {
		t.Errorf("%d appends for them", n)
	}
	if n := owner.room.words.number[authored{owner.room.self, members.Step}]; n > 80 {
		t.Errorf("%d steps", n)
	}
	late := w.joins(owner, "late")
	w.settle()
	w.allSpeak("beside one who asks", []*person{owner, all[2], all[3], late}, bob)
}

// TestAdminLetsInCrowds: an admin lets in twice as many as there are to be. The room goes on, and who was in before hears
// and speaks.
func TestAdminLetsInCrowds(t *testing.T) {
	w := newWorld(t)
	all := w.room(6)
	owner, evil := all[0], all[1]
	owner.must(owner.room.SetRole(evil.room.self, Admin, w.now))
	w.settle()
	for range 70 {
		k, leaf := members.NewKey(), keys.NewLeafKey()
		p, err := members.Introduce(k, evil.room.group, [16]byte{}, leaf.Public().Hash(), "puppet")
		if err != nil {
			t.Fatal(err)
		}
		e, err := evil.room.set.Add(evil.room.key, p, Writer, nil)
		if err != nil {
			t.Fatal(err)
		}
		evil.writes(laneControl, control(entryData(e)))
		evil.writes(laneControl, control(append([]byte{typeLeaf}, leafData(k, evil.room.group, 0, leaf.Public())...)))
	}
	evil.offline = true
	w.pass(10 * time.Minute)
	owner.must(owner.room.SetRole(evil.room.self, Nobody, w.now))
	w.settle()
	w.pass(10 * time.Minute)
	w.allSpeak("beside a crowd", others(all, evil))
}

// TestAdminMovesTheRoomAway: an admin moves the room to mailboxes that nobody has. The owner ends it, and all hear
// of it.
func TestAdminMovesTheRoomAway(t *testing.T) {
	w := newWorld(t)
	all := w.room(5)
	owner, evil := all[0], all[1]
	owner.must(owner.room.SetRole(evil.room.self, Admin, w.now))
	w.settle()
	evil.must(evil.room.Move([]Mailbox{{Node: [32]byte{77}}, {Node: [32]byte{78}}}, w.now))
	w.settle()
	if err := owner.room.SetRole(evil.room.self, Nobody, w.now); err != nil {
		t.Fatal(err)
	}
	owner.commit()
	evil.offline = true
	w.pass(10 * time.Minute)
	w.allSpeak("back at home", others(all, evil))
}

// TestAdminRekeysWithoutEnd: an admin makes rekeys, one behind the other and beside each other. What is followed, kept and
// sent for it is bounded, and the owner ends it.
func TestAdminRekeysWithoutEnd(t *testing.T) {
	for _, beside := range []bool{false, true} {
		w := newWorld(t)
		w.light = true
		all := w.room(4)
		owner, evil, carol := all[0], all[1], all[2]
		owner.must(owner.room.SetRole(evil.room.self, Admin, w.now))
		w.settle()
		evil.state = evil.room.whole()
		b := evil.backup()
		for range 120 {
			if beside {
				r, err := Open(b.state, b.rows)
				if err != nil {
					t.Fatal(err)
				}
				evil.room = r
			}
			evil.must(evil.room.rekey(w.now))
			if !beside {
				w.settle()
			}
		}
		evil.offline = true
		before := w.appends
		w.settle()
		names := 0
		for _, place := range carol.room.Logs() {
			names += len(place.Names)
		}
		if names > 8*(maxPlacesOf+8) {
			t.Errorf("%d logs are followed", names)
		}
		if n := sizeOf(carol.room.whole()); n > 400<<10 {
			t.Errorf("a state of %d bytes", n)
		}
		owner.must(owner.room.SetRole(evil.room.self, Nobody, w.now))
		w.pass(10 * time.Minute)
		if n := w.appends - before; n > 20000 {
			t.Errorf("%d appends", n)
		}
		w.allSpeak("without the one who rekeys", others(all, evil))
	}
}

// TestHalvesOfFive: people who send halves of contents push out each other's, and nobody else's.
func TestHalvesOfFive(t *testing.T) {
	w := newWorld(t)
	w.light = true
	all := w.room(9)
	owner, carol := all[0], all[1]
	for _, p := range all[1:] {
		p.offline = true
	}
	long := bytes.Repeat([]byte("long "), 12000)
	half := func(p *person, id byte, from, to int) {
		if from == 0 {
			if err := p.room.Say([16]byte{0xad, id}, long, w.now); err != nil {
				t.Fatal(err)
			}
			p.held = p.room.Changes().Appends
		}
		for _, a := range p.held[from:to] {
			w.put(a)
		}
	}
	n := (len(long) + dataSize - 1) / dataSize
	half(carol, 1, 0, n/2)
	w.settle()
	for _, p := range all[2:] {
		for id := range byte(6) {
			half(p, id, 0, n-2)
		}
	}
	w.settle()
	half(carol, 1, n/2, len(carol.held))
	carol.commit()
	w.settle()
	if !slices.ContainsFunc(owner.heard, func(s Said) bool { return bytes.Equal(s.Content, long) }) {
		t.Error("a content in pieces was pushed out by others")
	}
}

// TestClockComesBack: somebody's clock was a year ahead for a while, or a year behind. Once it is right they do what is
// theirs to do.
func TestClockComesBack(t *testing.T) {
	for _, off := range []time.Duration{365 * 24 * time.Hour, -365 * 24 * time.Hour} {
		w := newWorld(t)
		all := w.room(5)
		owner, admin := all[0], all[1]
		owner.must(owner.room.SetRole(admin.room.self, Admin, w.now))
		w.settle()
		w.pass(time.Hour)
		right := w.now

		// The owner's clock is off: they are restored, and see a removal that another begins.
		for _, p := range all[1:] {
			p.offline = true
		}
		w.now = right.Add(off)
		owner.next = time.Time{}
		owner.restored(owner.backup())
		owner.readsToTheEnd()
		w.pass(2 * time.Minute)
		owner.must(owner.says("from another time"))
		w.pass(2 * time.Minute)
		w.now = right.Add(10 * time.Minute)
		for _, p := range all {
			p.offline, p.next = false, time.Time{}
		}
		w.pass(time.Hour + time.Minute)
		w.hears("from another time", others(all, owner)...)
		w.allSpeak("the clock is right", all)

		// The admin stops between the entry and the rekey; it is the owner's to make.
		owner.must(owner.room.SetRole(all[4].room.self, Nobody, w.now))
		w.pass(time.Minute)
		w.allSpeak("without one", all[:4])
		for range staleRekeys + 1 {
			owner.must(owner.room.rekey(w.now))
			w.pass(time.Minute)
		}
		w.allSpeak("with new keys", all[:4])
		admin.must(admin.room.SetRole(all[3].room.self, Nobody, w.now))
		w.boxes[0].drop(typeStatement, admin)
		w.boxes[1].drop(typeStatement, admin)
		admin.offline = true
		w.pass(3 * time.Minute)
		if owner.room.Healing() {
			t.Errorf("%v: nobody makes the keys", off)
		}
	}
}

// TestClockAYearAheadLeavesNobodyOut: rekeys of an owner whose clock is a year ahead have a seed for everybody.
func TestClockAYearAheadLeavesNobodyOut(t *testing.T) {
	w := newWorld(t)
	all := w.room(4)
	owner := all[0]
	w.pass(time.Hour)
	right := w.now
	for i := range 8 {
		w.now = right.Add(365*24*time.Hour + time.Duration(i)*time.Minute)
		owner.must(owner.room.rekey(w.now))
		w.now = right.Add(time.Duration(i) * time.Minute)
		w.settle()
	}
	for _, m := range owner.room.Members() {
		if m.Unkeyed {
			t.Errorf("%s has no keys", m.Name)
		}
	}
	w.allSpeak("with keys of next year", all)
}

// TestFlooderIsFound: one member fills their lane with entries that say nothing, as fast as mailboxes let them: garbage, or
// well-formed things of nobody. The others' words go on, two dealings find the member, and they are removed.
func TestFlooderIsFound(t *testing.T) {
	for _, kind := range []string{"garbage", "seeds", "needs", "bodies"} {
		w := newWorld(t)
		w.light = true
		all := w.room(9)
		owner, evil := all[0], all[8]
		for _, p := range all[3:8] {
			p.offline = true
		}
		sent := 0
		flood := func(n int) {
			at := evil.room.writing()
			s, _ := at.writer(at.lane)
			k := logKey(s, at.lane, at.segment[at.lane])
			for range n {
				sent++
				var in *inner
				switch kind {
				case "garbage":
					box := bytes.Repeat([]byte{byte(sent), byte(sent >> 8)}, boxSize/2)
					tag := [16]byte{byte(sent), byte(sent >> 8)}
					w.put(Append{Mailboxes: w.mailboxes(), Log: publicOf(k), Tag: tag, Signature: sign(k, tag, box), Box: box})
					continue
				case "seeds":
					in = control(slices.Concat([]byte{typeSeeds}, bytes.Repeat([]byte{byte(sent), byte(sent >> 8)}, 16), []byte{0, 1, 2}))
				case "needs":
					in = evil.stated(members.Need, evil.room.keys.Heads()[0][:])
				case "bodies":
					if err := evil.room.Say([16]byte{0xbb, byte(sent), byte(sent >> 8)}, make([]byte, 3000), w.now); err != nil {
						continue
					}
					c := evil.room.Changes()
					w.put(c.Appends[0])
					continue
				}
				evil.writes(at.lane, in)
			}
		}
		found := false
		for round := range 20 {
			flood(junkMost + 20)
			w.settle()
			for i, p := range all[:3] {
				p.must(p.says(fmt.Sprint(kind, round, "beside a flood, by ", i)))
				w.settle()
				w.hears(fmt.Sprint(kind, round, "beside a flood, by ", i), others(append(all[:3:3], evil), p)...)
			}
			w.pass(10 * time.Minute)
			for _, m := range owner.room.Members() {
				if m.Suspect && m.ID != evil.room.self {
					t.Errorf("%s: %s is suspected", kind, m.Name)
				}
				found = found || m.Suspect
			}
			if found {
				break
			}
		}
		if !found {
			t.Errorf("%s: the flooder was not found", kind)
		}
		if n := len(owner.room.words.rekeys); n > 1+4 {
			t.Errorf("%s: found with %d rekeys", kind, n)
		}
		for _, p := range all {
			p.offline = false
		}
		owner.must(owner.room.SetRole(evil.room.self, Nobody, w.now))
		w.settle()
		w.allSpeak(kind+" is over", all[:8])
	}
}

// TestFalseTrouble: a member accuses the lane of another, each time that the lanes are dealt. Nobody is suspected, and
// no keys are made for it.
func TestFalseTrouble(t *testing.T) {
	w := newWorld(t)
	all := w.room(12)
	owner, bob, evil := all[0], all[1], all[11]
	before := len(owner.room.words.rekeys)
	for range 6 {
		at := bob.room.writing()
		evil.writes(laneOpen, evil.stated(members.Trouble, append(at.rekey[:], at.lane)))
		w.pass(time.Hour + time.Minute)
		for _, p := range all {
			for _, m := range p.room.Members() {
				if m.Suspect {
					t.Errorf("%s suspects %s", p.name, m.Name)
				}
			}
		}
		owner.must(owner.room.rekey(w.now))
		w.settle()
	}
	if n := len(owner.room.words.rekeys) - before; n > 6 {
		t.Errorf("%d rekeys", n)
	}
}

// TestRequestTornByAnother: somebody else with the link puts a false second half beside the request of a newcomer, before
// theirs. They come in.
func TestRequestTornByAnother(t *testing.T) {
	w := newWorld(t)
	owner := w.found()
	l, err := owner.room.MakeLink(5, false, w.now.Add(time.Hour), w.now)
	if err != nil {
		t.Fatal(err)
	}
	owner.commit()
	p := w.asks(l.Text, "newcomer")
	held := []Append{}
	w.holds = func(a Append) bool {
		if a.Lane == laneLink {
			held = append(held, a)
		}
		return a.Lane == laneLink
	}
	p.reads()
	w.holds = nil
	if len(held) != 2 {
		t.Fatalf("%d pieces", len(held))
	}
	i, _ := parseInvite(l.Text)
	v := newVault(i.secret)
	in, _ := v.open(i.group, laneLink, held[1].Tag, held[1].Box)
	data, _ := in.controlData()
	for n := range 2 {
		false_ := slices.Clone(data)
		false_[30] ^= byte(n + 1)
		w.put(putInto(&v, i.secret, i.group, laneLink, 0, i.mailboxes, control(false_)))
	}
	w.put(held[0])
	w.settle()
	w.put(held[1])
	w.settle()
	if p.room == nil {
		t.Error("kept out by another with the link")
	}
}

// TestOneLaneEach: whoever is handed keys again and again is given no lane of another dealing by it: by one admin the lane
// that they were dealt, by all others one and the same.
func TestOneLaneEach(t *testing.T) {
	w := newWorld(t)
	all := w.room(5)
	owner, bob := all[0], all[4]
	for _, p := range all[1:3] {
		owner.must(owner.room.SetRole(p.room.self, Admin, w.now))
		w.settle()
	}
	given := map[uint8]bool{}
	for _, p := range all[:3] {
		for range 20 {
			given[laneOf(&p.room.core, p.room.writing(), bob.room.self)] = true
		}
	}
	if len(given) > 2 {
		t.Errorf("%d lanes", len(given))
	}
}

// TestAdminFramesAMember: an admin, who has the keys of all lanes, puts garbage into the lane of a member, each time that
// they can. Nobody suspects the member: in the dealings that count the owner alone has these keys.
func TestAdminFramesAMember(t *testing.T) {
	w := newWorld(t)
	w.light = true
	all := w.room(8)
	owner, evil, bob := all[0], all[1], all[2]
	owner.must(owner.room.SetRole(evil.room.self, Admin, w.now))
	w.settle()
	sent, framed := 0, 0
	for round := range 8 {
		at := evil.room.writing()
		lane := bob.room.writing().lane
		if s, ok := at.writer(lane); ok {
			framed++
			k := logKey(s, lane, at.segment[lane])
			for range junkMost + 20 {
				sent++
				box := bytes.Repeat([]byte{byte(sent), byte(sent >> 8)}, boxSize/2)
				tag := [16]byte{byte(sent), byte(sent >> 8)}
				w.put(Append{Mailboxes: w.mailboxes(), Log: publicOf(k), Tag: tag, Signature: sign(k, tag, box), Box: box})
			}
		}
		w.settle()
		for i, p := range all {
			text := fmt.Sprint(round, " all the same, by ", i)
			p.must(p.says(text))
			w.settle()
			w.hears(text, others(all, p)...)
		}
		evil.offline = true // they would deal themselves
		w.pass(time.Hour + time.Minute)
		evil.offline = false
		w.settle()
		for _, p := range others(all, evil) {
			for _, m := range p.room.Members() {
				if m.Suspect {
					t.Errorf("round %d: %s suspects %s", round, p.name, m.Name)
				}
			}
		}
	}
	if framed == 0 || framed > 2 {
		t.Errorf("framed %d times", framed)
	}
	if n := len(owner.room.words.rekeys); n < 3 || n > 8 {
		t.Errorf("%d rekeys", n)
	}
}

// TestFlooderBesideAnAdmin: with an admin in the room a member that floods their lane is found as well, and so is an admin that
// floods the lane that they were dealt alone.
func TestFlooderBesideAnAdmin(t *testing.T) {
	for _, who := range []int{1, 8} {
		w := newWorld(t)
		w.light = true
		all := w.room(9)
		owner, evil := all[0], all[who]
		owner.must(owner.room.SetRole(all[1].room.self, Admin, w.now))
		w.settle()
		sent := 0
		found := false
		for round := 0; round < 12 && !found; round++ {
			at := evil.room.writing()
			s, _ := at.writer(at.lane)
			k := logKey(s, at.lane, at.segment[at.lane])
			for range junkMost + 20 {
				sent++
				box := bytes.Repeat([]byte{byte(sent), byte(sent >> 8)}, boxSize/2)
				tag := [16]byte{byte(sent), byte(sent >> 8)}
				w.put(Append{Mailboxes: w.mailboxes(), Log: publicOf(k), Tag: tag, Signature: sign(k, tag, box), Box: box})
			}
			w.settle()
			all[2].must(all[2].says(fmt.Sprint(round, " beside a flood")))
			w.settle()
			w.hears(fmt.Sprint(round, " beside a flood"), others(all, all[2])...)
			evil.offline = true
			w.pass(time.Hour + time.Minute)
			evil.offline = false
			w.settle()
			for _, p := range all[:2] {
				for _, m := range p.room.Members() {
					if m.Suspect && m.ID != evil.room.self && p != evil {
						t.Errorf("%s suspects %s", p.name, m.Name)
					}
					found = found || m.Suspect && p != evil
				}
			}
		}
		if !found {
			t.Errorf("%s was not found", evil.name)
		}
		owner.must(owner.room.SetRole(evil.room.self, Nobody, w.now))
		w.settle()
		w.allSpeak("it is over", others(all, evil))
	}
}

// TestInventedPeople: a member speaks as ever other people that there are not. The first word of a newcomer, of whom nobody has heard
// yet, waits all the same: it came by another lane.
func TestInventedPeople(t *testing.T) {
	w := newWorld(t)
	all := w.room(5)
	owner, carol := all[0], all[1]
	carol.offline = true
	var late, evil *person
	for evil == nil {
		late = w.joins(owner, fmt.Sprint("late ", len(w.people)))
		for _, p := range all[2:] {
			if p.room.writing().lane != late.room.writing().lane {
				evil = p
			}
		}
	}
	e, in := w.lastCell(late, "my first word")
	if carol.take(e); len(carol.room.aside.waits) != 1 {
		t.Fatal("it does not wait")
	}
	for i := range 4 * maxAsideNobody {
		m, _ := parseMessage(in)
		m.sender = ID{byte(i), byte(i >> 8), 7}
		carol.take(evil.forge(evil.room.writing().lane, m.inner()))
	}
	if n := carol.room.aside.count(kindMessage, ID{}); n > maxAsideNobody {
		t.Errorf("%d wait", n)
	}
	carol.restarts()
	carol.offline = false
	w.settle()
	w.hears("my first word", carol)
}
