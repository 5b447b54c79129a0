package keys

import (
	"cmp"
	"encoding/binary"
	"maps"
	"slices"
	"strings"

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

const stateVersion = 2

// PartPrefix begins the names of the parts of a state. Behind it a part of a tree has the hash of the list, and the number of a bough
// or the id of a sender; that of the rest has nothing.
const PartPrefix = "k"

// Parts hands out the secrets in parts, each of which changes by itself. The public ones, rekeys and steps, are the caller's to keep. As long as the revision of a part
// is the same its bytes are; for revision 0 the bytes are to be compared.
func (k *Keys) Parts(put func(name string, revision uint64, add func([]byte) []byte)) {
	put(PartPrefix, 0, k.append)
	for _, d := range k.order {
		for _, t := range k.lists[d] {
			t.parts(put)
		}
	}
}

// append appends what is of no tree.
func (k *Keys) append(b []byte) []byte {
	b = append(b, stateVersion)
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
		b = binary.BigEndian.AppendUint16(b, uint16(len(t.list)))
		b = t.list.Append(b)
	}

	b = binary.BigEndian.AppendUint16(b, uint16(len(k.left)))
	for _, d := range k.left {
		b = append(b, d[:]...)
	}
	return b
}

// parts hands out the boughs that have nodes, and the chains of each sender. A bough changes as a leaf is taken out of it, a chain
// by a cell: either there are more of its cells then, or fewer keys are kept.
func (t *tree) parts(put func(name string, revision uint64, add func([]byte) []byte)) {
	of := PartPrefix + string(t.full[:])
	var taken [boughs]uint64
	for m := range t.chains {
		taken[boughOf(m)]++
	}
	taken[boughs-1] = uint64(len(t.chains))
	for i, nodes := range t.nodes {
		if len(nodes) > 0 {
			put(of+string([]byte{byte(i)}), 1+taken[i], nodes.append)
		}
	}

	began := make(map[Member]uint64, len(t.chains))
	for m, c := range t.chains {
		began[m] = c.revision()
	}
	for r, c := range t.again {
		began[r.member] += c.revision()
	}
	for m, revision := range began {
		put(of+string(m[:]), 1+revision, func(b []byte) []byte { return t.appendChains(b, m) })
	}
}

// append appends the nodes of a bough.
func (n bough) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(n)))
	for _, at := range slices.SortedFunc(maps.Keys(n), func(a, b branch) int {
		return cmp.Or(cmp.Compare(a.bits, b.bits), cmp.Compare(a.n, b.n))
	}) {
		node := n[at]
		b = binary.BigEndian.AppendUint64(b, at.bits)
		b = append(append(b, byte(at.n)), node[:]...)
	}
	return b
}

// appendChains appends the chains of a sender, and the root of those after a return.
func (t *tree) appendChains(b []byte, m Member) []byte {
	root := t.roots[m]
	b = t.chains[m].append(append(b, root[:]...))
	var all []Nonce
	for r := range t.again {
		if r.member == m {
			all = append(all, r.nonce)
		}
	}
	slices.SortFunc(all, func(a, b Nonce) int { return slices.Compare(a[:], b[:]) })
	b = binary.BigEndian.AppendUint16(b, uint16(len(all)))
	for _, nonce := range all {
		b = t.again[returned{m, nonce}].append(append(b, nonce[:]...))
	}
	return b
}

// revision is another number after each cell.
func (c *chain) revision() uint64 { return uint64(c.next)<<20 + uint64(MaxKept-len(c.kept)) }

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

// Restore takes the parts back, into keys that know the same rekeys and have no secrets yet. Parts of other names are not looked at.
func (k *Keys) Restore(parts map[string][]byte) error {
	r := &reader{fields.Reader{Rest: parts[PartPrefix]}}
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

	trees := map[[kdf.Size]byte]*tree{}
	for range r.Count(2, 2*maxLists) { // two may have one digest
		t := r.tree()
		if t == nil || trees[t.full] != nil {
			return ErrInvalid
		}
		trees[t.full] = t
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
	return restoreTrees(trees, parts)
}

// restoreTrees takes the parts of trees.
func restoreTrees(trees map[[kdf.Size]byte]*tree, parts map[string][]byte) error {
	for name, b := range parts {
		name, is := strings.CutPrefix(name, PartPrefix)
		if !is || name == "" {
			continue
		}
		if len(name) < kdf.Size {
			return ErrInvalid
		}
		t, of := trees[[kdf.Size]byte([]byte(name[:kdf.Size]))], name[kdf.Size:]
		if t == nil {
			return ErrInvalid
		}

		r := &reader{fields.Reader{Rest: b}}
		switch len(of) {
		case 1:
			r.bough(t, int(of[0]))
		case len(Member{}):
			r.chains(t, Member([]byte(of)))
		default:
			return ErrInvalid
		}
		if !r.Done() {
			return ErrInvalid
		}
	}
	return nil
}

// A reader reads the fields of a state.
type reader struct{ fields.Reader }

// tree reads the list of a tree that has nothing yet.
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
	t.nodes = [boughs]bough{}
	return t
}

func (r *reader) bough(t *tree, number int) {
	for range r.Count(4, maxNodes) {
		at := branch{r.Number(8), int(r.Number(1))}
		var node [kdf.Size]byte
		r.Into(node[:])
		if r.Bad = r.Bad || at.n > depth || at.bough() != number; r.Bad {
			return
		}
		t.put(at, node)
	}
}

func (r *reader) chains(t *tree, m Member) {
	var root [kdf.Size]byte
	r.Into(root[:])
	t.roots[m], t.chains[m] = root, r.chain()
	for range r.Count(2, maxNodes) {
		of := returned{member: m}
		r.Into(of.nonce[:])
		if t.again[of] = r.chain(); r.Bad {
			return
		}
	}
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
