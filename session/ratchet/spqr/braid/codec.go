package braid

import (
	"encoding/binary"
	"errors"

	"starling/session/internal/fields"
	"starling/session/ratchet/spqr/erasure"
	"starling/session/ratchet/spqr/incremental"
)

// A stored State, integers big-endian: the fields of every state, then those of its
// kind, in the order of the constants below.
//
//	1   kind
//	4   epoch, 1 … MaxEpoch
//	32  authenticator: root key
//	32  authenticator: MAC key
//
// The message being sent is stored although it follows from the seed or from m: to make
// it again costs as much as the rest of a message.
const (
	hasSeed   = 1 << iota // 64     key seed (d, z) of FIPS 203
	hasHdr                // 96     ρ ‖ H(ek) ‖ MAC
	hasHeader             // 64     ρ ‖ H(ek)
	hasSecret             // 32     m
	hasNext               // 2      index of the next chunk to send
	hasCt1                // 960
	hasVector             // 1,152
	hasCt2                // 160    ct2 ‖ MAC
	hasChunks             // 1+34·c c < bytes expected/32; each: index (2) ‖ chunk (32)
)

// layouts are the stored fields of each kind, and the number of bytes it is waiting
// for.
var layouts = [kinds]struct {
	fields   int
	incoming int
	started  bool // at least one chunk has arrived
}{
	keysUnsampled:        {},
	keysSampled:          {fields: hasSeed | hasHdr | hasNext | hasVector},
	headerSent:           {fields: hasSeed | hasNext | hasVector | hasChunks, incoming: ct1Size, started: true},
	ct1Received:          {fields: hasSeed | hasNext | hasCt1 | hasVector},
	ekSentCt1Received:    {fields: hasSeed | hasCt1 | hasChunks, incoming: ct2Size, started: true},
	noHeaderReceived:     {fields: hasChunks, incoming: headerSize},
	headerReceived:       {fields: hasHeader},
	ct1Sampled:           {fields: hasHeader | hasSecret | hasNext | hasCt1 | hasChunks, incoming: vectorSize},
	ct1Acknowledged:      {fields: hasHeader | hasSecret | hasCt1 | hasChunks, incoming: vectorSize},
	ekReceivedCt1Sampled: {fields: hasHeader | hasSecret | hasNext | hasCt1 | hasVector},
	ct2Sampled:           {fields: hasNext | hasCt2},
}

// MaxSize bounds a stored State, in bytes: ct1Sampled with all but one chunk is
// the largest.
const MaxSize = 1 + 4 + 2*keySize + incremental.HeaderSize + incremental.SecretSize + 2 +
	ct1Size + 1 + (2+erasure.ChunkSize)*(vectorSize/erasure.ChunkSize)

// ErrState is returned for bytes that are not a stored State.
var ErrState = errors.New("braid: not a stored state")

// AppendBinary appends the stored form of s to b. It never fails.
func (s *State) AppendBinary(b []byte) ([]byte, error) {
	b = append(b, byte(s.kind))
	b = binary.BigEndian.AppendUint32(b, uint32(s.epoch))
	b = append(b, s.auth.root[:]...)
	b = append(b, s.auth.mac[:]...)

	fields := layouts[s.kind].fields
	if fields&hasSeed != 0 {
		b = append(b, s.seed[:]...)
	}
	if fields&hasHdr != 0 {
		b = append(b, s.hdr[:]...)
	}
	if fields&hasHeader != 0 {
		b = append(b, s.header[:]...)
	}
	if fields&hasSecret != 0 {
		b = append(b, s.m[:]...)
	}
	if fields&hasNext != 0 {
		b = binary.BigEndian.AppendUint16(b, s.next)
	}

	// What the other side's key was answered with.
	if fields&hasCt1 != 0 {
		b = append(b, s.ct1[:]...)
	}
	if fields&hasVector != 0 {
		b = append(b, s.vector[:]...)
	}
	if fields&hasCt2 != 0 {
		b = append(b, s.ct2[:]...)
	}

	// Chunks of the part that is coming in.
	if fields&hasChunks != 0 {
		chunks := s.in.Chunks()
		b = append(b, byte(len(chunks)))
		for i := range chunks {
			b = binary.BigEndian.AppendUint16(b, chunks[i].Index)
			b = append(b, chunks[i].Data[:]...)
		}
	}

	return b, nil
}

// Unmarshal reads the whole of data as a stored State.
func Unmarshal(suite *Suite, data []byte) (State, error) {
	r := fields.Reader{Rest: data}
	s := State{suite: suite, kind: kind(r.Byte())}
	s.epoch = r.Number(4)
	r.Into(s.auth.root[:])
	r.Into(s.auth.mac[:])
	if len(data) > MaxSize || s.kind >= kinds || s.epoch == 0 || s.epoch > MaxEpoch {
		return State{}, ErrState
	}

	layout := &layouts[s.kind]
	if layout.fields&hasSeed != 0 {
		r.Into(s.seed[:])
	}
	if layout.fields&hasHdr != 0 {
		s.hdr = new([headerSize]byte)
		r.Into(s.hdr[:])
	}
	if layout.fields&hasHeader != 0 {
		r.Into(s.header[:])
	}
	if layout.fields&hasSecret != 0 {
		r.Into(s.m[:])
	}
	if layout.fields&hasNext != 0 {
		s.next = uint16(r.Number(2))
	}

	// What the other side's key was answered with.
	if layout.fields&hasCt1 != 0 {
		s.ct1 = new([ct1Size]byte)
		r.Into(s.ct1[:])
	}
	if layout.fields&hasVector != 0 {
		s.vector = new([vectorSize]byte)
		r.Into(s.vector[:])
	}
	if layout.fields&hasCt2 != 0 {
		s.ct2 = new([ct2Size]byte)
		r.Into(s.ct2[:])
	}

	// Chunks of the part that is coming in: fewer than make it whole.
	if layout.fields&hasChunks != 0 {
		count := int(r.Byte())
		if count >= layout.incoming/erasure.ChunkSize || layout.started && count == 0 {
			return State{}, ErrState
		}
		for range count {
			c := erasure.Chunk{Index: uint16(r.Number(2))}
			r.Into(c.Data[:])
			if added, _ := s.in.Add(c); !added {
				return State{}, ErrState
			}
		}
	}

	if !r.Done() {
		return State{}, ErrState
	}
	return s, nil
}
