package keys

import (
	"testing"

	"starling/session/internal/kdf"
)

// BenchmarkRekey is a rekey for 32 people, and what one of them has to do.
func BenchmarkRekey(b *testing.B) {
	var to []Recipient
	leaf := NewLeafKey()
	for i := range 32 {
		to = append(to, Recipient{Member: Member{byte(i)}, Leaf: leaf.Public()})
	}
	b.Run("made", func(b *testing.B) {
		for b.Loop() {
			if _, _, err := New(group).Rekey(Member{}, [32]byte{}, to); err != nil {
				b.Fatal(err)
			}
		}
	})
	r, sealed, _ := New(group).Rekey(Member{}, [32]byte{}, to)
	b.Run("opened", func(b *testing.B) {
		for b.Loop() {
			k := New(group)
			k.Take(r)
			if _, err := k.Open(r.ID(group), Member{5}, leaf, sealed[5]); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("first cell of a sender", func(b *testing.B) {
		k := New(group)
		k.Take(r)
		k.Open(r.ID(group), Member{5}, leaf, sealed[5])
		n := uint64(0)
		for b.Loop() {
			n++
			from := Member{byte(n), byte(n >> 8), byte(n >> 16), byte(n >> 24)}
			if k.OpenCell(k.List().Digest(), from, Nonce{}, 0, func(MessageKey) bool { return true }) != nil {
				b.Fatal("refused")
			}
			if n%64 == 0 {
				k.lists = map[Digest][]*tree{}
				k.rekeys[r.ID(group)].held = false
				k.rekeys[r.ID(group)].m = map[uint16][kdf.Size]byte{}
				k.Open(r.ID(group), Member{5}, leaf, sealed[5])
			}
		}
	})
}
