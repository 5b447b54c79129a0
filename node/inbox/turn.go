package inbox

import (
	"context"
	"errors"
	"time"

	"starling/node/chat"
	"starling/node/store"
)

// A turn is what a whole content waits for, besides the cells before it: its
// turn has come when either is there.
type turn struct {
	after    store.ContentID // this message; zero: only cells
	unlinked bool            // a message that does not name the one before it
	come     bool
}

func turnOf(c *chat.Content) turn {
	switch c.Kind {
	case chat.Edit, chat.Reaction:
		return turn{after: store.ContentID(c.Ref)}
	case chat.Text, chat.Picture, chat.Timer:
		return turn{after: store.ContentID(c.Previous), unlinked: c.Previous == chat.ID{}}
	}
	return turn{}
}

// ready reports whether a content may be taken though cells before it are
// missing, because none of them can hold what it waits for.
func (b *batch) ready(p *peer, c *chat.Content) (bool, error) {
	if c.Kind != chat.Delete {
		t := turnOf(c)
		if t.after.IsZero() {
			return false, nil
		}
		return b.there(p, t.after)
	}
	for _, id := range c.IDs {
		if there, err := b.there(p, store.ContentID(id)); err != nil || !there {
			return false, err
		}
	}
	return true, nil
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

// look finds out what the whole contents that wait for their turn wait for.
func (p *peer) look() {
	if p.turns != nil {
		return
	}
	p.turns = make(map[store.ContentID]turn)
	looked := make(map[store.ContentID]bool)
	for _, f := range p.fragments {
		if f.Count == 0 || looked[f.Item] {
			continue
		}
		looked[f.Item] = true
		data, _, ok := p.assemble(f.Item, f.Count)
		if !ok {
			continue
		}
		if c, err := chat.Decode(data); err == nil {
			p.turns[f.Item] = turnOf(c)
		}
	}
}

// wake notes that a message has been taken: the turn of what waits for it has
// come.
func (p *peer) wake(message store.ContentID) {
	if len(p.fragments) == 0 {
		return
	}
	p.look()
	for item, t := range p.turns {
		if t.after == message {
			t.come = true
			p.turns[item] = t
		}
	}
}

// giveUpGaps tells of missing messages that will not come any more.
func (in *Inbox) giveUpGaps(ctx context.Context) (next time.Time, err error) {
	now := time.Now()
	more := true
	for more && err == nil {
		err = in.cfg.Store.Update(ctx, func(tx *store.Tx) (err error) {
			more, err = tx.Lose(now.Add(-lostAfter), now)
			return err
		})
	}
	return now.Add(tidyEvery), err
}
