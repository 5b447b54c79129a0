package store

import (
	"errors"
	"time"

	"starling/node/api"
)

// MessageTable holds the messages of all conversations.
type MessageTable struct{ tx *Tx }

// A Message is one text, picture or file in either direction, or a notice.
type Message struct {
	Seq      int64 // of the event that told of it
	ID       ID
	Contact  ID
	Content  ContentID // by which the two people name it; zero of a notice
	Outgoing bool
	Text     string // as written; clean it before showing
	Time     time.Time
	State    api.State
	Reason   string

	Ref       ContentID // the message it answers; zero: none
	Forwarded bool
	Edited    time.Time // when its sender last did
	Place     int64     // of that edit; -1: none
	Deleted   bool      // nothing is left of it
	Read      time.Time // when the contact said so
	Timer     int       // seconds after which it disappears; 0: never
	Expires   time.Time // when it will; zero: it does not count down
	Picture   string    // its type; empty: none
	File      string    // the name of its file, fit to be shown; empty: none
	Size      int       // of the picture or file in bytes
	Data      []byte    // that, for AddMessage only: see Tx.Attachment

	Previous ContentID // its sender's message before it; zero: none, or not known
	Written  int64     // the place of an incoming one, or [Given]; meaningless for others
	Gap      time.Time // since when it is shown without the previous one; zero: that is there
	Lost     bool      // the previous one will not come any more
	Late     ID        // the first message shown before it and written after it; zero: none

	Member  MemberID // of a room: who wrote it, also if that is us; zero elsewhere, and of a notice
	Mention bool     // it names us
	Hidden  bool     // we block who wrote it
}

const messageColumns = `seq, id, contact, content, outgoing, text, time, state, reason,
	ref, forwarded, edited, place, deleted, read, timer, expires, picture, file, size,
	previous, written, gap, lost, late, member, mention, hidden`

func scanMessage(r Row) Message {
	return Message{r.Int(0), r.ID(1), r.ID(2), r.Content(3), r.Bool(4), r.Text(5), r.Time(6), api.State(r.Text(7)), r.Text(8),
		r.Content(9), r.Bool(10), r.Time(11), r.Int(12), r.Bool(13), r.Time(14), int(r.Int(15)), r.Time(16),
		r.Text(17), r.Text(18), int(r.Int(19)), nil, r.Content(20), r.Int(21), r.Time(22), r.Bool(23), r.ID(24), r.Member(25), r.Bool(26), r.Bool(27)}
}

// AddMessage stores a message, which nobody has edited, and the event that
// tells of it, and returns its sequence number. An outgoing one has an ID, and
// its content is named so unless it is of a room; an incoming one has a Content and gets an ID: the same
// bytes unless something else has them. A
// known one of either is refused: see [Tx.Message] and [Tx.MessageOf].
func (t MessageTable) AddMessage(m Message, now time.Time) (seq int64, err error) {
	if m.Outgoing && !m.Member.IsZero() {
		m.Written = -1
	} else if m.Outgoing {
		m.Content, m.Written = m.ID.Content(), -1
		err = t.tx.exec(`UPDATE contacts SET last_sent = ? WHERE id = ?`, m.Content, m.Contact)
	} else if m.ID.IsZero() {
		m.ID, err = t.tx.FreeID(m.Content)
	}
	if err == nil {
		seq, err = t.tx.addMessage(m, api.EventMessage, now)
	}
	return seq, err
}

// FreeID returns an ID for an incoming message: the bytes that its author chose unless something
// else has them.
func (t MessageTable) FreeID(chosen [16]byte) (ID, error) {
	n, err := t.tx.number(`SELECT EXISTS(SELECT 1 FROM messages WHERE id = ?1) OR EXISTS(SELECT 1 FROM items WHERE id = ?1)`, chosen[:])
	if n != 0 || chosen == [16]byte{} {
		return NewID(), err
	}
	return ID(chosen), err
}

