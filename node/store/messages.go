package store

import (
	"time"

	"starling/node/api"
)

// A Message is one text in either direction.
type Message struct {
	Seq      int64 // of the event that told of it
	ID       ID
	Contact  ID
	Outgoing bool
	Text     string // as written; clean it before showing
	Time     time.Time
	State    api.State
	Reason   string
}

const messageColumns = `seq, id, contact, outgoing, text, time, state, reason`

func scanMessage(r Row) Message {
	return Message{r.Int(0), r.ID(1), r.ID(2), r.Bool(3), r.Text(4), r.Time(5), api.State(r.Text(6)), r.Text(7)}
}

// AddMessage stores a message and the event that tells of it, and returns its
// sequence number. A known ID is refused: see [Tx.Message].
func (tx *Tx) AddMessage(m Message, now time.Time) (seq int64, err error) {
	seq, err = tx.Append(Event{Kind: api.EventMessage, Contact: m.Contact, Message: m.ID, State: m.State, Time: now})
	if err != nil {
		return 0, err
	}
	m.Seq = seq
	return seq, tx.insertMessage(m)
}

func (tx *Tx) insertMessage(m Message) error {
	return tx.exec(`INSERT INTO messages(`+messageColumns+`) VALUES(?, ?, ?, ?, ?, ?, ?, ?)`,
		m.Seq, m.ID, m.Contact, m.Outgoing, m.Text, m.Time, string(m.State), m.Reason)
}

func (tx *Tx) Message(id ID) (Message, error) {
	return one(tx, scanMessage, `SELECT `+messageColumns+` FROM messages WHERE id = ?`, id)
}

// SetState changes an outgoing message's state and tells of it.
func (tx *Tx) SetState(m Message, state api.State, reason string, now time.Time) error {
	if err := tx.execOne(`UPDATE messages SET state = ?, reason = ? WHERE id = ?`,
		string(state), reason, m.ID); err != nil {
		return err
	}
	_, err := tx.Append(Event{Kind: api.EventState, Contact: m.Contact, Message: m.ID,
		State: state, Reason: reason, Time: now})
	return err
}

// RemoveMessage erases a message and the events that told of it.
func (tx *Tx) RemoveMessage(id ID) error {
	if err := tx.execOne(`DELETE FROM messages WHERE id = ?`, id); err != nil {
		return err
	}
	return tx.exec(`DELETE FROM events WHERE seq IN (SELECT seq FROM events WHERE message = ?)`, id)
}

// History returns up to limit messages of a conversation before a sequence
// number, oldest first.
func (tx *Tx) History(contact ID, before int64, limit int) ([]Message, error) {
	return collect(tx, scanMessage, `SELECT * FROM (
		SELECT `+messageColumns+` FROM messages WHERE contact = ? AND seq < ? ORDER BY seq DESC LIMIT ?)
		ORDER BY seq`, contact, before, limit)
}

// LastMessage returns the newest message of a conversation.
func (tx *Tx) LastMessage(contact ID) (Message, error) {
	return one(tx, scanMessage, `SELECT `+messageColumns+` FROM messages
		WHERE contact = ? ORDER BY seq DESC LIMIT 1`, contact)
}

// Unread counts incoming messages after a sequence number.
func (tx *Tx) Unread(contact ID, after int64) (int, error) {
	n, err := tx.number(`SELECT count(*) FROM messages WHERE contact = ? AND seq > ? AND outgoing = 0`, contact, after)
	return int(n), err
}

// CountStates counts outgoing messages that are not delivered, by state.
func (tx *Tx) CountStates() (map[api.State]int, error) {
	type row struct {
		state api.State
		n     int
	}
	rows, err := collect(tx, func(r Row) row { return row{api.State(r.Text(0)), int(r.Int(1))} },
		`SELECT state, count(*) FROM messages WHERE state IN ('queued', 'sealed', 'sent', 'failed') GROUP BY state`)
	counts := make(map[api.State]int)
	for _, r := range rows {
		counts[r.state] = r.n
	}
	return counts, err
}
