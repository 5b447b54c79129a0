package mix

import (
	"sync"
	"time"

	"starling/p2p/wire"
)

// gate lets packets in to be opened: at most rate a second, burst ahead. When more
// want to, links take turns, a packet each, three turns of relays for one of a
// client. The link of a waiting packet is not read meanwhile, so that a flood slows
// itself and the sharers of its link.
type gate struct {
	rate, burst float64

	mu      sync.Mutex
	tokens  float64
	at      time.Time // of tokens
	turn    int
	classes [2]class // clients, relays
	waiting int
	slowed  int64
	timer   *time.Timer
}

// relayTurns of them are for one of a client.
const relayTurns = 3

// class is the links of one kind that wait, in the order of their turns.
type class struct {
	order  []wire.NodeID
	queues map[wire.NodeID][]chan struct{}
}

func newGate(rate, burst int) *gate {
	g := &gate{rate: float64(rate), burst: float64(burst), tokens: float64(burst), at: time.Now()}
	for i := range g.classes {
		g.classes[i].queues = make(map[wire.NodeID][]chan struct{})
	}
	return g
}

// enter returns when it is the turn of a packet from a link.
func (g *gate) enter(from Link) {
	g.mu.Lock()
	g.refill()
	if g.waiting == 0 && g.tokens >= 1 {
		g.tokens--
		g.mu.Unlock()
		return
	}

	c := &g.classes[0]
	if from.Relay {
		c = &g.classes[1]
	}
	if len(c.queues[from.Peer]) == 0 {
		c.order = append(c.order, from.Peer)
	}
	turn := make(chan struct{})
	c.queues[from.Peer] = append(c.queues[from.Peer], turn)
	g.waiting++
	g.slowed++
	g.rearm()
	g.mu.Unlock()
	<-turn
}

func (g *gate) refill() {
	now := time.Now()
	g.tokens = min(g.burst, g.tokens+now.Sub(g.at).Seconds()*g.rate)
	g.at = now
}

// rearm sets the timer for when the next may enter.
func (g *gate) rearm() {
	if g.waiting == 0 {
		return
	}
	wait := time.Duration((1-g.tokens)/g.rate*float64(time.Second)) + 1
	if g.timer == nil {
		g.timer = time.AfterFunc(wait, g.open)
	} else {
		g.timer.Reset(wait)
	}
}

// open lets in as many as may.
func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.refill()
	for g.waiting > 0 && g.tokens >= 1 {
		g.tokens--
		g.waiting--
		close(g.next())
	}
	g.rearm()
}

// next takes out the waiter at its turn. Somebody waits.
func (g *gate) next() chan struct{} {
	c := &g.classes[1]
	if g.turn++; g.turn > relayTurns {
		g.turn = 0
		c = &g.classes[0]
	}
	if len(c.order) == 0 {
		c = &g.classes[0]
		if len(c.order) == 0 {
			c = &g.classes[1]
		}
	}
	peer := c.order[0]
	c.order = c.order[1:]
	queue := c.queues[peer]
	if len(queue) > 1 {
		c.queues[peer] = queue[1:]
		c.order = append(c.order, peer)
	} else {
		delete(c.queues, peer)
	}
	return queue[0]
}

// count returns how many packets had to wait.
func (g *gate) count() int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.slowed
}

// paths bound the packets of one client to one next hop: many clients of many guards
// may meet at one relay, which cannot tell them from others.
type paths struct {
	rate, burst float64

	mu      sync.Mutex
	buckets map[path]bucket
	prune   int // so many buckets, then the full ones are dropped
}

type path struct{ client, next wire.NodeID }

type bucket struct {
	tokens float64
	at     time.Time
}

func newPaths(rate, burst int) *paths {
	return &paths{rate: float64(rate), burst: float64(burst), buckets: make(map[path]bucket), prune: 1024}
}

// take takes a token and returns how long its packet must wait for it. Only a bucket
// that is not full takes room, and only a client that came through the gate can empty
// one.
func (p *paths) take(client, next wire.NodeID) time.Duration {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.buckets) >= p.prune {
		for k, b := range p.buckets {
			if p.now(b, now).tokens >= p.burst {
				delete(p.buckets, k)
			}
		}
		p.prune = max(1024, 2*len(p.buckets))
	}

	key := path{client, next}
	b := p.now(p.buckets[key], now) // none has been filling for ever
	b.tokens--
	p.buckets[key] = b
	return time.Duration(max(0, -b.tokens) / p.rate * float64(time.Second))
}

func (p *paths) now(b bucket, now time.Time) bucket {
	return bucket{min(p.burst, b.tokens+now.Sub(b.at).Seconds()*p.rate), now}
}
