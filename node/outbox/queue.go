package outbox

import (
	"errors"
	"fmt"
	"time"

	"starling/node/api"
	"starling/node/chat"
	"starling/node/store"
	"starling/session"
	"starling/session/envelope"
)

const (
	// reserve is how many cells messages leave free in a session for contents that keep
	// it going: receipts, asks, and new mailboxes.
	reserve = 64
	// idleTalk is how many cells may be on their way that nobody has answered when
	// a typing is still sent.
	idleTalk = 16
)

// Session returns the session with a contact to seal in, and the version of its
// row; [store.ErrNoSession] if it was given up.
func Session(tx *store.Tx, contact store.ID) (*session.Session, int64, error) {
	state, version, err := tx.Session(contact)
	if err != nil {
		return nil, version, err
	}
	s, err := session.UnmarshalSession(state)
	if err != nil {
		return nil, 0, &store.DamagedError{File: "profile.db", Err: err}
	}
	if s.Retired() {
		return nil, version, store.ErrNoSession
	}
	return s, version, nil
}

// room returns how many cells must be free in a session for a content.
func room(kind chat.Kind, cells int) int {
	switch {
	case kind == chat.Typing:
		return session.MaxUnheard - idleTalk
	case kind.Message():
		return cells + reserve
	}
	return cells
}

// A Queued is a content that a transaction put in the outbox; hand it to [Outbox.Add]
// once the transaction is on disk.
type Queued struct {
	item    store.Item
	boxes   [][]byte
	signals *Signals // of the session that it was sealed in
}

// Signals are the cells that a session repeats for as long as they are up, as of a
// version of its row.
type Signals struct {
	Contact store.ID
	Version int64
	Cells   []session.Cell
}

// Queue puts a content in the outbox and seals it, within a transaction. The caller has
// written a message, or the edited text, to the database. Without a session, or while
// too many cells are on their way in it, contents of the conversation wait, and others
// are not queued.
func Queue(tx *store.Tx, contact store.ID, id store.ID, c *chat.Content, now time.Time) (Queued, error) {
	q := Queued{item: store.Item{ID: id, Contact: contact, Kind: int(c.Kind), Created: now, State: api.StateQueued}}
	content := c.Encode()
	switch {
	// The text of an edit lies in its message, once: an erased message leaves none in the outbox.
	case c.Kind == chat.Edit:
		q.item.Ref = store.ID(c.Ref)
	case keeps(c.Kind):
		q.item.Content = content
	}
	if err := tx.AddItem(q.item); err != nil {
		return q, err
	}

	err := q.seal(tx, content)
	if errors.Is(err, store.ErrNoSession) || errors.Is(err, session.ErrWaiting) {
		err = nil
		if !survives(c.Kind) {
			err = tx.RemoveItem(id)
		}
	}
	return q, err
}

// Sealed reports whether the content is encrypted, and not waiting for a
// session.
func (q *Queued) Sealed() bool { return q.item.State == api.StateSealed }

// Kind is the kind of the content.
func (q *Queued) Kind() chat.Kind { return chat.Kind(q.item.Kind) }

// there reports whether the content is in the outbox.
func (q *Queued) there() bool {
	return q.Sealed() || survives(chat.Kind(q.item.Kind)) || !q.item.After.IsZero()
}

func (q *Queued) seal(tx *store.Tx, content []byte) error {
	s, version, err := Session(tx, q.item.Contact)
	if err != nil {
		return err
	}

	// The recipient keeps a bounded number of keys: cells beyond that could never be opened.
	if s.Room() < room(q.Kind(), envelope.Count(len(content))) {
		return session.ErrWaiting
	}

	// Contents queued earlier go first.
	if earlier, err := tx.QueuedBefore(q.item.ID); err != nil || earlier && survives(q.Kind()) {
		return errors.Join(err, session.ErrWaiting)
	}

	first := s.Sealed()
	cells, err := s.Seal(session.ID(q.item.ID), content, 0)
	if err != nil {
		return fmt.Errorf("seal: %w", err)
	}

	// The next state is written with the cells: sealing two contents with one key would show both.
	state, err := s.MarshalBinary()
	if err != nil {
		return err
	}
	if err := tx.SetSession(q.item.Contact, version, state); err != nil {
		return err
	}

	q.signals = &Signals{q.item.Contact, version + 1, s.Signals()}
	return q.setCells(tx, int64(first), cells)
}

// waitReason returns the reason why a content waits unencrypted.
func (q *Queued) waitReason(tx *store.Tx) string {
	if _, _, err := Session(tx, q.item.Contact); errors.Is(err, store.ErrNoSession) {
		return waitsForSession
	}
	return waitsForAnswer
}

// QueueSealed puts an already sealed content in the outbox, one that no session counts.
func QueueSealed(tx *store.Tx, contact, id store.ID, kind chat.Kind, cells []session.Cell, now time.Time) (Queued, error) {
	q := Queued{item: store.Item{ID: id, Contact: contact, Kind: int(kind), Created: now, State: api.StateQueued}}
	if err := tx.AddItem(q.item); err != nil {
		return q, err
	}
	return q, q.setCells(tx, -1, cells)
}

// QueueIn puts a content in the outbox, sealed in a session that the caller holds and
// stores.
func QueueIn(tx *store.Tx, contact store.ID, s *session.Session, c *chat.Content, now time.Time) (Queued, error) {
	q := Queued{item: store.Item{ID: store.NewID(), Contact: contact, Kind: int(c.Kind), Created: now, State: api.StateQueued}}
	content := c.Encode()
	if keeps(c.Kind) {
		q.item.Content = content
	}

	first := s.Sealed()
	cells, err := s.Seal(session.ID(q.item.ID), content, 0)
	if err != nil {
		return q, err
	}
	if err := tx.AddItem(q.item); err != nil {
		return q, err
	}
	return q, q.setCells(tx, int64(first), cells)
}

// setCells gives an item its cells, of which the first has a number in the session, or
// -1.
func (q *Queued) setCells(tx *store.Tx, first int64, cells []session.Cell) error {
	q.item.State, q.item.First, q.item.After = api.StateSealed, first, time.Time{}
	q.item.Cells, q.boxes = nil, nil
	for i := range cells {
		c := store.Cell{Index: i, Tag: store.Tag(cells[i].Tag), Box: cells[i].Box[:]}
		q.item.Cells = append(q.item.Cells, c)
		q.boxes = append(q.boxes, c.Box)
	}
	return tx.SealItem(q.item.ID, first, q.item.Cells, keeps(chat.Kind(q.item.Kind)))
}

// reseal seals a content that was queued without a session. One about an erased message
// has no text any more and is dropped.
func reseal(tx *store.Tx, id store.ID, now time.Time) ([]Queued, error) {
	it, err := tx.Item(id)
	if err != nil {
		return nil, err
	}
	q := Queued{item: it}
	// It may have been sealed since the action was drawn up.
	if it.State == api.StateQueued {
		content, err := said(tx, it)
		if errors.Is(err, store.ErrNotFound) {
			return nil, tx.RemoveItem(id)
		}
		if err == nil {
			err = q.seal(tx, content)
		}
		if err == nil {
			err = tx.Tell(id, api.StateSealed, "", now)
		}
		if err != nil {
			return nil, err
		}
	}
	return []Queued{q}, nil
}
