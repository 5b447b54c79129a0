package inbox

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"starling/node/chat"
	"starling/node/outbox"
	"starling/node/store"
	"starling/session"
)

// # Missed cells
//
// A session waits for a missing cell only so long. Then it is lost: its sender would
// repeat it in vain, and show a message as sent that cannot arrive any more. So the
// sender is told, and seals its content anew, under the same id. Only the sender knows
// the cells of each content, and whether it was acknowledged.

// missedPause is for how long losses are kept, in the mean, to be told together. A content
// that tells them moves the session of the other side on, which may then lose cells, too:
// told at once, that would be answered at once, without an end.
const missedPause = 15 * time.Minute

func missedAt(now time.Time) time.Time { return now.Add(missedPause/2 + rand.N(missedPause)) }

// noteLosses plans to tell contacts of the cells that sessions have given up here.
func (in *Inbox) noteLosses(peers map[store.ID]*peer, now time.Time) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for id, p := range peers {
		if p.session == nil || !p.session.Losing() {
			continue
		}
		if _, ok := in.losing[id]; !ok {
			in.losing[id] = missedAt(now)
		}
	}
}

// tellMissed tells the contacts whose time has come.
func (in *Inbox) tellMissed(ctx context.Context) (next time.Time, err error) {
	now := time.Now()
	var due []store.ID
	in.mu.Lock()
	for id, at := range in.losing {
		if !at.After(now) {
			due = append(due, id)
			in.losing[id] = missedAt(now) // if there is no room
		}
		if next.IsZero() || in.losing[id].Before(next) {
			next = in.losing[id]
		}
	}
	in.mu.Unlock()
	if len(due) == 0 {
		return next, nil
	}

	// A contact stays in losing until its session says that nothing is missing any more.
	b, err := in.commitFor(ctx, now, due, (*batch).tellMissed)
	if err != nil {
		return next, err
	}

	in.mu.Lock()
	defer in.mu.Unlock()
	for _, id := range due {
		if p := b.peers[id]; p == nil || p.session == nil || !p.session.Losing() {
			delete(in.losing, id)
		}
	}
	return next, nil
}

// tellMissed tells a contact which cells are not waited for any more.
func (b *batch) tellMissed(p *peer) error {
	if !p.session.Losing() || p.session.Room() < maxLossCells {
		return nil
	}
	c := &chat.Content{Kind: chat.Missed}
	for _, s := range p.session.TakeLost() {
		c.Cells = append(c.Cells, chat.Cells{First: uint32(s.First), Count: uint32(s.Count)})
	}
	p.stepped = true
	return b.seal(p, c)
}

// missed seals anew the unacknowledged contents of cells of ours that a peer does not
// wait for any more.
func (b *batch) missed(p *peer, cells []chat.Cells) error {
	if p.session == nil {
		return nil // all is sealed anew in the next one
	}

	// All are checked first: one number that we never used makes the rest worth nothing.
	for _, run := range cells {
		if !p.session.Sent(session.Span{First: uint64(run.First), Count: uint64(run.Count)}) {
			b.refused = append(b.refused, "missed")
			return nil
		}
	}

	for _, run := range cells {
		first := int64(run.First)
		// Acknowledged ones are not among them: a contact cannot have those sent again.
		items, err := b.tx.SealedIn(p.ID, first, first+int64(run.Count))
		if err != nil {
			return err
		}
		for _, it := range items {
			q, err := outbox.Renew(b.tx, it, b.now)
			if err == nil {
				b.queued = append(b.queued, q)
			} else if errors.Is(err, store.ErrNotFound) { // erased meanwhile
				b.gone = append(b.gone, it.ID)
				err = b.tx.RemoveItem(it.ID)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}
