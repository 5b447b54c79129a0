package client

import (
	"context"
	mrand "math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"starling/p2p/directory"
	"starling/p2p/guard"
	"starling/p2p/link"
	"starling/p2p/pace"
)

// An attempt is what is remembered of dialling one relay since it last
// answered.
type attempt struct {
	dialling bool
	failures int
	first    time.Time // of the failures
	next     time.Time // not before
}

// keepGuards keeps exactly the wanted guards connected.
func (c *Client) keepGuards(ctx context.Context, links *link.Links) error {
	done := make(chan struct{}, 1)
	dials := 0
	defer func() {
		for ; dials > 0; dials-- {
			<-done
		}
	}()
	for {
		now := time.Now()
		keep, dial, next := c.plan(links, now)
		if len(keep) == guard.Use {
			for _, id := range links.Peers() {
				if !slices.Contains(keep, id) {
					links.Drop(id)
				}
			}
		}
		for _, h := range dial {
			dials++
			go func() {
				c.dial(ctx, links, h)
				done <- struct{}{}
			}()
		}
		timer := time.NewTimer(time.Until(next))
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		case <-c.wake:
			timer.Stop()
		case <-done:
			dials--
			timer.Stop()
		}
	}
}

// plan decides whom to keep and whom to dial now, and when to look again.
func (c *Client) plan(links *link.Links, now time.Time) (keep []NodeID, dial []directory.Hint, next time.Time) {
	snap := c.dir.Snapshot()
	c.mu.Lock()
	defer c.mu.Unlock()
	changed := c.guards.Prune(now)
	anyUp := slices.ContainsFunc(c.guards.Guards, func(g guard.Guard) bool { return links.Connected(g.ID) })
	up := func(id NodeID) bool { return links.Connected(id) && !c.mutes.is(id, now) }
	away := func(id NodeID) bool {
		a := c.attempts[id]
		return c.mutes.is(id, now) || a != nil && a.failures > 0 && (!anyUp || now.Sub(a.first) > c.timing.standIn)
	}
	var want []NodeID
	for {
		var more bool
		keep, want, more = c.guards.Wanted(up, away)
		if !more {
			break
		}
		if len(snap.Relays) >= MinRelays && c.guards.Extend(snap, now, c.cfg.AllowPrivate) {
			changed = true
			continue
		}
		if len(keep) == 0 && slices.ContainsFunc(want, func(id NodeID) bool { return c.mutes.is(id, now) }) {
			c.mutes.forget() // there are no others: perhaps it was not they
			continue
		}
		break
	}
	if changed {
		pace.Kick(c.save)
	}
	next = now.Add(time.Minute)
	try := func(h directory.Hint) {
		a := c.attempts[h.ID]
		if a == nil {
			a = &attempt{}
			c.attempts[h.ID] = a
		}
		switch {
		case a.dialling || links.Connected(h.ID):
		case a.next.After(now):
			if a.next.Before(next) {
				next = a.next
			}
		default:
			a.dialling = true
			dial = append(dial, h)
		}
		// A guard that fails now counts as away only after a while.
		if at := a.first.Add(c.timing.standIn); a.failures > 0 && at.After(now) && at.Before(next) {
			next = at
		}
	}
	for _, g := range c.guards.Guards {
		if slices.Contains(want, g.ID) && !c.mutes.is(g.ID, now) {
			try(directory.Hint{ID: g.ID, Addresses: addressesOf(snap, g)})
		}
	}
	return keep, dial, next
}

// addressesOf returns all addresses of a guard, which are dialled side by side.
func addressesOf(snap *directory.Snapshot, g guard.Guard) []directory.Address {
	if d, ok := snap.Find(g.ID); ok {
		return d.Addresses
	}
	return []directory.Address{g.Address}
}

// guardAddresses returns all addresses of a guard: those it signed last, and
// where it was when it was drawn.
func (c *Client) guardAddresses(id NodeID) (all []netip.AddrPort) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.IndexFunc(c.guards.Guards, func(g guard.Guard) bool { return g.ID == id })
	if i < 0 {
		return nil
	}
	if d, ok := c.dir.Snapshot().Find(id); ok {
		all = directory.AddrPorts(d.Addresses)
	}
	if a := c.guards.Guards[i].Address; a.Dialable() && !slices.Contains(all, a.AddrPort) {
		all = append(all, a.AddrPort)
	}
	return all
}

// tryGuards ends all waiting between attempts: the network is another.
func (c *Client) tryGuards() {
	c.mu.Lock()
	for _, a := range c.attempts {
		a.next = time.Time{}
	}
	c.mu.Unlock()
	pace.Kick(c.wake)
}

func (c *Client) dial(ctx context.Context, links *link.Links, h directory.Hint) {
	err := links.Dial(ctx, h.ID)
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	a := c.attempts[h.ID]
	a.dialling = false
	if err == nil {
		*a = attempt{}
		c.guards.Answered(h.ID, directory.Address{}, now)
		return
	}
	if a.failures++; a.failures == 1 {
		a.first = now
	}
	most := c.timing.retryMax
	if len(links.Peers()) > 0 {
		most = c.timing.retryUp
	}
	pause := min(c.timing.retryMin<<min(a.failures-1, 16), most)
	a.next = now.Add(pace.Jitter(pause))
	go links.Drop(h.ID) // it may have taken the connection and refused the stream
	if ctx.Err() == nil {
		c.log.Debug("relay does not answer", "relay", h.ID, "err", err)
	}
	if len(c.attempts) > 4*guard.MaxGuards {
		for id, o := range c.attempts {
			if !o.dialling && now.After(o.next) {
				delete(c.attempts, id)
			}
		}
	}
}

// guardsUp returns the connected guards, the preferred first, and all guards.
func (c *Client) guardsUp() (up, all []NodeID) {
	links := c.links.Load()
	c.mu.Lock()
	defer c.mu.Unlock()
	all = c.guards.IDs()
	if links == nil {
		return nil, all
	}
	now := time.Now()
	for _, mute := range []bool{false, true} { // a mute one is better than none
		for _, id := range all {
			if links.Connected(id) && c.mutes.is(id, now) == mute && len(up) < guard.Use && (!mute || len(up) == 0) {
				up = append(up, id)
			}
		}
	}
	return up, all
}

func shuffle(ids []NodeID) {
	mrand.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
}
