// Package chat is the language of two people inside a session: the encoding of
// contents, and the rules that texts and names obey.
//
// # Format
//
// A content is at most 64 KiB:
//
//	kind    1
//	fields    each: number 1 ‖ length 2, big-endian ‖ value
//
// Fields come in ascending order of their numbers; only a mailbox may come
// more than once. A field that a kind does not need is allowed there, and one
// with an unknown number is decoded and ignored. A content of an
// unknown kind is decoded all the same: it is for a newer program, and taken
// for delivered. Anything else that deviates is malformed, whole.
//
//	kind         fields
//	1 profile    name, mailbox…         my name and where I fetch; the first content of each side
//	2 text       text; time, ref, forwarded, timer, previous
//	3 receipt    ids                    these contents have come
//	4 mailboxes  mailbox…               where I fetch from now on
//	5 ask        ids                    please repeat the receipts of those that have come
//	6 edit       ref, text; time        my message has this text now
//	7 delete     ids                    I take my messages back
//	8 reaction   ref; emoji             my opinion of a message; without emoji: none any more
//	9 picture    picture; text, time, ref, forwarded, timer, previous
//	10 timer     ; timer, previous      I offer that messages disappear; without timer: that they stay
//	11 read      ids; time              I have read your messages
//	12 typing    time                   I am writing
//	13 file      file, filename; text, time, ref, forwarded, timer, previous
//	15 lost      ids                    I give these messages of mine up: they will not come
//	16 missed    cells                  I wait for these cells of yours no longer: send again what was in them
//	20 aside     sealed                 in a room: for one member alone
//
//	field        value
//	1 name       UTF-8, at most 64 bytes
//	2 mailbox    a hint of package p2p, 1 to 128 bytes; at most 4 of them
//	3 text       UTF-8, 1 to 32,768 bytes
//	4 time       8 bytes: milliseconds since 1970, up to the year 9999, by the sender's clock
//	5 ids        16 bytes each, 1 to 64 of them
//	6 ref        16 bytes: the message that this is about; of a message, the one it answers
//	7 forwarded  empty: somebody else wrote it
//	8 timer      4 bytes: 5 to 2,419,200 seconds after which a message disappears
//	9 emoji      UTF-8, 1 to 32 bytes; anything but one emoji is dropped
//	10 picture   a PNG, JPEG or GIF by its first bytes, at most 49,152 bytes
//	11 previous  16 bytes: the sender's message before this, in the order of writing
//	12 file      any bytes, at most 49,152, and none at all
//	13 filename  UTF-8, 1 to 200 bytes; cleaned before anybody sees it
//	20 sealed    1 to 4,096 bytes that one member of a room can open
//	32 cells     8 bytes each, 1 to 64 of them: number of the first 4 ‖ how many 4; ascending, none meets another
//
// There are at most 64 fields. Receipts, asks and typings are not receipted.
//
// # Order
//
// Contents of a conversation, texts, pictures, files, edits, deletes, reactions and
// timers, are taken in their turn ([Kind.InTurn]); the rest at once. A gap in the sender's
// chain may hide a message or only a receipt that is never repeated. So each message
// names the one before it: its turn is after that, even if other cells are missing. The
// first message of a conversation names none, nor do those of programs that did not
// know the field; their turn is that of their cells. Of two edits of one message, or
// two reactions or timers of one side, the one later in the chain holds, whichever came
// first.
package chat

import (
	"encoding/binary"
	"errors"
	"time"
	"unicode/utf8"

	"starling/node/api"
	"starling/node/api/picture"
)

// Kind is the kind of a content. The numbers are a wire format.
type Kind uint8

const (
	Profile   Kind = 1
	Text      Kind = 2
	Receipt   Kind = 3
	Mailboxes Kind = 4
	Ask       Kind = 5
	Edit      Kind = 6
	Delete    Kind = 7
	Reaction  Kind = 8
	Picture   Kind = 9
	Timer     Kind = 10
	Read      Kind = 11
	Typing    Kind = 12
	File      Kind = 13
	Lost      Kind = 15
	Missed    Kind = 16
	Aside     Kind = 20 // in rooms alone
)

// Limits of the format.
const (
	MaxContent   = 64 << 10
	MaxFields    = 64
	MaxMailboxes = 4
	MaxHint      = 128
	MaxIDs       = 64
	MaxCells     = 64 // runs of them
	MinTimer     = 5  // seconds
	MaxSealed    = 4096
)

const (
	fieldName      = 1
	fieldMailbox   = 2
	fieldText      = 3
	fieldTime      = 4
	fieldIDs       = 5
	fieldRef       = 6
	fieldForwarded = 7
	fieldTimer     = 8
	fieldEmoji     = 9
	fieldPicture   = 10
	fieldPrevious  = 11
	fieldFile      = 12
	fieldFileName  = 13
	fieldSealed    = 20
	fieldCells     = 32

	fieldHead = 3
	maxMillis = 253402300799999 // 9999-12-31T23:59:59.999Z
)

