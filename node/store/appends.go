package store

import (
	"errors"
	"time"
)

// AppendTable holds the positions of logs, and the entries of logs that are on their way.
type AppendTable struct{ tx *Tx }

// A LogPosition says how far a log was read at a mailbox: all up to Position was taken.
type LogPosition struct {
	Node     Node
	Name     [16]byte
	Instance uint32
	Position uint32
}

// LogPositions returns how far the logs of a room were read.
func (t AppendTable) LogPositions(room ID) ([]LogPosition, error) {
	return collect(t.tx, func(r Row) LogPosition {
		return LogPosition{Node(r.Blob(0)), r.Tag(1), uint32(r.Int(2)), uint32(r.Int(3))}
	}, `SELECT node, name, instance, position FROM logs WHERE contact = ? AND length(node) = 32`, room)
}

// SetLogPosition records how far a log of a room was read.
func (t AppendTable) SetLogPosition(room ID, p LogPosition) error {
	return t.tx.exec(`INSERT INTO logs(contact, node, name, instance, position) VALUES(?, ?, ?, ?, ?)
		ON CONFLICT(contact, node, name) DO UPDATE SET instance = excluded.instance, position = excluded.position`,
		room, p.Node[:], p.Name[:], int64(p.Instance), int64(p.Position))
}

// ForgetPositions has all logs of a room read anew.
func (t AppendTable) ForgetPositions(room ID) error {
	return t.tx.exec(`DELETE FROM logs WHERE contact = ?`, room)
}

// DropLog forgets the positions of a log that is not followed any more.
func (t AppendTable) DropLog(room ID, name [16]byte) error {
	return t.tx.exec(`DELETE FROM logs WHERE contact = ? AND name = ?`, room, name[:])
}

// An Append is an entry of a log on its way to mailboxes. It has arrived once none but spare goals are left, and goes on to these.
type Append struct {
	Seq       int64
	Room      ID
	Content   ContentID // the content that it carries a part of; zero: none
	Lane      uint8
	Log       [32]byte // public key
	Meet      [32]byte // says where it goes if all mailboxes of the log are gone
	Tag       Tag
	Signature [64]byte
	Created   time.Time
	Copies    int       // mailboxes that have it
	Goals     []Mailbox // that do not have it yet
	Spare     []Mailbox // nor these, which are gone
}

