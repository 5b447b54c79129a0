package link

import (
	"context"
	"math/rand/v2"
	"time"

	"starling/p2p/wire"
)

const (
	// DialsAtOnce is how many dials packets may make at a time.
	DialsAtOnce = 64
	// DialsPerLink is how many of them the packets of one link may take.
	DialsPerLink = 4
	// dialsOwn is how many our own frames may, those of the mailbox above all.
	dialsOwn = 16

	pending = 64 // frames that wait for one dial
	backoff = 2 * time.Second
	// packetDial bounds a dial that a packet asked for.
	packetDial = 5 * time.Second
)

// dials are the nodes that packets want dialled.
type dials struct {
	m    map[wire.NodeID]*dial
	busy map[wire.NodeID]int // dials under way, by the link that asked
	n    int
}

type dial struct {
	asker   wire.NodeID
	cancel  context.CancelFunc
	waiting []*wire.Frame
	failed  time.Time // if not zero, when it failed: no new attempt until backoff is over
}

func newDials() dials {
	return dials{m: map[wire.NodeID]*dial{}, busy: map[wire.NodeID]int{}}
}

// sendLater queues a frame for a node that is dialled for it. The caller holds
// the lock.
func (l *Links) sendLater(asker, to wire.NodeID, f *wire.Frame) error {
	d := l.dials.m[to]
	if d != nil && !d.failed.IsZero() && time.Since(d.failed) > backoff {
		d = nil
	}

	if d == nil {
		if l.cfg.Dials == nil || !l.cfg.Dials(to) {
			l.count("no link")
			return ErrNoLink
		}
		if d = l.startDial(asker, to); d == nil {
			l.count("too many dials")
			return ErrFull
		}
	}

	if !d.failed.IsZero() {
		l.count("unreachable")
		return ErrNoLink
	}
	if len(d.waiting) >= pending {
		l.count("queue full")
		return ErrFull
	}
	d.waiting = append(d.waiting, f)
	return nil
}

// startDial dials for a link, if its share lets it.
func (l *Links) startDial(asker, to wire.NodeID) *dial {
	share := DialsPerLink
	if asker.IsZero() {
		share = dialsOwn
	}
	if l.dials.busy[asker] >= share {
		return nil
	}
	l.dials.prune()
	if l.dials.n >= DialsAtOnce {
		l.dials.evict()
	}
	ctx, cancel := context.WithTimeout(l.ctx, packetDial)
	d := &dial{asker: asker, cancel: cancel}
	l.dials.m[to] = d
	l.dials.busy[asker]++
	l.dials.n++
	l.wg.Go(func() { l.dial(ctx, to, d) })
	return d
}

// evict ends a random dial of the link that has most.
func (ds *dials) evict() {
	most := 0
	for _, n := range ds.busy {
		most = max(most, n)
	}
	var some []*dial
	for _, d := range ds.m {
		if d.failed.IsZero() && ds.busy[d.asker] == most {
			some = append(some, d)
		}
	}
	if len(some) > 0 {
		some[rand.IntN(len(some))].cancel()
	}
}

// prune forgets dials that failed long ago.
func (ds *dials) prune() {
	for id, d := range ds.m {
		if !d.failed.IsZero() && time.Since(d.failed) > backoff {
			delete(ds.m, id)
		}
	}
}

func (l *Links) dial(ctx context.Context, to wire.NodeID, d *dial) {
	defer d.cancel()
	err := l.Dial(ctx, to)

	l.mu.Lock()
	waiting := d.waiting
	d.waiting = nil
	l.dials.n--
	if l.dials.busy[d.asker]--; l.dials.busy[d.asker] == 0 {
		delete(l.dials.busy, d.asker)
	}
	if err != nil {
		d.failed = time.Now()
	} else if l.dials.m[to] == d {
		delete(l.dials.m, to)
	}
	l.mu.Unlock()

	for _, f := range waiting {
		if err != nil {
			l.count("unreachable")
		} else {
			l.SendFor(d.asker, to, f)
		}
	}
}
