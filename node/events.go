package node

import (
	"context"
	"errors"
	"math"
	"sync"

	"starling/node/api"
	"starling/node/store"
)

// eventBatch is how many events are read at a time.
const eventBatch = 128

// Events tells the events after a sequence number, the later ones as they come. The
// callback runs without any lock held.
func (n *Node) Events(ctx context.Context, after int64, f func(api.Event) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	// Callers stay for days: the end of the node ends them, too.
	stop := context.AfterFunc(n.ctx, func() { cancel(closedError) })
	defer stop()

	// A caller that wants only news begins behind the newest event.
	if after < 0 {
		err := n.view(ctx, func(tx *store.Tx) (err error) { after, err = tx.LastEvent(); return err })
		if err != nil {
			return err
		}
	}

	// Both are taken before the first read, or a change during it would be told to nobody.
	status := n.statusChanged()
	_, at, told := n.live.since(math.MaxUint64)
	for {
		// Taken before the look, so that nothing falls between.
		changed := n.store.Changed()
		last, events, err := n.events(ctx, after)
		if err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return err
		}

		for _, e := range events {
			if err := f(e); err != nil {
				return err
			}
		}

		// More may be stored: the batch is bounded, and erased events make it shorter than that.
		if last > after {
			after = last
			continue
		}

		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-changed:
		// These are not stored: a reader that is slow misses some.
		case <-told:
			var events []api.Event
			events, at, told = n.live.since(at)
			for _, e := range events {
				if err := f(e); err != nil {
					return err
				}
			}
		case <-status:
			status = n.statusChanged()
			s, err := n.Status(ctx)
			if err != nil {
				return err
			}
			if err := f(api.Event{Kind: api.EventStatus, Status: &s}); err != nil {
				return err
			}
		}
	}
}

// events returns the next events, and the number of the last one looked at,
// which may be one of something erased since.
func (n *Node) events(ctx context.Context, after int64) (last int64, out []api.Event, err error) {
	last = after
	err = n.view(ctx, func(tx *store.Tx) error {
		rows, err := tx.Events(after, eventBatch)
		if err != nil {
			return err
		}
		for _, row := range rows {
			last = row.Seq
			e, err := n.event(tx, row)
			if errors.Is(err, store.ErrNotFound) {
				continue
			}
			if err != nil {
				return err
			}
			out = append(out, e)
		}
		return nil
	})
	return last, out, err
}

// event returns an event for the api, [store.ErrNotFound] if its subject has been
// erased.
func (n *Node) event(tx *store.Tx, row store.Event) (api.Event, error) {
	e := api.Event{Kind: row.Kind, Seq: row.Seq, Time: row.Time, State: row.State}
	if !row.Contact.IsZero() {
		e.Conversation = row.Contact.String()
	}
	if !row.Message.IsZero() {
		e.ID = row.Message.String()
	}

	switch row.Kind {
	case api.EventMessage, api.EventNotice, api.EventChanged:
		// Read as it is now: a row from before an edit or an erasure would bring the old text back.
		row, err := tx.Message(row.Message)
		if err == nil && row.Hidden {
			err = store.ErrNotFound
		}
		if err != nil {
			return e, err
		}
		m, err := n.message(tx, row)
		if err != nil {
			return e, err
		}
		if e.Message = &m; e.State == "" {
			e.State = m.State
		}
		e.From, e.Text, e.Outgoing, e.Time = &m.From, &m.Text, m.Outgoing, m.Time
		e.Room, e.Member = m.Room, m.Member
	case api.EventState:
		e.Reason, e.Outgoing = row.Reason, true
		if row.State == api.StateSealed && row.Reason == "" {
			reason, err := n.rooms.Delayed(tx, row.Contact, store.ContentID(row.Message))
			if err != nil {
				return e, err
			}
			e.Reason = reason
		}
	case api.EventContact:
		c, err := tx.Contact(row.Contact)
		if err != nil {
			return e, err
		}
		shown, err := n.contact(tx, c)
		if err != nil {
			return e, err
		}
		e.Contact = &shown
	case api.EventInvite:
		e.Invite = &api.InviteEvent{ID: row.Invite, What: row.Reason, Contact: e.Conversation}
	}

	return e, nil
}

// keepLive is how many events that are not stored a slow reader may be behind.
const keepLive = 64

// live are the last events that are not stored. The zero value is none.
type live struct {
	mu      sync.Mutex
	last    []api.Event
	count   uint64 // of all there were
	changed chan struct{}
}

// tell adds an event.
func (l *live) tell(e api.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count++
	if l.last = append(l.last, e); len(l.last) > keepLive {
		l.last = l.last[1:]
	}
	if l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
}

// since returns the events kept after the first n, how many there were, and a channel
// that is closed at the next one.
func (l *live) since(n uint64) ([]api.Event, uint64, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.changed == nil {
		l.changed = make(chan struct{})
	}
	fresh := min(l.count-min(n, l.count), uint64(len(l.last)))
	return append([]api.Event(nil), l.last[uint64(len(l.last))-fresh:]...), l.count, l.changed
}
