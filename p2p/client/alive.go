package client

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"starling/p2p/directory/exchange"
	"starling/p2p/link"
	"starling/p2p/pace"
	"starling/p2p/wake"
)

const (
	// doubtAfter is how long a guard that owes an answer may send nothing at all
	// before it is asked whether it is there. Its answer may take as long as that of
	// any list.
	doubtAfter = 4 * time.Second
	// How soon it must answer when the network has changed, or the computer slept:
	// a new connection costs no more than waiting.
	changedWait = time.Second
	resumedWait = 500 * time.Millisecond

	clockLook          = time.Second // between looks whether a clock was set
	clockLookSimulated = 10 * time.Second
)

// pulses remembers when guards sent something, and which are under suspicion.
type pulses struct {
	mu      sync.Mutex
	heard   map[NodeID]time.Time
	doubted map[NodeID]bool
	owed    map[NodeID]time.Time // when the unanswered request was sent
}

// beat notes that a frame came.
func (p *pulses) beat(id NodeID, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.heard == nil || len(p.heard) > 4*maxOpinions {
		p.heard = map[NodeID]time.Time{}
	}
	p.heard[id] = now
}

// since reports whether a frame came at a time or later.
func (p *pulses) since(id NodeID, t time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	at, ok := p.heard[id]
	return ok && !at.Before(t)
}

// missed notes that a request, sent at a time, had no answer over a guard.
func (p *pulses) missed(id NodeID, sent time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.owed == nil || len(p.owed) > 4*maxOpinions {
		p.owed = map[NodeID]time.Time{}
	}
	p.owed[id] = sent
}

// silent reports whether a guard did not answer a request and has sent nothing since.
// Another is taken first meanwhile: whether its connection is dead shows seconds later.
func (p *pulses) silent(id NodeID) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	sent, ok := p.owed[id]
	return ok && p.heard[id].Before(sent)
}

// doubt reports whether a guard is not doubted yet, and is from now on.
func (p *pulses) doubt(id NodeID) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.doubted == nil {
		p.doubted = map[NodeID]bool{}
	}
	if p.doubted[id] {
		return false
	}
	p.doubted[id] = true
	return true
}

func (p *pulses) trust(id NodeID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.doubted, id)
}

// due notes that an answer is due over a guard. If nothing comes from the guard, not
// even answers to other requests, its connection may be dead without a word.
func (c *Client) due(id NodeID, sent time.Time) {
	if !c.pulses.doubt(id) {
		return
	}
	time.AfterFunc(doubtAfter, func() {
		links := c.links.Load()
		if links == nil || c.pulses.since(id, sent) {
			c.pulses.trust(id)
			return
		}
		run := links.Go(func(ctx context.Context) {
			defer c.pulses.trust(id)
			c.probe(ctx, links, id, 0)
		})
		if !run {
			c.pulses.trust(id)
		}
	})
}

// probe asks a guard whether it is there, and makes another connection if it is not. It asks
// for the list, which also tells of mailboxes that have left; where the network freezes connections it asks
// the line itself, which costs little. wait is how long it has; 0 is as long as a page may take.
func (c *Client) probe(ctx context.Context, links *link.Links, id NodeID, wait time.Duration) {
	began := time.Now()
	answers, can := links.Answers(id, cmp.Or(wait, doubtAfter))
	if !can {
		c.lists.ask(ctx, id, wait)
		answers = c.pulses.since(id, began)
	}
	if !answers && !c.pulses.since(id, began) && links.Connected(id) {
		c.refused.Add("guard fell silent")
		links.Renew(id)
	}
}

// ask asks a guard for its list, or waits if somebody else has.
func (ls *lists) ask(ctx context.Context, id NodeID, wait time.Duration) {
	if wait > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, wait)
		defer cancel()
	}
	if err := ls.pull(ctx, id); errors.Is(err, errBusy) {
		select {
		case <-ctx.Done():
		case <-time.After(exchange.PageTimeout):
		}
	}
}

// watchSystem waits for changes of the network, for the end of a sleep, and for
// somebody to set this computer's clock.
func (c *Client) watchSystem(ctx context.Context, links *link.Links) error {
	events := make(chan wake.Event)
	look := clockLook
	if c.cfg.Wake != nil || len(c.cfg.Options) > 0 {
		look = clockLookSimulated // nothing of it is this computer's
	} else {
		done := make(chan struct{})
		defer func() { <-done }()
		go func() {
			defer close(done)
			wake.Watch(ctx, func(e wake.Event) {
				select {
				case events <- e:
				case <-ctx.Done():
				}
			})
		}()
	}

	jumps := c.clock.Jumps()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case e := <-events:
			c.woken(links, e)
		case e := <-c.cfg.Wake:
			c.woken(links, e)
		case <-time.After(look):
		}

		if now := c.clock.Jumps(); now != jumps {
			jumps = now
			c.hearAll.Store(true)
			pace.Kick(c.stale)
		}
	}
}

// woken tries all guards at once, and moves links from dead connections.
func (c *Client) woken(links *link.Links, e wake.Event) {
	wait := changedWait
	if e == wake.Resumed {
		wait = resumedWait
	}
	c.log.Debug("the network may be another", "event", e)
	for _, id := range links.Peers() {
		links.Go(func(ctx context.Context) { c.probe(ctx, links, id, wait) })
	}
	c.tryGuards()
	pace.Kick(c.lonely)
}
