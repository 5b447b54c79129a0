package client

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"starling/p2p/directory"
	"starling/p2p/guard"
	"starling/p2p/link"
	"starling/p2p/pace"
)

const (
	// firstSources is how many relays a newcomer asks at a time. One that takes longer than
	// slowDoor keeps nobody from being asked, as long as there are no more than mostSources.
	firstSources, mostSources = 3, 16
	slowDoor                  = time.Second
	// goOn is how long a newcomer waits for several sources when it has one.
	goOn = 10 * time.Second
	// oneFor is how long the word of one relay does before other doors are asked again.
	// Guards tell their lists within seconds.
	oneFor = time.Minute
	// doorWait is how long a door may take to open.
	doorWait = 5 * time.Second
)

// keepSources asks doors for the list of relays while there are too few to draw
// guards from. Each round asks three at a time, in networks apart, and goes on
// until sources agree (package sources), no door is left, or two guards are up.
//
//	lonely ──> round: knock ──> list ──> agreed, or nobody else ──> guards
//	   ^               |refused, silent, slow
//	   |               v
//	   └── pause <── the next door
func (c *Client) keepSources(ctx context.Context, links *link.Links) error {
	pause := c.timing.retryMin
	one := time.Now() // since when no two sources agree
	for {
		if c.lists.agreed() {
			one = time.Now()
		}
		wait := oneFor
		if c.needsSources(links, time.Since(one) >= oneFor) {
			c.round(ctx, links)
			wait = pace.Jitter(pause)
			pause = min(2*pause, c.timing.retryMax)
		} else {
			pause = c.timing.retryMin
		}
		c.tidy(links)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		case <-c.lonely:
		}
	}
}

// needsSources reports whether a relay has to be asked for relays: there are too few of
// them to draw guards from, and no known guard is likely to come up; or they have long
// been the word of one, and the owner has named others, which may not have answered then.
// A connected relay that tells of few, or of accomplices, keeps nobody from asking them.
func (c *Client) needsSources(links *link.Links, long bool) bool {
	if long && c.doors.untold(c.told(links)) {
		return true
	}
	if len(c.dir.Snapshot().Relays) >= MinRelays {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.guards.Hopeful()
}

// told returns the connected relays that have told their lists: they are asked for news
// anyway, and not at their doors.
func (c *Client) told(links *link.Links) map[NodeID]bool {
	told := map[NodeID]bool{}
	for _, id := range links.Peers() {
		if c.lists.told(id) {
			told[id] = true
		}
	}
	return told
}

// An asking is a door that was asked for the list.
type asking struct {
	hint directory.Hint
	err  error
}

// round asks doors until somebody can be believed.
func (c *Client) round(ctx context.Context, links *link.Links) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

	c.passage.enter()
	done := make(chan asking)
	tried := c.told(links)
	beside := map[NodeID][]directory.Address{} // under way, or told
	under, slow := 0, 0

	knock := func() {
		for under < min(firstSources+slow, mostSources) && !c.lists.convinced() {
			h, ok := c.doors.next(tried, slices.Concat(slices.Collect(maps.Values(beside))...), c.knowsNobody())
			if !ok {
				return
			}
			tried[h.ID], beside[h.ID] = true, h.Addresses
			under++
			go func() { done <- asking{h, c.askAtDoor(ctx, links, h)} }()
		}
	}
	late := time.NewTicker(slowDoor)
	defer late.Stop()

	c.lists.wait(true)
	defer c.lists.wait(false)
	enough := time.NewTimer(goOn)
	defer enough.Stop()

	knock()
	for under > 0 {
		select {
		case <-late.C:
			slow = under
		case a := <-done:
			under--
			slow = min(slow, under)
			if a.err != nil {
				delete(beside, a.hint.ID)
				if ctx.Err() == nil {
					c.log.Debug("relay does not hand out its list", "relay", a.hint.ID, "err", a.err)
				}
			}
		case <-enough.C:
			c.lists.wait(false)
		case <-c.lonely: // a door was added, or a guard came up
		}

		if len(c.guardsUp()) == guard.Use {
			cancel()
		}
		if ctx.Err() == nil {
			knock()
		}
	}
}

// errLater: the relay was dialled a moment ago.
var errLater = errors.New("dialled too often")

// askAtDoor reads the list of a relay at its door. A relay that does not hand it out in time
// is let go.
func (c *Client) askAtDoor(ctx context.Context, links *link.Links, h directory.Hint) error {
	c.doors.at(h.ID, true)
	pace.Kick(c.changed)
	defer pace.Kick(c.changed)
	defer c.doors.at(h.ID, false)
	if c.passage.Wait(h.ID) > 0 && !links.Connected(h.ID) {
		return errLater
	}
	dialling, cancel := context.WithTimeout(ctx, doorWait)
	err := links.Dial(dialling, h.ID)
	cancel()
	if err == nil {
		err = c.lists.pull(ctx, h.ID)
	}
	if err != nil {
		c.letGo([]NodeID{h.ID})
	} else {
		c.passage.led(h.ID)
	}
	return err
}

// tidy closes the links of sources once the guards are up.
func (c *Client) tidy(links *link.Links) {
	if len(c.guardsUp()) < guard.Use {
		return
	}
	for _, id := range links.Peers() {
		if !c.isGuard(id) {
			links.Drop(id)
		}
	}
}
