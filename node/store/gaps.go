package store

import (
	"errors"
	"time"

	"starling/node/api"
)

// GapTable holds the gaps, and the losses that are to be told.
type GapTable struct{ tx *Tx }

// maxFilled is how many messages may learn at once that the one before them has
// come. A sender has one, and few more after a profile was put back.
const maxFilled = 64

// Later returns the message of a contact that was shown though it was written after a
// message that comes now, with the content id and at the place given. That is the
// message that names the new one as its previous one, or else the first one at a later
// place; the zero ID if there is none.
func (t GapTable) Later(contact ID, content ContentID, place int64) (ID, error) {
	scan := func(r Row) ID { return r.ID(0) }
	later, err := one(t.tx, scan, `SELECT id FROM messages
		WHERE contact = ? AND previous = ? AND gap > 0 ORDER BY seq LIMIT 1`, contact, content)
	if err == ErrNotFound {
		later, err = one(t.tx, scan, `SELECT id FROM messages
			WHERE contact = ? AND written >= 0 AND written > ? ORDER BY written LIMIT 1`, contact, place)
	}
	if err == ErrNotFound {
		err = nil
	}
	return later, err
}

// Fill tells of the messages that were shown without this one that it has come.
func (t GapTable) Fill(contact ID, content ContentID, now time.Time) error {
	return t.tx.gaps(`gap = 0, lost = 0`, now, `contact = ? AND previous = ?`, contact, content)
}

// Lose tells of messages that have been shown since before a time without the
// previous one that it will not come any more. It returns whether there may be
// more of them.
func (t GapTable) Lose(before, now time.Time) (more bool, err error) {
	const open = `lost = 0 AND gap < ?`
	if err := t.tx.gaps(`lost = 1`, now, open, before); err != nil {
		return false, err
	}
	n, err := t.tx.number(`SELECT EXISTS(SELECT 1 FROM messages WHERE gap > 0 AND `+open+`)`, before)
	return n != 0, err
}

// AddLoss records that a message of ours was given up, and that its contact is to
// be told.
func (t GapTable) AddLoss(contact ID, content ContentID) error {
	return t.tx.exec(`INSERT INTO losses(contact, item) VALUES(?, ?) ON CONFLICT DO NOTHING`, contact, content)
}

// TakeLosses removes and returns up to limit of those.
func (t GapTable) TakeLosses(contact ID, limit int) ([]ContentID, error) {
	return t.tx.take("losses", contact, limit)
}

// LoseNow tells of the messages of a contact that are shown without one that its
// sender has given up.
func (t GapTable) LoseNow(contact ID, content ContentID, now time.Time) error {
	return t.tx.gaps(`lost = 1`, now, `lost = 0 AND contact = ? AND previous = ?`, contact, content)
}

// gaps changes messages that are shown without the previous one.
func (t GapTable) gaps(set string, now time.Time, where string, args ...any) error {
	all, err := collect(t.tx, scanMessage, `SELECT `+messageColumns+` FROM messages
		WHERE gap > 0 AND `+where+` ORDER BY gap LIMIT ?`, append(args, maxFilled)...)
	for _, m := range all {
		if err == nil {
			err = errors.Join(t.tx.exec(`UPDATE messages SET `+set+` WHERE id = ?`, m.ID), t.tx.changed(m, now))
		}
	}
	return err
}

// unlink takes a message of ours that may never arrive out of the line in which each
// names the one before it: later messages, and those still to be sealed, name its
// predecessor.
func (t GapTable) unlink(m Message) error {
	if !m.Outgoing || m.State == api.StateDelivered || m.State == api.StateNotice {
		return nil
	}
	return errors.Join(
		t.tx.exec(`UPDATE contacts SET last_sent = ? WHERE id = ? AND last_sent = ?`, orNull(m.Previous), m.Contact, m.Content),
		t.tx.exec(`UPDATE messages SET previous = ? WHERE contact = ? AND seq > ? AND previous = ? AND outgoing = 1`,
			orNull(m.Previous), m.Contact, m.Seq, m.Content))
}