// ID names a content (session.ID).
type ID = [16]byte

// A Content is one thing said.
type Content struct {
	Kind      Kind
	Name      string
	Mailboxes [][]byte // hints
	Text      string
	Time      time.Time // to the millisecond
	IDs       []ID
	Ref       ID // zero: none
	Forwarded bool
	Timer     int // seconds; 0: none
	Emoji     string
	Picture   []byte
	Previous  ID     // zero: none, or not said
	File      []byte // nil: none; a file may be empty
	FileName  string
	Sealed    []byte  // for one member of a room
	Cells     []Cells // of who reads this
	Unknown   []Field // in ascending order
}

// Cells are a run of cells in one direction of a session, of which the last number
// is [MaxCell] at most.
type Cells struct{ First, Count uint32 }

// MaxCell is the largest number of a cell.
const MaxCell = 1<<31 - 1

// end is the number after the run.
func (c Cells) end() uint64 { return uint64(c.First) + uint64(c.Count) }

// A Field is one that this program does not know.
type Field struct {
	Number uint8
	Value  []byte
}

// Acknowledged reports whether the peer answers a content of this kind with a
// receipt.
func (k Kind) Acknowledged() bool { return k != Receipt && k != Ask && k != Typing }

// Message reports whether a content of this kind is a message of a
// conversation.
func (k Kind) Message() bool { return k == Text || k == Picture || k == File }

// InTurn reports whether a content of this kind is taken in its turn among
// those of its sender.
func (k Kind) InTurn() bool {
	switch k {
	case Text, Picture, File, Edit, Delete, Reaction, Timer:
		return true
	}
	return false
}

// Encode returns the content's bytes. It panics on a content that breaks the limits:
// the owner's texts are checked before ([CheckText], [CleanName]).
func (c *Content) Encode() []byte {
	b, err := c.Encoded()
	if err != nil {
		panic("chat: encoding a content that breaks the limits")
	}
	return b
}

// Encoded is Encode of a content with parts that somebody else chose: together they may break the limits.
func (c *Content) Encoded() ([]byte, error) {
	b := []byte{byte(c.Kind)}
	// Fields go out in the order of their numbers, which Decode demands.
	field := func(number uint8, value []byte) {
		b = append(b, number)
		b = binary.BigEndian.AppendUint16(b, uint16(len(value)))
		b = append(b, value...)
	}

	if c.Name != "" {
		field(fieldName, []byte(c.Name))
	}
	for _, m := range c.Mailboxes {
		field(fieldMailbox, m)
	}

	if c.Text != "" {
		field(fieldText, []byte(c.Text))
	}

	// Milliseconds: the recipient needs no more, and finer ones would tell clocks apart.
	if !c.Time.IsZero() {
		field(fieldTime, binary.BigEndian.AppendUint64(nil, uint64(c.Time.UnixMilli())))
	}

	if len(c.IDs) > 0 {
		var ids []byte
		for _, id := range c.IDs {
			ids = append(ids, id[:]...)
		}
		field(fieldIDs, ids)
	}

	if c.Ref != (ID{}) {
		field(fieldRef, c.Ref[:])
	}
	if c.Forwarded {
		field(fieldForwarded, nil)
	}
	if c.Timer != 0 {
		field(fieldTimer, binary.BigEndian.AppendUint32(nil, uint32(c.Timer)))
	}
	if c.Emoji != "" {
		field(fieldEmoji, []byte(c.Emoji))
	}
	if len(c.Picture) > 0 {
		field(fieldPicture, c.Picture)
	}

	if c.Previous != (ID{}) {
		field(fieldPrevious, c.Previous[:])
	}
	if c.File != nil {
		field(fieldFile, c.File)
	}
	if c.FileName != "" {
		field(fieldFileName, []byte(c.FileName))
	}

	// Fields of a later version stay in their places, so that signed bytes stay the same.
	unknown := c.Unknown
	before := func(number uint8) {
		for len(unknown) > 0 && unknown[0].Number < number {
			field(unknown[0].Number, unknown[0].Value)
			unknown = unknown[1:]
		}
	}
	before(fieldSealed)
	if len(c.Sealed) > 0 {
		field(fieldSealed, c.Sealed)
	}
	before(fieldCells)
	if len(c.Cells) > 0 {
		var cells []byte
		for _, run := range c.Cells {
			cells = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(cells, run.First), run.Count)
		}
		field(fieldCells, cells)
	}
	for _, f := range unknown {
		field(f.Number, f.Value)
	}

	// The limits are written down once, in Decode.
	_, err := Decode(b)
	return b, err
}

// ErrMalformed means that bytes are not a content.
var ErrMalformed = errors.New("malformed content")

