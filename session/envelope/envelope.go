// Package envelope is the fixed cell: what a mailbox stores, and the layout of
// the plaintext inside.
//
// A cell has 1,536 bytes, all of them ciphertext. The plaintext of a cell of a
// session (a ratchet message), [BodySize] = 1,359 bytes, integers big-endian:
//
//	offset  size
//	     0     1  version, 1
//	     1     8  sequence number of the cell in its direction, from 0
//	     9    32  MAC of the cell before it in its direction; zeros in the first
//	    41    16  content id
//	    57     2  index of this fragment
//	    59     2  count of fragments, 1..51
//	    61     2  length of the data
//	    63  1296  data, then zeros
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
	headSize     = 63
	DataSize     = 1296 // data in one fragment
	BodySize     = headSize + DataSize
	MaxContent   = 64 << 10 // content of all fragments
	MaxFragments = (MaxContent + DataSize - 1) / DataSize
	IDSize       = 16
	MACSize      = 32
)

// A ratchet message of a body fills a cell exactly.
var _ = [1]struct{}{}[CellSize-ratchetSize]

const ratchetSize = ratchet.HeaderSize + (BodySize/16+1)*16 + 32

const version = 1

// ErrInvalid is returned for every body that is refused.
var ErrInvalid = errors.New("invalid envelope")

// Body is one fragment of a content with its place in the direction.
type Body struct {
	Seq      uint64
	Previous [MACSize]byte
	ID       [IDSize]byte
	Index    uint16
	Count    uint16
	Data     []byte // at most DataSize bytes
}

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
	dst[0] = version
	binary.BigEndian.PutUint64(dst[1:], b.Seq)
	copy(dst[9:], b.Previous[:])
	copy(dst[41:], b.ID[:])
	binary.BigEndian.PutUint16(dst[57:], b.Index)
	binary.BigEndian.PutUint16(dst[59:], b.Count)
	binary.BigEndian.PutUint16(dst[61:], uint16(len(b.Data)))
	clear(dst[headSize+copy(dst[headSize:], b.Data):])
}

// Parse reads a body. Data is a part of src.
func Parse(src []byte) (b Body, err error) {
	if len(src) != BodySize || src[0] != version {
		return Body{}, ErrInvalid
	}
	b.Seq = binary.BigEndian.Uint64(src[1:])
	copy(b.Previous[:], src[9:])
	copy(b.ID[:], src[41:])
	b.Index = binary.BigEndian.Uint16(src[57:])
	b.Count = binary.BigEndian.Uint16(src[59:])
	n := int(binary.BigEndian.Uint16(src[61:]))
	if b.Count < 1 || b.Count > MaxFragments || b.Index >= b.Count || n > DataSize {
		return Body{}, ErrInvalid
	}
	last := b.Index == b.Count-1
	if !last && n != DataSize || last && n == 0 && b.Count > 1 || int(b.Index)*DataSize+n > MaxContent {
		return Body{}, ErrInvalid
	}
	data := src[headSize:]
	var rest byte
	for _, c := range data[n:] {
		rest |= c
	}
	if rest != 0 {
		return Body{}, ErrInvalid
	}
	b.Data = data[:n:n]
	return b, nil
}
