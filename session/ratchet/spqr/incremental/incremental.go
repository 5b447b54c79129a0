// Package incremental is ML-KEM-768 (FIPS 203) cut in two, as the ML-KEM Braid
// (revision 1, section 1.2) needs it: encapsulation can begin when only a
// 64-byte header of the encapsulation key has arrived.
//
//	header  64 B   ρ (32) ‖ H(ek) (32)      sent first
//	vector  1,152  t̂, 12 bits a coefficient
//	ct1     960    u, compressed: needs the header only
//	ct2     128    v, compressed: needs the header and the vector
//
// The encapsulation key of FIPS 203 is ek = vector ‖ ρ, its H(ek) is
// SHA3-256(ek), and ct1 ‖ ct2 is its ciphertext, byte for byte: Decapsulate is
// crypto/mlkem's. (The Braid writes the hash as SHA3-256(ek_seed ‖ ek_vector);
// ML-KEM fixes the order.)
//
// The message m, 32 random bytes, and the coins r of (K, r) = SHA3-512(m ‖
// H(ek)) give u = Aᵀ·r + e₁ and v = t̂·r + e₂ + m, with A from ρ. Only v
// involves t̂, so K-PKE run with any t̂ gives the right ct1, and run again with
// the right one and the same m gives the right ct2. K-PKE is circl's.
package incremental

import (
	"crypto/mlkem"
	"crypto/rand"
	"crypto/sha3"
	"crypto/subtle"
	"errors"

	"github.com/cloudflare/circl/pke/kyber/kyber768"

	"starling/session/internal/secret"
)

// Sizes in bytes.
const (
	HeaderSize = 64
	VectorSize = mlkem.EncapsulationKeySize768 - seedSize
	Ct1Size    = 960
	Ct2Size    = mlkem.CiphertextSize768 - Ct1Size
	SharedSize = mlkem.SharedKeySize

	// KeySize is the size of a stored decapsulation key: the seed (d, z).
	KeySize = mlkem.SeedSize

	// SecretSize is the size of m, which Encaps1 and Encaps2 share.
	SecretSize = 32

	seedSize = 32
)

// ErrKey is returned for an encapsulation key that is not one, or that is not
// the one its header announced.
var ErrKey = errors.New("incremental: encapsulation key does not fit its header")

// Key is a decapsulation key.
type Key struct {
	secret.Hidden

	dk *mlkem.DecapsulationKey768
	ek []byte
}

// Generate makes a key from crypto/rand.
func Generate() (*Key, error) {
	var seed [KeySize]byte
	rand.Read(seed[:])
	return NewKey(&seed)
}

// NewKey returns the key of a seed that Seed returned.
func NewKey(seed *[KeySize]byte) (*Key, error) {
	dk, err := mlkem.NewDecapsulationKey768(seed[:])
	if err != nil {
		return nil, err
	}
	return &Key{dk: dk, ek: dk.EncapsulationKey().Bytes()}, nil
}

// Seed returns the 64 bytes from which NewKey makes the key again.
func (k *Key) Seed() [KeySize]byte { return [KeySize]byte(k.dk.Bytes()) }

// Header returns ρ ‖ H(ek).
func (k *Key) Header() [HeaderSize]byte {
	var h [HeaderSize]byte
	copy(h[:seedSize], k.ek[VectorSize:])
	sum := sha3.Sum256(k.ek)
	copy(h[seedSize:], sum[:])
	return h
}

// Vector returns the other part of the encapsulation key. The caller must not
// change it.
func (k *Key) Vector() *[VectorSize]byte { return (*[VectorSize]byte)(k.ek) }

// Decapsulate returns the shared secret of ct1 ‖ ct2, or a secret that nobody
// else knows if that is not a ciphertext for k (FIPS 203, implicit rejection).
func (k *Key) Decapsulate(ct1 *[Ct1Size]byte, ct2 *[Ct2Size]byte) ([SharedSize]byte, error) {
	var ct [mlkem.CiphertextSize768]byte
	copy(ct[:], ct1[:])
	copy(ct[Ct1Size:], ct2[:])
	ss, err := k.dk.Decapsulate(ct[:])
	if err != nil {
		return [SharedSize]byte{}, err
	}
	return [SharedSize]byte(ss), nil
}

// Encaps1 returns the first part of the ciphertext and the shared secret for
// the key that header announces and the secret m.
func Encaps1(header *[HeaderSize]byte, m *[SecretSize]byte) (ct1 [Ct1Size]byte, ss [SharedSize]byte) {
	ss, coins := expand(header, m)
	var ek [mlkem.EncapsulationKeySize768]byte
	copy(ek[VectorSize:], header[:seedSize])
	ct := encrypt(&ek, m, &coins)
	return [Ct1Size]byte(ct[:Ct1Size]), ss
}

// Encaps2 returns the second part, once the key vector is there. It refuses a
// vector that the header did not announce or FIPS 203, section 7.2, does not
// allow.
func Encaps2(header *[HeaderSize]byte, m *[SecretSize]byte, vector *[VectorSize]byte) (ct2 [Ct2Size]byte, err error) {
	var ek [mlkem.EncapsulationKeySize768]byte
	copy(ek[:], vector[:])
	copy(ek[VectorSize:], header[:seedSize])
	if err := check(header, &ek); err != nil {
		return ct2, err
	}
	_, coins := expand(header, m)
	ct := encrypt(&ek, m, &coins)
	return [Ct2Size]byte(ct[Ct1Size:]), nil
}

// Check reports with ErrKey a vector that does not belong to header.
func Check(header *[HeaderSize]byte, vector *[VectorSize]byte) error {
	var ek [mlkem.EncapsulationKeySize768]byte
	copy(ek[:], vector[:])
	copy(ek[VectorSize:], header[:seedSize])
	return check(header, &ek)
}

func check(header *[HeaderSize]byte, ek *[mlkem.EncapsulationKeySize768]byte) error {
	sum := sha3.Sum256(ek[:])
	if subtle.ConstantTimeCompare(sum[:], header[seedSize:]) != 1 {
		return ErrKey
	}
	if _, err := mlkem.NewEncapsulationKey768(ek[:]); err != nil {
		return ErrKey
	}
	return nil
}

// expand is (K, r) = G(m ‖ H(ek)), FIPS 203, algorithm 17.
func expand(header *[HeaderSize]byte, m *[SecretSize]byte) (k, r [32]byte) {
	var in [SecretSize + 32]byte
	copy(in[:], m[:])
	copy(in[SecretSize:], header[seedSize:])
	out := sha3.Sum512(in[:])
	clear(in[:])
	k, r = [32]byte(out[:32]), [32]byte(out[32:])
	clear(out[:])
	return k, r
}

func encrypt(ek *[mlkem.EncapsulationKeySize768]byte, m *[SecretSize]byte, coins *[32]byte) [mlkem.CiphertextSize768]byte {
	var pk kyber768.PublicKey
	var ct [mlkem.CiphertextSize768]byte
	pk.Unpack(ek[:])
	pk.EncryptTo(ct[:], m[:], coins[:])
	clear(coins[:])
	return ct
}
