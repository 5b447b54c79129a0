package mailbox

import (
	"crypto/ed25519"
	"encoding/binary"

	"starling/p2p/outfox"
)

// Append asks to add an entry to the log of a key.
type Append struct {
	Key   LogKey
	Entry Entry
	Block *outfox.Block // for the answer
}

// Mode says what is to be done with the blocks of a follow that no entry needs now.
type Mode byte

// Modes of a follow.
const (
	// Look is a range read: the end of the logs takes a block that is left, others are
	// thrown away. It has no lease.
	Look Mode = iota
	// Stand begins anew under its lease: the end of the logs takes a block, and the
	// others stand for entries to come.
	Stand
	// More adds blocks to those that stand under its lease. Only entries answer it. If
	// nothing stands any more it begins anew, like Stand, but without the end.
	More
)

// Follow asks for the entries of logs after positions. The instance of a position is not
// sent: an answer says which it is.
type Follow struct {
	Logs   []LogPosition
	Mode   Mode
	Lease  LeaseID // zero with Look, and else not
	Stamp  uint64
	Blocks []*outfox.Block
}

const (
	appendSize     = 1 + outfox.BlockSize + ed25519.PublicKeySize + TagSize + ed25519.SignatureSize + BoxSize
	followHeader   = 4 + LeaseSize + 8
	followedSize   = LogNameSize + 4
	logEntryHeader = 5 + LogNameSize + 4 + 4
	entrySize      = logEntryHeader + TagSize + ed25519.SignatureSize + BoxSize
	endHeader      = 5
	endSize        = LogNameSize + 4 + 2 + 4 + 32
	// maxStanding blocks stand for a reader: those of two requests.
	maxStanding = 2 * MaxBlocks
)

// Appends, follows of all, entries and ends fit into a message.
const (
	_ = uint(outfox.MessageSize - appendSize)
	_ = uint(outfox.MessageSize - followHeader - MaxFollowed*followedSize - MaxBlocks*outfox.BlockSize)
	_ = uint(outfox.MessageSize - entrySize)
	_ = uint(outfox.MessageSize - endHeader - MaxFollowed*endSize)
)

// Message encodes the request.
func (a *Append) Message() *outfox.Message {
	m := new(outfox.Message)
	b := a.Block.Append(append(m[:0], kindAppend))
	b = append(append(b, a.Key[:]...), a.Entry.Tag[:]...)
	_ = append(append(b, a.Entry.Signature[:]...), a.Entry.Box[:]...)
	return m
}

func parseAppend(m *outfox.Message) (*Append, error) {
	block, err := outfox.ParseBlock(m[1 : 1+outfox.BlockSize])
	if err != nil || !zero(m[appendSize:]) {
		return nil, ErrMalformed
	}
	a := &Append{Block: block}
	b := m[1+outfox.BlockSize:]
	b = b[copy(a.Key[:], b):]
	a.Entry.decode(b)
	return a, nil
}

// decode reads tag, signature and box.
func (e *Entry) decode(b []byte) {
	b = b[copy(e.Tag[:], b):]
	copy(e.Box[:], b[copy(e.Signature[:], b):])
}

// Message encodes the request. The error is ErrTooMuch.
func (f *Follow) Message() (*outfox.Message, error) {
	if !f.good() {
		return nil, ErrTooMuch
	}
	m := new(outfox.Message)
	b := append(m[:0], kindFollow, byte(f.Mode), byte(len(f.Logs)), byte(len(f.Blocks)))
	b = append(b, f.Lease[:]...)
	b = binary.BigEndian.AppendUint64(b, f.Stamp)
	for _, l := range f.Logs {
		b = append(b, l.Name[:]...)
		b = binary.BigEndian.AppendUint32(b, l.After)
	}
	for _, block := range f.Blocks {
		b = block.Append(b)
	}
	return m, nil
}

