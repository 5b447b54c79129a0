package store

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
)

// ID names a contact, a message or an item of the outbox, over all of them. It
// never leaves as the name of something that others have said; of an incoming
// message it may look like the content id, but need not.
type ID [16]byte

// ContentID names a content within one conversation, as its sender has chosen it: two
// contacts may choose the same. So no lookup takes it without the contact, and our
// answer to one contact never depends on another. Of a content of ours it is the bytes
// of its [ID].
type ContentID [16]byte

// IsZero reports whether c is unset.
func (c ContentID) IsZero() bool { return c == ContentID{} }

// Content returns the content id of a content of ours.
func (id ID) Content() ContentID { return ContentID(id) }

// Self names the conversation with oneself, the note to self. There is no contact behind
// it: no session, no mailbox, and the tables of what is sent refuse it. It is written as
// the word.
var Self = ID{'s', 'e', 'l', 'f'}

const selfWord = "self"

// NewID returns a random ID.
func NewID() (id ID) {
	rand.Read(id[:])
	return id
}

// ParseID reads 32 hex digits, or the word of [Self].
func ParseID(s string) (id ID, err error) {
	if s == selfWord {
		return Self, nil
	}
	if len(s) != 2*len(id) {
		return ID{}, errors.New("an id has 32 hex digits")
	}
	_, err = hex.Decode(id[:], []byte(s))
	return id, err
}

func (id ID) String() string {
	if id == Self {
		return selfWord
	}
	return hex.EncodeToString(id[:])
}

// IsZero reports whether id is unset.
func (id ID) IsZero() bool { return id == ID{} }

// MemberID names a member of one room.
type MemberID [16]byte

// IsZero reports whether m is unset.
func (m MemberID) IsZero() bool { return m == MemberID{} }

func (m MemberID) String() string { return hex.EncodeToString(m[:]) }

// orEmpty is the value of a column that belongs to a key, where NULL would equal nothing.
func orEmpty(m MemberID) any {
	if m.IsZero() {
		return []byte{}
	}
	return m
}

// roomContent keeps a content of a room apart from everything else that is hashed.
const roomContent = "starling/room/content/1"

// RoomContent returns the name of a content in a room. Two members may choose the same
// content id; the name holds its author, so that nobody can take the name of another's
// content. What refers to a content in a room gives this name.
func RoomContent(author MemberID, content [16]byte) (c ContentID) {
	h := sha256.New()
	h.Write([]byte(roomContent))
	h.Write([]byte{0})
	h.Write(author[:])
	h.Write(content[:])
	copy(c[:], h.Sum(nil))
	return c
}

// A Node names a relay (p2p/wire.NodeID).
type Node = [32]byte

// A Tag is where a mailbox keeps a box.
type Tag = [16]byte
