package members

import (
	"crypto/ed25519"
	"testing"

	"starling/session/internal/kdf"
)

// refused holds that an entry is refused and changes nothing.
func (r *room) refused(what string, e *Entry) {
	r.t.Helper()
	before := len(r.Entries())
	if placed, err := r.Take(e); err == nil || placed != nil || len(r.Entries()) != before {
		r.t.Errorf("%s: taken", what)
	}
}

func (r *room) wants(who Key, want Role) {
	r.t.Helper()
	if role := r.Role(who.ID()); role != want {
		r.t.Errorf("is %s, want %s", role, want)
	}
}

func (r *room) must(e *Entry, err error) *Entry {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
	return e
}

// by signs an entry with what s knows.
func by(s *Set, k Key, target ID, role Role, p *Person) *Entry {
	e := s.draft(SetRole, k.ID())
	e.Target, e.Role, e.Person = target, role, p
	e.Sign(k)
	return e
}

// TestAddedByNobodyEntitled is attack 33: added or removed without the right to.
func TestAddedByNobodyEntitled(t *testing.T) {
	r := newRoom(t)
	stranger, newcomer := NewKey(), NewKey()
	p, _ := Introduce(newcomer, r.Group(), [16]byte{}, [32]byte{}, "new")
	r.refused("added by a member", by(r.Set, r.ann, newcomer.ID(), Member, p))
	r.refused("added by a stranger", by(r.Set, stranger, newcomer.ID(), Member, p))
	r.refused("removed by a member", by(r.Set, r.ann, r.ben.ID(), Nobody, nil))
	r.refused("an admin removed by an admin", by(r.Set, r.admin, r.other.ID(), Nobody, nil))
	r.refused("the owner removed by an admin", by(r.Set, r.admin, r.owner.ID(), Nobody, nil))
	r.refused("an admin made by an admin", by(r.Set, r.admin, r.ann.ID(), Admin, nil))

	e := by(r.Set, r.admin, newcomer.ID(), Member, p)
	e.Sign(r.ann)
	r.refused("signed by another", e)
	e = by(r.Set, r.admin, newcomer.ID(), Member, p)
	if _, err := r.Add(r.ann, p, Member, nil); err != ErrRank {
		t.Error(err)
	}
	r.must(e, nil)
	if placed, err := r.Take(e); err != nil || len(placed) != 1 {
		t.Error("the entry of an admin is refused")
	}
	if placed, err := r.Take(e); err != nil || len(placed) != 0 {
		t.Error("replayed:", err)
	}
}

// TestCrossGroup is attack 33 across rooms: entries, introductions and statements of
// another room.
func TestCrossGroup(t *testing.T) {
	r, q := newRoom(t), newRoom(t)
	for _, e := range q.Entries() {
		r.refused("an entry of another room", e)
	}
	newcomer := NewKey()
	p, _ := Introduce(newcomer, q.Group(), [16]byte{}, [32]byte{}, "new")
	r.refused("introduced to another room", by(r.Set, r.admin, newcomer.ID(), Member, p))
	st := q.State(q.admin, Rekey, 1)
	st.Sign(q.admin)
	if counts, err := r.Judge(st); counts || err == nil {
		t.Error("a statement of another room")
	}
}

// TestLeafSwappedByAnAdmin is attack 57: an admin adds a person under another leaf, name or
// invite than they signed.
func TestLeafSwappedByAnAdmin(t *testing.T) {
	r := newRoom(t)
	newcomer := NewKey()
	for _, change := range []func(p *Person){
		func(p *Person) { p.Leaf[0] ^= 1 }, func(p *Person) { p.Name = "fool" }, func(p *Person) { p.Invite[0] ^= 1 },
	} {
		p, _ := Introduce(newcomer, r.Group(), [16]byte{}, [32]byte{}, "new")
		change(p)
		r.refused("another leaf, name or invite", by(r.Set, r.admin, newcomer.ID(), Member, p))
	}
}

