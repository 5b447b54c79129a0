package recall

import (
	"bytes"
	"net/netip"
	"testing"
	"time"

	"starling/p2p/directory"
	"starling/p2p/guard"
	"starling/p2p/mix"
	"starling/p2p/wire"
)

func state() *State {
	address := directory.Address{AddrPort: netip.MustParseAddrPort("11.0.0.1:4001")}
	until := time.Unix(1_800_000_000, 0)
	return &State{
		Guards: guard.List{Guards: []guard.Guard{
			{ID: wire.NodeID{1}, Address: address, Until: until, Seen: until},
			{ID: wire.NodeID{2}, Address: address, Until: until, Seen: until},
		}},
		Pins:        []mix.Pin{{ID: wire.NodeID{3}, Until: until}, {ID: wire.NodeID{4}, Until: until}},
		Descriptors: [][]byte{[]byte("one"), bytes.Repeat([]byte{2}, directory.MaxDescriptor)},
	}
}

func TestRoundTrip(t *testing.T) {
	b := state().Append(nil)
	s, err := Parse(b)
	if err != nil || !bytes.Equal(s.Append(nil), b) {
		t.Fatalf("%+v: %v", s, err)
	}
	if len(s.Guards.Guards) != 2 || len(s.Pins) != 2 || len(s.Descriptors) != 2 {
		t.Errorf("%+v", s)
	}
	empty := (&State{}).Append(nil)
	if s, err := Parse(empty); err != nil || len(s.Pins) != 0 {
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
		if _, err := Parse(b[:n]); (err == nil) != whole[n] {
			t.Errorf("cut at %d: %v", n, err)
		}
	}
	for name, b := range map[string][]byte{
		"version":         append([]byte{2}, b[1:]...),
		"long descriptor": AppendDescriptors((&State{}).Append(nil), [][]byte{make([]byte, directory.MaxDescriptor+1)}),
		"no descriptor":   AppendDescriptors((&State{}).Append(nil), [][]byte{nil}),
	} {
		if _, err := Parse(b); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(state().Append(nil))
	f.Add((&State{}).Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := Parse(b); err == nil && !bytes.Equal(s.Append(nil), b) {
			t.Fatalf("%x is not written as it was read", b)
		}
	})
}
