package relay

import (
	"context"
	"time"
)

// The relay is looked at so often.
const lookEvery = 2 * time.Second

// watch looks at the relay until ctx ends: for the journal, the quota and the supervisor,
// which hears nothing while the relay hangs.
func (k *keeper) watch(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		k.look()
		s := k.status()
		k.tell.look(s, k.board)
		k.notice.alive(s)
		if k.config.Watch != nil {
			k.config.Watch(s)
		}
	}
}

// look takes the state of the relay that runs, and counts its bytes.
func (k *keeper) look() {
	k.mu.Lock()
	r := k.running
	k.mu.Unlock()
	if r == nil {
		return
	}
	s := r.Status()

	k.mu.Lock()
	was := k.last
	k.last = s
	k.mu.Unlock()
	carried := s.CarriedIn + s.CarriedOut
	if before := was.CarriedIn + was.CarriedOut; carried >= before {
		carried -= before
	}
	k.ledger.add(carried)
}

// spent reports whether the month's quota is used up.
func (k *keeper) spent() bool {
	k.mu.Lock()
	quota := k.limits.Quota
	k.mu.Unlock()
	used, _ := k.ledger.now()
	return quota > 0 && used >= quota
}

// awake waits until there is a quota to work with, or ctx ends.
func (k *keeper) awake(ctx context.Context) error {
	for k.spent() {
		_, next := k.ledger.now()
		k.mu.Lock()
		if k.until.IsZero() {
			k.log.Warn("the relay sleeps: its quota for the month is used up", "until", next.Format(time.DateOnly))
		}
		k.until = next
		k.mu.Unlock()
		k.notice.tell("READY=1") // to sleep is right
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-k.wakes:
		case <-time.After(min(time.Until(next), time.Hour)):
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.until = time.Time{}
	return nil
}
