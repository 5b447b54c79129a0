package watch

import (
	"slices"
	"strings"
	"time"

	"starling/p2p/mailbox"
	"starling/p2p/pace"
	"starling/p2p/wire"
)

// A watch has no more than maxAcks to hand over. Beyond that the oldest is left out, and
// its box lies there until it expires.
const maxAcks = 256

// Ack lets a mailbox delete boxes, with the next request of the watch that brought them,
// or else of the watch of a key. If that is not at the mailbox, they go in a request of
// their own, never with those of another key. Acknowledging twice, or a box that was
// never there, does no harm.
func (ws *Watches) Ack(key string, at wire.NodeID, tags ...mailbox.Tag) {
	now := time.Now()
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for _, t := range tags {
		owner := key
		if d, ok := ws.delivered[place{at, t}]; ok {
			d.acked = true
			ws.delivered[place{at, t}] = d
			owner = d.key
		}
		if w := ws.m[owner]; w != nil && w.mailbox == at {
			w.owe(t)
			w.earn()
			if w.failures == 0 {
				w.at(now.Add(pace.Jitter(ws.settle(4))))
			}
		} else {
			ws.orphan(owner, at, []mailbox.Tag{t}, now)
		}
	}
	pace.Kick(ws.wake)
}

// orphaned begins the key of a watch that only acknowledges.
const orphaned = "\x00ack "

// abandoned is after how many requests without an answer such a watch is given up: they
// are made for two days. The boxes expire.
const abandoned = 60

// orphan sends acknowledgements of a key whose watch is not at the mailbox in a watch of
// their own. There is one for each key and mailbox, so that a mailbox without answers costs
// one request at a time.
func (ws *Watches) orphan(key string, at wire.NodeID, acks []mailbox.Tag, now time.Time) {
	if len(acks) == 0 {
		return
	}
	if !strings.HasPrefix(key, orphaned) {
		key = orphaned + at.String() + " " + key
	}
	w := ws.m[key]
	if w == nil {
		w = &watch{key: key, mailbox: at, haste: hasteMost}
		ws.m[key] = w
	}
	w.owe(acks...)
	if w.failures == 0 {
		w.at(now.Add(pace.Jitter(2 * settle)))
	}
}

// owe adds acknowledgements to those of the next request.
func (w *watch) owe(tags ...mailbox.Tag) {
	for _, t := range tags {
		if !slices.Contains(w.acks, t) {
			w.acks = append(w.acks, t)
		}
	}
	w.acks = w.acks[max(0, len(w.acks)-maxAcks):]
}

// owed returns the acknowledgements that the mailbox has not answered yet: those under
// way may be lost.
func (w *watch) owed() []mailbox.Tag {
	acks := slices.Clone(w.acks)
	for _, l := range w.leases {
		if !l.answered {
			acks = append(acks, l.acks...)
		}
	}
	return acks
}
