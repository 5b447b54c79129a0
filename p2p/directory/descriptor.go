package directory

import (
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"

	"starling/p2p/outfox"
	"starling/p2p/wire"
)

const (
	descriptorVersion = 2
	// MaxDescriptor is the largest descriptor anybody accepts, in bytes.
	MaxDescriptor = 640
	// MaxAddresses is the largest number of addresses of one relay.
	MaxAddresses = 4
	// MaxFamily is the largest number of relays that one names as its family.
	MaxFamily = 8
	// MaxLifetime is the longest time a descriptor may be valid.
	MaxLifetime = 48 * time.Hour

	descriptorLabel = "starling/relay-descriptor/2\x00"
	signatureSize   = 64
	lastSecond      = 1 << 40 // beyond it times no longer compare as numbers do
	keyCount        = 3
	prefixSize      = 8
	fixedSize       = 1 + wire.NodeIDSize + 8 + 8 + 8 + 2 + 2 + 4 + keyCount*outfox.PublicKeySize + SaltSize + CommitmentSize + 1 + 1
)

// The descriptor of a relay with addresses of IP only fits, with a family of any size.
const _ = uint(MaxDescriptor - (fixedSize + MaxFamily*prefixSize + MaxAddresses*(2+16+2) + signatureSize))

// ErrMalformed means that bytes are not a descriptor; ErrSignature that its
// relay did not sign it. Either is the fault of the neighbour that passed it on.
var (
	ErrMalformed = errors.New("directory: malformed descriptor")
	ErrSignature = errors.New("directory: descriptor with a wrong signature")
)

// Features of a relay.
const (
	FeatureMailbox uint16 = 1 << 0 // it keeps mail
)

// A Prefix is the beginning of a node id, by which a family names its members.
type Prefix [prefixSize]byte

// PrefixOf returns the prefix of a node id.
func PrefixOf(id wire.NodeID) Prefix { return Prefix(id[:prefixSize]) }

// A Descriptor is the signed statement of a relay about itself.
type Descriptor struct {
	ID wire.NodeID
	// Sequence grows with every descriptor of the same relay.
	Sequence uint64
	// Issued and Expires bound its validity, in whole seconds.
	Issued, Expires time.Time
	// Capacity is how many packets a second the relay offers to carry. It is
	// its own claim; 0 means that the relay is leaving.
	Capacity uint16
	// Features are its abilities, of the bits Feature…. Others mean nothing yet.
	Features uint16
	// Epoch is the day since 1970 of the first mix key, FirstEpoch(Issued); the
	// others are for the days after.
	Epoch uint32
	Keys  [keyCount]outfox.PublicKey
	// Salt is that of the window of Issued, Commitment to that of the next.
	Salt       Salt
	Commitment Commitment
	// Family are the relays that the same people run, as this relay says. It
	// counts when both say so, see Kin.
	Family []Prefix
	// Addresses are where it listens, at most MaxAddresses with those of kinds
	// that are not known here. The directory has none without one to dial.
	Addresses []Address
}

// FirstEpoch returns the epoch of the first key of a descriptor: that of yesterday
// while packets for its key may still come.
func FirstEpoch(issued time.Time) uint32 { return uint32(outfox.EpochAt(issued.Add(-outfox.KeyLife))) }

// Sign encodes the descriptor and signs it with the relay's identity key.
func (d *Descriptor) Sign(key crypto.PrivKey) ([]byte, error) {
	if len(d.Addresses) == 0 || len(d.Addresses) > MaxAddresses || len(d.Family) > MaxFamily ||
		slices.ContainsFunc(d.Keys[:], outfox.PublicKey.IsZero) {
		return nil, ErrMalformed
	}
	b := make([]byte, 0, MaxDescriptor)
	b = append(b, descriptorVersion)
	b = append(b, d.ID[:]...)
	b = binary.BigEndian.AppendUint64(b, d.Sequence)
	b = binary.BigEndian.AppendUint64(b, uint64(d.Issued.Unix()))
	b = binary.BigEndian.AppendUint64(b, uint64(d.Expires.Unix()))
	b = binary.BigEndian.AppendUint16(b, d.Capacity)
	b = binary.BigEndian.AppendUint16(b, d.Features)
	b = binary.BigEndian.AppendUint32(b, d.Epoch)
	for _, k := range d.Keys {
		b = append(b, k.Bytes()...)
	}
	b = append(b, d.Salt[:]...)
	b = append(b, d.Commitment[:]...)

	b = append(b, byte(len(d.Family)))
	for _, p := range d.Family {
		b = append(b, p[:]...)
	}
	b = append(b, byte(len(d.Addresses)))
	for _, a := range d.Addresses {
		b = a.append(b)
	}
	if len(b)+signatureSize > MaxDescriptor {
		return nil, ErrMalformed
	}

	// The label keeps the signature from being good for anything else that the key signs.
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
	d.Features, b = binary.BigEndian.Uint16(b), b[2:]
	d.Epoch, b = binary.BigEndian.Uint32(b), b[4:]
	if d.Epoch != FirstEpoch(d.Issued) {
		return nil, ErrMalformed
	}

	for i := range d.Keys {
		k, err := outfox.ParsePublicKey(b[:outfox.PublicKeySize])
		if err != nil {
			return nil, ErrMalformed
		}
		d.Keys[i], b = k, b[outfox.PublicKeySize:]
	}

	b = b[copy(d.Salt[:], b):]
	b = b[copy(d.Commitment[:], b):]
	if err := d.parseLists(b); err != nil {
		return nil, err
	}
	return d, nil
}

// parseLists reads the family and the addresses, to the end of b.
func (d *Descriptor) parseLists(b []byte) error {
	n := int(b[0])
	if b = b[1:]; n > MaxFamily || len(b) < n*prefixSize+1 {
		return ErrMalformed
	}
	for range n {
		d.Family, b = append(d.Family, Prefix(b)), b[prefixSize:]
	}
	n = int(b[0])
	if b = b[1:]; n == 0 || n > MaxAddresses {
		return ErrMalformed
	}
	var err error
	if d.Addresses, b, err = cutAddresses(b, n); err != nil || len(b) != 0 {
		return ErrMalformed
	}
	return nil
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
	if i := epoch - d.Epoch; epoch >= d.Epoch && i < keyCount {
		return d.Keys[i], true
	}
	return outfox.PublicKey{}, false
}

// Leaving reports whether the relay has said goodbye.
func (d *Descriptor) Leaving() bool { return d.Capacity == 0 }

// Hint returns how to reach the relay.
func (d *Descriptor) Hint() Hint { return Hint{d.ID, d.Addresses} }

// Kin reports whether two relays say of each other that the same people run them.
// The word of one side makes no family: anybody can name anybody.
func Kin(a, b *Descriptor) bool {
	return slices.Contains(a.Family, PrefixOf(b.ID)) && slices.Contains(b.Family, PrefixOf(a.ID))
}

// AddressBytes returns the part of a descriptor that was parsed which has its
// addresses, those of unknown kinds too.
func AddressBytes(raw []byte) []byte {
	return raw[fixedSize-1+int(raw[fixedSize-2])*prefixSize : len(raw)-signatureSize]
}
