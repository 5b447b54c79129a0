package mix

import (
	"container/heap"
	"context"
	"sync"
	"time"

	"starling/p2p/outfox"
	"starling/p2p/wire"
)

// delays holds packets until their time has come.
type delays struct {
	max  int
	wake chan struct{} // the earliest packet changed

	mu    sync.Mutex
	queue byTime
}

type delayed struct {
	due    time.Time
	next   wire.NodeID
	packet *outfox.Packet
}

func newDelays(max int) *delays { return &delays{max: max, wake: make(chan struct{}, 1)} }

// add reports false when there is no room.
func (d *delays) add(due time.Time, next wire.NodeID, p *outfox.Packet) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.queue) >= d.max {
		return false
	}
	it := &delayed{due, next, p}
	heap.Push(&d.queue, it)
	if d.queue[0] == it {
		select {
		case d.wake <- struct{}{}:
		default:
		}
	}
	return true
}

// run lets packets go until ctx ends.
func (d *delays) run(ctx context.Context, forward func(wire.NodeID, *outfox.Packet)) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		for {
			it := d.due(time.Now(), timer)
			if it == nil {
				break
			}
			forward(it.next, it.packet)
		}
		select {
		case <-timer.C:
		case <-d.wake:
		case <-ctx.Done():
			return
		}
	}
}

// due takes out the earliest packet if its time has come, and otherwise sets the
// timer for it.
func (d *delays) due(now time.Time, timer *time.Timer) *delayed {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.queue) == 0 {
		timer.Stop()
		return nil
	}
	if wait := d.queue[0].due.Sub(now); wait > 0 {
		timer.Reset(wait)
		return nil
	}
	return heap.Pop(&d.queue).(*delayed)
}

func (d *delays) len() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.queue)
}

// byTime is a heap, earliest first.
type byTime []*delayed

func (q byTime) Len() int           { return len(q) }
func (q byTime) Less(i, j int) bool { return q[i].due.Before(q[j].due) }
func (q byTime) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *byTime) Push(x any)        { *q = append(*q, x.(*delayed)) }

func (q *byTime) Pop() any {
	old := *q
	n := len(old) - 1
	it := old[n]
	old[n] = nil
	*q = old[:n]
	return it
}
