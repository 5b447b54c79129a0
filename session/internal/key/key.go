// Package key encodes public keys and agrees on X25519 secrets.
//
// A key outside a fixed layout of our own carries a byte for its kind, so that a key of
// one kind is never taken for one of another (PQXDH section 2.1: the ranges of EncodeEC
// and EncodeKEM are disjoint).
//
//	EncodeEC    0x05 ‖ X25519 u-coordinate 32
//	EncodeEd    0x0e ‖ Ed25519 public key 32
//	EncodeKEM   0x0a ‖ ML-KEM-1024 encapsulation key 1568
//	ciphertext  0x0b ‖ ML-KEM-1024 ciphertext 1568
//
// An X25519 key is refused by its reader if its u-coordinate is not canonical (2^255 -
// 19 or more, or the top bit set), or one of the five of low order. An agreement is
// refused if its result is all zero.
package key

import (
	"crypto/mlkem"
	"crypto/rand"
	"errors"
	"slices"

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

// lowOrder are the five points, on the curve and on its twist, every agreement with
// which is all zero.
var lowOrder = [...]Public{
	{0},
	{1},
	{0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a,
		0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00},
	{0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef, 0x5b,
		0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57},
	{0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
}

// ParsePublic reads a key that somebody else has chosen: the one door for these.
func ParsePublic(u []byte) (p Public, err error) {
	if len(u) != len(p) || !canonical(u) || slices.Contains(lowOrder[:], Public(u)) {
		return Public{}, ErrInvalid
	}
	copy(p[:], u)
	return p, nil
}

// DecodeEC parses the encoding of AppendEC.
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

// ParsePrivate reads the encoding of Bytes.
func ParsePrivate(b []byte) (p Private, err error) {
	if len(b) != len(p.scalar) {
		return Private{}, ErrInvalid
	}
	copy(p.scalar[:], b)
	x25519.KeyGen((*x25519.Key)(&p.public), &p.scalar)
	return p, nil
}

// Restore is ParsePrivate for a key with a stored public key: it saves computing that
// again.
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
