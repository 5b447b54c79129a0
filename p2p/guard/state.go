package guard

import (
	"bytes"
	"encoding/binary"
	"errors"
	"time"

	"starling/p2p/directory"
	"starling/p2p/wire"
)

// ErrState means that stored guards cannot be read.
var ErrState = errors.New("guard: damaged state")

const (
	lastSecond = 1 << 40 // times beyond do not compare as numbers do
	maxSpent   = 255
)

// Append appends the encoding. Numbers are big endian, times seconds lived:
//
//	size  lived (8) ‖ time of day (8) ‖ grace (4) ‖ calm since (8)
//	1     number of unmet relays met of late, each: when (8)
//	1     number of guards, each:
//	      until (8) ‖ met (8) ‖ unlisted (8) ‖ 1 if two agree on it (1) ‖
//	      length (1) ‖ hint ‖
//	      length (1) ‖ hint with the addresses at which it has answered, if any
func (s *Guards) Append(b []byte) []byte {
	seconds := func(d time.Duration) uint64 {
		if d == 0 {
			return 0
		}
		return uint64(max(1, d/time.Second))
	}

	clock := min(uint64(max(0, s.clock.Unix())), lastSecond)

	b = binary.BigEndian.AppendUint64(b, seconds(s.lived))
	b = binary.BigEndian.AppendUint64(b, clock)
	b = binary.BigEndian.AppendUint32(b, uint32(s.grace/time.Second))
	b = binary.BigEndian.AppendUint64(b, seconds(s.calm))

	spent := s.spent[max(0, len(s.spent)-maxSpent):]
	b = append(b, byte(len(spent)))
	for _, at := range spent {
		b = binary.BigEndian.AppendUint64(b, seconds(at))
	}

	b = append(b, byte(len(s.list)))
	for _, g := range s.list {
		b = binary.BigEndian.AppendUint64(b, seconds(g.until))
		b = binary.BigEndian.AppendUint64(b, seconds(g.met))
		b = binary.BigEndian.AppendUint64(b, seconds(g.unlisted))
		sure := byte(0)
		if g.sure {
			sure = 1
		}
		hint := directory.Hint{ID: g.id, Addresses: g.addresses}.Append(nil)
		b = append(append(b, sure, byte(len(hint))), hint...)

		var proved []byte
		if len(g.proved) > 0 {
			h := directory.Hint{ID: g.id}
			for _, a := range g.proved {
				h.Addresses = append(h.Addresses, directory.FromBook(a))
			}
			proved = h.Append(nil)
		}
		b = append(append(b, byte(len(proved))), proved...)
	}
	return b
}

// A cutter reads from the front of bytes.
type cutter struct{ wire.Cutter }

func (c *cutter) seconds() time.Duration {
	n := c.Uint64()
	if n > uint64(maxLived/time.Second) {
		c.Bad = true
		return 0
	}
	return time.Duration(n) * time.Second
}

// maxLived bounds the time read: a time.Duration holds 292 years.
const maxLived = 100 * 365 * day

// Cut takes over stored guards from the front of b and returns the rest. Guards
// that cannot be read are forgotten, all of them.
func (s *Guards) Cut(b []byte) (rest []byte, err error) {
	c := &cutter{wire.Cutter{Rest: b}}
	read := New(Config{AllowPrivate: s.private, Rand: s.rnd})
	read.lived = c.seconds()
	clock := c.Uint64()
	read.grace = time.Duration(c.Uint32()) * time.Second
	read.calm = c.seconds()
	for range c.Byte() {
		read.spent = append(read.spent, c.seconds())
	}

	n := int(c.Byte())
	if c.Bad || clock > lastSecond || n > MaxGuards || read.lived == 0 ||
		read.grace < graceMin || read.grace > graceMax {
		return nil, ErrState
	}
	if clock > 0 {
		read.clock = time.Unix(int64(clock), 0)
	}

	for range n {
		g := c.guard()
		if c.Bad || read.find(g.id) != nil || g.met > 0 && read.metCount() < len(read.list) {
			return nil, ErrState
		}
		read.list = append(read.list, g)
	}

	*s = *read
	return c.Rest, nil
}

func (c *cutter) guard() *guard {
	g := &guard{until: c.seconds(), met: c.seconds(), unlisted: c.seconds()}
	sure := c.Byte()
	hint := c.hint(int(c.Byte()))
	g.sure, g.id, g.addresses = sure == 1, hint.ID, hint.Addresses
	c.Bad = c.Bad || sure > 1

	if n := int(c.Byte()); n > 0 {
		proved := c.hint(n)
		g.proved = directory.ForBook(proved.Addresses)
		c.Bad = c.Bad || proved.ID != g.id || len(g.proved) != len(proved.Addresses)
	}
	return g
}

func (c *cutter) hint(n int) directory.Hint {
	raw := c.Cut(n)
	hint, err := directory.ParseHint(raw)
	c.Bad = c.Bad || err != nil || !bytes.Equal(hint.Append(nil), raw)
	return hint
}
