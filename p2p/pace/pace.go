// Package pace times the loops of clients and relays: at once when somebody wakes them,
// else at times that do not identify the machine.
package pace

import (
	"context"
	"math/rand/v2"
	"time"
)

// Jitter spreads d by a quarter either way.
func Jitter(d time.Duration) time.Duration { return d - d/4 + rand.N(d/2+1) }

// Kick wakes the reader of a channel of length one, once.
func Kick(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// Loop calls work until ctx ends: at once, at the time that it returned, and whenever wake is
// kicked. The error is that of ctx.
func Loop(ctx context.Context, wake <-chan struct{}, work func() (next time.Time)) error {
	for {
		next := work()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Until(next)):
		case <-wake:
		}
	}
}
