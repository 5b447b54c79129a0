package outbox

import (
	"errors"
	"math/rand/v2"
	"time"

	"starling/node/api"
	"starling/node/chat"
	"starling/node/store"
	"starling/session"
	"starling/session/envelope"
)

// The reasons why a message is not encrypted.
const (
	waitsForSession = "waits for a new session with this contact"
	waitsForAnswer  = "waits until your contact has collected what was sent before"
	wasLost         = "was lost on the way and is sent again"
)

// survives reports whether a content is said again in the next session if it
// was not delivered. The others come anew with that session, or say something of
// the one before.
func survives(k chat.Kind) bool {
	return k.Message() || k == chat.Edit || keeps(k) && k != chat.Missed
}

// keeps reports whether an item holds its own content until it is delivered, because no
// other row does.
func keeps(k chat.Kind) bool {
	switch k {
	case chat.Delete, chat.Reaction, chat.Timer, chat.Read, chat.Lost, chat.Missed:
		return true
	}
	return false
}

// said returns the content of an item, or [store.ErrNotFound] if it was erased.
func said(tx *store.Tx, it store.Item) ([]byte, error) {
	kind := chat.Kind(it.Kind)
	switch {
	case keeps(kind):
		return it.Content, nil
	case kind == chat.Profile || kind == chat.Mailboxes:
		return whereabouts(tx, it)
	}

	id := it.ID
	if kind == chat.Edit {
		id = it.Ref
	}

	m, err := tx.Message(id)
	if err != nil {
		return nil, err
	}

	// Nothing is said again that was taken back.
	if m.Deleted {
		return nil, store.ErrNotFound
	}

	if kind == chat.Edit {
		return (&chat.Content{Kind: kind, Ref: chat.ID(id), Text: m.Text, Time: m.Edited}).Encode(), nil
	}

	if m.Picture != "" || m.File != "" {
		if m.Data, err = tx.Attachment(id); err != nil {
			return nil, err
		}
	}

	return Message(m).Encode(), nil
}

// whereabouts returns what an item says that tells where we fetch, as it is by now.
func whereabouts(tx *store.Tx, it store.Item) ([]byte, error) {
	c := &chat.Content{Kind: chat.Kind(it.Kind)}
	mine, err := tx.Mailboxes(it.Contact[:], true)
	for _, m := range mine {
		if m.Retired.IsZero() && len(c.Mailboxes) < chat.MaxMailboxes {
			c.Mailboxes = append(c.Mailboxes, m.Hint)
		}
	}
	if err == nil && len(c.Mailboxes) == 0 {
		err = store.ErrNotFound
	}
	if err == nil && c.Kind == chat.Profile {
		c.Name, err = tx.NameTo(it.Contact)
	}
	if err != nil {
		return nil, err
	}
	return c.Encode(), nil
}

// Message returns the content that a message is sent as, with its picture or file if it
// has one.
func Message(m store.Message) *chat.Content {
	c := &chat.Content{Kind: chat.Text, Text: m.Text, Time: m.Time, Ref: chat.ID(m.Ref),
		Forwarded: m.Forwarded, Timer: m.Timer, Previous: chat.ID(m.Previous)}
	switch {
	case m.Picture != "":
		c.Kind, c.Picture = chat.Picture, m.Data
	case m.File != "":
		c.Kind, c.FileName = chat.File, m.File
		c.File = append([]byte{}, m.Data...) // one that is empty is a file too
	}
	return c
}

// Unseal takes back, within a transaction, the contents on their way to a contact after
// its session was given up. Those of the conversation wait for the next session, under
// the same ids; all others are erased, and come anew with that session. It returns the
// waiting ones, in order, and the erased ones.
//
// Keep leaves the first hello of an invite that we accepted on its way. It is
// the same cells as before.
func Unseal(tx *store.Tx, contact store.ID, keep bool, now time.Time) (waiting []Queued, gone []store.ID, err error) {
	items, err := tx.ItemsOf(contact)
	for _, it := range items {
		if err != nil {
			return nil, nil, err
		}
		kind := chat.Kind(it.Kind)
		if kind == chat.Profile && keep {
			continue
		}

		err = store.ErrNotFound
		if survives(kind) {
			var q Queued
			// The wait was for a cell of the old session.
			it.After = time.Time{}
			if q, err = unseal(tx, it, waitsForSession, now); err == nil {
				waiting = append(waiting, q)
			}
		}
		if errors.Is(err, store.ErrNotFound) {
			gone = append(gone, it.ID)
			err = tx.RemoveItem(it.ID)
		}
	}
	return waiting, gone, err
}

