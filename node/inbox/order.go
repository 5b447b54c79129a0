package inbox

import (
	"context"
	"slices"
	"time"

	"starling/node/chat"
	"starling/node/store"
	"starling/session"
)

const (
	// maxFragments bounds what is kept of one contact: more than a sender can
	// have under way at one time (session.Ahead and session.MaxGaps).
	maxFragments = 1024
	// fragmentAge is after how many later cells a fragment is given up whose
	// content never became whole: as long as a session waits for a cell.
	fragmentAge = session.MaxGapAge
)

// part takes what a cell held. What makes up a conversation is taken in its
// turn, other contents as soon as they are whole.
func (b *batch) part(p *peer, part session.Part) error {
	seq := int64(part.Seq)
	f := store.Fragment{Seq: seq, Item: store.ContentID(part.ID), Index: int(part.Index), Count: int(part.Count),
		Time: b.now, Data: part.Data}
	if f.Count == 1 && seq == p.NextSeq && len(p.fragments) == 0 { // nearly always
		p.NextSeq, p.changed = seq+1, true
		return b.whole(p, f, f.Data, true)
	}
	if len(p.fragments) >= maxFragments {
		if err := b.makeRoom(p); err != nil {
			return err
		}
	}
	if err := b.tx.AddFragment(p.ID, f); err != nil {
		return err
	}
	at, _ := slices.BinarySearchFunc(p.fragments, seq, func(f store.Fragment, seq int64) int { return int(f.Seq - seq) })
	p.fragments = slices.Insert(p.fragments, at, f)

	// Acknowledge what is whole though its turn has not come, and take what
	// need not wait.
	data, parts, ok := p.assemble(f.Item, f.Count)
	if !ok {
		return b.advance(p)
	}
	c, err := chat.Decode(data)
	ready := err != nil || !c.Kind.InTurn()
	if !ready {
		if ready, err = b.ready(p, c); err != nil {
			return err
		}
	}
	if ready {
		if err = b.whole(p, f, data, true); err == nil {
			err = b.mark(p, parts)
		}
	} else {
		if p.turns != nil {
			p.turns[f.Item] = turnOf(c)
		}
		err = b.owe(p.ID, f.Item)
	}
	if err != nil {
		return err
	}
	return b.advance(p)
}

// makeRoom stops waiting for what is missing, since too much waits for it. If
// nothing is whole, the oldest fragment is given up.
func (b *batch) makeRoom(p *peer) error {
	for len(p.fragments) >= maxFragments {
		if f, ok := p.early(); ok {
			if err := b.skip(p, f); err != nil {
				return err
			}
			continue
		}
		if err := b.drop(p, p.fragments[0].Seq); err != nil {
			return err
		}
	}
	return nil
}

// whole takes a whole content, of which f is a part; tell says whether to
// acknowledge it.
func (b *batch) whole(p *peer, f store.Fragment, data []byte, tell bool) error {
	c, err := chat.Decode(data)
	if err != nil {
		b.refused = append(b.refused, "content")
		return nil
	}
	if len(c.Mailboxes) > 0 {
		if f.Seq < p.ToldSeq {
			c.Mailboxes = nil // newer ones were told in a cell that came before
		} else {
			p.ToldSeq, p.changed = f.Seq+1, true
		}
	}
	if err := b.content(p, f.Item, p.place(f.Seq), c); err != nil {
		return err
	}
	if tell && c.Kind.Acknowledged() {
		return b.owe(p.ID, f.Item)
	}
	return nil
}

// assemble returns a content whose fragments are all there, and their numbers.
func (p *peer) assemble(item store.ContentID, count int) (data []byte, seqs []int64, ok bool) {
	parts := make([]*store.Fragment, count)
	n := 0
	for i := range p.fragments {
		f := &p.fragments[i]
		if f.Count == count && f.Item == item && f.Index < count && parts[f.Index] == nil {
			parts[f.Index] = f
			n++
		}
	}
	if n < count || count == 0 {
		return nil, nil, false
	}
	for _, f := range parts {
		data = append(data, f.Data...)
		seqs = append(seqs, f.Seq)
	}
	return data, seqs, true
}

