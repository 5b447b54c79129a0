// Package keys gives a room its keys: to its readers, from their add to their removal. It is new as composed and has had no outside review, so it
// knows nothing of the rest: no roles, no network, no clock. A symbolic model in its tests
// tells for each key the people that may know it, alone and together, and the package is
// driven through the same histories.
//
// # Rekeys
//
// A rekey is a fresh random seed, sealed to the leaf of each remaining member: an X-Wing
// key of theirs. The owner and admins make them, after a removal at once. The heads are
// the rekeys that count and are in the past of no other that counts; no limit leaves one out.
// From a seed come the confirmation in the rekey, the place of the room's logs, and a chain
// of generations:
//
//	confirm = HKDF(seed, Confirm ‖ id)   place = HKDF(seed, Place ‖ id)
//	μ0      = HKDF(seed, Chain ‖ id)
//	μg gives e, for a room with this head alone, m, for one with others beside it,
//	and n = μ(g+1)
//
// A newcomer is handed n and place of every head by a step, and everybody goes one
// generation on: a step opens nothing from before. Two newcomers at once may get the same generation.
// A room's key is made of all heads and their generations, the list:
//
//	K = HKDF(e, list) with one head     K = HKDF(m1 ‖ m2 …, list) with several
//
// Somebody left out of one head cannot compute K, in any order of removals. Two people, each
// left out of another head, can do it together, until a rekey names both heads: that
// one is due at once, see [Keys.MergeDue].
//
// # Senders
//
// K is the root of a tree with a leaf for each possible member. The leaf is the start of a
// sender's chain, with a key for each cell. Leaves are taken out of the tree as they are
// used, so that the rest of it tells nothing about them.
//
// # Erasure
//
// Seeds, μ, e and K are erased as soon as their products are made, chain and message keys as
// they are used. The products m, n and place stay while their rekey is a head, and then until the caller
// says [Keys.Forget], 48 hours later; the unused part of a tree until [Keys.ForgetList], 14
// days later. While there are several heads, used chains can be computed from m.
//
// # Use
//
// The caller decides whether a rekey or step counts (package members) and takes those that do.
// The body of a statement there is a [Rekey] or [Step] here; seeds travel beside it. Before
// sending it takes all that it has read: nobody sends under heads that lack a removal they
// know of. People that are [Keys.Lacking] a head ask, and are answered with a step.
package keys

import (
	"crypto/rand"
	"errors"
	"slices"

	"starling/session/internal/kdf"
	"starling/session/internal/secret"
)

// ID names a rekey.
type ID [32]byte

// Member names a person, as package members does.
type Member [16]byte

// MaxGeneration is the last generation of a rekey: with it comes another rekey.
const MaxGeneration = 4096

// Errors of Keys.
var (
	ErrInvalid = errors.New("invalid keys")
	// ErrWaiting: a rekey names others that are not here; take these first.
	ErrWaiting = errors.New("a rekey before this one is missing")
	// ErrLacking: a secret of a head is not here.
	ErrLacking = errors.New("the keys of a head are missing")
	// ErrAhead: too many cells are missing before it.
	ErrAhead = errors.New("too many cells are missing before it")
	// ErrUsed: a key was used, or erased.
	ErrUsed = errors.New("the key was used before")
	// ErrFull: more than one rekey or step can name; see there.
	ErrFull = errors.New("too many for one statement")
)

// Keys are one person's keys of one room.
type Keys struct {
	secret.Hidden

	group  [32]byte
	rekeys map[ID]*head
	lists  map[Digest][]*tree
	order  []Digest        // of the lists, the oldest first
	gone   map[Digest]bool // forgotten lists, which are not made again
	left   []Digest        // the same, the oldest first
}

// A head is a rekey, and while it is one or not long after, its secrets.
type head struct {
	*Rekey
	id     ID
	void   bool
	stated uint16 // the greatest generation that a step stated

	held  bool // the secrets are here
	next  uint16
	n     [kdf.Size]byte // mu of the generation next
	place [kdf.Size]byte
	m     map[uint16][kdf.Size]byte
}

// New makes the keys of somebody without any yet.
func New(group [32]byte) *Keys {
	return &Keys{group: group, rekeys: map[ID]*head{}, lists: map[Digest][]*tree{}, gone: map[Digest]bool{}}
}

// Take takes the public part of a rekey that counts. Secrets come by Open and OpenStep.
func (k *Keys) Take(r *Rekey) error {
	id := r.ID(k.group)
	if k.rekeys[id] != nil {
		return nil
	}
	for _, named := range r.names() {
		if k.rekeys[named] == nil {
			return ErrWaiting
		}
	}
	k.rekeys[id] = &head{Rekey: r, id: id, m: map[uint16][kdf.Size]byte{}}
	return nil
}

// SetVoid says that a rekey does not count, or does again: roles of its author decide.
func (k *Keys) SetVoid(id ID, void bool) {
	if h := k.rekeys[id]; h != nil {
		h.void = void
	}
}

