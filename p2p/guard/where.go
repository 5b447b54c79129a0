package guard

import (
	"net/netip"
	"slices"
	"time"

	"starling/p2p/book"
	"starling/p2p/directory"
	"starling/p2p/wire"
)

const (
	strangeMost = day  // between two attempts in a strange network, at most
	maxStrange  = 1024 // strange networks that are remembered
	maxProved   = 4    // addresses of a guard, as many as a hint has
)

// strange is a network where guards are said to be, and where none of them has answered:
// rule 7.
type strange struct {
	tries int
	next  time.Time // not tried again before
}

// where returns the addresses of a guard that may be dialled now, and if there is none,
// when there is one. They are those at which it has answered, and one in each strange
// network at its turn: another each time.
func (s *Guards) where(g *guard, now time.Time) (at []directory.Address, later time.Time) {
	for _, a := range g.proved {
		at = append(at, directory.FromBook(a))
	}

	for i, a := range g.addresses {
		if !isStrange(g, a) {
			continue
		}
		if s.private || s.piped {
			at = append(at, a)
			continue
		}

		here := func(b directory.Address) bool { return isStrange(g, b) && b.Wide() == a.Wide() }
		if slices.ContainsFunc(g.addresses[:i], here) {
			continue
		}
		st := s.strange[a.Wide()]
		if st.next.After(now) {
			if later.IsZero() || st.next.Before(later) {
				later = st.next
			}
			continue
		}
		some := slices.DeleteFunc(slices.Clone(g.addresses[i:]), func(b directory.Address) bool { return !here(b) })
		at = append(at, some[st.tries%len(some)])
	}
	return at, later
}

func isStrange(g *guard, a directory.Address) bool {
	return a.Dialable() && !slices.Contains(g.proved, a.Book())
}

// barred reports whether no address of a guard may be dialled now.
func (s *Guards) barred(g *guard, now time.Time) bool {
	at, _ := s.where(g, now)
	return len(at) == 0
}

// count notes an attempt at some addresses of a guard. In each strange network the next
// one is as far away as all before it took.
func (s *Guards) count(g *guard, at []directory.Address, now time.Time) {
	if s.private || s.piped {
		return
	}
	for _, a := range at {
		if !isStrange(g, a) {
			continue
		}
		st, known := s.strange[a.Wide()]
		if !known && len(s.strange) >= maxStrange {
			s.forget()
		}
		st.next = now.Add(min(pauseMin<<min(st.tries, 20), strangeMost))
		st.tries++
		s.strange[a.Wide()] = st
	}
}

// forget makes room for a strange network: the one with the earliest turn goes.
func (s *Guards) forget() {
	var first netip.Prefix
	for p, st := range s.strange {
		if !first.IsValid() || st.next.Before(s.strange[first].next) {
			first = p
		}
	}
	delete(s.strange, first)
}

// welcome gives each strange network its turn now: the network is another, or a person
// asks.
func (s *Guards) welcome(now time.Time) {
	for p, st := range s.strange {
		st.next = earlier(st.next, now)
		s.strange[p] = st
	}
}

// prove notes where a guard has answered with its key. The last such address is kept
// even when it is listed no more, so that its listers do not decide alone where it is
// looked for.
func (s *Guards) prove(g *guard, at book.Address) {
	i := slices.Index(g.proved, at)
	switch {
	case !at.IsValid():
		return
	case i >= 0:
		g.proved = slices.Delete(g.proved, i, i+1)
	default:
		delete(s.strange, directory.FromBook(at).Wide())
		s.change = true
	}
	g.proved = slices.Insert(g.proved, 0, at)
	g.proved = g.proved[:min(len(g.proved), maxProved)]
}

// moved takes over where a guard is listed.
func (s *Guards) moved(g *guard, addresses []directory.Address) {
	if len(addresses) == 0 || slices.Equal(g.addresses, addresses) {
		return
	}
	s.change = true
	g.addresses = slices.Clone(addresses)
	if len(g.proved) > 1 {
		kept := slices.DeleteFunc(slices.Clone(g.proved[1:]), func(a book.Address) bool {
			return !slices.Contains(directory.ForBook(addresses), a)
		})
		g.proved = append(g.proved[:1:1], kept...)
	}
}

// crowded removes the unmet guards that are listed in a network of another guard now,
// and of two of one family the later one.
func (s *Guards) crowded() {
	var kept []*guard
	s.remove(func(g *guard) bool {
		r := Relay{ID: g.id, Addresses: g.addresses}
		if slices.ContainsFunc(kept, func(o *guard) bool { return g.met == 0 && !s.apart(r, o) || s.related(g.id, o.id) }) {
			return true
		}
		kept = append(kept, g)
		return false
	})
}

// Dials returns where a guard is dialled: the addresses of the attempt under way.
func (s *Guards) Dials(id wire.NodeID) []directory.Address {
	if g := s.find(id); g != nil && g.dialling() {
		return g.dials
	}
	return nil
}
