package members

import (
	"cmp"
	"maps"
	"slices"
)

// Somebody is a person with a role in the room.
type Somebody struct {
	ID     ID
	Role   Role
	Key    [KeySize]byte
	Person *Person // as they introduced themselves
	Since  EntryID // the entry that introduced them
}

// Role returns the role of a person by all entries.
func (s *Set) Role(id ID) Role {
	role, _ := s.whole().role(id, nil, leaving)
	return role
}

// Given returns the entry that gives a person their role, or takes it; nil for somebody unknown. Of several it is the one of the
// highest level: a removal before a leave.
func (s *Set) Given(id ID) *Entry {
	if _, at := s.whole().given(id, nil, leaving); at >= 0 {
		return s.nodes[at].entry
	}
	return nil
}

// Silenced returns the counting entries that leave a person without a word in the room, and are in the past of no other such entry
// or of one that gives it back. A leave of somebody who had it is none.
func (s *Set) Silenced(id ID) (all []*Entry) {
	b, v := s.people[id], s.whole()
	if b == nil {
		return nil
	}
	for _, i := range b.on {
		e := s.nodes[i].entry
		covered := func(j int) bool { return s.nodes[j].past.has(i) && v.counts(j) }
		if e.Kind == Leave {
			e = s.nodes[s.index[e.Parents[0]]].entry
		}
		if e.to(id) < Member && v.counts(i) && !slices.ContainsFunc(b.on, covered) {
			all = append(all, s.nodes[i].entry)
		}
	}
	return all
}

// Key returns the key of a person that is or was in the room.
func (s *Set) Key(id ID) (key [KeySize]byte, known bool) {
	b := s.people[id]
	if b == nil {
		return key, false
	}
	return b.key, true
}

// Members returns everybody with a role, ascending by id.
func (s *Set) Members() []Somebody {
	var all []Somebody
	for id, b := range s.people {
		role := s.Role(id)
		if role == Nobody {
			continue
		}
		one := Somebody{ID: id, Role: role, Key: b.key}
		for _, i := range b.on {
			n := &s.nodes[i]
			// Two admins may have added one person: the introduction of the lower id is shown.
			if p := n.entry.Person; p != nil && p.ID() == id && (one.Person == nil || compare(n.id, one.Since) < 0) {
				one.Person, one.Since = p, n.id
			}
		}
		all = append(all, one)
	}
	slices.SortFunc(all, func(a, b Somebody) int { return slices.Compare(a.ID[:], b.ID[:]) })
	return all
}

// Counts reports whether an entry is here and counts.
func (s *Set) Counts(id EntryID) bool {
	i, here := s.index[id]
	return here && s.whole().counts(i)
}

// Knew reports whether an entry was known to the author of something with these parents.
func (s *Set) Knew(parents []EntryID, id EntryID) bool {
	i, here := s.index[id]
	return here && s.holds(parents) && s.pastOf(parents).has(i)
}

func (s *Set) holds(parents []EntryID) bool {
	return !slices.ContainsFunc(parents, func(p EntryID) bool { _, here := s.index[p]; return !here })
}

// Judge judges a statement. It is refused for ever with ErrInvalid: a wrong signature, or
// an author without the rank by the entries that they knew. Otherwise the result says whether it counts by all
// that is known now. With parents that are missing it does not count yet.
func (s *Set) Judge(st *Statement) (counts bool, err error) {
	author := s.people[st.Author]
	if st.Group != s.group {
		return false, ErrInvalid
	}
	if !s.holds(st.Parents) {
		return false, nil
	}
	if author == nil || !signed(author.key, signStatement, st.said(), st.Signature) {
		return false, ErrInvalid
	}
	return s.Weigh(st)
}

// Weigh is Judge for a statement that was judged before: its signature is not checked again.
func (s *Set) Weigh(st *Statement) (counts bool, err error) {
	author := s.people[st.Author]
	if author == nil || !s.holds(st.Parents) {
		return false, nil
	}
	past := s.pastOf(st.Parents)
	role, _ := s.view(past).role(st.Author, nil, leaving)
	rank := st.Topic.rank()
	if role < rank {
		return false, ErrInvalid
	}

	// The same conditions as for an entry of the author's level. Nothing is concurrent with a
	// statement but entries outside its past.
	l := leaving
	switch role {
	case Owner:
		l = byOwner
	case Admin:
		l = byAdmin
	}
	v := s.whole()
	if still, _ := v.role(st.Author, past, l+1); still < rank {
		return false, nil
	}
	for _, i := range author.on {
		n := &s.nodes[i]
		if !past.has(i) && (n.level > l || n.entry.Kind == Leave) && n.entry.to(st.Author) < rank && v.counts(i) {
			return false, nil
		}
	}
	return true, nil
}

// parents chooses up to MaxParents heads for the next entry or statement of an author: their own last
// entry first, then those that count at high levels.
func (s *Set) parents(author ID) []EntryID {
	heads := make([]int, 0, len(s.heads))
	for i := range s.heads {
		heads = append(heads, i)
	}
	if len(heads) > MaxParents {
		v, last := s.whole(), -1
		if b := s.people[author]; b != nil && len(b.by) > 0 {
			last = b.by[len(b.by)-1]
		}
		weight := func(i int) int {
			switch {
			case last >= 0 && (i == last || s.nodes[i].past.has(last)):
				return 2 * int(founding)
			case v.counts(i):
				return int(founding) + int(s.nodes[i].level)
			}
			return int(s.nodes[i].level)
		}
		slices.SortFunc(heads, func(i, j int) int {
			return cmp.Or(weight(j)-weight(i), compare(s.nodes[i].id, s.nodes[j].id))
		})
		heads = heads[:MaxParents]
	}

	ids := make([]EntryID, len(heads))
	for k, i := range heads {
		ids[k] = s.nodes[i].id
	}
	slices.SortFunc(ids, compare)
	return ids
}

