package inbox

import (
	"context"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"starling/node/chat"
	"starling/node/store"
	"starling/session"
)

// # The end of an answer
//
// The answer to a flare is repeated until a later cell of the other side comes. If a
// conversation ends there, none does, and copies of the answer lie in mailboxes for as
// long as it is repeated. So a side that has sealed nothing since its flare was over
// repeats a receipt, once. If that is lost the answer is repeated as before.

// answerPause is the mean wait before that receipt. It is shorter than the time until a
// third copy of the answer is stored (package outbox).
const answerPause = 10 * time.Minute

// A silence begins when a flare of ours is over.
type silence struct {
	until  time.Time // when a receipt is repeated
	sealed uint64    // cells of ours until then
}

// noteAnswers plans receipts for the peers of flares that are over.
func (in *Inbox) noteAnswers(peers map[store.ID]*peer, now time.Time) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for id, p := range peers {
		if p.answered && p.session != nil {
			in.silent[id] = silence{now.Add(answerPause/2 + rand.N(answerPause)), p.session.Sealed()}
		}
	}
}

// endAnswers repeats receipts to contacts whose answers no other cell has ended.
func (in *Inbox) endAnswers(ctx context.Context) (next time.Time, err error) {
	now := time.Now()
	due := make(map[store.ID]silence)
	in.mu.Lock()
	for id, s := range in.silent {
		if !s.until.After(now) {
			due[id] = s
			delete(in.silent, id)
		} else if next.IsZero() || s.until.Before(next) {
			next = s.until
		}
	}
	in.mu.Unlock()
	if len(due) == 0 {
		return next, nil
	}

	_, err = in.commitFor(ctx, now, slices.Collect(maps.Keys(due)), func(b *batch, p *peer) error {
		// A cell that left meanwhile has told them already.
		if p.session.Sealed() != due[p.ID].sealed {
			return nil
		}
		return b.repeatReceipt(p)
	})
	return next, err
}

// repeatReceipt acknowledges the last content of a contact once more.
func (b *batch) repeatReceipt(p *peer) error {
	if p.session.Room() < maxLossCells {
		return nil
	}
	id, err := b.tx.LastSeen(p.ID)
	if err != nil {
		return err
	}
	p.stepped = true
	return b.seal(p, &chat.Content{Kind: chat.Receipt, IDs: []chat.ID{chat.ID(id)}})
}

// needless returns the tags of signals that have not come and are not waited for any
// more. Mailboxes may delete their boxes like second copies.
func needless(before, after []session.Tag, came session.Tag) []session.Tag {
	return slices.DeleteFunc(before, func(t session.Tag) bool { return t == came || slices.Contains(after, t) })
}
