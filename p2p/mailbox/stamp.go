package mailbox

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
	"time"

	"starling/p2p/wire"
)

// StampBits make a stamp cost a second or so of one core.
const StampBits = 23

const stampLabel = "starling/lease/2\x00"

// stampBase is the inner hash of a stamp. A stamp pays for a seat of one lease at
// one mailbox on one day (UTC): it is a number with which H(H(label ‖ mailbox 32 ‖
// day 4 ‖ lease 8) ‖ number 8) begins with so many zero bits.
func stampBase(mailbox wire.NodeID, lease LeaseID, day uint32) [sha256.Size]byte {
	b := append([]byte(stampLabel), mailbox[:]...)
	b = binary.BigEndian.AppendUint32(b, day)
	return sha256.Sum256(append(b, lease[:]...))
}

func stampBits(base *[sha256.Size]byte, stamp uint64) int {
	var b [sha256.Size + 8]byte
	copy(b[:], base[:])
	binary.BigEndian.PutUint64(b[sha256.Size:], stamp)
	sum := sha256.Sum256(b[:])
	return bits.LeadingZeros64(binary.BigEndian.Uint64(sum[:]))
}

func dayOf(t time.Time) uint32 { return uint32(t.Unix() / (24 * 3600)) }

// FindStamp works until it has a stamp for the day of a time, or ctx ends.
func FindStamp(ctx context.Context, mailbox wire.NodeID, lease LeaseID, at time.Time, bits int) (uint64, error) {
	base := stampBase(mailbox, lease, dayOf(at))
	for n := uint64(1); ; n++ {
		if stampBits(&base, n) >= bits {
			return n, nil
		}
		if n%(1<<12) == 0 && ctx.Err() != nil {
			return 0, ctx.Err()
		}
	}
}

// stamped reports whether a stamp is good now: of today, or of the day that began or
// ended within the hour, because clocks differ.
func stamped(mailbox wire.NodeID, lease LeaseID, stamp uint64, now time.Time, bits int) bool {
	for _, day := range [2]uint32{dayOf(now.Add(-time.Hour)), dayOf(now.Add(time.Hour))} {
		base := stampBase(mailbox, lease, day)
		if stampBits(&base, stamp) >= bits {
			return true
		}
	}
	return false
}
