package keys

import (
	"bytes"
	"fmt"
	"reflect"
	"testing"

	"starling/session/internal/kdf"
)

// TestCircularConfirm: F2a. The confirmation is in the rekey and depends on an id that leaves it out.
func TestCircularConfirm(t *testing.T) {
	r := newRoom(t, 2)
	made, sealed := r.make(0, 0, 1)
	other := *made
	other.Confirm[0] ^= 1
	if other.ID(group) != made.ID(group) {
		t.Fatal("the id depends on the confirmation")
	}
	if err := r.people[1].keys.Take(&other); err != nil {
		t.Fatal(err)
	}
	if _, err := r.people[1].keys.Open(made.ID(group), r.people[1].id, r.people[1].leaf, sealed[r.people[1].id]); err != ErrInvalid {
		t.Error("a seed that is not confirmed is taken:", err)
	}
	if len(r.people[1].keys.Lacking()) != 1 {
		t.Error("the head is not lacking")
	}
}

// TestSeedsToSomeOnly: an admin gives people different seeds, or none. They know it, and
// are handed the head by somebody else.
func TestSeedsToSomeOnly(t *testing.T) {
	r := newRoom(t, 3)
	made, sealed := r.make(0, 0, 1, 2)
	r.open(1, made, sealed)
	two := r.people[2]
	if err := two.keys.Take(made); err != nil {
		t.Fatal(err)
	}
	garbage, err := seal(r.to(2), 2, infoOf(kdf.RoomSeed, group, made.ID(group), r.to(2)), make([]byte, 64))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := two.keys.Open(made.ID(group), two.id, two.leaf, garbage); err != ErrInvalid {
		t.Fatal(err)
	}
	if _, _, _, err := two.keys.Next(two.id, Nonce{}); err != ErrLacking {
		t.Fatal("sends without a key:", err)
	}
	s, handed, err := r.people[1].keys.Step([32]byte{}, r.to(2), two.keys.Lacking())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := two.keys.OpenStep(s, two.id, two.leaf, handed); err != nil {
		t.Fatal(err)
	}
	if err := r.people[0].keys.TakeStep(s); err != nil {
		t.Fatal(err)
	}
	r.hears(2, 0, 1)
}

