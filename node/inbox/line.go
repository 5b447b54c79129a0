package inbox

import (
	"context"
	"errors"
	"time"

	"starling/node/chat"
	"starling/node/inbox/order"
	"starling/node/store"
	"starling/session"
)

// newLine returns the line of a contact, with its kept cells.
func newLine(c store.Contact, kept []store.Fragment) *order.Line {
	cells := make([]order.Cell, len(kept))
	for i, f := range kept {
		cells[i] = order.Cell{Seq: f.Seq, Content: order.ID(f.Item), Index: f.Index, Count: f.Count, Came: f.Time, Data: f.Data}
	}
	return order.New(c.NextSeq, cells)
}

// A keeper writes the changes of a peer's line to disk, within a batch.
type keeper struct {
	b *batch
	p *peer
}

func (k keeper) Add(c order.Cell) error {
	return k.b.tx.AddFragment(k.p.ID, store.Fragment{Seq: c.Seq, Item: store.ContentID(c.Content), Index: c.Index, Count: c.Count,
		Time: c.Came, Data: c.Data})
}

func (k keeper) Mark(seqs []int64) (err error) {
	for _, seq := range seqs {
		if err == nil {
			err = k.b.tx.MarkFragment(k.p.ID, seq)
		}
	}
	return err
}

func (k keeper) Drop(seq int64) error { return k.b.tx.DropFragment(k.p.ID, seq) }

func (k keeper) Owe(content order.ID) error { return k.b.owe(k.p.ID, store.ContentID(content)) }

func (k keeper) Wait(data []byte) order.Wait {
	c, err := chat.Decode(data)
	if err != nil {
		return order.Wait{}
	}
	return waitOf(c)
}

// waitOf returns the message that a content waits for, besides the cells before it.
func waitOf(c *chat.Content) order.Wait {
	switch c.Kind {
	case chat.Edit, chat.Reaction:
		return order.Wait{After: c.Ref}
	case chat.Text, chat.Picture, chat.File, chat.Timer:
		return order.Wait{After: c.Previous, Unlinked: c.Previous == chat.ID{}}
	}
	return order.Wait{}
}

// Ready lets a content that is not part of a conversation be taken at once, and so
// bytes that are no content.
func (k keeper) Ready(data []byte) (bool, error) {
	c, err := chat.Decode(data)
	if err != nil || !c.Kind.InTurn() {
		return true, nil
	}
	if c.Kind != chat.Delete {
		after := store.ContentID(waitOf(c).After)
		if after.IsZero() {
			return false, nil
		}
		return k.b.there(k.p, after)
	}
	for _, id := range c.IDs {
		if there, err := k.b.there(k.p, store.ContentID(id)); err != nil || !there {
			return false, err
		}
	}
	return true, nil
}

// Take takes a complete content.
func (k keeper) Take(cell order.Cell, data []byte, tell bool) error {
	b, p := k.b, k.p
	c, err := chat.Decode(data)
	if err != nil {
		b.refused = append(b.refused, "content")
		return nil
	}
	if len(c.Mailboxes) > 0 {
		if cell.Seq < p.ToldSeq {
			c.Mailboxes = nil // newer ones were told in a cell that came before
		} else {
			p.ToldSeq, p.changed = cell.Seq+1, true
		}
	}

	content := store.ContentID(cell.Content)
	if err := b.content(p, content, p.place(cell.Seq), c); err != nil {
		return err
	}
	if tell && c.Kind.Acknowledged() {
		return b.owe(p.ID, content)
	}
	return nil
}

// order runs do on a peer's line, and notes how far the line has come.
func (b *batch) order(p *peer, do func(k keeper) error) error {
	err := do(keeper{b, p})
	if p.line.Next != p.NextSeq {
		p.NextSeq, p.changed = p.line.Next, true
	}
	return err
}

// part takes the opened part of a cell.
func (b *batch) part(p *peer, part session.Part) error {
	c := order.Cell{Seq: int64(part.Seq), Content: order.ID(part.ID), Index: int(part.Index), Count: int(part.Count),
		Came: b.now, Data: part.Data}
	return b.order(p, func(k keeper) error { return p.line.Part(k, c) })
}

// there reports whether a message of the conversation with a peer has been
// taken. It may have been erased since.
func (b *batch) there(p *peer, id store.ContentID) (bool, error) {
	if id.IsZero() {
		return true, nil
	}
	_, err := b.tx.MessageOf(p.ID, id)
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, store.ErrNotFound):
		return b.tx.HasSeen(p.ID, id)
	}
	return false, err
}

// skip stops waiting for cells that were missing for hold, or for [order.Unlinked]
// where that is enough.
func (b *batch) skip(p *peer, hold time.Duration) error {
	return b.order(p, func(k keeper) error {
		for {
			seq, at, ok := p.line.Release(k, hold)
			if !ok || at.After(b.now) {
				return nil
			}
			if err := p.line.Skip(k, seq); err != nil {
				return err
			}
		}
	})
}

// release takes the contents that have waited long enough for a missing one, and
// returns the time of the next look.
func (in *Inbox) release(ctx context.Context) (next time.Time, err error) {
	in.mu.Lock()
	var waiting []store.ID
	for id := range in.held {
		waiting = append(waiting, id)
	}
	in.mu.Unlock()
	if len(waiting) == 0 {
		return time.Time{}, nil
	}

	// Look before anything is written: most of the time nothing is due.
	now := time.Now()
	over := false
	err = in.cfg.Store.View(ctx, func(tx *store.Tx) error {
		for _, id := range waiting {
			c, err := tx.Contact(id)
			if err != nil {
				continue // gone
			}
			kept, err := tx.Fragments(id)
			if err != nil {
				return err
			}

			// Tried on a copy that keeps nothing.
			_, at, ok := newLine(c, kept).Release(keeper{}, in.cfg.Hold)
			if ok && !at.After(now) {
				over = true
			} else if ok && (next.IsZero() || at.Before(next)) {
				next = at
			}
		}
		return nil
	})
	if err != nil || !over {
		return next, err
	}

	_, err = in.commit(ctx, now, func(b *batch) error {
		for _, id := range waiting {
			p, err := b.peer(id)
			switch {
			case errors.Is(err, store.ErrNotFound):
				// Removed meanwhile.
				b.held[id] = false
			case err == nil:
				err = b.skip(p, in.cfg.Hold)
			}
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return next, err
	}
	return now, nil // look again at the rest
}

// giveUpGaps tells of missing messages that will not come any more.
func (in *Inbox) giveUpGaps(ctx context.Context) (next time.Time, err error) {
	now, more := in.surely(time.Now())
	for more && err == nil {
		err = in.cfg.Store.Update(ctx, func(tx *store.Tx) (err error) {
			more, err = tx.Lose(now.Add(-lostAfter), now)
			return err
		})
	}
	return time.Now().Add(tidyEvery), err
}
