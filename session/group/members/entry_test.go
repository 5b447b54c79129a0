package members

import (
	"bytes"
	"testing"
)

// room is a room with an owner, two admins and two members, all with their keys.
type room struct {
	*Set
	t                             *testing.T
	owner, admin, other, ann, ben Key
	create                        *Entry
}

func newRoom(t *testing.T) *room {
	t.Helper()
	r := &room{t: t, owner: NewKey(), admin: NewKey(), other: NewKey(), ann: NewKey(), ben: NewKey()}
	var err error
	if r.Set, r.create, err = New(r.owner, [32]byte{7}, [32]byte{8}, "Olga"); err != nil {
		t.Fatal(err)
	}
	r.join(r.owner, r.admin, Admin)
	r.join(r.owner, r.other, Admin)
	r.join(r.admin, r.ann, Member)
	r.join(r.other, r.ben, Member)
	return r
}

func (r *room) join(by, newcomer Key, role Role) *Entry {
	r.t.Helper()
	p, err := Introduce(newcomer, r.Group(), [16]byte{1}, [32]byte{2}, "🐦")
	if err != nil {
		r.t.Fatal(err)
	}
	e, err := r.Add(by, p, role, []byte("steps"))
	if err != nil {
		r.t.Fatal(err)
	}
	return e
}

// copied is what somebody else holds who got all entries.
func (r *room) copied() *Set {
	r.t.Helper()
	s, err := Open(r.create)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, e := range r.Entries()[1:] {
		if _, err := s.Take(e); err != nil {
			r.t.Fatal(err)
		}
	}
	return s
}

// all are entries of each kind.
func all(t *testing.T) []*Entry {
	r := newRoom(t)
	role, err := r.SetRole(r.owner, r.ann.ID(), Reader, nil)
	if err != nil {
		t.Fatal(err)
	}
	leave, err := r.Leave(r.ben)
	if err != nil {
		t.Fatal(err)
	}
	pact, err := r.HandOver(r.owner, r.admin.ID(), Member)
	if err != nil {
		t.Fatal(err)
	}
	if pact, err = r.Accept(r.admin, pact); err != nil {
		t.Fatal(err)
	}
	return []*Entry{r.create, r.Entries()[1], role, leave, pact}
}

func TestEncoding(t *testing.T) {
	for _, e := range all(t) {
		b := e.Append(nil)
		got, err := Parse(b)
		if err != nil {
			t.Fatalf("kind %d: %v", e.Kind, err)
		}
		if !bytes.Equal(got.Append(nil), b) || got.ID() != e.ID() {
			t.Errorf("kind %d reads as another", e.Kind)
		}
	}
}

// TestFitsACell: the largest entry and statement of all fit the data of one cell.
func TestFitsACell(t *testing.T) {
	e := &Entry{Kind: SetRole, Parents: make([]EntryID, MaxParents), Attached: make([]byte, MaxAttached), Person: &Person{Name: string(make([]byte, MaxName))}}
	if n := len(e.Append(nil)); n > 1296 || n > maxEntry {
		t.Errorf("an entry has %d bytes", n)
	}
	s := &Statement{Parents: make([]EntryID, MaxParents), Body: make([]byte, MaxBody)}
	if n := len(s.Append(nil)); n > 1296 {
		t.Errorf("a statement has %d bytes", n)
	}
}

// TestEveryTruncationAndBitFlip: no changed byte of an entry is taken, and each cut is refused.
func TestEveryTruncationAndBitFlip(t *testing.T) {
	r := newRoom(t)
	before, err := Open(r.create)
	if err != nil {
		t.Fatal(err)
	}
	b := r.Entries()[1].Append(nil)
	for n := range b {
		if _, err := Parse(b[:n]); err == nil {
			t.Fatalf("%d bytes are an entry", n)
		}
		for bit := range 8 {
			flipped := bytes.Clone(b)
			flipped[n] ^= 1 << bit
			e, err := Parse(flipped)
			if err != nil {
				continue
			}
			if placed, err := before.Take(e); len(placed) > 0 {
				t.Fatalf("bit %d of byte %d: taken, %v", bit, n, err)
			}
		}
	}
	if _, err := Parse(append(b, 0)); err == nil {
		t.Error("a byte behind the end")
	}
	if len(before.Members()) != 1 {
		t.Error("the state has changed")
	}
}

