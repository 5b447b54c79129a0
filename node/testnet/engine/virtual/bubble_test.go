package virtual

import (
	"context"
	"errors"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestBubble: a day is over at once, the wall clock goes on, and the end of the
// outside is noticed inside.
func TestBubble(t *testing.T) {
	wall := newWallClock()
	defer wall.Stop()
	began := time.Now()
	outer, cancel := context.WithCancel(t.Context())
	gone := errors.New("gone")
	err := bubble(outer, func(ctx context.Context) error {
		inside, real := time.Now(), wall.Now()
		time.Sleep(24 * time.Hour)
		if d := time.Since(inside); d != 24*time.Hour {
			t.Errorf("a day took %v", d)
		}
		if wall.Now().Sub(real) > time.Hour || wall.Now().Year() < 2020 {
			t.Errorf("the wall clock went from %v to %v", real, wall.Now())
		}
		if ctx.Err() != nil {
			t.Error("ended before its outside")
		}
		cancel()
		<-ctx.Done()
		return gone
	})
	if !errors.Is(err, gone) || time.Since(began) > time.Minute {
		t.Errorf("%v after %v", err, time.Since(began))
	}
	// Another one in the same process.
	if err := bubble(t.Context(), func(context.Context) error { return nil }); err != nil {
		t.Error(err)
	}
}
