package members

import (
	"cmp"
	"maps"
	"slices"
)

// MaxByAuthor is how many entries of one author a set holds. Only admins and the owner can
// reach it, with as many changes of roles.
const MaxByAuthor = 4096

// MaxWaiting is how many entries with missing parents are kept aside of each author, and
// of all authors together that are unknown. The oldest goes; it may be offered again.
const MaxWaiting = 512

// Set is the entries of one room that one person holds. The zero Set is not usable; New
// and Open make one.
type Set struct {
	group  EntryID
	nodes  []node // parents before children
	index  map[EntryID]int
	people map[ID]*bearer
	pacts  []int
	heads  map[int]bool // in the past of no other
	now    *view        // of all entries; nil after a change

	aside map[ID][]*parked      // by author; zero for unknown ones
	wants map[EntryID][]*parked // by parent that is missing
}

// A node is an entry in its place.
type node struct {
	entry *Entry
	id    EntryID
	past  bits
	level level
}

// A bearer is a person with the entries that are about them.
type bearer struct {
	key    [KeySize]byte
	on     []int           // that give them a role
	by     []int           // theirs
	used   map[uint32]bool // their counters
	forked bool            // two of theirs have one counter
}

// A parked entry waits for parents.
type parked struct {
	entry   *Entry
	id      EntryID
	aside   ID
	missing int
}

// New makes a room. The bearer of k owns it.
func New(k Key, nonce [32]byte, leaf [32]byte, name string) (*Set, *Entry, error) {
	p, err := Introduce(k, EntryID{}, [16]byte{}, leaf, name)
	if err != nil {
		return nil, nil, err
	}
	e := &Entry{Kind: Create, Author: k.ID(), Person: p, Nonce: nonce}
	e.Sign(k)
	s, err := Open(e)
	return s, e, err
}

// Open begins with the first entry of a room that somebody else made.
func Open(create *Entry) (*Set, error) {
	if create.Kind != Create || !create.sound() || !create.Person.Holds(EntryID{}) ||
		!signed(create.Person.Key, signEntry, create.said(), create.Signature) {
		return nil, ErrInvalid
	}
	s := &Set{
		group: create.ID(), index: map[EntryID]int{}, people: map[ID]*bearer{}, heads: map[int]bool{},
		aside: map[ID][]*parked{}, wants: map[EntryID][]*parked{},
	}
	s.place(create, s.group, nil, founding)
	return s, nil
}

// Group returns the room's name: the id of its first entry.
func (s *Set) Group() EntryID { return s.group }

// Take takes an entry of anybody. It returns the entries that found their place, in an
// order with parents first: none if the entry is known or waits for parents, several if others
// waited for it. An entry that is refused changes nothing.
func (s *Set) Take(e *Entry) ([]*Entry, error) {
	if e.Kind == Create || e.Group != s.group || !e.sound() {
		if e.Kind == Create && e.ID() == s.group {
			return nil, nil
		}
		return nil, ErrInvalid
	}
	id := e.ID()
	if _, known := s.index[id]; known {
		return nil, nil
	}

	var missing []EntryID
	for _, p := range e.Parents {
		if _, known := s.index[p]; !known {
			missing = append(missing, p)
		}
	}
	if len(missing) > 0 {
		return nil, s.park(e, id, missing)
	}
	if err := s.admit(e, id); err != nil {
		return nil, err
	}

	return s.unpark(e, id), nil
}

// unpark admits all that waited for an entry, and all that waited for these.
func (s *Set) unpark(e *Entry, id EntryID) []*Entry {
	placed := []*Entry{e}
	for ids := []EntryID{id}; len(ids) > 0; ids = ids[1:] {
		waiting := s.wants[ids[0]]
		delete(s.wants, ids[0])
		for _, p := range waiting {
			p.missing--
			if p.missing > 0 {
				continue
			}
			s.forget(p)
			if s.admit(p.entry, p.id) == nil {
				placed = append(placed, p.entry)
				ids = append(ids, p.id)
			}
		}
	}
	return placed
}

// park keeps an entry aside until its parents are there.
func (s *Set) park(e *Entry, id EntryID, missing []EntryID) error {
	var of ID
	if author := s.people[e.Author]; author != nil {
		if !signed(author.key, signEntry, e.said(), e.Signature) {
			return ErrInvalid
		}
		of = e.Author
	}
	for _, p := range s.wants[missing[0]] {
		if p.id == id {
			return nil
		}
	}

	if list := s.aside[of]; len(list) >= MaxWaiting {
		oldest := list[0]
		s.forget(oldest)
		for _, parent := range oldest.entry.Parents {
			s.wants[parent] = slices.DeleteFunc(s.wants[parent], func(p *parked) bool { return p == oldest })
			if len(s.wants[parent]) == 0 {
				delete(s.wants, parent)
			}
		}
	}
	p := &parked{e, id, of, len(missing)}
	s.aside[of] = append(s.aside[of], p)
	for _, parent := range missing {
		s.wants[parent] = append(s.wants[parent], p)
	}
	return nil
}

