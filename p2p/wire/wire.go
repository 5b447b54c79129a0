// Package wire holds the agreements of all nodes of the mesh before the first byte is
// read: the names of nodes, the size of a frame, and the names of protocols.
//
// # Frames
//
// Every protocol of ours moves frames of one size and nothing else, so that
// neither an observer of a link nor the traffic of a muxer tells packets,
// directory pages and keepalives apart:
//
//	offset  size
//	0       1     type
//	1       2     length of the body, big endian, at most MaxBody
//	3       n     body
//	3+n     …     zeros up to FrameSize
//
// A frame with a longer length or with padding that is not zero is malformed.
// A reader holds one frame; nothing a peer says makes it allocate more.
//
// # Nodes
//
// A node, relay or client, is named by the raw Ed25519 public key of its libp2p
// identity. For clients that key is new at every start.
package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
)

// Protocol ids, topic and DHT prefix. They name no application: a peer that asks for
// our protocols learns nothing from the words.
const (
	// FrameProtocol carries frames of every type, one after the other.
	FrameProtocol = "/st/2/frame"
	// DHTPrefix is the protocol prefix of the mesh's own kad-dht.
	DHTPrefix = "/st/2"
	// DirectoryTopic is the gossipsub topic of signed descriptors.
	DirectoryTopic = "/st/2/list"
)

// Sizes in bytes.
const (
	// FrameSize is the size of every frame on every link. It holds the largest
	// packet (2,367 bytes, see package outfox) and 30 spare bytes.
	FrameSize = 2400
	// HeaderSize is the type and the length before the body.
	HeaderSize = 3
	// MaxBody is the largest body of a frame.
	MaxBody = FrameSize - HeaderSize
)

// Type is the kind of the body of a frame.
type Type byte

// Types of frames. Zero is none, so that a frame of zeros is refused.
const (
	TypePacket      Type = 1 // body: a packet of package outfox
	TypeDrop        Type = 2 // keepalive or cover: read, counted, forgotten
	TypeListRequest Type = 3 // body: see package directory
	TypeListPage    Type = 4 // body: see package directory
	TypeHello       Type = 5 // body: a Hello, the first on a link
	TypeKnock       Type = 6 // body: see package admission, as of those that follow
	TypeVoucher     Type = 7
	TypeAmListed    Type = 8
	TypeListed      Type = 9
	TypeReceived    Type = 10 // body: how many frames have come, on a link that lasts
)

// ErrFrame means that the bytes are not a frame. It says no more on purpose.
var ErrFrame = errors.New("wire: malformed frame")

// Frame is one frame as it travels. The zero value is malformed.
type Frame [FrameSize]byte

// NewFrame makes a frame. It fails only when body is longer than MaxBody.
func NewFrame(t Type, body []byte) (*Frame, error) {
	f := new(Frame)
	if err := f.Put(t, body); err != nil {
		return nil, err
	}
	return f, nil
}

// Put fills f with a type and a body and clears the rest.
func (f *Frame) Put(t Type, body []byte) error {
	if t == 0 || len(body) > MaxBody {
		return ErrFrame
	}
	f[0] = byte(t)
	binary.BigEndian.PutUint16(f[1:], uint16(len(body)))
	n := copy(f[HeaderSize:], body)
	clear(f[HeaderSize+n:])
	return nil
}

// Type returns the type of the frame.
func (f *Frame) Type() Type { return Type(f[0]) }

// Body returns the body, which points into f. The frame must have been made by
// Put or accepted by Check or ReadFrame.
func (f *Frame) Body() []byte {
	n := min(int(binary.BigEndian.Uint16(f[1:])), MaxBody)
	return f[HeaderSize : HeaderSize+n : HeaderSize+n]
}

var zeros Frame

// Check returns ErrFrame unless f has a type, a length that fits and padding of
// zeros. Types unknown here pass: they are the protocol's matter.
func (f *Frame) Check() error {
	n := int(binary.BigEndian.Uint16(f[1:]))
	if f[0] == 0 || n > MaxBody {
		return ErrFrame
	}
	pad := f[HeaderSize+n:]
	if !bytes.Equal(pad, zeros[:len(pad)]) {
		return ErrFrame
	}
	return nil
}

// ReadFrame reads exactly one frame into f and checks it. The error is io.EOF when the
// stream ended between frames, io.ErrUnexpectedEOF within one, ErrFrame when the bytes
// are no frame, or the error of r.
func ReadFrame(r io.Reader, f *Frame) error {
	if _, err := io.ReadFull(r, f[:]); err != nil {
		return err
	}
	return f.Check()
}

// WriteFrame writes one frame in a single Write.
func WriteFrame(w io.Writer, f *Frame) error {
	if err := f.Check(); err != nil {
		return err
	}
	_, err := w.Write(f[:])
	return err
}
