package watch

import (
	"encoding/hex"
	"slices"
	"time"

	"starling/p2p/mailbox"
	"starling/p2p/pace"
	"starling/p2p/wire"
)

// Ack lets a mailbox delete boxes, with the next request. Acknowledging twice, or a box
// that was never there, does no harm.
func (ws *Watches) Ack(at wire.NodeID, tags ...mailbox.Tag) {
	now := time.Now()
	ws.mu.Lock()
	defer ws.mu.Unlock()
	var orphans []mailbox.Tag
	for _, t := range tags {
		w := ws.asking(at, t)
		if d, ok := ws.delivered[place{at, t}]; ok {
			d.acked = true
			ws.delivered[place{at, t}] = d
			w = ws.m[d.key]
		}
		if w != nil && w.mailbox == at {
			w.acks = append(w.acks, t)
			w.earn()
			w.at(now.Add(pace.Jitter(4 * settle)))
		} else {
			orphans = append(orphans, t)
		}
	}
	ws.orphan(at, orphans, now)
	pace.Kick(ws.wake)
}

// asking returns the watch that names a tag at a mailbox, nil if none does.
func (ws *Watches) asking(at wire.NodeID, t mailbox.Tag) *watch {
	for _, w := range ws.m {
		if w.mailbox == at && slices.Contains(w.tags, t) {
			return w
		}
	}
	return nil
}

// orphan sends acknowledgements without a watch in a watch of their own.
func (ws *Watches) orphan(at wire.NodeID, acks []mailbox.Tag, now time.Time) {
	if len(acks) == 0 {
		return
	}
	// The same tag is acknowledged at each mailbox that has a copy.
	key := "\x00ack " + at.String() + " " + hex.EncodeToString(acks[0][:])
	ws.m[key] = &watch{key: key, mailbox: at, acks: acks, due: now.Add(pace.Jitter(2 * settle))}
}

// owed returns the acknowledgements that the mailbox has not answered yet: those under
// way may be lost.
func (w *watch) owed() []mailbox.Tag {
	acks := w.acks
	for _, l := range w.leases {
		if !l.answered {
			acks = append(acks, l.acks...)
		}
	}
	return acks
}
