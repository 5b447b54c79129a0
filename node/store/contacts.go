package store

import (
	"errors"
	"time"

	"starling/node/api"
)

// ContactTable holds the contacts, with their sessions and mailboxes.
type ContactTable struct{ tx *Tx }

// A Contact is one person, without the session.
type Contact struct {
	ID       ID
	Name     string
	Named    bool // the owner chose Name
	State    api.ContactState
	Verified bool
	Blocked  bool
	Created  time.Time
	ReadSeq  int64  // messages up to here have been read
	NextSeq  int64  // cells of the peer's chain below this have come, or are not waited for
	Invite   string // the invite it came from
	ToldSeq  int64  // the mailboxes we know were told below this cell of the peer's chain

	Pinned   bool
	Archived bool
	Muted    time.Time // until then
	Notify   api.NotifyLevel
	// After how many seconds messages disappear: in effect, and offered.
	Timer, TimerMine, TimerTheirs int
	TimerPlace                    int64 // of TimerTheirs; -1: none has come
	Chain                         int64 // how many chains the peer had before this one

	Passed   int64     // how far the peer's chain had come
	PassedAt time.Time // at this time; zero: not looked at in this session

	LastSent ContentID // the message that we wrote last; only AddMessage and erasures change it
	Alias    string    // our name to them; empty: that of the profile. Only AddContact sets it
}

const contactColumns = `id, name, named, state, verified, blocked, created, read_seq, next_seq, invite, told_seq,
	pinned, archived, muted, notify, timer, timer_mine, timer_theirs, timer_place, chain, passed, passed_at, last_sent, alias`

func scanContact(r Row) Contact {
	return Contact{r.ID(0), r.Text(1), r.Bool(2), api.ContactState(r.Text(3)), r.Bool(4), r.Bool(5),
		r.Time(6), r.Int(7), r.Int(8), r.Text(9), r.Int(10),
		r.Bool(11), r.Bool(12), r.Time(13), api.NotifyLevel(r.Text(14)),
		int(r.Int(15)), int(r.Int(16)), int(r.Int(17)), r.Int(18), r.Int(19), r.Int(20), r.Time(21), r.Content(22), r.Text(23)}
}

// AddContact stores a new contact with its session. How its conversation is
// kept is set later.
func (t ContactTable) AddContact(c Contact, session []byte) error {
	t.tx.moved = true
	return t.tx.exec(`INSERT INTO contacts(id, name, named, state, verified, blocked, created, read_seq, next_seq, invite,
		told_seq, alias, version, session) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1, ?)`,
		c.ID, c.Name, c.Named, string(c.State), c.Verified, c.Blocked, c.Created, c.ReadSeq, c.NextSeq, c.Invite, c.ToldSeq, c.Alias,
		t.tx.seal("contacts", c.ID[:], 1, session))
}

// SetContact changes a contact, but for its session and invite.
func (t ContactTable) SetContact(c Contact) error {
	return t.tx.execOne(`UPDATE contacts SET name = ?, named = ?, state = ?, verified = ?, blocked = ?,
		read_seq = ?, next_seq = ?, told_seq = ?, pinned = ?, archived = ?, muted = ?, notify = ?,
		timer = ?, timer_mine = ?, timer_theirs = ?, timer_place = ?, chain = ?, passed = ?, passed_at = ? WHERE id = ?`,
		c.Name, c.Named, string(c.State), c.Verified, c.Blocked, c.ReadSeq, c.NextSeq, c.ToldSeq,
		c.Pinned, c.Archived, c.Muted, string(c.Notify),
		c.Timer, c.TimerMine, c.TimerTheirs, c.TimerPlace, c.Chain, c.Passed, c.PassedAt, c.ID)
}

func (t ContactTable) Contact(id ID) (Contact, error) {
	return one(t.tx, scanContact, `SELECT `+contactColumns+` FROM contacts WHERE id = ?`, id)
}

// Contacts returns all people, oldest first: not the note to self, and no room.
func (t ContactTable) Contacts() ([]Contact, error) {
	return collect(t.tx, scanContact, `SELECT `+contactColumns+` FROM contacts WHERE state NOT IN ('self', 'room') ORDER BY created, id`)
}

// Others returns all people and rooms, oldest first: those that may not have one name.
func (t ContactTable) Others() ([]Contact, error) {
	return collect(t.tx, scanContact, `SELECT `+contactColumns+` FROM contacts WHERE state <> 'self' ORDER BY created, id`)
}

// ContactsNamed returns the contacts and rooms that have exactly this name.
func (t ContactTable) ContactsNamed(name string) ([]Contact, error) {
	return collect(t.tx, scanContact, `SELECT `+contactColumns+` FROM contacts WHERE name = ? AND id <> `+selfBlob, name)
}

// ContactOfInvite returns the contact that came of an invite.
func (t ContactTable) ContactOfInvite(invite string) (Contact, error) {
	return one(t.tx, scanContact, `SELECT `+contactColumns+` FROM contacts WHERE invite = ?`, invite)
}