// TestSealedElsewhere: a seed for another rekey, room, member or leaf, a changed or cut
// one, and a step for a seed.
func TestSealedElsewhere(t *testing.T) {
	r := newRoom(t, 3)
	made, sealed := r.make(0, 0, 1, 2)
	later, others := r.make(0, 0, 1, 2)
	one := r.people[1]
	one.keys.Take(made)
	one.keys.Take(later)
	for name, try := range map[string]func() error{
		"of another rekey": func() error { _, err := one.keys.Open(made.ID(group), one.id, one.leaf, others[one.id]); return err },
		"of another member": func() error {
			_, err := one.keys.Open(made.ID(group), one.id, one.leaf, sealed[r.people[2].id])
			return err
		},
		"as another member": func() error {
			_, err := one.keys.Open(made.ID(group), r.people[2].id, one.leaf, sealed[one.id])
			return err
		},
		"to another leaf": func() error {
			_, err := one.keys.Open(made.ID(group), one.id, NewLeafKey(), sealed[one.id])
			return err
		},
		"of another room": func() error {
			k := New([32]byte{9})
			k.Take(made)
			_, err := k.Open(made.ID([32]byte{9}), one.id, one.leaf, sealed[one.id])
			return err
		},
		"of a rekey that is not here": func() error { _, err := New(group).Open(made.ID(group), one.id, one.leaf, sealed[one.id]); return err },
	} {
		if err := try(); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	for n := 0; n < SeedSize; n += 97 {
		changed := bytes.Clone(sealed[one.id])
		changed[n] ^= 0x10
		if _, err := one.keys.Open(made.ID(group), one.id, one.leaf, changed); err == nil && n > 2 {
			t.Errorf("byte %d changed: taken", n)
		}
		if _, err := one.keys.Open(later.ID(group), one.id, one.leaf, sealed[one.id][:n]); err == nil {
			t.Errorf("%d bytes: taken", n)
		}
	}
}

// TestColludersUntilTheMerge: F2d. Two who were each removed by another admin at once have
// the key together, which is known, and no more after the merge rekey, which is due.
func TestColludersUntilTheMerge(t *testing.T) {
	r := newRoom(t, 5)
	first, seeds := r.make(0, 0, 1, 2, 3, 4)
	for n := 1; n < 5; n++ {
		r.open(n, first, seeds)
	}
	a, ofA := r.make(0, 0, 1, 2, 4) // without 3
	b, ofB := r.make(1, 0, 1, 2, 3) // without 4
	r.open(1, a, ofA)
	r.open(0, b, ofB)
	r.open(2, a, ofA)
	r.open(2, b, ofB)
	r.open(4, a, ofA)
	r.open(3, b, ofB)
	for _, n := range []int{3, 4} {
		r.people[n].keys.Take(a)
		r.people[n].keys.Take(b)
		if len(r.people[n].keys.Lacking()) != 1 {
			t.Errorf("%d lacks %d heads", n, len(r.people[n].keys.Lacking()))
		}
	}
	for _, n := range []int{0, 1, 2} {
		if !r.people[n].keys.MergeDue() || len(r.people[n].keys.List()) != 2 {
			t.Errorf("no merge is due for %d", n)
		}
	}
	r.hears(2, 0, 1)
	k := r.people[2].keys
	made := k.List()
	k.ForgetList(made.Digest())
	if k.Expect(made); len(k.lists[made.Digest()]) > 0 {
		t.Error("a forgotten list is made again")
	}

	together := New(group)
	together.Take(first)
	r2 := &room{t: t, people: []*person{{id: r.people[3].id, leaf: r.people[3].leaf, keys: together}}}
	together.Take(a)
	together.Take(b)
	for n, of := range map[int]map[Member]Sealed{3: ofB, 4: ofA} {
		made := map[int]*Rekey{3: b, 4: a}[n]
		if _, err := together.Open(made.ID(group), r.people[n].id, r.people[n].leaf, of[r.people[n].id]); err != nil {
			t.Fatal(err)
		}
	}
	if err := together.Expect(r.people[2].keys.List()); err != nil {
		t.Error("the limit that is written down does not hold:", err)
	}
	merge := r.rekey(0, 0, 1, 2)
	if len(merge.Heads) != 2 || r.people[0].keys.MergeDue() {
		t.Error("the merge rekey names", len(merge.Heads), "heads")
	}
	r.hears(1, 0, 2)
	r2.people[0].keys.Take(merge)
	if err := together.Expect(r.people[2].keys.List()); err != ErrLacking {
		t.Error("they read after the merge rekey:", err)
	}
}

// TestNoHeadIsDropped: F2f. A hostile admin makes more heads than one rekey names. All are in the
// list, and rekeys one behind the other take all in.
func TestNoHeadIsDropped(t *testing.T) {
	r := newRoom(t, 3)
	first, seeds := r.make(0, 0, 1, 2)
	r.open(1, first, seeds)
	r.open(2, first, seeds)
	const many = 60
	for i := range many {
		forked := New(group)
		forked.Take(first)
		forged, sealed, err := forked.Rekey(r.people[1].id, [32]byte{byte(i), 7}, []Recipient{r.to(0), r.to(1), r.to(2)})
		if err != nil {
			t.Fatal(err)
		}
		of := map[Member]Sealed{}
		for k, s := range sealed {
			of[forged.Members[k]] = s
		}
		r.open(0, forged, of)
		r.open(2, forged, of)
	}
	if n := len(r.people[0].keys.List()); n != many {
		t.Fatalf("%d heads of %d in the list", n, many)
	}
	r.hears(0, 2)
	rekeys := 0
	for len(r.people[0].keys.Heads()) > 1 && rekeys < 20 {
		made, sealed := r.make(0, 0, 2)
		r.open(2, made, sealed)
		rekeys++
	}
	if rekeys > 3 {
		t.Errorf("%d rekeys for %d heads", rekeys, many)
	}
	r.hears(2, 0)
}

// TestAdminRekeysWithoutEnd: rekeys one behind the other cost memory and time in proportion.
func TestAdminRekeysWithoutEnd(t *testing.T) {
	k := New(group)
	var last ID
	for i := range 5000 {
		r := &Rekey{Context: [32]byte{byte(i), byte(i >> 8)}, Previous: last, Members: []Member{{1}}}
		if last != (ID{}) {
			r.Heads = []ID{last}
		}
		if err := k.Take(r); err != nil {
			t.Fatal(err)
		}
		last = r.ID(group)
	}
	if heads := k.Heads(); len(heads) != 1 || heads[0] != last || k.last(Member{}) != last {
		t.Errorf("%d heads", len(heads))
	}
}

// TestVoidRekey: F2g. A rekey of a removed admin with a seed that nobody has is no head once
// it does not count, and nobody is stuck.
func TestVoidRekey(t *testing.T) {
	r := newRoom(t, 3)
	first, seeds := r.make(0, 0, 1, 2)
	r.open(1, first, seeds)
	r.open(2, first, seeds)
	alone := New(group)
	alone.Take(first)
	backdated, _, err := alone.Rekey(r.people[1].id, [32]byte{5}, []Recipient{r.to(1)})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 2} {
		k := r.people[n].keys
		k.Take(backdated)
		if len(k.Lacking()) != 1 {
			t.Fatal("not lacking")
		}
		k.SetVoid(backdated.ID(group), true)
		if len(k.Lacking()) != 0 || len(k.Heads()) != 1 {
			t.Error("a void rekey is a head")
		}
	}
	r.hears(0, 1, 2)

	// One between two that count is no reason for the first to be a head again.
	middle := r.rekey(1, 0, 1, 2)
	last := r.rekey(0, 0, 1, 2)
	k := r.people[2].keys
	k.SetVoid(middle.ID(group), true)
	if heads := k.Heads(); len(heads) != 1 || heads[0] != last.ID(group) {
		t.Errorf("%d heads behind a void rekey", len(heads))
	}
}

