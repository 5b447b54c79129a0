package keys

import (
	"flag"
	"math/rand/v2"
	"slices"
	"testing"

	"starling/session/internal/kdf"
)

// histories is how many random histories the symbolic model is tried on; one of fifty is also
// played by the package. make soak tries 50,000.
var histories = flag.Int("histories", 1500, "random histories of a room's keys to try")

// An event of the model: a rekey for some people, or a step for one.
type event struct {
	rekey  bool
	author int
	to     map[int]bool // of a rekey
	gone   int          // whom it leaves out for good; -1: nobody
	one    int          // of a step
	states map[int]int  // of a step: the generation of each head
}

// model says who may know which key, by sets and nothing else. Entries ascend along
// causality; views are sets of them.
type model struct {
	r      *rand.Rand
	events []event
	past   []map[int]bool
	know   []map[int]bool // by person
	first  int            // people from the start
	grants []grant
	play   *play
}

// A grant is a step that somebody got who was stuck.
type grant struct{ to, head, generation int }

type view = map[int]bool

func clone(v view) view {
	c := view{}
	for i := range v {
		c[i] = true
	}
	return c
}

// heads are the rekeys in the past of no other in a view.
func (m *model) heads(v view) (heads []int) {
	for i := range m.events {
		if !v[i] || !m.events[i].rekey {
			continue
		}
		covered := false
		for j := range m.events {
			covered = covered || v[j] && m.events[j].rekey && m.past[j][i]
		}
		if !covered {
			heads = append(heads, i)
		}
	}
	return heads
}

// generation is the greatest that a view states of a head.
func (m *model) generation(v view, head int) (g int) {
	for i, e := range m.events {
		if v[i] && !e.rekey {
			g = max(g, e.states[head])
		}
	}
	return g
}

// members are those of a view: a removal holds for good.
func (m *model) members(v view) map[int]bool {
	in := map[int]bool{}
	for p := range m.first {
		in[p] = true
	}
	for i, e := range m.events {
		if v[i] && !e.rekey {
			in[e.one] = true
		}
	}
	for i, e := range m.events {
		if v[i] && e.rekey && e.gone >= 0 {
			delete(in, e.gone)
		}
	}
	return in
}

// best is the lowest generation of each rekey that people together were ever given.
func (m *model) best(people ...int) map[int]int {
	b := map[int]int{}
	lower := func(head, g int) {
		if old, known := b[head]; !known || g < old {
			b[head] = g
		}
	}
	for i, e := range m.events {
		for _, p := range people {
			if e.rekey && (e.to[p] || e.author == p) {
				lower(i, 0)
			}
			if !e.rekey && e.one == p {
				for head, g := range e.states {
					lower(head, g)
				}
			}
		}
	}
	for _, g := range m.grants {
		if slices.Contains(people, g.to) {
			lower(g.head, g.generation)
		}
	}
	return b
}

// can says whether people together can compute the key of a view.
func (m *model) can(v view, people ...int) bool {
	b := m.best(people...)
	for _, h := range m.heads(v) {
		if g, known := b[h]; !known || g > m.generation(v, h) {
			return false
		}
	}
	return true
}

// add appends an event of somebody, who knows it from then on.
func (m *model) add(e event) int {
	i := len(m.events)
	m.past = append(m.past, clone(m.know[e.author]))
	m.events = append(m.events, e)
	m.know[e.author][i] = true
	if !e.rekey {
		for len(m.know) <= e.one {
			m.know = append(m.know, view{})
		}
		m.know[e.one] = clone(m.know[e.author])
	}
	if m.play != nil {
		m.play.made(i)
	}
	return i
}

func (m *model) some(in map[int]bool, but int) int {
	var all []int
	for p := range len(m.know) {
		if in[p] && p != but {
			all = append(all, p)
		}
	}
	return all[m.r.IntN(len(all))]
}

