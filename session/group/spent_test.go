package group

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"starling/session/group/keys"
	"starling/session/group/members"
	"starling/session/internal/kdf"
)

// TestSpentRekeys: the keys that others would not take of us any more are refused at their author, before anything
// else of the change is said; and the room can still be handed over.
func TestSpentRekeys(t *testing.T) {
	w := newWorld(t)
	all := w.room(4)
	owner, bob, carol := all[0], all[1], all[2]
	for owner.room.words.number[authored{owner.room.self, members.Rekey}] < maxWords {
		owner.room.words.number[authored{owner.room.self, members.Rekey}]++
	}

	before := w.appends
	for what, err := range map[string]error{
		"a removal":        owner.room.SetRole(carol.room.self, Nobody, w.now),
		"a ban":            owner.room.Ban(carol.room.self, w.now),
		"other mailboxes":  owner.room.Move(w.mailboxes(), w.now),
		"only admins":      owner.room.SetSettings(Settings{Title: "a room", AdminsOnly: true}, w.now),
		"keys for no need": owner.room.rekey(w.now),
	} {
		if !errors.Is(err, ErrSpent) {
			t.Errorf("%s: %v", what, err)
		}
	}
	owner.commit()
	if w.appends != before || owner.room.Role(carol.room.self) != Writer || owner.room.Settings().AdminsOnly {
		t.Errorf("%d appends of what was refused; %v; %v", w.appends-before, owner.room.Role(carol.room.self), owner.room.Settings())
	}
	w.allSpeak("before", all)

	owner.must(owner.room.HandOver(bob.room.self, Admin, w.now))
	w.settle()
	bob.must(bob.room.AcceptPact(w.now))
	w.settle()
	bob.must(bob.room.SetRole(carol.room.self, Nobody, w.now))
	w.settle()
	w.allSpeak("without her", []*person{owner, bob, all[3]})
}

// TestSpentEntries: the same of entries, of which some are kept for handing the room over.
func TestSpentEntries(t *testing.T) {
	w := newWorld(t)
	w.light = true
	all := w.room(4)
	owner, bob, carol := all[0], all[1], all[2]
	set := owner.room.set
	for i := 0; set.Written(owner.room.self) < members.MaxByAuthor-keptEntries; i++ {
		e, err := set.SetRole(owner.room.key, all[3].room.self, Reader+Role(i%2), nil)
		owner.must(err)
		owner.room.post(entryData(e), true)
		if i%256 == 0 {
			owner.commit()
			w.settle()
		}
	}
	owner.commit()
	w.settle()

	if err := owner.room.SetRole(carol.room.self, Nobody, w.now); !errors.Is(err, ErrSpent) {
		t.Errorf("a removal: %v", err)
	}
	owner.must(owner.room.HandOver(bob.room.self, Admin, w.now))
	w.settle()
	bob.must(bob.room.AcceptPact(w.now))
	w.settle()
	bob.must(bob.room.SetRole(carol.room.self, Nobody, w.now))
	w.settle()
	w.allSpeak("without her", []*person{owner, bob}, all[3])
}

