package keys

import (
	"crypto/hpke"
	"encoding/binary"

	"starling/session/internal/kdf"
	"starling/session/internal/key"
	"starling/session/internal/secret"
)

// Sizes of leaves and of that which is sealed to them, in bytes.
const (
	LeafSize    = 1216 // X-Wing: ML-KEM-768 and X25519
	LeafKeySize = 32
	encSize     = 1120
	tagSize     = 16
	Overhead    = encSize + tagSize                  // of SealTo
	SeedSize    = 3 + encSize + 2*kdf.Size + tagSize // a sealed seed
)

var (
	kem  = hpke.MLKEM768X25519()
	hash = hpke.HKDFSHA256()
	aead = hpke.ChaCha20Poly1305()
)

// Leaf is somebody's public key, to which seeds are sealed.
type Leaf [LeafSize]byte

// Hash returns the hash that introduces a leaf.
func (l *Leaf) Hash() [kdf.Size]byte { return kdf.Hash(kdf.RoomLeaf, l[:]) }

// LeafKey is the private key of a leaf. The caller erases an old one 14 days after the first
// use of the next.
type LeafKey struct {
	secret.Hidden

	private hpke.PrivateKey
	public  *Leaf
}

// NewLeafKey makes a fresh leaf.
func NewLeafKey() LeafKey {
	private, err := kem.GenerateKey()
	if err != nil {
		panic("keys: " + err.Error()) // the system's randomness never fails
	}
	return leafOf(private)
}

// ParseLeafKey reads the encoding of Bytes.
func ParseLeafKey(b []byte) (LeafKey, error) {
	if len(b) != LeafKeySize {
		return LeafKey{}, ErrInvalid
	}
	private, err := kem.NewPrivateKey(b)
	if err != nil {
		return LeafKey{}, ErrInvalid
	}
	return leafOf(private), nil
}

func leafOf(private hpke.PrivateKey) LeafKey {
	public := Leaf(private.PublicKey().Bytes())
	return LeafKey{private: private, public: &public}
}

// Public returns the leaf.
func (k LeafKey) Public() *Leaf { return k.public }

// Bytes returns the 32-byte private key.
func (k LeafKey) Bytes() []byte {
	b, err := k.private.Bytes()
	if err != nil {
		panic("keys: " + err.Error()) // unreachable: the seed is there
	}
	return b
}

// ParseLeaf reads a leaf that somebody else has chosen.
func ParseLeaf(b []byte) (*Leaf, error) {
	if len(b) != LeafSize {
		return nil, ErrInvalid
	}
	if _, err := kem.NewPublicKey(b); err != nil {
		return nil, ErrInvalid
	}
	// One of low order cannot be sealed to, and would stop the rekeys of all.
	if _, err := key.ParsePublic(b[LeafSize-len(key.Public{}):]); err != nil {
		return nil, ErrInvalid
	}
	l := Leaf(b)
	return &l, nil
}

// Recipient is somebody with a leaf.
type Recipient struct {
	Member  Member
	Leaf    *Leaf
	Counter uint32         // of the leaf
	Lane    [kdf.Size]byte // the secret of their lane; zero for readers
}

// Sealed is a secret sealed to a leaf: the place of the recipient among the members of the
// rekey 2 ‖ the last byte of the leaf's counter 1 ‖ X-Wing ciphertext 1,120 ‖ sealed bytes.
type Sealed []byte

// infoOf binds a secret to its room, its rekey or step, its recipient and their leaf.
func infoOf(label kdf.Label, group [32]byte, id ID, to Recipient) []byte {
	leaf := to.Leaf.Hash()
	info := append([]byte(label), group[:]...)
	info = append(info, id[:]...)
	info = append(info, to.Member[:]...)
	return append(info, leaf[:]...)
}

func seal(to Recipient, place int, info, plain []byte) (Sealed, error) {
	defer clear(plain)
	public, err := kem.NewPublicKey(to.Leaf[:])
	if err != nil {
		return nil, ErrInvalid
	}
	enc, err := hpke.Seal(public, hash, aead, info, plain)
	if err != nil {
		return nil, ErrInvalid
	}
	s := binary.BigEndian.AppendUint16(nil, uint16(place))
	return append(append(s, byte(to.Counter)), enc...), nil
}

// SealTo seals something else to a leaf, under an info of its own: X-Wing ciphertext 1,120 ‖ sealed.
func SealTo(leaf *Leaf, info, plain []byte) ([]byte, error) {
	public, err := kem.NewPublicKey(leaf[:])
	if err != nil {
		return nil, ErrInvalid
	}
	return hpke.Seal(public, hash, aead, info, plain)
}

// Unseal opens the output of SealTo.
func (k LeafKey) Unseal(info, sealed []byte) ([]byte, error) {
	if len(sealed) < encSize+tagSize || len(sealed) > 2*encSize+2048 {
		return nil, ErrInvalid
	}
	plain, err := hpke.Open(k.private, hash, aead, info, sealed)
	if err != nil {
		return nil, ErrInvalid
	}
	return plain, nil
}

func (k LeafKey) open(info []byte, s Sealed) ([]byte, error) {
	if len(s) < 3+encSize+tagSize || len(s) > 3+encSize+(2*MaxStepHeads+1)*kdf.Size+tagSize {
		return nil, ErrInvalid
	}
	plain, err := hpke.Open(k.private, hash, aead, info, s[3:])
	if err != nil {
		return nil, ErrInvalid
	}
	return plain, nil
}
