package keys

import (
	"encoding/binary"
	"maps"
	"slices"

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
	r := &cutter{rest: b}
	if r.number(1) != stateVersion {
		return ErrInvalid
	}

	for range r.count(2, maxHeads) {
		var id ID
		r.into(id[:])
		h := k.rekeys[id]
		if h == nil {
			return ErrInvalid
		}
		h.held, h.next = true, uint16(r.number(2))
		r.into(h.n[:])
		r.into(h.place[:])
		n := r.count(2, int(h.next))
		for g := int(h.next) - n; g < int(h.next); g++ {
			var m [kdf.Size]byte
			r.into(m[:])
			h.m[uint16(g)] = m
		}
	}

	for range r.count(2, 2*maxLists) { // two may have one digest
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
	for range r.count(2, maxGone) {
		var d Digest
		r.into(d[:])
		k.leave(d)
	}
	if r.bad || len(r.rest) > 0 {
		return ErrInvalid
	}
	return nil
}

// A cutter cuts a state into fields. It is bad once a field was too short or too large.
type cutter struct {
	rest []byte
	bad  bool
}

func (r *cutter) into(field []byte) {
	if r.bad = r.bad || len(r.rest) < len(field); !r.bad {
		copy(field, r.rest)
		r.rest = r.rest[len(field):]
	}
}

func (r *cutter) number(size int) uint64 {
	var b [8]byte
	r.into(b[8-size:])
	return binary.BigEndian.Uint64(b[:])
}

// count reads how many follow: none once the cutter is bad.
func (r *cutter) count(size, most int) int {
	n := r.number(size)
	if r.bad = r.bad || n > uint64(most); r.bad {
		return 0
	}
	return int(n)
}

func (r *cutter) tree() *tree {
	n := r.count(2, maxBody/34)
	if r.bad || len(r.rest) < 34*n {
		return nil
	}
	l, err := ParseList(r.rest[:34*n])
	if err != nil {
		return nil
	}
	r.rest = r.rest[34*n:]
	t := newTree(l, l.hash(), new([kdf.Size]byte))
	clear(t.nodes)
	for range r.count(4, maxNodes) {
		at := branch{r.number(8), int(r.number(1))}
		var node [kdf.Size]byte
		r.into(node[:])
		if r.bad || at.n > depth {
			return nil
		}
		t.nodes[at] = node
	}

	for range r.count(2, maxNodes) {
		var m Member
		var root [kdf.Size]byte
		r.into(m[:])
		r.into(root[:])
		if t.chains[m] = r.chain(); r.bad {
			return nil
		}
		t.roots[m] = root
	}
	for range r.count(2, maxNodes) {
		var of returned
		r.into(of.member[:])
		r.into(of.nonce[:])
		if t.again[of] = r.chain(); r.bad {
			return nil
		}
	}
	return t
}

func (r *cutter) chain() *chain {
	c := newChain([kdf.Size]byte{})
	r.into(c.key[:])
	c.next = uint32(r.number(4))
	for range r.count(2, MaxKept) {
		n := uint32(r.number(4))
		var key [kdf.Size]byte
		r.into(key[:])
		if r.bad {
			return c
		}
		c.kept[n] = key
	}
	return c
}