// history plays a room in which people know parts, rekey, remove, add and tell each other.
func history(seed uint64, share float64, plays *testing.T) *model {
	m := &model{r: rand.New(rand.NewPCG(seed, 15)), first: 6}
	for range m.first {
		m.know = append(m.know, view{})
	}
	if plays != nil {
		m.play = &play{T: plays, m: m}
	}
	all := map[int]bool{0: true, 1: true, 2: true, 3: true, 4: true, 5: true}
	m.add(event{rekey: true, author: 0, to: all, gone: -1})
	for p := range m.first {
		m.know[p][0] = true
	}

	for range 5 + m.r.IntN(11) {
		who := m.r.IntN(len(m.know))
		in := m.members(m.know[who])
		if !in[who] || !m.can(m.know[who], who) {
			continue
		}
		switch u := m.r.Float64(); {
		case u < share*.6 && len(in) > 3:
			gone := m.some(in, who)
			delete(in, gone)
			m.add(event{rekey: true, author: who, to: in, gone: gone})
		case u < share:
			m.add(event{rekey: true, author: who, to: in, gone: -1})
		default:
			e := event{author: who, one: len(m.know), states: map[int]int{}}
			for _, h := range m.heads(m.know[who]) {
				e.states[h] = m.generation(m.know[who], h) + 1
			}
			m.add(e)
		}
		for range m.r.IntN(4) {
			from, to := m.r.IntN(len(m.know)), m.r.IntN(len(m.know))
			for i := range m.know[from] {
				m.know[to][i] = true
			}
		}
	}
	return m
}

// removed are those whom a view removed.
func (m *model) removed(v view) (out []int) {
	for i, e := range m.events {
		if v[i] && e.rekey && e.gone >= 0 && !slices.Contains(out, e.gone) {
			out = append(out, e.gone)
		}
	}
	return out
}

// after are the newcomers whose add knew all of a view.
func (m *model) after(v view) (late []int) {
	for i, e := range m.events {
		if e.rekey {
			continue
		}
		knew := true
		for j := range v {
			knew = knew && m.past[i][j]
		}
		if knew {
			late = append(late, e.one)
		}
	}
	return late
}

// Shares of rekeys among the events of the histories.
var shares = []float64{0, .3, .55}

// TestModel: who may know which key, over random histories, with all that people were ever
// given and never erased.
func TestModel(t *testing.T) {
	var views, together, concurrent, colluded, newcomers, stuck, granted int
	for n := range *histories {
		m := history(uint64(n), shares[n%len(shares)], nil)
		for p, v := range m.know {
			if !m.members(v)[p] {
				continue
			}
			views++
			out := m.removed(v)
			for _, q := range out {
				if m.can(v, q) {
					t.Fatalf("history %d: one who was removed can read", n)
				}
			}
			if len(out) > 1 {
				together++
				if m.can(v, out...) {
					colluded++
					if len(m.heads(v)) < 2 {
						t.Fatalf("history %d: those who were removed read under one head", n)
					}
				}
				if len(m.heads(v)) > 1 {
					concurrent++
				}
				// Newcomers of later add nothing to what the removed know together.
				if with := append(slices.Clone(out), m.after(v)...); m.can(v, with...) != m.can(v, out...) {
					t.Fatalf("history %d: newcomers help the removed to read an older view", n)
				}
				// The merge rekey: it names all heads that are known.
				with := &model{events: append(slices.Clone(m.events), event{rekey: true, author: p, to: m.members(v), gone: -1}), past: append(slices.Clone(m.past), v), first: m.first}
				after := clone(v)
				after[len(m.events)] = true
				if with.can(after, out...) {
					t.Fatalf("history %d: those who were removed read after the merge rekey", n)
				}
			}
			if m.can(v, m.after(v)...) {
				t.Fatalf("history %d: newcomers read an older view, alone or together", n)
			}
		}

		all := view{}
		for i := range m.events {
			all[i] = true
		}
		for p := range m.members(all) {
			if p < m.first {
				if !m.can(all, p) {
					t.Fatalf("history %d: a member is stuck", n)
				}
				continue
			}
			newcomers++
			if !m.can(all, p) {
				stuck++
				if shares[n%len(shares)] == 0 {
					t.Fatalf("history %d: a newcomer is stuck by another", n)
				}
			}
		}
		m.grant(all)
		for p := range m.members(all) {
			if !m.can(all, p) {
				t.Fatalf("history %d: somebody is stuck after the grant", n)
			}
			granted++
		}
	}
	t.Logf("%d views; %d with two or more removed, %d with several heads, %d in which they read together, 0 after a merge rekey; %d newcomers, %d stuck until a grant, 0 of %d after it",
		views, together, concurrent, colluded, newcomers, stuck, granted)
}