// TestLieAboutGeneration: a step that states the last generation costs little, and everybody
// goes there; one beyond is refused.
func TestLieAboutGeneration(t *testing.T) {
	r := newRoom(t, 2)
	made := r.rekey(0, 0, 1)
	id := made.ID(group)
	lie := &Step{For: r.people[1].id, Heads: []StepHead{{Head: Head{id, MaxGeneration}}}}
	if err := r.people[0].keys.TakeStep(lie); err != ErrInvalid {
		t.Errorf("stated without the secret: %v", err)
	}
	ahead := &head{id: id, n: r.people[1].keys.rekeys[id].n}
	for range MaxGeneration - r.people[1].keys.rekeys[id].next {
		kdf.Derive(kdf.RoomGeneration, nil, ahead.n[:], make([]byte, 64), ahead.n[:])
	}
	lie.Heads[0].Confirm = ahead.confirms()
	for _, p := range r.people {
		if err := p.keys.TakeStep(lie); err != nil {
			t.Fatal(err)
		}
	}
	r.hears(0, 1)
	if _, _, err := r.people[0].keys.Step([32]byte{}, r.to(1), nil); err != ErrFull {
		t.Error(err)
	}
	for _, g := range []uint16{0, MaxGeneration + 1, 65535} {
		lie.Heads[0].Generation = g
		if err := r.people[0].keys.TakeStep(lie); err != ErrInvalid {
			t.Errorf("generation %d: %v", g, err)
		}
	}
	r.rekey(0, 0, 1)
	r.hears(1, 0)
	unknown := &Step{For: r.people[1].id, Heads: []StepHead{{Head: Head{ID{1}, 1}}}}
	if err := r.people[0].keys.TakeStep(unknown); err != ErrWaiting {
		t.Error(err)
	}
}

// TestSeedBehindSteps: a seed that comes behind steps is at their generation at once.
func TestSeedBehindSteps(t *testing.T) {
	r := newRoom(t, 4)
	made, sealed := r.make(0, 0, 1)
	late := r.people[1]
	if err := late.keys.Take(made); err != nil {
		t.Fatal(err)
	}
	for n := 2; n < 4; n++ {
		s, handed, err := r.people[0].keys.Step([32]byte{byte(n)}, r.to(n), nil)
		if err != nil {
			t.Fatal(err)
		}
		r.people[n].keys.Take(made)
		if _, err := r.people[n].keys.OpenStep(s, r.people[n].id, r.people[n].leaf, handed); err != nil {
			t.Fatal(err)
		}
		for other := 1; other < n; other++ {
			if err := r.people[other].keys.TakeStep(s); err != nil {
				t.Fatal(err)
			}
		}
	}
	r.open(1, made, sealed)
	if _, _, err := late.keys.Step([32]byte{9}, r.to(3), nil); err != nil {
		t.Error("hands on:", err)
	}
	r.hears(1, 0, 2, 3)
}

