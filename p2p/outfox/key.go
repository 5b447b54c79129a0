package outfox

import (
	"crypto/rand"
	"crypto/subtle"
	"log/slog"
	"slices"

	"github.com/cloudflare/circl/kem"
)

// PublicKey is a hop's mix key of one epoch. The zero value is no key.
type PublicKey struct {
	key kem.PublicKey
}

// lowOrder are the five points, on the curve and on its twist, with which X25519
// gives zero to everybody. A packet to one of them cannot be made.
var lowOrder = [...][publicSize]byte{
	{0},
	{1},
	{0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a,
		0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00},
	{0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef, 0x5b,
		0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57},
	{0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
}

// canonical reports whether a coordinate is below 2^255 - 19.
func canonical(u []byte) bool {
	if u[31] != 0x7f {
		return u[31] < 0x7f
	}
	return u[0] < 0xed || slices.ContainsFunc(u[1:31], func(b byte) bool { return b != 0xff })
}

// sound reports whether publicSize bytes are a key that something can be agreed on
// with.
func sound(b []byte) bool {
	return canonical(b) && !slices.Contains(lowOrder[:], [publicSize]byte(b))
}

// ParsePublicKey reads the 32 bytes of a public key. It refuses those that are of
// low order or not canonical: this is the one door for keys that others choose.
func ParsePublicKey(b []byte) (PublicKey, error) {
	if len(b) != publicSize || !sound(b) {
		return PublicKey{}, ErrRefused
	}
	k, err := scheme.UnmarshalBinaryPublicKey(b)
	if err != nil {
		return PublicKey{}, ErrRefused
	}
	return PublicKey{k}, nil
}

// Bytes returns the encoding, PublicKeySize bytes, or nil of the zero value.
func (k PublicKey) Bytes() []byte {
	if k.key == nil {
		return nil
	}
	b, err := k.key.MarshalBinary()
	if err != nil {
		panic("outfox: " + err.Error()) // it copies
	}
	return b
}

// IsZero reports whether k is no key.
func (k PublicKey) IsZero() bool { return k.key == nil }

// Equal reports whether both are the same key.
func (k PublicKey) Equal(o PublicKey) bool {
	return subtle.ConstantTimeCompare(k.Bytes(), o.Bytes()) == 1
}

// PrivateKey opens the layers made for its public key. It lives in memory only:
// with a stored key recorded packets could be opened.
type PrivateKey struct {
	key kem.PrivateKey
}

// NewPrivateKey makes a key.
func NewPrivateKey() (*PrivateKey, error) {
	b := make([]byte, scheme.PrivateKeySize())
	rand.Read(b)
	return parsePrivateKey(b)
}

func parsePrivateKey(b []byte) (*PrivateKey, error) {
	k, err := scheme.UnmarshalBinaryPrivateKey(b)
	if err != nil {
		return nil, err
	}
	k.Public() // the library keeps it from now on: peeling must find it there
	return &PrivateKey{k}, nil
}

// Public returns the key to hand out.
func (k *PrivateKey) Public() PublicKey { return PublicKey{k.key.Public()} }

// String hides the key.
func (k *PrivateKey) String() string { return "outfox private key" }

// GoString hides the key from %#v.
func (k *PrivateKey) GoString() string { return k.String() }

// LogValue hides the key from logs.
func (k *PrivateKey) LogValue() slog.Value { return slog.StringValue(k.String()) }
