package store

import (
	"errors"
	"time"

	"starling/node/api"
)

// An Item is a content on its way to a contact. A delivered one has no row.
type Item struct {
	ID      ID
	Contact ID
	Kind    int // chat.Kind
	Created time.Time
	State   api.State
	Ref     ID     // of an edit: the message
	Content []byte // nil if it is to be made of a message, and once it is sealed unless it is kept
	Cells   []Cell // once it is sealed, without their boxes
}

// A Cell is a sealed part of an item.
type Cell struct {
	Index  int
	Tag    Tag
	Box    []byte
	Stored map[Node]time.Time // mailboxes that have said they keep it
}

const itemColumns = `id, contact, kind, created, state, ref, content`

func scanItem(r Row) Item {
	return Item{ID: r.ID(0), Contact: r.ID(1), Kind: int(r.Int(2)), Created: r.Time(3),
		State: api.State(r.Text(4)), Ref: r.ID(5), Content: r.Blob(6)}
}

// AddItem puts a content in the outbox.
func (tx *Tx) AddItem(it Item) error {
	var content any
	if it.Content != nil {
		content = it.Content
	}
	return tx.exec(`INSERT INTO items(`+itemColumns+`) VALUES(?, ?, ?, ?, ?, ?, ?)`,
		it.ID, it.Contact, it.Kind, it.Created, string(it.State), orNull(it.Ref), content)
}

// SealItem gives an item its cells. What it says is erased unless it is kept
// for another session.
func (tx *Tx) SealItem(id ID, cells []Cell, keep bool) error {
	if err := tx.execOne(`UPDATE items SET state = 'sealed', content = iif(?2, content, NULL) WHERE id = ?1`, id, keep); err != nil {
		return err
	}
	for _, c := range cells {
		if err := tx.exec(`INSERT INTO cells(item, idx, tag, box) VALUES(?, ?, ?, ?)`,
			id, c.Index, c.Tag[:], tx.seal("cells", c.Tag[:], 0, c.Box)); err != nil {
			return err
		}
	}
	return nil
}

// Item returns one item, with its cells but for their boxes.
func (tx *Tx) Item(id ID) (Item, error) {
	it, err := one(tx, scanItem, `SELECT `+itemColumns+` FROM items WHERE id = ?`, id)
	if err != nil {
		return it, err
	}
	return it, tx.loadCells(&it)
}

// ItemOf returns the item on its way to a contact that the contact names so.
func (tx *Tx) ItemOf(contact ID, content ContentID) (Item, error) {
	it, err := tx.Item(ID(content))
	if err == nil && it.Contact != contact {
		return Item{}, ErrNotFound
	}
	return it, err
}

// Items returns the whole outbox in the order it was filled.
func (tx *Tx) Items() ([]Item, error) {
	items, err := collect(tx, scanItem, `SELECT `+itemColumns+` FROM items ORDER BY rowid`)
	for i := range items {
		if err == nil {
			err = tx.loadCells(&items[i])
		}
	}
	return items, err
}

func (tx *Tx) loadCells(it *Item) (err error) {
	it.Cells, err = collect(tx, func(r Row) Cell {
		return Cell{Index: int(r.Int(0)), Tag: r.Tag(1), Stored: make(map[Node]time.Time)}
	}, `SELECT idx, tag FROM cells WHERE item = ? ORDER BY idx`, it.ID)
	if err != nil {
		return err
	}
	type copied struct {
		idx  int
		node Node
		at   time.Time
	}
	copies, err := collect(tx, func(r Row) copied { return copied{int(r.Int(0)), Node(r.Blob(1)), r.Time(2)} },
		`SELECT idx, node, stored FROM copies WHERE item = ? AND length(node) = 32`, it.ID)
	for _, c := range copies {
		if c.idx < len(it.Cells) {
			it.Cells[c.idx].Stored[c.node] = c.at
		}
	}
	return err
}

// Box returns the sealed cell of an item that belongs under a tag. An item that
// was sealed again has others.
func (tx *Tx) Box(item ID, tag Tag) ([]byte, error) {
	box, err := one(tx, func(r Row) []byte { return r.Blob(0) },
		`SELECT box FROM cells WHERE item = ? AND tag = ?`, item, tag[:])
	if err != nil {
		return nil, err
	}
	return tx.unseal("cells", tag[:], 0, box)
}

// SetStored records that a mailbox keeps a cell. The item may be gone by now,
// which is no error.
func (tx *Tx) SetStored(item ID, index int, node Node, at time.Time) error {
	return tx.exec(`INSERT INTO copies(item, idx, node, stored)
		SELECT id, ?2, ?3, ?4 FROM items WHERE id = ?1
		ON CONFLICT DO UPDATE SET stored = excluded.stored`, item, index, node[:], at)
}

// SetItemState moves an item on.
func (tx *Tx) SetItemState(id ID, state api.State) error {
	return tx.execOne(`UPDATE items SET state = ? WHERE id = ?`, string(state), id)
}

// RestartItem gives an item its whole lifetime again.
func (tx *Tx) RestartItem(id ID, state api.State, now time.Time) error {
	if err := tx.execOne(`UPDATE items SET state = ?, created = ? WHERE id = ?`, string(state), now, id); err != nil {
		return err
	}
	return errors.Join(tx.exec(`DELETE FROM copies WHERE item = ?`, id), tx.exec(`DELETE FROM losses WHERE item = ?`, id))
}

// RemoveItem erases an item with its cells.
func (tx *Tx) RemoveItem(id ID) error {
	return tx.execOne(`DELETE FROM items WHERE id = ?`, id)
}

// QueuedBefore reports whether something for the same contact was put in the outbox
// before an item and is not sealed yet.
func (tx *Tx) QueuedBefore(id ID) (bool, error) {
	n, err := tx.number(`SELECT EXISTS(SELECT 1 FROM items a JOIN items b ON a.contact = b.contact
		WHERE b.id = ? AND a.rowid < b.rowid AND a.state = 'queued')`, id)
	return n != 0, err
}

// Unsent counts items for a contact that lie in no mailbox yet.
func (tx *Tx) Unsent(contact ID) (int, error) {
	n, err := tx.number(`SELECT count(*) FROM items WHERE contact = ? AND state IN ('queued', 'sealed')`, contact)
	return int(n), err
}

// Waiting reports whether items of some kinds are on their way to a contact.
func (tx *Tx) Waiting(contact ID, kinds ...int) (bool, error) {
	for _, kind := range kinds {
		n, err := tx.number(`SELECT EXISTS(SELECT 1 FROM items WHERE contact = ? AND kind = ?)`, contact, kind)
		if err != nil || n != 0 {
			return n != 0, err
		}
	}
	return false, nil
}