// Renew takes back, within a transaction, a content with cells that the recipient has
// stopped to wait for. It is sealed anew under the same id: at once the first time, later
// no sooner than a mailbox would be given its copies again. [store.ErrNotFound]: nothing is
// left of the content.
func Renew(tx *store.Tx, it store.Item, now time.Time) (Queued, error) {
	it.After = now.Add(renewWait(it.Renewed, rand.Float64()))
	it.Renewed++
	return unseal(tx, it, wasLost, now)
}

// unseal returns [store.ErrNotFound] if nothing is left of the content of the item.
func unseal(tx *store.Tx, it store.Item, reason string, now time.Time) (Queued, error) {
	if _, err := said(tx, it); err != nil {
		return Queued{}, err
	}
	it.Cells, it.First = nil, -1
	if it.State != api.StateFailed {
		it.State = api.StateQueued
		m, err := tx.Message(it.ID)
		if err == nil && (m.State != api.StateQueued || m.Reason != reason) {
			err = tx.SetState(m, api.StateQueued, reason, now)
		}
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return Queued{}, err
		}
	}
	return Queued{item: it}, tx.UnsealItem(it)
}

// Reseal seals, within a transaction, the contents that Unseal has left waiting. The
// caller stores the session.
func Reseal(tx *store.Tx, s *session.Session, waiting []Queued, now time.Time) error {
	for i := range waiting {
		q := &waiting[i]
		if q.item.State != api.StateQueued {
			continue // failed before
		}

		content, err := said(tx, q.item)
		if err != nil {
			return err
		}
		if s.Room() < room(q.Kind(), envelope.Count(len(content))) {
			return nil // this and the rest: when there is room
		}

		first := s.Sealed()
		cells, err := s.Seal(session.ID(q.item.ID), content, 0)
		if err != nil {
			return err
		}
		if err := q.setCells(tx, int64(first), cells); err != nil {
			return err
		}
		if err := tx.Tell(q.item.ID, api.StateSealed, "", now); err != nil {
			return err
		}
	}
	return nil
}

// Wait tells the reason why a message is not encrypted.
func (q *Queued) Wait(tx *store.Tx, m store.Message, now time.Time) error {
	return tx.SetState(m, api.StateQueued, q.waitReason(tx), now)
}

// Suspend notes that a contact's session was given up: contents for them are not sealed
// until there is another.
func (o *Outbox) Suspend(contact store.ID, suspended bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if p := o.peer(contact); p.Suspended != suspended {
		p.Suspended = suspended
		o.lookAtAll(contact)
	}
}

// Restart gives a failed item its whole lifetime again, within a transaction.
// It is encrypted anew: the recipient may have given up its former cells.
func Restart(tx *store.Tx, id store.ID, now time.Time) (Queued, api.State, error) {
	it, err := tx.Item(id)
	if err != nil {
		return Queued{}, "", err
	}
	it.State = api.StateQueued
	// The old boxes go, and with them the counts of their copies.
	if err := errors.Join(tx.UnsealItem(it), tx.RestartItem(id, api.StateQueued, now)); err != nil {
		return Queued{}, "", err
	}
	if it, err = tx.Item(id); err != nil {
		return Queued{}, "", err
	}
	q := Queued{item: it}
	content, err := said(tx, it)
	if err == nil {
		err = q.seal(tx, content)
	}
	if errors.Is(err, store.ErrNoSession) || errors.Is(err, session.ErrWaiting) {
		err = nil // until there is a session, or room in it
	}
	return q, q.item.State, err
}
