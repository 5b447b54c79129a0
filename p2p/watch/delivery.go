package watch

import (
	"context"
	"maps"
	"time"

	"starling/p2p/mailbox"
	"starling/p2p/wire"
)

const (
	maxDelivered = 1 << 14          // boxes handed out that are remembered
	holdBack     = 30 * time.Second // before one is handed out again, unless acknowledged
	boxQueue     = 256              // boxes that wait for OnBox
)

// place is where a box lies: the same one may lie in two mailboxes.
type place struct {
	mailbox wire.NodeID
	tag     mailbox.Tag
}

type found struct {
	mailbox wire.NodeID
	tag     mailbox.Tag
	box     []byte
}

// delivery remembers the watch that a box was handed out for, and when. The same box
// can come twice when it was pushed and asked for at the same time.
type delivery struct {
	key   string
	at    time.Time
	acked bool
}

// fresh reports whether the box need not be handed out again.
func (d delivery) fresh(now time.Time) bool { return d.acked || now.Sub(d.at) < holdBack }

func (ws *Watches) remember(at place, key string, now time.Time) {
	if len(ws.delivered) >= maxDelivered {
		maps.DeleteFunc(ws.delivered, func(_ place, d delivery) bool { return d.acked })
	}
	if len(ws.delivered) >= maxDelivered {
		clear(ws.delivered)
	}
	ws.delivered[at] = delivery{key: key, at: now}
}

// dispatch hands boxes out, one at a time, until ctx ends.
func (ws *Watches) dispatch(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case f := <-ws.boxes:
			if ws.cfg.OnBox != nil {
				ws.cfg.OnBox(f.mailbox, f.tag, f.box)
			}
		}
	}
}

// dispatchNews hands out entries and ends, one at a time, until ctx ends. Boxes do not wait
// for them.
func (ws *Watches) dispatchNews(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case n := <-ws.news:
			switch {
			case n.entry != nil && ws.cfg.OnEntry != nil:
				ws.cfg.OnEntry(n.key, n.mailbox, *n.entry)
			case n.end != nil && ws.cfg.OnEnd != nil:
				ws.cfg.OnEnd(n.key, n.mailbox, *n.end)
			}
		}
	}
}
