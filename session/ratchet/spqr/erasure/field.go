package erasure

// reduction is the low half of the field polynomial x^16 + x^12 + x^3 + x + 1,
// the primitive polynomial of RFC 5510, section 8.1, for 16-bit elements.
const reduction = 0x100b

// double returns a times x.
func double(a uint16) uint16 {
	return a<<1 ^ reduction*(a>>15)
}

// mul returns a times b. Everything in this package is public data, so there
// is nothing to hide in the time it takes.
func mul(a, b uint16) uint16 {
	var p uint16
	for ; b != 0; b >>= 1 {
		p ^= a * (b & 1)
		a = double(a)
	}
	return p
}

// inverse returns 1/a, which is a^(2^16-2), for a != 0.
func inverse(a uint16) uint16 {
	p := uint16(1)
	for range 15 {
		a = mul(a, a)
		p = mul(p, a)
	}
	return p
}

// invert replaces every element of a, none of which is zero, by its inverse:
// one inversion and three multiplications an element (Montgomery's trick).
func invert(a []uint16) {
	var buf [maxSource]uint16
	prefix := buf[:len(a)]
	p := uint16(1)
	for i, v := range a {
		prefix[i] = p
		p = mul(p, v)
	}
	p = inverse(p)
	for i := len(a) - 1; i >= 0; i-- {
		a[i], p = mul(p, prefix[i]), mul(p, a[i])
	}
}

// addScaled adds c times the sixteen elements of src to dst. Multiplication by
// a fixed c is linear over the bits of the other factor, so four tables of
// sixteen products, one per nibble, replace sixteen long multiplications.
func addScaled(dst *[elements]uint16, c uint16, src []byte) {
	var t [4][16]uint16
	for n := range t {
		for bit := 1; bit < 16; bit <<= 1 {
			for i := range bit {
				t[n][bit+i] = t[n][i] ^ c
			}
			c = double(c)
		}
	}
	for i := range dst {
		hi, lo := src[2*i], src[2*i+1]
		dst[i] ^= t[3][hi>>4] ^ t[2][hi&15] ^ t[1][lo>>4] ^ t[0][lo&15]
	}
}
