package wire

import "encoding/binary"

// A Cutter takes fields off the front of Rest, numbers big-endian. It is Bad once a field
// was too short, and gives zeros from then on: whoever reads asks once, at the end, except
// before a loop of a length that it read. It copies nothing.
type Cutter struct {
	Rest []byte
	Bad  bool
}

// Cut returns the next n bytes. A caller bounds n: as many zeros are allocated when there
// are fewer.
func (c *Cutter) Cut(n int) []byte {
	if c.Bad = c.Bad || len(c.Rest) < n; c.Bad {
		return make([]byte, n)
	}
	head := c.Rest[:n]
	c.Rest = c.Rest[n:]
	return head
}

// Byte reads a number of one byte.
func (c *Cutter) Byte() byte { return c.Cut(1)[0] }

// Uint16 reads a number of two bytes.
func (c *Cutter) Uint16() uint16 { return binary.BigEndian.Uint16(c.Cut(2)) }

// Uint32 reads a number of four bytes.
func (c *Cutter) Uint32() uint32 { return binary.BigEndian.Uint32(c.Cut(4)) }

// Uint64 reads a number of eight bytes.
func (c *Cutter) Uint64() uint64 { return binary.BigEndian.Uint64(c.Cut(8)) }