// Decode reads a content. Its result does not share memory with b.
func Decode(b []byte) (*Content, error) {
	if len(b) < 1 || len(b) > MaxContent || b[0] == 0 {
		return nil, ErrMalformed
	}

	c := &Content{Kind: Kind(b[0])}
	b = b[1:]
	var last uint8
	for n := 0; len(b) > 0; n++ {
		if len(b) < fieldHead || n == MaxFields {
			return nil, ErrMalformed
		}
		number, size := b[0], int(binary.BigEndian.Uint16(b[1:]))
		b = b[fieldHead:]
		if size > len(b) || number == 0 || number < last || number == last && number != fieldMailbox {
			return nil, ErrMalformed
		}

		// Numbers only grow; hints of mailboxes alone may repeat.
		last = number
		if !c.decodeField(number, b[:size]) {
			return nil, ErrMalformed
		}
		b = b[size:]
	}

	if !c.complete() {
		return nil, ErrMalformed
	}
	return c, nil
}

func (c *Content) decodeField(number uint8, v []byte) bool {
	switch number {
	case fieldName:
		c.Name = string(v)
		return len(v) >= 1 && len(v) <= api.MaxName && utf8.Valid(v)
	case fieldMailbox:
		c.Mailboxes = append(c.Mailboxes, append([]byte(nil), v...))
		return len(v) >= 1 && len(v) <= MaxHint && len(c.Mailboxes) <= MaxMailboxes
	case fieldText:
		c.Text = string(v)
		return len(v) >= 1 && len(v) <= api.MaxText && utf8.Valid(v)
	case fieldTime:
		if len(v) != 8 {
			return false
		}
		ms := binary.BigEndian.Uint64(v)
		c.Time = time.UnixMilli(int64(ms)).UTC()
		return ms <= maxMillis
	case fieldIDs:
		if len(v) == 0 || len(v)%16 != 0 || len(v)/16 > MaxIDs {
			return false
		}
		for ; len(v) > 0; v = v[16:] {
			c.IDs = append(c.IDs, ID(v[:16]))
		}
		return true
	case fieldRef:
		if len(v) != len(c.Ref) {
			return false
		}
		c.Ref = ID(v)
		return c.Ref != (ID{})
	case fieldForwarded:
		c.Forwarded = true
		return len(v) == 0
	case fieldTimer:
		if len(v) != 4 {
			return false
		}
		seconds := binary.BigEndian.Uint32(v)
		c.Timer = int(seconds)
		return seconds >= MinTimer && seconds <= api.MaxTimer
	case fieldEmoji:
		c.Emoji = string(v)
		return len(v) >= 1 && len(v) <= api.MaxEmoji && utf8.Valid(v)
	case fieldPicture:
		c.Picture = append([]byte(nil), v...)
		// By its bytes and not by a name: only kinds that are shown safely come in.
		return len(v) <= api.MaxPicture && picture.Type(v) != ""
	case fieldPrevious:
		if len(v) != len(c.Previous) {
			return false
		}
		c.Previous = ID(v)
		return c.Previous != (ID{})
	case fieldFile:
		c.File = append([]byte{}, v...)
		return len(v) <= api.MaxFile
	case fieldFileName:
		c.FileName = string(v)
		return len(v) >= 1 && len(v) <= api.MaxFileName && utf8.Valid(v)
	case fieldSealed:
		c.Sealed = append([]byte(nil), v...)
		return len(v) >= 1 && len(v) <= MaxSealed
	case fieldCells:
		return c.decodeCells(v)
	}

	// Kept: an older program hands them on.
	c.Unknown = append(c.Unknown, Field{number, append([]byte(nil), v...)})
	return true
}

func (c *Content) decodeCells(v []byte) bool {
	if len(v) == 0 || len(v)%8 != 0 || len(v)/8 > MaxCells {
		return false
	}
	var free uint64 // the least number that does not meet the run before
	for ; len(v) > 0; v = v[8:] {
		run := Cells{binary.BigEndian.Uint32(v), binary.BigEndian.Uint32(v[4:])}
		if run.Count == 0 || uint64(run.First) < free || run.end() > MaxCell+1 {
			return false
		}
		c.Cells, free = append(c.Cells, run), run.end()+1
	}
	return true
}

// complete reports whether the fields that the kind needs are there.
func (c *Content) complete() bool {
	switch c.Kind {
	case Profile, Mailboxes:
		return len(c.Mailboxes) > 0
	case Text:
		return c.Text != ""
	case Receipt, Ask, Delete, Read, Lost:
		return len(c.IDs) > 0
	case Edit:
		return c.Ref != ID{} && c.Text != ""
	case Reaction:
		return c.Ref != ID{}
	case Picture:
		return c.Picture != nil
	case File:
		return c.File != nil && c.FileName != ""
	case Typing:
		return !c.Time.IsZero()
	case Missed:
		return len(c.Cells) > 0
	case Aside:
		return len(c.Sealed) > 0
	}

	// Kinds of a later version: the recipient passes over them.
	return true
}