// good reports whether the counts fit, no log is named twice, and there is a lease if one
// is needed.
func (f *Follow) good() bool {
	if len(f.Logs) < 1 || len(f.Logs) > MaxFollowed || len(f.Blocks) < 1 || len(f.Blocks) > MaxBlocks || f.Mode > More {
		return false
	}
	for i, l := range f.Logs {
		for _, other := range f.Logs[:i] {
			if l.Name == other.Name {
				return false
			}
		}
	}
	if f.Mode == Look {
		return f.Lease == LeaseID{} && f.Stamp == 0
	}
	return f.Lease != LeaseID{}
}

func parseFollow(m *outfox.Message) (*Follow, error) {
	logs, blocks := int(m[2]), int(m[3])
	size := followHeader + logs*followedSize + blocks*outfox.BlockSize
	// The counts come first: with these bounds size is within a message, which a constant holds.
	if logs > MaxFollowed || blocks > MaxBlocks || !zero(m[size:]) {
		return nil, ErrMalformed
	}

	f := &Follow{Mode: Mode(m[1]), Logs: make([]LogPosition, logs), Blocks: make([]*outfox.Block, blocks)}
	copy(f.Lease[:], m[4:])
	f.Stamp = binary.BigEndian.Uint64(m[4+LeaseSize:])
	b := m[followHeader:]
	for i := range f.Logs {
		f.Logs[i].After = binary.BigEndian.Uint32(b[copy(f.Logs[i].Name[:], b):])
		b = b[followedSize:]
	}
	for i := range f.Blocks {
		block, err := outfox.ParseBlock(b[:outfox.BlockSize])
		if err != nil {
			return nil, ErrMalformed
		}
		f.Blocks[i], b = block, b[outfox.BlockSize:]
	}
	if !f.good() {
		return nil, ErrMalformed
	}
	return f, nil
}

// encode writes an entry of an answer.
func (e *LogEntry) encode(m *outfox.Message) {
	b := append(m[:5], e.Name[:]...)
	b = binary.BigEndian.AppendUint32(b, e.Instance)
	b = binary.BigEndian.AppendUint32(b, e.Position)
	_ = append(append(append(b, e.Tag[:]...), e.Signature[:]...), e.Box[:]...)
}

// decodeEntry reads the entry of an answer, which ends at entrySize. It has a place.
func decodeEntry(m *outfox.Message) (e *LogEntry, ok bool) {
	e = new(LogEntry)
	b := m[5:]
	b = b[copy(e.Name[:], b):]
	e.Instance, e.Position = binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:])
	e.Entry.decode(b[8:])
	return e, e.Instance > 0 && e.Position > 0 && e.Position < Newest
}

// encodeEnds writes the ends of an answer.
func encodeEnds(m *outfox.Message, ends []LogEnd) {
	m[4] = byte(len(ends))
	b := m[:endHeader]
	for _, e := range ends {
		b = append(b, e.Name[:]...)
		b = binary.BigEndian.AppendUint32(b, e.Instance)
		b = binary.BigEndian.AppendUint16(b, uint16(e.Count))
		b = binary.BigEndian.AppendUint32(b, e.Last)
		b = append(b, e.Digest[:]...)
	}
}

// decodeEnds reads the ends of an answer, and returns where they end; 0 when they are none.
func decodeEnds(m *outfox.Message) (ends []LogEnd, at int) {
	n := int(m[4])
	if n < 1 || n > MaxFollowed {
		return nil, 0
	}
	b := m[endHeader:]
	for range n {
		var e LogEnd
		r := b[copy(e.Name[:], b):]
		e.Instance, e.Count = binary.BigEndian.Uint32(r), uint32(binary.BigEndian.Uint16(r[4:]))
		e.Last = binary.BigEndian.Uint32(r[6:])
		copy(e.Digest[:], r[10:])
		if e.Count > MaxEntries || e.Count > e.Last || e.Last == Newest || e.Instance == 0 && e.Last > 0 {
			return nil, 0
		}
		ends = append(ends, e)
		b = b[endSize:]
	}
	return ends, endHeader + n*endSize
}
