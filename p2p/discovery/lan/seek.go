package lan

import (
	"context"
	"log/slog"
	"time"

	"starling/p2p/pace"
)

// How long relays of the local network have to answer, and between questions.
const (
	seekWait = time.Second
	seekMin  = time.Second
	seekMax  = 30 * time.Second
	seekIdle = 10 * time.Second // between looks whether there are enough
)

// Seek asks the local network for relays until ctx ends, ever more rarely and
// not at all while there are enough. met gets the answers to a question and
// reports whether any of them was news.
func Seek(ctx context.Context, log *slog.Logger, enough func() bool, met func(context.Context, []Relay) (news bool)) error {
	pause := seekMin
	for {
		wait := seekIdle
		if enough() {
			pause = seekMin
		} else {
			relays, err := Find(ctx, seekWait)
			if err != nil && ctx.Err() == nil {
				log.Debug("looking for relays on the local network", "err", err)
			}
			if met(ctx, relays) {
				pause = seekMin
			}
			wait, pause = pause, min(2*pause, seekMax)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pace.Jitter(wait)):
		}
	}
}