// TestKeyUsedBefore: F8. A person who was removed, or left, comes back under a new key only.
func TestKeyUsedBefore(t *testing.T) {
	r := newRoom(t)
	people := map[ID]*Person{}
	for _, one := range r.Members() {
		people[one.ID] = one.Person
	}
	r.must(r.SetRole(r.admin, r.ann.ID(), Nobody, nil))
	r.must(r.Leave(r.ben))
	for _, k := range []Key{r.ann, r.ben} {
		r.refused("with an introduction", by(r.Set, r.owner, k.ID(), Member, people[k.ID()]))
		r.refused("without", by(r.Set, r.owner, k.ID(), Member, nil))
		r.wants(k, Nobody)
	}
	r.join(r.admin, NewKey(), Member)
}

// TestKeyOfLowOrder: 53. Under a key of low order one signature fits everything, so that anybody could speak for its bearer and
// prove that they said two things.
func TestKeyOfLowOrder(t *testing.T) {
	r := newRoom(t)
	fits := 0
	for _, y := range points {
		for _, sign := range []byte{0, 0x80} {
			p := &Person{Key: y, Leaf: [32]byte{1}, Name: "nobody"}
			p.Key[KeySize-1] |= sign
			p.Signature[0] = 1 // R is the neutral point, and s zero
			for i := range 64 {
				// Under one of order n every n-th does.
				if p.Leaf[1] = byte(i); ed25519.Verify(p.Key[:], append([]byte(kdf.SignPerson), p.said(r.Group())...), p.Signature[:]) {
					fits++
					break
				}
			}
			r.refused("a key of low order", by(r.Set, r.admin, p.ID(), Member, p))
		}
	}
	if fits < 8 {
		t.Errorf("%d of the keys have such a signature", fits)
	}
}

// TestConcurrentRemoveAndAdd is attack 35: the same result in every order of delivery.
func TestConcurrentRemoveAndAdd(t *testing.T) {
	r := newRoom(t)
	base := r.copied()
	newcomer := NewKey()
	p, _ := Introduce(newcomer, r.Group(), [16]byte{}, [32]byte{}, "new")
	entries := []*Entry{
		by(base, r.admin, r.ann.ID(), Nobody, nil), by(base, r.other, r.ann.ID(), Nobody, nil),
		by(base, r.admin, newcomer.ID(), Reader, p), by(base, r.other, newcomer.ID(), Member, p),
		by(base, r.owner, r.admin.ID(), Member, nil),
	}
	for first := range entries {
		s := r.copied()
		for i := range entries {
			if _, err := s.Take(entries[(first+i)%len(entries)]); err != nil {
				t.Fatal(err)
			}
		}
		// What the admin did beside being unmade is void; what the other did holds.
		if s.Role(r.ann.ID()) != Nobody || s.Role(newcomer.ID()) != Member || s.Role(r.admin.ID()) != Member {
			t.Errorf("from %d on: %s, %s, %s", first, s.Role(r.ann.ID()), s.Role(newcomer.ID()), s.Role(r.admin.ID()))
		}
	}
}

// TestBackdatedByARemovedAdmin: F3. A removed admin writes with old parents, and promotes
// an accomplice who acts.
func TestBackdatedByARemovedAdmin(t *testing.T) {
	r := newRoom(t)
	old := r.copied()
	r.must(r.SetRole(r.owner, r.admin.ID(), Nobody, nil))
	friend, victim := NewKey(), r.ben
	p, _ := Introduce(friend, r.Group(), [16]byte{}, [32]byte{}, "friend")
	for _, e := range []*Entry{by(old, r.admin, victim.ID(), Nobody, nil), by(old, r.admin, friend.ID(), Member, p)} {
		if _, err := r.Take(e); err != nil {
			t.Fatal(err) // it is admissible by its own past, and void
		}
	}
	r.wants(victim, Member)
	r.wants(friend, Nobody)
	r.wants(r.admin, Nobody)
}

