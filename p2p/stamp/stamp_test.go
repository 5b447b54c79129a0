package stamp

import (
	"context"
	"testing"

	"starling/p2p/wire"
)

// TestFind: a stamp has the bits that it was made with, and is good for nothing else.
func TestFind(t *testing.T) {
	const bits = 12
	offer := For("a\x00", wire.NodeID{1}, 2, []byte{3})
	n, err := offer.Find(t.Context(), bits)
	if err != nil || n == 0 || offer.Bits(n) < bits {
		t.Fatalf("%d with %d bits: %v", n, offer.Bits(n), err)
	}
	for name, other := range map[string]Offer{
		"label":  For("b\x00", wire.NodeID{1}, 2, []byte{3}),
		"relay":  For("a\x00", wire.NodeID{2}, 2, []byte{3}),
		"period": For("a\x00", wire.NodeID{1}, 3, []byte{3}),
		"buyer":  For("a\x00", wire.NodeID{1}, 2, []byte{4}),
	} {
		if other == offer {
			t.Errorf("another %s is the same offer", name)
		}
	}
}

// TestFindEnds: a price that nobody can pay ends with the patience of the buyer.
func TestFindEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	offer := For("a\x00", wire.NodeID{1}, 2, nil)
	if _, err := offer.Find(ctx, 64); err == nil {
		t.Error("found 64 zero bits")
	}
}

func BenchmarkFind(b *testing.B) {
	for i := range b.N {
		offer := For("a\x00", wire.NodeID{1}, uint32(i), nil)
		if _, err := offer.Find(b.Context(), 20); err != nil {
			b.Fatal(err)
		}
	}
}
