// Package keytest lists X25519 public keys that must be refused, for tests.
package keytest

import (
	"encoding/hex"

	"starling/session/internal/key"
)

// LowOrder returns the canonical keys of low order: every agreement with one of
// them is all zeros.
func LowOrder() []key.Public {
	return parse(
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
		"5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	)
}

// NonCanonical returns keys at and beyond 2^255 - 19: all 19 below 2^255, and
// with the top bit set those of low order and the base point.
func NonCanonical() (keys []key.Public) {
	for b := 0xed; b <= 0xff; b++ {
		k := LowOrder()[4]
		k[0] = byte(b)
		keys = append(keys, k)
	}
	for _, k := range append(LowOrder(), key.Public{9}) {
		k[31] |= 0x80
		keys = append(keys, k)
	}
	return keys
}

// Bad returns all of them.
func Bad() []key.Public { return append(LowOrder(), NonCanonical()...) }

func parse(texts ...string) (keys []key.Public) {
	for _, s := range texts {
		b, err := hex.DecodeString(s)
		if err != nil {
			panic(err)
		}
		keys = append(keys, key.Public(b))
	}
	return keys
}
