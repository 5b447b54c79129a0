package kdf

import "crypto/sha256"

// maxInput is the longest message of MAC in bytes: PQXDH's key material.
const maxInput = 192

// MAC is HMAC-SHA-256 (RFC 2104) of the parts, of at most maxInput bytes
// together, under a key of at most one block.
func MAC[T string | []byte](key []byte, parts ...T) [Size]byte {
	var in [sha256.BlockSize + maxInput]byte
	var out [sha256.BlockSize + Size]byte
	if len(key) > sha256.BlockSize {
		panic("kdf: key longer than a block")
	}
	copy(in[:], key)
	copy(out[:], key)
	for i := range sha256.BlockSize {
		in[i] ^= 0x36
		out[i] ^= 0x5c
	}
	n := sha256.BlockSize
	for _, p := range parts {
		if len(p) > len(in)-n {
			panic("kdf: input too long")
		}
		n += copy(in[n:], p)
	}
	inner := sha256.Sum256(in[:n])
	copy(out[sha256.BlockSize:], inner[:])
	clear(in[:])
	return sha256.Sum256(out[:])
}

// HKDF fills out, in order, from HKDF-SHA-256 (RFC 5869) of secret. Salt is at
// most 64 bytes, secret at most 192, info at most 159.
func HKDF(info string, salt, secret []byte, out ...[]byte) {
	prk := MAC(salt, secret)
	var block [Size + maxInput]byte // T(i-1) ‖ info ‖ i
	n := Size + copy(block[Size:maxInput-1], info)
	if n != Size+len(info) {
		panic("kdf: info too long")
	}
	start := Size // T(0) is empty
	var t [Size]byte
	used := Size // of t
	for _, o := range out {
		for len(o) > 0 {
			if used == Size {
				block[n]++
				if block[n] == 0 {
					panic("kdf: more than 8,160 bytes asked for")
				}
				t = MAC(prk[:], block[start:n+1])
				copy(block[:], t[:])
				start, used = 0, 0
			}
			c := copy(o, t[used:])
			used += c
			o = o[c:]
		}
	}
	clear(prk[:])
	clear(t[:])
	clear(block[:])
}
