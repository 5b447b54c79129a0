package store

import "fmt"

// migrations bring a database from version i to i+1. A released one is never
// changed. Times are microseconds since 1970; ids, tags and nodes are 16, 16
// and 32 bytes; columns marked sealed are as in seal.go. The
// functions of search.go are there already.
var migrations = []string{`
CREATE TABLE meta (              -- single values: owner (plain), network (sealed)
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
	invite    TEXT NOT NULL,     -- the invite it came from, ours or theirs
	version   INTEGER NOT NULL DEFAULT 0,
	session   BLOB               -- sealed
);
CREATE TABLE invites (
	id        TEXT PRIMARY KEY,
	name      TEXT NOT NULL,     -- of the contact it will become; may be empty
	created   INTEGER NOT NULL,
	expires   INTEGER NOT NULL,
	state     TEXT NOT NULL,     -- InviteState
	contact   BLOB,              -- that used it
	version   INTEGER NOT NULL DEFAULT 0,
	secret    BLOB               -- sealed; once used it only notices a second use
);
CREATE TABLE mailboxes (
	owner     BLOB NOT NULL,     -- contact id, or the text of an invite id
	mine      INTEGER NOT NULL,  -- 1: we fetch there; 0: the peer does
	node      BLOB NOT NULL,
	hint      BLOB NOT NULL,
	retired   INTEGER NOT NULL DEFAULT 0, -- since when a newer set replaces it
	PRIMARY KEY (owner, mine, node)
);
CREATE TABLE messages (
	seq       INTEGER PRIMARY KEY, -- of the event that told of it
	id        BLOB NOT NULL UNIQUE,
	contact   BLOB NOT NULL REFERENCES contacts(id) ON DELETE CASCADE,
	outgoing  INTEGER NOT NULL,
	text      TEXT NOT NULL,
	time      INTEGER NOT NULL,
	state     TEXT NOT NULL,     -- api.State
	reason    TEXT NOT NULL DEFAULT ''
);
CREATE INDEX messages_contact ON messages(contact, seq);
CREATE TABLE items (             -- the outbox: contents on their way
	id        BLOB PRIMARY KEY,
	contact   BLOB NOT NULL REFERENCES contacts(id) ON DELETE CASCADE,
	kind      INTEGER NOT NULL,  -- chat.Kind
	created   INTEGER NOT NULL,
	state     TEXT NOT NULL,     -- api.State but delivered: that erases the row
	content   BLOB               -- until sealed
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
	item      BLOB NOT NULL,
	idx       INTEGER NOT NULL,
	count     INTEGER NOT NULL,
	time      INTEGER NOT NULL,  -- when it came
	data      BLOB NOT NULL,
	PRIMARY KEY (contact, seq)
);
CREATE TABLE receipts (          -- owed to the sender
	contact   BLOB NOT NULL REFERENCES contacts(id) ON DELETE CASCADE,
	item      BLOB NOT NULL,
	PRIMARY KEY (contact, item)
);
CREATE TABLE seen (              -- contents other than texts that have come
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
`, `
CREATE TABLE resets (            -- what is left of a session that was given up
	contact   BLOB PRIMARY KEY REFERENCES contacts(id) ON DELETE CASCADE,
	version   INTEGER NOT NULL,
	state     BLOB NOT NULL      -- sealed
);
`, `
CREATE TABLE missing (           -- mailboxes that do not work
	node      BLOB PRIMARY KEY,
	since     INTEGER NOT NULL
);
ALTER TABLE contacts ADD COLUMN told_seq INTEGER NOT NULL DEFAULT 0; -- cells of the peer's chain below this have told mailboxes
`, `
ALTER TABLE contacts ADD COLUMN pinned       INTEGER NOT NULL DEFAULT 0;
ALTER TABLE contacts ADD COLUMN archived     INTEGER NOT NULL DEFAULT 0;
ALTER TABLE contacts ADD COLUMN muted        INTEGER NOT NULL DEFAULT 0;  -- until when
ALTER TABLE contacts ADD COLUMN notify       TEXT    NOT NULL DEFAULT ''; -- api.NotifyLevel
ALTER TABLE contacts ADD COLUMN timer        INTEGER NOT NULL DEFAULT 0;  -- in seconds: in effect,
ALTER TABLE contacts ADD COLUMN timer_mine   INTEGER NOT NULL DEFAULT 0;  -- offered by us,
ALTER TABLE contacts ADD COLUMN timer_theirs INTEGER NOT NULL DEFAULT 0;  -- and by the peer,
ALTER TABLE contacts ADD COLUMN timer_place  INTEGER NOT NULL DEFAULT -1; -- at this place
ALTER TABLE contacts ADD COLUMN chain        INTEGER NOT NULL DEFAULT 0;  -- how many chains the peer had before this one
-- A place is where a content stands among all of a peer: chain << 40 | number of its cell.
ALTER TABLE messages ADD COLUMN ref       BLOB;                        -- what it answers
ALTER TABLE messages ADD COLUMN forwarded INTEGER NOT NULL DEFAULT 0;
ALTER TABLE messages ADD COLUMN edited    INTEGER NOT NULL DEFAULT 0;  -- when its sender last did
ALTER TABLE messages ADD COLUMN place     INTEGER NOT NULL DEFAULT -1; -- of that edit
ALTER TABLE messages ADD COLUMN deleted   INTEGER NOT NULL DEFAULT 0;  -- 1: taken back by its sender; nothing is left of it
ALTER TABLE messages ADD COLUMN read      INTEGER NOT NULL DEFAULT 0;  -- when the contact said so
ALTER TABLE messages ADD COLUMN timer     INTEGER NOT NULL DEFAULT 0;  -- seconds
ALTER TABLE messages ADD COLUMN expires   INTEGER NOT NULL DEFAULT 0;  -- 0: it does not count down
ALTER TABLE messages ADD COLUMN picture   TEXT    NOT NULL DEFAULT ''; -- its type, of this
ALTER TABLE messages ADD COLUMN size      INTEGER NOT NULL DEFAULT 0;  -- many bytes
CREATE INDEX messages_expires ON messages(expires) WHERE expires > 0;
CREATE INDEX messages_waiting ON messages(state) WHERE state IN ('queued', 'sealed', 'sent', 'failed');
CREATE INDEX events_message ON events(message) WHERE message IS NOT NULL;
CREATE TABLE pictures (
	message   BLOB PRIMARY KEY REFERENCES messages(id) ON DELETE CASCADE,
	data      BLOB NOT NULL
);
CREATE TABLE reactions (
	message   BLOB NOT NULL REFERENCES messages(id) ON DELETE CASCADE,
	outgoing  INTEGER NOT NULL,
	emoji     TEXT NOT NULL,     -- empty: taken back
	place     INTEGER NOT NULL,
	PRIMARY KEY (message, outgoing)
);
CREATE TABLE changes (           -- of messages of a peer that have not come
	contact   BLOB NOT NULL REFERENCES contacts(id) ON DELETE CASCADE,
	message   BLOB NOT NULL,
	kind      INTEGER NOT NULL,  -- chat.Kind
	place     INTEGER NOT NULL,
	text      TEXT NOT NULL,     -- of an edit or reaction
	time      INTEGER NOT NULL,
	PRIMARY KEY (contact, message, kind)
);
ALTER TABLE items ADD COLUMN ref BLOB; -- of an edit: the message, which holds the text
CREATE TABLE drafts (
	contact   BLOB PRIMARY KEY REFERENCES contacts(id) ON DELETE CASCADE,
	text      TEXT NOT NULL,
	ref       BLOB               -- what it answers
);
`, searchSchema, `
CREATE INDEX messages_unread ON messages(contact, seq) WHERE outgoing = 0 AND deleted = 0;
`, `
ALTER TABLE contacts ADD COLUMN last_sent BLOB; -- the message that we wrote last
ALTER TABLE messages ADD COLUMN previous BLOB;                        -- its sender's message before it
ALTER TABLE messages ADD COLUMN written  INTEGER NOT NULL DEFAULT -1; -- of an incoming one: its place
ALTER TABLE messages ADD COLUMN gap      INTEGER NOT NULL DEFAULT 0;  -- since when it is shown without the one before it
ALTER TABLE messages ADD COLUMN lost     INTEGER NOT NULL DEFAULT 0;  -- 1: that one will not come any more
ALTER TABLE messages ADD COLUMN late     BLOB;                        -- what was shown before it and written after it
CREATE INDEX messages_gap ON messages(contact, previous) WHERE gap > 0;
CREATE INDEX messages_written ON messages(contact, written) WHERE written >= 0;
UPDATE contacts SET last_sent = (SELECT id FROM messages
	WHERE contact = contacts.id AND outgoing = 1 AND state <> 'notice' ORDER BY seq DESC LIMIT 1);
`}

func (s *Store) migrate() error {
	tx := &Tx{s: s}
	have, err := tx.number("PRAGMA user_version")
	if err != nil {
		return err
	}
	if int(have) > len(migrations) {
		return &DamagedError{"profile.db", fmt.Errorf(
			"version %d is newer than this program's %d", have, len(migrations))}
	}
	for v := int(have); v < len(migrations); v++ {
		script := fmt.Sprintf("BEGIN IMMEDIATE; %s; PRAGMA user_version = %d; COMMIT", migrations[v], v+1)
		if err := s.conn.Exec(script); err != nil {
			if !s.conn.GetAutocommit() {
				s.conn.Exec("ROLLBACK")
			}
			return fmt.Errorf("bring database to version %d: %w", v+1, mapError(err))
		}
	}
	return nil
}