// Heads returns the rekeys that count and are in the past of no other that counts, ascending.
func (k *Keys) Heads() []ID {
	covered := k.before(func(h *head) bool { return !h.void })
	var ids []ID
	for id, h := range k.rekeys {
		if !h.void && !covered[id] {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, compare)
	return ids
}

// Lacking returns the heads without secrets here: the caller asks for them.
func (k *Keys) Lacking() []ID {
	return slices.DeleteFunc(k.Heads(), func(id ID) bool { return k.rekeys[id].held })
}

// MergeDue reports whether there are heads that were sealed to different people. Admins
// rekey at once then: together the people left out may read until they have.
func (k *Keys) MergeDue() bool {
	heads := k.Heads()
	return slices.ContainsFunc(heads, func(id ID) bool { return !k.rekeys[id].sameMembers(k.rekeys[heads[0]].Rekey) })
}

// List returns the heads with their generations: under these the next cell is sealed.
func (k *Keys) List() List {
	var l List
	for _, id := range k.Heads() {
		l = append(l, Head{id, k.rekeys[id].stated})
	}
	return l
}

// Stated returns the greatest generation of a rekey that a step has stated.
func (k *Keys) Stated(id ID) uint16 {
	if h := k.rekeys[id]; h != nil {
		return h.stated
	}
	return 0
}

// Place returns the secret of a head that locates the room's logs.
func (k *Keys) Place(id ID) ([kdf.Size]byte, error) {
	h := k.rekeys[id]
	if h == nil || !h.held {
		return [kdf.Size]byte{}, ErrLacking
	}
	return h.place, nil
}

// Held reports whether secrets of a rekey are here.
func (k *Keys) Held(id ID) bool {
	h := k.rekeys[id]
	return h != nil && h.held
}

// Whole reports whether the secrets of a rekey are here from its first generation on: a step hands over later ones.
func (k *Keys) Whole(id ID) bool {
	h := k.rekeys[id]
	return h != nil && h.held && int(h.next) == len(h.m)
}

// Rekey makes a rekey of all heads for these people, the author among them, and takes it.
// The context is the statement's that will carry it. With more heads than one names it names
// as many as fit, and the next rekey the others.
func (k *Keys) Rekey(author Member, context [32]byte, to []Recipient) (*Rekey, []Sealed, error) {
	if len(to) > MaxRecipients {
		return nil, nil, ErrFull
	}
	r := &Rekey{Author: author, Context: context, Previous: k.last(author), Heads: k.Heads()}
	r.Heads = r.Heads[:min(len(r.Heads), (maxNamed-len(to)*len(Member{}))/len(ID{}))]
	to = slices.Clone(to)
	slices.SortFunc(to, func(a, b Recipient) int { return slices.Compare(a.Member[:], b.Member[:]) })
	for _, one := range to {
		r.Members = append(r.Members, one.Member)
	}
	if !r.sound() || r.LeavesOut(author) {
		return nil, nil, ErrInvalid
	}

	id := r.ID(k.group)
	var seed [kdf.Size]byte
	rand.Read(seed[:])
	r.Confirm = derive(kdf.RoomConfirm, seed, id)
	var sealed []Sealed
	for i, one := range to {
		s, err := seal(one, i, infoOf(kdf.RoomSeed, k.group, id, one), append(seed[:len(seed):len(seed)], one.Lane[:]...))
		if err != nil {
			return nil, nil, err
		}
		sealed = append(sealed, s)
	}
	if err := k.Take(r); err != nil {
		return nil, nil, err
	}
	return r, sealed, k.seed(id, &seed)
}

// last is the author's newest rekey: one in the past of no other of theirs.
func (k *Keys) last(author Member) (newest ID) {
	covered := k.before(func(h *head) bool { return h.Author == author })
	for id, h := range k.rekeys {
		if h.Author == author && !covered[id] && (newest == ID{} || compare(id, newest) < 0) {
			newest = id
		}
	}
	return newest
}

// Since returns the rekeys that are neither among these nor in their past.
func (k *Keys) Since(known []ID) (ids []ID) {
	past := k.before(func(h *head) bool { return slices.Contains(known, h.id) })
	for id := range k.rekeys {
		if !past[id] && !slices.Contains(known, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// before returns the rekeys in the past of any that is asked for. It walks through the
// others, too.
func (k *Keys) before(any func(h *head) bool) map[ID]bool {
	covered := map[ID]bool{}
	var next []ID
	for _, h := range k.rekeys {
		if any(h) {
			next = append(next, h.names()...)
		}
	}
	for len(next) > 0 {
		id := next[len(next)-1]
		next = next[:len(next)-1]
		if !covered[id] {
			covered[id] = true
			next = append(next, k.rekeys[id].names()...)
		}
	}
	return covered
}

// Open takes the seed of a rekey, sealed to a leaf of ours, and returns the secret of our
// lane. A seed that the rekey does not confirm is refused: its author gave different people different ones.
func (k *Keys) Open(id ID, self Member, leaf LeafKey, sealed Sealed) (lane [kdf.Size]byte, err error) {
	h := k.rekeys[id]
	if h == nil {
		return lane, ErrWaiting
	}
	one := Recipient{Member: self, Leaf: leaf.Public()}
	plain, err := leaf.open(infoOf(kdf.RoomSeed, k.group, id, one), sealed)
	if err != nil || len(plain) != 2*kdf.Size {
		return lane, ErrInvalid
	}
	seed := [kdf.Size]byte(plain[:kdf.Size])
	copy(lane[:], plain[kdf.Size:])
	clear(plain)
	return lane, k.seed(id, &seed)
}

// seed takes the secret of a rekey and erases it.
func (k *Keys) seed(id ID, seed *[kdf.Size]byte) error {
	defer clear(seed[:])
	h := k.rekeys[id]
	if confirm := derive(kdf.RoomConfirm, *seed, id); !equal(confirm[:], h.Confirm[:]) {
		return ErrInvalid
	}
	if h.held && h.next-uint16(len(h.m)) == 0 {
		return nil
	}
	h.place = derive(kdf.RoomPlace, *seed, id)
	mu := derive(kdf.RoomChain, *seed, id)
	k.begin(h, 0, &mu)
	return nil
}

// begin takes mu of a generation, the lowest that is here from now on.
func (k *Keys) begin(h *head, generation uint16, mu *[kdf.Size]byte) {
	h.held, h.next, h.n = true, generation, *mu
	clear(mu[:])
	k.advance(h, max(h.stated, generation))
}

// advance goes on to a generation. The key of each on the way is made, for others send under it.
func (k *Keys) advance(h *head, to uint16) {
	for h.held && h.next <= to {
		var e, m, n [kdf.Size]byte
		kdf.Derive(kdf.RoomGeneration, nil, h.n[:], e[:], m[:], n[:])
		alone := List{{h.id, h.next}}
		k.plant(alone, e[:])
		clear(e[:])
		h.m[h.next] = m
		h.n = n
		h.next++
	}
}

// plant makes the tree of a list out of its secrets, unless it was made before.
func (k *Keys) plant(l List, secrets []byte) {
	digest, full := l.Digest(), l.hash()
	if k.gone[digest] || slices.ContainsFunc(k.lists[digest], func(t *tree) bool { return t.full == full }) {
		return
	}
	var root [kdf.Size]byte
	kdf.Derive(kdf.RoomRoot, full[:], secrets, root[:])
	k.keep(digest, newTree(slices.Clone(l), full, &root))
}

// keep adds a tree. An admin may state thousands of generations at once; so of too many lists the oldest goes, that is not
// the present one.
func (k *Keys) keep(d Digest, t *tree) {
	if len(k.lists[d]) == 0 {
		k.order = append(k.order, d)
	}
	k.lists[d] = append(k.lists[d], t)
	if len(k.order) <= maxLists {
		return
	}
	now := k.List().Digest()
	for _, old := range k.order {
		if old != now {
			k.ForgetList(old)
			return
		}
	}
}

// Expect makes ready for cells under a list, of whichever part of the entries: others
// may not know all that we do. It is done by itself for every head alone. Keys of the generations up to those of the list
// are made, so the caller sees to it that they are [Keys.Stated].
func (k *Keys) Expect(l List) error {
	if !l.sound() {
		return ErrInvalid
	}

	var secrets []byte
	for _, one := range l {
		h := k.rekeys[one.Rekey]
		if h == nil {
			return ErrWaiting
		}
		// Others may know of a step that we do not.
		k.advance(h, one.Generation)
		m, here := h.m[one.Generation]
		if !here {
			clear(secrets)
			return ErrLacking
		}
		secrets = append(secrets, m[:]...)
	}
	if len(l) > 1 {
		k.plant(l, secrets)
	}
	clear(secrets)
	return nil
}

// Forget erases the secrets of a rekey that is no head.
func (k *Keys) Forget(id ID) {
	if h := k.rekeys[id]; h != nil && !slices.Contains(k.Heads(), id) {
		clear(h.n[:])
		clear(h.place[:])
		h.held, h.m = false, map[uint16][kdf.Size]byte{}
	}
}

// Retired returns the rekeys that are no heads and have secrets here, ascending: to be forgotten
// after 48 hours.
func (k *Keys) Retired() []ID {
	heads := k.Heads()
	var ids []ID
	for id, h := range k.rekeys {
		if h.held && !slices.Contains(heads, id) {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, compare)
	return ids
}

// ForgetList erases the unused keys of a list; it is not made again.
func (k *Keys) ForgetList(d Digest) {
	delete(k.lists, d)
	k.order = slices.DeleteFunc(k.order, func(o Digest) bool { return o == d })
	k.leave(d)
}

// leave remembers a list that is gone, for long.
func (k *Keys) leave(d Digest) {
	if k.gone[d] {
		return
	}
	k.gone[d] = true
	if k.left = append(k.left, d); len(k.left) > maxGone {
		delete(k.gone, k.left[0])
		k.left = k.left[1:]
	}
}
