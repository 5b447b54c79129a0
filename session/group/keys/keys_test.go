package keys

import (
	"bytes"
	"fmt"
	"testing"

	"starling/session/internal/kdf"
)

// room is people with keys, whom one of them rekeys.
type room struct {
	t      *testing.T
	people []*person
}

func newRoom(t *testing.T, n int) *room {
	t.Helper()
	r := &room{t: t}
	for i := range n {
		var id Member
		kdf.Derive(kdf.RoomMember, nil, []byte{byte(i)}, id[:])
		r.people = append(r.people, &person{id: id, leaf: NewLeafKey(), keys: New(group)})
	}
	return r
}

func (r *room) to(n int) Recipient {
	return Recipient{Member: r.people[n].id, Leaf: r.people[n].leaf.Public(), Lane: [kdf.Size]byte{byte(n)}}
}

// rekey has one make a rekey for some, who open it.
func (r *room) rekey(by int, members ...int) *Rekey {
	r.t.Helper()
	made, sealed := r.make(by, members...)
	for _, n := range members {
		if n != by {
			r.open(n, made, sealed)
		}
	}
	return made
}

func (r *room) make(by int, members ...int) (*Rekey, map[Member]Sealed) {
	r.t.Helper()
	var to []Recipient
	for _, n := range members {
		to = append(to, r.to(n))
	}
	made, sealed, err := r.people[by].keys.Rekey(r.people[by].id, [32]byte{byte(by)}, to)
	if err != nil {
		r.t.Fatal(err)
	}
	parsed, err := ParseRekey(made.Author, made.Context, made.Append(nil))
	if err != nil || parsed.ID(group) != made.ID(group) {
		r.t.Fatal("another rekey", err)
	}
	of := map[Member]Sealed{}
	for i, s := range sealed {
		if len(s) != SeedSize || int(s[0])<<8|int(s[1]) != i {
			r.t.Fatalf("a seed of %d bytes for place %d", len(s), i)
		}
		of[made.Members[i]] = s
	}
	return parsed, of
}

func (r *room) open(n int, made *Rekey, sealed map[Member]Sealed) {
	r.t.Helper()
	p := r.people[n]
	if err := p.keys.Take(made); err != nil {
		r.t.Fatal(err)
	}
	lane, err := p.keys.Open(made.ID(group), p.id, p.leaf, sealed[p.id])
	if err != nil || lane != [kdf.Size]byte{byte(n)} {
		r.t.Fatal(err)
	}
}

// speaks has one send a cell and says who of the others opens it.
func (r *room) speaks(by int) (heard []int) {
	r.t.Helper()
	list, number, key, err := r.people[by].keys.Next(r.people[by].id, Nonce{})
	if err != nil {
		r.t.Fatal(err)
	}
	l := r.people[by].keys.List()
	for n, p := range r.people {
		p.keys.Expect(l)
		if n != by && p.keys.OpenCell(list, r.people[by].id, Nonce{}, number, func(k MessageKey) bool { return k == key }) == nil {
			heard = append(heard, n)
		}
	}
	return heard
}

func (r *room) hears(by int, want ...int) {
	r.t.Helper()
	if got := r.speaks(by); fmt.Sprint(got) != fmt.Sprint(want) {
		r.t.Errorf("%d is heard by %v, want %v", by, got, want)
	}
}

func TestRoom(t *testing.T) {
	r := newRoom(t, 4)
	r.rekey(0, 0, 1, 2)
	r.hears(0, 1, 2)
	r.hears(1, 0, 2)
	a, _ := r.people[0].keys.Place(r.people[0].keys.Heads()[0])
	b, err := r.people[2].keys.Place(r.people[2].keys.Heads()[0])
	if a != b || err != nil {
		t.Error("two places", err)
	}

	// Negative 37: a newcomer reads nothing from before.
	list, number, key, _ := r.people[1].keys.Next(r.people[1].id, Nonce{})
	before := r.people[1].keys.List()
	r.people[3].keys.Take(r.people[0].keys.rekeys[before[0].Rekey].Rekey)
	s, sealed, err := r.people[0].keys.Step([32]byte{7}, r.to(3), nil)
	if err != nil {
		t.Fatal(err)
	}
	if parsed, err := ParseStep(s.Context, s.Append(nil)); err != nil || !bytes.Equal(parsed.Append(nil), s.Append(nil)) {
		t.Fatal(err)
	}
	for n := 1; n < 3; n++ {
		if err := r.people[n].keys.TakeStep(s); err != nil {
			t.Fatal(err)
		}
	}
	if lane, err := r.people[3].keys.OpenStep(s, r.people[3].id, r.people[3].leaf, sealed); err != nil || lane != [kdf.Size]byte{3} {
		t.Fatal(err)
	}
	r.hears(2, 0, 1, 3)
	r.hears(3, 0, 1, 2)
	if r.people[3].keys.Expect(before) != ErrLacking {
		t.Error("the newcomer computes the list from before")
	}
	opens := func(n int) error {
		return r.people[n].keys.OpenCell(list, r.people[1].id, Nonce{}, number, func(k MessageKey) bool { return k == key })
	}
	if opens(3) == nil || opens(2) != nil {
		t.Error("a cell from before the step")
	}

	// Negatives 34 and 36: whoever was removed hears nothing more.
	r.rekey(0, 0, 1, 3)
	r.hears(1, 0, 3)
	r.hears(0, 1, 3)
}
