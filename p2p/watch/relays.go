package watch

import (
	"math/rand/v2"
	"time"

	"starling/p2p/pace"
	"starling/p2p/wire"
)

// Watches follow what happens to relays: to guards, over which the answers come, and to the mailboxes themselves.
const (
	// A mailbox with a new descriptor is asked anew within anewWithin, and for those after it not before anewRest: it
	// makes them as it likes.
	anewWithin = 3 * time.Minute
	anewRest   = 30 * time.Minute
)

// GuardLost renews the leases with a block over a guard.
func (ws *Watches) GuardLost(id wire.NodeID) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	ws.lost++
	for _, w := range ws.m {
		for _, l := range w.leases {
			if l.left > 0 && l.req != nil && l.req.BackOver(id) {
				l.spent = true
				w.lossy = time.Now().Add(lossLasts) // it was perhaps dead for a while
				w.at(soon())
			}
		}
	}
	pace.Kick(ws.wake)
}

// Retry lets watches that failed try again now, one after the other: a guard came up.
func (ws *Watches) Retry() {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	now, n := time.Now(), 0
	for _, w := range ws.m {
		if w.failures == 0 || ws.cfg.Missing(w.mailbox) {
			continue
		}
		n++
		w.again(now.Add(rand.N(max(soonest, time.Duration(n)*retryApart))))
	}
	pace.Kick(ws.wake)
}

// RelaysChanged renews the leases with blocks over relays that are gone, doubtful, or
// have new keys. A watch that failed tries again when its mailbox has a new descriptor,
// and not because of news of others. Any other asks anew, in a while, if the descriptor came before its time: perhaps the mailbox has
// restarted, and has forgotten its readers. If both mailboxes of somebody have, nothing else tells of it.
func (ws *Watches) RelaysChanged() {
	now := time.Now()
	ws.mu.Lock()
	defer ws.mu.Unlock()
	ws.lost++

	for _, w := range ws.m {
		for _, l := range w.leases {
			if l.left > 0 && l.req != nil && !l.req.Valid() {
				l.spent = true
				w.at(soon())
			}
		}
		was := w.issued
		early := w.listed(ws)
		switch {
		case !w.issued.After(was):
		case w.failures > 0:
			w.again(soon())
		case early && !w.idle() && now.Sub(w.anew) >= anewRest:
			w.anew = now
			if w.follow != nil {
				w.follow.begin = true
			}
			w.at(now.Add(rand.N(anewWithin)))
		}
	}
	pace.Kick(ws.wake)
}

// listed notes the descriptor of the mailbox, and reports whether it is another one, made before the last was due to be renewed.
func (w *watch) listed(ws *Watches) (early bool) {
	was, due := w.issued, w.renews
	w.issued = ws.cfg.Issued(w.mailbox)
	if ws.cfg.Renews != nil {
		w.renews = ws.cfg.Renews(w.mailbox)
	}
	return w.issued.After(was) && (due.IsZero() || w.issued.Before(due))
}

// again lets a watch that failed try again at a time, if that is sooner.
func (w *watch) again(t time.Time) {
	if t.Before(w.due) {
		w.due = t
	}
}

// soon is a moment that does not show which event it follows.
func soon() time.Time { return time.Now().Add(rand.N(soonest)) }
