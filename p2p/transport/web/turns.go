package web

import (
	"context"
	"errors"
	"sync"

	"starling/p2p/wire"
)

// turns make one handshake at a time with each relay. Of several addresses of a relay the
// one that answers first has the turn; the others wait, and go on if it leads nowhere
// (RFC 8305).
type turns struct {
	mu sync.Mutex
	m  map[wire.NodeID]*turn
}

type turn struct {
	held chan struct{}

	// Guarded by turns.mu.
	want int // of those who have it or wait
	made int // connections
}

// errFaster: another address of the relay was faster.
var errFaster = errors.New("web: another address was faster")

// take waits for the turn, unless somebody else connects meanwhile. done is told whether
// a connection came of it.
func (ts *turns) take(ctx context.Context, relay wire.NodeID) (done func(made bool), err error) {
	ts.mu.Lock()
	t := ts.m[relay]
	if t == nil {
		t = &turn{held: make(chan struct{}, 1)}
		ts.m[relay] = t
	}
	t.want++
	// Noted before the wait: a connection made meanwhile is the one that was wanted.
	before := t.made
	ts.mu.Unlock()

	left := func(made bool) {
		ts.mu.Lock()
		defer ts.mu.Unlock()
		if made {
			t.made++
		}
		if t.want--; t.want == 0 {
			delete(ts.m, relay)
		}
	}
	late := func() bool {
		ts.mu.Lock()
		defer ts.mu.Unlock()
		return t.made > before
	}
	select {
	case t.held <- struct{}{}:
		done := func(made bool) { left(made); <-t.held }
		if late() {
			done(false)
			return nil, errFaster
		}
		return done, nil
	case <-ctx.Done():
		left(false)
		return nil, ctx.Err()
	}
}
