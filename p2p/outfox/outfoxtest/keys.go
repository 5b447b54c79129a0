// Package outfoxtest lists public keys that must be refused, for tests of all doors
// by which they may come.
package outfoxtest

import (
	"math/big"
	"slices"
)

// BadKeys returns the X25519 keys of low order and all encodings that are not
// canonical: those of 2^255 - 19 and beyond, and both kinds with the highest bit set.
func BadKeys() (bad [][]byte) {
	prime := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19))
	low := func(hex string) *big.Int {
		n, ok := new(big.Int).SetString(hex, 16)
		if !ok {
			panic("not a number")
		}
		return n
	}

	for _, n := range []*big.Int{
		new(big.Int), big.NewInt(1), new(big.Int).Sub(prime, big.NewInt(1)),
		low("00b8495f16056286fdb1329ceb8d09da6ac49ff1fae35616aeb8413b7c7aebe0"),
		low("57119fd0dd4e22d8868e1c58c45c44045bef839c55b1d0b1248c50a3bc959c5f"),
	} {
		bad = append(bad, littleEndian(n))
	}

	for n := range int64(19) {
		bad = append(bad, littleEndian(new(big.Int).Add(prime, big.NewInt(n))))
	}
	for _, b := range slices.Clone(bad) {
		high := slices.Clone(b)
		high[31] |= 0x80
		bad = append(bad, high)
	}
	return bad
}

func littleEndian(n *big.Int) []byte {
	b := n.FillBytes(make([]byte, 32))
	slices.Reverse(b)
	return b
}
