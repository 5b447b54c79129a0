package rooms

import (
	"errors"
	"time"

	"starling/node/api"
	"starling/node/store"
	"starling/session/group"
)

// sayBatch is how many contents are sealed in one update.
const sayBatch = 64

// say seals the contents in the queue. Without keys they wait on.
func (t *Tx) say() error {
	if t.p.room == nil {
		return nil
	}

	for {
		all, err := t.Tx.Says(t.p.id, sayBatch)
		if err != nil || len(all) == 0 {
			return err
		}
		for _, s := range all {
			err := t.p.room.Say(s.ID, s.Content, t.now)
			switch {
			case errors.Is(err, group.ErrNotYet):
				return t.waits(all)
			case err != nil:
				err = t.failSay(s, "the room did not take it: your role may not write")
			default:
				err = errors.Join(t.Tx.SetTold(t.p.id, t.p.room.Last()), t.Tx.Tell(s.ID, api.StateSealed, "", t.now))
			}
			if err == nil {
				err = t.Tx.RemoveSay(s.Seq)
			}
			if err != nil {
				return err
			}
		}
	}
}

// waitsLong is how long a content waits for keys before its message says why: after a removal they take a moment.
const waitsLong = 10 * time.Second

// waits has messages that wait for long say why.
func (t *Tx) waits(all []store.Say) error {
	why := "the room is just getting new keys"
	switch r := t.p.room; {
	case r.Away():
		why = "the place of the room was lost, and is being asked for"
	case r.Returning(), r.Listening(t.now):
		why = "after a backup or a long absence the others in the room are heard first; it takes minutes"
	}

	for _, s := range all {
		if left := waitsLong - time.Since(s.Created); left > 0 && left <= waitsLong {
			t.wakeAt(t.now.Add(left))
			continue
		}
		m, err := t.Tx.Message(s.ID)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err == nil && m.Outgoing && m.State == api.StateQueued && m.Reason != why {
			err = t.Tx.SetState(m, api.StateQueued, why, t.now)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// failSay gives up a content that cannot be said.
func (t *Tx) failSay(s store.Say, why string) error {
	return t.Tx.Tell(s.ID, api.StateFailed, why, t.now)
}

// failSays gives up everything that waits to be said.
func (t *Tx) failSays(why string) error {
	for {
		all, err := t.Tx.Says(t.p.id, sayBatch)
		if err != nil || len(all) == 0 {
			return err
		}
		for _, s := range all {
			if err := errors.Join(t.failSay(s, why), t.Tx.RemoveSay(s.Seq)); err != nil {
				return err
			}
		}
	}
}
