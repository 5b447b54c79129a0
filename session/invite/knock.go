package invite

import (
	"starling/session/envelope"
	"starling/session/internal/cbchmac"
	"starling/session/internal/kdf"
	"starling/session/internal/secret"
)

// Knocks is how many tags there are for a knock. A mailbox remembers a tag that
// was used for 14 days, so this is how often one copy of a profile can be put
// back in that time.
const Knocks = 3

// KnockSize is the length of a knock's plaintext in bytes.
const KnockSize = partSize

// Knock is the place, and the key, by which the holder of a former session finds the
// link of a new one (session.Reset). The secret of the old session gives, by
// HKDF-SHA-256 with salt of 32 zeros:
//
//	tags  3 × 16  ResetTags
//	key       64  ResetKey
//
// The cell is one of an invite, with purpose 3, the number of its tag as the
// slot, and index 0.
type Knock struct {
	secret.Hidden

	Tags [Knocks][TagSize]byte
	key  [cbchmac.KeySize]byte
}

// DeriveKnock derives the tags and the key.
func DeriveKnock(secret *[32]byte) *Knock {
	k := new(Knock)
	kdf.Derive(kdf.ResetTags, nil, secret[:], slices(k.Tags[:])...)
	kdf.Derive(kdf.ResetKey, nil, secret[:], k.key[:])
	return k
}

// Seal seals a knock for one of the tags.
func (k *Knock) Seal(slot int, plain *[KnockSize]byte) (cell [envelope.CellSize]byte) {
	sealCell(&cell, &k.key, purposeKnock, slot, 0, plain[:])
	return cell
}

// Open opens a cell that came under one of the tags.
func (k *Knock) Open(slot int, cell *[envelope.CellSize]byte) (plain [KnockSize]byte, ok bool) {
	ok = openCell(plain[:], &k.key, purposeKnock, slot, 0, cell)
	return plain, ok
}