// grant gives newcomers the heads that were made beside their add.
func (m *model) grant(all view) {
	for i, e := range m.events {
		if e.rekey || !m.members(all)[e.one] || !all[i] {
			continue
		}
		for _, h := range m.heads(all) {
			if !m.events[h].to[e.one] {
				m.grants = append(m.grants, grant{e.one, h, m.generation(all, h)})
			}
		}
	}
}

// play is the package driven through the steps of a model.
type play struct {
	*testing.T
	m      *model
	people []*person
	rekeys map[int]*Rekey
	steps  map[int]*Step
	seeds  map[int]map[int]Sealed // by event and recipient
	handed map[int]Sealed
}

// A person has the real keys of one member of the model.
type person struct {
	id    Member
	leaf  LeafKey
	keys  *Keys
	knows view
}

var group = [32]byte{'r', 'o', 'o', 'm'}

func (p *play) person(n int) *person {
	for len(p.people) <= n {
		var id Member
		kdf.Derive(kdf.RoomMember, nil, []byte{byte(len(p.people))}, id[:])
		p.people = append(p.people, &person{id: id, leaf: NewLeafKey(), keys: New(group), knows: view{}})
	}
	return p.people[n]
}

func (p *play) recipient(n int) Recipient {
	one := p.person(n)
	return Recipient{Member: one.id, Leaf: one.leaf.Public()}
}

// told has a person take what the model says that they know.
func (p *play) told(n int, v view) {
	one := p.person(n)
	for i := range p.m.events {
		if !v[i] || one.knows[i] {
			continue
		}
		one.knows[i] = true
		p.take(one.keys, n, i)
	}
}

// take has keys take an event, and what it holds for a person.
func (p *play) take(k *Keys, n, i int) {
	p.Helper()
	one := p.person(n)
	var err error
	if r := p.rekeys[i]; r != nil {
		if err = k.Take(r); err == nil && p.seeds[i][n] != nil {
			_, err = k.Open(r.ID(group), one.id, one.leaf, p.seeds[i][n])
		}
	} else if s := p.steps[i]; p.m.events[i].one == n {
		_, err = k.OpenStep(s, one.id, one.leaf, p.handed[i])
	} else {
		err = k.TakeStep(s)
	}
	if err != nil {
		p.Fatalf("event %d: %v", i, err)
	}
}

// made has the author of the newest event make it.
func (p *play) made(i int) {
	p.Helper()
	if p.rekeys == nil {
		p.rekeys, p.steps, p.seeds, p.handed = map[int]*Rekey{}, map[int]*Step{}, map[int]map[int]Sealed{}, map[int]Sealed{}
	}
	e := p.m.events[i]
	author := p.person(e.author)
	p.told(e.author, p.m.past[i])
	author.knows[i] = true
	context := [32]byte{byte(i), 1}
	if !e.rekey {
		s, sealed, err := author.keys.Step(context, p.recipient(e.one), nil)
		if err != nil {
			p.Fatalf("event %d: %v", i, err)
		}
		p.steps[i], p.handed[i] = s, sealed
		return
	}
	var to []Recipient
	for n := range len(p.m.know) {
		if e.to[n] {
			to = append(to, p.recipient(n))
		}
	}
	r, sealed, err := author.keys.Rekey(author.id, context, to)
	if err != nil {
		p.Fatalf("event %d: %v", i, err)
	}
	p.rekeys[i], p.seeds[i] = r, map[int]Sealed{}
	for n := range len(p.m.know) {
		if e.to[n] && n != e.author {
			place, _ := slices.BinarySearchFunc(r.Members, p.person(n).id, compare[Member])
			p.seeds[i][n] = sealed[place]
		}
	}
}

// list is the list of a view, as the model has it.
func (p *play) list(v view) (l List) {
	for _, h := range p.m.heads(v) {
		l = append(l, Head{p.rekeys[h].ID(group), uint16(p.m.generation(v, h))})
	}
	slices.SortFunc(l, func(a, b Head) int { return compare(a.Rekey, b.Rekey) })
	return l
}

// leafUnder is the key that somebody computes under a list for a sender, or false. It
// uses nothing up.
func leafUnder(k *Keys, l List, of Member) (leaf [kdf.Size]byte, ok bool) {
	if err := k.Expect(l); err != nil {
		return leaf, false
	}
	trees := k.lists[l.Digest()]
	if len(trees) == 0 || trees[0].chains[of] != nil {
		return leaf, false
	}
	found, ok := trees[0].find(of)
	return found.chain, ok
}

