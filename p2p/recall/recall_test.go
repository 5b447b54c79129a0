package recall

import (
	"bytes"
	"testing"
	"time"

	"starling/p2p/directory"
	"starling/p2p/guard"
	"starling/p2p/guard/guardtest"
	"starling/p2p/mix"
	"starling/p2p/wire"
)

func guards() *guard.Guards {
	g := guard.New(guard.Config{})
	w := guardtest.New(g)
	g.Relays(guardtest.Relays(0, 9), true)
	w.Run(time.Minute)
	return g
}

func state() *State {
	until := time.Unix(1_800_000_000, 0)
	return &State{
		Guards:      guards(),
		Pins:        []mix.Pin{{ID: wire.NodeID{3}, Until: until}, {ID: wire.NodeID{4}, Until: until}},
		Descriptors: [][]byte{[]byte("one"), bytes.Repeat([]byte{2}, directory.MaxDescriptor)},
	}
}

func empty() []byte { return (&State{Guards: guard.New(guard.Config{})}).Append(nil) }

func parse(b []byte) (*State, error) { return Parse(b, guard.Config{}) }

func TestRoundTrip(t *testing.T) {
	b := state().Append(nil)
	s, err := parse(b)
	if err != nil || !bytes.Equal(s.Append(nil), b) {
		t.Fatalf("%+v: %v", s, err)
	}
	if len(s.Guards.Met()) != 2 || len(s.Pins) != 2 || len(s.Descriptors) != 2 {
		t.Errorf("%+v", s)
	}
	if s, err := parse(empty()); err != nil || len(s.Pins) != 0 {
		t.Errorf("empty: %v", err)
	}
}

func TestDamaged(t *testing.T) {
	b := state().Append(nil)
	whole := map[int]bool{} // where a descriptor ends, what is before is a state
	s := state()
	for len(s.Descriptors) > 0 {
		s.Descriptors = s.Descriptors[:len(s.Descriptors)-1]
		whole[len(s.Append(nil))] = true
	}
	for n := range b {
		if _, err := parse(b[:n]); (err == nil) != whole[n] {
			t.Errorf("cut at %d: %v", n, err)
		}
	}
	for name, b := range map[string][]byte{
		"version":         append([]byte{1}, b[1:]...),
		"long descriptor": AppendDescriptors(empty(), [][]byte{make([]byte, directory.MaxDescriptor+1)}),
		"no descriptor":   AppendDescriptors(empty(), [][]byte{nil}),
	} {
		if _, err := parse(b); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(state().Append(nil))
	f.Add(empty())
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := parse(b); err == nil && !bytes.Equal(s.Append(nil), b) {
			t.Fatalf("%x is not written as it was read", b)
		}
	})
}
