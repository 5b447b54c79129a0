package keys

import (
	"encoding/binary"
	"maps"
	"slices"

	"starling/session/internal/kdf"
	"starling/session/internal/secret"
)

// Bounds of one sender's chain.
const (
	MaxSkip = 1000 // cells that may be missing between two
	MaxKept = 2000 // keys of missing cells that are kept, the newest
	depth   = 64   // bits of a member's id that lead to their leaf
)

// MessageKey is the key of one cell: CBC-HMAC key 64 ‖ IV 16.
type MessageKey [80]byte

// Nonce tells the chains of one person apart: zero at first, and another after each return.
type Nonce [16]byte

// A tree is the unused part of the keys of a list, and the chains of its senders.
type tree struct {
	secret.Hidden

	list   List
	full   [kdf.Size]byte // hash of the list
	nodes  [boughs]bough
	chains map[Member]*chain
	roots  map[Member][kdf.Size]byte // of the chains after a return, for whom a chain was begun
	again  map[returned]*chain
}

// A branch leads to a node: so many first bits of ids.
type branch struct {
	bits uint64
	n    int
}

// The boughs of a tree: one for each value of the first bits of ids, and the last for the nodes up to there. Each is a part of
// the state: as a leaf is taken out the others stay as they are.
const (
	boughBits = 4
	boughs    = 1<<boughBits + 1
)

type bough map[branch][kdf.Size]byte

// bough is the number of the bough of a node.
func (b branch) bough() int {
	if b.n <= boughBits {
		return boughs - 1
	}
	return int(b.bits >> (depth - boughBits))
}

// boughOf is the number of the bough of a member's leaf.
func boughOf(m Member) int { return int(m[0] >> (8 - boughBits)) }

// A returned sender has a chain for each nonce.
type returned struct {
	member Member
	nonce  Nonce
}

// A chain is one sender's keys under a list.
type chain struct {
	key  [kdf.Size]byte
	next uint32
	kept map[uint32][kdf.Size]byte
}

func newChain(key [kdf.Size]byte) *chain {
	return &chain{key: key, kept: map[uint32][kdf.Size]byte{}}
}

func newTree(list List, full [kdf.Size]byte, root *[kdf.Size]byte) *tree {
	t := &tree{list: list, full: full, chains: map[Member]*chain{}, roots: map[Member][kdf.Size]byte{}, again: map[returned]*chain{}}
	t.put(branch{}, *root)
	clear(root[:])
	return t
}

// put puts a node into its bough.
func (t *tree) put(at branch, node [kdf.Size]byte) {
	i := at.bough()
	if t.nodes[i] == nil {
		t.nodes[i] = bough{}
	}
	t.nodes[i][at] = node
}

// A leaf is a leaf on its way out of the tree.
type leaf struct {
	chain, root [kdf.Size]byte
	from        branch                    // the node above it that is left
	beside      map[branch][kdf.Size]byte // the nodes that take its place
}

// find makes a member's leaf, and changes nothing.
func (t *tree) find(m Member) (l leaf, ok bool) {
	path := binary.BigEndian.Uint64(m[:])
	at := branch{path, depth}
	for {
		if _, ok = t.nodes[at.bough()][at]; ok || at.n == 0 {
			break
		}
		at.n--
		at.bits = at.bits >> (depth - at.n) << (depth - at.n)
	}
	if !ok {
		return l, false
	}

	l.from, l.beside = at, map[branch][kdf.Size]byte{}
	node := t.nodes[at.bough()][at]
	for at.n < depth {
		var zero, one [kdf.Size]byte
		kdf.Derive(kdf.RoomNode, nil, node[:], zero[:], one[:])
		bit := uint64(1) << (depth - 1 - at.n)
		left, right := branch{at.bits, at.n + 1}, branch{at.bits | bit, at.n + 1}
		if path&bit == 0 {
			node, at, l.beside[right] = zero, left, one
		} else {
			node, at, l.beside[left] = one, right, zero
		}
	}
	kdf.Derive(kdf.RoomSender, m[:], node[:], l.chain[:])
	kdf.Derive(kdf.RoomReturn, m[:], node[:], l.root[:])
	return l, true
}

// take takes a leaf out of the tree, with all nodes above it.
func (t *tree) take(m Member, l leaf, used *chain) {
	delete(t.nodes[l.from.bough()], l.from)
	for at, node := range l.beside {
		t.put(at, node)
	}
	t.chains[m], t.roots[m] = used, l.root
}

