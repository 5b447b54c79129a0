package tui

import (
	"context"
	"time"

	tea "charm.land/bubbletea/v2"

	"starling/node/api"
)

const (
	// frame is how long events are gathered before they are drawn at once.
	frame = 16 * time.Millisecond
	// most is how many events one batch holds; a node that is faster waits.
	most = 4096
	// again is how long to wait before asking a lost node again.
	again = time.Second
)

// eventsMsg is a batch of events, in order.
type eventsMsg []api.Event

// feedMsg tells that the stream of events broke off, or with a nil error that
// it is there again.
type feedMsg struct{ err error }

// Follow reads the node's events until ctx ends and hands them to send in
// batches. A stream that breaks off is taken up where it stopped.
func (a *App) Follow(ctx context.Context, send func(tea.Msg)) {
	events := make(chan api.Event, most)
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		read(ctx, a.desk.Node, events, send)
	}()
	defer func() { <-gone }()

	for {
		batch := gather(ctx, events)
		if ctx.Err() != nil {
			return
		}
		send(batch)
	}
}

// gather waits for an event, and takes those that come soon after it.
func gather(ctx context.Context, events <-chan api.Event) (batch eventsMsg) {
	select {
	case <-ctx.Done():
		return nil
	case ev := <-events:
		batch = append(batch, ev)
	}

	timer := time.NewTimer(frame)
	defer timer.Stop()
	for len(batch) < most {
		select {
		case <-ctx.Done():
			return batch
		case ev := <-events:
			batch = append(batch, ev)
		case <-timer.C:
			return batch
		}
	}
	return batch
}

// read reads the node's events into a channel, and tells when they break off
// and when they are there again.
func read(ctx context.Context, node api.Node, events chan<- api.Event, send func(tea.Msg)) {
	after := int64(-1)
	broken := false
	for ctx.Err() == nil {
		err := node.Events(ctx, after, func(ev api.Event) error {
			if broken {
				broken = false
				send(feedMsg{})
			}

			// Only stored events have a number. After a break the reading goes on behind the last of them.
			if ev.Seq > 0 {
				after = ev.Seq
			}
			select {
			case events <- ev:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		if ctx.Err() != nil {
			return
		}

		// Told once: the screen shows it until events come again.
		if !broken {
			broken = true
			send(feedMsg{err: err})
		}
		select {
		case <-ctx.Done():
		case <-time.After(again):
		}
	}
}
