package inbox

import (
	"context"
	"time"

	"starling/node/store"
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
