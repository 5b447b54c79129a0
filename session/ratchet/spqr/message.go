package spqr

import (
	"encoding/binary"
	"math"

	"starling/session/ratchet/spqr/braid"
	"starling/session/ratchet/spqr/chain"
	"starling/session/ratchet/spqr/erasure"
)

// Offsets of the fields of an encoded message.
const (
	offType     = 0
	offEpoch    = 1
	offNumber   = 5
	offPrevious = 9
	offIndex    = 13
	offChunk    = 15

	// MessageSize is the size of an encoded message, in bytes.
	MessageSize = offChunk + erasure.ChunkSize
)

// Message is the part of spqr in one message of the session: the Braid's message, the
// number of the message on the sender's chain of epoch Epoch-1, and the length of the
// sender's chain before that one.
type Message struct {
	braid.Message
	Number   uint32
	Previous uint32
}

// encode writes m, which this package made.
func (m *Message) encode() (b [MessageSize]byte) {
	b[offType] = byte(m.Type)
	binary.BigEndian.PutUint32(b[offEpoch:], uint32(m.Epoch))
	binary.BigEndian.PutUint32(b[offNumber:], m.Number)
	binary.BigEndian.PutUint32(b[offPrevious:], m.Previous)
	binary.BigEndian.PutUint16(b[offIndex:], m.Chunk.Index)
	copy(b[offChunk:], m.Chunk.Data[:])
	return b
}

// decode is the inverse of encode: it takes exactly the encodings of encode.
func decode(b []byte) (m Message, ok bool) {
	if len(b) != MessageSize {
		return m, false
	}
	m.Type = braid.Type(b[offType])
	m.Epoch = uint64(binary.BigEndian.Uint32(b[offEpoch:]))
	m.Number = binary.BigEndian.Uint32(b[offNumber:])
	m.Previous = binary.BigEndian.Uint32(b[offPrevious:])
	m.Chunk.Index = binary.BigEndian.Uint16(b[offIndex:])
	copy(m.Chunk.Data[:], b[offChunk:])
	switch {
	case m.Type > braid.Ct2 || m.Type == braid.Ct1Ack:
		return m, false
	case !m.Type.HasChunk() && m.Chunk != erasure.Chunk{}:
		return m, false
	case m.Epoch == 0 || m.Epoch > braid.MaxEpoch:
		return m, false
	case m.Number == 0 || m.Number > chain.MaxNumber:
		return m, false
	case m.Previous > chain.MaxNumber || m.Epoch == 1 && m.Previous != 0:
		return m, false
	}
	return m, true
}

const _ = uint(math.MaxUint32 - chain.MaxNumber - 1) // numbers fit their field, 2³²-1 is never used
