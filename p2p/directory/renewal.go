package directory

import (
	"bytes"
	"encoding/binary"
	"errors"
	"maps"
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
//
// # Names
//
// The first two fields alone are the name of a descriptor. An asker that hears of all
// relays from another source asks for names in place of renewals: that this directory has
// the descriptor, too, is all that is new. It holds the one before until the one with the
// name is brought, see Resolve. Its digest is as if that had come at once, and so no
// source can tell by it whether another has brought anything. There is time enough for
// that where descriptors live for MaxLifetime: others have no names.

const (
	referenceSize = 4
	nameSize      = referenceSize + 4
	renewalSize   = nameSize + signatureSize
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
	sequence, err := sequenceAfter(binary.BigEndian.Uint64(before[sequenceAt:]), renewal)
	if err != nil {
		return nil, err
	}
	issued := sequence / 1000

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

	b := renewal[nameSize:]
	b = b[copy(raw[saltsAt-keys*outfox.PublicKeySize:saltsAt], b):]
	if salts {
		b = b[copy(raw[saltsAt:saltsAt+saltsSize], b):]
	}
	copy(raw[len(raw)-signatureSize:], b)
	return raw, nil
}

// sequenceAfter returns the sequence of a name or renewal of a relay that has one.
func sequenceAfter(held uint64, name []byte) (uint64, error) {
	ahead := int32(binary.BigEndian.Uint32(name[referenceSize:]) - uint32(held))
	if ahead <= 0 {
		return 0, ErrStale
	}
	sequence := held + uint64(ahead)
	if sequence < held || sequence/1000 > lastSecond {
		return 0, ErrLacking
	}
	return sequence, nil
}

// Complete makes the whole descriptor of a renewal from the one that is held. It is not
// verified: Add it.
func (d *Directory) Complete(renewal []byte) ([]byte, error) {
	if _, _, ok := renewalForm(len(renewal)); !ok {
		return nil, ErrMalformed
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	e, err := d.meant(renewal)
	if err != nil {
		return nil, err
	}
	return renewed(e.raw, renewal)
}

// meant returns the entry of the relay that a name or renewal begins with.
func (d *Directory) meant(name []byte) (*entry, error) {
	reference := name[:referenceSize]
	i, _ := slices.BinarySearchFunc(d.order, reference, func(e *entry, to []byte) int { return bytes.Compare(e.ID[:referenceSize], to) })
	fits := func(i int) bool { return i < len(d.order) && bytes.Equal(d.order[i].ID[:referenceSize], reference) }
	// Two relays that begin alike cannot be told apart: their descriptors come whole.
	if !fits(i) || fits(i+1) {
		return nil, ErrLacking
	}
	return d.order[i], nil
}

// nameable reports whether a descriptor lives for as long as names need.
func nameable(raw []byte) bool {
	return binary.BigEndian.Uint64(raw[expiresAt:])-binary.BigEndian.Uint64(raw[issuedAt:]) == uint64(MaxLifetime/time.Second)
}

// restarted reports whether a renewal has all keys: packets for those before are lost, and
// every source is to bring them.
func (e *entry) restarted() bool {
	keys, _, _ := renewalForm(e.short)
	return keys == keyCount
}

// A named is the sequence of a descriptor that was named and is not here, and when that
// was.
type named struct {
	sequence uint64
	at       time.Time
}

// Nameable reports whether a renewal is of a relay that may have been named. What comes
// of it would tell whether another source has brought that.
func (d *Directory) Nameable(renewal []byte) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	e, err := d.meant(renewal)
	return err == nil && nameable(e.raw)
}

// Name takes note that the answerer has a descriptor with a name.
func (d *Directory) Name(name []byte) error {
	if len(name) != nameSize {
		return ErrMalformed
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	e, err := d.meant(name)
	if err != nil {
		return err
	}
	if !nameable(e.raw) {
		return ErrLacking
	}
	sequence, err := sequenceAfter(max(e.Sequence, d.named[e.ID].sequence), name)
	if err != nil {
		return err
	}
	d.named[e.ID] = named{sequence, time.Now()}
	d.touch()
	return nil
}

// Resolve takes those descriptors that were named from another directory, where they were
// verified. They renew those held, and are no others.
func (d *Directory) Resolve(from *Directory) {
	d.mu.Lock()
	wanted := maps.Clone(d.named)
	d.mu.Unlock()
	if len(wanted) == 0 {
		return
	}
	found := map[wire.NodeID]*entry{}
	from.mu.Lock()
	for id, n := range wanted {
		if e := from.relays[id]; e != nil && e.Sequence == n.sequence {
			found[id] = e
		}
	}
	from.mu.Unlock()

	d.mu.Lock()
	defer d.mu.Unlock()
	for id, e := range found {
		if held := d.relays[id]; held != nil && renewalOf(held.raw, e.raw) > 0 && d.admit(e.Descriptor) == nil {
			d.put(e.Descriptor, e.raw)
		}
	}
}

// Unname forgets the names of descriptors that nobody has brought since a time, and
// reports whether there were any.
func (d *Directory) Unname(since time.Time) (any bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for id, n := range d.named {
		if n.at.Before(since) {
			delete(d.named, id)
			any = true
		}
	}
	if any {
		d.touch()
	}
	return any
}

// said returns the sequence that the source of a directory has said last of a relay.
func (d *Directory) said(desc *Descriptor) uint64 {
	return max(desc.Sequence, d.named[desc.ID].sequence)
}
