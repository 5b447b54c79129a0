package store

import (
	"errors"
	"time"

	"starling/node/api"
)

// EventTable holds the log of events.
type EventTable struct{ tx *Tx }

// An Event tells of one change. It refers to rows instead of repeating them, so that
// erased contents are gone from here too.
type Event struct {
	Seq     int64
	Kind    api.EventKind
	Contact ID
	Message ID
	State   api.State
	Reason  string // of EventInvite: the fate of the invite
	Invite  string
	Time    time.Time
}

// Append adds an event to the log.
func (t EventTable) Append(e Event) (seq int64, err error) {
	t.tx.events = true
	err = t.tx.exec(`INSERT INTO events(kind, contact, message, state, reason, invite, time)
		VALUES(?, ?, ?, ?, ?, ?, ?)`,
		string(e.Kind), orNull(e.Contact), orNull(e.Message), string(e.State), e.Reason, e.Invite, e.Time)
	return t.tx.s.conn.LastInsertRowID(), err
}

func orNull[T interface {
	comparable
	IsZero() bool
}](id T) any {
	if id.IsZero() {
		return nil
	}
	return id
}

// Events returns up to limit events after a sequence number, in order.
func (t EventTable) Events(after int64, limit int) ([]Event, error) {
	return collect(t.tx, func(r Row) Event {
		return Event{r.Int(0), api.EventKind(r.Text(1)), r.ID(2), r.ID(3),
			api.State(r.Text(4)), r.Text(5), r.Text(6), r.Time(7)}
	}, `SELECT seq, kind, contact, message, state, reason, invite, time
		FROM events WHERE seq > ? ORDER BY seq LIMIT ?`, after, limit)
}

// LastEvent returns the sequence number of the newest event, 0 if none.
func (t EventTable) LastEvent() (int64, error) {
	return t.tx.number(`SELECT max(seq) FROM events`)
}

// Prune keeps the newest events, and of each contact the newest contents that
// were recorded as seen: nobody asks for older ones, or sends them again. The contents
// of one contact push out nothing of another.
func (t EventTable) Prune(events, seen int) error {
	return errors.Join(
		t.tx.exec(`DELETE FROM events WHERE seq <= (SELECT max(seq) FROM events) - ?`, events),
		t.tx.exec(`DELETE FROM seen WHERE rowid IN (SELECT rowid FROM (
			SELECT rowid, row_number() OVER (PARTITION BY contact ORDER BY rowid DESC) AS n FROM seen) WHERE n > ?)`, seen))
}
