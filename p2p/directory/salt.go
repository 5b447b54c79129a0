package directory

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
)

const (
	// SaltSize and CommitmentSize are sizes in bytes.
	SaltSize       = 16
	CommitmentSize = sha256.Size
	// WindowLength is how long one salt is the current one.
	WindowLength = 16 * 24 * time.Hour

	saltLabel = "starling/route-salt/2\x00"
)

// A Salt is a relay's part in the function that will choose, in a large mesh, the
// neighbours of each. It is published for a window, and promised one window ahead
// by its Commitment: to get a place beside somebody one would have to know the
// other's salt before choosing one's own.
type Salt [SaltSize]byte

// A Commitment is SHA-256 over a label and a salt.
type Commitment [CommitmentSize]byte

// Window numbers the time in windows since 1970.
func Window(t time.Time) uint32 { return uint32(t.Unix() / int64(WindowLength/time.Second)) }

// SaltOf returns a relay's salt of a window. It is made from the relay's key: a
// relay that starts again without its state says the same again.
func SaltOf(key crypto.PrivKey, window uint32) (s Salt, err error) {
	raw, err := key.Raw()
	if err != nil {
		return s, fmt.Errorf("make salt: %w", err)
	}
	mac := hmac.New(sha256.New, raw)
	mac.Write([]byte(saltLabel))
	mac.Write(binary.BigEndian.AppendUint32(nil, window))
	copy(s[:], mac.Sum(nil))
	return s, nil
}

// Commit returns the commitment to a salt.
func (s Salt) Commit() Commitment { return sha256.Sum256(append([]byte(saltLabel), s[:]...)) }

// Promise fills in the salt of the window of Issued and the commitment to the next.
func (d *Descriptor) Promise(key crypto.PrivKey) error {
	w := Window(d.Issued)
	next, err := SaltOf(key, w+1)
	if err != nil {
		return err
	}
	d.Commitment = next.Commit()
	d.Salt, err = SaltOf(key, w)
	return err
}

// twoFaced reports whether both descriptors, of one relay, cannot be true: two
// salts or commitments in a window, or a salt that was not the one promised.
func twoFaced(a, b *Descriptor) bool {
	switch wa, wb := Window(a.Issued), Window(b.Issued); {
	case wa == wb:
		return a.Salt != b.Salt || a.Commitment != b.Commitment
	case wa+1 == wb:
		return b.Salt.Commit() != a.Commitment
	case wb+1 == wa:
		return a.Salt.Commit() != b.Commitment
	}
	return false
}
