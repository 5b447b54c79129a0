package kdf

import "crypto/sha256"

// onStack is up to how many bytes a message of MAC is put together on the
// stack; PQXDH's key material is the longest that matters.
const onStack = 192

// MAC is HMAC-SHA-256 (RFC 2104) of the parts, one after the other. The key
// has at most one block, 64 bytes.
func MAC(key []byte, parts ...[]byte) [Size]byte {
	if len(key) > sha256.BlockSize {
		panic("kdf: key longer than a block")
	}

	var in [sha256.BlockSize + onStack]byte
	var out [sha256.BlockSize + Size]byte
	copy(in[:], key)
	copy(out[:], key)
	for i := range sha256.BlockSize {
		in[i] ^= 0x36
		out[i] ^= 0x5c
	}

	total := 0
	for _, p := range parts {
		total += len(p)
	}

	// Short input is put together on the stack and hashed in one call.
	inner := out[sha256.BlockSize:]
	if total <= onStack {
		n := sha256.BlockSize
		for _, p := range parts {
			n += copy(in[n:], p)
		}
		sum := sha256.Sum256(in[:n])
		copy(inner, sum[:])
	} else {
		h := sha256.New()
		h.Write(in[:sha256.BlockSize])
		for _, p := range parts {
			h.Write(p)
		}
		h.Sum(inner[:0])
	}

	clear(in[:])
	return sha256.Sum256(out[:])
}

// maxInfo is the longest info of HKDF in bytes.
const maxInfo = onStack - Size - 1

// HKDF fills out, in order, from HKDF-SHA-256 (RFC 5869) of secret. Salt is at
// most 64 bytes, info at most 159.
func HKDF(info string, salt, secret []byte, out ...[]byte) {
	if len(info) > maxInfo {
		panic("kdf: info too long")
	}

	prk := MAC(salt, secret)
	var block [onStack]byte // T(i-1) ‖ info ‖ i
	n := Size + copy(block[Size:], info)
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
