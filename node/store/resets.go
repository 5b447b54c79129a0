package store

import "errors"

// ResetTable holds the sessions that are given up, and the items that are sent again in
// the next.
type ResetTable struct{ tx *Tx }

// ErrNoSession means that a contact's session was given up and the next one
// is not there yet.
var ErrNoSession = errors.New("the session was given up")

// Reset returns the rest of a contact's former session until the new one has answered,
// and its version; [ErrNotFound] if there is none.
func (t ResetTable) Reset(contact ID) (state []byte, version int64, err error) {
	type row struct {
		sealed  []byte
		version int64
	}
	r, err := one(t.tx, func(r Row) row { return row{r.Blob(0), r.Int(1)} },
		`SELECT state, version FROM resets WHERE contact = ?`, contact)
	if err != nil {
		return nil, 0, err
	}
	state, err = t.tx.unseal("resets", contact[:], r.version, r.sealed)
	return state, r.version, err
}

// SetReset replaces the state read with a version, 0 if there was none.
func (t ResetTable) SetReset(contact ID, version int64, state []byte) error {
	err := t.tx.execOne(`INSERT INTO resets(contact, version, state) VALUES(?1, ?2 + 1, ?3)
		ON CONFLICT(contact) DO UPDATE SET version = excluded.version, state = excluded.state WHERE version = ?2`,
		contact, version, t.tx.seal("resets", contact[:], version+1, state))
	if err == ErrNotFound {
		return ErrStale
	}
	return err
}

// RemoveReset erases the rest of a former session.
func (t ResetTable) RemoveReset(contact ID) error {
	return t.tx.exec(`DELETE FROM resets WHERE contact = ?`, contact)
}

// ItemsOf returns the items on their way to a contact, in the order they were queued.
func (t ResetTable) ItemsOf(contact ID) ([]Item, error) {
	items, err := collect(t.tx, scanItem, `SELECT `+itemColumns+` FROM items WHERE contact = ? ORDER BY rowid`, contact)
	for i := range items {
		if err == nil {
			err = t.tx.loadCells(&items[i])
		}
	}
	return items, err
}

// UnsealItem sets an item's state, how often it was lost and from when it may be sealed,
// and erases its cells. It is to be sealed anew.
func (t ResetTable) UnsealItem(it Item) error {
	if err := t.tx.execOne(`UPDATE items SET state = ?, first = -1, renewed = ?, after = ? WHERE id = ?`,
		string(it.State), it.Renewed, it.After, it.ID); err != nil {
		return err
	}
	if err := t.tx.exec(`DELETE FROM cells WHERE item = ?`, it.ID); err != nil {
		return err
	}
	return t.tx.exec(`DELETE FROM copies WHERE item = ?`, it.ID)
}

// HasCell reports whether an item has a cell under a tag.
func (t ResetTable) HasCell(item ID, tag Tag) (bool, error) {
	n, err := t.tx.number(`SELECT EXISTS(SELECT 1 FROM cells WHERE item = ? AND tag = ?)`, item, tag[:])
	return n != 0, err
}

// DropFragments erases all fragments of a contact.
func (t ResetTable) DropFragments(contact ID) error {
	return t.tx.exec(`DELETE FROM fragments WHERE contact = ?`, contact)
}