// TestBackdatedByAFormerOwner: F3. A former owner writes with old parents: unmakes admins,
// makes accomplices admins who act, removes the new owner.
func TestBackdatedByAFormerOwner(t *testing.T) {
	r := newRoom(t)
	old := r.copied()
	pact := r.must(r.HandOver(r.owner, r.admin.ID(), Member))
	r.must(r.Accept(r.admin, pact))
	r.wants(r.owner, Member)
	r.wants(r.admin, Owner)

	promote := by(old, r.owner, r.ann.ID(), Admin, nil)
	if _, err := old.Take(promote); err != nil {
		t.Fatal(err)
	}
	for _, e := range []*Entry{
		promote, by(old, r.ann, r.ben.ID(), Nobody, nil), by(old, r.owner, r.other.ID(), Nobody, nil), by(old, r.owner, r.admin.ID(), Nobody, nil),
	} {
		if _, err := r.Take(e); err != nil {
			t.Fatal(err)
		}
	}
	r.wants(r.admin, Owner)
	r.wants(r.other, Admin)
	r.wants(r.ann, Member)
	r.wants(r.ben, Member)
}

// TestFormerOwnerTakesTheRoomBack shows the limit of the rule, which PROTOCOL states: of two
// concurrent pacts of one owner none counts, so that a former owner can undo a handing over.
// It gives the room to nobody else.
func TestFormerOwnerTakesTheRoomBack(t *testing.T) {
	r := newRoom(t)
	old := r.copied()
	r.must(r.Accept(r.admin, r.must(r.HandOver(r.owner, r.admin.ID(), Member))))
	second := old.draft(Pact, r.owner.ID())
	second.Target, second.Role = r.ann.ID(), Member
	second.Sign(r.owner)
	second.Agree(r.ann)
	if _, err := r.Take(second); err != nil {
		t.Fatal(err)
	}
	r.wants(r.owner, Owner)
	r.wants(r.admin, Admin)
	r.wants(r.ann, Member)
	if forks := r.Forks(); len(forks) != 1 || forks[0].Author != r.owner.ID() {
		t.Error("the two pacts are not shown")
	}
}

// TestSamePactTwice: an owner and an heir who agree again after a copy was put back have
// said one thing.
func TestSamePactTwice(t *testing.T) {
	r := newRoom(t)
	old := r.copied()
	r.must(r.SetRole(r.owner, r.ben.ID(), Reader, nil))
	r.must(r.Accept(r.admin, r.must(r.HandOver(r.owner, r.admin.ID(), Member))))
	again := old.draft(Pact, r.owner.ID())
	again.Target, again.Role = r.admin.ID(), Member
	again.Sign(r.owner)
	again.Agree(r.admin)
	if _, err := r.Take(again); err != nil {
		t.Fatal(err)
	}
	r.wants(r.admin, Owner)
}

// TestPactNeedsTwo: a pact without the heir's word, with somebody else's, or with the
// owner's twice.
func TestPactNeedsTwo(t *testing.T) {
	r := newRoom(t)
	pact := r.must(r.HandOver(r.owner, r.admin.ID(), Member))
	r.refused("one signature", pact)
	pact.Agree(r.owner)
	r.refused("the owner's twice", pact)
	pact.Second = pact.Signature
	r.refused("the author's signature as the heir's", pact)
	theft := r.draft(Pact, r.admin.ID())
	theft.Target = r.owner.ID()
	theft.Sign(r.admin)
	theft.Agree(r.owner)
	r.refused("by an admin", theft)
	r.wants(r.owner, Owner)
}

// TestRestoredOwner: an owner whose copy was put back writes under used counters. Both
// entries are judged, the fork is shown, and nothing freezes.
func TestRestoredOwner(t *testing.T) {
	r := newRoom(t)
	old := r.copied()
	r.must(r.SetRole(r.owner, r.ann.ID(), Nobody, nil))
	e := by(old, r.owner, r.ben.ID(), Reader, nil)
	if _, err := r.Take(e); err != nil {
		t.Fatal(err)
	}
	r.wants(r.ann, Nobody)
	r.wants(r.ben, Reader)
	forks := r.Forks()
	if len(forks) != 1 || forks[0].Author != r.owner.ID() || forks[0].One.Counter != forks[0].Other.Counter || forks[0].One == forks[0].Other {
		t.Fatalf("%d forks", len(forks))
	}
	r.must(r.SetRole(r.owner, r.ben.ID(), Member, nil))
	r.wants(r.ben, Member)
	if len(r.Forks()) != 1 {
		t.Error("going on is another fork")
	}
}

