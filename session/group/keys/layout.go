package keys

import (
	"crypto/subtle"
	"encoding/binary"
	"slices"

	"starling/session/internal/kdf"
)

// Sizes in bytes and numbers. A statement has 900 bytes of body.
const (
	MaxRecipients = 48 // of a room of 32: two admins may have added the last at once
	MaxStepHeads  = 17
	maxBody       = 900
	maxNamed      = maxBody - 32 - 1 - 2 - kdf.Size // heads and members of a rekey
)

// Rekey is the public part of a rekey: the body of its statement, and that statement's
// author and context.
type Rekey struct {
	Author   Member
	Context  [32]byte
	Previous ID       // the author's one before, zero if there is none
	Heads    []ID     // that it takes the place of, ascending
	Members  []Member // with a seed, ascending
	Confirm  [kdf.Size]byte
}

// ID returns the rekey's id, a hash of all of it but the confirmation.
func (r *Rekey) ID(group [32]byte) ID {
	return kdf.Hash(kdf.RoomRekey, group[:], r.Author[:], r.Context[:], r.open())
}

// open is the body without the confirmation.
func (r *Rekey) open() []byte {
	b := append(make([]byte, 0, maxBody), r.Previous[:]...)
	b = append(b, byte(len(r.Heads)))
	for _, id := range r.Heads {
		b = append(b, id[:]...)
	}
	b = binary.BigEndian.AppendUint16(b, uint16(len(r.Members)))
	for _, m := range r.Members {
		b = append(b, m[:]...)
	}
	return b
}

// Append appends the body.
func (r *Rekey) Append(b []byte) []byte { return append(append(b, r.open()...), r.Confirm[:]...) }

func (r *Rekey) names() []ID {
	if r.Previous == (ID{}) {
		return r.Heads
	}
	return append(r.Heads[:len(r.Heads):len(r.Heads)], r.Previous)
}

// LeavesOut reports whether a person gets no seed. A rekey that leaves out a member is shown:
// the list of members is to be the list of the holders of keys.
func (r *Rekey) LeavesOut(m Member) bool {
	_, found := slices.BinarySearchFunc(r.Members, m, compare[Member])
	return !found
}

// sameMembers reports whether two rekeys are sealed to the same people.
func (r *Rekey) sameMembers(s *Rekey) bool {
	return len(r.Members) == len(s.Members) && !slices.ContainsFunc(r.Members, s.LeavesOut)
}

func (r *Rekey) sound() bool {
	if len(r.Members) == 0 || len(r.Heads)*len(ID{})+len(r.Members)*len(Member{}) > maxNamed {
		return false
	}
	for i := 1; i < len(r.Heads); i++ {
		if compare(r.Heads[i-1], r.Heads[i]) >= 0 {
			return false
		}
	}
	for i := 1; i < len(r.Members); i++ {
		if compare(r.Members[i-1], r.Members[i]) >= 0 {
			return false
		}
	}
	return true
}

// ParseRekey reads the body of a rekey statement.
func ParseRekey(author Member, context [32]byte, b []byte) (*Rekey, error) {
	r := &Rekey{Author: author, Context: context}
	if len(b) < 32+1 || len(b) > maxBody {
		return nil, ErrInvalid
	}

	copy(r.Previous[:], b)
	heads := int(b[32])
	b = b[33:]
	if len(b) < heads*len(ID{})+2 {
		return nil, ErrInvalid
	}
	for range heads {
		r.Heads = append(r.Heads, ID(b[:len(ID{})]))
		b = b[len(ID{}):]
	}

	members := int(binary.BigEndian.Uint16(b))
	b = b[2:]
	if len(b) != members*len(Member{})+kdf.Size {
		return nil, ErrInvalid
	}
	for range members {
		r.Members = append(r.Members, Member(b[:len(Member{})]))
		b = b[len(Member{}):]
	}
	copy(r.Confirm[:], b)
	if !r.sound() {
		return nil, ErrInvalid
	}
	return r, nil
}

