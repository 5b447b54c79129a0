package members

import "encoding/hex"

// points are the points of low order of Ed25519 by their y, without the sign: also as they are written by those that
// do not reduce it.
var points = func() (all [7][KeySize]byte) {
	for i, y := range []string{
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	} {
		hex.Decode(all[i][:], []byte(y))
	}
	return all
}()

// lowOrder reports whether a key has signatures that anybody can make.
func lowOrder(public [KeySize]byte) bool {
	public[KeySize-1] &= 0x7f
	for _, p := range points {
		if p == public {
			return true
		}
	}
	return false
}
