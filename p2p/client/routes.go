package client

import (
	"errors"
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

// A view is the input from which the routes were made.
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
	epoch := outfox.EpochAt(c.clock.Now())
	c.viewMu.Lock()
	defer c.viewMu.Unlock()
	listed := func(id NodeID) bool { _, ok := snap.Find(id); return ok }
	doubtful, version := c.judge.Avoided(listed, len(snap.Relays), now)
	if v := c.view; v.snap == snap && v.epoch == epoch && v.version == version && now.Sub(v.made) < routesAge {
		return snap
	}
	c.view = view{snap, epoch, version, now, doubtful}
	if c.routes.Update(relayList(snap, doubtful)) {
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

func relayList(snap *directory.Snapshot, doubtful []NodeID) []mix.Relay {
	list := make([]mix.Relay, len(snap.Relays))
	young, families, weights := snap.Young(), snap.Families(), snap.Weights()
	for i, d := range snap.Relays {
		it := mix.Relay{ID: d.ID, Doubtful: slices.Contains(doubtful, d.ID), Young: young[i], Weight: weights[i], Kin: families[d.ID]}
		for n, key := range d.Keys {
			it.Keys = append(it.Keys, mix.Key{Epoch: outfox.Epoch(d.Epoch) + outfox.Epoch(n), Public: key})
		}
		for _, a := range d.Addresses {
			it.Addrs = append(it.Addrs, a.Addr())
		}
		list[i] = it
	}
	return list
}

// forward chooses a way to a mailbox over one of the guards.
func (c *Client) forward(up []NodeID, mailbox NodeID) (guard NodeID, slot outfox.Slot, way [outfox.Layers]outfox.Hop, err error) {
	err = ErrFewRelays
	for _, guard := range up {
		if guard == mailbox {
			continue
		}
		slot, way, e := c.routes.Forward(guard, mailbox)
		if e == nil {
			return guard, slot, way, nil
		}
		err = routeError(e)
	}
	return guard, slot, way, err
}

// back chooses a way back from a mailbox. The guards take turns, so that the
// loss of one does not lose all the blocks that stand.
func (c *Client) back(up []NodeID, turn int, mailbox NodeID) (slot outfox.Slot, way [outfox.Layers - 1]outfox.Hop, err error) {
	err = ErrFewRelays
	for i := range up {
		guard := up[(turn+i)%len(up)]
		if guard == mailbox {
			continue
		}
		slot, way, e := c.routes.Back(mailbox, guard)
		if e == nil {
			return slot, way, nil
		}
		err = routeError(e)
	}
	return slot, way, err
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

// ChooseMailboxes draws n relays to keep mail at, none of them in avoid or known to
// have lied.
func (c *Client) ChooseMailboxes(n int, avoid ...NodeID) ([]NodeID, error) {
	snap := c.directoryNow()
	if len(snap.Relays) < MinRelays {
		return nil, ErrFewRelays
	}
	up := c.guardsUp()
	avoid = slices.Concat(avoid, c.liars(snap))
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
