package directory

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"

	"starling/p2p/outfox"
	"starling/p2p/wire"
)

const (
	descriptorVersion = 1
	// MaxDescriptor is the largest descriptor anybody accepts, in bytes.
	MaxDescriptor = 512
	// MaxAddresses is the largest number of addresses of one relay.
	MaxAddresses = 4
	// MaxLifetime is the longest time a descriptor may be valid.
	MaxLifetime = 25 * time.Hour

	descriptorLabel = "starling/relay-descriptor/1\x00"
	signatureSize   = 64
	lastSecond      = 1 << 40 // beyond it times no longer compare as numbers do
	fixedSize       = 1 + wire.NodeIDSize + 8 + 8 + 8 + 2 + 4 + 2*outfox.PublicKeySize + 1
)

// The largest descriptor that can be written fits.
const _ = uint(MaxDescriptor - (fixedSize + MaxAddresses*addressMax + signatureSize))

// ErrMalformed means that bytes are not a descriptor; ErrSignature that its
// relay did not sign it. Either is the fault of whoever passed it on.
var (
	ErrMalformed = errors.New("directory: malformed descriptor")
	ErrSignature = errors.New("directory: descriptor with a wrong signature")
)

// A Descriptor is what a relay says of itself.
type Descriptor struct {
	ID wire.NodeID
	// Sequence grows with every descriptor of the same relay.
	Sequence uint64
	// Issued and Expires bound its validity, in whole seconds.
	Issued, Expires time.Time
	// Capacity is how many packets a second the relay offers to carry. It is
	// its own claim; 0 means that the relay is leaving.
	Capacity uint16
	// Epoch is the day since 1970 of the first mix key; the second is for the
	// day after.
	Epoch uint32
	Keys  [2]outfox.PublicKey
	// Addresses are where it listens, 1 to MaxAddresses of them.
	Addresses []Address
}

// Sign encodes the descriptor and signs it with the relay's identity key.
func (d *Descriptor) Sign(key crypto.PrivKey) ([]byte, error) {
	if len(d.Addresses) == 0 || len(d.Addresses) > MaxAddresses || d.Keys[0].IsZero() || d.Keys[1].IsZero() {
		return nil, ErrMalformed
	}
	b := make([]byte, 0, MaxDescriptor)
	b = append(b, descriptorVersion)
	b = append(b, d.ID[:]...)
	b = binary.BigEndian.AppendUint64(b, d.Sequence)
	b = binary.BigEndian.AppendUint64(b, uint64(d.Issued.Unix()))
	b = binary.BigEndian.AppendUint64(b, uint64(d.Expires.Unix()))
	b = binary.BigEndian.AppendUint16(b, d.Capacity)
	b = binary.BigEndian.AppendUint32(b, d.Epoch)
	b = append(b, d.Keys[0].Bytes()...)
	b = append(b, d.Keys[1].Bytes()...)
	b = append(b, byte(len(d.Addresses)))
	for _, a := range d.Addresses {
		b = a.append(b)
	}
	sig, err := key.Sign(append([]byte(descriptorLabel), b...))
	if err != nil {
		return nil, err
	}
	return append(b, sig...), nil
}

// Parse reads and verifies a descriptor. Its times are not compared with any
// clock; that is [Directory.Add]'s business.
func Parse(raw []byte) (*Descriptor, error) {
	d, err := parse(raw)
	if err != nil {
		return nil, err
	}
	if err := verify(d.ID, raw); err != nil {
		return nil, err
	}
	return d, nil
}

func parse(raw []byte) (*Descriptor, error) {
	if len(raw) < fixedSize+signatureSize || len(raw) > MaxDescriptor || raw[0] != descriptorVersion {
		return nil, ErrMalformed
	}
	d := new(Descriptor)
	b := raw[1 : len(raw)-signatureSize]
	b = b[copy(d.ID[:], b):]
	d.Sequence, b = binary.BigEndian.Uint64(b), b[8:]
	issued, expires := binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])
	b = b[16:]
	if issued > lastSecond || expires > lastSecond || expires <= issued ||
		expires-issued > uint64(MaxLifetime/time.Second) {
		return nil, ErrMalformed
	}
	d.Issued, d.Expires = time.Unix(int64(issued), 0), time.Unix(int64(expires), 0)
	d.Capacity, b = binary.BigEndian.Uint16(b), b[2:]
	d.Epoch, b = binary.BigEndian.Uint32(b), b[4:]
	for i := range d.Keys {
		k, err := outfox.ParsePublicKey(b[:outfox.PublicKeySize])
		if err != nil {
			return nil, ErrMalformed
		}
		d.Keys[i], b = k, b[outfox.PublicKeySize:]
	}
	n := int(b[0])
	b = b[1:]
	if n == 0 || n > MaxAddresses {
		return nil, ErrMalformed
	}
	d.Addresses = make([]Address, n)
	for i := range d.Addresses {
		var err error
		if d.Addresses[i], b, err = cutAddress(b); err != nil {
			return nil, ErrMalformed
		}
	}
	if len(b) != 0 {
		return nil, ErrMalformed
	}
	return d, nil
}

func verify(id wire.NodeID, raw []byte) error {
	pub, err := crypto.UnmarshalEd25519PublicKey(id[:])
	if err != nil {
		return ErrSignature
	}
	n := len(raw) - signatureSize
	ok, err := pub.Verify(append([]byte(descriptorLabel), raw[:n]...), raw[n:])
	if err != nil || !ok {
		return ErrSignature
	}
	return nil
}

// Key returns the relay's mix key of an epoch, and whether it has one.
func (d *Descriptor) Key(epoch uint32) (outfox.PublicKey, bool) {
	switch epoch {
	case d.Epoch:
		return d.Keys[0], true
	case d.Epoch + 1:
		return d.Keys[1], true
	}
	return outfox.PublicKey{}, false
}

// Leaving reports whether the relay has said goodbye.
func (d *Descriptor) Leaving() bool { return d.Capacity == 0 }

// breaks reports whether packets made for the older descriptor are lost.
func (d *Descriptor) breaks(old *Descriptor) bool {
	if d.Leaving() != old.Leaving() {
		return true
	}
	for i, key := range old.Keys {
		if now, ok := d.Key(old.Epoch + uint32(i)); ok && !now.Equal(key) {
			return true
		}
	}
	return false
}
