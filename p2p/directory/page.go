package directory

import (
	"encoding/binary"
	"errors"
	"time"

	"starling/p2p/wire"
)

// # Pages
//
// Who wants to know the relays asks for those that came after a stamp, which
// counts the changes of one directory since it was made; another directory, or
// the same after a restart, is another instance and starts from 0. Request, the
// body of a TypeListRequest frame, 57 or 2,113 bytes:
//
//	0   8   nonce, copied into the pages
//	8   8   instance, 0 at first
//	16  8   after
//	24  32  digest of what the asker has
//	56  1   how many pages to send at most, 1–32
//
// and, from somebody who has much of a list, but not from this directory:
//
//	57  8    Unix seconds: only descriptors issued then or later; 0: all
//	65  2048 sketch: for each first byte of a node id 8 bytes, the SHA-256 of id
//	         (32) ‖ sequence (8) of what the asker has of those; only those
//	         descriptors are sent for which the sketches differ
//
// Page, the body of a TypeListPage frame:
//
//	0   8   nonce
//	8   8   instance
//	16  8   stamp up to which the asker now has everything
//	24  1   0: more pages follow in this answer
//	        1: last page, and the asker has all
//	        2: last page of this answer; ask again
//	        3: your digest is mine, nothing to send
//	25  …   descriptors, each length (2) ‖ bytes, to the end of the body
//
// All numbers are big endian.

const (
	requestSize    = 8 + 8 + 8 + 32 + 1
	sketchSize     = 256 * 8
	narrowSize     = requestSize + 8 + sketchSize
	pageHeaderSize = 8 + 8 + 8 + 1
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
	// Narrow, if not nil, leaves out what the asker has from others.
	Narrow *Narrow
}

// A Sketch is a short hash of the descriptors of each 256th of the node ids, by
// their first byte.
type Sketch [256][8]byte

// Narrow bounds an answer to the descriptors whose bucket differs and that were
// issued at a time or later; the zero time is any.
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

// Since is the request of somebody who has everything up to a stamp of this
// directory, as if it had come with nonce 0.
func (d *Directory) Since(stamp uint64) Request {
	return Request{Instance: d.instance, After: stamp, Pages: 1}
}

// ParseRequest reads exactly one request.
func ParseRequest(b []byte) (Request, error) {
	if len(b) != requestSize && len(b) != narrowSize || b[56] == 0 || b[56] > MaxPages {
		return Request{}, ErrPage
	}
	r := Request{
		Nonce:    binary.BigEndian.Uint64(b),
		Instance: [8]byte(b[8:]),
		After:    binary.BigEndian.Uint64(b[16:]),
		Digest:   [32]byte(b[24:]),
		Pages:    b[56],
	}
	if r.Nonce == 0 { // pages that nobody asked for have it
		return Request{}, ErrPage
	}
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

// PageState says what follows a page.
type PageState byte

// States of a page.
const (
	PageFollows PageState = 0 // another page of the same answer
	PageLast    PageState = 1 // nothing: the asker has all
	PagePause   PageState = 2 // nothing until the asker asks again
	PageSame    PageState = 3 // nothing: both have the same
)

// A Page is one part of an answer.
type Page struct {
	Nonce       uint64
	Instance    [8]byte
	Stamp       uint64
	State       PageState
	Descriptors [][]byte
}

// Append appends the encoding.
func (p *Page) Append(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, p.Nonce)
	b = append(b, p.Instance[:]...)
	b = binary.BigEndian.AppendUint64(b, p.Stamp)
	b = append(b, byte(p.State))
	for _, raw := range p.Descriptors {
		b = binary.BigEndian.AppendUint16(b, uint16(len(raw)))
		b = append(b, raw...)
	}
	return b
}

// ParsePage reads exactly one page. The descriptors point into b and are not
// verified.
func ParsePage(b []byte) (*Page, error) {
	if len(b) < pageHeaderSize || len(b) > wire.MaxBody || b[24] > byte(PageSame) {
		return nil, ErrPage
	}
	p := &Page{
		Nonce:    binary.BigEndian.Uint64(b),
		Instance: [8]byte(b[8:]),
		Stamp:    binary.BigEndian.Uint64(b[16:]),
		State:    PageState(b[24]),
	}
	for b = b[pageHeaderSize:]; len(b) > 0; {
		if len(b) < 2 {
			return nil, ErrPage
		}
		n := int(binary.BigEndian.Uint16(b))
		if b = b[2:]; n < fixedSize || n > MaxDescriptor || n > len(b) {
			return nil, ErrPage
		}
		p.Descriptors = append(p.Descriptors, b[:n:n])
		b = b[n:]
	}
	if p.State == PageSame && len(p.Descriptors) > 0 {
		return nil, ErrPage
	}
	return p, nil
}

// Answer returns the pages that answer a request, one after the other, until
// yield returns false.
func (d *Directory) Answer(r Request, yield func(*Page) bool) {
	snap := d.Snapshot()
	after := r.After
	if r.Instance != d.instance {
		after = 0
	}
	if r.Digest == snap.Digest {
		yield(&Page{Nonce: r.Nonce, Instance: d.instance, Stamp: snap.stamp, State: PageSame})
		return
	}
	for n := byte(1); ; n++ {
		raws, last, more := d.since(after, wire.MaxBody-pageHeaderSize, func(desc *Descriptor) bool { return r.Narrow.admits(desc, &snap.Sketch) })
		p := &Page{Nonce: r.Nonce, Instance: d.instance, Stamp: last, Descriptors: raws}
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
