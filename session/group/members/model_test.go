package members

import (
	"flag"
	"fmt"
	"os"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

// histories is how many random histories the properties are tried on; make soak tries
// 100,000.
var histories = flag.Int("histories", 2000, "random histories of a room to try")

func TestMain(m *testing.M) {
	flag.Parse()
	flag.Set("rapid.checks", fmt.Sprint(*histories))
	flag.Set("rapid.nofailfile", "true")
	os.Exit(m.Run())
}

// some is a part of a history: a bit for each entry.
type some uint64

func (s some) has(i int) bool { return s>>i&1 == 1 }

// model judges a history by the text of the rule, level by level, from scratch for every
// part: nothing of it is in the package. Entries ascend along causality.
type model struct {
	entries []*Entry
	past    []some
	levels  []level
	place   map[EntryID]int
	states  map[some]verdict
}

type verdict struct {
	roles  map[ID]Role // of everybody with an entry that counts
	counts some
}

func newModel(create *Entry) *model {
	return &model{
		entries: []*Entry{create}, past: []some{0}, levels: []level{founding},
		place: map[EntryID]int{create.ID(): 0}, states: map[some]verdict{},
	}
}

func (m *model) concurrent(i, j int) bool { return i != j && !m.past[i].has(j) && !m.past[j].has(i) }

// gives is what entry i gives to a person.
func (m *model) gives(i int, id ID) (Role, bool) {
	e := m.entries[i]
	switch {
	case e.Kind == Create && e.Author == id, e.Kind == Pact && e.Target == id:
		return Owner, true
	case e.Kind == Leave && e.Author == id:
		return Nobody, true
	case e.Kind == SetRole && e.Target == id, e.Kind == Pact && e.Author == id:
		return e.Role, true
	}
	return Nobody, false
}

// rank is somebody's role by some entries: the lowest of the last ones.
func (m *model) rank(id ID, among some) (Role, bool) {
	lowest, any := Owner, false
	for i := range m.entries {
		role, about := m.gives(i, id)
		last := about && among.has(i)
		for j := range m.entries {
			if _, also := m.gives(j, id); last && also && among.has(j) && m.past[j].has(i) {
				last = false
			}
		}
		if last {
			lowest, any = min(lowest, role), true
		}
	}
	if !any {
		return Nobody, false
	}
	return lowest, true
}

// ofOwners is those of some entries that are the acts of owners.
func (m *model) ofOwners(all some) (their some) {
	for i, l := range m.levels {
		if all.has(i) && l >= byOwner {
			their |= 1 << i
		}
	}
	return their
}

func (m *model) state(in some) verdict {
	if v, known := m.states[in]; known {
		return v
	}
	counts := some(1)
	of := func(l level) (all []int) {
		for i := range m.entries {
			if in.has(i) && m.levels[i] == l {
				all = append(all, i)
			}
		}
		return all
	}

	for _, i := range of(pact) {
		a, alone := m.entries[i], true
		for _, j := range of(pact) {
			b := m.entries[j]
			signers := map[ID]bool{a.Author: true, a.Target: true}
			if m.concurrent(i, j) && (signers[b.Author] || signers[b.Target]) && (a.Author != b.Author || a.Target != b.Target || a.Role != b.Role) {
				alone = false
			}
		}
		if owner, _ := m.rank(a.Author, counts&m.past[i]); alone && owner == Owner {
			counts |= 1 << i
		}
	}
	pacts := counts
	for _, l := range []level{byOwner, byAdmin} {
		need := map[level]Role{byOwner: Owner, byAdmin: Admin}[l]
		higher := counts
		for _, i := range of(l) {
			e := m.entries[i]
			author, _ := m.rank(e.Author, higher&m.past[i])
			target, _ := m.rank(e.Target, pacts&m.past[i])
			ok := author >= need && target < Owner
			for j := range m.entries {
				if !higher.has(j) || !m.concurrent(i, j) {
					continue
				}
				if role, about := m.gives(j, e.Author); about && role < need {
					ok = false
				}
				if role, about := m.gives(j, e.Target); about && role >= need {
					ok = false
				}
			}
			if ok {
				counts |= 1 << i
			}
		}
	}
	higher := counts
	for _, i := range of(leaving) {
		e := m.entries[i]
		author, _ := m.rank(e.Author, higher&m.past[i])
		self, _ := m.rank(e.Author, pacts&m.past[i])
		ok := author > Nobody && self < Owner
		for _, j := range of(pact) {
			if higher.has(j) && m.concurrent(i, j) && m.entries[j].Target == e.Author {
				ok = false
			}
		}
		if ok {
			counts |= 1 << i
		}
	}

	v := verdict{map[ID]Role{}, counts}
	for _, e := range m.entries {
		for _, g := range e.gives() {
			if role, known := m.rank(g.to, counts); known {
				v.roles[g.to] = role
			}
		}
	}
	m.states[in] = v
	return v
}

// level is the level of an entry of somebody who knows a part, and whether it is
// admissible there.
func (m *model) level(in some, e *Entry) (level, bool) {
	v := m.state(in)
	author := v.roles[e.Author]
	target, introduced := v.roles[e.Target]
	switch e.Kind {
	case Leave:
		return leaving, author > Nobody && author < Owner
	case Pact:
		return pact, author == Owner && target > Nobody
	}
	need := Admin
	if target >= Admin || e.Role >= Admin {
		need = Owner
	}
	ok := author >= need && target < Owner && introduced == (e.Person == nil) && (!introduced || target > Nobody || e.Role == Nobody)
	if author == Owner {
		return byOwner, ok
	}
	return byAdmin, ok
}

func (m *model) heads(in some) (ids []EntryID) {
	covered := some(0)
	for i := range m.entries {
		if in.has(i) {
			covered |= m.past[i]
		}
	}
	for i, e := range m.entries {
		if in.has(i) && !covered.has(i) {
			ids = append(ids, e.ID())
		}
	}
	sortIDs(ids)
	return ids
}

// fill gives an entry the parents and counter of somebody who knows a part.
func (m *model) fill(in some, e *Entry) bool {
	e.Group = m.entries[0].ID()
	if e.Kind == Leave {
		v := m.state(in)
		for i := range m.entries {
			if role, about := m.gives(i, e.Author); about && role > Nobody && in.has(i) && v.counts.has(i) {
				e.Parents = []EntryID{m.entries[i].ID()}
			}
		}
		return e.Parents != nil
	}
	e.Parents, e.Counter = m.heads(in), 1
	for i, other := range m.entries {
		if in.has(i) && other.Author == e.Author {
			e.Counter = max(e.Counter, other.Counter+1)
		}
	}
	return len(e.Parents) <= MaxParents
}

// add puts an entry into the history, if somebody who knows a part may write it.
func (m *model) add(in some, e *Entry) (int, bool) {
	if !m.fill(in, e) || len(m.entries) == 64 {
		return 0, false
	}
	past := some(0)
	for _, p := range e.Parents {
		i := m.place[p]
		past |= m.past[i] | 1<<i
	}
	l, ok := m.level(past, e)
	if !ok || !e.sound() {
		return 0, false
	}
	id := e.ID()
	if i, known := m.place[id]; known {
		return i, true
	}
	i := len(m.entries)
	m.entries, m.past, m.levels = append(m.entries, e), append(m.past, past), append(m.levels, l)
	m.place[id] = i
	return i, true
}

// drop takes the newest entry out again.
func (m *model) drop(n int) {
	for len(m.entries) > n {
		last := len(m.entries) - 1
		delete(m.place, m.entries[last].ID())
		m.entries, m.past, m.levels = m.entries[:last], m.past[:last], m.levels[:last]
	}
	for in := range m.states {
		if in>>n != 0 {
			delete(m.states, in)
		}
	}
}

func (m *model) all() some { return 1<<len(m.entries) - 1 }

func sortIDs(ids []EntryID) {
	for i := range ids {
		for j := i; j > 0 && compare(ids[j-1], ids[j]) > 0; j-- {
			ids[j-1], ids[j] = ids[j], ids[j-1]
		}
	}
}

// cast is the people of all histories: signing is not part of the properties and takes
// most of the time.
var cast = sync.OnceValue(func() (c struct {
	create *Entry
	keys   []Key
	people []*Person
	of     map[ID]*Person
}) {
	owner := NewKey()
	s, create, err := New(owner, [32]byte{1}, [32]byte{2}, "owner")
	if err != nil {
		panic(err)
	}
	c.create, c.of = create, map[ID]*Person{}
	c.keys, c.people = []Key{owner}, []*Person{create.Person}
	for i := range 11 {
		k := NewKey()
		p, err := Introduce(k, s.Group(), [16]byte{}, [32]byte{byte(i)}, fmt.Sprint("person ", i))
		if err != nil {
			panic(err)
		}
		c.keys, c.people = append(c.keys, k), append(c.people, p)
	}
	for _, p := range c.people {
		c.of[p.ID()] = p
	}
	return c
})

// history is a room that people change who know parts of it: they tell each other some of
// what they know, and some are put back to what they knew before.
func history(t *rapid.T) (m *model, know map[ID]some) {
	c := cast()
	m = newModel(c.create)
	know = map[ID]some{}
	for id := range c.of {
		know[id] = 1
	}
	old := know[c.people[0].ID()]
	pick := func(label string) ID { return rapid.SampledFrom(c.people).Draw(t, label).ID() }

	for range rapid.IntRange(4, 24).Draw(t, "steps") {
		who := pick("who")
		if rapid.Bool().Draw(t, "owner acts") {
			who = owner(m.state(m.all()))
		}
		if e := act(t, m, who, know[who], pick("whom")); e != nil {
			if i, ok := m.add(know[who], e); ok {
				know[who] |= m.past[i] | 1<<i
				if e.Kind == Pact {
					know[e.Target] |= m.past[i] | 1<<i
				}
			}
		}
		for range rapid.IntRange(0, 3).Draw(t, "tell") {
			from, to := pick("from"), pick("to")
			know[to] |= know[from]
		}
		switch rapid.IntRange(0, 11).Draw(t, "copy") {
		case 0:
			old = know[who] // a copy of the profile
		case 1:
			know[who] &= old // put back
		}
	}
	return m, know
}

func owner(v verdict) (id ID) {
	for id, role := range v.roles {
		if role == Owner {
			return id
		}
	}
	return id
}

// act is something that somebody may try on somebody else.
func act(t *rapid.T, m *model, who ID, in some, whom ID) *Entry {
	switch n := rapid.IntRange(0, 19).Draw(t, "act"); {
	case n == 0:
		return &Entry{Kind: Leave, Author: who}
	case n == 1:
		return &Entry{Kind: Pact, Author: who, Target: whom, Role: rapid.SampledFrom([]Role{Nobody, Reader, Member, Admin}).Draw(t, "keeps")}
	}
	role := rapid.SampledFrom([]Role{Nobody, Nobody, Reader, Member, Member, Admin, Admin}).Draw(t, "role")
	return m.change(who, in, whom, role)
}

// change is a change of roles, with the introduction if it is the first.
func (m *model) change(who ID, in some, whom ID, role Role) *Entry {
	e := &Entry{Kind: SetRole, Author: who, Target: whom, Role: role}
	if _, introduced := m.state(in).roles[whom]; !introduced {
		e.Person = cast().of[whom]
	}
	return e
}

// set has a Set take a history without looking at signatures, in an order with parents first.
func (m *model) set(t *rapid.T, order []int, asked func(s *Set, in some)) *Set {
	s, err := Open(m.entries[0])
	if err != nil {
		t.Fatal(err)
	}
	in := some(1)
	for _, i := range order {
		e := m.entries[i]
		past := s.pastOf(e.Parents)
		l, ok := s.admissible(e, past)
		if !ok || l != m.levels[i] {
			t.Fatalf("entry %d: level %d, admissible %v; the model says %d", i, l, ok, m.levels[i])
		}
		s.place(e, e.ID(), past, l)
		in |= 1 << i
		if asked != nil {
			asked(s, in)
		}
	}
	return s
}

// shuffled is an order of a history in which parents come first.
func (m *model) shuffled(t *rapid.T) (order []int) {
	done := some(1)
	for len(order) < len(m.entries)-1 {
		var next []int
		for i := range m.entries {
			if !done.has(i) && m.past[i]&^done == 0 {
				next = append(next, i)
			}
		}
		i := rapid.SampledFrom(next).Draw(t, "next")
		order, done = append(order, i), done|1<<i
	}
	return order
}

func (m *model) agrees(t *rapid.T, s *Set, in some) {
	v := m.state(in)
	for id := range cast().of {
		if s.Role(id) != v.roles[id] {
			t.Fatalf("knowing %b somebody is %s; the model says %s", in, s.Role(id), v.roles[id])
		}
	}
	for i, e := range m.entries {
		if in.has(i) && s.Counts(e.ID()) != v.counts.has(i) {
			t.Fatalf("entry %d counts %v; the model says %v", i, !v.counts.has(i), v.counts.has(i))
		}
	}
}