// draft begins an entry that names all that is known.
func (s *Set) draft(kind Kind, author ID) *Entry {
	e := &Entry{Kind: kind, Group: s.group, Author: author, Parents: s.parents(author)}
	if s.people[author] != nil {
		e.Counter = s.counter(author, s.pastOf(e.Parents)) + 1
	}
	return e
}

// finish signs a draft and takes it.
func (s *Set) finish(e *Entry, k Key) (*Entry, error) {
	e.Sign(k)
	if _, err := s.Take(e); err == ErrFull {
		return nil, err
	} else if err != nil {
		return nil, ErrRank
	}
	return e, nil
}

// Add adds a newcomer. Attached is a word of the layer above, signed with the entry.
func (s *Set) Add(k Key, p *Person, role Role, attached []byte) (*Entry, error) {
	if len(attached) > MaxAttached || role == Nobody {
		return nil, ErrInvalid
	}
	e := s.draft(SetRole, k.ID())
	e.Target, e.Role, e.Person, e.Attached = p.ID(), role, p, attached
	return s.finish(e, k)
}

// SetRole gives a person another role; Nobody removes them.
func (s *Set) SetRole(k Key, target ID, role Role, attached []byte) (*Entry, error) {
	if len(attached) > MaxAttached {
		return nil, ErrInvalid
	}
	e := s.draft(SetRole, k.ID())
	e.Target, e.Role, e.Attached = target, role, attached
	return s.finish(e, k)
}

// Leave takes the author out of the room.
func (s *Set) Leave(k Key) (*Entry, error) {
	e := &Entry{Kind: Leave, Group: s.group, Author: k.ID()}
	b := s.people[e.Author]
	if b == nil {
		return nil, ErrRank
	}
	for i := len(b.on) - 1; i >= 0 && e.Parents == nil; i-- {
		if n := &s.nodes[b.on[i]]; n.entry.to(e.Author) > Nobody && s.whole().counts(b.on[i]) {
			e.Parents = []EntryID{n.id}
		}
	}
	if e.Parents == nil {
		return nil, ErrRank
	}
	return s.finish(e, k)
}

// HandOver drafts a pact, signed by the owner. The new owner calls [Set.Accept]; until then it
// is no entry.
func (s *Set) HandOver(k Key, to ID, keep Role) (*Entry, error) {
	if s.Role(k.ID()) != Owner || s.Role(to) == Nobody || to == k.ID() || keep >= Owner {
		return nil, ErrRank
	}
	e := s.draft(Pact, k.ID())
	e.Target, e.Role = to, keep
	e.Sign(k)
	return e, nil
}

// Accept signs a pact as the new owner and takes it.
func (s *Set) Accept(k Key, pact *Entry) (*Entry, error) {
	if pact.Kind != Pact || pact.Target != k.ID() {
		return nil, ErrInvalid
	}
	e := *pact
	e.Agree(k)
	if _, err := s.Take(&e); err != nil {
		return nil, err
	}
	return &e, nil
}

// Written is how many entries of an author are here: a set holds [MaxByAuthor].
func (s *Set) Written(author ID) int {
	if p := s.people[author]; p != nil {
		return len(p.by)
	}
	return 0
}

// State makes a statement of the bearer of k that names all that is known. The body
// may be made of the statement's Context; Sign comes last.
func (s *Set) State(k Key, topic Topic, counter uint32) *Statement {
	return &Statement{Topic: topic, Group: s.group, Author: k.ID(), Counter: counter, Parents: s.parents(k.ID())}
}

// People returns everybody that ever had a role by an entry here, ascending.
func (s *Set) People() []ID {
	return slices.SortedFunc(maps.Keys(s.people), func(a, b ID) int { return slices.Compare(a[:], b[:]) })
}

// Entry returns an entry that is here, or nil.
func (s *Set) Entry(id EntryID) *Entry {
	if i, here := s.index[id]; here {
		return s.nodes[i].entry
	}
	return nil
}

// Drafted reports whether an entry is signed by its author, whoever else has to.
func (s *Set) Drafted(e *Entry) bool {
	b := s.people[e.Author]
	return b != nil && e.Group == s.group && signed(b.key, signEntry, e.said(), e.Signature)
}

// Since returns the entries that are unknown to the author of something with these parents, parents first.
func (s *Set) Since(parents []EntryID) (all []*Entry) {
	parents = slices.DeleteFunc(slices.Clone(parents), func(p EntryID) bool { return !s.Holds(p) })
	past := s.pastOf(parents)
	for i := range s.nodes {
		if !past.has(i) {
			all = append(all, s.nodes[i].entry)
		}
	}
	return all
}

// Attests reports whether a statement is signed by its author.
func (s *Set) Attests(st *Statement) bool {
	b := s.people[st.Author]
	return b != nil && signed(b.key, signStatement, st.said(), st.Signature)
}
