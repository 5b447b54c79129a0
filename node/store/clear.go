package store

import (
	"errors"
	"time"

	"starling/node/api"
)

// Clear erases the oldest messages of a conversation up to a sequence number, at most
// limit, and the events that told of them. A copy that comes later is not shown. It
// returns those that had failed, which are gone from the outbox too, and how many were
// erased; what is on its way still arrives.
func (t MessageTable) Clear(contact ID, upTo int64, limit int) (failed []ID, n int, err error) {
	type row struct {
		id    ID
		seq   int64
		state api.State
	}
	rows, err := collect(t.tx, func(r Row) row { return row{r.ID(0), r.Int(1), api.State(r.Text(2))} },
		`SELECT id, seq, state FROM messages WHERE contact = ? AND seq <= ? ORDER BY seq LIMIT ?`, contact, upTo, limit)
	if err != nil || len(rows) == 0 {
		return nil, 0, err
	}

	// Failed ones wait in the outbox for a retry that nobody can ask for now.
	for _, r := range rows {
		if r.state == api.StateFailed {
			failed = append(failed, r.id)
			if err := t.tx.RemoveItem(r.id); err != nil && err != ErrNotFound {
				return nil, 0, err
			}
		}
	}

	// The ids are kept as seen before the rows go, or a late copy would bring a message back.
	last := rows[len(rows)-1].seq
	return failed, len(rows), errors.Join(
		t.unlinkTo(contact, last),
		t.tx.exec(`INSERT INTO seen(contact, outgoing, item) SELECT contact, outgoing, content FROM messages
			WHERE contact = ? AND seq <= ? AND content IS NOT NULL AND state <> 'stored' ORDER BY seq ON CONFLICT DO NOTHING`, contact, last),
		t.tx.exec(`DELETE FROM events WHERE message IN (SELECT id FROM messages WHERE contact = ? AND seq <= ?)`, contact, last),
		t.tx.exec(`DELETE FROM messages WHERE contact = ? AND seq <= ?`, contact, last))
}

// unlinkTo is unlink for all messages of a conversation up to a sequence number: what is
// written next names one that has arrived.
func (t MessageTable) unlinkTo(contact ID, seq int64) error {
	return errors.Join(
		t.tx.exec(`UPDATE contacts SET last_sent = coalesce(
			(SELECT content FROM messages WHERE contact = ?1 AND outgoing = 1 AND state = 'delivered' AND seq <= ?2 ORDER BY seq DESC LIMIT 1),
			(SELECT previous FROM messages WHERE contact = ?1 AND outgoing = 1 AND content IS NOT NULL ORDER BY seq LIMIT 1))
			WHERE id = ?1 AND EXISTS(SELECT 1 FROM messages m WHERE m.contact = ?1 AND m.content = contacts.last_sent
				AND m.outgoing = 1 AND m.state <> 'delivered' AND m.seq <= ?2)`, contact, seq),
		t.tx.exec(`UPDATE messages SET previous = coalesce(
			(SELECT content FROM messages WHERE contact = ?1 AND outgoing = 1 AND state = 'delivered' AND seq <= ?2 ORDER BY seq DESC LIMIT 1),
			(SELECT previous FROM messages WHERE contact = ?1 AND outgoing = 1 AND content IS NOT NULL ORDER BY seq LIMIT 1))
			WHERE contact = ?1 AND outgoing = 1 AND seq > ?2 AND previous IN
			(SELECT content FROM messages WHERE contact = ?1 AND outgoing = 1 AND state <> 'delivered' AND seq <= ?2)`, contact, seq))
}

// TellCleared tells that a conversation was cleared, and erases its draft.
func (t MessageTable) TellCleared(contact ID, now time.Time) error {
	err := errors.Join(
		t.tx.exec(`DELETE FROM drafts WHERE contact = ?`, contact),
		t.tx.exec(`DELETE FROM events WHERE contact = ? AND kind IN (?, ?)`, contact, string(api.EventRemoved), string(api.EventCleared)))
	if err == nil {
		_, err = t.tx.Append(Event{Kind: api.EventCleared, Contact: contact, Time: now})
	}
	return err
}
