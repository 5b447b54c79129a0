package members

import (
	"testing"

	"pgregory.net/rapid"
)

// TestHistoriesAnyOrder: the state is that of the model, whatever the order of arrival,
// and asked for after every entry as well as once.
func TestHistoriesAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, _ := history(t)
		m.set(t, m.shuffled(t), func(s *Set, in some) { m.agrees(t, s, in) })
		s := m.set(t, m.shuffled(t), nil)
		m.agrees(t, s, m.all())
	})
}

// TestHistoriesOneOwner: a room has one owner, in everything that anybody knows.
func TestHistoriesOneOwner(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, know := history(t)
		know[ID{}] = m.all()
		for _, in := range know {
			owners := 0
			for _, role := range m.state(in).roles {
				if role == Owner {
					owners++
				}
			}
			if owners != 1 {
				t.Fatalf("%d owners", owners)
			}
		}
	})
}

// TestHistoriesNobodyChangesAnEqual: what an admin did is about members and readers.
func TestHistoriesNobodyChangesAnEqual(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, _ := history(t)
		for i, e := range m.entries {
			before := m.state(m.past[i]).roles
			if m.levels[i] == byAdmin && (before[e.Target] >= Admin || e.Role >= Admin) || m.levels[i] >= byOwner && i > 0 && before[e.Author] != Owner {
				t.Fatalf("entry %d", i)
			}
		}
	})
}

// backdated tries what somebody does who was lowered by a higher level: with any part of
// the history in which they had their rank, and that lacks the entry that lowered them.
func backdated(t *rapid.T, tries func(m *model, who ID, in some, tried func())) {
	m, _ := history(t)
	all, count := m.all(), len(m.entries)
	final := m.state(all)
	for r, e := range m.entries {
		if m.levels[r] < byOwner || r == 0 || !final.counts.has(r) {
			continue
		}
		for _, g := range e.gives() {
			for _, in := range append(append([]some{}, m.past...), m.past[r]) {
				was := m.state(in).roles[g.to]
				if in.has(r) || was < Admin || g.role >= was {
					continue
				}
				tries(m, g.to, in, func() {
					now := m.state(m.all())
					for id := range cast().of {
						if now.roles[id] != final.roles[id] {
							t.Fatalf("a former %s changes %s to %s", was, final.roles[id], now.roles[id])
						}
					}
					m.drop(count)
				})
			}
		}
	}
}

// TestHistoriesBackdating: a former admin or owner who writes entries with old parents
// changes nothing.
func TestHistoriesBackdating(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		backdated(t, func(m *model, who ID, in some, tried func()) {
			whom := rapid.SampledFrom(cast().people).Draw(t, "target").ID()
			role := rapid.SampledFrom([]Role{Nobody, Reader, Member, Admin}).Draw(t, "to")
			if _, ok := m.add(in, m.change(who, in, whom, role)); ok {
				tried()
			}
		})
	})
}

// TestHistoriesAccomplices: nor do those whom they promote with old parents. A friend that is an admin by entries that
// count, of owners, then and in the end, acts by right: a copy of the owner's profile had lowered them, and that gave way to a
// pact. So does one that left, until the owner has sealed it.
func TestHistoriesAccomplices(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		backdated(t, func(m *model, who ID, in some, tried func()) {
			friend := rapid.SampledFrom(cast().people).Draw(t, "friend").ID()
			whom := rapid.SampledFrom(cast().people).Draw(t, "target").ID()
			if m.state(in).roles[friend] >= Admin {
				return // acts by right
			}
			byOwners := m.ofOwners(m.state(m.all()).counts)
			was, _ := m.rank(friend, byOwners&in)
			if is, _ := m.rank(friend, byOwners); was >= Admin && is >= Admin {
				return // and so here
			}
			up := rapid.SampledFrom([]Role{Member, Admin, Admin}).Draw(t, "up")
			n := len(m.entries)
			i, ok := m.add(in, m.change(who, in, friend, up))
			if !ok || i < n {
				return // they did just that
			}
			in |= m.past[i] | 1<<i
			role := rapid.SampledFrom([]Role{Nobody, Reader, Member}).Draw(t, "to")
			m.add(in, m.change(friend, in, whom, role))
			tried()
		})
	})
}

// TestHistoriesLeavers: leaving changes nobody else, and who left stays away unless they
// agreed to own the room.
func TestHistoriesLeavers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, know := history(t)
		count, before := len(m.entries), m.state(m.all())
		for id, in := range know {
			i, ok := m.add(in, &Entry{Kind: Leave, Author: id})
			if !ok || i < count {
				continue
			}
			after := m.state(m.all())
			for other := range cast().of {
				if other != id && after.roles[other] != before.roles[other] {
					t.Fatalf("leaving makes another %s of a %s", after.roles[other], before.roles[other])
				}
			}
			if after.counts.has(i) && after.roles[id] != Nobody {
				t.Fatalf("gone and still %s", after.roles[id])
			}
			m.drop(count)
		}
	})
}

// TestHistoriesRemovedStaysAway: while an entry counts that removes a person, no role comes
// back to their key.
func TestHistoriesRemovedStaysAway(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, know := history(t)
		know[ID{}] = m.all()
		for _, in := range know {
			v := m.state(in)
			for i, e := range m.entries {
				if in.has(i) && v.counts.has(i) && e.Kind == SetRole && e.Role == Nobody && v.roles[e.Target] != Nobody {
					t.Fatalf("entry %d removes somebody, who is %s", i, v.roles[e.Target])
				}
			}
		}
	})
}

// TestHistoriesStatements: who was lowered by a higher level makes no statement with old parents that counts,
// and everybody who has the rank makes one that does.
func TestHistoriesStatements(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, _ := history(t)
		s := m.set(t, m.shuffled(t), nil)
		for k, p := range cast().people {
			st := s.State(cast().keys[k], Rekey, 1)
			st.Sign(cast().keys[k])
			counts, err := s.Judge(st)
			if want := s.Role(p.ID()) >= Admin; counts != want || (err == nil) != want {
				t.Fatalf("a %s rekeys: %v, %v", s.Role(p.ID()), counts, err)
			}
		}
		for r, e := range m.entries {
			if m.levels[r] < byOwner || r == 0 || e.Kind != SetRole || e.Role >= Admin || !s.Counts(e.ID()) {
				continue
			}
			if before := m.heads(m.past[r]); m.state(m.past[r]).roles[e.Target] == Admin {
				for k, p := range cast().people {
					if p.ID() == e.Target {
						st := &Statement{Topic: Rekey, Group: s.Group(), Author: e.Target, Counter: 9, Parents: before}
						st.Sign(cast().keys[k])
						if counts, err := s.Judge(st); counts || err != nil {
							t.Fatalf("a rekey from before the removal: %v, %v", counts, err)
						}
					}
				}
			}
		}
	})
}
