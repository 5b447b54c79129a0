package directory

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"starling/p2p/outfox"
	"starling/p2p/wire"
)

// # Renewals
//
// Once a day a relay says the same again, with new times and a key for one more day. Who
// has had the descriptor before needs no more of the new one than
//
//	0  4     first bytes of the node id
//	4  4     last bytes of the sequence
//	8  32·k  its last k mix keys, 0–3
//	…  48    salt and commitment, if these are others
//	…  64    signature
//
// and makes the whole of it: the sequence that ends so and is nearest to the one before,
// issued in the second of that sequence, valid for as long, the earlier keys those of the
// same epochs. A descriptor that does not come out so has no renewal. The length says what is in it. Nothing is
// believed: the whole is verified like any other, and one that was made from another
// descriptor than the sender's does not verify.

const (
	referenceSize = 4
	renewalSize   = referenceSize + 4 + signatureSize
	saltsSize     = SaltSize + CommitmentSize
	keysSize      = keyCount * outfox.PublicKeySize

	// Offsets in a descriptor.
	sequenceAt = 1 + wire.NodeIDSize
	issuedAt   = sequenceAt + 8
	expiresAt  = issuedAt + 8
	epochAt    = expiresAt + 8 + 2 + 2
	keysAt     = epochAt + 4
	saltsAt    = keysAt + keysSize

	// leastDescriptor is the size of one with an address of IPv4 alone.
	leastDescriptor = fixedSize + 1 + 1 + 4 + 2 + signatureSize
)

// A renewal is shorter than any descriptor.
const _ = uint(leastDescriptor - 1 - (renewalSize + keysSize + saltsSize))

// ErrLacking means that a renewal is not of a descriptor that is held.
var ErrLacking = errors.New("directory: renewal of a descriptor that is not held")

// renewalForm returns what a renewal of so many bytes has.
func renewalForm(size int) (keys int, salts, ok bool) {
	for keys := range keyCount + 1 {
		switch size - renewalSize - keys*outfox.PublicKeySize {
		case 0:
			return keys, false, true
		case saltsSize:
			return keys, true, true
		}
	}
	return 0, false, false
}

// cutRenewal returns the parts of a descriptor that are in a renewal of so many bytes.
func cutRenewal(raw []byte, size int) []byte {
	keys, salts, _ := renewalForm(size)
	b := slices.Concat(raw[1:1+referenceSize], raw[issuedAt-4:issuedAt], raw[saltsAt-keys*outfox.PublicKeySize:saltsAt])
	if salts {
		b = append(b, raw[saltsAt:saltsAt+saltsSize]...)
	}
	return append(b, raw[len(raw)-signatureSize:]...)
}

// renewalOf returns the size of the shortest renewal that makes a descriptor from the
// one before, or 0.
func renewalOf(before, raw []byte) (size int) {
	if len(before) != len(raw) {
		return 0
	}
	for keys := range keyCount + 1 {
		for _, salts := range []int{0, saltsSize} {
			n := renewalSize + keys*outfox.PublicKeySize + salts
			if made, err := renewed(before, cutRenewal(raw, n)); err == nil && bytes.Equal(made, raw) {
				return n
			}
		}
	}
	return 0
}

// renewed makes a descriptor from the one before, which was parsed, and a renewal. It is
// not verified.
func renewed(before, renewal []byte) ([]byte, error) {
	keys, salts, ok := renewalForm(len(renewal))
	if !ok {
		return nil, ErrMalformed
	}
	held := binary.BigEndian.Uint64(before[sequenceAt:])
	ahead := int32(binary.BigEndian.Uint32(renewal[referenceSize:]) - uint32(held))
	if ahead <= 0 {
		return nil, ErrStale
	}
	sequence := held + uint64(ahead)
	issued := sequence / 1000
	if sequence < held || issued > lastSecond {
		return nil, ErrLacking
	}

	// Keys that the renewal does not have must be among those of the one before.
	epoch := FirstEpoch(time.Unix(int64(issued), 0))
	gone := int64(epoch) - int64(binary.BigEndian.Uint32(before[epochAt:]))
	if gone < 0 || keys < keyCount && gone > int64(keys) {
		return nil, ErrLacking
	}

	life := binary.BigEndian.Uint64(before[expiresAt:]) - binary.BigEndian.Uint64(before[issuedAt:])
	raw := bytes.Clone(before)
	binary.BigEndian.PutUint64(raw[sequenceAt:], sequence)
	binary.BigEndian.PutUint64(raw[issuedAt:], issued)
	binary.BigEndian.PutUint64(raw[expiresAt:], issued+life)
	binary.BigEndian.PutUint32(raw[epochAt:], epoch)
	if keys < keyCount {
		copy(raw[keysAt:saltsAt], before[keysAt+int(gone)*outfox.PublicKeySize:saltsAt])
	}

	b := renewal[referenceSize+4:]
	b = b[copy(raw[saltsAt-keys*outfox.PublicKeySize:saltsAt], b):]
	if salts {
		b = b[copy(raw[saltsAt:saltsAt+saltsSize], b):]
	}
	copy(raw[len(raw)-signatureSize:], b)
	return raw, nil
}

// Complete makes the whole descriptor of a renewal from the one that is held. It is not
// verified: Add it.
func (d *Directory) Complete(renewal []byte) ([]byte, error) {
	if _, _, ok := renewalForm(len(renewal)); !ok {
		return nil, ErrMalformed
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	reference := renewal[:referenceSize]
	i, _ := slices.BinarySearchFunc(d.order, reference, func(e *entry, to []byte) int { return bytes.Compare(e.ID[:referenceSize], to) })
	fits := func(i int) bool { return i < len(d.order) && bytes.Equal(d.order[i].ID[:referenceSize], reference) }
	// Two relays that begin alike cannot be told apart: their descriptors come whole.
	if !fits(i) || fits(i+1) {
		return nil, ErrLacking
	}
	return renewed(d.order[i].raw, renewal)
}
