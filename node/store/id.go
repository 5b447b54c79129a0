package store

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
)

// ID names a contact, or a content on its way in either direction.
type ID [16]byte

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
