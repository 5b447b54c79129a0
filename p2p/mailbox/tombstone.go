package mailbox

import (
	"crypto/sha256"
	"encoding/binary"
)

// tombstone is the trace of an acknowledged box, until the box would have expired: 8
// bytes of a hash of the tag, and 8 of a hash of tag and box. A repair that comes late
// is known by it, and the tag cannot be used for something else. Neither hash names the
// box at another mailbox: for that, one must have it.
type tombstone struct{ tag, box int64 }

func tombstoneOf(tag *Tag, box *Box) tombstone {
	h := sha256.New()
	h.Write(tag[:])
	h.Write(box[:])
	var sum [sha256.Size]byte
	h.Sum(sum[:0])
	return tombstone{graveOf(tag), int64(binary.BigEndian.Uint64(sum[:]))}
}

// graveOf is the part of a tombstone by which it is found.
func graveOf(tag *Tag) int64 {
	sum := sha256.Sum256(tag[:])
	return int64(binary.BigEndian.Uint64(sum[:]))
}
