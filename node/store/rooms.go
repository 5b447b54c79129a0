package store

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"time"

	"starling/node/api"
)

// A room is a contact in state [api.ContactRoom], so that its conversation is kept as
// every other: messages, drafts, events and the index refer to it as they do to people. It
// has no session and no mailbox. The secrets of our part in it and the entries are rows of
// their own, and so is everything that is shown of it: nobody opens the secrets to show a
// list. The rows are written in the transaction that changes the secrets. Of these each part is
// a row, so that a text writes those few that it changes.
const roomSchema = `
CREATE TABLE rooms (
	contact   BLOB PRIMARY KEY REFERENCES contacts(id) ON DELETE CASCADE,
	state     TEXT NOT NULL,     -- api.RoomState
	role      TEXT NOT NULL,     -- api.Role: ours
	me        BLOB,              -- our member id
	alias     TEXT NOT NULL,     -- our name in it
	title     TEXT NOT NULL,     -- its own; the conversation may have to be called otherwise
	history   INTEGER NOT NULL DEFAULT 0,
	admins    INTEGER NOT NULL DEFAULT 0,  -- 1: only they write
	healing   INTEGER NOT NULL DEFAULT 0,
	unheard   INTEGER NOT NULL DEFAULT 0,
	expires   INTEGER NOT NULL DEFAULT 0,  -- of a request: until when it can be answered
	version   INTEGER NOT NULL DEFAULT 0   -- of the secrets
);
CREATE TABLE secrets (           -- our part in a room, or the request to be let in
	contact   BLOB NOT NULL REFERENCES rooms(contact) ON DELETE CASCADE,
	part      BLOB NOT NULL,
	version   INTEGER NOT NULL,  -- of the secrets, when it was written
	sealed    BLOB NOT NULL,     -- sealed
	PRIMARY KEY (contact, part)
);
CREATE TABLE entries (           -- the membership log
	contact   BLOB NOT NULL REFERENCES rooms(contact) ON DELETE CASCADE,
	entry     BLOB NOT NULL
);
CREATE INDEX entries_contact ON entries(contact);
CREATE TABLE members (           -- who is and was in a room, and who waits at its door
	contact   BLOB NOT NULL REFERENCES rooms(contact) ON DELETE CASCADE,
	member    BLOB NOT NULL,
	name      TEXT NOT NULL,     -- chosen by them; fit to be shown
	role      TEXT NOT NULL,     -- api.Role
	waiting   INTEGER NOT NULL DEFAULT 0,
	offered   INTEGER NOT NULL DEFAULT 0,
	let       BLOB,              -- id of the member that let them in
	since     INTEGER NOT NULL DEFAULT 0,
	verified  INTEGER NOT NULL DEFAULT 0,
	blocked   INTEGER NOT NULL DEFAULT 0,
	PRIMARY KEY (contact, member)
);
CREATE TABLE forks (             -- proofs that a member said two things under one number
	contact   BLOB NOT NULL REFERENCES rooms(contact) ON DELETE CASCADE,
	member    BLOB NOT NULL,
	first     TEXT NOT NULL,
	second    TEXT NOT NULL,
	PRIMARY KEY (contact, member)
);
CREATE TABLE asides (            -- conversations of two that we and a member offer each other
	contact   BLOB NOT NULL REFERENCES rooms(contact) ON DELETE CASCADE,
	member    BLOB NOT NULL,
	outgoing  INTEGER NOT NULL,
	invite    TEXT NOT NULL,     -- its id
	link      TEXT NOT NULL,     -- theirs, until it is answered; of ours empty
	expires   INTEGER NOT NULL,
	PRIMARY KEY (contact, member, outgoing)
);
CREATE TABLE logs (              -- how far the logs of a room were read
	contact   BLOB NOT NULL REFERENCES rooms(contact) ON DELETE CASCADE,
	node      BLOB NOT NULL,
	name      BLOB NOT NULL,
	instance  INTEGER NOT NULL,
	position  INTEGER NOT NULL,
	PRIMARY KEY (contact, node, name)
);
CREATE TABLE appends (           -- entries of logs that are on their way
	seq       INTEGER PRIMARY KEY AUTOINCREMENT,
	contact   BLOB NOT NULL,     -- the word that we leave outlives the room (DropAppends)
	content   BLOB,              -- the content that they carry
	lane      INTEGER NOT NULL,
	log       BLOB NOT NULL,     -- public key
	meet      BLOB NOT NULL,     -- where it goes if all mailboxes of the log are gone
	tag       BLOB NOT NULL,
	signature BLOB NOT NULL,
	box       BLOB NOT NULL,
	copies    INTEGER NOT NULL DEFAULT 0, -- mailboxes that have it
	created   INTEGER NOT NULL
);
CREATE INDEX appends_contact ON appends(contact, content);
CREATE TABLE goals (             -- mailboxes that do not have one yet
	append    INTEGER NOT NULL REFERENCES appends(seq) ON DELETE CASCADE,
	node      BLOB NOT NULL,
	hint      BLOB NOT NULL,
	spare     INTEGER NOT NULL DEFAULT 0, -- it is gone: nobody waits for it
	PRIMARY KEY (append, node)
);
CREATE TABLE says (              -- contents for a room that are to be sealed
	seq       INTEGER PRIMARY KEY AUTOINCREMENT,
	contact   BLOB NOT NULL REFERENCES rooms(contact) ON DELETE CASCADE,
	id        BLOB NOT NULL,     -- drawn here
	content   BLOB NOT NULL,
	created   INTEGER NOT NULL
);
CREATE TABLE parked (            -- contents of members that wait for those before them
	contact   BLOB NOT NULL REFERENCES rooms(contact) ON DELETE CASCADE,
	ref       BLOB NOT NULL,
	member    BLOB NOT NULL,
	id        BLOB NOT NULL,     -- chosen by the member
	content   BLOB NOT NULL,
	after     BLOB NOT NULL,     -- refs, 16 bytes each
	came      INTEGER NOT NULL,
	PRIMARY KEY (contact, ref)
);
CREATE TABLE told (              -- contents of members that were taken, by their last cell
	contact   BLOB NOT NULL REFERENCES rooms(contact) ON DELETE CASCADE,
	ref       BLOB NOT NULL,
	PRIMARY KEY (contact, ref)
);
CREATE TABLE room_notices (      -- what a notice of a room tells
	message   BLOB PRIMARY KEY REFERENCES messages(id) ON DELETE CASCADE,
	change    TEXT NOT NULL      -- api.RoomChange
);
`

