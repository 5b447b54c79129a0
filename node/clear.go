package node

import (
	"context"
	"errors"
	"time"

	"starling/node/api"
	"starling/node/store"
)

// clearBatch is how many messages are erased in one transaction.
const clearBatch = 512

// ClearConversation erases the messages that are there, oldest first, and the draft.
// Broken off, it leaves the newest.
func (n *Node) ClearConversation(ctx context.Context, who string) error {
	var c store.Contact
	var last store.Message
	// Later messages stay: the owner has not seen them.
	err := n.view(ctx, func(tx *store.Tx) (err error) {
		if c, err = find(tx, who); err != nil {
			return err
		}
		if last, err = tx.LastMessage(c.ID); errors.Is(err, store.ErrNotFound) {
			err = nil
		}
		return err
	})
	if err != nil {
		return err
	}

	// In batches: others read and write in between.
	for erased := clearBatch; erased == clearBatch; {
		var failed []store.ID
		err := n.update(ctx, func(tx *store.Tx) (err error) {
			failed, erased, err = tx.Clear(c.ID, last.Seq, clearBatch)
			return err
		})
		if err != nil {
			return err
		}
		n.outbox.Remove(failed...)
	}

	err = n.update(ctx, func(tx *store.Tx) error {
		now := time.Now()
		if err := tx.TellCleared(c.ID, now); err != nil {
			return err
		}
		_, err := tx.Append(store.Event{Kind: api.EventContact, Contact: c.ID, Time: now})
		return err
	})
	if err != nil {
		return err
	}
	// Erased rows are gone from disk when we say so.
	return apiError(n.store.Checkpoint())
}
