package wake

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestSleeps: a second that took longer is a sleep, by either clock; a busy machine
// and a clock that is set back are none.
func TestSleeps(t *testing.T) {
	for _, tt := range []struct {
		jump time.Duration
		want int
	}{{0, 0}, {3 * time.Second, 0}, {-time.Hour, 0}, {10 * time.Second, 1}, {9 * time.Hour, 1}} {
		synctest.Test(t, func(t *testing.T) {
			var wall atomic.Int64
			now := func() time.Time { return time.Now().Round(0).Add(time.Duration(wall.Load())) }
			seen := 0
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan struct{})
			go func() {
				sleeps(ctx, now, func() { seen++ })
				close(done)
			}()
			time.Sleep(10*time.Second + time.Millisecond)
			wall.Add(int64(tt.jump))
			time.Sleep(10 * time.Second)
			cancel()
			<-done
			if seen != tt.want {
				t.Errorf("a jump by %v: %d sleeps, want %d", tt.jump, seen, tt.want)
			}
		})
	}
}

// TestPolled: other addresses are news once.
func TestPolled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var at atomic.Pointer[string]
		home, cafe := "wlan0 192.168.1.2/24", "wlan0 10.0.0.7/16"
		at.Store(&home)
		news := 0
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			polled(ctx, poll, func() string { return *at.Load() }, func() { news++ })
			close(done)
		}()
		time.Sleep(time.Minute)
		at.Store(&cafe)
		time.Sleep(time.Minute)
		cancel()
		<-done
		if news != 1 {
			t.Errorf("%d changes, want 1", news)
		}
	})
}

// TestWatch: it ends with its context, also where it listens to the system.
func TestWatch(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- Watch(ctx, func(Event) {}) }()
	time.Sleep(20 * time.Millisecond)
	cancel()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal("it goes on")
	}
}
