package client

import (
	"context"
	"sync"

	"golang.org/x/time/rate"

	"starling/p2p/limits"
)

// The rate towards one guard is a little less than a relay reads from a client
// (limits.ClientRate), so that packets that take no token fit too: requests of watches,
// which come in bursts, and questions for the list. More would wait at the guard, and
// their answers would seem to be lost.
const (
	quotaRate  = limits.ClientRate * 0.95
	quotaBurst = limits.ClientBurst * 2 / 3
)

// quotas say when packets may go out to each guard that there is a link to.
type quotas struct {
	mu sync.Mutex
	of map[NodeID]*quota
}

type quota struct {
	limit *rate.Limiter
	next  chan struct{} // held while one waits for a token
}

func (t *quotas) guard(id NodeID) *quota {
	t.mu.Lock()
	defer t.mu.Unlock()
	g := t.of[id]
	if g == nil {
		g = &quota{rate.NewLimiter(quotaRate, quotaBurst), make(chan struct{}, 1)}
		if t.of == nil {
			t.of = map[NodeID]*quota{}
		}
		t.of[id] = g
	}
	return g
}

// wait takes a token. Only one waits for it at a time, so that packets that do not wait
// find those of the others still there.
func (g *quota) wait(ctx context.Context) error {
	select {
	case g.next <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-g.next }()
	return g.limit.Wait(ctx)
}

// lost forgets a guard: it begins to count again with the next link.
func (t *quotas) lost(id NodeID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.of, id)
}

// took counts a packet that did not wait. However many there are, the others wait no
// longer than a burst takes.
func (t *quotas) took(id NodeID) {
	if g := t.guard(id); g.limit.Tokens() > -quotaBurst {
		g.limit.Reserve()
	}
}

// AwaitQuota waits until the preferred guard reads a packet without delay, and its answer may
// come, and takes that place. A sender of many boxes calls it before each Put, so that the time of Put is
// the network's alone. Put itself neither waits nor counts.
func (c *Client) AwaitQuota(ctx context.Context) error {
	if err := c.space.await(ctx, c.guardsUp); err != nil {
		return err
	}
	up := c.guardsUp()
	if len(up) == 0 {
		return ctx.Err() // Put says why nothing can be sent
	}
	return c.quotas.guard(up[0]).wait(ctx)
}