// TestHandedAnotherSecret: an admin hands over another secret than the step confirms.
func TestHandedAnotherSecret(t *testing.T) {
	r := newRoom(t, 2)
	r.rekey(0, 0)
	one := r.people[1]
	one.keys.Take(r.people[0].keys.rekeys[r.people[0].keys.Heads()[0]].Rekey)
	s, sealed, err := r.people[0].keys.Step([32]byte{}, r.to(1), nil)
	if err != nil {
		t.Fatal(err)
	}
	wrong, err := seal(r.to(1), 0, infoOf(kdf.RoomStep, group, s.id(group), r.to(1)), make([]byte, 96))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := one.keys.OpenStep(s, one.id, one.leaf, wrong); err != ErrInvalid || len(one.keys.Lacking()) != 1 {
		t.Error("taken:", err)
	}
	if _, err := one.keys.OpenStep(s, r.people[0].id, one.leaf, sealed); err != ErrInvalid {
		t.Error("by another:", err)
	}
	if _, err := one.keys.OpenStep(s, one.id, one.leaf, sealed); err != nil {
		t.Error(err)
	}
}

// TestRekeyWithoutOne is attack 56: a rekey that leaves out a member is seen to, and is no
// secret to anybody.
func TestRekeyWithoutOne(t *testing.T) {
	r := newRoom(t, 3)
	made := r.rekey(0, 0, 1)
	if made.LeavesOut(r.people[1].id) || !made.LeavesOut(r.people[2].id) {
		t.Error("who is left out is not seen")
	}
	if _, _, err := r.people[0].keys.Rekey(r.people[0].id, [32]byte{}, []Recipient{r.to(1)}); err == nil {
		t.Error("an author leaves out themselves")
	}
	if _, _, err := r.people[0].keys.Rekey(r.people[0].id, [32]byte{}, make([]Recipient, MaxRecipients+1)); err != ErrFull {
		t.Error(err)
	}
	if _, _, err := r.people[0].keys.Rekey(r.people[0].id, [32]byte{}, nil); err == nil {
		t.Error("a rekey for nobody")
	}
}

// TestForgedCell: cells of a sender that open under no key change nothing, the first one not
// either; numbers far ahead, used ones and the last are refused.
func TestForgedCell(t *testing.T) {
	r := newRoom(t, 2)
	r.rekey(0, 0, 1)
	var cells []MessageKey
	var list Digest
	for range 3 {
		d, _, k, err := r.people[0].keys.Next(r.people[0].id, Nonce{})
		if err != nil {
			t.Fatal(err)
		}
		list, cells = d, append(cells, k)
	}
	one, from := r.people[1].keys, r.people[0].id
	try := func(number uint32, want MessageKey) error {
		return one.OpenCell(list, from, Nonce{}, number, func(k MessageKey) bool { return k == want })
	}
	before := fmt.Sprint(reflect.ValueOf(one.lists[list][0].nodes), one.lists[list][0].chains)
	for _, number := range []uint32{0, 1, MaxSkip, MaxSkip + 1, 1<<32 - 1} {
		if try(number, MessageKey{}) == nil {
			t.Errorf("number %d opens", number)
		}
	}
	if fmt.Sprint(reflect.ValueOf(one.lists[list][0].nodes), one.lists[list][0].chains) != before {
		t.Error("forged cells changed something")
	}
	for _, number := range []uint32{2, 0, 1} {
		if err := try(number, cells[number]); err != nil {
			t.Errorf("number %d: %v", number, err)
		}
		if err := try(number, cells[number]); err != ErrUsed {
			t.Errorf("number %d again: %v", number, err)
		}
	}
	if one.OpenCell(Digest{}, from, Nonce{}, 0, nil) != ErrLacking {
		t.Error("an unknown list")
	}

	// At most so many keys are skipped and kept, and the newest.
	c := &chain{kept: map[uint32][kdf.Size]byte{}}
	if c.open(MaxSkip+1, func(MessageKey) bool { return true }) == nil || c.next != 0 {
		t.Error("too many are skipped")
	}
	for n := uint32(MaxSkip); n < 5*MaxSkip; n += MaxSkip {
		if err := c.open(n, func(MessageKey) bool { return true }); err != nil {
			t.Fatal(err)
		}
	}
	if _, oldest := c.kept[0]; len(c.kept) != MaxKept || oldest {
		t.Errorf("%d kept", len(c.kept))
	}
}
