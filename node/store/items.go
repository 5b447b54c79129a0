package store

import (
	"errors"
	"time"

	"starling/node/api"
)

// OutboxTable holds the items that are to be sent, with their cells.
type OutboxTable struct{ tx *Tx }

// An Item is a content on its way to a contact. A delivered one has no row.
type Item struct {
	ID      ID
	Contact ID
	Kind    int // chat.Kind
	Created time.Time
	State   api.State
	Ref     ID        // of an edit: the message
	Content []byte    // nil if it is to be made of a message, and once it is sealed unless it is kept
	Cells   []Cell    // once it is sealed, without their boxes
	First   int64     // number of the first of them in the session; -1: none
	Renewed int       // how often it was lost and sealed anew
	After   time.Time // of one that was lost: it is not sealed before; others do not wait for it
}

// A Cell is a sealed part of an item.
type Cell struct {
	Index  int
	Tag    Tag
	Box    []byte
	Stored map[Node]time.Time // mailboxes that have said they keep it
}

const itemColumns = `id, contact, kind, created, state, ref, content, first, renewed, after`

func scanItem(r Row) Item {
	return Item{ID: r.ID(0), Contact: r.ID(1), Kind: int(r.Int(2)), Created: r.Time(3),
		State: api.State(r.Text(4)), Ref: r.ID(5), Content: r.Blob(6),
		First: r.Int(7), Renewed: int(r.Int(8)), After: r.Time(9)}
}

// AddItem puts a content in the outbox.
func (t OutboxTable) AddItem(it Item) error {
	var content any
	if it.Content != nil {
		content = it.Content
	}
	return t.tx.exec(`INSERT INTO items(id, contact, kind, created, state, ref, content) VALUES(?, ?, ?, ?, ?, ?, ?)`,
		it.ID, it.Contact, it.Kind, it.Created, string(it.State), orNull(it.Ref), content)
}

// SealItem gives an item its cells, of which the first has a number in the session, or -1.
// Its content is erased unless it is kept for another session.
func (t OutboxTable) SealItem(id ID, first int64, cells []Cell, keep bool) error {
	if err := t.tx.execOne(`UPDATE items SET state = 'sealed', first = ?3, after = 0, content = iif(?2, content, NULL) WHERE id = ?1`,
		id, keep, first); err != nil {
		return err
	}
	for _, c := range cells {
		if err := t.tx.exec(`INSERT INTO cells(item, idx, tag, box) VALUES(?, ?, ?, ?)`,
			id, c.Index, c.Tag[:], t.tx.seal("cells", c.Tag[:], 0, c.Box)); err != nil {
			return err
		}
	}
	return nil
}

// Item returns one item, with its cells but for their boxes.
func (t OutboxTable) Item(id ID) (Item, error) {
	it, err := one(t.tx, scanItem, `SELECT `+itemColumns+` FROM items WHERE id = ?`, id)
	if err != nil {
		return it, err
	}
	return it, t.tx.loadCells(&it)
}

// ItemOf returns the item on its way to a contact that the contact names so.
func (t OutboxTable) ItemOf(contact ID, content ContentID) (Item, error) {
	it, err := t.tx.Item(ID(content))
	if err == nil && it.Contact != contact {
		return Item{}, ErrNotFound
	}
	return it, err
}

// SealedIn returns the items on their way to a contact that have one of the cells from
// first to before end of their session.
func (t OutboxTable) SealedIn(contact ID, first, end int64) ([]Item, error) {
	return collect(t.tx, scanItem, `SELECT `+itemColumns+` FROM items
		WHERE contact = ?1 AND state IN ('sealed', 'sent') AND first BETWEEN 0 AND ?3 - 1
		AND first + (SELECT count(*) FROM cells WHERE item = id) > ?2 ORDER BY rowid`, contact, first, end)
}

// Items returns the whole outbox in the order it was filled.
func (t OutboxTable) Items() ([]Item, error) {
	items, err := collect(t.tx, scanItem, `SELECT `+itemColumns+` FROM items ORDER BY rowid`)
	for i := range items {
		if err == nil {
			err = t.tx.loadCells(&items[i])
		}
	}
	return items, err
}

func (t OutboxTable) loadCells(it *Item) (err error) {
	it.Cells, err = collect(t.tx, func(r Row) Cell {
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
	copies, err := collect(t.tx, func(r Row) copied { return copied{int(r.Int(0)), Node(r.Blob(1)), r.Time(2)} },
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
func (t OutboxTable) Box(item ID, tag Tag) ([]byte, error) {
	box, err := one(t.tx, func(r Row) []byte { return r.Blob(0) },
		`SELECT box FROM cells WHERE item = ? AND tag = ?`, item, tag[:])
	if err != nil {
		return nil, err
	}
	return t.tx.unseal("cells", tag[:], 0, box)
}

// SetStored records that a mailbox keeps a cell. The item may be gone by now,
// which is no error.
func (t OutboxTable) SetStored(item ID, index int, node Node, at time.Time) error {
	return t.tx.exec(`INSERT INTO copies(item, idx, node, stored)
		SELECT id, ?2, ?3, ?4 FROM items WHERE id = ?1
		ON CONFLICT DO UPDATE SET stored = excluded.stored`, item, index, node[:], at)
}

// SetItemState moves an item on.
func (t OutboxTable) SetItemState(id ID, state api.State) error {
	return t.tx.execOne(`UPDATE items SET state = ? WHERE id = ?`, string(state), id)
}

// RestartItem gives an item its whole lifetime again.
func (t OutboxTable) RestartItem(id ID, state api.State, now time.Time) error {
	if err := t.tx.execOne(`UPDATE items SET state = ?, created = ?, renewed = 0, after = 0 WHERE id = ?`, string(state), now, id); err != nil {
		return err
	}
	return errors.Join(t.tx.exec(`DELETE FROM copies WHERE item = ?`, id), t.tx.exec(`DELETE FROM losses WHERE item = ?`, id))
}

// RemoveItem erases an item with its cells.
func (t OutboxTable) RemoveItem(id ID) error {
	return t.tx.execOne(`DELETE FROM items WHERE id = ?`, id)
}

// QueuedBefore reports whether something for the same contact was put in the outbox
// before an item and is not sealed yet, without what was lost.
func (t OutboxTable) QueuedBefore(id ID) (bool, error) {
	n, err := t.tx.number(`SELECT EXISTS(SELECT 1 FROM items a JOIN items b ON a.contact = b.contact
		WHERE b.id = ? AND a.rowid < b.rowid AND a.state = 'queued' AND a.after = 0)`, id)
	return n != 0, err
}

// Waiting reports whether items of some kinds are on their way to a contact.
func (t OutboxTable) Waiting(contact ID, kinds ...int) (bool, error) {
	for _, kind := range kinds {
		n, err := t.tx.number(`SELECT EXISTS(SELECT 1 FROM items WHERE contact = ? AND kind = ?)`, contact, kind)
		if err != nil || n != 0 {
			return n != 0, err
		}
	}
	return false, nil
}
