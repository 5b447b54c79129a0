package group

import (
	"encoding/binary"

	"starling/session/internal/fields"
)

// A pen writes fields one after the other.
type pen struct{ b []byte }

func (p *pen) u8(n uint8)    { p.b = append(p.b, n) }
func (p *pen) u16(n int)     { p.b = binary.BigEndian.AppendUint16(p.b, uint16(n)) }
func (p *pen) u32(n uint32)  { p.b = binary.BigEndian.AppendUint32(p.b, n) }
func (p *pen) i64(n int64)   { p.b = binary.BigEndian.AppendUint64(p.b, uint64(n)) }
func (p *pen) raw(b []byte)  { p.b = append(p.b, b...) }
func (p *pen) blob(b []byte) { p.u32(uint32(len(b))); p.raw(b) }
func (p *pen) flag(b bool) {
	if b {
		p.u8(1)
	} else {
		p.u8(0)
	}
}

// A reader reads them.
type reader struct{ fields.Reader }

func readerOf(b []byte) *reader { return &reader{fields.Reader{Rest: b}} }

func (e *reader) u8() uint8   { return e.Byte() }
func (e *reader) u16() int    { return int(e.Number(2)) }
func (e *reader) u32() uint32 { return uint32(e.Number(4)) }
func (e *reader) i64() int64  { return int64(e.Number(8)) }

func (e *reader) flag() bool {
	n := e.u8()
	e.Bad = e.Bad || n > 1
	return n == 1
}

func (e *reader) blob(most int) []byte { return e.Take(int(e.u32()), most) }

func (e *reader) id() (id ID)       { e.Into(id[:]); return id }
func (e *reader) b8() (b [8]byte)   { e.Into(b[:]); return b }
func (e *reader) b16() (b [16]byte) { e.Into(b[:]); return b }
func (e *reader) b32() (b [32]byte) { e.Into(b[:]); return b }
func (e *reader) b64() (b [64]byte) { e.Into(b[:]); return b }

func zero(b []byte) (yes bool) {
	var or byte
	for _, c := range b {
		or |= c
	}
	return or == 0
}
