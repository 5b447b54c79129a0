package censor

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	"starling/p2p/wire"
)

// ranked returns ways in the order in which they stand.
func ranked(m *Memory, ways ...wire.NodeID) []wire.NodeID {
	slices.SortStableFunc(ways, func(a, b wire.NodeID) int { return m.Place(a) - m.Place(b) })
	return ways
}

// TestWaysRanked: in each network the way that led in last comes first, also at the next
// start; of ever new ones the last are remembered, and no name of one, or of a network, is
// on the disk.
func TestWaysRanked(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	m := New(2, 1, func() time.Time { return now })
	a, b, c := wire.NodeID{1, 0xaa}, wire.NodeID{2, 0xbb}, wire.NodeID{3, 0xcc}
	m.Enter("home")
	if !m.Led(a) || !m.Led(b) || m.Led(a) {
		t.Error("a way is new once")
	}
	m.Led(Straight)
	m.Led(b)
	m.Enter("café")
	if m.Place(a) != MaxWays || m.Place(Straight) != MaxWays {
		t.Error("what worked elsewhere counts")
	}
	m.Led(c)

	kept := m.Append(nil)
	for _, word := range [][]byte{a[:8], b[:8], c[:8], []byte("home"), []byte("café")} {
		if bytes.Contains(kept, word) {
			t.Errorf("%x is on the disk", word)
		}
	}
	o := New(2, 1, func() time.Time { return now })
	if err := o.Restore(kept); err != nil {
		t.Fatal(err)
	}
	o.Enter("home")
	if got, want := ranked(o, c, a, Straight, b), []wire.NodeID{b, Straight, a, c}; !slices.Equal(got, want) {
		t.Errorf("at home %v", got)
	}
	if o.Place(b) != 0 || o.Place(c) != MaxWays {
		t.Errorf("places %d, %d", o.Place(b), o.Place(c))
	}
	o.Enter("café")
	if got, want := ranked(o, a, b, c), []wire.NodeID{c, a, b}; !slices.Equal(got, want) {
		t.Errorf("in the café %v", got)
	}

	for i := range 10 * MaxNetworks {
		o.Enter(fmt.Sprint(i))
		for j := range 10 * MaxWays {
			o.Led(wire.NodeID{1, byte(j), byte(j >> 8)})
		}
	}
	if n := len(o.Append(nil)); n != MaxSize {
		t.Errorf("%d bytes, at most %d", n, MaxSize)
	}
	if last := 10*MaxWays - 1; o.Place(wire.NodeID{1, byte(last)}) != 0 || o.Place(wire.NodeID{1}) != MaxWays {
		t.Error("not the last are remembered")
	}
}

// TestOneWayInTwoNetworks: whoever reads the memory does not see that two networks have a way
// in common.
func TestOneWayInTwoNetworks(t *testing.T) {
	m := New(2, 1, nil)
	m.Enter("home")
	m.Led(relay)
	m.Enter("café")
	m.Led(relay)
	if kept := m.Append(nil); len(kept) != 17+2*(habitsSize+9) || bytes.Equal(kept[17+habitsSize+1:][:8], kept[17+2*habitsSize+10:][:8]) {
		t.Errorf("%x", kept)
	}
}

// TestEarlierMemory: that of a program which did not rank ways is taken over.
func TestEarlierMemory(t *testing.T) {
	m := New(2, 1, nil)
	m.Enter("home")
	m.Passed(relay, 2, true)
	kept := m.Append(nil)
	kept[16] &^= withWays
	kept = kept[:17+habitsSize]
	o := New(2, 1, nil)
	if err := o.Restore(kept); err != nil {
		t.Fatal(err)
	}
	o.Enter("home")
	if o.Disguise() != 2 || o.Place(relay) != MaxWays {
		t.Errorf("%+v", o.Habits())
	}
}

// TestDamagedWays: ways that are cut off, too many, twice, or followed by more are refused.
func TestDamagedWays(t *testing.T) {
	m := New(2, 1, nil)
	m.Enter("home")
	m.Led(wire.NodeID{1})
	m.Led(wire.NodeID{2})
	good := m.Append(nil)
	ways := 17 + habitsSize
	for name, edit := range map[string]func([]byte) []byte{
		"cut":            func(b []byte) []byte { return b[:len(b)-1] },
		"without number": func(b []byte) []byte { return b[:ways] },
		"too many":       func(b []byte) []byte { b[ways] = MaxWays + 1; return append(b, make([]byte, 200)...) },
		"twice":          func(b []byte) []byte { copy(b[ways+9:], b[ways+1:ways+9]); return b },
		"none":           func(b []byte) []byte { clear(b[ways+1 : ways+9]); return b },
		"more":           func(b []byte) []byte { return append(b, 0) },
		"networks":       func(b []byte) []byte { b[16]++; return b },
	} {
		if New(2, 1, nil).Restore(edit(bytes.Clone(good))) == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if err := New(2, 1, nil).Restore(good); err != nil {
		t.Error(err)
	}
}
