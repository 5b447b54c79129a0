// Package envelope is the fixed cell: the bytes that a mailbox stores, and the layout
// of the plaintext inside.
//
// A cell has 1,536 bytes, all of them ciphertext. The plaintext of a cell of a
// session (a ratchet message), [BodySize] = 1,359 bytes, integers big-endian:
//
//	offset  size
//	     0     1  version, 2
//	     1     1  word of the layer above
//	     2     4  number of the cell in its direction, from 0; at most 2³¹ - 1
//	     6     4  heard: the number that follows the highest known of the peer's
//	    10     4  number of the sender's flare that is up, or else of the next
//	    14    32  MAC of the cell before it in its direction; zeros in the first
//	    46    16  content id
//	    62     2  index of this fragment
//	    64     2  count of fragments, 1..51
//	    66     2  length of the data
//	    68  1291  data, then zeros
//
// A signal (a flare or an answer, package session) has no number of its own and no
// content: its number is that of the next cell, and word, content id, index, count
// and length are zeros.
//
// The MAC of a cell is its last 32 bytes: HMAC-SHA-256 over everything in it
// under a key of its own, and so a hash of it, and of all cells before it.
//
// There is one encoding of everything: every fragment but the last is full, the
// last is empty only if it is the only one, and the rest is zeros.
package envelope

import (
	"encoding/binary"
	"errors"

	"starling/session/ratchet"
)

// Sizes in bytes, and limits.
const (
	CellSize     = 1536
	headSize     = 68
	DataSize     = 1291 // data in one fragment
	BodySize     = headSize + DataSize
	MaxContent   = 64 << 10 // content of all fragments
	MaxFragments = (MaxContent + DataSize - 1) / DataSize
	IDSize       = 16
	MACSize      = 32
	// MaxNumber is the last number of a cell in its direction.
	MaxNumber = 1<<31 - 1
)

// A ratchet message of a body fills a cell exactly.
var _ = [1]struct{}{}[CellSize-ratchetSize]

const ratchetSize = ratchet.HeaderSize + (BodySize/16+1)*16 + 32

const version = 2

// ErrInvalid is returned for every body that is refused.
var ErrInvalid = errors.New("invalid envelope")

// Body is one fragment of a content with its place in the direction, or a signal.
type Body struct {
	Word     byte   // of the layer above
	Number   uint32 // of the cell; of a signal, that of the next cell
	Heard    uint32 // number after the highest that the sender knows of the peer's
	Flare    uint32 // number of the sender's flare that is up, or else of the next
	Previous [MACSize]byte
	ID       [IDSize]byte
	Index    uint16
	Count    uint16 // 0: a signal
	Data     []byte // at most DataSize bytes
}

// Signal reports whether the body is a flare or an answer.
func (b *Body) Signal() bool { return b.Count == 0 }

// MAC returns the MAC of a cell, which the next cell names as Previous.
func MAC(cell *[CellSize]byte) [MACSize]byte {
	return [MACSize]byte(cell[CellSize-MACSize:])
}

// Count returns how many fragments a content of n bytes has.
func Count(n int) int { return max(1, (n+DataSize-1)/DataSize) }

// Fragment returns the data of fragment i of content.
func Fragment(content []byte, i int) []byte {
	start := i * DataSize
	return content[start:min(start+DataSize, len(content))]
}

// Encode writes b into dst.
func (b *Body) Encode(dst *[BodySize]byte) {
	dst[0], dst[1] = version, b.Word
	binary.BigEndian.PutUint32(dst[2:], b.Number)
	binary.BigEndian.PutUint32(dst[6:], b.Heard)
	binary.BigEndian.PutUint32(dst[10:], b.Flare)
	copy(dst[14:], b.Previous[:])
	copy(dst[46:], b.ID[:])
	binary.BigEndian.PutUint16(dst[62:], b.Index)
	binary.BigEndian.PutUint16(dst[64:], b.Count)
	binary.BigEndian.PutUint16(dst[66:], uint16(len(b.Data)))
	clear(dst[headSize+copy(dst[headSize:], b.Data):])
}

// Parse reads a body. Data is a part of src.
func Parse(src []byte) (b Body, err error) {
	if len(src) != BodySize || src[0] != version {
		return Body{}, ErrInvalid
	}

	b.Word = src[1]
	b.Number = binary.BigEndian.Uint32(src[2:])
	b.Heard = binary.BigEndian.Uint32(src[6:])
	b.Flare = binary.BigEndian.Uint32(src[10:])
	copy(b.Previous[:], src[14:])
	copy(b.ID[:], src[46:])
	b.Index = binary.BigEndian.Uint16(src[62:])
	b.Count = binary.BigEndian.Uint16(src[64:])
	n := int(binary.BigEndian.Uint16(src[66:]))

	// Fields without a use are zero, so that nothing rides in them unseen.
	if b.Signal() {
		if b.Word != 0 || b.Index != 0 || n != 0 || !zero(b.ID[:]) {
			return Body{}, ErrInvalid
		}
	} else if !b.fits(n) {
		return Body{}, ErrInvalid
	}
	data := src[headSize:]
	if !zero(data[n:]) {
		return Body{}, ErrInvalid
	}
	b.Data = data[:n:n]
	return b, nil
}

// fits reports whether a fragment with n bytes of data can be one of a content.
func (b *Body) fits(n int) bool {
	if b.Number > MaxNumber || b.Count > MaxFragments || b.Index >= b.Count || n > DataSize {
		return false
	}
	if last := b.Index == b.Count-1; !last {
		return n == DataSize
	}
	return (n > 0 || b.Count == 1) && int(b.Index)*DataSize+n <= MaxContent
}

func zero(b []byte) bool {
	var or byte
	for _, c := range b {
		or |= c
	}
	return or == 0
}