// advance takes what waits for its turn and has it.
func (b *batch) advance(p *peer) error {
	for len(p.fragments) > 0 {
		f := p.fragments[0]
		switch {
		case f.Count == 0 && f.Seq <= p.NextSeq: // taken: only its place was kept
			if err := b.drop(p, f.Seq); err != nil {
				return err
			}
			if f.Seq == p.NextSeq {
				p.NextSeq, p.changed = f.Seq+1, true
			}
			continue
		case f.Seq < p.NextSeq-fragmentAge: // never became whole
			if err := b.drop(p, f.Seq); err != nil {
				return err
			}
			continue
		}
		// The first fragment at or after the next number, or a late one before it.
		shown, err := b.showNext(p)
		if err != nil || !shown {
			return err
		}
	}
	return nil
}

// showNext takes one content that is whole and whose turn has come.
func (b *batch) showNext(p *peer) (bool, error) {
	for _, f := range p.fragments {
		if f.Seq > p.NextSeq && !p.turns[f.Item].come {
			if len(p.turns) == 0 {
				break // nothing beyond this was waited for
			}
			continue
		}
		if f.Count == 0 {
			if f.Seq == p.NextSeq {
				p.NextSeq, p.changed = f.Seq+1, true
				return true, b.drop(p, f.Seq)
			}
			continue
		}
		data, seqs, ok := p.assemble(f.Item, f.Count)
		if !ok {
			continue
		}
		delete(p.turns, f.Item)
		if err := b.whole(p, f, data, false); err != nil {
			return false, err
		}
		return true, b.mark(p, seqs)
	}
	return false, nil
}

// mark empties fragments whose content has been taken.
func (b *batch) mark(p *peer, seqs []int64) error {
	for _, seq := range seqs {
		if err := b.tx.MarkFragment(p.ID, seq); err != nil {
			return err
		}
		for i := range p.fragments {
			if f := &p.fragments[i]; f.Seq == seq {
				f.Count, f.Data = 0, nil
			}
		}
	}
	return nil
}

func (b *batch) drop(p *peer, seq int64) error {
	p.fragments = slices.DeleteFunc(p.fragments, func(f store.Fragment) bool { return f.Seq == seq })
	return b.tx.DropFragment(p.ID, seq)
}

// release takes what has waited long enough for what is missing before it, and
// returns when to look again.
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
	now := time.Now()
	over := false
	err = in.cfg.Store.View(ctx, func(tx *store.Tx) error {
		for _, id := range waiting {
			c, err := tx.Contact(id)
			if err != nil {
				continue // gone
			}
			fragments, err := tx.Fragments(id)
			if err != nil {
				return err
			}
			p := &peer{Contact: c, fragments: fragments}
			if _, at, ok := p.release(in.cfg.Hold); ok && !at.After(now) {
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
			if _, err := b.tx.Contact(id); err != nil {
				b.held[id] = false
				continue
			}
			p, err := b.peer(id)
			if err != nil {
				return err
			}
			for {
				f, at, ok := p.release(in.cfg.Hold)
				if !ok || at.After(now) {
					break
				}
				if err := b.skip(p, f); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return next, err
	}
	return now, nil // look again at what is left
}

// early returns the first fragment whose turn has not come though nothing is
// missing of its content.
func (p *peer) early() (store.Fragment, bool) {
	for _, f := range p.fragments {
		if f.Seq <= p.NextSeq {
			continue
		}
		if f.Count == 0 {
			return f, true
		}
		if _, _, ok := p.assemble(f.Item, f.Count); ok {
			return f, true
		}
	}
	return store.Fragment{}, false
}

// release returns for which fragment to stop waiting for cells, and when.
func (p *peer) release(hold time.Duration) (first store.Fragment, at time.Time, ok bool) {
	first, ok = p.early()
	if !ok {
		return first, at, false
	}
	at = first.Time.Add(hold)
	p.look()
	for _, f := range p.fragments {
		if f.Seq <= p.NextSeq || f.Count == 0 || !p.turns[f.Item].unlinked {
			continue
		}
		if soon := f.Time.Add(min(hold, unlinkedHold)); soon.Before(at) {
			first, at = f, soon
		}
		break
	}
	return first, at, true
}

// skip stops waiting for the cells that are missing before a fragment.
func (b *batch) skip(p *peer, f store.Fragment) error {
	p.NextSeq, p.changed = f.Seq, true
	return b.advance(p)
}
