package pace

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// TestLoop: work is done at once, at its time, when it is kicked, and not after the end.
func TestLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		wake := make(chan struct{}, 1)
		began := time.Now()
		var done []time.Duration
		ended := make(chan error)
		go func() {
			ended <- Loop(ctx, wake, func() time.Time {
				done = append(done, time.Since(began))
				return time.Now().Add(time.Minute)
			})
		}()

		time.Sleep(90 * time.Second)
		Kick(wake)
		synctest.Wait()
		time.Sleep(59 * time.Second)
		cancel()
		if err := <-ended; err != context.Canceled {
			t.Error(err)
		}
		if want := []time.Duration{0, time.Minute, 90 * time.Second}; !slices.Equal(done, want) {
			t.Errorf("work at %v, want %v", done, want)
		}
	})
}

// TestJitter: a quarter either way, and not always the same.
func TestJitter(t *testing.T) {
	seen := map[time.Duration]bool{}
	for range 1000 {
		d := Jitter(time.Hour)
		if d < 45*time.Minute || d > 75*time.Minute {
			t.Fatal(d)
		}
		seen[d] = true
	}
	if len(seen) < 2 || Jitter(0) != 0 {
		t.Errorf("%d lengths; of nothing: %v", len(seen), Jitter(0))
	}
}
