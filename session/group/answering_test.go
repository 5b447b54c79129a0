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

// TestAnswerTornByAnother: R4. A member that has the door, or somebody removed who had it, reads the knock of another, and puts other pieces into the
// log of the answer, before the right ones and beside them: in their name, in nobody's, and in that of the owner. Who has knocked is back.
func TestAnswerTornByAnother(t *testing.T) {
	for _, removed := range []bool{false, true} {
		w := newWorld(t)
		all := w.room(4)
		owner, bob, evil := all[0], all[1], all[3]
		w.pass(time.Minute)
		bob.offline = true
		if removed {
			owner.must(owner.room.SetRole(evil.room.Self(), Nobody, w.now))
			w.pass(time.Minute)
		}
		dora := w.joins(owner, "dora")
		owner.must(owner.room.SetRole(dora.room.Self(), Admin, w.now))
		w.settle()
		dora.offline = true
		for i := range w.boxes {
			w.boxes[i].logs = map[[16]byte][]Entry{}
		}
		bob.room.back.begin()
		bob.must(bob.room.Lost(w.now))
		bob.offline, owner.offline, evil.offline = false, true, true
		w.settle()

		d := evil.room.door.logs[0]
		v := newVault(d.key)
		n := 0
		for _, e := range w.boxes[0].logs[d.name()] {
			in, ok := v.open(evil.room.group, laneDoor, e.Tag, e.Box)
			if !ok {
				continue
			}
			data, _ := in.controlData()
			who, l, _ := parseLeaf(evil.room.group, data[1:1+leafDataSize], evil.room.set.Key)
			answer := [32]byte(data[1+leafDataSize:])
			put := func(v vault, data []byte) {
				w.put(putInto(&v, answer, evil.room.group, laneAnswer, 0, d.mailboxes, control(data)))
				n++
			}
			pieces := func(v vault, count int, b []byte) {
				p := pen{}
				p.u8(typeAnswer)
				p.u16(0)
				p.u16(count)
				p.raw(b)
				put(v, p.b)
			}
			for i, k := range []members.Key{evil.room.key, evil.room.key, members.NewKey(), members.NewKey(), members.NewKey(), members.NewKey(), members.NewKey()} {
				s := [32]byte{byte(i), 9}
				cell, err := secretCell(k, evil.room.group, answer, s, who, l.leaf)
				if err != nil {
					t.Fatal(err)
				}
				put(newVault(answer), cell)
				if i%2 == 0 {
					pieces(newVault(s), 50, bytes.Repeat([]byte{9}, answerData))
				}
				pieces(newVault(s), 1, appendItem(appendItem(nil, []byte{typeVerdict, admitted}), []byte{typeSeen})) // nothing, and they are back
			}
			// In the name of the owner, and of an admin that bob does not know yet, unsigned by them.
			news := appendItem(nil, []byte{typeVerdict, admitted})
			for _, e := range owner.room.set.Entries()[bob.room.set.Written(owner.room.Self()):] {
				news = appendItem(news, entryData(e))
			}
			for i, id := range []ID{owner.room.Self(), dora.room.Self()} {
				p, s := pen{}, [32]byte{byte(i), 3}
				p.raw(s[:])
				p.raw(id[:])
				p.raw(make([]byte, 64))
				sealed, _ := keys.SealTo(l.leaf, answerInfo(evil.room.group, who, l.leaf), p.b)
				put(newVault(answer), append([]byte{typeSecret}, sealed...))
				pieces(newVault(s), 1, news)
			}
			pieces(newVault(answer), 1, []byte{1})
		}
		if n == 0 {
			t.Fatal("no knock")
		}
		w.settle()
		if !bob.room.Away() || len(bob.room.back.answers) > 1+maxStrangers {
			t.Errorf("away %t, with %d answers", bob.room.Away(), len(bob.room.back.answers))
		}
		bob.restarts()
		if bob.room.Role(dora.room.Self()) != Admin {
			t.Error("bob does not know the new admin")
		}
		owner.offline, dora.offline = false, false
		var held []Append // all but the secret and a piece come after a restart
		w.holds = func(a Append) bool {
			if a.Lane == laneAnswer {
				held = append(held, a)
			}
			return a.Lane == laneAnswer && len(held) > 2
		}
		w.pass(2 * time.Minute)
		if w.holds = nil; len(held) < 3 || !bob.room.Away() {
			t.Fatalf("an answer of %d cells", len(held))
		}
		bob.restarts()
		for _, a := range held[2:] {
			w.put(a)
		}
		w.pass(time.Minute)
		if bob.room.Away() {
			t.Error("kept out by another member")
		}
		w.allSpeak(fmt.Sprint("back, ", removed), []*person{owner, bob, all[2]}, dora)

		// Whoever has the door alone does not read the answer.
		for _, log := range w.boxes[0].logs {
			for _, e := range log {
				v := newVault(bob.room.back.answer)
				if in, ok := v.open(bob.room.group, laneAnswer, e.Tag, e.Box); ok {
					if data, _ := in.controlData(); data[0] == typeAnswer && len(data) > 100 && !bytes.Equal(data[5:100], bytes.Repeat([]byte{9}, 95)) {
						t.Fatal("the answer is read with the door alone")
					}
				}
			}
		}
	}
}

// TestAnswersAreFew: of each author one answer is kept, and some of people that nobody knows.
func TestAnswersAreFew(t *testing.T) {
	var b back
	for i := range 300 {
		b.answering(&answering{author: ID{1}, known: true, secret: [32]byte{1, byte(i), byte(i >> 8)}})
		b.answering(&answering{author: ID{byte(i), 2}, secret: [32]byte{2, byte(i), byte(i >> 8)}})
		b.answering(&answering{author: ID{byte(i), 2}, secret: [32]byte{2, byte(i), byte(i >> 8)}})
	}
	if len(b.answers) != 1+maxStrangers {
		t.Errorf("%d answers", len(b.answers))
	}
	last := slices.IndexFunc(b.answers, func(a *answering) bool { return a.known })
	if b.answers[last].secret != [32]byte{1, 299 & 0xff, 299 >> 8} {
		t.Error("not the last of one")
	}
	for i := range 300 {
		b.answering(&answering{author: ID{byte(i), byte(i >> 8), 3}, known: true, secret: [32]byte{3, byte(i), byte(i >> 8)}})
	}
	if len(b.answers) > maxAnswers {
		t.Errorf("%d answers of many", len(b.answers))
	}
}
