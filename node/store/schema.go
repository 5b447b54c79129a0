package store

import (
	"errors"
	"fmt"
)

// ErrNewer means that the profile was written by a newer version of the program.
var ErrNewer = errors.New("the profile is of a newer version")

// Schema is the version of everything that a profile holds: of the tables, and of each
// encoding in their rows (sessions, contents, the network's memory). docs/UPGRADING.md has
// the rule. Nothing before the first release is read.
const Schema = 1

// selfBlob is [Self] as SQL writes it.
const selfBlob = `X'73656c66000000000000000000000000'`

// schema makes an empty database. The note to self is there from the start. Times are microseconds since 1970; ids, tags
// and nodes are 16, 16 and 32 bytes; columns marked sealed are as in seal.go.
// Columns marked peer's hold a [ContentID] that a contact may have chosen: no
// key and no index takes them without the contact. In a room they hold [RoomContent], which
// names the author too. The functions of search.go
// are there already.
const schema = `
CREATE TABLE meta (              -- single values: owner (plain), network, bridges (sealed)
	key     TEXT PRIMARY KEY,
	value   BLOB,
	sealed  BLOB,                -- sealed
	version INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE contacts (
	id        BLOB PRIMARY KEY,
	name      TEXT NOT NULL,
	named     INTEGER NOT NULL,  -- 1: the owner chose the name, the peer's does not replace it
	state     TEXT NOT NULL,     -- api.ContactState
	verified  INTEGER NOT NULL DEFAULT 0,
	blocked   INTEGER NOT NULL DEFAULT 0,
	created   INTEGER NOT NULL,
	read_seq  INTEGER NOT NULL DEFAULT 0, -- messages.seq
	next_seq  INTEGER NOT NULL DEFAULT 0, -- cells of the peer's chain below this have come
	told_seq  INTEGER NOT NULL DEFAULT 0, -- cells of the peer's chain below this have told mailboxes
	chain     INTEGER NOT NULL DEFAULT 0, -- how many chains the peer had before this one
	invite    TEXT NOT NULL,     -- the invite it came from, ours or theirs
	alias     TEXT NOT NULL DEFAULT '', -- our name to them; empty: that of the profile
	pinned    INTEGER NOT NULL DEFAULT 0,
	archived  INTEGER NOT NULL DEFAULT 0,
	muted     INTEGER NOT NULL DEFAULT 0,  -- until when
	notify    TEXT    NOT NULL DEFAULT '', -- api.NotifyLevel
	timer        INTEGER NOT NULL DEFAULT 0,  -- in seconds: in effect,
	timer_mine   INTEGER NOT NULL DEFAULT 0,  -- offered by us,
	timer_theirs INTEGER NOT NULL DEFAULT 0,  -- and by the peer,
	timer_place  INTEGER NOT NULL DEFAULT -1, -- at this place
	last_sent BLOB,              -- the message that we wrote last: its content
	passed    INTEGER NOT NULL DEFAULT 0, -- session.Passed, as it was
	passed_at INTEGER NOT NULL DEFAULT 0, -- then
	version   INTEGER NOT NULL DEFAULT 0,
	session   BLOB               -- sealed
);
INSERT INTO contacts(id, name, named, state, created, invite) -- [Self]
	VALUES(` + selfBlob + `, 'Note to self', 1, 'self', 0, '');
CREATE TABLE resets (            -- what is left of a session that was given up
	contact   BLOB PRIMARY KEY REFERENCES contacts(id) ON DELETE CASCADE,
	version   INTEGER NOT NULL,
	state     BLOB NOT NULL      -- sealed
);
CREATE TABLE invites (
	id        TEXT PRIMARY KEY,
	name      TEXT NOT NULL,     -- of the contact it will become; may be empty
	alias     TEXT NOT NULL DEFAULT '', -- our name to them; empty: that of the profile
	created   INTEGER NOT NULL,
	expires   INTEGER NOT NULL,
	state     TEXT NOT NULL,     -- InviteState
	contact   BLOB,              -- that used it
	version   INTEGER NOT NULL DEFAULT 0,
	secret    BLOB               -- sealed; once used it only notices a second use
);
CREATE TABLE mailboxes (
	owner     BLOB NOT NULL CHECK (owner <> ` + selfBlob + `), -- contact id, or the text of an invite id
	mine      INTEGER NOT NULL,  -- 1: we fetch there; 0: the peer does
	node      BLOB NOT NULL,
	hint      BLOB NOT NULL,
	retired   INTEGER NOT NULL DEFAULT 0, -- since when a newer set replaces it
	PRIMARY KEY (owner, mine, node)
);
CREATE TABLE missing (           -- mailboxes that do not work
	node      BLOB PRIMARY KEY,
	since     INTEGER NOT NULL
);
-- A place is where a content stands among all of a peer: chain << 40 | number of its cell.
CREATE TABLE messages (
	seq       INTEGER PRIMARY KEY, -- of the event that told of it
	id        BLOB NOT NULL UNIQUE, -- only used here
	contact   BLOB NOT NULL REFERENCES contacts(id) ON DELETE CASCADE,
	content   BLOB,              -- peer's; of an outgoing one its id, of a notice none
	outgoing  INTEGER NOT NULL,
	text      TEXT NOT NULL,
	time      INTEGER NOT NULL,
	state     TEXT NOT NULL,     -- api.State
	reason    TEXT NOT NULL DEFAULT '',
	ref       BLOB,              -- peer's: what it answers
	forwarded INTEGER NOT NULL DEFAULT 0,
	edited    INTEGER NOT NULL DEFAULT 0,  -- when its sender last did
	place     INTEGER NOT NULL DEFAULT -1, -- of that edit
	deleted   INTEGER NOT NULL DEFAULT 0,  -- 1: taken back by its sender; nothing is left of it
	read      INTEGER NOT NULL DEFAULT 0,  -- when the contact said so
	timer     INTEGER NOT NULL DEFAULT 0,  -- seconds
	expires   INTEGER NOT NULL DEFAULT 0,  -- 0: it does not count down
	picture   TEXT    NOT NULL DEFAULT '', -- its type, of this
	size      INTEGER NOT NULL DEFAULT 0,  -- many bytes
	file      TEXT    NOT NULL DEFAULT '', -- the name of a file, of as many
	previous  BLOB,                        -- peer's: its sender's message before it
	written   INTEGER NOT NULL DEFAULT -1, -- of an incoming one: its place
	gap       INTEGER NOT NULL DEFAULT 0,  -- since when it is shown without the one before it
	lost      INTEGER NOT NULL DEFAULT 0,  -- 1: that one will not come any more
	late      BLOB,                        -- id of what was shown before it and written after it
	member    BLOB,                        -- of a room: who wrote it
	mention   INTEGER NOT NULL DEFAULT 0,  -- of a room: it names us
	hidden    INTEGER NOT NULL DEFAULT 0,  -- of a room: we block who wrote it
	UNIQUE (contact, content)
);
CREATE INDEX messages_contact ON messages(contact, seq);
CREATE INDEX messages_expires ON messages(expires) WHERE expires > 0;
CREATE INDEX messages_waiting ON messages(state) WHERE state IN ('queued', 'sealed', 'sent', 'failed');
CREATE INDEX messages_unread ON messages(contact, seq) WHERE outgoing = 0 AND deleted = 0;
CREATE INDEX messages_gap ON messages(contact, previous) WHERE gap > 0;
CREATE INDEX messages_written ON messages(contact, written) WHERE written >= 0;
CREATE TABLE attachments (       -- pictures and files
	message   BLOB PRIMARY KEY REFERENCES messages(id) ON DELETE CASCADE,
	data      BLOB NOT NULL
);
CREATE TABLE reactions (
	message   BLOB NOT NULL REFERENCES messages(id) ON DELETE CASCADE,
	outgoing  INTEGER NOT NULL,
	member    BLOB NOT NULL DEFAULT x'', -- of a room: whose
	emoji     TEXT NOT NULL,     -- empty: taken back
	place     INTEGER NOT NULL,
	PRIMARY KEY (message, outgoing, member)
);
CREATE TABLE changes (           -- of messages of a peer that have not come
	contact   BLOB NOT NULL REFERENCES contacts(id) ON DELETE CASCADE,
	member    BLOB NOT NULL DEFAULT x'', -- of a room: whose
	content   BLOB NOT NULL,     -- peer's
	kind      INTEGER NOT NULL,  -- chat.Kind
	place     INTEGER NOT NULL,
	text      TEXT NOT NULL,     -- of an edit or reaction
	time      INTEGER NOT NULL,
	PRIMARY KEY (contact, member, content, kind)
);
CREATE TABLE drafts (
	contact   BLOB PRIMARY KEY REFERENCES contacts(id) ON DELETE CASCADE,
	text      TEXT NOT NULL,
	ref       BLOB               -- id of what it answers
);
CREATE TABLE items (             -- the outbox: contents on their way
	id        BLOB PRIMARY KEY,  -- drawn here
	contact   BLOB NOT NULL REFERENCES contacts(id) ON DELETE CASCADE CHECK (contact <> ` + selfBlob + `),
	kind      INTEGER NOT NULL,  -- chat.Kind
	created   INTEGER NOT NULL,
	state     TEXT NOT NULL,     -- api.State but delivered: that erases the row
	content   BLOB,              -- until sealed
	ref       BLOB,              -- of an edit: the message, which holds the text
	first     INTEGER NOT NULL DEFAULT -1, -- number of its first cell in the session
	renewed   INTEGER NOT NULL DEFAULT 0,  -- how often it was lost and sealed anew
	after     INTEGER NOT NULL DEFAULT 0   -- of one that was lost: not sealed before
);
CREATE INDEX items_contact ON items(contact);
CREATE TABLE cells (
	item      BLOB NOT NULL REFERENCES items(id) ON DELETE CASCADE,
	idx       INTEGER NOT NULL,
	tag       BLOB NOT NULL,
	version   INTEGER NOT NULL DEFAULT 0,
	box       BLOB NOT NULL,     -- sealed
	UNIQUE (item, idx)
);
CREATE TABLE copies (            -- what mailboxes said they keep
	item      BLOB NOT NULL REFERENCES items(id) ON DELETE CASCADE,
	idx       INTEGER NOT NULL,
	node      BLOB NOT NULL,
	stored    INTEGER NOT NULL,  -- when
	PRIMARY KEY (item, idx, node)
);
CREATE TABLE fragments (         -- the inbox: parts of contents, and contents that wait for their turn
	contact   BLOB NOT NULL REFERENCES contacts(id) ON DELETE CASCADE,
	seq       INTEGER NOT NULL,  -- of the cell, in the sender's chain
	item      BLOB NOT NULL,     -- peer's
	idx       INTEGER NOT NULL,
	count     INTEGER NOT NULL,
	time      INTEGER NOT NULL,  -- when it came
	data      BLOB NOT NULL,
	PRIMARY KEY (contact, seq)
);
CREATE TABLE receipts (          -- owed to the sender
	contact   BLOB NOT NULL REFERENCES contacts(id) ON DELETE CASCADE CHECK (contact <> ` + selfBlob + `),
	item      BLOB NOT NULL,     -- peer's
	PRIMARY KEY (contact, item)
);
CREATE TABLE seen (              -- contents that have come and are no messages, or not any more
	contact   BLOB NOT NULL REFERENCES contacts(id) ON DELETE CASCADE,
	outgoing  INTEGER NOT NULL,  -- 1: a message of ours that was erased
	item      BLOB NOT NULL,     -- peer's
	PRIMARY KEY (contact, outgoing, item)
);
CREATE TABLE losses (            -- messages of ours that were given up, of which the contact is to be told
	contact   BLOB NOT NULL REFERENCES contacts(id) ON DELETE CASCADE,
	item      BLOB NOT NULL,
	PRIMARY KEY (contact, item)
);
CREATE TABLE events (
	seq       INTEGER PRIMARY KEY AUTOINCREMENT,
	kind      TEXT NOT NULL,     -- api.EventKind
	contact   BLOB,
	message   BLOB,
	state     TEXT NOT NULL DEFAULT '',
	reason    TEXT NOT NULL DEFAULT '', -- of an invite: what became of it
	invite    TEXT NOT NULL DEFAULT '',
	time      INTEGER NOT NULL
);
CREATE INDEX events_message ON events(message) WHERE message IS NOT NULL;
` + roomSchema + searchSchema

// prepareSchema makes the tables of an empty database, and refuses one of
// another version.
func (s *Store) prepareSchema() error {
	have, err := newTx(s).number("PRAGMA user_version")
	switch {
	case err != nil || have == Schema:
		return err
	case have > Schema:
		return ErrNewer
	case have != 0:
		return &DamagedError{"profile.db", fmt.Errorf("version %d is not known to this program", have)}
	}
	script := fmt.Sprintf("BEGIN IMMEDIATE; %s; PRAGMA user_version = %d; COMMIT", schema, Schema)
	if err := s.conn.Exec(script); err != nil {
		if !s.conn.GetAutocommit() {
			s.conn.Exec("ROLLBACK")
		}
		return fmt.Errorf("make the tables: %w", mapError(err))
	}
	return nil
}