// chain returns a sender's chain, and the change that keeps it: nothing has changed before
// that is called.
func (t *tree) chain(m Member, nonce Nonce) (c *chain, keep func(), ok bool) {
	began, root := t.chains[m], t.roots[m]
	begin := func() {}
	if began == nil {
		l, ok := t.find(m)
		if !ok {
			return nil, nil, false
		}
		began, root = newChain(l.chain), l.root
		begin = func() { t.take(m, l, began) }
	}
	if nonce == (Nonce{}) {
		return began, begin, true
	}

	key := returned{m, nonce}
	if c = t.again[key]; c == nil {
		var start [kdf.Size]byte
		kdf.Derive(kdf.RoomReturned, nonce[:], root[:], start[:])
		c = newChain(start)
	}
	return c, func() { begin(); t.again[key] = c }, true
}

// step is the key of the next cell, and the chain behind it.
func step(key [kdf.Size]byte) (message, next [kdf.Size]byte) {
	return kdf.Step(kdf.ChainMessage, &key), kdf.Step(kdf.ChainNext, &key)
}

func messageKey(of [kdf.Size]byte) (k MessageKey) {
	kdf.Derive(kdf.RoomMessage, nil, of[:], k[:])
	return k
}

// CellKeysAfter returns the keys of the first cells of somebody after a return, from the root of a list: for vectors.
func CellKeysAfter(root [kdf.Size]byte, m Member, nonce Nonce, n int) (all []MessageKey) {
	c, _, _ := newTree(nil, [kdf.Size]byte{}, &root).chain(m, nonce)
	for range n {
		message, next := step(c.key)
		all, c.key = append(all, messageKey(message)), next
	}
	return all
}

// Next returns the key of our next cell and where it stands. The caller stores these Keys before
// a cell leaves. It is refused while a head is lacking.
func (k *Keys) Next(self Member, nonce Nonce) (list Digest, number uint32, key MessageKey, err error) {
	l := k.List()
	if len(l) == 0 {
		return list, 0, key, ErrLacking
	}
	if err := k.Expect(l); err != nil {
		return list, 0, key, err
	}

	list = l.Digest()
	full := l.hash()
	for _, t := range k.lists[list] {
		if t.full != full {
			continue
		}
		c, keep, ok := t.chain(self, nonce)
		if !ok || c.next == 1<<32-1 {
			return list, 0, key, ErrUsed
		}
		keep()
		message, next := step(c.key)
		number, c.key = c.next, next
		c.next++
		return list, number, messageKey(message), nil
	}
	return list, 0, key, ErrUsed
}

// OpenCell finds the key of a cell and lets the caller try it. Only if the cell opens under it, the key is
// erased and the chain goes on: a forged cell changes nothing. A list that is unknown is ErrLacking;
// see Expect. A cell more than MaxSkip beyond the chain is ErrAhead, whoever made it.
func (k *Keys) OpenCell(list Digest, sender Member, nonce Nonce, number uint32, try func(MessageKey) bool) error {
	if len(k.lists[list]) == 0 {
		return ErrLacking
	}
	last := ErrInvalid
	for _, t := range k.lists[list] {
		switch err := t.open(sender, nonce, number, try); err {
		case ErrInvalid:
		case ErrAhead:
			last = err
		default:
			return err
		}
	}
	return last
}

func (t *tree) open(sender Member, nonce Nonce, number uint32, try func(MessageKey) bool) error {
	c, keep, ok := t.chain(sender, nonce)
	if !ok {
		return ErrUsed
	}
	err := c.open(number, try)
	if err == nil {
		keep()
	}
	return err
}

// Known returns the list that a digest names, if its keys are here. Of two with one digest it
// is the first.
func (k *Keys) Known(d Digest) (List, bool) {
	if len(k.lists[d]) == 0 {
		return nil, false
	}
	return k.lists[d][0].list, true
}

// Lists returns the digests of all lists with keys here, ascending.
func (k *Keys) Lists() []Digest {
	return slices.SortedFunc(maps.Keys(k.lists), func(a, b Digest) int { return slices.Compare(a[:], b[:]) })
}

// open tries the key of a number, and changes the chain only if it was right.
func (c *chain) open(number uint32, try func(MessageKey) bool) error {
	if number < c.next {
		message, here := c.kept[number]
		if !here {
			return ErrUsed
		}
		if !try(messageKey(message)) {
			return ErrInvalid
		}
		delete(c.kept, number)
		return nil
	}
	skip := number - c.next
	switch {
	case number == 1<<32-1:
		return ErrInvalid
	case skip > MaxSkip:
		return ErrAhead
	}

	key := c.key
	skipped := make([][kdf.Size]byte, 0, skip)
	var message [kdf.Size]byte
	for range skip {
		message, key = step(key)
		skipped = append(skipped, message)
	}
	message, key = step(key)
	if !try(messageKey(message)) {
		return ErrInvalid
	}
	for i, m := range skipped {
		c.kept[c.next+uint32(i)] = m
	}
	c.key, c.next = key, number+1
	if over := len(c.kept) - MaxKept; over > 0 {
		for _, n := range slices.Sorted(maps.Keys(c.kept))[:over] {
			delete(c.kept, n)
		}
	}
	return nil
}
