package directory

import (
	"encoding/binary"
	"errors"
	"time"

	"starling/p2p/wire"
)

// # Pages
//
// An asker asks for the relays that came after a stamp. A stamp counts the changes
// of one directory since it was made; another directory, or the same after a
// restart, is another instance and starts from 0. Request, the body of a
// TypeListRequest frame, 74 or 2,130 bytes:
//
//	0   8   nonce, copied into the pages
//	8   8   instance, 0 at first
//	16  8   after
//	24  32  digest of the asker's list
//	56  1   how many pages to send at most, 1–32
//	57  8   stamp (package exchange), or 0
//	65  8   whole: the stamp at which the asker last had all; of descriptors that
//	        came up to then renewals may come. 0: none may
//	73  1   1: names in place of renewals
//
// and, from the owner of much of a list, but not of this directory:
//
//	74  8    Unix seconds: only descriptors issued then or later; 0: all
//	82  2048 sketch: for each first byte of a node id 8 bytes, the SHA-256 of id
//	         (32) ‖ sequence (8) of the asker's descriptors of those; only those
//	         descriptors are sent for which the sketches differ
//
// Page, the body of a TypeListPage frame:
//
//	0   8   nonce
//	8   8   instance
//	16  8   stamp up to which the asker now has everything
//	24  8   time of the answerer's clock, Unix seconds
//	32  1   0: more pages follow in this answer
//	        1: last page, and the asker has all
//	        2: last page of this answer; ask again
//	        3: your digest is mine, nothing to send
//	        4: you ask too much; ask another, or later, or with a stamp
//	33  …   entries, each length (2) ‖ known (2) ‖ descriptor, or length (2) ‖
//	        renewal or name, to the end of the body; in state 4 one byte, the bits of
//	        a stamp that helps, or 0 for none does
//
// Known is for how many minutes the answerer has reached that relay itself, at most
// 65,534; 65,535 means that it has not, and others vouch for it. A renewal leaves it as it
// was told: what is new of it is said with the whole descriptor. A page that is
// followed by others has an entry. All numbers are big endian.

const (
	requestSize    = 8 + 8 + 8 + 32 + 1 + 8 + 8 + 1
	sketchSize     = 256 * 8
	narrowSize     = requestSize + 8 + sketchSize
	pageHeaderSize = 8 + 8 + 8 + 8 + 1
	entryHeader    = 2
	knownSize      = 2
	// MaxPages is the largest number of pages of one answer.
	MaxPages = 32
)

// A narrow request fits into a frame.
const _ = uint(wire.MaxBody - narrowSize)

// ErrPage means that bytes are not a request or a page.
var ErrPage = errors.New("directory: malformed request or page")

// A Request asks for the descriptors after a stamp.
type Request struct {
	Nonce    uint64
	Instance [8]byte
	After    uint64
	Digest   [32]byte
	Pages    byte
	Stamp    uint64
	// Whole is the stamp at which the asker last had all.
	Whole uint64
	// Names asks for names in place of renewals.
	Names bool
	// Narrow, if not nil, leaves out descriptors that the asker has from others.
	Narrow *Narrow
}

// A Sketch is a short hash of the descriptors of each 256th of the node ids, by
// their first byte.
type Sketch [256][8]byte

// Narrow bounds an answer to the descriptors in differing buckets that were issued at a
// time or later; the zero time is any.
type Narrow struct {
	Issued time.Time
	Sketch Sketch
}

// admits reports whether the asker may not have a descriptor.
func (n *Narrow) admits(d *Descriptor, mine *Sketch) bool {
	return n == nil || !d.Issued.Before(n.Issued) && n.Sketch[d.ID[0]] != mine[d.ID[0]]
}

// Append appends the encoding.
func (r Request) Append(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, r.Nonce)
	b = append(b, r.Instance[:]...)
	b = binary.BigEndian.AppendUint64(b, r.After)
	b = append(b, r.Digest[:]...)
	b = append(b, r.Pages)
	b = binary.BigEndian.AppendUint64(b, r.Stamp)
	b = binary.BigEndian.AppendUint64(b, r.Whole)
	b = append(b, 0)
	if r.Names {
		b[len(b)-1] = 1
	}

	if r.Narrow == nil {
		return b
	}
	seconds := uint64(0)
	if !r.Narrow.Issued.IsZero() {
		seconds = uint64(r.Narrow.Issued.Unix())
	}
	b = binary.BigEndian.AppendUint64(b, seconds)
	for i := range r.Narrow.Sketch {
		b = append(b, r.Narrow.Sketch[i][:]...)
	}
	return b
}

