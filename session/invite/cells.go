package invite

import (
	"crypto/rand"
	"crypto/subtle"

	"starling/session/envelope"
	"starling/session/handshake"
	"starling/session/internal/cbchmac"
	"starling/session/internal/kdf"
	"starling/session/internal/secret"
	"starling/session/prekey"
)

// Numbers of cells and slots, and sizes in bytes.
const (
	Cells = 3 // of a bundle, and of a hello
	Slots = 8 // for hellos

	TagSize     = 16
	HelloIDSize = 16

	partSize   = envelope.CellSize - cbchmac.IVSize - cbchmac.TagSize - 1
	BundleSize = Cells * partSize
	HelloPart  = partSize - HelloIDSize
	HelloSize  = Cells * HelloPart
)

// The contents of the cells fit.
const (
	_ = uint(BundleSize - 5 - prekey.BundleSize)
	_ = uint(HelloSize - handshake.HelloSize - envelope.CellSize)
)

const (
	purposeBundle = 1
	purposeHello  = 2
	purposeKnock  = 3
)

// Keys are the keys derived from the secret of a link.
type Keys struct {
	secret.Hidden

	ID         [handshake.InviteIDSize]byte
	BundleTags [Cells][TagSize]byte
	HelloTags  [Slots][Cells][TagSize]byte
	bundle     [cbchmac.KeySize]byte
	hello      [cbchmac.KeySize]byte
}

// DeriveKeys derives the keys.
func DeriveKeys(secret *[32]byte) *Keys {
	k := new(Keys)
	kdf.Derive(kdf.InviteID, nil, secret[:], k.ID[:])
	kdf.Derive(kdf.InviteBundleTags, nil, secret[:], slices(k.BundleTags[:])...)
	var hello [][]byte
	for i := range k.HelloTags {
		hello = append(hello, slices(k.HelloTags[i][:])...)
	}
	kdf.Derive(kdf.InviteHelloTags, nil, secret[:], hello...)
	kdf.Derive(kdf.InviteBundleKey, nil, secret[:], k.bundle[:])
	kdf.Derive(kdf.InviteHelloKey, nil, secret[:], k.hello[:])
	return k
}

func slices(tags [][TagSize]byte) (s [][]byte) {
	for i := range tags {
		s = append(s, tags[i][:])
	}
	return s
}

// SealBundle seals part index of a bundle.
func (k *Keys) SealBundle(index int, bundle *[BundleSize]byte) (cell [envelope.CellSize]byte) {
	sealCell(&cell, &k.bundle, purposeBundle, 0, index, bundle[index*partSize:][:partSize])
	return cell
}

// OpenBundle opens part index of a bundle into its place.
func (k *Keys) OpenBundle(index int, cell *[envelope.CellSize]byte, bundle *[BundleSize]byte) bool {
	return openCell(bundle[index*partSize:][:partSize], &k.bundle, purposeBundle, 0, index, cell)
}

// SealHello seals part index of a hello in a slot.
func (k *Keys) SealHello(slot, index int, id *[HelloIDSize]byte, hello *[HelloSize]byte) (cell [envelope.CellSize]byte) {
	var part [partSize]byte
	copy(part[copy(part[:], id[:]):], hello[index*HelloPart:][:HelloPart])
	sealCell(&cell, &k.hello, purposeHello, slot, index, part[:])
	return cell
}

// OpenHello opens a cell that came under the tag of a slot and index.
func (k *Keys) OpenHello(slot, index int, cell *[envelope.CellSize]byte) (id [HelloIDSize]byte, part [HelloPart]byte, ok bool) {
	var b [partSize]byte
	if !openCell(b[:], &k.hello, purposeHello, slot, index, cell) {
		return id, part, false
	}
	copy(part[:], b[copy(id[:], b[:]):])
	return id, part, true
}

// HelloPlace finds the slot and index of a tag.
func (k *Keys) HelloPlace(tag [TagSize]byte) (slot, index int, ok bool) {
	for s := range k.HelloTags {
		for i := range k.HelloTags[s] {
			if subtle.ConstantTimeCompare(k.HelloTags[s][i][:], tag[:]) == 1 {
				return s, i, true
			}
		}
	}
	return 0, 0, false
}

func sealCell(cell *[envelope.CellSize]byte, key *[cbchmac.KeySize]byte, purpose, slot, index int, part []byte) {
	iv := (*[cbchmac.IVSize]byte)(cell[:])
	rand.Read(iv[:])
	place := [3]byte{byte(purpose), byte(slot), byte(index)}
	cbchmac.Seal(cell[:cbchmac.IVSize], key, iv, part, place[:], iv[:])
}

func openCell(part []byte, key *[cbchmac.KeySize]byte, purpose, slot, index int, cell *[envelope.CellSize]byte) bool {
	iv := (*[cbchmac.IVSize]byte)(cell[:])
	place := [3]byte{byte(purpose), byte(slot), byte(index)}
	b, ok := cbchmac.Open(nil, key, iv, cell[cbchmac.IVSize:], place[:], iv[:])
	return ok && len(b) == len(part) && copy(part, b) == len(part)
}
