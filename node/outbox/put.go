package outbox

import (
	"context"
	"errors"
	"sync"
	"time"

	"starling/node/api"
	"starling/node/store"
)

func (o *Outbox) startPut(ctx context.Context, workers *sync.WaitGroup, e *entry, a Action) {
	c := e.Cells[a.Cell].Copies[a.Node]
	if c == nil {
		c = &Copy{Gone: o.gone(a.Node)}
		e.Cells[a.Cell].Copies[a.Node] = c
	}
	c.Busy = true
	o.busy++
	o.peer(e.Contact).busy++
	box := e.boxes[a.Cell]
	workers.Go(func() { o.put(ctx, e, a, c, box) })
}

// put tries to store one copy.
func (o *Outbox) put(ctx context.Context, e *entry, a Action, c *Copy, box []byte) {
	if t := o.putOne(ctx, e, a, c, box); t != nil && o.cfg.Taken != nil {
		o.cfg.Taken(ctx, *t)
	}
}

// putOne tries to store one copy, and returns the foreign box under its tag, if the
// mailbox shows one.
func (o *Outbox) putOne(ctx context.Context, e *entry, a Action, c *Copy, box []byte) (found *Taken) {
	// Without the lock: it takes as long as the network does.
	start, box, err := o.tryPut(ctx, e, a, box)
	if ctx.Err() != nil {
		return nil
	}

	// Perhaps our own box from before a restore: the inbox weighs it as evidence.
	if taken := (*TakenError)(nil); errors.As(err, &taken) {
		found = &Taken{e.Contact, e.tags[a.Cell], box, taken.Box}
	}

	now := time.Now()
	sent := false
	if err == nil {
		o.timeout.observe(now.Sub(start))
		// The copy is on disk before it counts: a crash may send it twice, and never too seldom.
		sent, err = o.stored(ctx, e, a, now)
	} else if now.Sub(start) >= o.timeout.wait() {
		o.timeout.double()
	}

	o.mu.Lock()
	defer o.mu.Unlock()
	defer o.signal()
	o.busy--
	o.peer(e.Contact).busy--
	c.Busy = false

	switch {
	case err == nil:
		if !c.Stored.IsZero() {
			c.Repairs++
		}
		c.Stored, c.Tries, c.Refused, c.Taken = now, 0, false, false
		if e.noteSent(); sent {
			e.State = api.StateSent
		}

		// Memory is bounded; a repair reads the box again.
		if e.Cells[a.Cell].copies() >= Copies && !e.signal() {
			o.dropBox(e, a.Cell)
		}
	case errors.Is(err, ErrHold):
		o.held = now.Add(holdPause)
	default:
		c.Tries++
		c.Tried, c.Refused, c.Taken = now, errors.Is(err, ErrRefused), errors.Is(err, ErrTaken)
		o.log.Debug("cell not stored", "try", c.Tries, "err", err)
	}

	// It may have been replaced or acknowledged while the put was under way.
	if o.entries[e.ID] == e {
		o.lookAt(e, time.Time{})
		if p := o.peer(e.Contact); found == nil && c.Taken && p.Suspended && e.taken(p.Peer, a.Cell) {
			found = &Taken{Contact: e.Contact, Tag: e.tags[a.Cell]}
		}
		return found
	}

	return nil
}

// tryPut returns when a box was put, and the box. What it waits before, for its
// turn, says nothing about how long an answer takes.
func (o *Outbox) tryPut(ctx context.Context, e *entry, a Action, box []byte) (start time.Time, _ []byte, err error) {
	if o.cfg.AwaitQuota != nil {
		if err := o.cfg.AwaitQuota(ctx); err != nil {
			return time.Now(), nil, err
		}
	}
	start = time.Now()
	// Not kept in memory: a long queue would not fit.
	if box == nil {
		err := o.cfg.Store.View(ctx, func(tx *store.Tx) (err error) {
			box, err = tx.Box(e.ID, e.tags[a.Cell])
			return err
		})
		if err != nil {
			return start, nil, err
		}
	}

	ctx, cancel := context.WithTimeout(ctx, o.timeout.wait())
	defer cancel()
	return start, box, o.cfg.Put(ctx, a.Node, e.tags[a.Cell], box)
}

// stored writes down that a mailbox keeps a cell, and whether that makes the
// item sent. Other cells may be stored at the same time, so the rows decide.
func (o *Outbox) stored(ctx context.Context, e *entry, a Action, now time.Time) (sent bool, err error) {
	if e.signal() { // nothing of it is on disk
		return false, nil
	}

	o.mu.Lock()
	sealed := e.State == api.StateSealed
	o.mu.Unlock()

	err = o.cfg.Store.Note(ctx, func(tx *store.Tx) error {
		sent = false
		// It may have been sealed in another session in the meantime.
		if same, err := tx.HasCell(e.ID, e.tags[a.Cell]); err != nil || !same {
			return err
		}

		if err := tx.SetStored(e.ID, a.Cell, a.Node, now); err != nil || !sealed {
			return err
		}

		it, err := tx.Item(e.ID)
		if errors.Is(err, store.ErrNotFound) {
			return nil // delivered or erased in the meantime
		}
		if err != nil || it.State != api.StateSealed {
			return err
		}

		for _, c := range it.Cells {
			if len(c.Stored) == 0 {
				return nil
			}
		}

		sent = true
		if err := tx.SetItemState(e.ID, api.StateSent); err != nil {
			return err
		}
		return tx.Tell(e.ID, api.StateSent, "", now)
	})

	return sent, err
}