// ParseRequest reads exactly one request.
func ParseRequest(b []byte) (Request, error) {
	if len(b) != requestSize && len(b) != narrowSize || b[56] == 0 || b[56] > MaxPages || b[73] > 1 {
		return Request{}, ErrPage
	}

	r := Request{
		Nonce:    binary.BigEndian.Uint64(b),
		Instance: [8]byte(b[8:]),
		After:    binary.BigEndian.Uint64(b[16:]),
		Digest:   [32]byte(b[24:]),
		Pages:    b[56],
		Stamp:    binary.BigEndian.Uint64(b[57:]),
		Whole:    binary.BigEndian.Uint64(b[65:]),
		Names:    b[73] == 1,
	}
	if r.Nonce == 0 { // nobody draws it
		return Request{}, ErrPage
	}

	// Without a sketch all is asked for.
	if b = b[requestSize:]; len(b) == 0 {
		return r, nil
	}

	seconds := binary.BigEndian.Uint64(b)
	if seconds > lastSecond {
		return Request{}, ErrPage
	}
	r.Narrow = new(Narrow)
	if seconds > 0 {
		r.Narrow.Issued = time.Unix(int64(seconds), 0)
	}

	b = b[8:]
	for i := range r.Narrow.Sketch {
		b = b[copy(r.Narrow.Sketch[i][:], b):]
	}
	return r, nil
}

// PageState is the continuation after a page.
type PageState byte

// States of a page.
const (
	PageFollows PageState = 0 // another page of the same answer
	PageLast    PageState = 1 // nothing: the asker has all
	PagePause   PageState = 2 // nothing until the asker asks again
	PageSame    PageState = 3 // nothing: both have the same
	PageLater   PageState = 4 // nothing, or with a stamp: the asker has asked too much
)

// VouchedOnly is the Known of a relay that the answerer has not reached itself.
const VouchedOnly = 1<<16 - 1

// An Entry is a signed descriptor and how the answerer knows that its relay is there; or
// a renewal or name.
type Entry struct {
	Known uint16 // minutes, or VouchedOnly, as of a renewal or name
	Raw   []byte
}

// Renews reports whether the entry is a renewal.
func (e Entry) Renews() bool { return !e.Names() && !e.whole() }

// Names reports whether the entry is a name.
func (e Entry) Names() bool { return len(e.Raw) == nameSize }

func (e Entry) whole() bool { return len(e.Raw) >= leastDescriptor }

// size returns the bytes that the entry takes in a page.
func (e Entry) size() int {
	if !e.whole() {
		return entryHeader + len(e.Raw)
	}
	return entryHeader + knownSize + len(e.Raw)
}

// Since returns the time at which the answerer first reached the relay, by the clock
// that said now; the zero time if it has not.
func (e Entry) Since(now time.Time) time.Time {
	if e.Known == VouchedOnly {
		return time.Time{}
	}
	return now.Add(-time.Duration(e.Known) * time.Minute)
}

// knownSince is the inverse of Since.
func knownSince(reached, now time.Time) uint16 {
	if reached.IsZero() {
		return VouchedOnly
	}
	return uint16(min(max(now.Sub(reached)/time.Minute, 0), VouchedOnly-1))
}

// ID returns the node id that the descriptor claims, if it is one.
func (e Entry) ID() (id wire.NodeID) {
	if e.whole() {
		copy(id[:], e.Raw[1:])
	}
	return id
}

// A Page is one part of an answer.
type Page struct {
	Nonce    uint64
	Instance [8]byte
	Stamp    uint64
	Time     time.Time // of the answerer's clock, in whole seconds
	State    PageState
	Entries  []Entry
	Price    byte // of PageLater: bits of a stamp, or 0
}

