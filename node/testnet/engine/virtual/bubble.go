package virtual

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// bubble runs do with a clock of its own, which moves on when everything that
// do has started waits for it. This is testing/synctest, which wants a test: a
// new testing.T is enough of one. It belongs to no test run, reads no flags and
// prints nothing; TestBubble holds that against the next version of Go.
//
// Nothing of the outside may be waited for in the bubble, or its clock stands
// still. So do gets a context that ends soon, a virtual second or so, after
// outer has.
func bubble(outer context.Context, do func(context.Context) error) (err error) {
	synctest.Test(new(testing.T), func(*testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		watched := make(chan struct{})
		go func() {
			defer close(watched)
			for outer.Err() == nil {
				select {
				case <-time.After(time.Second):
				case <-ctx.Done():
					return
				}
			}
			cancel()
		}()
		err = do(ctx)
		cancel()
		<-watched
	})
	return err
}

// A wallClock is the time outside, for code in a bubble.
type wallClock struct {
	now  atomic.Int64 // Unix nanoseconds
	stop chan struct{}
}

// tick is how wrong a wallClock may be.
const tick = 10 * time.Millisecond

// newWallClock starts a clock; it must be called outside.
func newWallClock() *wallClock {
	w := &wallClock{stop: make(chan struct{})}
	w.now.Store(time.Now().UnixNano())
	go func() {
		t := time.NewTicker(tick)
		defer t.Stop()
		for {
			select {
			case now := <-t.C:
				w.now.Store(now.UnixNano())
			case <-w.stop:
				return
			}
		}
	}()
	return w
}

func (w *wallClock) Now() time.Time { return time.Unix(0, w.now.Load()) }

func (w *wallClock) Stop() { close(w.stop) }
