package wire

import (
	"encoding/binary"
	"errors"
	"io"
)

// A Role is a node's role by its own word. It is believed only where a lie gains
// nothing.
type Role byte

// Roles.
const (
	RoleClient Role = 1
	RoleRelay  Role = 2
	RoleBridge Role = 3
)

const (
	helloVersion = 1
	// HelloSize is the size of the body of a hello.
	HelloSize = 1 + 1 + 2 + 16 + 8 + 2
)

// Features of a hello.
const (
	// Lasts: this end keeps frames until they are known to have come, and the link goes on
	// over another connection.
	Lasts uint16 = 1 << iota
	// GoesOn: the link is one that was there before, at the frame after Received.
	GoesOn
)

// ErrHello means that the bytes are no hello of this version.
var ErrHello = errors.New("wire: malformed hello")

// A Hello is the first word on a link, each way. It is a frame cut off behind its body, which is
//
//	offset  size
//	0       1     version 1
//	1       1     role: 1 client, 2 relay, 3 bridge
//	2       2     features, big endian; bits that are not known are ignored
//	4       16    link id, random
//	20      8     frames received, big endian
//	28      2     frames that may follow on this connection, big endian
//
// Link names a link that lasts; the side that was dialled repeats it. Received is 0 unless
// it goes on. Hellos and frames of TypeReceived are not counted in it. Room is 0 for any
// number, and counts all frames but the hello.
type Hello struct {
	Role     Role
	Features uint16
	Link     [16]byte
	Received uint64
	Room     uint16
}

// Has reports whether all of some features are there.
func (h Hello) Has(features uint16) bool { return h.Features&features == features }

// Append appends the encoding.
func (h Hello) Append(b []byte) []byte {
	b = append(b, helloVersion, byte(h.Role))
	b = binary.BigEndian.AppendUint16(b, h.Features)
	b = append(b, h.Link[:]...)
	b = binary.BigEndian.AppendUint64(b, h.Received)
	return binary.BigEndian.AppendUint16(b, h.Room)
}

// Bytes returns what goes on the line.
func (h Hello) Bytes() []byte {
	f := new(Frame)
	f.Put(TypeHello, h.Append(make([]byte, 0, HelloSize))) // fits
	return f[:HeaderSize+HelloSize]
}

// ReadHello reads what the other side has written of Bytes.
func ReadHello(r io.Reader) (h Hello, err error) {
	var b [HeaderSize + HelloSize]byte
	if _, err := io.ReadFull(r, b[:HeaderSize]); err != nil {
		return h, err
	}
	if Type(b[0]) != TypeHello || binary.BigEndian.Uint16(b[1:]) != HelloSize {
		return h, ErrHello
	}
	if _, err := io.ReadFull(r, b[HeaderSize:]); err != nil {
		return h, err
	}
	return ParseHello(b[HeaderSize:])
}

// ParseHello reads the body of a hello.
func ParseHello(b []byte) (h Hello, err error) {
	if len(b) != HelloSize || b[0] != helloVersion {
		return Hello{}, ErrHello
	}
	h.Role = Role(b[1])
	if h.Role < RoleClient || h.Role > RoleBridge {
		return Hello{}, ErrHello
	}
	h.Features = binary.BigEndian.Uint16(b[2:])
	copy(h.Link[:], b[4:])
	h.Received = binary.BigEndian.Uint64(b[20:])
	h.Room = binary.BigEndian.Uint16(b[28:])
	return h, nil
}

// ReceivedFrame tells the other side how many frames have come on a link.
func ReceivedFrame(n uint64) *Frame {
	f := new(Frame)
	f.Put(TypeReceived, binary.BigEndian.AppendUint64(nil, n)) // fits
	return f
}

// ParseReceived reads the body of a frame of TypeReceived.
func ParseReceived(b []byte) (n uint64, err error) {
	if len(b) != 8 {
		return 0, ErrFrame
	}
	return binary.BigEndian.Uint64(b), nil
}
