package keys

import (
	"encoding/binary"
	"maps"
	"slices"

	"starling/session/internal/fields"
	"starling/session/internal/kdf"
)

// The bounds of a stored state, so that a damaged one asks for no memory.
const (
	maxHeads = 1 << 12
	maxLists = 1 << 12 // and as many are kept
	maxNodes = 1 << 16
	maxGone  = 1 << 13
)

const stateVersion = 1

// State returns the secrets. The public parts, rekeys and steps, are the caller's to keep.
func (k *Keys) State() []byte {
	b := []byte{stateVersion}
	var held []ID
	for id, h := range k.rekeys {
		if h.held {
			held = append(held, id)
		}
	}
	slices.SortFunc(held, compare)

	b = binary.BigEndian.AppendUint16(b, uint16(len(held)))
	for _, id := range held {
		h := k.rekeys[id]
		b = append(b, id[:]...)
		b = binary.BigEndian.AppendUint16(b, h.next)
		b = append(b, h.n[:]...)
		b = append(b, h.place[:]...)
		b = binary.BigEndian.AppendUint16(b, uint16(len(h.m)))
		for g := h.next - uint16(len(h.m)); g < h.next; g++ {
			m := h.m[g]
			b = append(b, m[:]...)
		}
	}

	var trees []*tree
	for _, d := range k.order {
		trees = append(trees, k.lists[d]...)
	}
	b = binary.BigEndian.AppendUint16(b, uint16(len(trees)))
	for _, t := range trees {
		b = t.append(b)
	}

	b = binary.BigEndian.AppendUint16(b, uint16(len(k.left)))
	for _, d := range k.left {
		b = append(b, d[:]...)
	}
	return b
}

// append appends a tree: list, nodes, chains, chains after a return, and their roots.
func (t *tree) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(t.list)))
	b = t.list.Append(b)
	b = binary.BigEndian.AppendUint32(b, uint32(len(t.nodes)))
	for _, at := range slices.SortedFunc(maps.Keys(t.nodes), func(a, b branch) int {
		if a.bits != b.bits {
			return 2*boolInt(a.bits > b.bits) - 1
		}
		return a.n - b.n
	}) {
		node := t.nodes[at]
		b = binary.BigEndian.AppendUint64(b, at.bits)
		b = append(append(b, byte(at.n)), node[:]...)
	}

	b = binary.BigEndian.AppendUint16(b, uint16(len(t.chains)))
	for _, m := range slices.SortedFunc(maps.Keys(t.chains), compare) {
		root := t.roots[m]
		b = append(append(b, m[:]...), root[:]...)
		b = t.chains[m].append(b)
	}
	b = binary.BigEndian.AppendUint16(b, uint16(len(t.again)))
	for _, r := range slices.SortedFunc(maps.Keys(t.again), func(a, b returned) int {
		if c := compare(a.member, b.member); c != 0 {
			return c
		}
		return slices.Compare(a.nonce[:], b.nonce[:])
	}) {
		b = append(append(b, r.member[:]...), r.nonce[:]...)
		b = t.again[r].append(b)
	}
	return b
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (c *chain) append(b []byte) []byte {
	b = append(b, c.key[:]...)
	b = binary.BigEndian.AppendUint32(b, c.next)
	b = binary.BigEndian.AppendUint16(b, uint16(len(c.kept)))
	for _, n := range slices.Sorted(maps.Keys(c.kept)) {
		key := c.kept[n]
		b = append(binary.BigEndian.AppendUint32(b, n), key[:]...)
	}
	return b
}

// Restore takes a State back, into keys that know the same rekeys and have no secrets yet.
func (k *Keys) Restore(b []byte) error {
	r := &reader{fields.Reader{Rest: b}}
	if r.Number(1) != stateVersion {
		return ErrInvalid
	}

	for range r.Count(2, maxHeads) {
		var id ID
		r.Into(id[:])
		h := k.rekeys[id]
		if h == nil {
			return ErrInvalid
		}
		h.held, h.next = true, uint16(r.Number(2))
		r.Into(h.n[:])
		r.Into(h.place[:])
		n := r.Count(2, int(h.next))
		for g := int(h.next) - n; g < int(h.next); g++ {
			var m [kdf.Size]byte
			r.Into(m[:])
			h.m[uint16(g)] = m
		}
	}

	for range r.Count(2, 2*maxLists) { // two may have one digest
		t := r.tree()
		if t == nil {
			return ErrInvalid
		}
		d := t.list.Digest()
		if len(k.lists[d]) == 0 {
			k.order = append(k.order, d)
		}
		k.lists[d] = append(k.lists[d], t)
	}
	for range r.Count(2, maxGone) {
		var d Digest
		r.Into(d[:])
		k.leave(d)
	}
	if !r.Done() {
		return ErrInvalid
	}
	return nil
}

// A reader reads the fields of a state.
type reader struct{ fields.Reader }

func (r *reader) tree() *tree {
	n := r.Count(2, maxBody/34)
	if r.Bad || len(r.Rest) < 34*n {
		return nil
	}
	l, err := ParseList(r.Rest[:34*n])
	if err != nil {
		return nil
	}
	r.Rest = r.Rest[34*n:]
	t := newTree(l, l.hash(), new([kdf.Size]byte))
	clear(t.nodes)
	for range r.Count(4, maxNodes) {
		at := branch{r.Number(8), int(r.Number(1))}
		var node [kdf.Size]byte
		r.Into(node[:])
		if r.Bad || at.n > depth {
			return nil
		}
		t.nodes[at] = node
	}

	for range r.Count(2, maxNodes) {
		var m Member
		var root [kdf.Size]byte
		r.Into(m[:])
		r.Into(root[:])
		if t.chains[m] = r.chain(); r.Bad {
			return nil
		}
		t.roots[m] = root
	}
	for range r.Count(2, maxNodes) {
		var of returned
		r.Into(of.member[:])
		r.Into(of.nonce[:])
		if t.again[of] = r.chain(); r.Bad {
			return nil
		}
	}
	return t
}

func (r *reader) chain() *chain {
	c := newChain([kdf.Size]byte{})
	r.Into(c.key[:])
	c.next = uint32(r.Number(4))
	for range r.Count(2, MaxKept) {
		n := uint32(r.Number(4))
		var key [kdf.Size]byte
		r.Into(key[:])
		if r.Bad {
			return c
		}
		c.kept[n] = key
	}
	return c
}
