// Package key encodes public keys and agrees on X25519 secrets.
//
// A key outside a fixed layout of our own carries a byte that says what it is,
// so that a key of one kind is never taken for one of another (PQXDH section
// 2.1: the ranges of EncodeEC and EncodeKEM are disjoint).
//
//	EncodeEC    0x05 ‖ X25519 u-coordinate 32
//	EncodeEd    0x0e ‖ Ed25519 public key 32
//	EncodeKEM   0x0a ‖ ML-KEM-1024 encapsulation key 1568
//	ciphertext  0x0b ‖ ML-KEM-1024 ciphertext 1568
//
// An X25519 key is refused when its u-coordinate is not canonical (2^255 - 19
// or more, or the top bit set), and an agreement when its result is all zero.
package key

import (
	"crypto/mlkem"
	"crypto/rand"
	"errors"

	"github.com/cloudflare/circl/dh/x25519"

	"starling/session/internal/secret"
)

// Type bytes.
const (
	TypeX25519     = 0x05
	TypeEd25519    = 0x0e
	TypeKEM        = 0x0a
	TypeCiphertext = 0x0b
)

// Sizes of encoded keys in bytes, type byte included.
const (
	SizeEC         = 1 + 32
	SizeEd         = 1 + 32
	SizeKEM        = 1 + mlkem.EncapsulationKeySize1024
	SizeCiphertext = 1 + mlkem.CiphertextSize1024
)

// ErrInvalid is returned for every key that is refused.
var ErrInvalid = errors.New("invalid key")

// Public is an X25519 public key: a canonical u-coordinate.
type Public [32]byte

// ParsePublic checks that u is canonical. It does not find points of low
// order: [Private.Agree] does.
func ParsePublic(u []byte) (p Public, err error) {
	if len(u) != len(p) || !canonical(u) {
		return Public{}, ErrInvalid
	}
	copy(p[:], u)
	return p, nil
}

// DecodeEC parses what AppendEC wrote.
func DecodeEC(b []byte) (Public, error) {
	if len(b) != SizeEC || b[0] != TypeX25519 {
		return Public{}, ErrInvalid
	}
	return ParsePublic(b[1:])
}

// AppendEC appends EncodeEC(p).
func (p Public) AppendEC(b []byte) []byte { return append(append(b, TypeX25519), p[:]...) }

// canonical reports whether the little-endian u is below 2^255 - 19.
func canonical(u []byte) bool {
	if u[31] != 0x7f {
		return u[31] < 0x7f
	}
	for _, b := range u[1:31] {
		if b != 0xff {
			return true
		}
	}
	return u[0] < 0xed
}

// Private is an X25519 private key with its public key.
type Private struct {
	secret.Hidden

	scalar x25519.Key
	public Public
}

// Generate makes a fresh key.
func Generate() (p Private) {
	rand.Read(p.scalar[:])
	x25519.KeyGen((*x25519.Key)(&p.public), &p.scalar)
	return p
}

// ParsePrivate takes what Bytes returned.
func ParsePrivate(b []byte) (p Private, err error) {
	if len(b) != len(p.scalar) {
		return Private{}, ErrInvalid
	}
	copy(p.scalar[:], b)
	x25519.KeyGen((*x25519.Key)(&p.public), &p.scalar)
	return p, nil
}

// Restore is ParsePrivate for a key whose public key was stored with it: it
// saves computing that again.
func Restore(scalar [32]byte, public Public) Private { return Private{scalar: scalar, public: public} }

// Public returns the public key.
func (p Private) Public() Public { return p.public }

// Bytes returns the 32-byte scalar.
func (p Private) Bytes() []byte { return append([]byte(nil), p.scalar[:]...) }

// Agree computes X25519 and refuses a non-canonical peer and a result of all
// zeros.
func (p Private) Agree(peer Public) (secret [32]byte, err error) {
	if !canonical(peer[:]) {
		return secret, ErrInvalid
	}
	if !x25519.Shared((*x25519.Key)(&secret), &p.scalar, (*x25519.Key)(&peer)) {
		return [32]byte{}, ErrInvalid
	}
	return secret, nil
}