// Append appends the encoding.
func (p *Page) Append(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, p.Nonce)
	b = append(b, p.Instance[:]...)
	b = binary.BigEndian.AppendUint64(b, p.Stamp)
	b = binary.BigEndian.AppendUint64(b, uint64(p.Time.Unix()))
	b = append(b, byte(p.State))
	if p.State == PageLater {
		return append(b, p.Price)
	}
	for _, e := range p.Entries {
		b = binary.BigEndian.AppendUint16(b, uint16(len(e.Raw)))
		if e.whole() {
			b = binary.BigEndian.AppendUint16(b, e.Known)
		}
		b = append(b, e.Raw...)
	}
	return b
}

// ParsePage reads exactly one page. The descriptors point into b and are not
// verified.
func ParsePage(b []byte) (*Page, error) {
	if len(b) < pageHeaderSize || len(b) > wire.MaxBody || b[32] > byte(PageLater) {
		return nil, ErrPage
	}

	seconds := binary.BigEndian.Uint64(b[24:])
	if seconds > lastSecond {
		return nil, ErrPage
	}
	p := &Page{
		Nonce:    binary.BigEndian.Uint64(b),
		Instance: [8]byte(b[8:]),
		Stamp:    binary.BigEndian.Uint64(b[16:]),
		Time:     time.Unix(int64(seconds), 0),
		State:    PageState(b[32]),
	}

	// Later has a price and nothing else.
	b = b[pageHeaderSize:]
	if p.State == PageLater {
		if len(b) != 1 {
			return nil, ErrPage
		}
		p.Price = b[0]
		return p, nil
	}

	// Their number is bounded by the page, as each has a least size.
	for len(b) > 0 {
		e, rest, err := cutEntry(b)
		if err != nil {
			return nil, err
		}
		p.Entries, b = append(p.Entries, e), rest
	}

	// A page that promises more and brings nothing would keep the asker for ever.
	if p.State == PageSame && len(p.Entries) > 0 || p.more() && len(p.Entries) == 0 {
		return nil, ErrPage
	}
	return p, nil
}

// cutEntry reads the first entry.
func cutEntry(b []byte) (e Entry, rest []byte, err error) {
	if len(b) < entryHeader {
		return e, nil, ErrPage
	}
	n := int(binary.BigEndian.Uint16(b))
	b = b[entryHeader:]
	e.Known = VouchedOnly
	if _, _, ok := renewalForm(n); !ok && n != nameSize {
		if n < leastDescriptor || n > MaxDescriptor || len(b) < knownSize {
			return e, nil, ErrPage
		}
		e.Known, b = binary.BigEndian.Uint16(b), b[knownSize:]
	}
	if n > len(b) {
		return e, nil, ErrPage
	}
	e.Raw = b[:n:n]
	return e, b[n:], nil
}

// more reports whether another page follows, in this answer or the next.
func (p *Page) more() bool { return p.State == PageFollows || p.State == PagePause }

// Later is the page that answers an asker of too much, with the bits of a stamp that
// would help, or 0.
func (d *Directory) Later(r Request, price byte) *Page {
	return &Page{Nonce: r.Nonce, Instance: r.Instance, Stamp: r.After, Time: d.cfg.Now(), State: PageLater, Price: price}
}

// Answer returns the pages that answer a request, one after the other, until
// yield returns false.
func (d *Directory) Answer(r Request, yield func(*Page) bool) {
	snap := d.Snapshot()
	after := r.After
	// Numbers of another run of ours mean nothing here.
	if r.Instance != d.instance {
		after, r.Whole = 0, 0
		// Who knew another one has much of this, and will say so once it is told.
		if r.Instance != [8]byte{} && r.Narrow == nil {
			r.Pages = 1
		}
	}

	// The same list costs one page, which is the usual case.
	if r.Digest == snap.Digest && (r.Instance != d.instance || after >= snap.moved) {
		yield(&Page{Nonce: r.Nonce, Instance: d.instance, Stamp: snap.stamp, Time: d.cfg.Now(), State: PageSame})
		return
	}

	for n := byte(1); ; n++ {
		entries, last, more := d.since(after, &r, wire.MaxBody-pageHeaderSize, func(desc *Descriptor) bool { return r.Narrow.admits(desc, &snap.Sketch) })
		p := &Page{Nonce: r.Nonce, Instance: d.instance, Stamp: last, Time: d.cfg.Now(), Entries: entries}
		switch {
		case !more:
			p.State = PageLast
		case n >= r.Pages:
			p.State = PagePause
		}
		if !yield(p) || p.State != PageFollows {
			return
		}
		after = last
	}
}
