package link

import (
	"time"

	"golang.org/x/time/rate"
)

// pace waits until a stream may be read on.
func (l *Links) pace(st *stream) error {
	client := !l.cfg.Listed(st.peer) // its own word does not count
	waits := false

	if l.cfg.Rate != nil {
		l.mu.Lock()
		limit := l.rates[st.peer]
		l.mu.Unlock()
		if limit != nil && !limit.Allow() {
			// Our opinion of a peer may have changed since the link began.
			r, _ := l.cfg.Rate(st.peer)
			limit.SetLimit(r)
			waits = true
			if err := l.wait(st, client, limit); err != nil {
				return err
			}
		}
	}

	if client && l.cfg.ByNetwork != nil {
		if limit := l.cfg.ByNetwork.Of(st.network); !limit.Allow() {
			waits = true
			if err := l.wait(st, client, limit); err != nil {
				return err
			}
		}
	}

	if !waits {
		l.mu.Lock()
		delete(l.slowed, st)
		l.mu.Unlock()
	}
	return nil
}

// wait slows a stream down. Of too many clients that are slowed the one that has
// been so longest loses its link.
func (l *Links) wait(st *stream, client bool, limit *rate.Limiter) error {
	if client && l.cfg.Slowed > 0 {
		l.mu.Lock()
		if _, ok := l.slowed[st]; !ok {
			l.slowed[st] = time.Now()
		}
		for len(l.slowed) > l.cfg.Slowed {
			var longest *stream
			for o, since := range l.slowed {
				if longest == nil || since.Before(l.slowed[longest]) {
					longest = o
				}
			}
			delete(l.slowed, longest)
			// It may wait for a peer that reads nothing, so nobody waits for it.
			l.wg.Go(func() { longest.s.Reset() })
			l.count("slowed too long")
		}
		l.mu.Unlock()
	}
	return limit.Wait(l.ctx)
}