// RoomTable holds the rooms, and what is shown of them.
type RoomTable struct{ tx *Tx }

// A Room is what is shown of one room, beside its conversation.
type Room struct {
	ID         ID
	State      api.RoomState
	Role       api.Role
	Me         MemberID // zero: not let in yet
	As         string
	Title      string // as the room says
	History    int
	AdminsOnly bool
	Healing    bool
	Unheard    bool
	Expires    time.Time // of a request: until when it can be answered
}

const roomColumns = `contact, state, role, me, alias, title, history, admins, healing, unheard, expires`

func scanRoom(r Row) Room {
	return Room{r.ID(0), api.RoomState(r.Text(1)), api.Role(r.Text(2)), r.Member(3), r.Text(4), r.Text(5),
		int(r.Int(6)), r.Bool(7), r.Bool(8), r.Bool(9), r.Time(10)}
}

// AddRoom stores a new room under the name of its conversation, with the secrets.
func (t RoomTable) AddRoom(r Room, name string, created time.Time, secrets map[string][]byte) error {
	if err := t.tx.exec(`INSERT INTO contacts(id, name, named, state, created, invite) VALUES(?, ?, 0, 'room', ?, '')`,
		r.ID, name, created); err != nil {
		return err
	}
	if err := t.tx.exec(`INSERT INTO rooms(`+roomColumns+`) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		r.ID, string(r.State), string(r.Role), orNull(r.Me), r.As, r.Title, r.History, r.AdminsOnly, r.Healing, r.Unheard, r.Expires); err != nil {
		return err
	}
	return t.SetRoomSecrets(r.ID, 0, secrets)
}

// ResetRoom begins anew with a room that we were in: its conversation goes on.
func (t RoomTable) ResetRoom(r Room, secrets map[string][]byte) error {
	if err := t.ForgetRoom(r.ID); err != nil {
		return err
	}
	if err := t.SetRoomSecrets(r.ID, t.RoomVersion(r.ID), secrets); err != nil {
		return err
	}
	return errors.Join(t.SetRoom(r), t.tx.exec(`DELETE FROM members WHERE contact = ? AND waiting = 1`, r.ID))
}

// RoomVersion returns the version of a room's secrets.
func (t RoomTable) RoomVersion(id ID) int64 {
	n, _ := t.tx.number(`SELECT version FROM rooms WHERE contact = ?`, id)
	return n
}

// SetRoom changes the row of a room, but for its secrets.
func (t RoomTable) SetRoom(r Room) error {
	return t.tx.execOne(`UPDATE rooms SET state = ?, role = ?, me = ?, alias = ?, title = ?, history = ?, admins = ?, healing = ?, unheard = ?, expires = ?
		WHERE contact = ?`, string(r.State), string(r.Role), orNull(r.Me), r.As, r.Title, r.History, r.AdminsOnly, r.Healing, r.Unheard, r.Expires, r.ID)
}

func (t RoomTable) Room(id ID) (Room, error) {
	return one(t.tx, scanRoom, `SELECT `+roomColumns+` FROM rooms WHERE contact = ?`, id)
}

// Rooms returns all rooms, oldest first.
func (t RoomTable) Rooms() ([]Room, error) {
	return collect(t.tx, scanRoom, `SELECT `+roomColumns+` FROM rooms ORDER BY
		(SELECT created FROM contacts WHERE id = contact), contact`)
}

// RoomContacts returns the conversations of all rooms, oldest first.
func (t RoomTable) RoomContacts() ([]Contact, error) {
	return collect(t.tx, scanContact, `SELECT `+contactColumns+` FROM contacts WHERE state = 'room' ORDER BY created, id`)
}

// RoomSecrets returns all parts of the secrets of a room, and their version; none if there are none any more.
func (t RoomTable) RoomSecrets(id ID) (secrets map[string][]byte, version int64, err error) {
	type row struct {
		part, sealed []byte
		version      int64
	}
	version, err = t.tx.number(`SELECT version FROM rooms WHERE contact = ?`, id)
	if err != nil {
		return nil, 0, err
	}
	rows, err := collect(t.tx, func(r Row) row { return row{r.Blob(0), r.Blob(1), r.Int(2)} },
		`SELECT part, sealed, version FROM secrets WHERE contact = ?`, id)
	if err != nil {
		return nil, version, err
	}
	secrets = make(map[string][]byte, len(rows))
	for _, r := range rows {
		if secrets[string(r.part)], err = t.tx.unseal("secrets", append(id[:], r.part...), r.version, r.sealed); err != nil {
			return nil, version, err
		}
	}
	return secrets, version, nil
}

// SetRoomSecrets replaces parts of the secrets that were read with a version; those that are nil go. Chains move in them:
// they must never be written from an old copy.
func (t RoomTable) SetRoomSecrets(id ID, version int64, parts map[string][]byte) error {
	t.tx.moved = true
	err := t.tx.execOne(`UPDATE rooms SET version = ? WHERE contact = ? AND version = ?`, version+1, id, version)
	if err == ErrNotFound {
		return ErrStale
	}
	for _, part := range slices.Sorted(maps.Keys(parts)) {
		switch name := []byte(part); {
		case err != nil:
			return err
		case parts[part] == nil:
			err = t.tx.exec(`DELETE FROM secrets WHERE contact = ? AND part = ?`, id, name)
		default:
			err = t.tx.exec(`INSERT INTO secrets(contact, part, version, sealed) VALUES(?, ?, ?, ?)
				ON CONFLICT DO UPDATE SET version = excluded.version, sealed = excluded.sealed`,
				id, name, version+1, t.tx.seal("secrets", append(id[:], name...), version+1, parts[part]))
		}
	}
	return err
}

// AddEntries adds to the membership log of a room.
func (t RoomTable) AddEntries(room ID, entries [][]byte) (err error) {
	for _, e := range entries {
		if err == nil {
			err = t.tx.exec(`INSERT INTO entries(contact, entry) VALUES(?, ?)`, room, e)
		}
	}
	return err
}

// Entries returns the membership log of a room, in the order of its arrival.
func (t RoomTable) Entries(room ID) ([][]byte, error) {
	return collect(t.tx, func(r Row) []byte { return r.Blob(0) }, `SELECT entry FROM entries WHERE contact = ? ORDER BY rowid`, room)
}

// ForgetRoom erases what is needed to take part in a room; its conversation stays.
func (t RoomTable) ForgetRoom(room ID) error {
	return errors.Join(
		t.tx.exec(`DELETE FROM entries WHERE contact = ?`, room),
		t.tx.exec(`DELETE FROM logs WHERE contact = ?`, room),
		t.tx.exec(`DELETE FROM parked WHERE contact = ?`, room),
		t.tx.exec(`DELETE FROM says WHERE contact = ?`, room),
		t.tx.exec(`DELETE FROM secrets WHERE contact = ?`, room))
}

// A Member is somebody who is or was in a room, or waits at its door.
type Member struct {
	ID       MemberID
	Name     string
	Role     api.Role
	Waiting  bool
	Offered  bool
	By       MemberID
	Since    time.Time
	Verified bool // set by SetMemberFlags alone, as is Blocked
	Blocked  bool
}

const memberColumns = `member, name, role, waiting, offered, let, since, verified, blocked`

func scanMember(r Row) Member {
	return Member{r.Member(0), r.Text(1), api.Role(r.Text(2)), r.Bool(3), r.Bool(4), r.Member(5), r.Time(6), r.Bool(7), r.Bool(8)}
}

// SetMember writes a member of a room, but for what only we think of them.
func (t RoomTable) SetMember(room ID, m Member) error {
	return t.tx.exec(`INSERT INTO members(contact, `+memberColumns+`) VALUES(?, ?, ?, ?, ?, ?, ?, ?, 0, 0)
		ON CONFLICT(contact, member) DO UPDATE SET name = excluded.name, role = excluded.role, waiting = excluded.waiting,
		offered = excluded.offered, let = excluded.let, since = excluded.since`,
		room, m.ID, m.Name, string(m.Role), m.Waiting, m.Offered, orNull(m.By), m.Since)
}

// SetMemberFlags records whether we have verified a member, and block them. The messages of
// a blocked one are hidden.
func (t RoomTable) SetMemberFlags(room ID, member MemberID, verified, blocked bool) error {
	return errors.Join(
		t.tx.execOne(`UPDATE members SET verified = ?, blocked = ? WHERE contact = ? AND member = ?`, verified, blocked, room, member),
		t.tx.exec(`UPDATE messages SET hidden = ? WHERE contact = ? AND member = ? AND outgoing = 0`, blocked, room, member))
}

// RemoveMember erases somebody that was never in the room.
func (t RoomTable) RemoveMember(room ID, member MemberID) error {
	return t.tx.exec(`DELETE FROM members WHERE contact = ? AND member = ?`, room, member)
}

func (t RoomTable) Member(room ID, member MemberID) (Member, error) {
	return one(t.tx, scanMember, `SELECT `+memberColumns+` FROM members WHERE contact = ? AND member = ?`, room, member)
}

// Members returns all that are or were in a room, or wait at its door, by id.
func (t RoomTable) Members(room ID) ([]Member, error) {
	return collect(t.tx, scanMember, `SELECT `+memberColumns+` FROM members WHERE contact = ? ORDER BY member`, room)
}

// CountMembers counts the members of a room, and the people that wait at its door.
func (t RoomTable) CountMembers(room ID) (members, waiting int, err error) {
	type row struct{ members, waiting int }
	r, err := one(t.tx, func(r Row) row { return row{int(r.Int(0)), int(r.Int(1))} },
		`SELECT coalesce(sum(role <> 'none'), 0), coalesce(sum(waiting), 0) FROM members WHERE contact = ?`, room)
	return r.members, r.waiting, err
}

// A Fork is a proof that a member said two things under one number.
type Fork struct {
	Member        MemberID
	First, Second string
}

// AddFork records the first proof against a member.
func (t RoomTable) AddFork(room ID, f Fork) error {
	return t.tx.exec(`INSERT INTO forks(contact, member, first, second) VALUES(?, ?, ?, ?) ON CONFLICT DO NOTHING`,
		room, f.Member, f.First, f.Second)
}

// Forks returns the proofs against members of a room.
func (t RoomTable) Forks(room ID) ([]Fork, error) {
	return collect(t.tx, func(r Row) Fork { return Fork{r.Member(0), r.Text(1), r.Text(2)} },
		`SELECT member, first, second FROM forks WHERE contact = ? ORDER BY rowid`, room)
}

// AddRoomNotice stores a notice of a room with what it tells.
func (t RoomTable) AddRoomNotice(m Message, change api.RoomChange, now time.Time) error {
	raw, err := json.Marshal(change)
	if err == nil {
		err = t.tx.AddNotice(m, now)
	}
	if err != nil {
		return err
	}
	return t.tx.exec(`INSERT INTO room_notices(message, change) VALUES(?, ?)`, m.ID, string(raw))
}

// RoomChange returns what a notice of a room tells; nil if it is none.
func (t RoomTable) RoomChange(message ID) (*api.RoomChange, error) {
	raw, err := one(t.tx, func(r Row) string { return r.Text(0) }, `SELECT change FROM room_notices WHERE message = ?`, message)
	if err == ErrNotFound {
		return nil, nil
	}
	var change api.RoomChange
	if err == nil {
		if err = json.Unmarshal([]byte(raw), &change); err != nil {
			err = &DamagedError{"profile.db", err}
		}
	}
	return &change, err
}

// Mentions counts the incoming messages after a sequence number that name us.
func (t RoomTable) Mentions(room ID, after int64) (int, error) {
	n, err := t.tx.number(`SELECT count(*) FROM messages WHERE contact = ? AND seq > ? AND outgoing = 0 AND deleted = 0 AND hidden = 0 AND mention = 1`, room, after)
	return int(n), err
}
