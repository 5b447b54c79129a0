package recall

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"time"

	"starling/p2p/admission"
	"starling/p2p/directory"
	"starling/p2p/wire"
)

// Relay is a relay's memory from one start to the next, beside its key and its boxes:
// the relays that have vouched for it, the relays it knows and for how long, wrong
// vouchers, and relays with two faces. Descriptors are as they were signed; ParseRelay
// verifies nothing.
//
//	offset  size
//	0       1     version = 3
//	1       1     number of vouchers, at most 8; if there is one:
//	2       …     our descriptor, length (2) ‖ bytes, then the vouchers, 101 each
//	…       2     number of charges, each: examiner (32) ‖ number (1) ‖ how many
//	              seconds ago each was (4)
//	…       2     number of relays with two faces, each: node id (32) ‖ for how many
//	              seconds it stays out (4)
//	…       …     relays: age (4) ‖ length (2) ‖ descriptor; the age is in seconds and
//	              0xffffffff for one that was never reached
//	…       32    SHA-256 of all before
//
// Nothing in it is a time of day, so a clock that is wrong at the start harms nothing.
// The sum tells a file that was torn. It and the version are at their places in every
// version to come, so that a whole file of a later program is told from a torn one.
type Relay struct {
	Own      []byte
	Vouchers []admission.Voucher
	Charges  []admission.Charge
	Liars    []directory.Liar
	Known    []admission.Acquaintance
}

const (
	relayVersion = 3
	neverReached = 1<<32 - 1
	maxAge       = 100 * 365 * 24 * time.Hour
)

// MaxRelay bounds the encoding of a Relay.
const MaxRelay = 1<<20 + directory.MaxRelays*(6+directory.MaxDescriptor)

// Append appends the encoding.
func (r *Relay) Append(b []byte) []byte {
	from := len(b)
	seconds := func(d time.Duration) uint32 { return uint32(min(max(0, d), maxAge) / time.Second) }

	b = append(b, relayVersion, byte(len(r.Vouchers)))
	// Vouchers are for these bytes of our descriptor: without it they prove nothing.
	if len(r.Vouchers) > 0 {
		b = binary.BigEndian.AppendUint16(b, uint16(len(r.Own)))
		b = append(b, r.Own...)
	}
	for i := range r.Vouchers {
		b = r.Vouchers[i].Append(b)
	}

	b = binary.BigEndian.AppendUint16(b, uint16(len(r.Charges)))
	for _, c := range r.Charges {
		b = append(append(b, c.Examiner[:]...), byte(len(c.Ago)))
		for _, ago := range c.Ago {
			b = binary.BigEndian.AppendUint32(b, seconds(ago))
		}
	}

	b = binary.BigEndian.AppendUint16(b, uint16(len(r.Liars)))
	for _, l := range r.Liars {
		b = binary.BigEndian.AppendUint32(append(b, l.ID[:]...), seconds(l.Left))
	}

	// Without a count: they go to the end of the file.
	for _, k := range r.Known {
		age := uint32(neverReached)
		if k.Age >= 0 {
			age = seconds(k.Age)
		}
		b = binary.BigEndian.AppendUint32(b, age)
		b = binary.BigEndian.AppendUint16(b, uint16(len(k.Raw)))
		b = append(b, k.Raw...)
	}
	sum := sha256.Sum256(b[from:])
	return append(b, sum[:]...)
}

// ParseRelay reads exactly one Relay. Nothing in it points into b. The error is ErrNewer
// or ErrDamaged.
func ParseRelay(b []byte) (*Relay, error) {
	if len(b) < sha256.Size || len(b) > MaxRelay {
		return nil, ErrDamaged
	}
	b, sum := b[:len(b)-sha256.Size], b[len(b)-sha256.Size:]
	// A torn write is noticed as a whole: half a memory would be taken for all of it.
	if got := sha256.Sum256(b); !bytes.Equal(got[:], sum) {
		return nil, ErrDamaged
	}

	c := cutter{wire.Cutter{Rest: b}}
	r := &Relay{}
	switch version := c.Byte(); {
	case version > relayVersion:
		return nil, ErrNewer
	case version != relayVersion:
		return nil, ErrDamaged
	}
	r.vouchers(&c)
	r.charges(&c)
	r.liars(&c)
	for !c.Bad && len(c.Rest) > 0 {
		k := admission.Acquaintance{Age: -1}
		if age := c.Uint32(); age != neverReached {
			k.Age = time.Duration(age) * time.Second
		}
		k.Raw = c.descriptor()
		r.Known = append(r.Known, k)
		// Bounded as it is read, so that a long file ends early.
		c.Bad = c.Bad || k.Age > maxAge || len(r.Known) > directory.MaxRelays
	}
	if c.Bad {
		return nil, ErrDamaged
	}
	return r, nil
}

func (r *Relay) vouchers(c *cutter) {
	n := int(c.Byte())
	if n == 0 {
		return
	}
	r.Own = c.descriptor()
	c.Bad = c.Bad || n > admission.MaxVouchers
	for range n {
		v, err := admission.ParseVoucher(c.Cut(admission.VoucherSize))
		if c.Bad = c.Bad || err != nil; c.Bad {
			return
		}
		r.Vouchers = append(r.Vouchers, v)
	}
}

func (r *Relay) charges(c *cutter) {
	n := int(c.Uint16())
	c.Bad = c.Bad || n > admission.MaxCharges
	for range n {
		charge := admission.Charge{Examiner: wire.NodeID(c.Cut(wire.NodeIDSize))}
		for range c.Byte() {
			ago := time.Duration(c.Uint32()) * time.Second
			charge.Ago = append(charge.Ago, ago)
			c.Bad = c.Bad || ago > maxAge
		}
		if c.Bad {
			return
		}
		r.Charges = append(r.Charges, charge)
	}
}

func (r *Relay) liars(c *cutter) {
	n := int(c.Uint16())
	c.Bad = c.Bad || n > directory.MaxLiars
	for range n {
		l := directory.Liar{ID: wire.NodeID(c.Cut(wire.NodeIDSize)), Left: time.Duration(c.Uint32()) * time.Second}
		if c.Bad = c.Bad || l.Left > maxAge; c.Bad {
			return
		}
		r.Liars = append(r.Liars, l)
	}
}

// A cutter reads from the front of bytes.
type cutter struct{ wire.Cutter }

func (c *cutter) descriptor() []byte {
	n := int(c.Uint16())
	if n == 0 || n > directory.MaxDescriptor {
		c.Bad = true
		return nil
	}
	return bytes.Clone(c.Cut(n))
}