// TestUnsound: fields that make no sense together are refused before anything is computed.
func TestUnsound(t *testing.T) {
	r := newRoom(t)
	good := r.Entries()[3]
	for name, change := range map[string]func(e *Entry){
		"no parents":              func(e *Entry) { e.Parents = nil },
		"a parent twice":          func(e *Entry) { e.Parents = []EntryID{e.Parents[0], e.Parents[0]} },
		"counter 0":               func(e *Entry) { e.Counter = 0 },
		"an owner made":           func(e *Entry) { e.Role = Owner },
		"a role beyond":           func(e *Entry) { e.Role = 9 },
		"about the author":        func(e *Entry) { e.Target = e.Author },
		"another id than the key": func(e *Entry) { e.Target[0] ^= 1 },
		"introduced to go":        func(e *Entry) { e.Role = Nobody },
		"a name of bytes":         func(e *Entry) { p := *e.Person; p.Name = "\xff"; e.Person = &p },
		"a long name":             func(e *Entry) { p := *e.Person; p.Name = string(make([]byte, 65)); e.Person = &p },
		"another kind":            func(e *Entry) { e.Kind = 5 },
		"a leave with a counter":  func(e *Entry) { e.Kind = Leave },
	} {
		e := *good
		change(&e)
		e.Sign(r.admin)
		if _, err := Parse(e.Append(nil)); err == nil {
			t.Errorf("%s: parsed", name)
		}
		if placed, err := r.Take(&e); err == nil || placed != nil {
			t.Errorf("%s: taken", name)
		}
	}
	if _, err := Introduce(r.ann, r.Group(), [16]byte{}, [32]byte{}, string(make([]byte, 65))); err == nil {
		t.Error("a long name introduces itself")
	}
}

// TestNameOfOneEmoji: a name is bytes of UTF-8, up to 64.
func TestNameOfOneEmoji(t *testing.T) {
	for _, name := range []string{"", "🐦", "👩‍👩‍👧‍👦👩‍👩‍👧‍👦", string(bytes.Repeat([]byte("x"), 64))} {
		if _, err := Introduce(NewKey(), EntryID{}, [16]byte{}, [32]byte{}, name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestKeysAreNotPrinted(t *testing.T) {
	k := NewKey()
	if k.String() != "[secret]" {
		t.Error(k.String())
	}
	again, err := ParseKey(k.Bytes())
	if err != nil || again.ID() != k.ID() {
		t.Error(err)
	}
	if _, err := ParseKey(k.Bytes()[1:]); err == nil {
		t.Error("a short key")
	}
}

func FuzzParse(f *testing.F) {
	s, create, err := New(NewKey(), [32]byte{}, [32]byte{}, "x")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(create.Append(nil))
	leave := &Entry{Kind: Leave, Group: s.Group(), Parents: []EntryID{s.Group()}}
	f.Add(leave.Append(nil))
	f.Add((&Entry{Kind: SetRole, Counter: 1, Parents: []EntryID{{}}, Target: ID{1}, Attached: []byte{1}}).Append(nil))
	f.Add((&Entry{Kind: Pact, Counter: 1, Parents: []EntryID{{}}, Target: ID{1}}).Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := Parse(b)
		if err != nil {
			return
		}
		if !bytes.Equal(e.Append(nil), b) {
			t.Fatal("two encodings of one entry")
		}
		if placed, _ := s.Take(e); len(placed) > 0 && e.Kind != Create {
			t.Fatal("an entry of nobody is taken")
		}
	})
}

func FuzzParsePerson(f *testing.F) {
	f.Add((&Person{Name: "x"}).Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, err := ParsePerson(b); err == nil && !bytes.Equal(p.Append(nil), b) {
			t.Fatal("two encodings of one person")
		}
	})
}

func FuzzParseStatement(f *testing.F) {
	f.Add((&Statement{Topic: Rekey, Parents: []EntryID{{}}, Body: []byte("x")}).Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := ParseStatement(b); err == nil && !bytes.Equal(s.Append(nil), b) {
			t.Fatal("two encodings of one statement")
		}
	})
}

func FuzzParseKey(f *testing.F) {
	f.Add(NewKey().Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		if k, err := ParseKey(b); err == nil && !bytes.Equal(k.Bytes(), b) {
			t.Fatal("two encodings of one key")
		}
	})
}
