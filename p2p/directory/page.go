package directory

import (
	"encoding/binary"
	"errors"

	"starling/p2p/wire"
)

// # Pages
//
// Who wants to know the relays asks for those that came after a stamp, which
// counts the changes of one directory since it was made; another directory, or
// the same after a restart, is another instance and starts from 0. Request, the
// body of a TypeListRequest frame, 57 bytes:
//
//	0   8   nonce, copied into the pages
//	8   8   instance, 0 at first
//	16  8   after
//	24  32  digest of what the asker has
//	56  1   how many pages to send at most, 1–32
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
	pageHeaderSize = 8 + 8 + 8 + 1
	// MaxPages is the largest number of pages of one answer.
	MaxPages = 32
)

// ErrPage means that bytes are not a request or a page.
var ErrPage = errors.New("directory: malformed request or page")

// A Request asks for the descriptors after a stamp.
type Request struct {
	Nonce    uint64
	Instance [8]byte
	After    uint64
	Digest   [32]byte
	Pages    byte
}

// Append appends the encoding.
func (r Request) Append(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, r.Nonce)
	b = append(b, r.Instance[:]...)
	b = binary.BigEndian.AppendUint64(b, r.After)
	b = append(b, r.Digest[:]...)
	return append(b, r.Pages)
}

// Since is the request of somebody who has everything up to a stamp of this
// directory, as if it had come with nonce 0.
func (d *Directory) Since(stamp uint64) Request {
	return Request{Instance: d.instance, After: stamp, Pages: 1}
}

// ParseRequest reads exactly one request.
func ParseRequest(b []byte) (Request, error) {
	if len(b) != requestSize || b[56] == 0 || b[56] > MaxPages {
		return Request{}, ErrPage
	}
	return Request{
		Nonce:    binary.BigEndian.Uint64(b),
		Instance: [8]byte(b[8:]),
		After:    binary.BigEndian.Uint64(b[16:]),
		Digest:   [32]byte(b[24:]),
		Pages:    b[56],
	}, nil
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
		raws, last, more := d.since(after, wire.MaxBody-pageHeaderSize)
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
