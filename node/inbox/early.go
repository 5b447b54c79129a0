package inbox

import (
	"context"
	"errors"
	"time"

	"starling/node/store"
	"starling/session"
)

// earlyPause is for how long an early knock is not asked for.
const earlyPause = 15 * time.Minute

// # Knocks from the future
//
// A knock from further ahead than clocks may be is left where it lies until its time
// has come. A mailbox hands over again, every few seconds, a box that is asked for and
// not deleted. So an early knock is not asked for all the time: one of the year 9999
// would be fetched for as long as mailboxes keep it.

// early is a knock from further ahead than clocks may be.
type early struct {
	contact store.ID
	until   time.Time // not asked for before
}

// putOff notes that a knock is early.
func (in *Inbox) putOff(tag store.Tag, contact store.ID, now time.Time) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.early == nil {
		in.early = make(map[store.Tag]early)
	}
	in.early[tag] = early{contact, now.Add(earlyPause)}
}

// isEarly reports whether a tag is that of a knock which is put off.
func (in *Inbox) isEarly(tag store.Tag) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	_, ok := in.early[tag]
	return ok
}

// offerLook is how often it is looked for offers of ours that a wrong clock has made:
// until the relays have told the time, and then once.
const offerLook = 10 * time.Second

// offerAgain makes the offers of new sessions again that are from the future: they were
// made before the relays had told the time, by a clock that is wrong, and a contact leaves
// them where they lie.
func (in *Inbox) offerAgain(ctx context.Context) (next time.Time, err error) {
	// Our own clock is the one in doubt.
	now, told := in.cfg.Now()
	if !told {
		return time.Now().Add(offerLook), nil
	}

	var early []store.ID
	err = in.cfg.Store.View(ctx, func(tx *store.Tx) error {
		early = nil
		contacts, err := tx.Contacts()
		for _, c := range contacts {
			if err != nil {
				return err
			}
			var r *session.Reset
			r, _, err = loadReset(tx, c.ID)
			if err == nil && r.Early(now) {
				early = append(early, c.ID)
			}
			if errors.Is(err, store.ErrNotFound) {
				err = nil
			}
		}
		return err
	})
	if err != nil || len(early) == 0 {
		return time.Time{}, err
	}

	// Each is looked at again in the batch: the answer may have come since.
	_, err = in.commit(ctx, time.Now(), func(b *batch) error {
		for _, id := range early {
			if err := b.offerAgain(id, now); err != nil && !errors.Is(err, store.ErrNotFound) {
				return err
			}
		}
		return nil
	})
	return time.Time{}, err
}

// offerAgain withdraws our offer to a contact and makes another.
func (b *batch) offerAgain(id store.ID, now time.Time) error {
	p, err := b.peer(id)
	if err != nil {
		return err
	}
	r, _, err := b.reset(p)
	if err != nil || !r.Early(now) {
		return err
	}

	// One offer at a time: an answer to the old one would make a session that we have left.
	if err := b.withdrawOffer(p, r); err != nil {
		return err
	}

	mine, err := b.tx.Mailboxes(id[:], true)
	if err != nil {
		return err
	}
	if err := r.Offer(now, r.Reason(), Hints(mine[:min(len(mine), maxHints)])); err != nil {
		return err
	}

	p.watch = true
	if err := b.setReset(p, r); err != nil {
		return err
	}
	return b.queueOffer(p, r)
}

// askEarly asks again for knocks that were put off for long enough.
func (in *Inbox) askEarly(ctx context.Context) (next time.Time, err error) {
	now := time.Now()
	var due []owner
	in.mu.Lock()
	for tag, e := range in.early {
		if !e.until.After(now) {
			delete(in.early, tag)
			due = append(due, owner{contact: e.contact})
		}
	}
	in.mu.Unlock()
	next = now.Add(earlyPause / 3)
	if len(due) == 0 {
		return next, nil
	}
	return next, in.watch(ctx, due...)
}
