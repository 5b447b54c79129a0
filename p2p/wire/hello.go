package wire

import (
	"encoding/binary"
	"errors"
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
	HelloSize = 1 + 1 + 2 + 16 + 8
)

// ErrHello means that the bytes are no hello of this version.
var ErrHello = errors.New("wire: malformed hello")

// A Hello is the first frame on a link, each way:
//
//	offset  size
//	0       1     version 1
//	1       1     role: 1 client, 2 relay, 3 bridge
//	2       2     features, big endian; bits that are not known are ignored
//	4       16    link id, random
//	20      8     frames received, big endian
//
// Link and Received are room for a link that outlives its connection.
type Hello struct {
	Role     Role
	Features uint16
	Link     [16]byte
	Received uint64
}

// Append appends the encoding.
func (h Hello) Append(b []byte) []byte {
	b = append(b, helloVersion, byte(h.Role))
	b = binary.BigEndian.AppendUint16(b, h.Features)
	b = append(b, h.Link[:]...)
	return binary.BigEndian.AppendUint64(b, h.Received)
}

// Frame returns the frame.
func (h Hello) Frame() *Frame {
	f := new(Frame)
	f.Put(TypeHello, h.Append(make([]byte, 0, HelloSize))) // fits
	return f
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
	return h, nil
}
