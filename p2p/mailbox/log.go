package mailbox

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"slices"
	"time"
)

// Limits of a log.
const (
	LogNameSize = 16
	// MaxEntries is how many entries a log holds.
	MaxEntries = 8192
	// MaxFollowed is how many logs a follow names.
	MaxFollowed = 8
	// Newest, as the position to read after, reads the newest entries.
	Newest = 1<<32 - 1
	// ProlongTime is how long after its first arrival an identical entry prolongs the
	// life of the one that is there.
	ProlongTime = 28 * 24 * time.Hour
	// graveTime is how long an entry is remembered that has expired, so that nobody
	// without the key puts it there again.
	graveTime = 28 * 24 * time.Hour
)

const (
	nameLabel  = "starling/log/1\x00"
	entryLabel = "starling/log-entry/1\x00"
)

// LogName names a log, and is the right to read it.
type LogName [LogNameSize]byte

// String returns the first four bytes: a name is a capability.
func (n LogName) String() string { return hex.EncodeToString(n[:4]) + "…" }

// LogValue keeps whole names out of logs.
func (n LogName) LogValue() slog.Value { return slog.StringValue(n.String()) }

// LogKey is the public key of a log. Whoever has the private key writes to it.
type LogKey [ed25519.PublicKeySize]byte

// NameOf returns the name of the log of a key.
func NameOf(key LogKey) LogName {
	sum := sha256.Sum256(append([]byte(nameLabel), key[:]...))
	return LogName(sum[:LogNameSize])
}

// Entry is a box of a log, as it travels. Of a tag there is one in a log.
type Entry struct {
	Tag       Tag
	Signature [ed25519.SignatureSize]byte
	Box       Box
}

// SignEntry makes an entry of the log of a key.
func SignEntry(key ed25519.PrivateKey, tag Tag, box *Box) Entry {
	e := Entry{Tag: tag, Box: *box}
	copy(e.Signature[:], ed25519.Sign(key, e.signed(LogKey(key[ed25519.SeedSize:]))))
	return e
}

// SignedBy reports whether the key of a log has signed the entry.
func (e *Entry) SignedBy(key LogKey) bool {
	return ed25519.Verify(key[:], e.signed(key), e.Signature[:])
}

func (e *Entry) signed(key LogKey) []byte {
	return slices.Concat([]byte(entryLabel), key[:], e.Tag[:], e.Box[:])
}

// LogEntry is an entry at its place in a log of a mailbox. Positions begin with 1 and
// follow each other in the order in which entries came there: at another mailbox the same
// entry has another. An instance is a log in the memory of a mailbox: another one means
// that the mailbox has lost all, and counts from 1 again.
type LogEntry struct {
	Name               LogName
	Instance, Position uint32
	Entry
}

// LogEnd says what a mailbox has of a log. Count entries are there, the last position that
// was given is Last, and Digest is that of a LogSet of them. Instance is 0 for a log that
// the mailbox does not know.
type LogEnd struct {
	Name                  LogName
	Instance, Count, Last uint32
	Digest                [sha256.Size]byte
}

// LogPosition is the place up to which a log was read.
type LogPosition struct {
	Name            LogName
	Instance, After uint32
}

// A leaf is an entry in the digest of a log: its tag, and half of the hash of its box.
type leaf [TagSize + sha256.Size/2]byte

func leafOf(tag *Tag, box *Box) (l leaf) {
	sum := sha256.Sum256(box[:])
	copy(l[copy(l[:], tag[:]):], sum[:])
	return l
}

// LogSet is a set of entries of a log, for its digest: what a reader has, to be compared
// with a LogEnd. Two sets of equal digests are equal, in boxes as in tags.
type LogSet struct{ leaves []leaf }

// Add adds an entry, once.
func (s *LogSet) Add(tag Tag, box *Box) {
	l := leafOf(&tag, box)
	at, found := slices.BinarySearchFunc(s.leaves, l, compareLeaves)
	if !found {
		s.leaves = slices.Insert(s.leaves, at, l)
	}
}

// Len returns how many entries there are.
func (s *LogSet) Len() int { return len(s.leaves) }

// Digest returns the hash of the sorted leaves.
func (s *LogSet) Digest() [sha256.Size]byte {
	h := sha256.New()
	for i := range s.leaves {
		h.Write(s.leaves[i][:])
	}
	return [sha256.Size]byte(h.Sum(nil))
}

func compareLeaves(a, b leaf) int { return bytes.Compare(a[:], b[:]) }
