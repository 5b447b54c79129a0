package outfox

import (
	"crypto/hpke"
	"crypto/subtle"
	"log/slog"
)

// PublicKey is a hop's mix key of one epoch. The zero value is no key.
type PublicKey struct {
	key hpke.PublicKey
}

// ParsePublicKey reads the 32 bytes of a public key.
func ParsePublicKey(b []byte) (PublicKey, error) {
	if len(b) != publicSize {
		return PublicKey{}, ErrRefused
	}
	k, err := kem.NewPublicKey(b)
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
	return k.key.Bytes()
}

// IsZero reports whether k is no key.
func (k PublicKey) IsZero() bool { return k.key == nil }

// Equal reports whether both are the same key.
func (k PublicKey) Equal(o PublicKey) bool {
	return subtle.ConstantTimeCompare(k.Bytes(), o.Bytes()) == 1
}

// PrivateKey opens the layers made for its public key. It lives in memory only:
// who keeps it can open what was recorded.
type PrivateKey struct {
	key hpke.PrivateKey
}

// NewPrivateKey makes a key.
func NewPrivateKey() (*PrivateKey, error) {
	k, err := kem.GenerateKey()
	if err != nil {
		return nil, err
	}
	return &PrivateKey{k}, nil
}

// Public returns the key to hand out.
func (k *PrivateKey) Public() PublicKey { return PublicKey{k.key.PublicKey()} }

// String hides the key.
func (k *PrivateKey) String() string { return "outfox private key" }

// GoString hides the key from %#v.
func (k *PrivateKey) GoString() string { return k.String() }

// LogValue hides the key from logs.
func (k *PrivateKey) LogValue() slog.Value { return slog.StringValue(k.String()) }
