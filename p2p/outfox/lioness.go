package outfox

import (
	"crypto/sha3"
	"crypto/subtle"

	"golang.org/x/crypto/blake2b"
	"golang.org/x/crypto/chacha20"
)

// LIONESS (Anderson and Biham, "Two practical and provably secure block ciphers:
// BEAR and LION", 1996) turns a stream cipher and a keyed hash into a block
// cipher as wide as the payload: a change of one bit anywhere leaves nothing of
// the plaintext. Here with ChaCha20, keyed BLAKE2b-256, and round keys that are
// the first 128 bytes of SHAKE128 of the master key.

const (
	lionessLeft = 32 // bytes of the left half: a ChaCha20 key, a BLAKE2b-256 sum
	keySize     = 32 // bytes of the master key and of each round key
)

// lionessNonce is the nonce of both ChaCha20 rounds. Each key serves one block.
var lionessNonce = [chacha20.NonceSize]byte([]byte("chacha20_iv\x00"))

// encipher enciphers the block in place under a master key. The block must be
// longer than lionessLeft.
func encipher(master *[keySize]byte, block []byte) {
	k := roundKeys(master)
	l, r := block[:lionessLeft], block[lionessLeft:]
	stream(r, l, k[0])
	sum(l, r, k[1])
	stream(r, l, k[2])
	sum(l, r, k[3])
}

// decipher undoes encipher: the same rounds in reverse order.
func decipher(master *[keySize]byte, block []byte) {
	k := roundKeys(master)
	l, r := block[:lionessLeft], block[lionessLeft:]
	sum(l, r, k[3])
	stream(r, l, k[2])
	sum(l, r, k[1])
	stream(r, l, k[0])
}

func roundKeys(master *[keySize]byte) (k [4][keySize]byte) {
	h := sha3.NewSHAKE128()
	h.Write(master[:])
	for i := range k {
		h.Read(k[i][:])
	}
	return k
}

// stream does R ^= ChaCha20(L ^ k).
func stream(r, l []byte, k [keySize]byte) {
	subtle.XORBytes(k[:], k[:], l)
	c, err := chacha20.NewUnauthenticatedCipher(k[:], lionessNonce[:])
	if err != nil {
		panic("outfox: " + err.Error()) // key and nonce have fixed sizes
	}
	c.XORKeyStream(r, r)
}

// sum does L ^= BLAKE2b(k, R).
func sum(l, r []byte, k [keySize]byte) {
	h, err := blake2b.New256(k[:])
	if err != nil {
		panic("outfox: " + err.Error())
	}
	h.Write(r)
	var s [blake2b.Size256]byte
	subtle.XORBytes(l, l, h.Sum(s[:0]))
}
