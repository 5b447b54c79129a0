package watch

import (
	"context"
	"crypto/rand"
	"maps"
	"slices"
	"time"

	"starling/p2p/mailbox"
	"starling/p2p/pace"
	"starling/p2p/wire"
)

// poorPolls is how often a watch without a seat asks while others ask once: nothing is
// pushed to it.
const poorPolls = 3

// seat is the seat of a watch at its mailbox. Without one no subscription stands there,
// and the watch asks more often, beside the watch at the other mailbox.
type seat struct {
	lease mailbox.LeaseID
	none  bool // the mailbox says that there is no seat for it
	stamp uint64
	day   int64 // on which a stamp was asked for: one a day is enough
}

func newSeat() (s seat) {
	rand.Read(s.lease[:])
	return s
}

// bill is a stamp that a mailbox asks for.
type bill struct {
	key   string
	at    wire.NodeID
	lease mailbox.LeaseID
	bits  int
}

// seated notes the state of the seat in an answer, and has a stamp made if one is asked
// for: one a day for each watch, and no dearer than ours would be. The mailbox gets no
// dearer one.
func (ws *Watches) seated(w *watch, a *mailbox.Answer, now time.Time) {
	had := !w.seat.none
	if w.seat.none = a.NoSeat; !a.NoSeat {
		return
	}
	if had {
		w.at(now.Add(ws.pause(w)))
	}
	day := ws.cfg.Now().Unix() / (24 * 3600)
	if a.Price == 0 || a.Price > mailbox.StampBits || w.seat.day == day {
		return
	}
	select {
	case ws.bills <- bill{w.key, w.mailbox, w.seat.lease, a.Price}:
		w.seat.day = day
	default: // another is being paid; the next answer asks again
	}
}

// pay makes stamps, one at a time, until ctx ends.
func (ws *Watches) pay(ctx context.Context) error {
	for {
		var b bill
		select {
		case <-ctx.Done():
			return ctx.Err()
		case b = <-ws.bills:
		}

		// Without the lock: it takes seconds of work.
		stamp, err := ws.cfg.Stamp(ctx, b.at, b.lease, ws.cfg.Now(), b.bits)
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			continue
		}

		ws.mu.Lock()
		// The watch may have ended, or changed its lease: a stamp is good for one.
		if w := ws.m[b.key]; w != nil && w.seat.lease == b.lease {
			w.seat.stamp = stamp
			w.at(soon())
		}
		ws.mu.Unlock()
		pace.Kick(ws.wake)
	}
}

// pause is how long until the next poll of a watch.
func (ws *Watches) pause(w *watch) time.Duration {
	d := ws.interval()
	if w.seat.none {
		d /= poorPolls
	}
	return d
}

// Unseated returns the mailboxes without a seat for one of the watches there: boxes are
// found by asking, but not pushed.
func (ws *Watches) Unseated() []wire.NodeID {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	at := map[wire.NodeID]bool{}
	for _, w := range ws.m {
		if w.seat.none {
			at[w.mailbox] = true
		}
	}
	return slices.Collect(maps.Keys(at))
}
