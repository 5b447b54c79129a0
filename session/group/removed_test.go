package group

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"starling/session/group/keys"
	"starling/session/group/members"
)

// TestRemovedSpeaksOn: 34. Somebody removed, or made a reader, knows it and goes on where all still read: in their chain; in one that begins with
// a return, with numbers below those that the removal states; beside a word that they leave, which comes before or behind. Nobody hears
// it, and nobody sees them come back.
func TestRemovedSpeaksOn(t *testing.T) {
	leaves := func(p *person) {
		before := p.room.posting()
		e, err := p.room.set.Leave(p.room.key)
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range before {
			p.room.postAt(at, laneOpen, entryData(e), true)
		}
		p.commit()
	}
	for what, f := range map[string]func(p *person){
		"as ever":               func(*person) {},
		"by a return":           func(p *person) { p.room.comeBack(p.w.now) },
		"by a return after one": func(p *person) { p.room.comeBack(p.w.now); p.room.comeBack(p.w.now) },
		"by leaving":            leaves,
		"by both":               func(p *person) { p.room.comeBack(p.w.now); leaves(p) },
	} {
		for _, role := range []Role{Nobody, Reader} {
			for _, first := range []bool{false, true} {
				w := newWorld(t)
				all := w.room(4)
				owner, bob, carol := all[0], all[1], all[2]
				if what == "by a return after one" {
					bob.room.comeBack(w.now)
					bob.commit()
					w.settle()
				}
				for i := range 3 {
					bob.must(bob.says(fmt.Sprint("before ", i)))
					w.settle()
				}
				old := bob.backup()
				bob.offline, carol.offline = true, first
				owner.must(owner.room.SetRole(bob.room.Self(), role, w.now))
				w.settle()

				// They have the keys of before, and what they knew.
				twin, err := Open(old.state, old.rows)
				if err != nil {
					t.Fatal(err)
				}
				bob.room = twin
				owner.events = nil
				f(bob)
				bob.commit()
				bob.room.roles[bob.room.self] = Writer
				text := fmt.Sprint(what, " after ", role)
				if first { // carol reads this before the removal
					name := carol.room.writing().name(laneOpen, 0)
					for _, e := range w.boxes[0].logs[name] {
						carol.take(e)
					}
				}
				carol.offline = false
				w.settle()
				say(bob, text)
				w.settle()
				for _, p := range others(all, bob) {
					if slices.ContainsFunc(p.heard, func(s Said) bool { return string(s.Content) == text }) {
						t.Errorf("%s: %s has heard it", text, p.name)
					}
				}
				if slices.ContainsFunc(owner.events, func(e Event) bool { _, is := e.(Returned); return is }) && role == Nobody {
					t.Errorf("%s: the owner sees them come back", text)
				}
			}
		}
	}
}

// say says something whatever the room says to it.
func say(p *person, text string) {
	contents++
	id := [16]byte{0xab, byte(contents >> 8), byte(contents)}
	for _, b := range fragments(p.room.ear.mine, id, nil, []byte(text)) {
		list, number, key, err := p.room.keys.Next(keys.Member(p.room.self), p.room.back.nonce)
		if err != nil {
			p.w.t.Fatal(err)
		}
		m := &message{sender: p.room.self, number: number, list: list}
		m.seal(p.room.key, p.room.group, p.room.back.nonce, key, b)
		a, ok := p.room.writing().put(p.room.group, laneOpen, m.inner())
		if !ok {
			p.w.t.Fatal("may not write")
		}
		p.w.put(a)
	}
}

// TestReaderLeavesToSpeak: a reader, who has the keys, is not heard because they have left.
func TestReaderLeavesToSpeak(t *testing.T) {
	w := newWorld(t)
	all := w.room(3)
	owner, bob := all[0], all[1]
	owner.must(owner.room.SetRole(bob.room.Self(), Reader, w.now))
	w.settle()
	bob.offline = true
	e, err := bob.room.set.Leave(bob.room.key)
	if err != nil {
		t.Fatal(err)
	}
	bob.writes(laneOpen, control(entryData(e)))
	say(bob, "a reader speaks")
	w.settle()
	if owner.room.Role(bob.room.Self()) != Nobody {
		t.Error("bob has not left")
	}
	w.hears("a reader speaks")
}

// TestLeftIsHeardOut: what somebody said before they left is heard, also behind that.
func TestLeftIsHeardOut(t *testing.T) {
	w := newWorld(t)
	all := w.room(3)
	bob := all[1]
	e, _ := w.lastCell(bob, "my last word")
	bob.must(bob.room.Leave(w.now))
	w.settle()
	for _, p := range others(all, bob) {
		p.take(e)
	}
	w.hears("my last word", others(all, bob)...)
}

// TestFalseCuts: whoever removes somebody states chains that nobody has, or words that are cut off; nobody else is heard more or less for it.
func TestFalseCuts(t *testing.T) {
	for what, attached := range map[string][]byte{
		"nothing": nil, "another chain": slices.Concat([]byte("somebody"), []byte{255, 255, 255, 255}), "cut off": []byte("somebod"),
		"as long as can be": bytes.Repeat([]byte{255}, members.MaxAttached),
	} {
		w := newWorld(t)
		all := w.room(4)
		owner, bob := all[0], all[1]
		bob.must(bob.says("before"))
		w.settle()
		bob.offline = true
		before := owner.room.posting()
		e, err := owner.room.set.SetRole(owner.room.key, bob.room.Self(), Nobody, attached)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range before {
			owner.room.postAt(p, laneOpen, entryData(e), true)
		}
		owner.room.entriesPlaced([]*members.Entry{e}, w.now)
		owner.must(owner.room.rekey(w.now))
		w.settle()
		say(bob, "behind")
		w.settle()
		w.hears("behind")
		w.allSpeak(what, others(all, bob))
	}
}
