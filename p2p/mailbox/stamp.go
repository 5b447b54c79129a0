package mailbox

import (
	"context"
	"time"

	"starling/p2p/stamp"
	"starling/p2p/wire"
)

// StampBits make a stamp cost a second or so of one core.
const StampBits = 23

const stampLabel = "starling/lease/2\x00"

// offer is the seat of one lease at one mailbox on one day (UTC).
func offer(mailbox wire.NodeID, lease LeaseID, day uint32) stamp.Offer {
	return stamp.For(stampLabel, mailbox, day, lease[:])
}

func dayOf(t time.Time) uint32 { return uint32(t.Unix() / (24 * 3600)) }

// FindStamp works until it has a stamp for the day of a time, or ctx ends.
func FindStamp(ctx context.Context, mailbox wire.NodeID, lease LeaseID, at time.Time, bits int) (uint64, error) {
	o := offer(mailbox, lease, dayOf(at))
	return o.Find(ctx, bits)
}

// stamped reports whether a stamp is good now: of today, or of the day that began or
// ended within the hour, because clocks differ.
func stamped(mailbox wire.NodeID, lease LeaseID, number uint64, now time.Time, bits int) bool {
	for _, day := range [2]uint32{dayOf(now.Add(-time.Hour)), dayOf(now.Add(time.Hour))} {
		o := offer(mailbox, lease, day)
		if o.Bits(number) >= bits {
			return true
		}
	}
	return false
}
