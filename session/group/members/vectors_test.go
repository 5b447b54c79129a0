package members

import (
	"bytes"
	"testing"

	"starling/docs/vectors"
)

type membersVectors struct {
	People     []vectors.Hex     `json:"people"` // private
	Entries    []entryVector     `json:"entries"`
	Statements []statementVector `json:"statements"`
	Roles      []roleVector      `json:"roles"`
	Refused    []refusedVector   `json:"refused"`
}

type entryVector struct {
	Entry  vectors.Hex `json:"entry"`
	ID     vectors.Hex `json:"id"`
	Counts bool        `json:"counts"`
}

type statementVector struct {
	Statement vectors.Hex `json:"statement"`
	Context   vectors.Hex `json:"context"`
	Counts    bool        `json:"counts"`
}

type roleVector struct {
	Member vectors.Hex `json:"member"`
	Role   int         `json:"role"`
}

type refusedVector struct {
	Why   string      `json:"why"`
	Entry vectors.Hex `json:"entry"`
}

// makeMembers is a room in which people who do not know of each other write at once.
func makeMembers(t *testing.T) (v membersVectors) {
	r := newRoom(t)
	old, newcomer := r.copied(), NewKey()
	p, err := Introduce(newcomer, r.Group(), [16]byte{3}, [32]byte{4}, "new")
	if err != nil {
		t.Fatal(err)
	}
	pact, err := old.HandOver(r.owner, r.other.ID(), Reader)
	if err != nil {
		t.Fatal(err)
	}
	pact.Agree(r.other)
	leave, err := r.copied().Leave(r.ben)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range []*Entry{
		by(old, r.owner, r.admin.ID(), Member, nil), by(old, r.admin, newcomer.ID(), Member, p), by(old, r.admin, r.ann.ID(), Nobody, nil),
		by(old, r.other, r.ann.ID(), Reader, nil), pact, leave,
	} {
		if _, err := r.Take(e); err != nil {
			t.Fatal(err)
		}
	}

	for _, k := range []Key{r.owner, r.admin, r.other, r.ann, r.ben, newcomer} {
		v.People = append(v.People, k.Bytes())
	}
	for _, e := range r.Entries() {
		id := e.ID()
		v.Entries = append(v.Entries, entryVector{e.Append(nil), id[:], r.Counts(id)})
	}
	for _, st := range []*Statement{r.State(r.other, Rekey, 1), old.State(r.admin, Step, 2), old.State(r.ann, Return, 3), r.State(newcomer, Heads, 4)} {
		st.Body = []byte("body")
		k := map[ID]Key{r.other.ID(): r.other, r.admin.ID(): r.admin, r.ann.ID(): r.ann, newcomer.ID(): newcomer}[st.Author]
		st.Sign(k)
		counts, err := r.Judge(st)
		if err != nil {
			t.Fatal(err)
		}
		context := st.Context()
		v.Statements = append(v.Statements, statementVector{st.Append(nil), context[:], counts})
	}
	for _, one := range r.Members() {
		v.Roles = append(v.Roles, roleVector{one.ID[:], int(one.Role)})
	}

	wrong := by(old, r.admin, r.ben.ID(), Reader, nil)
	wrong.Counter++
	wrong.Sign(r.admin)
	theft := old.draft(Pact, r.admin.ID())
	theft.Target = r.owner.ID()
	theft.Sign(r.admin)
	theft.Agree(r.owner)
	v.Refused = []refusedVector{
		{"by a reader", by(r.Set, r.ann, r.other.ID(), Nobody, nil).Append(nil)},
		{"an owner removed by an admin", by(old, r.admin, r.owner.ID(), Nobody, nil).Append(nil)},
		{"a counter that is not the next", wrong.Append(nil)},
		{"a pact of an admin", theft.Append(nil)},
		{"a key that came before", by(r.Set, r.other, r.ben.ID(), Member, r.introduced(r.ben.ID())).Append(nil)},
		{"a byte behind the end", append(leave.Append(nil), 0)},
	}
	return v
}

// introduced is how somebody was introduced.
func (r *room) introduced(id ID) *Person {
	for _, e := range r.Entries() {
		if e.Person != nil && e.Person.ID() == id {
			return e.Person
		}
	}
	return nil
}

func checkMembers(t *testing.T, v membersVectors) {
	var s *Set
	for i, x := range v.Entries {
		e, err := Parse(x.Entry)
		if err != nil {
			t.Fatalf("entry %d: %v", i, err)
		}
		if id := e.ID(); !bytes.Equal(id[:], x.ID) || !bytes.Equal(e.Append(nil), x.Entry) {
			t.Errorf("entry %d reads as another", i)
		}
		if i == 0 {
			if s, err = Open(e); err != nil {
				t.Fatal(err)
			}
		} else if placed, err := s.Take(e); err != nil || len(placed) != 1 {
			t.Fatalf("entry %d: %d placed, %v", i, len(placed), err)
		}
	}
	for i, x := range v.Entries {
		if s.Counts(EntryID(x.ID)) != x.Counts {
			t.Errorf("entry %d counts: %v", i, !x.Counts)
		}
	}
	members := s.Members()
	if len(members) != len(v.Roles) {
		t.Fatalf("%d members, %d wanted", len(members), len(v.Roles))
	}
	for i, one := range members {
		if !bytes.Equal(one.ID[:], v.Roles[i].Member) || int(one.Role) != v.Roles[i].Role {
			t.Errorf("somebody is %s", one.Role)
		}
	}
	for i, x := range v.Statements {
		st, err := ParseStatement(x.Statement)
		if err != nil {
			t.Fatal(err)
		}
		context := st.Context()
		if counts, err := s.Judge(st); err != nil || counts != x.Counts || !bytes.Equal(context[:], x.Context) {
			t.Errorf("statement %d: %v, %v", i, counts, err)
		}
	}
	for _, x := range v.Refused {
		if e, err := Parse(x.Entry); err == nil {
			if placed, err := s.Take(e); err == nil || placed != nil {
				t.Errorf("%s: taken", x.Why)
			}
		}
	}
	if len(v.People) == 0 {
		t.Error("nobody")
	}
}

func TestVectors(t *testing.T) {
	vectors.Made(t, "members", makeMembers, checkMembers)
	vectors.Produced(t, "members", checkMembers)
}
