package members

import (
	"crypto/ed25519"
	"encoding/binary"
	"unicode/utf8"

	"starling/session/internal/fields"
	"starling/session/internal/kdf"
)

// Version is the first byte of every entry and statement.
const Version = 1

// Kind is the second byte of an entry.
type Kind uint8

// The kinds of entries that form the graph.
const (
	Create  Kind = 1 // makes the room; its author is the owner
	SetRole Kind = 2 // gives a person a role, the first or another one, or none
	Pact    Kind = 3 // hands the room over
	Leave   Kind = 4 // the author goes
)

// Limits of the layouts in bytes and numbers. All layouts together stay below the 1,296
// bytes of data in a cell.
const (
	MaxParents  = 8
	MaxName     = 64
	MaxAttached = 292
	maxEntry    = head + MaxParents*EntryIDSize + IDSize + 1 + 2 + MaxAttached + 1 + personSize + MaxName + 2*ed25519.SignatureSize
	head        = 1 + 1 + EntryIDSize + IDSize + 4 + 1
	personSize  = KeySize + 32 + 16 + ed25519.SignatureSize + 1
)

// Person introduces the bearer of a key to a room. They sign it themselves, so that
// nobody is added without their word, to another room, by another invite or under another
// leaf or name.
type Person struct {
	Key       [KeySize]byte
	Leaf      [32]byte // hash of the first leaf, to which keys are sealed
	Invite    [16]byte // the invite that brought them
	Name      string   // bytes of theirs: at most 64, valid UTF-8
	Signature [ed25519.SignatureSize]byte
}

// ID returns the person's id.
func (p *Person) ID() ID { return idOf(p.Key) }

// Introduce signs the bearer of k in to a room: the request of a newcomer.
func Introduce(k Key, group EntryID, invite [16]byte, leaf [32]byte, name string) (*Person, error) {
	if !named(name) {
		return nil, ErrInvalid
	}
	p := &Person{Key: k.Public(), Leaf: leaf, Invite: invite, Name: name}
	p.Signature = k.sign(kdf.SignPerson, p.said(group))
	return p, nil
}

func named(name string) bool { return len(name) <= MaxName && utf8.ValidString(name) }

func (p *Person) said(group EntryID) []byte {
	b := append(group[:], p.Key[:]...)
	b = append(b, p.Leaf[:]...)
	b = append(b, p.Invite[:]...)
	return append(b, p.Name...)
}

// Holds reports whether the person signed this for the room. Nobody signs with a key of low order.
func (p *Person) Holds(group EntryID) bool {
	return !lowOrder(p.Key) && signed(p.Key, kdf.SignPerson, p.said(group), p.Signature)
}

// Append appends the encoding of the person: 145 bytes and the name.
func (p *Person) Append(b []byte) []byte {
	b = append(b, p.Key[:]...)
	b = append(b, p.Leaf[:]...)
	b = append(b, p.Invite[:]...)
	b = append(b, p.Signature[:]...)
	b = append(b, byte(len(p.Name)))
	return append(b, p.Name...)
}

// ParsePerson reads a person: the request to join. The signature is not checked.
func ParsePerson(b []byte) (*Person, error) {
	r := readerOf(b)
	p := r.person()
	if !r.Done() {
		return nil, ErrInvalid
	}
	return p, nil
}

// Entry is one change of roles.
type Entry struct {
	Kind    Kind
	Group   EntryID // all zero in Create: it is the id of that
	Author  ID
	Counter uint32    // of the author's entries, from 1; 0 in Create and Leave
	Parents []EntryID // ascending; none in Create, one in Leave

	Target   ID      // SetRole: the person; Pact: the new owner
	Role     Role    // SetRole: the target's; Pact: the old owner's from then on
	Person   *Person // Create: the owner; SetRole: the target, the first time
	Nonce    [32]byte
	Attached []byte // SetRole: a word of the layer above, signed with it: the steps of keys

	Signature [ed25519.SignatureSize]byte
	Second    [ed25519.SignatureSize]byte // Pact: the new owner's
}

// said is the encoding without signatures.
func (e *Entry) said() []byte {
	b := appendHead(make([]byte, 0, 512), byte(e.Kind), e.Group, e.Author, e.Counter, e.Parents)
	switch e.Kind {
	case Create:
		b = append(b, e.Nonce[:]...)
		b = e.Person.Append(b)
	case SetRole:
		b = append(b, e.Target[:]...)
		b = append(b, byte(e.Role))
		b = binary.BigEndian.AppendUint16(b, uint16(len(e.Attached)))
		b = append(b, e.Attached...)
		if e.Person == nil {
			return append(b, 0)
		}
		b = e.Person.Append(append(b, 1))
	case Pact:
		b = append(b, e.Target[:]...)
		b = append(b, byte(e.Role))
	}
	return b
}

