package keys

import (
	"bytes"
	"maps"
	"testing"
)

// again opens the state of somebody's keys beside the same rekeys.
func again(t testing.TB, k *Keys) *Keys {
	n := New(group)
	for len(n.rekeys) < len(k.rekeys) {
		for _, h := range k.rekeys {
			n.Take(h.Rekey)
		}
	}
	for id, h := range k.rekeys {
		n.rekeys[id].stated = h.stated
	}
	if err := n.Restore(state(k)); err != nil {
		t.Fatal(err)
	}
	return n
}

// state is all parts of somebody's keys.
func state(k *Keys) map[string][]byte {
	all := map[string][]byte{}
	k.Parts(func(name string, _ uint64, add func([]byte) []byte) { all[name] = add(nil) })
	return all
}

// TestState: keys opened from their state are the same, used ones stay used, and skipped ones open.
func TestState(t *testing.T) {
	r := newRoom(t, 3)
	r.rekey(0, 0, 1, 2)
	one := r.people[1]
	from := r.people[0].id
	var lists []Digest
	var cells []MessageKey
	for range 4 {
		list, _, key, err := r.people[0].keys.Next(from, Nonce{})
		if err != nil {
			t.Fatal(err)
		}
		lists, cells = append(lists, list), append(cells, key)
	}
	opens := func(n uint32) error {
		return one.keys.OpenCell(lists[n], from, Nonce{}, n, func(k MessageKey) bool { return k == cells[n] })
	}
	if err := opens(2); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		before := state(one.keys)
		one.keys = again(t, one.keys)
		if !maps.EqualFunc(before, state(one.keys), bytes.Equal) {
			t.Error("another state")
		}
	}
	if opens(2) != ErrUsed || opens(0) != nil || opens(3) != nil || opens(1) != nil || opens(1) != ErrUsed {
		t.Error("other keys")
	}
	r.rekey(1, 0, 1, 2)
	r.hears(1, 0, 2)
	if one.keys.Restore(nil) == nil {
		t.Error("nothing is a state")
	}
}

// TestParts: a part is another one only with another revision. Most of a tree stays as it is when a cell is opened.
func TestParts(t *testing.T) {
	const people = 12
	all := make([]int, people)
	for i := range all {
		all[i] = i
	}
	r := newRoom(t, people)
	one := r.people[0].keys
	type seen struct {
		revision uint64
		bytes    string
	}
	before := map[string]seen{}
	changed := func() (n int) {
		t.Helper()
		now := map[string]seen{}
		one.Parts(func(name string, revision uint64, add func([]byte) []byte) {
			s := seen{revision, string(add(nil))}
			had, known := before[name]
			if known && revision != 0 && had.revision == revision && had.bytes != s.bytes {
				t.Errorf("part %x: other bytes of the same revision", name)
			}
			if had.bytes != s.bytes {
				n++
			}
			now[name] = s
		})
		before = now
		return n
	}

	for round := range 3 {
		r.rekey(round, all...)
		changed()
		for _, by := range all {
			r.speaks(by)
			if n := changed(); n > 3 {
				t.Errorf("round %d: the first cell of %d changes %d parts", round, by, n)
			}
		}
		for _, by := range all {
			r.speaks(by)
			if n := changed(); n != 1 {
				t.Errorf("round %d: a cell of %d changes %d parts", round, by, n)
			}
		}

		// Cells come in another order, and under another nonce.
		p := r.people[1]
		for _, nonce := range []Nonce{{}, {byte(round), 1}} {
			var cells []MessageKey
			var list Digest
			var first uint32
			for i := range 4 {
				l, n, key, err := p.keys.Next(p.id, nonce)
				if err != nil {
					t.Fatal(err)
				}
				if list = l; i == 0 {
					first = n
				}
				cells = append(cells, key)
			}
			for _, i := range []int{3, 0, 2, 1} {
				if err := one.OpenCell(list, p.id, nonce, first+uint32(i), func(k MessageKey) bool { return k == cells[i] }); err != nil {
					t.Fatal(err)
				}
				if n := changed(); n != 1 {
					t.Errorf("cell %d changes %d parts", i, n)
				}
			}
		}
	}

	one.ForgetList(one.order[0])
	gone := len(before)
	if changed(); len(before) >= gone {
		t.Errorf("%d parts, and %d without a list", gone, len(before))
	}
}

// TestReturn: after a return the chain is another one, and nobody mixes it with the one before.
func TestReturn(t *testing.T) {
	r := newRoom(t, 2)
	r.rekey(0, 0, 1)
	zero, one := r.people[0], r.people[1]
	list, n, plain, err := zero.keys.Next(zero.id, Nonce{})
	if err != nil {
		t.Fatal(err)
	}
	nonce := Nonce{1}
	_, m, after, err := zero.keys.Next(zero.id, nonce)
	if err != nil || m != 0 || n != 0 || after == plain {
		t.Fatal(m, n, err)
	}
	tries := func(nonce Nonce, key MessageKey) error {
		return one.keys.OpenCell(list, zero.id, nonce, 0, func(k MessageKey) bool { return k == key })
	}
	if tries(Nonce{2}, after) != ErrInvalid || tries(Nonce{}, after) != ErrInvalid || tries(nonce, plain) != ErrInvalid {
		t.Error("a key of another chain")
	}
	one.keys = again(t, one.keys)
	if tries(nonce, after) != nil || tries(nonce, after) != ErrUsed || tries(Nonce{}, plain) != nil {
		t.Error("the chains do not open")
	}
}

func FuzzRestore(f *testing.F) {
	r := newRoom(&testing.T{}, 2)
	r.rekey(0, 0, 1)
	r.hears(0, 1)
	k := r.people[1].keys
	whole := state(k)
	for name, b := range whole {
		f.Add(name, b)
	}
	f.Fuzz(func(t *testing.T, name string, b []byte) {
		n := New(group)
		for _, h := range k.rekeys {
			n.Take(h.Rekey)
		}
		parts := maps.Clone(whole)
		parts[name] = b
		if n.Restore(parts) == nil {
			state(n)
		}
	})
}

// TestGenerationsWithoutEnd: an admin states the last generation of rekey after rekey. The keys are bounded, can be read back, and
// the present ones are there.
func TestGenerationsWithoutEnd(t *testing.T) {
	r := newRoom(t, 2)
	one := r.people[1]
	for range 3 {
		r.rekey(0, 0, 1)
		for _, p := range r.people {
			h := p.keys.rekeys[p.keys.Heads()[0]]
			h.stated = MaxGeneration
			p.keys.advance(h, h.stated)
		}
	}
	if n := len(one.keys.lists); n > maxLists || n != len(one.keys.order) {
		t.Errorf("%d lists, %d in order", n, len(one.keys.order))
	}
	if n := len(one.keys.gone); n > maxGone || n != len(one.keys.left) {
		t.Errorf("%d are gone, %d in order", n, len(one.keys.left))
	}
	list, number, key, err := r.people[0].keys.Next(r.people[0].id, Nonce{})
	if err != nil {
		t.Fatal(err)
	}
	one.keys = again(t, one.keys)
	if err := one.keys.OpenCell(list, r.people[0].id, Nonce{}, number, func(k MessageKey) bool { return k == key }); err != nil {
		t.Errorf("the present list: %v", err)
	}
}
