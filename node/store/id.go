package store

import (
	"crypto/rand"
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

// NewID returns a random ID.
func NewID() (id ID) {
	rand.Read(id[:])
	return id
}

// ParseID reads 32 hex digits.
func ParseID(s string) (id ID, err error) {
	if len(s) != 2*len(id) {
		return ID{}, errors.New("an id has 32 hex digits")
	}
	_, err = hex.Decode(id[:], []byte(s))
	return id, err
}

func (id ID) String() string { return hex.EncodeToString(id[:]) }

// IsZero reports whether id is unset.
func (id ID) IsZero() bool { return id == ID{} }

// A Node names a relay (p2p/wire.NodeID).
type Node = [32]byte

// A Tag is where a mailbox keeps a box.
type Tag = [16]byte
