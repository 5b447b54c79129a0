package host

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestEitherOf: a dial that hangs has a second one beside it, one that fails soon has none,
// and all have ended on return.
func TestEitherOf(t *testing.T) {
	refused := errors.New("refused")
	for name, tt := range map[string]struct {
		dials []func(context.Context) error
		want  error
		took  time.Duration
	}{
		"at once":       {[]func(context.Context) error{after(0, nil)}, nil, 0},
		"refused":       {[]func(context.Context) error{after(time.Second, refused)}, refused, time.Second},
		"lost, reached": {[]func(context.Context) error{after(time.Hour, nil), after(time.Second, nil)}, nil, beside + time.Second},
		"slow, lost":    {[]func(context.Context) error{after(3*time.Second, nil), after(time.Hour, nil)}, nil, 3 * time.Second},
		"slow, refused": {[]func(context.Context) error{after(3*time.Second, nil), after(0, refused)}, nil, 3 * time.Second},
		"lost both":     {[]func(context.Context) error{after(time.Hour, nil), after(time.Hour, nil)}, context.DeadlineExceeded, 5 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			var begun, over atomic.Int32
			began := time.Now()
			err := eitherOf(ctx, func(ctx context.Context) error {
				defer over.Add(1)
				return tt.dials[begun.Add(1)-1](ctx)
			})
			if took := time.Since(began); !errors.Is(err, tt.want) || took != tt.took || int(begun.Load()) != len(tt.dials) || over.Load() != begun.Load() {
				t.Errorf("%s: %v after %v; %d dials, %d of them over", name, err, took, begun.Load(), over.Load())
			}
		})
	}
}

// after is a dial that ends so much later.
func after(d time.Duration, err error) func(context.Context) error {
	return func(ctx context.Context) error {
		select {
		case <-time.After(d):
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
