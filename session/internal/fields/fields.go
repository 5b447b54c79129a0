// Package fields reads layouts field by field, numbers big-endian.
package fields

import "encoding/binary"

// A Reader takes fields off the front of Rest. It is Bad once a field was too short or too
// large, and gives zeros from then on: whoever reads asks once, at the end, except before a
// loop or an allocation of a size that it read.
type Reader struct {
	Rest []byte
	Bad  bool
}

// Into fills a field.
func (r *Reader) Into(field []byte) {
	if r.Bad = r.Bad || len(r.Rest) < len(field); r.Bad {
		return
	}
	copy(field, r.Rest)
	r.Rest = r.Rest[len(field):]
}

// Number reads a number of 1 to 8 bytes.
func (r *Reader) Number(size int) uint64 {
	var b [8]byte
	r.Into(b[8-size:])
	return binary.BigEndian.Uint64(b[:])
}

// Byte reads one byte.
func (r *Reader) Byte() byte { return byte(r.Number(1)) }

// Count reads the number of fields that follow, each with at least one byte: 0 once r is bad.
func (r *Reader) Count(size, most int) int {
	n := r.Number(size)
	if r.Bad = r.Bad || n > uint64(most) || n > uint64(len(r.Rest)); r.Bad {
		return 0
	}
	return int(n)
}

// Take copies n bytes, which may be as many as most: nil once r is bad.
func (r *Reader) Take(n, most int) []byte {
	if r.Bad = r.Bad || n < 0 || n > most || n > len(r.Rest); r.Bad {
		return nil
	}
	b := make([]byte, n)
	r.Into(b)
	return b
}

// Done reports whether every field was there, and nothing behind them.
func (r *Reader) Done() bool { return !r.Bad && len(r.Rest) == 0 }
