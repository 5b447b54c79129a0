package link

import (
	"time"

	"golang.org/x/time/rate"
)

// pace waits until a line may be read on.
func (l *Links) pace(e *end, ln *line) error {
	client := !l.cfg.Listed(e.peer) // its own word does not count
	waits := false

	if l.cfg.Rate != nil {
		l.mu.Lock()
		limit := l.rates[e.peer]
		l.mu.Unlock()
		if limit != nil && !limit.Allow() {
			// Our opinion of a peer may have changed since the link began.
			r, _ := l.cfg.Rate(e.peer)
			limit.SetLimit(r)
			waits = true
			if err := l.slow(e, client, limit); err != nil {
				return err
			}
		}
	}

	if client && l.cfg.ByNetwork != nil {
		if limit := l.cfg.ByNetwork.Of(ln.network); !limit.Allow() {
			waits = true
			if err := l.slow(e, client, limit); err != nil {
				return err
			}
		}
	}

	if l.cfg.In != nil && !l.cfg.In.Allow() {
		waits = true
		if err := l.slow(e, client, l.cfg.In); err != nil {
			return err
		}
	}

	if !waits {
		l.mu.Lock()
		delete(l.slowed, e)
		l.mu.Unlock()
	}
	return nil
}

// slow slows a link down. Of too many clients that are slowed the one that has
// been so longest loses its link.
func (l *Links) slow(e *end, client bool, limit *rate.Limiter) error {
	if client && l.cfg.Slowed > 0 {
		l.mu.Lock()
		if _, ok := l.slowed[e]; !ok {
			l.slowed[e] = time.Now()
		}
		for len(l.slowed) > l.cfg.Slowed {
			var longest *end
			for o, since := range l.slowed {
				if longest == nil || since.Before(l.slowed[longest]) {
					longest = o
				}
			}
			delete(l.slowed, longest)
			// It may wait for a peer that reads nothing, so nobody waits for it.
			l.wg.Go(func() { l.end(longest, false) })
			l.count("slowed too long")
		}
		l.mu.Unlock()
	}
	return limit.Wait(l.ctx)
}
