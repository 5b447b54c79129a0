package erasure

import "encoding/binary"

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

// lanes are the sixteen elements of a chunk, four to a word.
type lanes [ChunkSize / 8]uint64

func (l *lanes) load(b []byte) {
	for i := range l {
		l[i] = binary.BigEndian.Uint64(b[8*i:])
	}
}

func (l *lanes) bytes() (b [ChunkSize]byte) {
	for i, w := range l {
		binary.BigEndian.PutUint64(b[8*i:], w)
	}
	return b
}

// combine returns Σ factors[i]·values[i], by Horner's rule over the bits of all
// factors at once: sixteen doublings however many terms there are.
func combine(factors []uint16, values []lanes) (sum lanes) {
	const (
		low  = 0x0001_0001_0001_0001
		rest = 0xfffe_fffe_fffe_fffe
	)
	for bit := 15; bit >= 0; bit-- {
		for j, w := range sum {
			sum[j] = w<<1&rest ^ w>>15&low*reduction
		}
		for i, f := range factors {
			mask := -uint64(f >> bit & 1)
			for j, w := range values[i] {
				sum[j] ^= w & mask
			}
		}
	}
	return sum
}