func (s *Set) forget(p *parked) {
	s.aside[p.aside] = slices.DeleteFunc(s.aside[p.aside], func(q *parked) bool { return q == p })
	if len(s.aside[p.aside]) == 0 {
		delete(s.aside, p.aside)
	}
}

// Missing returns the entries that others name as parents and that are not here: to be asked
// for.
func (s *Set) Missing() []EntryID {
	here := map[EntryID]bool{}
	for _, list := range s.aside {
		for _, p := range list {
			here[p.id] = true
		}
	}
	var ids []EntryID
	for id := range s.wants {
		if !here[id] {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, compare)
	return ids
}

// Parked returns the entries that wait for parents, to be stored until these come.
func (s *Set) Parked() []*Entry {
	var all []*Entry
	for _, list := range s.aside {
		for _, p := range list {
			all = append(all, p.entry)
		}
	}
	slices.SortFunc(all, func(a, b *Entry) int { return compare(a.ID(), b.ID()) })
	return all
}

// Holds reports whether an entry is here.
func (s *Set) Holds(id EntryID) bool { _, here := s.index[id]; return here }

// admit checks an entry with all its parents here, and places it.
func (s *Set) admit(e *Entry, id EntryID) error {
	past := s.pastOf(e.Parents)
	l, ok := s.admissible(e, past)
	if !ok || !s.attested(e) {
		return ErrInvalid
	}
	if e.Kind != Leave && len(s.people[e.Author].by) >= MaxByAuthor {
		return ErrFull
	}
	s.place(e, id, past, l)
	return nil
}

// attested reports whether everybody signed that has to; the authors are known.
func (s *Set) attested(e *Entry) bool {
	if e.Person != nil && !e.Person.Holds(s.group) {
		return false
	}
	if e.Kind == Pact && !signed(s.people[e.Target].key, signPact, e.said(), e.Second) {
		return false
	}
	return signed(s.people[e.Author].key, signEntry, e.said(), e.Signature)
}

// place puts an admissible entry in its place.
func (s *Set) place(e *Entry, id EntryID, past bits, l level) {
	i := len(s.nodes)
	s.nodes = append(s.nodes, node{e, id, past, l})
	s.index[id] = i
	s.now = nil

	for _, p := range e.Parents {
		delete(s.heads, s.index[p])
	}
	s.heads[i] = true
	if e.Kind == Pact {
		s.pacts = append(s.pacts, i)
	}

	if e.Person != nil && s.people[e.Person.ID()] == nil {
		s.people[e.Person.ID()] = &bearer{key: e.Person.Key, used: map[uint32]bool{}}
	}
	for _, given := range e.gives() {
		s.people[given.to].on = append(s.people[given.to].on, i)
	}
	author := s.people[e.Author]
	author.forked = author.forked || e.Counter > 0 && author.used[e.Counter]
	author.used[e.Counter] = true
	author.by = append(author.by, i)
}

// pastOf returns parents and all before them.
func (s *Set) pastOf(parents []EntryID) bits {
	var past bits
	for _, p := range parents {
		i := s.index[p]
		past = past.with(s.nodes[i].past, i)
	}
	return past
}

// Fork is two entries of one author with one counter: the author, or a copy of their
// profile, has said two things.
type Fork struct {
	Author ID
	One    *Entry
	Other  *Entry
}

// Forks returns the first fork of each author with any, by author. It is something to
// show: both entries are judged like any two that did not know each other.
func (s *Set) Forks() []Fork {
	var forks []Fork
	for id, b := range s.people {
		if !b.forked {
			continue
		}
		// Of the lowest counter that was used twice, the two lowest ids.
		own := slices.Clone(b.by)
		slices.SortFunc(own, func(i, j int) int {
			a, b := &s.nodes[i], &s.nodes[j]
			return cmp.Or(cmp.Compare(a.entry.Counter, b.entry.Counter), compare(a.id, b.id))
		})
		for k := 1; k < len(own); k++ {
			one, other := s.nodes[own[k-1]].entry, s.nodes[own[k]].entry
			if one.Counter > 0 && one.Counter == other.Counter {
				forks = append(forks, Fork{id, one, other})
				break
			}
		}
	}
	slices.SortFunc(forks, func(a, b Fork) int { return slices.Compare(a.Author[:], b.Author[:]) })
	return forks
}

// Entries returns all entries, parents first, for a newcomer.
func (s *Set) Entries() []*Entry {
	all := make([]*Entry, len(s.nodes))
	for i := range s.nodes {
		all[i] = s.nodes[i].entry
	}
	return all
}

// Heads returns the entries that are in the past of no other, ascending.
func (s *Set) Heads() []EntryID {
	ids := make([]EntryID, 0, len(s.heads))
	for i := range maps.Keys(s.heads) {
		ids = append(ids, s.nodes[i].id)
	}
	slices.SortFunc(ids, compare)
	return ids
}
