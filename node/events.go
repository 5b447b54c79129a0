package node

import (
	"context"
	"errors"

	"starling/node/api"
	"starling/node/api/safetext"
	"starling/node/store"
)

// eventBatch is how many events are read at a time.
const eventBatch = 128

// Events tells what happened after a sequence number, and what happens from
// now on. The callback runs without any lock held.
func (n *Node) Events(ctx context.Context, after int64, f func(api.Event) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := context.AfterFunc(n.ctx, func() { cancel(closedError) })
	defer stop()
	if after < 0 {
		err := n.view(ctx, func(tx *store.Tx) (err error) { after, err = tx.LastEvent(); return err })
		if err != nil {
			return err
		}
	}
	status := n.statusChanged()
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
		if last > after {
			after = last
			continue
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-changed:
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

// event returns an event as it is told, [store.ErrNotFound] if what it tells
// of has been erased.
func (n *Node) event(tx *store.Tx, row store.Event) (api.Event, error) {
	e := api.Event{Kind: row.Kind, Seq: row.Seq, Time: row.Time}
	if !row.Contact.IsZero() {
		e.Conversation = row.Contact.String()
	}
	if !row.Message.IsZero() {
		e.ID = row.Message.String()
	}
	switch row.Kind {
	case api.EventMessage, api.EventNotice:
		m, err := tx.Message(row.Message)
		if err != nil {
			return e, err
		}
		name, err := n.author(tx, m)
		if err != nil {
			return e, err
		}
		from, text := safetext.Line(name), safetext.Clean(m.Text)
		e.From, e.Text, e.Outgoing, e.Time = &from, &text, m.Outgoing, m.Time
		e.State = row.State
	case api.EventState:
		e.State, e.Reason, e.Outgoing = row.State, row.Reason, true
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
