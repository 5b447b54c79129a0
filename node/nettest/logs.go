package nettest

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"starling/p2p"
	"starling/p2p/mailbox"
)

// A followID is a key at a mailbox.
type followID struct {
	key  string
	node p2p.NodeID
}

// A follow is the logs that a client follows under one key.
type follow struct {
	logs []p2p.LogPosition
	took map[p2p.LogName]*taken
}

// taken is what was handed out of a log.
type taken struct {
	instance uint32
	again    map[uint32]time.Time // by position, when it is handed out again unless acknowledged
	waiting  int                  // entries on their way
	end      p2p.LogEnd
	since    time.Time // and how long the log was then
	was      uint32
}

// patience is after how many times Settings.Again an entry comes again.
const patience = 10

// newestFirst is how many of the newest entries a mailbox hands over first, see [Settings].
const newestFirst = 5

// Append adds an entry to a log.
func (c *Client) Append(ctx context.Context, node p2p.NodeID, log [32]byte, e p2p.Entry) error {
	if err := c.state(); err != nil {
		return err
	}
	n := c.net
	n.mu.Lock()
	s := n.set
	disk, known := n.stores[node]
	lost := n.down[node] || rand.Float64() < s.LosePut
	liar := n.liars[node]
	n.mu.Unlock()
	if err := c.wait(ctx, s.Delay); err != nil {
		return err
	}

	// An entry with a wrong signature has no answer.
	var err error
	fresh := false
	lost = lost || !e.SignedBy(log)
	if known && !lost && !liar && rand.Float64() >= s.Forget {
		_, fresh, err = disk.Append(ctx, mailbox.NameOf(log), &e, time.Now(), true)
	}

	var held *mailbox.TakenError
	switch {
	case !known:
		return p2p.ErrUnknownRelay
	case liar:
		return n.showTaken(ctx, nil, e.Tag, true)
	case errors.As(err, &held):
		return &p2p.TakenError{Box: held.Box[:]}
	case errors.Is(err, mailbox.ErrTaken):
		return p2p.ErrTaken
	case errors.Is(err, mailbox.ErrFull):
		return p2p.ErrFull
	case err != nil && !errors.Is(err, mailbox.ErrAcknowledged):
		lost = true
	}

	if fresh {
		n.pushAll()
	}
	if lost || rand.Float64() < s.LoseAnswer {
		return c.unanswered(ctx, s)
	}
	return c.wait(ctx, s.Delay)
}

// Follow subscribes to logs.
func (c *Client) Follow(key string, node p2p.NodeID, logs []p2p.LogPosition) {
	if len(logs) > mailbox.MaxFollowed {
		panic("nettest: a follow of more than eight logs")
	}
	c.mu.Lock()
	id := followID{key, node}
	f := c.follows[id]
	switch {
	case len(logs) == 0:
		delete(c.follows, id)
	case f == nil:
		f = &follow{took: make(map[p2p.LogName]*taken)}
		c.follows[id] = f
		fallthrough
	default:
		f.logs = slices.Clone(logs)
	}
	c.mu.Unlock()
	c.push()
}

// FollowAgain hands over the ends of the logs of a key anew, and what was not acknowledged.
func (c *Client) FollowAgain(key string) {
	c.mu.Lock()
	for id, f := range c.follows {
		for _, t := range f.took {
			if id.key == key {
				t.end = p2p.LogEnd{}
				clear(t.again)
			}
		}
	}
	c.mu.Unlock()
	c.push()
}

// pushEntries hands over what is new in the logs that are followed.
func (c *Client) pushEntries() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.net.mu.Lock()
	s := c.net.set
	c.net.mu.Unlock()
	for id, f := range c.follows {
		c.net.mu.Lock()
		disk, known := c.net.stores[id.node]
		down := c.net.down[id.node] || c.net.liars[id.node]
		c.net.mu.Unlock()
		if down || !known {
			continue
		}
		for _, at := range f.logs {
			c.pushLog(s, id, f, at, disk)
		}
	}
}

// pushLog hands over the entries of one log after its position, and its end once nothing is
// left. Ends come in their order.
func (c *Client) pushLog(s Settings, id followID, f *follow, at p2p.LogPosition, disk mailbox.Logs) {
	now := time.Now()
	ends, err := disk.End(c.ctx, []p2p.LogName{at.Name}, now)
	if err != nil {
		return
	}
	end := ends[0]
	t := f.took[at.Name]
	if t == nil || t.instance != end.Instance {
		t = &taken{instance: end.Instance, again: make(map[uint32]time.Time), since: now, was: end.Last}
		f.took[at.Name] = t
	}
	after := at.After
	if at.Instance != end.Instance {
		after = 0
	}
	entries, _, err := disk.Read(c.ctx, []p2p.LogPosition{{Name: at.Name, After: after}}, mailbox.MaxEntries, now)
	if err != nil {
		return
	}

	all := true
	for _, e := range entries {
		if now.Before(t.again[e.Position]) {
			continue
		}
		if s.Older > 0 && e.Position+newestFirst <= t.was && now.Sub(t.since) < s.Older {
			all = false
			continue
		}
		if rand.Float64() < s.LosePush {
			all = false
			continue
		}
		t.again[e.Position] = now.Add(patience * s.again())
		t.waiting++
		came := false
		hand(c, s, c.told, func() {
			if c.cfg.OnEntry != nil {
				c.cfg.OnEntry(id.key, id.node, e)
			}
			c.mu.Lock()
			if !came { // perhaps twice
				came = true
				t.waiting--
			}
			c.mu.Unlock()
		})
	}
	if all && t.waiting <= 0 && t.end != end {
		select {
		case c.told <- func() {
			if c.cfg.OnEnd != nil {
				c.cfg.OnEnd(id.key, id.node, end)
			}
		}:
			t.end = end
		default: // at the next try
		}
	}
}

// hand gives something to the client soon, and perhaps twice.
func hand[T any](c *Client, s Settings, to chan<- T, v T) {
	times := 1
	if rand.Float64() < s.Duplicate {
		times = 2
	}
	for range times {
		c.begin(func() {
			if c.wait(c.ctx, s.Delay) != nil {
				return
			}
			select {
			case to <- v:
			case <-c.ctx.Done():
			}
		})
	}
}

// tell makes the calls of OnEntry and OnEnd, one at a time.
func (c *Client) tell() {
	for {
		select {
		case <-c.ctx.Done():
			return
		case call := <-c.told:
			call()
		}
	}
}
