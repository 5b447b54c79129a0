package members

import (
	"crypto/ed25519"
	"encoding/binary"

	"starling/session/internal/kdf"
)

// Topic is the kind of a statement. They begin behind the kinds of entries, so that the
// one is never read as the other.
type Topic uint8

// The topics of the first version.
const (
	Rekey    Topic = 16 // fresh keys: an admin's or the owner's
	Step     Topic = 17 // the next generation of keys, handed to one person: an admin's or the owner's
	Return   Topic = 18 // a person is back, with a new leaf: anybody's
	Settings Topic = 19 // the room's name and rules: an admin's or the owner's
	Heads    Topic = 20 // the heads of keys under which somebody writes: a member's
	Need     Topic = 21 // heads of keys that somebody lacks: anybody's
	Card     Topic = 22 // the place of the logs under a rekey: an admin's or the owner's
	Trouble  Topic = 23 // a lane that somebody cannot write in: anybody's
)

// MaxBody is the length of the longest body of a statement in bytes.
const MaxBody = 900

// Statement is a signed word that changes no role. It names the entries that its author
// knew, so that their rank at the time can be told.
type Statement struct {
	Topic     Topic
	Group     EntryID
	Author    ID
	Counter   uint32 // of the author's statements of the topic
	Parents   []EntryID
	Body      []byte
	Signature [ed25519.SignatureSize]byte
}

// Context is a hash of everything in a statement but its body: the layer above binds the
// body to it before the body is complete.
func (s *Statement) Context() [32]byte {
	return kdf.Hash(kdf.RoomContext, appendHead(nil, byte(s.Topic), s.Group, s.Author, s.Counter, s.Parents))
}

// ID returns a hash of everything in a statement but its signature.
func (s *Statement) ID() [32]byte { return kdf.Hash(kdf.RoomStatement, s.said()) }

func (s *Statement) said() []byte {
	b := appendHead(make([]byte, 0, 512), byte(s.Topic), s.Group, s.Author, s.Counter, s.Parents)
	b = binary.BigEndian.AppendUint16(b, uint16(len(s.Body)))
	return append(b, s.Body...)
}

// Append appends the encoding of the statement.
func (s *Statement) Append(b []byte) []byte { return append(append(b, s.said()...), s.Signature[:]...) }

// Sign signs the statement as its author.
func (s *Statement) Sign(k Key) { s.Signature = k.sign(kdf.SignStatement, s.said()) }

// ParseStatement reads a statement. [Set.Judge] checks the signature.
func ParseStatement(b []byte) (*Statement, error) {
	if len(b) > head+MaxParents*EntryIDSize+2+MaxBody+ed25519.SignatureSize {
		return nil, ErrInvalid
	}
	r := readerOf(b)
	s := &Statement{}
	r.head((*byte)(&s.Topic), &s.Group, &s.Author, &s.Counter, &s.Parents)
	s.Body = r.bytes(MaxBody)
	r.Into(s.Signature[:])
	if !r.Done() || len(s.Parents) == 0 || s.Topic < Rekey || s.Topic > Trouble {
		return nil, ErrInvalid
	}
	for i := 1; i < len(s.Parents); i++ {
		if compare(s.Parents[i-1], s.Parents[i]) >= 0 {
			return nil, ErrInvalid
		}
	}
	return s, nil
}

// rank is the lowest role that may make statements of a topic.
func (t Topic) rank() Role {
	switch t {
	case Return, Need, Trouble:
		return Reader
	case Heads:
		return Member
	}
	return Admin
}
