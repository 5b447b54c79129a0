package rooms

import (
	"errors"

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
				return nil
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