// AddAppend puts an entry on its way and returns its number. One that is on its way still begins anew.
func (t AppendTable) AddAppend(a Append, box []byte) (seq int64, err error) {
	seq, err = t.tx.number(`SELECT seq FROM appends WHERE contact = ? AND log = ? AND tag = ?`, a.Room, a.Log[:], a.Tag[:])
	if err != nil {
		return 0, err
	}
	if seq != 0 {
		err = t.tx.exec(`UPDATE appends SET copies = 0, created = ? WHERE seq = ?`, a.Created, seq)
		return seq, errors.Join(err, t.addGoals(seq, a.Goals))
	}
	if err := t.tx.exec(`INSERT INTO appends(contact, content, lane, log, meet, tag, signature, box, created) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		a.Room, orNull(a.Content), int(a.Lane), a.Log[:], a.Meet[:], a.Tag[:], a.Signature[:], box, a.Created); err != nil {
		return 0, err
	}
	seq = t.tx.s.conn.LastInsertRowID()
	return seq, t.addGoals(seq, a.Goals)
}

// DropAppends takes back the entries of a room on their way. Of one that we have left those stay that carry
// no message: among them is the word that we leave.
func (t AppendTable) DropAppends(room ID) error {
	return t.tx.exec(`DELETE FROM appends WHERE contact = ?1 AND (content IS NOT NULL
		OR NOT EXISTS(SELECT 1 FROM rooms WHERE contact = ?1 AND state = 'left'))`, room)
}

// Appends returns all entries that mailboxes do not have, in the order they were made.
func (t AppendTable) Appends() ([]Append, error) {
	all, err := collect(t.tx, scanAppend, `SELECT `+appendColumns+` FROM appends ORDER BY seq`)
	for i := range all {
		if err == nil {
			err = t.tx.loadGoals(&all[i])
		}
	}
	return all, err
}

// AppendBox returns an entry on its way, with its box.
func (t AppendTable) AppendBox(seq int64) (a Append, box []byte, err error) {
	if a, err = one(t.tx, scanAppend, `SELECT `+appendColumns+` FROM appends WHERE seq = ?`, seq); err != nil {
		return a, nil, err
	}
	if err := t.tx.loadGoals(&a); err != nil {
		return a, nil, err
	}
	box, err = one(t.tx, func(r Row) []byte { return r.Blob(0) }, `SELECT box FROM appends WHERE seq = ?`, seq)
	return a, box, err
}

const appendColumns = `seq, contact, content, lane, log, tag, signature, created, meet, copies`

func scanAppend(r Row) Append {
	a := Append{Seq: r.Int(0), Room: r.ID(1), Content: r.Content(2), Lane: uint8(r.Int(3)), Tag: r.Tag(5), Created: r.Time(7), Copies: int(r.Int(9))}
	copy(a.Log[:], r.ColumnRawBlob(4))
	copy(a.Signature[:], r.ColumnRawBlob(6))
	copy(a.Meet[:], r.ColumnRawBlob(8))
	return a
}

func (t AppendTable) loadGoals(a *Append) error {
	type goal struct {
		Mailbox
		spare bool
	}
	all, err := collect(t.tx, func(r Row) goal { return goal{Mailbox{Node: Node(r.Blob(0)), Hint: r.Blob(1)}, r.Int(2) != 0} },
		`SELECT node, hint, spare FROM goals WHERE append = ? AND length(node) = 32 ORDER BY rowid`, a.Seq)
	for _, g := range all {
		if g.spare {
			a.Spare = append(a.Spare, g.Mailbox)
		} else {
			a.Goals = append(a.Goals, g.Mailbox)
		}
	}
	return err
}

// underway are the appends that have not arrived.
const underway = `EXISTS(SELECT 1 FROM goals WHERE append = appends.seq AND spare = 0)`

// Arriving counts the entries of a room that are on their way.
func (t AppendTable) Arriving(room ID) (int, error) {
	n, err := t.tx.number(`SELECT count(*) FROM appends WHERE contact = ? AND `+underway, room)
	return int(n), err
}

// Underway returns the entries of a content that have not arrived.
func (t AppendTable) Underway(room ID, content ContentID) ([]Append, error) {
	all, err := collect(t.tx, scanAppend, `SELECT `+appendColumns+` FROM appends WHERE contact = ? AND content = ? AND `+underway+` ORDER BY seq`, room, content)
	for i := range all {
		if err == nil {
			err = t.loadGoals(&all[i])
		}
	}
	return all, err
}

// LastUnderway returns the contents, up to n, that were the last to be put on their way and have not arrived.
func (t AppendTable) LastUnderway(n int) ([]ContentID, error) {
	return collect(t.tx, func(r Row) ContentID { return r.Content(0) },
		`SELECT content FROM appends WHERE content IS NOT NULL AND `+underway+` GROUP BY content ORDER BY max(seq) DESC LIMIT ?`, n)
}

// Reached records that a mailbox has an entry. It returns whether that was the last
// entry of its content to arrive: zero if not, or if it carries none.
func (t AppendTable) Reached(seq int64, node Node) (done ContentID, room ID, err error) {
	if err := t.tx.exec(`UPDATE appends SET copies = copies + 1 WHERE seq = ?`, seq); err != nil {
		return done, room, err
	}
	return t.GiveUp(seq, node)
}

// GiveUp records that a mailbox will not have an entry, or has it: see [AppendTable.Reached].
func (t AppendTable) GiveUp(seq int64, node Node) (done ContentID, room ID, err error) {
	if err := t.tx.exec(`DELETE FROM goals WHERE append = ? AND node = ?`, seq, node[:]); err != nil {
		return done, room, err
	}
	return t.arrived(seq)
}

// SpareGoals says that mailboxes of an entry are gone, and adds others: see [AppendTable.Reached].
func (t AppendTable) SpareGoals(seq int64, gone []Node, others []Mailbox) (done ContentID, room ID, err error) {
	for _, node := range gone {
		if err := t.tx.exec(`UPDATE goals SET spare = 1 WHERE append = ? AND node = ?`, seq, node[:]); err != nil {
			return done, room, err
		}
	}
	if err := t.addGoals(seq, others); err != nil {
		return done, room, err
	}
	return t.arrived(seq)
}

func (t AppendTable) addGoals(seq int64, all []Mailbox) error {
	for _, m := range all {
		if err := t.tx.exec(`INSERT INTO goals(append, node, hint) VALUES(?, ?, ?) ON CONFLICT DO UPDATE SET spare = 0`, seq, m.Node[:], m.Hint); err != nil {
			return err
		}
	}
	return nil
}

// arrived returns the content of an entry that has arrived, if its other entries have. The entry goes with the last of its mailboxes.
func (t AppendTable) arrived(seq int64) (done ContentID, room ID, err error) {
	left, err := t.tx.number(`SELECT count(*) FROM goals WHERE append = ? AND spare = 0`, seq)
	if err != nil || left > 0 {
		return done, room, err
	}
	type row struct {
		room    ID
		content ContentID
	}

	r, err := one(t.tx, func(r Row) row { return row{r.ID(0), r.Content(1)} }, `SELECT contact, content FROM appends WHERE seq = ?`, seq)
	if err == ErrNotFound {
		return done, room, nil
	}
	if err == nil {
		err = t.tx.exec(`DELETE FROM appends WHERE seq = ?1 AND NOT EXISTS(SELECT 1 FROM goals WHERE append = ?1)`, seq)
	}
	if err != nil || r.content.IsZero() {
		return done, r.room, err
	}
	waiting, err := t.tx.number(`SELECT EXISTS(SELECT 1 FROM appends WHERE contact = ? AND content = ? AND `+underway+`)`, r.room, r.content)
	if waiting == 0 {
		done = r.content
	}
	return done, r.room, err
}

// UnsentIn counts the messages of a room that lie in no mailbox, or not in all, of it.
func (t AppendTable) UnsentIn(room ID) (int, error) {
	n, err := t.tx.number(`SELECT count(*) FROM messages WHERE contact = ? AND state IN ('queued', 'sealed') AND deleted = 0`, room)
	return int(n), err
}

// UnderwayIn counts all that is for a room, or for its door, and lies in no mailbox, or not in
// all, of it: contents and the entries that keep the room.
func (t AppendTable) UnderwayIn(room ID) (int, error) {
	n, err := t.tx.number(`SELECT (SELECT count(*) FROM appends WHERE contact = ? AND `+underway+`) + (SELECT count(*) FROM says WHERE contact = ?)`, room, room)
	return int(n), err
}

// A Say is a content for a room that is to be sealed.
type Say struct {
	Seq     int64
	Room    ID
	ID      ID
	Content []byte
	Created time.Time
}

// AddSay puts a content for a room in the queue.
func (t AppendTable) AddSay(s Say) error {
	return t.tx.exec(`INSERT INTO says(contact, id, content, created) VALUES(?, ?, ?, ?)`, s.Room, s.ID, s.Content, s.Created)
}

// Says returns the first contents for a room that are to be sealed.
func (t AppendTable) Says(room ID, limit int) ([]Say, error) {
	return collect(t.tx, func(r Row) Say { return Say{r.Int(0), r.ID(1), r.ID(2), r.Blob(3), r.Time(4)} },
		`SELECT seq, contact, id, content, created FROM says WHERE contact = ? ORDER BY seq LIMIT ?`, room, limit)
}

// RoomsSaying returns the rooms with contents that are to be sealed.
func (t AppendTable) RoomsSaying() ([]ID, error) {
	return collect(t.tx, func(r Row) ID { return r.ID(0) }, `SELECT DISTINCT contact FROM says`)
}

// RemoveSay takes a content out of the queue.
func (t AppendTable) RemoveSay(seq int64) error {
	return t.tx.exec(`DELETE FROM says WHERE seq = ?`, seq)
}

// Parked is a content of a member that waits for those before it.
type Parked struct {
	Ref     Ref
	Member  MemberID
	ID      [16]byte // chosen by the member
	Content []byte
	After   []Ref
	Came    time.Time
}

// A Ref names the last cell of a content of a member.
type Ref = [16]byte

// AddParked lets a content wait.
func (t AppendTable) AddParked(room ID, p Parked) error {
	after := make([]byte, 0, 16*len(p.After))
	for _, r := range p.After {
		after = append(after, r[:]...)
	}
	return t.tx.exec(`INSERT INTO parked(contact, ref, member, id, content, after, came) VALUES(?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
		room, p.Ref[:], p.Member, p.ID[:], p.Content, after, p.Came)
}

// Parked returns the contents that wait in a room, in the order in which they came.
func (t AppendTable) Parked(room ID) ([]Parked, error) {
	return collect(t.tx, func(r Row) Parked {
		p := Parked{Ref: r.Tag(0), Member: r.Member(1), ID: r.Tag(2), Content: r.Blob(3), Came: r.Time(5)}
		for after := r.Blob(4); len(after) >= 16; after = after[16:] {
			p.After = append(p.After, Ref(after[:16]))
		}
		return p
	}, `SELECT ref, member, id, content, after, came FROM parked WHERE contact = ? ORDER BY rowid`, room)
}

// RemoveParked ends the wait of a content.
func (t AppendTable) RemoveParked(room ID, ref Ref) error {
	return t.tx.exec(`DELETE FROM parked WHERE contact = ? AND ref = ?`, room, ref[:])
}

// maxTold bounds the contents of a room that are remembered as taken.
const maxTold = 20_000

// SetTold records that a content was taken.
func (t AppendTable) SetTold(room ID, ref Ref) error {
	return t.tx.exec(`INSERT INTO told(contact, ref) VALUES(?, ?) ON CONFLICT DO NOTHING`, room, ref[:])
}

// Told reports whether a content was taken.
func (t AppendTable) Told(room ID, ref Ref) (bool, error) {
	n, err := t.tx.number(`SELECT EXISTS(SELECT 1 FROM told WHERE contact = ? AND ref = ?)`, room, ref[:])
	return n != 0, err
}

// PruneTold forgets the oldest contents that were taken, above [maxTold] of a room.
func (t AppendTable) PruneTold() error {
	return t.tx.exec(`DELETE FROM told WHERE rowid IN (
		SELECT rowid FROM (SELECT rowid, row_number() OVER (PARTITION BY contact ORDER BY rowid DESC) AS n FROM told) WHERE n > ?)`, maxTold)
}
