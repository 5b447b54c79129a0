package p2p

import (
	"errors"
	"net/netip"
	"slices"
	"time"

	"starling/p2p/directory"
	"starling/p2p/mix"
	"starling/p2p/outfox"
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
	avoid, version := c.doubts.avoided(now)
	if v := c.view; v.snap == snap && v.epoch == epoch && v.version == version && now.Sub(v.made) < routesAge {
		return snap
	}
	c.view = view{snap, epoch, version, now}
	fits := func(id NodeID) bool { return !avoid[id] }
	list := relayList(snap, epoch, fits)
	if len(list) < MinRelays || len(list) < len(snap.Relays)/2 {
		// When half of the world seems to be down it is probably us.
		clear(avoid)
		list = relayList(snap, epoch, fits)
	}
	changed := c.routes.Update(epoch, list)
	if pins := c.routes.Pins(); !slices.ContainsFunc(pins, func(p mix.Pin) bool { return fits(p.ID) }) {
		// Without any of them there is no route, and there may be no others.
		ids := make([]NodeID, len(pins))
		for i, p := range pins {
			ids[i] = p.ID
			delete(avoid, p.ID)
		}
		c.doubts.excused(ids)
		changed = c.routes.Update(epoch, relayList(snap, epoch, fits)) || changed
	}
	if changed {
		kick(c.save)
	}
	return snap
}

func relayList(snap *directory.Snapshot, epoch outfox.Epoch, fits func(NodeID) bool) []mix.Relay {
	list := make([]mix.Relay, 0, len(snap.Relays))
	for _, d := range snap.Relays {
		key, ok := d.Key(uint32(epoch))
		if !ok || !fits(d.ID) {
			continue
		}
		addrs := make([]netip.Addr, len(d.Addresses))
		for i, a := range d.Addresses {
			addrs[i] = a.Addr()
		}
		list = append(list, mix.Relay{ID: d.ID, Key: key, Addrs: addrs})
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