// TestWelcomeTooLong: what a newcomer is to be told does not fit into an answer. Of the history the newest goes along; if
// the rest is too long, nobody is added.
func TestWelcomeTooLong(t *testing.T) {
	w := newWorld(t)
	w.light = true
	all := w.room(3)
	owner, bob := all[0], all[1]
	owner.auto = false
	owner.must(owner.room.SetRole(bob.room.self, Admin, w.now))
	w.settle()
	set := owner.room.set
	ask := func(name string) (*person, [16]byte) {
		l := w.link(owner, 1, false)
		p := w.asks(l.Text, name)
		w.settle()
		return p, owner.room.door.requests[0].id
	}
	long := func(until int) {
		attached := make([]byte, members.MaxAttached)
		for i := 0; ; i++ {
			n := admitRoom
			for _, item := range owner.room.welcome(nil, nil, nil) {
				n += 3 + len(item)
			}
			if n > until {
				return
			}
			for j := range 32 {
				_, err := set.SetRole([]members.Key{owner.room.key, bob.room.key}[i%2], all[2].room.self, Reader+Role(j%2), attached)
				owner.must(err)
			}
		}
	}

	long(maxAnswer - 200<<10)
	dora, request := ask("dora")
	var history [][]byte
	for i := range 10 {
		history = append(history, append([]byte(fmt.Sprint(i)), make([]byte, 50<<10)...))
	}
	owner.must(owner.room.Approve(request, true, history, w.now))
	w.settle()
	if n := len(dora.history); dora.room == nil || n == 0 || n > 3 || dora.history[n-1][0] != '9' {
		t.Fatalf("in: %v, with %d of history", dora.room != nil, n)
	}

	long(maxAnswer)
	_, request = ask("eve")
	before := len(owner.room.set.Members())
	if err := owner.room.Approve(request, true, nil, w.now); !errors.Is(err, ErrSpent) {
		t.Errorf("let in: %v", err)
	}
	if len(owner.room.set.Members()) != before {
		t.Error("added, and not told")
	}
	owner.must(owner.room.Approve(request, false, nil, w.now))
}

// TestFarBehind: somebody comes back to more cells of one member than a chain goes on by at once, and mailboxes hand over
// the newest first. All are heard, once, and nobody is blamed.
func TestFarBehind(t *testing.T) {
	w := newWorld(t)
	w.light = true
	all := w.room(3)
	bob, carol := all[1], all[2]
	carol.offline = true
	const texts = 1200
	for i := range texts {
		w.now = w.now.Add(time.Minute)
		bob.must(bob.says(fmt.Sprint("text ", i)))
	}

	places := carol.room.Logs()
	name := [16]byte{}
	for _, n := range places[0].Names {
		if len(w.boxes[0].logs[n]) > len(w.boxes[0].logs[name]) {
			name = n
		}
	}
	log := w.boxes[0].logs[name]
	for _, e := range log[len(log)-5:] {
		carol.take(e)
	}
	w.hide = func(mailbox int, e Entry) bool {
		return mailbox == 1 || e.Position > uint32(len(log)-5) && e.Position <= uint32(len(log))
	}
	carol.state = carol.room.whole()
	carol.restarts()
	carol.offline = false
	w.settle()
	count := map[string]int{}
	for _, s := range carol.heard {
		count[string(s.Content)]++
	}
	for i := range texts {
		if n := count[fmt.Sprint("text ", i)]; n != 1 {
			t.Errorf("text %d was heard %d times", i, n)
		}
	}
	for _, p := range carol.room.places.all {
		for lane, n := range p.junk {
			if n > 0 {
				t.Errorf("%d entries of lane %d are called junk", n, lane)
			}
		}
	}
	w.allSpeak("after it", all)
}

// TestFarAhead: a member says cells that are far beyond their chain. A few of them wait, the rest is junk of that member's
// lane, and everybody is heard.
func TestFarAhead(t *testing.T) {
	w := newWorld(t)
	w.light = true
	all := w.room(3)
	owner, bob := all[0], all[1]
	_, in := w.lastCell(bob, "the word")
	place := owner.room.writing()
	lane := bob.room.writing().messageLane()
	before := place.junk[lane]
	for i := range 400 {
		m, _ := parseMessage(in)
		m.number = keys.MaxSkip + 5 + uint32(i)
		hash := m.bodyHash()
		m.signature = bob.room.key.Sign(kdf.SignCell, append(m.place(bob.room.group, keys.Nonce{}), hash[:]...))
		a, _ := bob.room.writing().put(bob.room.group, lane, m.inner())
		owner.room.Take(Entry{nameOf(a.Log), 1, a.Tag, a.Signature, a.Box}, w.now)
	}
	if n := owner.room.aside.count(kindMessage, bob.room.self); n != maxAsideOf {
		t.Errorf("%d wait", n)
	}
	if n := place.junk[lane] - before; n < junkMost {
		t.Errorf("%d are junk", n)
	}
	owner.commit()
	owner.readsBack()
	w.allSpeak("beside them", all)
}
