package outfox

import (
	"bytes"
	"encoding/hex"
	"testing"
)

// TestLionessVectors: vectors of the nim-libp2p project (Apache-2.0/MIT), blocks of
// 64 bytes.
func TestLionessVectors(t *testing.T) {
	counting := func() (k [keySize]byte) {
		for i := range k {
			k[i] = byte(i)
		}
		return k
	}()
	var mixed [64]byte
	for i := range mixed {
		mixed[i] = byte(31*i + 0x11)
	}
	same := [keySize]byte(bytes.Repeat([]byte{0xfe}, keySize))
	for _, tc := range []struct {
		name  string
		key   [keySize]byte
		plain []byte
		want  string
	}{
		{"counting key, same bytes", counting, bytes.Repeat([]byte{0x84}, 64), "c17d7f97f640feb6c7dcb4cf22d53c5e265e822ac3f9a51a422bc28ca4ebc72eecb90c265a8c4a92a0aabb1d08ce90e3a2ce1f0a6a49d5a7bf9f8bdb2a9ec0f2"},
		{"counting key, mixed bytes", counting, mixed[:], "c73dfd045a98e5f3d074a8d96c3fe366dd4c1fe10b04912b155887630a614fd1c97bbe176845817080fffc623de63e5406448be30ec8c62a6e2eb9556929a9bc"},
		{"key of one byte", same, bytes.Repeat([]byte{0x84}, 64), "f885d2c8958b1110025b3385fc7d6f1c23aa99fb1e2f3bff96a2332328224fbf2284fbf12201c4a0a86a1754efff4cf9b4a91d16dafc5dbae9944079488b4ea4"},
	} {
		b := bytes.Clone(tc.plain)
		encipher(&tc.key, b)
		if got := hex.EncodeToString(b); got != tc.want {
			t.Errorf("%s:\n got %s\nwant %s", tc.name, got, tc.want)
		}
		decipher(&tc.key, b)
		if !bytes.Equal(b, tc.plain) {
			t.Errorf("%s: deciphering gave %x", tc.name, b)
		}
	}
}