// coalition has fresh keys take all that some people were ever given: they erased nothing.
func (p *play) coalition(people ...int) *Keys {
	k := New(group)
	for i, e := range p.m.events {
		if r := p.rekeys[i]; r == nil {
			if err := k.TakeStep(p.steps[i]); err != nil {
				p.Fatal(err)
			}
		} else if err := k.Take(r); err != nil {
			p.Fatal(err)
		}
		for _, n := range people {
			if e.rekey && e.author == n {
				// What the author drew is with every recipient.
				for to, sealed := range p.seeds[i] {
					if _, err := k.Open(p.rekeys[i].ID(group), p.person(to).id, p.person(to).leaf, sealed); err != nil {
						p.Fatal(err)
					}
					break
				}
			}
			p.take(k, n, i)
		}
	}
	return k
}

// TestModelPlayed: the package computes a key exactly if the model says so, for each
// person, those who were removed, alone and together, and newcomers; and all who can have
// the same.
func TestModelPlayed(t *testing.T) {
	checks, could := 0, 0
	for n := range max(1, *histories/50) {
		m := history(uint64(n), shares[n%len(shares)], t)
		p := m.play
		var everybody []int
		var alone []*Keys // with nothing erased
		for q := range m.know {
			everybody, alone = append(everybody, q), append(alone, p.coalition(q))
		}
		oracle := p.coalition(everybody...)

		for q, v := range m.know {
			if !m.members(v)[q] {
				continue
			}
			l, of := p.list(v), Member{1, 2, 3}
			right, known := leafUnder(oracle, l, of)
			if !known {
				t.Fatalf("history %d: all together cannot", n)
			}
			check := func(what string, k *Keys, people ...int) {
				t.Helper()
				leaf, can := leafUnder(k, l, of)
				if want := m.can(v, people...); can != want || can && leaf != right {
					t.Fatalf("history %d: %s can: %v, the model says %v", n, what, can, want)
				}
				checks++
				if can {
					could++
				}
			}
			for other := range m.know {
				check("one person", alone[other], other)
			}
			if out := m.removed(v); len(out) > 1 {
				check("the removed together", p.coalition(out...), out...)
			}

			// The member with their own keys, erased as they are erased.
			p.told(q, v)
			one := p.person(q)
			if got := one.keys.List(); !slices.Equal(got, l) {
				t.Fatalf("history %d: another list", n)
			}
			check("the member", one.keys, q)
			if can := m.can(v, q); can != (len(one.keys.Lacking()) == 0) {
				t.Fatalf("history %d: a member lacks %d, and can %v", n, len(one.keys.Lacking()), can)
			}
		}
	}
	if could == 0 || could == checks {
		t.Errorf("%d of %d could: the test sees nothing", could, checks)
	}
	t.Logf("%d questions, %d answered yes", checks, could)
}

// TestModelSpeaks: over the same histories each member sends under the heads they know, and all
// who can compute that key read it, once; nobody else does.
func TestModelSpeaks(t *testing.T) {
	for n := range max(1, *histories/150) {
		m := history(uint64(n), shares[n%len(shares)], t)
		p := m.play
		type cell struct {
			from   int
			list   Digest
			number uint32
			key    MessageKey
		}
		var sent []cell
		for q, v := range m.know {
			p.told(q, v)
			if !m.members(v)[q] || !m.can(v, q) {
				continue
			}
			c := cell{from: q}
			var err error
			if c.list, c.number, c.key, err = p.person(q).keys.Next(p.person(q).id, Nonce{}); err != nil {
				t.Fatalf("history %d: %v", n, err)
			}
			sent = append(sent, c)
		}
		for _, c := range sent {
			v := m.know[c.from]
			all := view{}
			for i := range m.events {
				all[i] = true
			}
			for other := range m.know {
				p.told(other, all)
				k := p.person(other).keys
				k.Expect(p.list(v))
				opens := func() error {
					return k.OpenCell(c.list, p.person(c.from).id, Nonce{}, c.number, func(try MessageKey) bool { return try == c.key })
				}
				if other == c.from {
					continue
				}
				if err := opens(); (err == nil) != m.can(v, other) {
					t.Fatalf("history %d: opened: %v, the model says %v", n, err, m.can(v, other))
				} else if err == nil && opens() != ErrUsed {
					t.Fatalf("history %d: opened twice", n)
				}
			}
		}
	}
}
