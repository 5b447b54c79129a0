package group

import (
	"bytes"
	"maps"
	"testing"
	"time"
)

func FuzzParseLink(f *testing.F) {
	w := newWorld(f)
	l, err := w.found().room.MakeLink(3, true, w.now.Add(time.Hour), w.now)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(l.Text)
	f.Add(LinkPrefix)
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := ParseLink(text); err != nil {
			return
		}
		i, err := parseInvite(text)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := parseInviteBytes(i.encode()); err != nil || !bytes.Equal(again.encode(), i.encode()) {
			t.Error("a link changes")
		}
	})
}

// FuzzParse gives one input to every decoder of what others choose.
func FuzzParse(f *testing.F) {
	w := newWorld(f)
	owner := w.found()
	f.Add(newCardOf(owner))
	f.Add((&Settings{Title: "title", History: true}).encode())
	f.Add(fragments(Ref{1}, [16]byte{2}, []Ref{{3}}, []byte("content"))[0].encode())
	f.Add(leafData(owner.room.key, owner.room.group, 7, owner.room.leaves.newest().key.Public()))
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, ok := parseCard(b); ok {
			var p pen
			if c.append(&p); !bytes.Equal(p.b, b) {
				t.Error("a card changes")
			}
		}
		if s, ok := parseSettings(b); ok && !bytes.Equal(s.encode(), b) {
			t.Error("settings change")
		}
		if body, ok := parseBody(b); ok && !bytes.Equal(body.encode(), b) {
			t.Error("a body changes")
		}
		parseLeaf(owner.room.group, b, owner.room.set.Key)
		parseInviteBytes(b)
		items(b)
		new(stream).take(b)
		openCard(owner.room.group, [32]byte{}, [32]byte{}, b)
		if len(b) == innerSize {
			in := inner(b)
			if m, ok := parseMessage(&in); ok && *m.inner() != in {
				t.Error("a message changes")
			}
			in.controlData()
		}
	})
}

func newCardOf(p *person) []byte {
	var b pen
	p.room.places.all[0].card.append(&b)
	return b.b
}

// FuzzOpen damages stored states: they are refused or opened, and never more.
func FuzzOpen(f *testing.F) {
	w := newWorld(f)
	owner := w.found()
	bob := w.joins(owner, "bob")
	owner.must(owner.says("hello"))
	w.settle()
	for _, p := range []*person{owner, bob} {
		for name, b := range p.state {
			f.Add(name, b)
		}
	}
	f.Fuzz(func(t *testing.T, name string, b []byte) {
		for _, p := range []*person{owner, bob} {
			state := maps.Clone(p.state)
			state[name] = b
			if r, err := Open(state, p.rows); err == nil {
				r.Due(w.now)
				r.Expire(w.now)
				r.State()
			}
		}
		if j, err := OpenJoining(map[string][]byte{partFirst: b}); err == nil {
			j.Logs()
		}
	})
}

// FuzzOpenRows damages stored rows.
func FuzzOpenRows(f *testing.F) {
	w := newWorld(f)
	owner := w.found()
	w.joins(owner, "bob")
	for _, row := range owner.rows {
		f.Add(row)
	}
	f.Fuzz(func(t *testing.T, row []byte) {
		for i := range owner.rows {
			rows := append([][]byte{}, owner.rows...)
			rows[i] = row
			Open(owner.state, rows)
		}
		if r, err := openRows(owner.room.key, [][]byte{owner.rows[0], row}); err == nil {
			r.openStatement(row, 0)
		}
	})
}

// FuzzControl gives control data to a room.
func FuzzControl(f *testing.F) {
	w := newWorld(f)
	owner := w.found()
	bob := w.joins(owner, "bob")
	for _, row := range owner.rows {
		f.Add(append([]byte{row[0] + 1}, row[9:]...))
	}
	state, rows := bob.state, bob.rows
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) == 0 || len(data) > controlSize {
			return
		}
		r, err := Open(state, rows)
		if err != nil {
			t.Fatal(err)
		}
		before := r.whole()
		if r.control(data, laneOpen, w.now) != nil && !sameState(r.whole(), before) {
			t.Error("refused, and something has changed")
		}
	})
}
