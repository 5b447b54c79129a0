package outfox

import (
	"math/big"
	"slices"
	"testing"
)

// addOrderTwo returns the u coordinate of P + T, where T = (0, 0) is the point of
// order two of Curve25519: for y² = x³ + Ax² + x, adding (0, 0) maps u to 1/u.
func addOrderTwo(t *testing.T, u []byte) []byte {
	t.Helper()
	prime := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19))
	be := slices.Clone(u)
	slices.Reverse(be)
	be[0] &= 0x7f
	x := new(big.Int).SetBytes(be)
	if x.ModInverse(x, prime) == nil {
		t.Fatal("u is zero")
	}
	out := x.FillBytes(make([]byte, 32))
	slices.Reverse(out)
	return out
}

// sealLayer makes a layer with any plaintext.
func sealLayer(t *testing.T, to PublicKey, layer int, plain []byte) []byte {
	t.Helper()
	header, _, err := seal(to, layer, testEpoch, plain)
	if err != nil {
		t.Fatal(err)
	}
	return header
}
