package watch

import (
	"time"

	"starling/p2p/mailbox"
)

// A mailbox makes its reader ask before the next poll: by boxes that use up the blocks
// of a lease, by the word that more wait, by a box that is not acknowledged. Mail is
// quick by that; and a mailbox that says it all the time, or says "none" to every block,
// would have itself asked twice a second for ever. So a watch has only so much haste: a
// request before its time takes hasteCost of it, a box that is acknowledged gives as
// much back, and a poll a quarter. The rest waits for the poll.
const (
	hasteMost = 64 * hasteCost
	hasteCost = 4

	// An answer that is lost on its way is a warning for lossLasts: the one that follows
	// a box may be lost, too. Then the mailbox is asked lossLook after each box.
	lossLasts = 10 * time.Minute
	lossLook  = 20 * time.Second
)

// hurry brings the next request forward, by an answer of the mailbox.
func (w *watch) hurry(t time.Time) {
	if w.haste < hasteCost {
		return
	}
	w.at(t)
	w.hurried = true
}

// spend takes the cost of requests that leave now.
func (w *watch) spend(requests int) {
	cost := -1
	if w.hurried {
		cost = hasteCost * requests
	}
	w.haste = max(0, min(w.haste-cost, hasteMost))
	w.hurried = false
}

// earn gives haste back for a box that was acknowledged.
func (w *watch) earn() { w.haste = min(w.haste+hasteCost, hasteMost) }

// compare notes how many blocks stand at the mailbox. If that is fewer than answers can
// come, some are on their way, or are lost.
func (l *lease) compare(a *mailbox.Answer, later time.Time) {
	if a.NoSeat {
		return
	}
	l.stands = min(l.stands, a.Standing)
	if l.left > l.stands && l.doubt.IsZero() {
		l.doubt = later
	}
}

// missing asks again where answers were lost on their way.
func (ws *Watches) missing(w *watch, now time.Time) {
	if w.follow != nil {
		ws.missingFollow(w, now)
		return
	}
	for _, l := range w.leases {
		if l.doubt.IsZero() || l.doubt.After(now) {
			continue
		}
		l.doubt = time.Time{}
		if l.left > l.stands {
			l.left = l.stands
			w.lossy = now.Add(lossLasts)
			w.hurry(now)
		}
	}
}
