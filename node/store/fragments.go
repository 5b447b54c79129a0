package store

import "time"

// InboxTable holds the fragments that have come and are not taken yet, and the receipts
// that are owed.
type InboxTable struct{ tx *Tx }

// A Fragment is the fragment of one received cell, kept until its content is complete
// and its turn has come. One with Count 0 only marks its place.
type Fragment struct {
	Seq   int64 // of the cell in the sender's chain
	Item  ContentID
	Index int
	Count int
	Time  time.Time
	Data  []byte
}

const fragmentColumns = `seq, item, idx, count, time, data`

func scanFragment(r Row) Fragment {
	return Fragment{r.Int(0), r.Content(1), int(r.Int(2)), int(r.Int(3)), r.Time(4), r.Blob(5)}
}

// AddFragment keeps a fragment; the first at its place stays.
func (t InboxTable) AddFragment(contact ID, f Fragment) error {
	return t.tx.exec(`INSERT INTO fragments(contact, `+fragmentColumns+`) VALUES(?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT DO NOTHING`, contact, f.Seq, f.Item, f.Index, f.Count, f.Time, f.Data)
}

// Fragments returns the fragments kept of a contact, in the order of its chain.
func (t InboxTable) Fragments(contact ID) ([]Fragment, error) {
	return collect(t.tx, scanFragment, `SELECT `+fragmentColumns+` FROM fragments WHERE contact = ? ORDER BY seq`, contact)
}

// CountFragments returns how many are kept of a contact.
func (t InboxTable) CountFragments(contact ID) (int, error) {
	n, err := t.tx.number(`SELECT count(*) FROM fragments WHERE contact = ?`, contact)
	return int(n), err
}

// MarkFragment empties a fragment of a taken content.
func (t InboxTable) MarkFragment(contact ID, seq int64) error {
	return t.tx.exec(`UPDATE fragments SET count = 0, data = x'' WHERE contact = ? AND seq = ?`, contact, seq)
}

// DropFragment erases one fragment.
func (t InboxTable) DropFragment(contact ID, seq int64) error {
	return t.tx.exec(`DELETE FROM fragments WHERE contact = ? AND seq = ?`, contact, seq)
}

// ContactsWaiting returns the contacts of which fragments are kept.
func (t InboxTable) ContactsWaiting() ([]ID, error) {
	return collect(t.tx, func(r Row) ID { return r.ID(0) }, `SELECT DISTINCT contact FROM fragments`)
}

// OweReceipt records that a contact is to be told that a content came.
func (t InboxTable) OweReceipt(contact ID, content ContentID) error {
	return t.tx.exec(`INSERT INTO receipts(contact, item) VALUES(?, ?) ON CONFLICT DO NOTHING`, contact, content)
}

// TakeReceipts removes and returns up to limit contents that a contact is to be
// told of.
func (t InboxTable) TakeReceipts(contact ID, limit int) ([]ContentID, error) {
	return t.tx.take("receipts", contact, limit)
}

// take removes and returns up to limit contents that a table names for a contact, the
// first ones first.
func (t InboxTable) take(table string, contact ID, limit int) ([]ContentID, error) {
	ids, err := collect(t.tx, func(r Row) ContentID { return r.Content(0) },
		`SELECT item FROM `+table+` WHERE contact = ? ORDER BY rowid LIMIT ?`, contact, limit)
	for _, id := range ids {
		if err == nil {
			err = t.tx.exec(`DELETE FROM `+table+` WHERE contact = ? AND item = ?`, contact, id)
		}
	}
	return ids, err
}

// ContactsOwed returns the contacts that receipts are owed to.
func (t InboxTable) ContactsOwed() ([]ID, error) {
	return collect(t.tx, func(r Row) ID { return r.ID(0) }, `SELECT DISTINCT contact FROM receipts`)
}

// AddSeen records a content of a contact that has been taken and is no message
// here, or not any more: the sender may ask whether it came, and it may come
// again.
func (t InboxTable) AddSeen(contact ID, content ContentID) error {
	return t.tx.addSeen(contact, content, false)
}

func (t InboxTable) addSeen(contact ID, content ContentID, outgoing bool) error {
	return t.tx.exec(`INSERT INTO seen(contact, outgoing, item) VALUES(?, ?, ?) ON CONFLICT DO NOTHING`, contact, outgoing, content)
}

// LastSeen returns the last content of a contact that was recorded by
// [InboxTable.AddSeen].
func (t InboxTable) LastSeen(contact ID) (ContentID, error) {
	return one(t.tx, func(r Row) ContentID { return r.Content(0) },
		`SELECT item FROM seen WHERE contact = ? AND outgoing = 0 ORDER BY rowid DESC LIMIT 1`, contact)
}

// HasSeen reports whether a content of either side was recorded, by
// [InboxTable.AddSeen] or because it was erased.
func (t InboxTable) HasSeen(contact ID, content ContentID) (bool, error) {
	n, err := t.tx.number(`SELECT EXISTS(SELECT 1 FROM seen WHERE contact = ? AND outgoing IN (0, 1) AND item = ?)`, contact, content)
	return n != 0, err
}

// Seen reports whether a content of a contact has come whole: a text among the
// messages or the fragments, or something else that was recorded. Ours never has:
// erased or not, it looks the same to them.
func (t InboxTable) Seen(contact ID, content ContentID) (bool, error) {
	n, err := t.tx.number(`SELECT
		EXISTS(SELECT 1 FROM messages WHERE contact = ?1 AND content = ?2 AND outgoing = 0) OR
		EXISTS(SELECT 1 FROM seen WHERE contact = ?1 AND outgoing = 0 AND item = ?2) OR
		EXISTS(SELECT 1 FROM receipts WHERE contact = ?1 AND item = ?2) OR
		(SELECT count(DISTINCT idx) = max(count) FROM fragments WHERE contact = ?1 AND item = ?2 AND count > 0)`, contact, content)
	return n != 0, err
}