// Claim takes an ID for a message of ours: an incoming one that has it gets another one. Its author chose it, and neither the
// ID of ours nor whether it is said may depend on that.
func (t MessageTable) Claim(id ID, now time.Time) error {
	m, err := t.tx.Message(id)
	switch {
	case errors.Is(err, ErrNotFound) || err == nil && (m.Outgoing || m.State == api.StateNotice):
		return nil
	case err != nil:
		return err
	}

	// All tables that name it, in one transaction. The content keeps its own ID, by which its author refers to it.
	was := m.ID
	m.ID = NewID()
	err = errors.Join(
		t.tx.exec(`PRAGMA defer_foreign_keys = ON`),
		t.tx.exec(`UPDATE drafts SET ref = ? WHERE contact = ? AND ref = ?`, m.ID, m.Contact, was))
	for _, sql := range []string{
		`UPDATE messages SET id = ? WHERE id = ?`,
		`UPDATE attachments SET message = ? WHERE message = ?`,
		`UPDATE reactions SET message = ? WHERE message = ?`,
		`UPDATE messages SET late = ? WHERE late = ?`,
		`UPDATE events SET message = ? WHERE message = ?`,
	} {
		if err == nil {
			err = t.tx.exec(sql, m.ID, was)
		}
	}
	if err == nil {
		// To screens the old one is gone, and the message comes anew under its new ID.
		_, err = t.tx.Append(Event{Kind: api.EventRemoved, Contact: m.Contact, Message: was, Time: now})
	}
	if err != nil {
		return err
	}
	return t.tx.changed(m, now)
}

// AddNotice stores something that the node itself tells in a conversation, and
// the event that tells of it.
func (t MessageTable) AddNotice(m Message, now time.Time) error {
	m.State, m.Content, m.Written = api.StateNotice, ContentID{}, -1
	_, err := t.tx.addMessage(m, api.EventNotice, now)
	return err
}

