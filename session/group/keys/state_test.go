package keys

import (
	"bytes"
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
	if err := n.Restore(k.State()); err != nil {
		t.Fatal(err)
	}
	return n
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
		state := one.keys.State()
		one.keys = again(t, one.keys)
		if !bytes.Equal(state, one.keys.State()) {
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
	f.Add(k.State())
	f.Fuzz(func(t *testing.T, b []byte) {
		n := New(group)
		for _, h := range k.rekeys {
			n.Take(h.Rekey)
		}
		if n.Restore(b) == nil {
			n.State()
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
