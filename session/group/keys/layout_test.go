package keys

import (
	"bytes"
	"fmt"
	"testing"
)

// TestLayouts: lies in the public parts.
func TestLayouts(t *testing.T) {
	for name, r := range map[string]*Rekey{
		"nobody":         {},
		"a head twice":   {Members: []Member{{}}, Heads: []ID{{1}, {1}}},
		"a member twice": {Members: []Member{{1}, {1}}},
		"descending":     {Members: []Member{{2}, {1}}},
		"too many":       {Members: make([]Member, 60)},
	} {
		if _, err := ParseRekey(Member{}, [32]byte{}, r.Append(nil)); err == nil {
			t.Errorf("a rekey with %s", name)
		}
	}
	for name, s := range map[string]*Step{
		"no head":        {},
		"a head twice":   {Heads: []StepHead{{Head: Head{ID{1}, 1}}, {Head: Head{ID{1}, 2}}}},
		"generation 0":   {Heads: []StepHead{{Head: Head{ID{1}, 0}}}},
		"one beyond":     {Heads: []StepHead{{Head: Head{ID{1}, MaxGeneration + 1}}}},
		"too many heads": {Heads: make([]StepHead, MaxStepHeads+1)},
	} {
		if _, err := ParseStep([32]byte{}, s.Append(nil)); err == nil {
			t.Errorf("a step with %s", name)
		}
	}
	for name, l := range map[string]List{"nothing": nil, "a head twice": {{ID{1}, 0}, {ID{1}, 1}}, "one beyond": {{ID{1}, MaxGeneration + 1}}} {
		if _, err := ParseList(l.Append(nil)); err == nil {
			t.Errorf("a list with %s", name)
		}
	}
	if New(group).Expect(List{{ID{1}, 0}}) != ErrWaiting {
		t.Error("a list of unknown heads")
	}
	// The largest bodies fit a statement.
	r := &Rekey{Members: make([]Member, MaxRecipients), Heads: make([]ID, 2)}
	s := &Step{Heads: make([]StepHead, MaxStepHeads)}
	if n := max(len(r.Append(nil)), len(s.Append(nil))); n > maxBody {
		t.Errorf("%d bytes", n)
	}
}

// TestLeafOfLowOrder: a leaf that nothing can be sealed to would stop everybody's rekeys.
func TestLeafOfLowOrder(t *testing.T) {
	good := NewLeafKey().Public()
	for name, change := range map[string]func(b []byte){
		"zero":          func(b []byte) { clear(b[LeafSize-32:]) },
		"one":           func(b []byte) { clear(b[LeafSize-32:]); b[LeafSize-32] = 1 },
		"not canonical": func(b []byte) { copy(b[LeafSize-32:], bytes.Repeat([]byte{0xff}, 32)) },
		"no ML-KEM key": func(b []byte) { copy(b, bytes.Repeat([]byte{0xff}, 32)) },
	} {
		b := bytes.Clone(good[:])
		change(b)
		if _, err := ParseLeaf(b); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	for _, n := range []int{0, LeafSize - 1} {
		if _, err := ParseLeaf(good[:n]); err == nil {
			t.Errorf("%d bytes: taken", n)
		}
	}
	if l, err := ParseLeaf(good[:]); err != nil || *l != *good {
		t.Error(err)
	}
}

func TestKeysAreNotPrinted(t *testing.T) {
	if got := fmt.Sprint(New(group), NewLeafKey(), newTree(nil, [32]byte{}, new([32]byte))); got != "[secret] [secret] [secret]" {
		t.Error(got)
	}
	leaf := NewLeafKey()
	again, err := ParseLeafKey(leaf.Bytes())
	if err != nil || *again.Public() != *leaf.Public() {
		t.Error(err)
	}
}

func FuzzParseRekey(f *testing.F) {
	f.Add((&Rekey{Members: []Member{{1}}, Heads: []ID{{1}}}).Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := ParseRekey(Member{}, [32]byte{}, b); err == nil && !bytes.Equal(r.Append(nil), b) {
			t.Fatal("two encodings of one rekey")
		}
	})
}

func FuzzParseStep(f *testing.F) {
	f.Add((&Step{Heads: []StepHead{{Head: Head{ID{1}, 1}}}}).Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := ParseStep([32]byte{}, b); err == nil && !bytes.Equal(s.Append(nil), b) {
			t.Fatal("two encodings of one step")
		}
	})
}

func FuzzParseList(f *testing.F) {
	f.Add(List{{ID{1}, 1}}.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if l, err := ParseList(b); err == nil && !bytes.Equal(l.Append(nil), b) {
			t.Fatal("two encodings of one list")
		}
	})
}

func FuzzParseLeaf(f *testing.F) {
	f.Add(NewLeafKey().Public()[:], NewLeafKey().Bytes())
	f.Fuzz(func(t *testing.T, b, private []byte) {
		if l, err := ParseLeaf(b); err == nil {
			if _, err := seal(Recipient{Leaf: l}, 0, nil, []byte("seed")); err != nil {
				t.Fatal("a leaf that nothing can be sealed to")
			}
		}
		if k, err := ParseLeafKey(private); err == nil && !bytes.Equal(k.Bytes(), private) {
			t.Fatal("two encodings of one leaf key")
		}
	})
}
