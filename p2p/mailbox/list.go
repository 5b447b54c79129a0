package mailbox

import (
	"encoding/binary"
	"time"

	"starling/p2p/outfox"
)

// Question asks a mailbox's relay, through the mixes, for the relays with node ids that
// begin with a byte. So a client can compare the list of its guards with those of
// others, which do not see the asker.
type Question struct {
	First byte
	Block *outfox.Block // for the answer
}

// List is the answer to a Question.
type List struct {
	Time   time.Time // by the clock of the relay, in seconds
	Relays int       // that it lists in all
	Digest [32]byte  // of those that were asked for
	// Entries are some of them, at random, if not all fit into an answer.
	Entries []ListEntry
}

// ListEntry is a signed descriptor, and since when the relay knows that it can be
// reached, in the form of a list page.
type ListEntry struct {
	Known      uint16
	Descriptor []byte
}

const (
	questionSize = 1 + outfox.BlockSize + 1
	listHeader   = 1 + 8 + 2 + 32 + 1
	entryHeader  = 2 + 2
	lastSecond   = 1 << 40 // later times are no times
)

// Message encodes the question.
func (q *Question) Message() *outfox.Message {
	m := new(outfox.Message)
	b := q.Block.Append(append(m[:0], kindList))
	m[len(b)] = q.First
	return m
}

func parseQuestion(m *outfox.Message) (*Question, error) {
	block, err := outfox.ParseBlock(m[1 : 1+outfox.BlockSize])
	if err != nil || !zero(m[questionSize:]) {
		return nil, ErrMalformed
	}
	return &Question{First: m[questionSize-1], Block: block}, nil
}

// encode writes the first entries that fit. An entry that never fits is left out.
func (l *List) encode(m *outfox.Message) {
	binary.BigEndian.PutUint64(m[1:], uint64(l.Time.Unix()))
	binary.BigEndian.PutUint16(m[9:], uint16(min(l.Relays, 1<<16-1)))
	copy(m[11:], l.Digest[:])
	at, n := listHeader, 0
	for _, e := range l.Entries {
		if at+entryHeader+len(e.Descriptor) > len(m) || len(e.Descriptor) == 0 || n == 255 {
			continue
		}
		binary.BigEndian.PutUint16(m[at:], uint16(len(e.Descriptor)))
		binary.BigEndian.PutUint16(m[at+2:], e.Known)
		at += entryHeader
		at += copy(m[at:], e.Descriptor)
		n++
	}
	m[listHeader-1] = byte(n)
}

// decode returns where the list ends, or 0 when it is none.
func (l *List) decode(m *outfox.Message) int {
	seconds := binary.BigEndian.Uint64(m[1:])
	if seconds > lastSecond {
		return 0
	}
	l.Time = time.Unix(int64(seconds), 0)
	l.Relays = int(binary.BigEndian.Uint16(m[9:]))
	copy(l.Digest[:], m[11:])
	at := listHeader
	for range m[listHeader-1] {
		if at+entryHeader > len(m) {
			return 0
		}
		size := int(binary.BigEndian.Uint16(m[at:]))
		e := ListEntry{Known: binary.BigEndian.Uint16(m[at+2:])}
		if at += entryHeader; size == 0 || at+size > len(m) {
			return 0
		}
		e.Descriptor = append(e.Descriptor, m[at:at+size]...)
		l.Entries = append(l.Entries, e)
		at += size
	}
	return at
}
