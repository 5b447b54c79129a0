package outbox

import (
	"errors"
	"time"

	"starling/node/api"
	"starling/node/chat"
	"starling/node/store"
	"starling/session"
)

// waitsForSession is the reason of a message whose session was given up.
const waitsForSession = "waits for a new session with this contact"

// Unseal takes back, within a transaction, what is on its way to a contact
// whose session is given up: texts get their contents back and wait for the
// next session, under the ids they had; everything else is erased, and comes
// with that session. It returns what waits, in order, and what was erased.
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
		if kind == chat.Text {
			var q Queued
			q, err = unsealText(tx, it, now)
			if err == nil {
				waiting = append(waiting, q)
			}
		}
		if kind != chat.Text || errors.Is(err, store.ErrNotFound) {
			gone = append(gone, it.ID)
			err = tx.RemoveItem(it.ID)
		}
	}
	return waiting, gone, err
}

func unsealText(tx *store.Tx, it store.Item, now time.Time) (Queued, error) {
	m, err := tx.Message(it.ID)
	if err != nil {
		return Queued{}, err
	}
	it.Content = (&chat.Content{Kind: chat.Text, Text: m.Text, Time: m.Time}).Encode()
	it.Cells = nil
	if it.State != api.StateFailed {
		it.State = api.StateQueued
		if m.State != api.StateQueued || m.Reason != waitsForSession {
			if err := tx.SetState(m, api.StateQueued, waitsForSession, now); err != nil {
				return Queued{}, err
			}
		}
	}
	return Queued{item: it}, tx.UnsealItem(it)
}

// Reseal seals, within a transaction, what Unseal has left waiting. The caller
// stores the session.
func Reseal(tx *store.Tx, s *session.Session, waiting []Queued, now time.Time) error {
	for i := range waiting {
		q := &waiting[i]
		if q.item.State != api.StateQueued {
			continue // failed before
		}
		cells, err := s.Seal(session.ID(q.item.ID), q.item.Content)
		if err != nil {
			return err
		}
		q.item.Content = nil
		if err := q.setCells(tx, cells); err != nil {
			return err
		}
		m, err := tx.Message(q.item.ID)
		if err != nil {
			return err
		}
		if err := tx.SetState(m, api.StateSealed, "", now); err != nil {
			return err
		}
	}
	return nil
}

// Wait says of a message that it waits for a session.
func Wait(tx *store.Tx, m store.Message, now time.Time) error {
	return tx.SetState(m, api.StateQueued, waitsForSession, now)
}

// Suspend says whether a contact's session was given up: what is for them is
// not sealed until there is another.
func (o *Outbox) Suspend(contact store.ID, suspended bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if p := o.peer(contact); p.Suspended != suspended {
		p.Suspended = suspended
		o.lookAtAll(contact)
	}
}

// Taken reports whether every mailbox of a contact holds something else under
// the tag of a cell. A hello may lose its place to that of another person with
// the same link, so those do not count; an offer of a new session does.
func Taken(e *Entry, p Peer, cell int) bool {
	if e.Kind == chat.Profile && !p.Suspended || cell >= len(e.Cells) || len(p.Mailboxes) == 0 {
		return false
	}
	for _, node := range p.Mailboxes[:min(len(p.Mailboxes), Copies)] {
		if c := e.Cells[cell].Copies[node]; c == nil || !c.Taken {
			return false
		}
	}
	return true
}
