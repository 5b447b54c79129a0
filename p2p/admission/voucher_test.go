package admission

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"reflect"
	"testing"

	"starling/p2p/directory"
	"starling/p2p/wire"
)

// TestBar: an examiner is among the lowest n if fewer than n other relays rank below it,
// whether it stands in the list or not, and all are in a list of n.
func TestBar(t *testing.T) {
	id := func(n int) (id wire.NodeID) {
		binary.BigEndian.PutUint64(id[:], uint64(n))
		return id
	}
	for _, size := range []int{0, 1, 7, 8, 9, 10, 40} {
		for day := range uint32(5) {
			var all []*directory.Descriptor
			for i := range size {
				all = append(all, &directory.Descriptor{ID: id(i)})
			}
			relay := id(0)
			b := barOf(8, day, relay, all)
			for i := 1; i < size+5; i++ {
				own := rank(day, relay, id(i))
				below := 0
				for j := 1; j < size; j++ {
					if other := rank(day, relay, id(j)); j != i && bytes.Compare(other[:], own[:]) < 0 {
						below++
					}
				}
				if got := b.holds(id(i)); got != (below < 8 || size <= 8) {
					t.Fatalf("of %d relays, day %d: %d rank below examiner %d, among the lowest 8: %v", size, day, below, i, got)
				}
			}
		}
	}
}

// TestCandidateAgain: the descriptor of a candidate costs no signature when it comes
// again, and one with other bytes does, be it those of the signature alone.
func TestCandidateAgain(t *testing.T) {
	w := newWorld(t, 80)
	r := newRelay(t, 1000)
	n := r.vouch(t, Day(start), w.examiners(r)[0])
	if err := w.Hear(n); !errors.Is(err, ErrUnvouched) {
		t.Fatal(err)
	}
	first, err := w.parse(n.Raw)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := w.parse(n.Raw); err != nil || again != first {
		t.Errorf("the same bytes were verified anew: %v", err)
	}
	for i := len(n.Raw) - ed25519.SignatureSize; i < len(n.Raw); i++ {
		forged := bytes.Clone(n.Raw)
		forged[i] ^= 1
		if _, err := w.parse(forged); !errors.Is(err, directory.ErrSignature) {
			t.Fatalf("another byte %d: %v", i, err)
		}
	}
	if _, err := w.parse(n.Raw[:20]); !errors.Is(err, directory.ErrMalformed) {
		t.Errorf("a piece of it: %v", err)
	}
}

// FuzzCandidate: a register with a candidate reads what anybody else reads.
func FuzzCandidate(f *testing.F) {
	w := newWorld(f, 20)
	r := newRelay(f, 1000)
	n := r.vouch(f, Day(start), w.examiners(r)[0])
	if err := w.Hear(n); !errors.Is(err, ErrUnvouched) {
		f.Fatal(err)
	}
	f.Add(n.Raw)
	f.Add(newRelay(f, 1001).sign(f))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := w.parse(b)
		want, wantErr := directory.Parse(b)
		if err != wantErr || !reflect.DeepEqual(got, want) {
			t.Fatalf("%v, %v; without the register %v, %v", got, err, want, wantErr)
		}
	})
}
