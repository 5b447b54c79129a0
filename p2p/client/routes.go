package client

import (
	"errors"
	"net/netip"
	"slices"
	"time"

	"starling/p2p/directory"
	"starling/p2p/mix"
	"starling/p2p/outfox"
	"starling/p2p/pace"
)

// MinRelays is how many relays must be known before a client starts: guard,
// second, third, mailbox, and another guard for when the mailbox is the guard.
const MinRelays = 5

// routesAge is how long a choice of relays holds without looking again at
// which are doubtful.
const routesAge = time.Minute

// A view is what the routes were made from.
type view struct {
	snap    *directory.Snapshot
	epoch   outfox.Epoch
	version int
	made    time.Time

	doubtful []NodeID // that are not used as mixes
}

// directoryNow hands the routes the relays as they are now, and returns them.
func (c *Client) directoryNow() *directory.Snapshot {
	now := time.Now()
	snap := c.dir.Snapshot()
	epoch := outfox.EpochAt(now)
	if c.cfg.Clock != nil {
		epoch = outfox.EpochAt(c.cfg.Clock())
	}
	c.viewMu.Lock()
	defer c.viewMu.Unlock()
	doubtful, version := c.blame.Doubtful(now)
	if v := c.view; v.snap == snap && v.epoch == epoch && v.version == version && now.Sub(v.made) < routesAge {
		return snap
	}
	// When half of the world seems to be down it is perhaps us; and half is what
	// somebody who makes others doubtful can win.
	doubtful = slices.DeleteFunc(doubtful, func(id NodeID) bool { _, ok := snap.Find(id); return !ok })
	least := max(MinRelays, (len(snap.Relays)+1)/2)
	doubtful = doubtful[:min(len(doubtful), max(0, len(snap.Relays)-least))]
	c.view = view{snap, epoch, version, now, doubtful}
	if c.routes.Update(epoch, relayList(snap, epoch, doubtful)) {
		pace.Kick(c.save)
	}
	return snap
}

// doubtful returns the relays that are not used as mixes, as of directoryNow.
func (c *Client) doubtful() []NodeID {
	c.viewMu.Lock()
	defer c.viewMu.Unlock()
	return c.view.doubtful
}

func relayList(snap *directory.Snapshot, epoch outfox.Epoch, doubtful []NodeID) []mix.Relay {
	list := make([]mix.Relay, 0, len(snap.Relays))
	for _, d := range snap.Relays {
		key, ok := d.Key(uint32(epoch))
		if !ok {
			continue
		}
		addrs := make([]netip.Addr, len(d.Addresses))
		for i, a := range d.Addresses {
			addrs[i] = a.Addr()
		}
		list = append(list, mix.Relay{ID: d.ID, Key: key, Addrs: addrs, Doubtful: slices.Contains(doubtful, d.ID)})
	}
	return list
}

// forward chooses a way to a mailbox over one of the guards.
func (c *Client) forward(up []NodeID, mailbox NodeID) (guard NodeID, epoch outfox.Epoch, way [outfox.Layers]outfox.Hop, err error) {
	err = ErrFewRelays
	for _, guard := range up {
		if guard == mailbox {
			continue
		}
		epoch, way, e := c.routes.Forward(guard, mailbox)
		if e == nil {
			return guard, epoch, way, nil
		}
		err = routeError(e)
	}
	return guard, epoch, way, err
}

// back chooses a way back from a mailbox. The guards take turns, so that the
// loss of one does not lose all the blocks that stand.
func (c *Client) back(up []NodeID, turn int, mailbox NodeID) (epoch outfox.Epoch, way [outfox.Layers - 1]outfox.Hop, err error) {
	err = ErrFewRelays
	for i := range up {
		guard := up[(turn+i)%len(up)]
		if guard == mailbox {
			continue
		}
		epoch, way, e := c.routes.Back(mailbox, guard)
		if e == nil {
			return epoch, way, nil
		}
		err = routeError(e)
	}
	return epoch, way, err
}

func routeError(err error) error {
	switch {
	case errors.Is(err, mix.ErrUnknownRelay):
		return ErrUnknownRelay
	case errors.Is(err, mix.ErrFewRelays):
		return ErrFewRelays
	}
	return err
}

// ChooseMailboxes draws n relays to keep mail at, none of them in avoid.
func (c *Client) ChooseMailboxes(n int, avoid ...NodeID) ([]NodeID, error) {
	if len(c.directoryNow().Relays) < MinRelays {
		return nil, ErrFewRelays
	}
	up, _ := c.guardsUp()
	// Our guards are the worst choice, but better than none.
	ids, err := c.routes.Pick(n, slices.Concat(avoid, up)...)
	if err != nil {
		ids, err = c.routes.Pick(n, avoid...)
	}
	if err != nil {
		return nil, routeError(err)
	}
	return ids, nil
}