func (t MessageTable) addMessage(m Message, kind api.EventKind, now time.Time) (seq int64, err error) {
	seq, err = t.tx.Append(Event{Kind: kind, Contact: m.Contact, Message: m.ID, State: m.State, Time: now})
	if err != nil {
		return 0, err
	}
	err = t.tx.exec(`INSERT INTO messages(seq, id, contact, content, outgoing, text, time, state, reason,
		ref, forwarded, deleted, timer, picture, file, size, previous, written, gap, late, member, mention, hidden)
		VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		seq, m.ID, m.Contact, orNull(m.Content), m.Outgoing, m.Text, m.Time, string(m.State), m.Reason,
		orNull(m.Ref), m.Forwarded, m.Deleted, m.Timer, m.Picture, m.File, m.Size,
		orNull(m.Previous), m.Written, m.Gap, orNull(m.Late), orNull(m.Member), m.Mention, m.Hidden)
	if err == nil && m.Data != nil {
		err = t.tx.exec(`INSERT INTO attachments(message, data) VALUES(?, ?)`, m.ID, m.Data)
	}
	return seq, err
}

// Message returns the message with an ID, of any conversation.
func (t MessageTable) Message(id ID) (Message, error) {
	return one(t.tx, scanMessage, `SELECT `+messageColumns+` FROM messages WHERE id = ?`, id)
}

// MessageOf returns the message of a conversation that its two people name so.
func (t MessageTable) MessageOf(contact ID, content ContentID) (Message, error) {
	return one(t.tx, scanMessage, `SELECT `+messageColumns+` FROM messages WHERE contact = ? AND content = ?`, contact, content)
}

// Attachment returns the bytes of a message's picture or file.
func (t MessageTable) Attachment(message ID) ([]byte, error) {
	return one(t.tx, func(r Row) []byte { return r.Blob(0) }, `SELECT data FROM attachments WHERE message = ?`, message)
}

// changed tells of a change to a message.
func (t MessageTable) changed(m Message, now time.Time) error {
	_, err := t.tx.Append(Event{Kind: api.EventChanged, Contact: m.Contact, Message: m.ID, Time: now})
	return err
}

// SetState changes an outgoing message's state and tells of it. One that
// disappears begins to count down when it is delivered, in a room when it is sent.
func (t MessageTable) SetState(m Message, state api.State, reason string, now time.Time) error {
	if err := t.tx.execOne(`UPDATE messages SET state = ?, reason = ? WHERE id = ?`,
		string(state), reason, m.ID); err != nil {
		return err
	}
	_, err := t.tx.Append(Event{Kind: api.EventState, Contact: m.Contact, Message: m.ID,
		State: state, Reason: reason, Time: now})
	last := state == api.StateDelivered || state == api.StateSent && !m.Member.IsZero()
	if err == nil && last {
		err = t.tx.CountDown(m, now)
	}
	return err
}

// Tell is SetState for the message that an item of the outbox carries. An item without
// a message, or with an erased one, has nothing to tell.
func (t MessageTable) Tell(item ID, state api.State, reason string, now time.Time) error {
	m, err := t.tx.Message(item)
	if errors.Is(err, ErrNotFound) || err == nil && !m.Outgoing {
		return nil
	}
	if err != nil {
		return err
	}
	return t.tx.SetState(m, state, reason, now)
}

// CountDown starts the timer of a message, if it has one that does not run.
func (t MessageTable) CountDown(m Message, now time.Time) error {
	if m.Timer == 0 || !m.Expires.IsZero() {
		return nil
	}
	at := now.Add(time.Duration(m.Timer) * time.Second)
	if err := t.tx.execOne(`UPDATE messages SET expires = ? WHERE id = ?`, at, m.ID); err != nil {
		return err
	}
	return t.tx.changed(m, now)
}

// SetText replaces the text of a message by the edit at a place.
func (t MessageTable) SetText(m Message, text string, edited time.Time, place int64, now time.Time) error {
	if err := t.tx.execOne(`UPDATE messages SET text = ?, edited = ?, place = ? WHERE id = ?`,
		text, edited, place, m.ID); err != nil {
		return err
	}
	return t.tx.changed(m, now)
}

// TakeBack erases all that a message says. Its empty place stays, so that no
// late copy and no late edit brings it back.
func (t MessageTable) TakeBack(m Message, now time.Time) error {
	if err := t.tx.execOne(`UPDATE messages SET text = '', ref = NULL, forwarded = 0, edited = 0, deleted = 1,
		picture = '', file = '', size = 0 WHERE id = ?`, m.ID); err != nil {
		return err
	}
	return errors.Join(
		t.tx.exec(`DELETE FROM attachments WHERE message = ?`, m.ID),
		t.tx.exec(`DELETE FROM reactions WHERE message = ?`, m.ID),
		t.tx.unlink(m),
		t.tx.changed(m, now))
}

// SetRead records that the contact has read an outgoing message.
func (t MessageTable) SetRead(m Message, at, now time.Time) error {
	if err := t.tx.execOne(`UPDATE messages SET read = ? WHERE id = ?`, at, m.ID); err != nil {
		return err
	}
	return t.tx.changed(m, now)
}

// Erase erases a message whole, and the events that told of it, and tells that
// it is gone. A copy of it that comes later is not shown.
func (t MessageTable) Erase(m Message, now time.Time) error {
	err := errors.Join(
		t.tx.execOne(`DELETE FROM messages WHERE id = ?`, m.ID),
		t.tx.exec(`DELETE FROM events WHERE message = ?`, m.ID),
		t.tx.unlink(m))
	if err == nil && m.State != api.StateNotice {
		err = t.tx.addSeen(m.Contact, m.Content, m.Outgoing)
	}
	if err != nil {
		return err
	}
	_, err = t.tx.Append(Event{Kind: api.EventRemoved, Contact: m.Contact, Message: m.ID, Time: now})
	return err
}

// Given is the place of a message of a room by the word of somebody else than its author. The author's own takes
// its name from it.
const Given = -2

// Confirm records that the author of a message has said it, and tells of it.
func (t MessageTable) Confirm(m Message, now time.Time) error {
	err := t.tx.execOne(`UPDATE messages SET written = -1 WHERE id = ?`, m.ID)
	if err != nil {
		return err
	}
	return t.changed(m, now)
}

// Supersede has a message take the name of one that was given, and the reactions to it. The other one is
// erased.
func (t MessageTable) Supersede(given, m Message, now time.Time) error {
	if err := t.tx.execOne(`UPDATE messages SET content = NULL WHERE id = ?`, given.ID); err != nil {
		return err
	}
	if _, err := t.tx.AddMessage(m, now); err != nil {
		return err
	}
	err := errors.Join(
		t.tx.exec(`UPDATE reactions SET message = ? WHERE message = ?`, m.ID, given.ID),
		t.tx.execOne(`DELETE FROM messages WHERE id = ?`, given.ID),
		t.tx.exec(`DELETE FROM events WHERE message = ?`, given.ID))
	if err == nil {
		_, err = t.tx.Append(Event{Kind: api.EventRemoved, Contact: given.Contact, Message: given.ID, Time: now})
	}
	return err
}

// Expired returns up to limit messages at the end of their time.
func (t MessageTable) Expired(now time.Time, limit int) ([]Message, error) {
	return collect(t.tx, scanMessage, `SELECT `+messageColumns+` FROM messages
		WHERE expires > 0 AND expires <= ? ORDER BY expires LIMIT ?`, now, limit)
}

// NextExpiry returns when the next message disappears; zero: none counts down.
func (t MessageTable) NextExpiry() (time.Time, error) {
	n, err := t.tx.number(`SELECT min(expires) FROM messages WHERE expires > 0`)
	return fromMicros(n), err
}

// CountsTooLong reports whether a message counts down for longer than its timer: it began by a clock that was ahead.
func (t MessageTable) CountsTooLong(now time.Time) (bool, error) {
	n, err := t.tx.number(`SELECT EXISTS(SELECT 1 FROM messages WHERE expires > 0 AND expires > ? + timer * 1000000)`, now.Add(clockSlack))
	return n != 0, err
}

// Recount has such messages begin anew: they would stay for as long as the clock was ahead.
func (t MessageTable) Recount(now time.Time) error {
	return t.tx.exec(`UPDATE messages SET expires = ? + timer * 1000000 WHERE expires > 0 AND expires > ? + timer * 1000000`, now, now.Add(clockSlack))
}

// clockSlack is a change of the clock that is no matter.
const clockSlack = time.Minute

// History returns up to limit messages of a conversation before a sequence
// number, oldest first.
func (t MessageTable) History(contact ID, before int64, limit int) ([]Message, error) {
	return collect(t.tx, scanMessage, `SELECT * FROM (
		SELECT `+messageColumns+` FROM messages WHERE contact = ? AND seq < ? AND hidden = 0 ORDER BY seq DESC LIMIT ?)
		ORDER BY seq`, contact, before, limit)
}

// HistoryAfter returns the first messages of a conversation after a sequence
// number.
func (t MessageTable) HistoryAfter(contact ID, after int64, limit int) ([]Message, error) {
	return collect(t.tx, scanMessage, `SELECT `+messageColumns+` FROM messages
		WHERE contact = ? AND seq > ? AND hidden = 0 ORDER BY seq LIMIT ?`, contact, after, limit)
}

// LastMessage returns the newest message of a conversation.
func (t MessageTable) LastMessage(contact ID) (Message, error) {
	return one(t.tx, scanMessage, `SELECT `+messageColumns+` FROM messages
		WHERE contact = ? AND hidden = 0 ORDER BY seq DESC LIMIT 1`, contact)
}

// Unread counts incoming messages after a sequence number.
func (t MessageTable) Unread(contact ID, after int64) (int, error) {
	n, err := t.tx.number(`SELECT count(*) FROM messages
		WHERE contact = ? AND seq > ? AND outgoing = 0 AND deleted = 0 AND hidden = 0`, contact, after)
	return int(n), err
}

// Received returns the newest incoming messages after a sequence number, at
// most limit of them, oldest first.
func (t MessageTable) Received(contact ID, after int64, limit int) ([]Message, error) {
	return collect(t.tx, scanMessage, `SELECT * FROM (
		SELECT `+messageColumns+` FROM messages
		WHERE contact = ? AND seq > ? AND state = 'received' AND deleted = 0 ORDER BY seq DESC LIMIT ?)
		ORDER BY seq`, contact, after, limit)
}

// Timed returns incoming messages after a sequence number that disappear and do
// not count down.
func (t MessageTable) Timed(contact ID, after int64) ([]Message, error) {
	return collect(t.tx, scanMessage, `SELECT `+messageColumns+` FROM messages
		WHERE contact = ? AND seq > ? AND outgoing = 0 AND timer > 0 AND expires = 0 ORDER BY seq`, contact, after)
}

// CountStates counts outgoing messages that are not delivered, by state. In a room none is
// delivered: there the last state is sent.
func (t MessageTable) CountStates() (map[api.State]int, error) {
	type row struct {
		state api.State
		n     int
	}
	rows, err := collect(t.tx, func(r Row) row { return row{api.State(r.Text(0)), int(r.Int(1))} },
		`SELECT state, count(*) FROM messages WHERE state IN ('queued', 'sealed', 'sent', 'failed')
		AND deleted = 0 AND NOT (state = 'sent' AND member IS NOT NULL) GROUP BY state`)
	counts := make(map[api.State]int)
	for _, r := range rows {
		counts[r.state] = r.n
	}
	return counts, err
}
