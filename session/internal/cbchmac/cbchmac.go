// Package cbchmac is the authenticated encryption of the session layer:
// AES-256-CBC with PKCS #7 padding, then HMAC-SHA-256 over the associated data
// and the ciphertext, tag not truncated (Double Ratchet section 7.2).
//
//	key         AES-256 key 32 ‖ HMAC key 32
//	ciphertext  CBC(IV, plaintext ‖ padding 1..16)
//	sealed      ciphertext ‖ tag 32
//	tag         HMAC-SHA-256(HMAC key, AD ‖ ciphertext)
//
// The tag commits to the HMAC key, and both halves of a key are derived together:
// finding a ciphertext that opens under two keys is finding a collision of
// HMAC-SHA-256. That matters here, because a receiver tries several header keys
// on one header.
//
// The associated data has a fixed width wherever a key is used; the IV is
// either derived with the key or part of the associated data.
package cbchmac

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"

	"starling/session/internal/kdf"
)

// Sizes in bytes.
const (
	KeySize = 64
	IVSize  = aes.BlockSize
	TagSize = kdf.Size
)

// SealedSize is the length of n sealed bytes.
func SealedSize(n int) int { return n + aes.BlockSize - n%aes.BlockSize + TagSize }

// PlainSize is the length of the longest plaintext with a sealed form of n bytes; n is
// a multiple of 16.
func PlainSize(n int) int { return n - TagSize - 1 }

// Seal appends the sealed form of plaintext to dst.
func Seal(dst []byte, key *[KeySize]byte, iv *[IVSize]byte, plaintext []byte, ad ...[]byte) []byte {
	block, err := aes.NewCipher(key[:32])
	if err != nil {
		panic("cbchmac: " + err.Error()) // unreachable: the key has 32 bytes
	}
	start := len(dst)
	dst = append(dst, plaintext...)
	pad := aes.BlockSize - len(plaintext)%aes.BlockSize
	for range pad {
		dst = append(dst, byte(pad))
	}
	ciphertext := dst[start:]
	cipher.NewCBCEncrypter(block, iv[:]).CryptBlocks(ciphertext, ciphertext)
	t := tag(key, ciphertext, ad)
	return append(dst, t[:]...)
}

// Open appends the plaintext of sealed to dst. It reports false, and nothing else, when
// sealed was not made by Seal under the same key, IV and ad.
func Open(dst []byte, key *[KeySize]byte, iv *[IVSize]byte, sealed []byte, ad ...[]byte) ([]byte, bool) {
	n := len(sealed) - TagSize
	if n < aes.BlockSize || n%aes.BlockSize != 0 || !Verify(key, sealed, ad...) {
		return dst, false
	}

	block, err := aes.NewCipher(key[:32])
	if err != nil {
		panic("cbchmac: " + err.Error()) // unreachable: the key has 32 bytes
	}

	start := len(dst)
	dst = append(dst, sealed[:n]...)
	plaintext := dst[start:]
	cipher.NewCBCDecrypter(block, iv[:]).CryptBlocks(plaintext, plaintext)

	// PKCS #7: so many bytes of padding, each of which is their number.
	pad := int(plaintext[n-1])
	if pad < 1 || pad > aes.BlockSize {
		clear(plaintext)
		return dst[:start], false
	}
	for _, b := range plaintext[n-pad:] {
		if int(b) != pad {
			clear(plaintext)
			return dst[:start], false
		}
	}

	return dst[:start+n-pad], true
}

// Verify reports whether the tag of sealed is right.
func Verify(key *[KeySize]byte, sealed []byte, ad ...[]byte) bool {
	n := len(sealed) - TagSize
	if n < 0 {
		return false
	}
	want := tag(key, sealed[:n], ad)
	return subtle.ConstantTimeCompare(want[:], sealed[n:]) == 1
}

func tag(key *[KeySize]byte, ciphertext []byte, ad [][]byte) [TagSize]byte {
	var parts [4][]byte // on the stack for the present callers
	return kdf.MAC(key[32:], append(append(parts[:0], ad...), ciphertext)...)
}
