package client

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"starling/p2p/limits"
)

// TestQuotas: a packet that waits for its quota leaves no faster than a guard reads, whatever else
// goes out beside it, in the order in which it came; the way over another guard is
// free, and a new link begins anew.
func TestQuotas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var quotas quotas
		guard, other := NodeID{1}, NodeID{2}
		began := time.Now()
		for range quotaBurst {
			if err := quotas.guard(guard).wait(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if d := time.Since(began); d > 0 {
			t.Errorf("a burst took %v", d)
		}

		// The guard reads ClientRate a second: a quarter of what goes out here does not wait.
		const more = 100
		var mu sync.Mutex
		var order []int
		var work sync.WaitGroup
		for i := range more {
			work.Go(func() {
				if quotas.guard(guard).wait(t.Context()) == nil {
					mu.Lock()
					order = append(order, i)
					mu.Unlock()
				}
			})
			synctest.Wait()
		}
		for range more / 4 {
			quotas.took(guard)
		}
		if err := quotas.guard(other).wait(t.Context()); err != nil || time.Since(began) > 0 {
			t.Errorf("over another guard: %v after %v", err, time.Since(began))
		}
		work.Wait()
		least := time.Duration(more*5/4) * time.Second / limits.ClientRate
		if d := time.Since(began); d < least || d > least*5/4 {
			t.Errorf("%d took %v, want about %v", more*5/4, d, least)
		}
		for i, n := range order {
			if i != n {
				t.Fatalf("order %v", order)
			}
		}

		// Very many that do not wait hold up the others for as long as a burst.
		began = time.Now()
		for range 10 * quotaBurst {
			quotas.took(guard)
		}
		if err := quotas.guard(guard).wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		if d, most := time.Since(began), time.Second*(quotaBurst+5)*20/19/limits.ClientRate; d > most || d < most/2 {
			t.Errorf("behind very many: %v, want at most %v", d, most)
		}

		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if quotas.guard(guard).wait(ctx) == nil {
			t.Error("it does not end with its context")
		}
		quotas.lost(guard)
		now := time.Now()
		if err := quotas.guard(guard).wait(t.Context()); err != nil || time.Since(now) > 0 {
			t.Errorf("a new link: %v after %v", err, time.Since(now))
		}
	})
}