func appendHead(b []byte, kind byte, group EntryID, author ID, counter uint32, parents []EntryID) []byte {
	b = append(b, Version, kind)
	b = append(b, group[:]...)
	b = append(b, author[:]...)
	b = binary.BigEndian.AppendUint32(b, counter)
	b = append(b, byte(len(parents)))
	for _, p := range parents {
		b = append(b, p[:]...)
	}
	return b
}

// ID returns the entry's id.
func (e *Entry) ID() EntryID { return kdf.Hash(kdf.RoomEntry, e.said()) }

// Append appends the encoding of the entry, at most 1,296 bytes.
func (e *Entry) Append(b []byte) []byte {
	b = append(b, e.said()...)
	b = append(b, e.Signature[:]...)
	if e.Kind == Pact {
		b = append(b, e.Second[:]...)
	}
	return b
}

// Sign signs the entry as its author.
func (e *Entry) Sign(k Key) { e.Signature = k.sign(kdf.SignEntry, e.said()) }

// Agree signs a pact as the new owner.
func (e *Entry) Agree(k Key) { e.Second = k.sign(kdf.SignPact, e.said()) }

// Parse reads an entry. It checks all that one entry shows alone: sizes, order, roles that
// its kind has, the ids of keys. Signatures are checked by [Set.Take], which knows the keys.
func Parse(b []byte) (*Entry, error) {
	if len(b) > maxEntry {
		return nil, ErrInvalid
	}
	r := readerOf(b)
	e := &Entry{}
	r.head((*byte)(&e.Kind), &e.Group, &e.Author, &e.Counter, &e.Parents)

	switch e.Kind {
	case Create:
		r.Into(e.Nonce[:])
		e.Person = r.person()
	case SetRole:
		r.Into(e.Target[:])
		e.Role = Role(r.Byte())
		e.Attached = r.bytes(MaxAttached)
		switch r.Byte() {
		case 0:
		case 1:
			e.Person = r.person()
		default:
			r.Bad = true
		}
	case Pact:
		r.Into(e.Target[:])
		e.Role = Role(r.Byte())
	case Leave:
	default:
		r.Bad = true
	}

	r.Into(e.Signature[:])
	if e.Kind == Pact {
		r.Into(e.Second[:])
	}
	if !r.Done() || !e.sound() {
		return nil, ErrInvalid
	}
	return e, nil
}

// sound reports whether an entry makes sense by itself.
func (e *Entry) sound() bool {
	for i := range e.Parents {
		if i > 0 && compare(e.Parents[i-1], e.Parents[i]) >= 0 {
			return false
		}
	}
	if e.Person != nil && !named(e.Person.Name) {
		return false
	}

	switch n := len(e.Parents); e.Kind {
	case Create:
		return n == 0 && e.Counter == 0 && e.Group == EntryID{} && e.Person != nil && e.Person.ID() == e.Author
	case SetRole:
		return n > 0 && e.Counter > 0 && e.Role < Owner && e.Target != e.Author && (e.Person == nil || e.Person.ID() == e.Target && e.Role > Nobody)
	case Pact:
		return n > 0 && e.Counter > 0 && e.Role < Owner && e.Target != e.Author
	case Leave:
		return n == 1 && e.Counter == 0
	}
	return false
}

// compare orders ids, which are public.
func compare(a, b EntryID) int {
	for i := range a {
		if a[i] != b[i] {
			return int(a[i]) - int(b[i])
		}
	}
	return 0
}

// A reader reads the fields of a layout.
type reader struct{ fields.Reader }

func readerOf(b []byte) *reader { return &reader{fields.Reader{Rest: b}} }

// bytes reads a size of two bytes and as many bytes, at most so many: nil if there are none.
func (r *reader) bytes(most int) []byte {
	if n := int(r.Number(2)); n > 0 {
		return r.Take(n, most)
	}
	return nil
}

func (r *reader) head(kind *byte, group *EntryID, author *ID, counter *uint32, parents *[]EntryID) {
	if r.Byte() != Version {
		r.Bad = true
	}
	*kind = r.Byte()
	r.Into(group[:])
	r.Into(author[:])
	*counter = uint32(r.Number(4))
	n := int(r.Byte())
	if n > MaxParents || n*EntryIDSize > len(r.Rest) {
		r.Bad = true
	}
	if r.Bad || n == 0 {
		return
	}
	*parents = make([]EntryID, n)
	for i := range *parents {
		r.Into((*parents)[i][:])
	}
}

func (r *reader) person() *Person {
	p := &Person{}
	r.Into(p.Key[:])
	r.Into(p.Leaf[:])
	r.Into(p.Invite[:])
	r.Into(p.Signature[:])
	p.Name = string(r.Take(int(r.Byte()), MaxName))
	if r.Bad || !utf8.ValidString(p.Name) {
		r.Bad = true
		return nil
	}
	return p
}
