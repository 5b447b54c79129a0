package group

import "encoding/binary"

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

// An eye reads them. It is bad once a field was too short or too large, and reads zeros then.
type eye struct {
	rest    []byte
	bad     bool
	version uint8 // of the state that is read
}

func (e *eye) into(field []byte) {
	if e.bad = e.bad || len(e.rest) < len(field); e.bad {
		return
	}
	copy(field, e.rest)
	e.rest = e.rest[len(field):]
}

func (e *eye) number(size int) uint64 {
	var b [8]byte
	e.into(b[8-size:])
	return binary.BigEndian.Uint64(b[:])
}

func (e *eye) u8() uint8   { return uint8(e.number(1)) }
func (e *eye) u16() int    { return int(e.number(2)) }
func (e *eye) u32() uint32 { return uint32(e.number(4)) }
func (e *eye) i64() int64  { return int64(e.number(8)) }

func (e *eye) flag() bool {
	n := e.u8()
	e.bad = e.bad || n > 1
	return n == 1
}

// take copies n bytes, at most so many.
func (e *eye) take(n, most int) []byte {
	if e.bad = e.bad || n > most || n > len(e.rest); e.bad {
		return nil
	}
	b := make([]byte, n)
	e.into(b)
	return b
}

func (e *eye) blob(most int) []byte { return e.take(int(e.u32()), most) }

// count reads the number of fields that follow, each with at least one byte: none once it is bad.
func (e *eye) count(size, most int) int {
	n := e.number(size)
	if e.bad = e.bad || n > uint64(most) || n > uint64(len(e.rest)); e.bad {
		return 0
	}
	return int(n)
}

func (e *eye) id() (id ID)       { e.into(id[:]); return id }
func (e *eye) b8() (b [8]byte)   { e.into(b[:]); return b }
func (e *eye) b16() (b [16]byte) { e.into(b[:]); return b }
func (e *eye) b32() (b [32]byte) { e.into(b[:]); return b }
func (e *eye) b64() (b [64]byte) { e.into(b[:]); return b }
func (e *eye) done() bool        { return !e.bad && len(e.rest) == 0 }
func zero(b []byte) (yes bool) {
	var or byte
	for _, c := range b {
		or |= c
	}
	return or == 0
}
