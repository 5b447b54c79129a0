package client

import (
	"context"
	"slices"
	"time"

	"starling/p2p/link"
	"starling/p2p/pace"
)

// keepList asks the guards for news of the list, in turns.
func (c *Client) keepList(ctx context.Context, links *link.Links) error {
	few := 100 * time.Millisecond
	failures := 0 // that followed each other

	for {
		wait := pace.Jitter(c.timing.list)
		if len(c.dir.Snapshot().Relays) < MinRelays {
			wait = pace.Jitter(few)
			few = min(2*few, c.timing.listFew)
		} else {
			few = 100 * time.Millisecond
		}

		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		case <-c.stale:
		}

		began := time.Now()
		all := c.hearAll.Swap(false)
		for _, id := range c.toAsk(links) {
			if c.space.sparing(id) && c.space.await(ctx, func() []NodeID { return []NodeID{id} }) != nil {
				break
			}
			if err := c.lists.pull(ctx, id); err == nil {
				failures = 0
				if !all {
					break
				}
			} else if ctx.Err() == nil {
				failures = min(failures+1, mostFailures)
				c.log.Debug("asking for the list of relays", "relay", id, "err", err)
			}
		}

		// Failures ask for a look each; a minimum keeps that in bounds, and grows where
		// looks fail as well: pages take the place of answers on a line that carries
		// little. While relays are few, looks come by the timer anyway.
		pause, sparing := c.timing.listMin<<failures-time.Since(began), slices.ContainsFunc(c.guardsUp(), c.space.sparing)
		if sparing {
			pause = max(pause, pace.Jitter(listSparing))
		}
		if len(c.dir.Snapshot().Relays) < MinRelays || pause <= 0 || c.untold() && !(sparing && failures > 0) {
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

// mostFailures bounds the growth of the pause between looks: to two and a half minutes.
const mostFailures = 5

// toAsk returns the relays to ask for the list: guards, and sources that told theirs
// before. Those asked longest ago come first.
func (c *Client) toAsk(links *link.Links) []NodeID {
	ids := slices.DeleteFunc(shuffled(links.Peers()), func(id NodeID) bool { return !c.isGuard(id) && !c.lists.told(id) })
	c.lists.oldestFirst(ids)
	return ids
}

// untold reports whether a guard has not told its list since the start.
func (c *Client) untold() bool {
	up := c.guardsUp()
	return slices.ContainsFunc(up, func(id NodeID) bool { return !c.lists.told(id) })
}

// letGo closes the links of sources with lists that are not believed. A guard stays:
// package guard decides on its link.
func (c *Client) letGo(ids []NodeID) {
	links := c.links.Load()
	for _, id := range ids {
		c.doors.failed(id)
		if links != nil && !c.isGuard(id) {
			links.Drop(id)
		}
	}
}

func (c *Client) isGuard(id NodeID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Contains(c.guards.Known(), id)
}

// isSure reports whether a relay is a guard that sources agreed on.
func isSure(c *Client, id NodeID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.guards.Sure(id)
}