// RemoveContact erases a contact and all that belongs to it.
func (t ContactTable) RemoveContact(id ID) error {
	if id == Self {
		return ErrNotFound // it is nobody
	}
	if err := t.tx.DropAppends(id); err != nil {
		return err
	}
	if err := t.tx.execOne(`DELETE FROM contacts WHERE id = ?`, id); err != nil {
		return err
	}
	return errors.Join(
		t.tx.exec(`DELETE FROM mailboxes WHERE owner = ?`, id),
		t.tx.exec(`DELETE FROM events WHERE contact = ?`, id),
		t.tx.exec(`UPDATE invites SET contact = NULL WHERE contact = ?`, id))
}

// Session returns a contact's session state and its version, and the version
// even with [ErrNoSession].
func (t ContactTable) Session(id ID) (state []byte, version int64, err error) {
	type row struct {
		sealed  []byte
		version int64
	}
	r, err := one(t.tx, func(r Row) row { return row{r.Blob(0), r.Int(1)} },
		`SELECT session, version FROM contacts WHERE id = ?`, id)
	if err != nil {
		return nil, 0, err
	}
	if r.sealed == nil {
		return nil, r.version, ErrNoSession
	}
	state, err = t.tx.unseal("contacts", id[:], r.version, r.sealed)
	return state, r.version, err
}

// ErrStale means that a session has moved on since it was read. A ratchet
// must never be written from an old copy.
var ErrStale = errors.New("session was changed by another transaction")

// SetSession replaces the session state that was read with a version.
func (t ContactTable) SetSession(id ID, version int64, state []byte) error {
	t.tx.moved = true
	err := t.tx.execOne(`UPDATE contacts SET session = ?, version = ? WHERE id = ? AND version = ?`,
		t.tx.seal("contacts", id[:], version+1, state), version+1, id, version)
	if err == ErrNotFound {
		return ErrStale
	}
	return err
}

// A Mailbox is a relay where boxes wait for us or for a contact.
type Mailbox struct {
	Node    Node
	Hint    []byte    // how to reach it (p2p.Client.Hint)
	Retired time.Time // since when a newer set replaces it; zero: current
}

// Mailboxes returns the owner's mailboxes, current ones first. The owner is a
// contact's ID or an invite's ID; mine tells our own from the peer's.
func (t ContactTable) Mailboxes(owner []byte, mine bool) ([]Mailbox, error) {
	return collect(t.tx, func(r Row) Mailbox { return Mailbox{Node(r.Blob(0)), r.Blob(1), r.Time(2)} },
		`SELECT node, hint, retired FROM mailboxes WHERE owner = ? AND mine = ? AND length(node) = 32
		ORDER BY retired, node`, owner, mine)
}

// EveryMailbox returns those of all owners, ours and theirs.
func (t ContactTable) EveryMailbox() ([]Node, error) {
	return collect(t.tx, func(r Row) Node { return Node(r.Blob(0)) }, `SELECT DISTINCT node FROM mailboxes WHERE length(node) = 32`)
}

// SetMailboxes makes a set the owner's current one and retires those that are
// not in it.
func (t ContactTable) SetMailboxes(owner []byte, mine bool, now time.Time, set []Mailbox) error {
	err := t.tx.exec(`UPDATE mailboxes SET retired = ? WHERE owner = ? AND mine = ? AND retired = 0`, now, owner, mine)
	for _, m := range set {
		if err != nil {
			return err
		}
		err = t.tx.exec(`INSERT INTO mailboxes(owner, mine, node, hint) VALUES(?, ?, ?, ?)
			ON CONFLICT(owner, mine, node) DO UPDATE SET hint = excluded.hint, retired = 0`,
			owner, mine, m.Node[:], m.Hint)
	}
	return err
}

// DropMailboxes forgets the owner's mailboxes that were retired before a time;
// the zero time means all of them, current ones too.
func (t ContactTable) DropMailboxes(owner []byte, mine bool, before time.Time) error {
	if before.IsZero() {
		return t.tx.exec(`DELETE FROM mailboxes WHERE owner = ? AND mine = ?`, owner, mine)
	}
	return t.tx.exec(`DELETE FROM mailboxes WHERE owner = ? AND mine = ? AND retired != 0 AND retired < ?`,
		owner, mine, before)
}

// Missing returns the mailboxes that do not work, and since when.
func (t ContactTable) Missing() (map[Node]time.Time, error) {
	type row struct {
		node  Node
		since time.Time
	}
	rows, err := collect(t.tx, func(r Row) row { return row{Node(r.Blob(0)), r.Time(1)} },
		`SELECT node, since FROM missing WHERE length(node) = 32`)
	out := make(map[Node]time.Time, len(rows))
	for _, r := range rows {
		out[r.node] = r.since
	}
	return out, err
}

// SetMissing replaces the result of Missing.
func (t ContactTable) SetMissing(missing map[Node]time.Time) error {
	err := t.tx.exec(`DELETE FROM missing`)
	for node, since := range missing {
		if err == nil {
			err = t.tx.exec(`INSERT INTO missing(node, since) VALUES(?, ?)`, node[:], since)
		}
	}
	return err
}

// NameTo returns our name to a contact: one of our own for them, or that of the profile.
func (t ContactTable) NameTo(id ID) (string, error) {
	alias, err := one(t.tx, func(r Row) string { return r.Text(0) }, `SELECT alias FROM contacts WHERE id = ?`, id)
	if err == nil && alias == "" {
		return t.tx.Owner()
	}
	return alias, err
}
