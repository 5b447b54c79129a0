package watch

import (
	"context"
	"slices"
	"time"

	"starling/p2p/mailbox"
	"starling/p2p/outfox"
)

// A lease is one request of a watch, and the blocks that it left at the mailbox.
type lease struct {
	w        *watch
	seat     seat    // when it was made
	lost     int     // likewise
	req      Request // nil until it has left
	tags     []mailbox.Tag
	acks     []mailbox.Tag // went along; not certain before the first answer
	logs     []mailbox.LogPosition
	mode     mailbox.Mode // of logs
	read     *reading     // nil: its blocks stand
	left     int          // answers that can still come
	stands   int          // blocks that are left, says the mailbox
	doubt    time.Time    // when answers that are on their way have come, if there are any
	came     int          // boxes
	first    time.Time    // when the first of them came
	made     time.Time
	answered bool
	spent    bool // nothing stands any more: the mailbox had more than blocks, or the way is gone
	deadline time.Time
}

// post sends a lease, and waits no longer for room than for an answer.
func (ws *Watches) post(ctx context.Context, l *lease) error {
	ctx, cancel := context.WithTimeout(ctx, ws.cfg.Patience)
	defer cancel()
	req, err := ws.cfg.Post(ctx, l.w.mailbox, l.left, l.mode != mailbox.More, l.seal, func(a *mailbox.Answer) { ws.answer(l, a) })
	if err != nil {
		return err
	}

	ws.mu.Lock()
	defer ws.mu.Unlock()
	now := time.Now()
	l.req, l.deadline, l.w.asked = req, now.Add(ws.cfg.Patience), now
	if l.lost != ws.lost && l.left > 0 {
		l.spent = true // its way may be the one that was lost meanwhile
		l.w.at(soon())
	}
	return nil
}

// seal makes the request of a lease.
func (l *lease) seal(blocks []*outfox.Block) (*outfox.Message, error) {
	if len(l.logs) > 0 {
		f := mailbox.Follow{Logs: l.logs, Mode: l.mode, Blocks: blocks}
		if l.mode != mailbox.Look {
			f.Lease, f.Stamp = l.seat.lease, l.seat.stamp
		}
		return f.Message()
	}
	f := mailbox.Fetch{Tags: l.tags, Acks: l.acks, Blocks: blocks}
	if len(l.tags) > 0 {
		f.Watch, f.Lease, f.Stamp = true, l.seat.lease, l.seat.stamp
	}
	return f.Message()
}

// unsent takes back a lease that did not leave. With failed the watch tries later.
func (ws *Watches) unsent(l *lease, failed bool) {
	now := time.Now()
	ws.mu.Lock()
	defer ws.mu.Unlock()
	w := l.w
	w.leases = slices.DeleteFunc(w.leases, func(other *lease) bool { return other == l })
	if ws.m[w.key] != w {
		ws.orphan(w.key, w.mailbox, l.acks, now) // the watch was replaced meanwhile
		return
	}

	w.owe(l.acks...)
	if failed {
		ws.failed(w, now)
	}
}
