package members

import (
	"cmp"

	"starling/session/internal/kdf"
)

const (
	signEntry     = kdf.SignEntry
	signPact      = kdf.SignPact
	signStatement = kdf.SignStatement
)

// A level is the weight of an entry: concurrent ones of a higher level come first.
type level uint8

const (
	leaving level = iota
	byAdmin
	byOwner
	pact
	founding
)

// rank is the role that authors of a level have.
func (l level) rank() Role {
	switch l {
	case leaving:
		return Reader
	case byAdmin:
		return Admin
	}
	return Owner
}

// given is one effect of an entry.
type given struct {
	to   ID
	role Role
}

// gives returns the roles that an entry gives, if it counts.
func (e *Entry) gives() []given {
	switch e.Kind {
	case Create:
		return []given{{e.Author, Owner}}
	case SetRole:
		return []given{{e.Target, e.Role}}
	case Pact:
		return []given{{e.Target, Owner}, {e.Author, e.Role}}
	}
	return []given{{e.Author, Nobody}}
}

// to returns the role that an entry gives to a person.
func (e *Entry) to(id ID) Role {
	switch {
	case e.Kind == Create || e.Kind == Pact && e.Target == id:
		return Owner
	case e.Kind == Leave:
		return Nobody
	}
	return e.Role
}

// concurrent reports whether neither of two places is in the past of the other.
func (s *Set) concurrent(i, j int) bool {
	return i != j && !s.nodes[i].past.has(j) && !s.nodes[j].past.has(i)
}

// A view judges the entries of a part of the set that holds all parents: the whole, or the
// past of one.
type view struct {
	set  *Set
	in   bits
	memo map[int]bool
}

func (s *Set) view(in bits) *view { return &view{s, in, map[int]bool{}} }

// whole is the view of all entries.
func (s *Set) whole() *view {
	if s.now == nil {
		s.now = s.view(first(len(s.nodes)))
	}
	return s.now
}

// role returns a person's role by those entries that count, are within a past unless that is nil,
// and have at least a level; and whether there are any.
func (v *view) role(id ID, within bits, least level) (lowest Role, known bool) {
	lowest, at := v.given(id, within, least)
	return lowest, at >= 0
}

// given is role, with the place of the entry that gives it, or -1.
func (v *view) given(id ID, within bits, least level) (lowest Role, at int) {
	b := v.set.people[id]
	if b == nil {
		return Nobody, -1
	}

	// From the newest on: an entry behind another one in the list is never in its past.
	at = -1
	var covered bits
	for k := len(b.on) - 1; k >= 0; k-- {
		i := b.on[k]
		n := &v.set.nodes[i]
		if n.level < least || covered.has(i) || !v.in.has(i) || within != nil && !within.has(i) || !v.counts(i) {
			continue
		}
		known := at >= 0
		if role := n.entry.to(id); !known || role < lowest || role == lowest && v.set.before(i, at) {
			lowest, at = role, i
		}
		if !known {
			covered = n.past
		} else {
			covered = append(bits(nil), covered...).with(n.past, i)
		}
	}
	return lowest, at
}

// before is an order of places that everybody has: the higher level first, then the lower id.
func (s *Set) before(i, j int) bool {
	a, b := &s.nodes[i], &s.nodes[j]
	return cmp.Or(cmp.Compare(b.level, a.level), compare(a.id, b.id)) < 0
}

// counts reports whether the entry at a place of the view counts there.
func (v *view) counts(i int) bool {
	if counts, known := v.memo[i]; known {
		return counts
	}
	n := &v.set.nodes[i]
	counts := true
	switch n.level {
	case founding:
	case pact:
		counts = v.ranked(n, pact) && !v.contradicted(i)
	default:
		counts = v.ranked(n, n.level+1) && !v.overruled(i) && !v.dethrones(n)
	}
	v.memo[i] = counts
	return counts
}

// ranked is the first condition: the author has the rank by the counting entries of
// its past, from a level on.
func (v *view) ranked(n *node, least level) bool {
	role, _ := v.role(n.entry.Author, n.past, least)
	return role >= n.level.rank()
}

// dethrones reports whether an entry would lower a person that owns the room again because
// the pact that its author knew does not count.
func (v *view) dethrones(n *node) bool {
	target := n.entry.Target
	if n.level == leaving {
		target = n.entry.Author
	}
	role, _ := v.role(target, n.past, pact)
	return role == Owner
}

// contradicted is the third condition, for pacts.
func (v *view) contradicted(i int) bool {
	a := v.set.nodes[i].entry
	for _, j := range v.set.pacts {
		b := v.set.nodes[j].entry
		shared := a.Author == b.Author || a.Author == b.Target || a.Target == b.Author || a.Target == b.Target
		same := a.Author == b.Author && a.Target == b.Target && a.Role == b.Role
		if shared && !same && v.in.has(j) && v.set.concurrent(i, j) {
			return true
		}
	}
	return false
}

// overruled is the second condition: a concurrent entry of a higher level lowers the author,
// or gives the target as much.
func (v *view) overruled(i int) bool {
	n := &v.set.nodes[i]
	above := func(j int) bool {
		return v.set.nodes[j].level > n.level && v.in.has(j) && v.set.concurrent(i, j) && v.counts(j)
	}
	if n.level == leaving {
		// Leaving wins over everything but the agreement to own the room.
		for _, j := range v.set.pacts {
			if v.set.nodes[j].entry.Target == n.entry.Author && above(j) {
				return true
			}
		}
		return false
	}

	for _, j := range v.set.people[n.entry.Author].on {
		if v.set.nodes[j].entry.to(n.entry.Author) < n.level.rank() && above(j) {
			return true
		}
	}
	for _, j := range v.set.people[n.entry.Target].on {
		if v.set.nodes[j].entry.to(n.entry.Target) >= n.level.rank() && above(j) {
			return true
		}
	}
	return false
}

// admissible judges an entry by its own past, for ever, and gives it its level.
func (s *Set) admissible(e *Entry, past bits) (level, bool) {
	v := s.view(past)
	author, known := v.role(e.Author, nil, leaving)
	if !known || author == Nobody {
		return 0, false
	}
	if e.Kind == Leave {
		i := s.index[e.Parents[0]]
		var role Role
		for _, g := range s.nodes[i].entry.gives() {
			if g.to == e.Author {
				role = g.role
			}
		}
		return leaving, role > Nobody && author < Owner
	}

	if e.Counter != s.counter(e.Author, past)+1 {
		return 0, false
	}
	target, introduced := v.role(e.Target, nil, leaving)
	if e.Kind == Pact {
		return pact, author == Owner && target > Nobody
	}

	// A key comes once: with an introduction, and never again after it has gone.
	need := Admin
	if max(target, e.Role) >= Admin {
		need = Owner
	}
	if introduced != (e.Person == nil) || target == Owner || introduced && target == Nobody && e.Role > Nobody || author < need {
		return 0, false
	}
	if author == Owner {
		return byOwner, true
	}
	return byAdmin, true
}

// counter is the highest counter of an author in a past.
func (s *Set) counter(of ID, past bits) (highest uint32) {
	b := s.people[of]
	for k := len(b.by) - 1; k >= 0; k-- {
		if i := b.by[k]; past.has(i) {
			highest = max(highest, s.nodes[i].entry.Counter)
			if !b.forked && highest > 0 {
				break
			}
		}
	}
	return highest
}
