// Package members says who belongs to a room, and with which role.
//
// A room is a set of signed entries. Each names its parents, the newest entries that its
// author knew, so that the set is a graph of causes; the hash of the first entry is the
// room's name. [Set] takes entries in any order, keeps aside those with parents that are
// missing, and answers for the set that it holds. Its answers depend on the entries alone,
// never on the order of their arrival, so that two members with the same entries agree.
//
// # Roles
//
// A room has one owner, and admins, members and readers. Admins add and remove members
// and readers; the owner also makes and unmakes admins. Nobody changes an equal. Anybody but the
// owner may leave. Handing a room over is a [Pact], signed by both owners.
// A person is a key of this room, and a key comes once: its bearer comes back under
// a new one.
//
// # Which entries count
//
// An entry is admissible by its own past, for ever; others are refused, and with them all
// that name them as a parent. A level belongs to each: pact 3, an owner's entry 2, an
// admin's 1, leaving 0. An admissible entry counts if
//
//  1. its author still has the rank for it, reckoned with those entries of its past that
//     count at higher levels, and its target is not the owner by the pacts among them;
//  2. no concurrent entry that counts at a higher level lowers its author, or gives its
//     target as much as the author has;
//  3. as a pact, no concurrent pact with a signer of it says anything else.
//
// The role of a person is that of the last entry on them that counts; of concurrent ones
// the lowest. Two entries of one author with one counter are concurrent entries and shown
// by [Set.Forks]; nothing freezes. There is always one owner.
//
// So a removed admin with old parents changes nothing, nor does an accomplice of theirs.
// The limit of the rule: a former owner, or a thief of their key, can sign a second pact
// with parents from before the first. Neither counts then and the room is the former
// owner's again. Two signatures cannot tell which of two pacts was first.
//
// # Bounds
//
// Bounds limit the entries that a set holds, never the entries that count. A member can write one entry that
// is kept, to leave; anything else is refused before it is stored. An admin's entries are
// kept up to [MaxByAuthor], entries with missing parents up to [MaxWaiting] of each author.
// An entry that was refused by a bound may be offered again.
//
// # Use
//
// The node that makes a room calls [New]; others call [Open] with the first entry and
// [Set.Take] with all others as they arrive. Entries travel in lane 0 of the room's log, and
// every entry fits one cell. [Statement] is signed in the same way and is not part of
// the graph: rekeys, steps of keys, the name of the room. [Set.Judge] says whether its author
// had the rank for it, by the same rule.
package members

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"errors"

	"starling/session/internal/kdf"
	"starling/session/internal/secret"
)

// Sizes in bytes.
const (
	IDSize      = 16
	EntryIDSize = 32
	KeySize     = ed25519.PublicKeySize
	SeedSize    = ed25519.SeedSize
)

// Limit is how many people the first version of rooms holds. It binds the author
// of an add and no reader of one: two admins may each add the last at once.
const Limit = 32

// ErrInvalid is returned for everything that is refused for ever.
var ErrInvalid = errors.New("invalid entry")

// ErrFull is returned for an entry that a bound keeps out; it may be offered again.
var ErrFull = errors.New("no room for more entries of this author")

// ErrRank is returned to an author without the rank for an entry.
var ErrRank = errors.New("the role does not allow it")

// ID names a person in one room: a hash of their key.
type ID [IDSize]byte

// String returns the id in hexadecimal.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// EntryID names an entry: a hash of everything in it but the signatures.
type EntryID [EntryIDSize]byte

// String returns the id in hexadecimal.
func (id EntryID) String() string { return hex.EncodeToString(id[:]) }

// Role is the rank of a person. The order is that of the rights.
type Role uint8

// The roles.
const (
	Nobody Role = iota
	Reader
	Member
	Admin
	Owner
)

// String returns the role as commands write it.
func (r Role) String() string {
	return [...]string{"none", "reader", "member", "admin", "owner"}[min(r, Owner)]
}

// Key is the key of one person in one room: it signs, and its hash is their id.
type Key struct {
	secret.Hidden

	private ed25519.PrivateKey
}

// NewKey makes a fresh key.
func NewKey() Key {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic("members: " + err.Error()) // the system's randomness never fails
	}
	return Key{private: private}
}

// ParseKey reads the encoding of Bytes.
func ParseKey(seed []byte) (Key, error) {
	if len(seed) != SeedSize {
		return Key{}, ErrInvalid
	}
	return Key{private: ed25519.NewKeyFromSeed(seed)}, nil
}

// Bytes returns the 32-byte seed.
func (k Key) Bytes() []byte { return k.private.Seed() }

// Public returns the public key.
func (k Key) Public() [KeySize]byte { return [KeySize]byte(k.private.Public().(ed25519.PublicKey)) }

// ID returns the id of the key's bearer.
func (k Key) ID() ID { return idOf(k.Public()) }

// Sign signs something else of the room, under a label of its own.
func (k Key) Sign(label kdf.Label, said []byte) [ed25519.SignatureSize]byte {
	return k.sign(label, said)
}

// Signed reports whether the bearer of a key signed something under a label.
func Signed(public [KeySize]byte, label kdf.Label, said []byte, signature [ed25519.SignatureSize]byte) bool {
	return signed(public, label, said, signature)
}

func (k Key) sign(label kdf.Label, said []byte) [ed25519.SignatureSize]byte {
	return [ed25519.SignatureSize]byte(ed25519.Sign(k.private, append([]byte(label), said...)))
}

func idOf(public [KeySize]byte) ID {
	h := kdf.Hash(kdf.RoomMember, public[:])
	return ID(h[:IDSize])
}

func signed(public [KeySize]byte, label kdf.Label, said []byte, signature [ed25519.SignatureSize]byte) bool {
	return ed25519.Verify(public[:], append([]byte(label), said...), signature[:])
}
