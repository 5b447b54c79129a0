package store

import "time"

// ChangeTable holds changes of messages: reactions, edits that wait, drafts.
type ChangeTable struct{ tx *Tx }

// A Reaction is the opinion of one side about a message.
type Reaction struct {
	Message  ID
	Outgoing bool
	Member   MemberID // of a room: whose
	Emoji    string   // empty: taken back
	Place    int64
}

func scanReaction(r Row) Reaction {
	return Reaction{r.ID(0), r.Bool(1), r.Member(2), r.Text(3), r.Int(4)}
}

// SetReaction sets one side's reaction to a message. One that was taken back
// keeps its place.
func (t ChangeTable) SetReaction(m Message, r Reaction, now time.Time) error {
	if err := t.tx.exec(`INSERT INTO reactions(message, outgoing, member, emoji, place) VALUES(?, ?, ?, ?, ?)
		ON CONFLICT(message, outgoing, member) DO UPDATE SET emoji = excluded.emoji, place = excluded.place`,
		m.ID, r.Outgoing, orEmpty(r.Member), r.Emoji, r.Place); err != nil {
		return err
	}
	return t.tx.changed(m, now)
}

// Reaction returns one side's reaction to a message, in a room that of a member.
func (t ChangeTable) Reaction(message ID, outgoing bool, member MemberID) (Reaction, error) {
	return one(t.tx, scanReaction, `SELECT message, outgoing, member, emoji, place FROM reactions
		WHERE message = ? AND outgoing = ? AND member = ?`, message, outgoing, orEmpty(member))
}

// Reactions returns those to messages of a conversation between two sequence
// numbers, both included, our own ones last.
func (t ChangeTable) Reactions(contact ID, first, last int64) ([]Reaction, error) {
	return collect(t.tx, scanReaction, `SELECT r.message, r.outgoing, r.member, r.emoji, r.place
		FROM messages m JOIN reactions r ON r.message = m.id
		WHERE m.contact = ? AND m.seq BETWEEN ? AND ? AND r.emoji <> '' ORDER BY m.seq, r.outgoing`, contact, first, last)
}

// A Change is an edit, a delete or a reaction of a peer to a message.
type Change struct {
	Content ContentID // of the message
	Member  MemberID  // of a room: whose change it is
	Kind    int       // chat.Kind
	Place   int64
	Text    string // new text or emoji
	Time    time.Time
}

// maxChanges bounds the changes of a contact, or of one member of a room, to messages that
// never come.
const maxChanges = 256

// AddChange keeps a change until its message comes; of two of one kind the one
// at the later place. When there are too many, the oldest goes.
func (t ChangeTable) AddChange(contact ID, c Change) error {
	err := t.tx.exec(`INSERT INTO changes(contact, member, content, kind, place, text, time) VALUES(?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT(contact, member, content, kind) DO UPDATE SET place = excluded.place, text = excluded.text, time = excluded.time
		WHERE excluded.place > place`, contact, orEmpty(c.Member), c.Content, c.Kind, c.Place, c.Text, c.Time)
	if err != nil {
		return err
	}
	return t.tx.exec(`DELETE FROM changes WHERE rowid IN (
		SELECT rowid FROM changes WHERE contact = ? AND member = ? ORDER BY rowid DESC LIMIT -1 OFFSET ?)`, contact, orEmpty(c.Member), maxChanges)
}

// HasChange reports whether a change of a kind is kept for a message.
func (t ChangeTable) HasChange(contact ID, message ContentID, kind int) (bool, error) {
	n, err := t.tx.number(`SELECT EXISTS(SELECT 1 FROM changes WHERE contact = ? AND content = ? AND kind = ?)`, contact, message, kind)
	return n != 0, err
}

// TakeChanges removes and returns a contact's, or all members', changes of a message, in
// order.
func (t ChangeTable) TakeChanges(contact ID, message ContentID) ([]Change, error) {
	all, err := collect(t.tx, func(r Row) Change {
		return Change{r.Content(0), r.Member(1), int(r.Int(2)), r.Int(3), r.Text(4), r.Time(5)}
	},
		`SELECT content, member, kind, place, text, time FROM changes WHERE contact = ? AND content = ? ORDER BY place`, contact, message)
	if err == nil && len(all) > 0 {
		err = t.tx.exec(`DELETE FROM changes WHERE contact = ? AND content = ?`, contact, message)
	}
	return all, err
}

// A Draft is a text of the owner that was not sent yet.
type Draft struct {
	Contact ID
	Text    string
	Ref     ID // the message it answers; zero: none
}

// Drafts returns all drafts. The draft of an answer to an erased message answers
// nothing.
func (t ChangeTable) Drafts() ([]Draft, error) {
	return collect(t.tx, func(r Row) Draft { return Draft{r.ID(0), r.Text(1), r.ID(2)} },
		`SELECT d.contact, d.text, m.id FROM drafts d
		LEFT JOIN messages m ON m.id = d.ref AND m.contact = d.contact ORDER BY d.contact`)
}

// SetDraft replaces a draft; an empty one is erased.
func (t ChangeTable) SetDraft(d Draft) error {
	if d.Text == "" {
		return t.tx.exec(`DELETE FROM drafts WHERE contact = ?`, d.Contact)
	}
	return t.tx.exec(`INSERT INTO drafts(contact, text, ref) VALUES(?, ?, ?)
		ON CONFLICT(contact) DO UPDATE SET text = excluded.text, ref = excluded.ref`, d.Contact, d.Text, orNull(d.Ref))
}
