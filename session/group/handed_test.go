package group

import (
	"bytes"
	"slices"
	"testing"
	"time"
)

// TestHandedByAnother: a member puts other things beside what a step hands over, before it.
func TestHandedByAnother(t *testing.T) {
	w := newWorld(t)
	all := w.room(4)
	owner, bob, evil := all[0], all[1], all[3]
	for _, p := range all[1:] {
		p.offline = true
	}
	// A rekey that bob has no seed of.
	if err := owner.room.rekey(w.now); err != nil {
		t.Fatal(err)
	}
	c := owner.room.Changes()
	owner.rows = append(owner.rows, c.NewEntries...)
	for _, a := range c.Appends {
		at := owner.room.places.index[nameOf(a.Log)]
		in, _ := at.place.vault.open(owner.room.group, at.lane, a.Tag, a.Box)
		if data, _ := in.controlData(); data[0] != typeSeeds {
			w.put(a)
		}
	}
	owner.commit()
	for _, p := range all[1:] {
		p.offline = false
	}
	w.settle()
	if len(bob.room.keys.Lacking()) == 0 {
		t.Fatal("bob has it")
	}
	evil.offline, bob.apart = true, 1 // of two mailboxes the second one would help
	var step [32]byte
	lies := 0
	w.holds = func(a Append) bool {
		at := owner.room.places.index[nameOf(a.Log)]
		if at.place == nil || at.lane == laneOpen {
			return false
		}
		in, ok := at.place.vault.open(owner.room.group, at.lane, a.Tag, a.Box)
		if !ok {
			return false
		}
		data, ok := in.controlData()
		if ok && data[0] == typeHanded && step != [32]byte(data[1:]) {
			step = [32]byte(data[1:])
			for i := range byte(2 * maxVariants) {
				lie := slices.Concat([]byte{typeHanded}, step[:], bytes.Repeat([]byte{i}, len(data)-33))
				for _, p := range evil.room.posting() {
					a, ok := p.put(evil.room.group, laneOpen, control(lie))
					if !ok {
						t.Fatal("evil may not write")
					}
					w.put(a)
				}
				lies++
			}
			bob.reads()
			bob.restarts()
		}
		return false
	}
	w.pass(3 * time.Minute)
	if lies == 0 {
		t.Error("no lie")
	}
	if len(bob.room.keys.Lacking()) != 0 {
		t.Error("kept without keys by another member")
	}
}

// TestHandedInVariants: of one step some things wait, whoever puts more; what comes by the control lane is among them.
func TestHandedInVariants(t *testing.T) {
	var a aside
	one, other := [32]byte{1}, [32]byte{2}
	a.hand(other, []byte("other"), laneOpen)
	for i := range byte(2 * maxVariants) {
		a.hand(one, []byte{i}, laneOpen)
		a.hand(one, []byte{i}, laneOpen)
	}
	if len(a.handed) != maxVariants+1 {
		t.Errorf("%d wait", len(a.handed))
	}
	a.hand(one, []byte("right"), laneControl)
	if len(a.handed) != maxVariants+1 || string(a.handed[maxVariants].sealed) != "right" || string(a.handed[1].sealed) != "\x01" {
		t.Errorf("not the oldest made room: %q", a.handed)
	}
	a.drops(one, []byte{1})
	if string(a.handedOf(one)) != "\x02" || string(a.handedOf(other)) != "other" {
		t.Errorf("dropped others: %q", a.handed)
	}
}
