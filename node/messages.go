package node

import (
	"context"
	"errors"
	"math"
	"time"

	"starling/node/api"
	"starling/node/api/safetext"
	"starling/node/chat"
	"starling/node/outbox"
	"starling/node/store"
)

// Limits of History.
const (
	defaultHistory = 100
	maxHistory     = 1000
)

// Send puts a text in the outbox and returns once it is on disk.
func (n *Node) Send(ctx context.Context, req api.SendRequest) (out api.Message, err error) {
	if err := chat.CheckText(req.Text); err != nil {
		return out, textError(err)
	}
	id := store.NewID()
	if req.ID != "" {
		if id, err = store.ParseID(req.ID); err != nil || id.IsZero() {
			return out, &api.Error{Code: api.CodeUsage, Message: "a message ID has 32 hex digits", Hint: "leave it out to have one made"}
		}
	}
	now := time.Now()
	var queued []outbox.Queued
	err = n.update(ctx, func(tx *store.Tx) error {
		queued = nil
		c, err := find(tx, req.Contact)
		if err != nil {
			return err
		}
		m, err := tx.Message(id)
		switch {
		case err == nil && m.Outgoing && m.Contact == c.ID && m.Text == req.Text:
			out, err = n.message(tx, m) // the same request again
			return err
		case err == nil:
			return &api.Error{Code: api.CodeUsage, Message: "the message ID is taken", Hint: "leave it out to have one made"}
		case !errors.Is(err, store.ErrNotFound):
			return err
		}
		m = store.Message{ID: id, Contact: c.ID, Outgoing: true, Text: req.Text, Time: now, State: api.StateQueued}
		if m.Seq, err = tx.AddMessage(m, now); err != nil {
			return err
		}
		content := &chat.Content{Kind: chat.Text, Text: req.Text, Time: now}
		q, err := outbox.Queue(tx, c.ID, id, content, now)
		if err != nil {
			return err
		}
		queued = append(queued, q)
		if out, err = n.message(tx, m); err != nil {
			return err
		}
		if !q.Sealed() {
			return outbox.Wait(tx, m, now)
		}
		return tx.SetState(m, api.StateSealed, "", now)
	})
	if err != nil {
		return api.Message{}, err
	}
	n.outbox.Add(queued...)
	return out, nil
}

// message returns a message as it is shown.
func (n *Node) message(tx *store.Tx, m store.Message) (api.Message, error) {
	out := api.Message{ID: m.ID.String(), Conversation: m.Contact.String(), Outgoing: m.Outgoing,
		Text: safetext.Clean(m.Text), Time: m.Time, State: m.State, Reason: m.Reason, Sequence: m.Seq}
	name, err := n.author(tx, m)
	out.From = safetext.Line(name)
	if out.Reason == "" && (m.State == api.StateQueued || m.State == api.StateSealed) && n.outbox.Holding() {
		out.Reason = "waits for the network"
	}
	return out, err
}

func (n *Node) author(tx *store.Tx, m store.Message) (string, error) {
	if m.State == api.StateNotice {
		return "Starling", nil
	}
	if m.Outgoing {
		return tx.Owner()
	}
	c, err := tx.Contact(m.Contact)
	return c.Name, err
}

var noMessage = &api.Error{Code: api.CodeNoMessage, Message: "there is no such message", Hint: "see starling history CONTACT --json"}

// findMessage returns the message with an ID.
func findMessage(tx *store.Tx, s string) (store.Message, error) {
	id, err := store.ParseID(s)
	if err != nil {
		return store.Message{}, noMessage
	}
	m, err := tx.Message(id)
	if errors.Is(err, store.ErrNotFound) {
		return m, noMessage
	}
	return m, err
}

// Message returns one message.
func (n *Node) Message(ctx context.Context, id string) (out api.Message, err error) {
	err = n.view(ctx, func(tx *store.Tx) error {
		m, err := findMessage(tx, id)
		if err == nil {
			out, err = n.message(tx, m)
		}
		return err
	})
	return out, err
}

// History returns messages of one conversation, oldest first.
func (n *Node) History(ctx context.Context, req api.HistoryRequest) (out []api.Message, err error) {
	if req.Before <= 0 {
		req.Before = math.MaxInt64
	}
	if req.Limit <= 0 {
		req.Limit = defaultHistory
	}
	err = n.view(ctx, func(tx *store.Tx) error {
		c, err := find(tx, req.Contact)
		if err != nil {
			return err
		}
		rows, err := tx.History(c.ID, req.Before, min(req.Limit, maxHistory))
		out = make([]api.Message, 0, len(rows))
		for _, m := range rows {
			if err != nil {
				return err
			}
			var a api.Message
			a, err = n.message(tx, m)
			out = append(out, a)
		}
		return err
	})
	return out, err
}

// Retry gives a failed message its whole lifetime again.
func (n *Node) Retry(ctx context.Context, id string) (out api.Message, err error) {
	now := time.Now()
	var again []outbox.Queued
	err = n.update(ctx, func(tx *store.Tx) error {
		m, err := findMessage(tx, id)
		if err != nil {
			return err
		}
		if m.State != api.StateFailed {
			return &api.Error{Code: api.CodeUsage, Message: "only a failed message can be tried again"}
		}
		q, state, err := outbox.Restart(tx, m.ID, now)
		if err != nil {
			return err
		}
		again = []outbox.Queued{q}
		if err := tx.SetState(m, state, "", now); err != nil {
			return err
		}
		m.State, m.Reason = state, ""
		out, err = n.message(tx, m)
		return err
	})
	if err != nil {
		return api.Message{}, err
	}
	n.outbox.Add(again...)
	return out, nil
}

// Discard erases a failed message.
func (n *Node) Discard(ctx context.Context, id string) error {
	var gone store.ID
	err := n.update(ctx, func(tx *store.Tx) error {
		m, err := findMessage(tx, id)
		if err != nil {
			return err
		}
		if m.State != api.StateFailed {
			return &api.Error{Code: api.CodeUsage, Message: "only a failed message can be discarded"}
		}
		gone = m.ID
		if err := tx.RemoveItem(m.ID); err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if err := tx.RemoveMessage(m.ID); err != nil {
			return err
		}
		_, err = tx.Append(store.Event{Kind: api.EventRemoved, Contact: m.Contact, Message: m.ID, Time: time.Now()})
		return err
	})
	if err != nil {
		return err
	}
	n.outbox.Remove(gone)
	return nil
}

// MarkRead sets the unread line of a conversation behind its last message.
func (n *Node) MarkRead(ctx context.Context, who string) error {
	return n.update(ctx, func(tx *store.Tx) error {
		c, err := find(tx, who)
		if err != nil {
			return err
		}
		last, err := tx.LastMessage(c.ID)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil || last.Seq <= c.ReadSeq {
			return err
		}
		c.ReadSeq = last.Seq
		if err := tx.SetContact(c); err != nil {
			return err
		}
		_, err = tx.Append(store.Event{Kind: api.EventContact, Contact: c.ID, Time: time.Now()})
		return err
	})
}