// Step is the public part of a step: the body of its statement.
type Step struct {
	Context [32]byte
	For     Member
	Heads   []StepHead // ascending
}

// StepHead is one head in a step.
type StepHead struct {
	Head
	Confirm [16]byte // of the secret that was handed over
}

// Append appends the body.
func (s *Step) Append(b []byte) []byte {
	b = append(b, s.For[:]...)
	b = append(b, byte(len(s.Heads)))
	for _, h := range s.Heads {
		b = h.Head.append(b)
		b = append(b, h.Confirm[:]...)
	}
	return b
}

func (s *Step) sound() bool {
	if len(s.Heads) == 0 || len(s.Heads) > MaxStepHeads {
		return false
	}
	for i, h := range s.Heads {
		if h.Generation == 0 || h.Generation > MaxGeneration || i > 0 && compare(s.Heads[i-1].Rekey, h.Rekey) >= 0 {
			return false
		}
	}
	return true
}

// ParseStep reads the body of a step statement.
func ParseStep(context [32]byte, b []byte) (*Step, error) {
	const size = 32 + 2 + 16
	s := &Step{Context: context}
	if len(b) < len(s.For)+1 || len(b) != len(s.For)+1+int(b[len(s.For)])*size || int(b[len(s.For)]) > MaxStepHeads {
		return nil, ErrInvalid
	}
	copy(s.For[:], b)
	for b = b[len(s.For)+1:]; len(b) > 0; b = b[size:] {
		s.Heads = append(s.Heads, StepHead{Head{ID(b[:32]), binary.BigEndian.Uint16(b[32:])}, [16]byte(b[34:size])})
	}
	if !s.sound() {
		return nil, ErrInvalid
	}
	return s, nil
}

// Head is a rekey at a generation.
type Head struct {
	Rekey      ID
	Generation uint16
}

func (h Head) append(b []byte) []byte {
	return binary.BigEndian.AppendUint16(append(b, h.Rekey[:]...), h.Generation)
}

// List is the heads of somebody's view, ascending by id.
type List []Head

// Digest names a list in a cell.
type Digest [8]byte

// Append appends the encoding of a list: 34 bytes a head, the body of a statement that tells it.
func (l List) Append(b []byte) []byte {
	for _, h := range l {
		b = h.append(b)
	}
	return b
}

// ParseList reads a list.
func ParseList(b []byte) (List, error) {
	const size = 34
	if len(b) > maxBody || len(b)%size != 0 {
		return nil, ErrInvalid
	}
	var l List
	for ; len(b) > 0; b = b[size:] {
		l = append(l, Head{ID(b[:32]), binary.BigEndian.Uint16(b[32:])})
	}
	if !l.sound() {
		return nil, ErrInvalid
	}
	return l, nil
}

func (l List) sound() bool {
	for i, h := range l {
		if h.Generation > MaxGeneration || i > 0 && compare(l[i-1].Rekey, h.Rekey) >= 0 {
			return false
		}
	}
	return len(l) > 0
}

func (l List) hash() [kdf.Size]byte { return kdf.Hash(kdf.RoomList, l.Append(nil)) }

// Digest returns the first bytes of the list's hash.
func (l List) Digest() Digest {
	h := l.hash()
	return Digest(h[:8])
}

// compare orders ids, which are public.
func compare[T ID | Member](a, b T) int {
	for i := range len(a) {
		if a[i] != b[i] {
			return int(a[i]) - int(b[i])
		}
	}
	return 0
}

func equal(a, b []byte) bool { return subtle.ConstantTimeCompare(a, b) == 1 }

// derive is HKDF(secret) with label and id.
func derive(l kdf.Label, secret [kdf.Size]byte, id ID) (out [kdf.Size]byte) {
	kdf.Derive(l, id[:], secret[:], out[:])
	return out
}