// TestAdminWhoLeftIsSealedByTheOwner: a leave voids nothing, so an admin who left may write
// beside it; the owner's removal ends that.
func TestAdminWhoLeftIsSealedByTheOwner(t *testing.T) {
	r := newRoom(t)
	old := r.copied()
	r.must(r.Leave(r.admin))
	r.wants(r.admin, Nobody)
	r.wants(r.ann, Member)
	if _, err := r.Take(by(old, r.admin, r.ben.ID(), Reader, nil)); err != nil {
		t.Fatal(err)
	}
	r.wants(r.ben, Reader)

	s, _ := Open(r.create)
	for _, e := range old.Entries()[1:] {
		s.Take(e)
	}
	if _, err := s.SetRole(r.owner, r.admin.ID(), Nobody, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Take(by(old, r.admin, r.ben.ID(), Reader, nil)); err != nil || s.Role(r.ben.ID()) != Member {
		t.Error(err, s.Role(r.ben.ID()))
	}
}

// TestLeaveBesideARemoval: whoever was removed, and says that they have left with what they knew before, was removed; whichever of
// the two comes first. A word that was given back is no silence.
func TestLeaveBesideARemoval(t *testing.T) {
	r := newRoom(t)
	r.must(r.SetRole(r.admin, r.ann.ID(), Reader, nil))
	if all := r.Silenced(r.ann.ID()); len(all) != 1 || r.Silenced(NewKey().ID()) != nil || r.Silenced(r.ben.ID()) != nil {
		t.Fatalf("silenced by %d", len(all))
	}
	r.must(r.SetRole(r.admin, r.ann.ID(), Member, nil))
	if r.Silenced(r.ann.ID()) != nil {
		t.Error("silenced with a word")
	}

	left, removed := r.copied(), r.copied()
	leave := r.must(left.Leave(r.ann))
	if left.Silenced(r.ann.ID()) != nil || left.Given(r.ann.ID()).Kind != Leave {
		t.Error("somebody who left was silenced")
	}
	removal := r.must(removed.SetRole(r.admin, r.ann.ID(), Nobody, nil))
	for s, e := range map[*Set]*Entry{left: removal, removed: leave} {
		if _, err := s.Take(e); err != nil {
			t.Fatal(err)
		}
		if s.Given(r.ann.ID()).ID() != removal.ID() {
			t.Error("they have left")
		}
		if all := s.Silenced(r.ann.ID()); len(all) != 1 || all[0].ID() != removal.ID() {
			t.Errorf("silenced by %d", len(all))
		}
	}
}

// TestMemberSendsTenThousandEntries: nothing of it is kept but one word to leave, and the
// others' entries go on.
func TestMemberSendsTenThousandEntries(t *testing.T) {
	r := newRoom(t)
	before := len(r.Entries())
	leave := &Entry{Kind: Leave, Group: r.Group(), Author: r.ann.ID()}
	for i := range 10_000 {
		var e Entry
		switch i % 4 {
		case 0:
			e = *by(r.Set, r.ann, r.ben.ID(), Nobody, nil)
			e.Counter = uint32(i + 1)
		case 1: // beside any entry there is
			e = *leave
			e.Parents = []EntryID{r.Entries()[i%before].ID()}
		case 2: // with parents that nobody has
			e = *leave
			e.Parents = []EntryID{{byte(i), byte(i >> 8), 1}}
		case 3: // in the name of nobody
			e = *leave
			e.Author, e.Parents = ID{byte(i), byte(i >> 8)}, []EntryID{{byte(i), byte(i >> 8), 2}}
		}
		e.Sign(r.ann)
		r.Take(&e)
	}
	if n := len(r.Entries()) - before; n > 1 {
		t.Errorf("%d entries are kept", n)
	}
	if n := len(r.aside[r.ann.ID()]); n > MaxWaiting {
		t.Errorf("%d wait", n)
	}
	if n := len(r.aside[ID{}]); n > MaxWaiting {
		t.Errorf("%d of strangers wait", n)
	}
	if n := len(r.Missing()); n > 2*MaxWaiting {
		t.Errorf("%d are asked for", n)
	}
	r.wants(r.ann, Nobody)
	r.join(r.admin, NewKey(), Member)
}

// TestWaitingForgesNobody: what waits of one author cannot be pushed out by another, not
// in their name either.
func TestWaitingForgesNobody(t *testing.T) {
	r := newRoom(t)
	source := r.copied()
	first, _ := source.SetRole(r.admin, r.ben.ID(), Reader, nil)
	second, _ := source.SetRole(r.admin, r.ben.ID(), Member, nil)
	if _, err := r.Take(second); err != nil {
		t.Fatal(err)
	}
	if missing := r.Missing(); len(missing) != 1 || missing[0] != first.ID() {
		t.Fatal(missing)
	}
	for i := range 2 * MaxWaiting {
		e := &Entry{Kind: SetRole, Group: r.Group(), Author: r.admin.ID(), Counter: 9, Target: r.ben.ID(), Parents: []EntryID{{byte(i), byte(i >> 8), 1}}}
		e.Sign(r.ann)
		r.refused("in the admin's name", e)
		e.Author, e.Target = r.ann.ID(), r.ben.ID()
		e.Sign(r.ann)
		if _, err := r.Take(e); err != nil {
			t.Fatal(err)
		}
	}
	placed, err := r.Take(first)
	if err != nil || len(placed) != 2 || placed[1].ID() != second.ID() {
		t.Fatalf("%d placed, %v", len(placed), err)
	}
	r.wants(r.ben, Member)
}

// TestAdminFloods: what one admin writes is bounded, what others write is not touched, and
// the owner ends it.
func TestAdminFloods(t *testing.T) {
	r := newRoom(t)
	old := r.copied()
	by := func(i int) *Entry {
		e := old.draft(SetRole, r.admin.ID())
		e.Target, e.Role, e.Attached = r.ben.ID(), Reader, []byte{byte(i), byte(i >> 8)}
		e.Sign(r.admin)
		return e
	}
	full := 0
	for i := range MaxByAuthor + 10 {
		if _, err := r.Take(by(i)); err == ErrFull {
			full++
		}
	}
	if full == 0 || len(r.people[r.admin.ID()].by) != MaxByAuthor {
		t.Errorf("%d refused, %d kept", full, len(r.people[r.admin.ID()].by))
	}
	r.wants(r.ben, Reader)
	e := r.must(r.SetRole(r.owner, r.admin.ID(), Nobody, nil))
	if len(e.Parents) != MaxParents {
		t.Errorf("%d parents", len(e.Parents))
	}
	r.wants(r.admin, Nobody)
	r.join(r.other, NewKey(), Member)
}

// TestForksBeyondTheLimit shows the limit of a bound of storage: an admin who writes more entries beside each other than a set holds of one author gives
// different people different ones, and what builds on an entry that somebody has refused waits there.
func TestForksBeyondTheLimit(t *testing.T) {
	r := newRoom(t)
	one, other, source := r.copied(), r.copied(), r.copied()
	beside := by(source, r.admin, r.ben.ID(), Nobody, nil)
	for i := range MaxByAuthor {
		e, err := source.SetRole(r.admin, r.ann.ID(), Reader+Role(i%2), nil)
		if err == ErrFull {
			break
		}
		r.must(e, err)
		if _, err := one.Take(e); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := one.Take(beside); err != ErrFull {
		t.Fatal(err)
	}
	if _, err := other.Take(beside); err != nil {
		t.Fatal(err)
	}
	removal := r.must(other.SetRole(r.owner, r.admin.ID(), Nobody, nil))
	if placed, err := one.Take(removal); err != nil || placed != nil || one.Role(r.admin.ID()) != Admin {
		t.Errorf("%d placed, %v: the limit is not as it is said", len(placed), err)
	}
}

// TestRoomOf33: the limit of 32 binds who adds, and never what counts.
func TestRoomOf33(t *testing.T) {
	r := newRoom(t)
	for len(r.Members()) < Limit+1 {
		r.join(r.admin, NewKey(), Member)
	}
	if got, want := len(r.copied().Members()), Limit+1; got != want {
		t.Errorf("%d members, want %d", got, want)
	}
}

// TestStatements: signed by another, of a rank that is missing, with unknown parents, read as an entry.
func TestStatements(t *testing.T) {
	r := newRoom(t)
	for _, tt := range []struct {
		name   string
		k      Key
		topic  Topic
		counts bool
	}{
		{"an admin rekeys", r.admin, Rekey, true}, {"the owner sets", r.owner, Settings, true}, {"a member returns", r.ann, Return, true}, {"a member tells heads", r.ben, Heads, true},
		{"a member rekeys", r.ann, Rekey, false}, {"a member hands a step", r.ben, Step, false}, {"a stranger returns", NewKey(), Return, false},
	} {
		st := r.State(tt.k, tt.topic, 1)
		st.Body = []byte("body")
		st.Sign(tt.k)
		parsed, err := ParseStatement(st.Append(nil))
		if err != nil {
			t.Fatal(err)
		}
		if counts, err := r.Judge(parsed); counts != tt.counts || (err == nil) != tt.counts {
			t.Errorf("%s: %v, %v", tt.name, counts, err)
		}
		parsed.Body[0] ^= 1
		if counts, err := r.Judge(parsed); counts || err == nil {
			t.Errorf("%s, changed: %v", tt.name, err)
		}
		parsed.Parents = []EntryID{{1}}
		if counts, err := r.Judge(parsed); counts || err != nil {
			t.Errorf("%s, with parents that are missing: %v, %v", tt.name, counts, err)
		}
		if _, err := Parse(st.Append(nil)); err == nil {
			t.Errorf("%s: is an entry", tt.name)
		}
	}

	st := r.State(r.ann, Return, 1)
	st.Sign(r.ann)
	r.must(r.Leave(r.ann))
	if counts, err := r.Judge(st); counts || err != nil {
		t.Errorf("a return of somebody who left: %v, %v", counts, err)
	}
	if r.Knew(st.Parents, r.Heads()[0]) && len(r.Heads()) == 1 {
		t.Error("they knew of a leave that came later")
	}
}

// BenchmarkState is a room with so many changes of roles, taken one by one with their signatures,
// and asked for its members in the end.
func BenchmarkState(b *testing.B) {
	for _, tt := range []struct {
		name     string
		n, fork  int
		shuffled bool
	}{{"1000", 1000, 0, false}, {"10000", 10000, 0, false}, {"1000 forked", 1000, 2, false}, {"4000 forked", 4000, 2, false}} {
		b.Run(tt.name, func(b *testing.B) {
			entries := long(b, tt.n, tt.fork)
			b.ReportAllocs()
			for b.Loop() {
				s, err := Open(entries[0])
				if err != nil {
					b.Fatal(err)
				}
				for _, e := range entries[1:] {
					past := s.pastOf(e.Parents)
					l, ok := s.admissible(e, past)
					if !ok {
						b.Fatal("refused")
					}
					s.place(e, e.ID(), past, l)
				}
				if len(s.Members()) == 0 {
					b.Fatal("nobody")
				}
			}
		})
	}
}

// long is a history of changes by the owner and four admins; with fork each admin knows
// the others' only at every so manieth step.
func long(tb testing.TB, n, fork int) []*Entry {
	owner := NewKey()
	s, _, err := New(owner, [32]byte{}, [32]byte{}, "owner")
	if err != nil {
		tb.Fatal(err)
	}
	var admins, people []Key
	for i := range 24 {
		k := NewKey()
		p, _ := Introduce(k, s.Group(), [16]byte{}, [32]byte{}, "x")
		role := Member
		if i < 4 {
			role = Admin
			admins = append(admins, k)
		} else {
			people = append(people, k)
		}
		if _, err := s.Add(owner, p, role, nil); err != nil {
			tb.Fatal(err)
		}
	}
	parents := make([][]EntryID, len(admins))
	for i := range n - len(s.Entries()) {
		a := i % len(admins)
		if parents[a] == nil || fork == 0 || i/len(admins)%fork == 0 {
			parents[a] = s.parents(admins[a].ID())
		}
		e := &Entry{Kind: SetRole, Group: s.Group(), Author: admins[a].ID(), Target: people[i%len(people)].ID(), Role: Reader + Role(i/len(people)%2), Parents: parents[a]}
		past := s.pastOf(e.Parents)
		e.Counter = s.counter(e.Author, past) + 1
		l, ok := s.admissible(e, past)
		if !ok {
			tb.Fatal("refused")
		}
		id := e.ID()
		s.place(e, id, past, l)
		parents[a] = []EntryID{id}
	}
	return s.Entries()
}
