package mix

import (
	"container/heap"
	"context"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"

	"starling/p2p/outfox"
	"starling/p2p/wire"
)

// delays holds packets until their time has come. It has room for max. When there is
// none, a random packet goes of the link that has most of them waiting, where the
// links of clients in one network count together first. So a link that fills the queue
// crowds out its own packets.
type delays struct {
	max  int
	wake chan struct{} // the earliest packet changed

	mu     sync.Mutex
	queue  byTime
	groups map[groupKey]*group
}

// groupKey is a network of clients, or else one peer.
type groupKey struct {
	network netip.Prefix
	peer    wire.NodeID
}

func groupOf(l Link) groupKey {
	if l.Relay || !l.Network.IsValid() {
		return groupKey{peer: l.Peer}
	}
	return groupKey{network: l.Network}
}

// group counts the packets that came over some links.
type group struct {
	n     int
	links map[wire.NodeID][]*delayed
}

type delayed struct {
	due    time.Time
	next   wire.NodeID
	packet *outfox.Packet

	link    Link
	inQueue int // where it is in the queue
	inLink  int // and among those of its link
}

func newDelays(max int) *delays {
	return &delays{max: max, wake: make(chan struct{}, 1), groups: make(map[groupKey]*group)}
}

// add takes a packet in. It reports whether one had to go for it, perhaps itself.
func (d *delays) add(from Link, due time.Time, next wire.NodeID, p *outfox.Packet) (crowded bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	it := &delayed{due: due, next: next, packet: p, link: from}
	heap.Push(&d.queue, it)
	g := d.groups[groupOf(from)]
	if g == nil {
		g = &group{links: make(map[wire.NodeID][]*delayed)}
		d.groups[groupOf(from)] = g
	}
	it.inLink = len(g.links[from.Peer])
	g.links[from.Peer] = append(g.links[from.Peer], it)
	g.n++

	// One of the heaviest group goes, so that a flood pays for itself.
	if len(d.queue) > d.max {
		crowded = true
		d.remove(d.heaviest())
	}

	// Only a new first one changes when to wake.
	if d.queue[0] == it {
		select {
		case d.wake <- struct{}{}:
		default:
		}
	}
	return crowded
}

// heaviest returns a random packet of the link that has most of them in the group
// that has most.
func (d *delays) heaviest() *delayed {
	var most *group
	for _, g := range d.groups {
		if most == nil || g.n > most.n {
			most = g
		}
	}
	var link []*delayed
	for _, packets := range most.links {
		if len(packets) > len(link) {
			link = packets
		}
	}
	return link[rand.IntN(len(link))]
}

// remove takes a packet out of the queue and out of the counts.
func (d *delays) remove(it *delayed) {
	heap.Remove(&d.queue, it.inQueue)
	key := groupOf(it.link)
	g := d.groups[key]
	packets := g.links[it.link.Peer]
	n := len(packets) - 1
	packets[it.inLink] = packets[n]
	packets[it.inLink].inLink = it.inLink
	packets[n] = nil

	g.links[it.link.Peer] = packets[:n]
	if n == 0 {
		delete(g.links, it.link.Peer)
	}
	if g.n--; g.n == 0 {
		delete(d.groups, key)
	}
}

// run lets packets go until ctx ends.
func (d *delays) run(ctx context.Context, forward func(from, next wire.NodeID, p *outfox.Packet)) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		for {
			it := d.due(time.Now(), timer)
			if it == nil {
				break
			}
			forward(it.link.Peer, it.next, it.packet)
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
	it := d.queue[0]
	if wait := it.due.Sub(now); wait > 0 {
		timer.Reset(wait)
		return nil
	}
	d.remove(it)
	return it
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

func (q byTime) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].inQueue, q[j].inQueue = i, j
}

func (q *byTime) Push(x any) {
	it := x.(*delayed)
	it.inQueue = len(*q)
	*q = append(*q, it)
}

func (q *byTime) Pop() any {
	old := *q
	n := len(old) - 1
	it := old[n]
	old[n] = nil
	*q = old[:n]
	return it
}
