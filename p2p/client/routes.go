package client

import (
	"errors"
	"slices"
	"sync"
	"time"

	"starling/p2p/clock"
	"starling/p2p/directory"
	"starling/p2p/island"
	"starling/p2p/judge"
	"starling/p2p/mix"
	"starling/p2p/outfox"
)

// MinRelays is how many relays must be known before a client starts: guard,
// second, third, mailbox, and another guard for when the mailbox is the guard.
const MinRelays = 5

// routesAge is how long a choice of relays holds without looking again at
// which are doubtful.
const routesAge = time.Minute

// routeTries is the number of mailboxes tried to find out whether there is any route.
const routeTries = 4

// A view is the input from which the routes were made.
type view struct {
	snap    *directory.Snapshot
	epoch   outfox.Epoch
	version int
	island  int // its version
	made    time.Time

	doubtful []NodeID // that are not used as mixes
	avoided  int      // of them, by the judge
}

// routes are ways over the relays of the directory, as few as can be over those that the
// judge avoids.
type routes struct {
	*mix.Routes
	dir    *directory.Directory
	clock  *clock.Clock
	judge  *judge.Judge
	island *island.Island
	pinned func() // is called when other relays are seconds

	mu   sync.Mutex
	view view
}

// now hands the routes the relays as they are now, and returns them.
func (r *routes) now() *directory.Snapshot {
	now := time.Now()
	snap := r.dir.Snapshot()
	epoch := outfox.EpochAt(r.clock.Now())
	r.mu.Lock()
	defer r.mu.Unlock()
	reached, n, land := r.island.Cut()
	if reached == nil {
		reached, n = func(NodeID) bool { return true }, len(snap.Relays)
	}
	listed := func(id NodeID) bool { _, ok := snap.Find(id); return ok && reached(id) }
	doubtful, version := r.judge.Avoided(listed, n, now)
	if v := r.view; v.snap == snap && v.epoch == epoch && v.version == version && v.island == land && now.Sub(v.made) < routesAge {
		return snap
	}

	avoided := len(doubtful)
	for _, d := range snap.Relays {
		if !reached(d.ID) {
			doubtful = append(doubtful, d.ID)
		}
	}
	r.view = view{snap, epoch, version, land, now, doubtful, avoided}
	if r.Update(relayList(snap, doubtful)) {
		r.pinned()
	}
	return snap
}

// doubtful returns the relays that are not used as mixes, as of now.
func (r *routes) doubtful() []NodeID {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.view.doubtful
}

// avoided returns how many of them the judge avoids.
func (r *routes) avoided() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.view.avoided
}

func relayList(snap *directory.Snapshot, doubtful []NodeID) []mix.Relay {
	list := make([]mix.Relay, len(snap.Relays))
	young, families, weights := snap.Young(), snap.Families(), snap.Weights()
	for i, d := range snap.Relays {
		it := mix.Relay{ID: d.ID, Doubtful: slices.Contains(doubtful, d.ID), Young: young[i], Weight: weights[i], Kin: families[d.ID]}
		for n, key := range d.Keys {
			it.Keys = append(it.Keys, mix.Key{Epoch: outfox.Epoch(d.Epoch) + outfox.Epoch(n), Public: key})
		}
		for _, a := range directory.Dialable(d.Addresses) {
			it.Addrs = append(it.Addrs, a.Addr())
		}
		list[i] = it
	}
	return list
}

// there chooses a way to a mailbox over one of the guards.
func (r *routes) there(up []NodeID, mailbox NodeID) (guard NodeID, slot outfox.Slot, way [outfox.Layers]outfox.Hop, err error) {
	err = ErrFewRelays
	for _, guard := range up {
		if guard == mailbox {
			continue
		}
		slot, way, e := r.Forward(guard, mailbox)
		if e == nil {
			return guard, slot, way, nil
		}
		err = routeError(e)
	}
	return guard, slot, way, err
}

// back chooses a way back from a mailbox. The guards take turns, so that the
// loss of one does not lose all the blocks that stand.
func (r *routes) back(up []NodeID, turn int, mailbox NodeID) (slot outfox.Slot, way [outfox.Layers - 1]outfox.Hop, err error) {
	err = ErrFewRelays
	for i := range up {
		guard := up[(turn+i)%len(up)]
		if guard == mailbox {
			continue
		}
		slot, way, e := r.Back(mailbox, guard)
		if e == nil {
			return slot, way, nil
		}
		err = routeError(e)
	}
	return slot, way, err
}

// any reports whether a route that keeps the rules can be made over one of
// some guards, there and back.
func (r *routes) any(guards []NodeID) bool {
	r.now()
	for range routeTries {
		mailboxes, err := r.Pick(1, guards...)
		if err != nil {
			mailboxes, err = r.Pick(1)
		}
		if err != nil {
			return false
		}
		if _, _, _, err := r.there(guards, mailboxes[0]); err != nil {
			continue
		}
		if _, _, err := r.back(guards, 0, mailboxes[0]); err == nil {
			return true
		}
	}
	return false
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
	snap := c.routes.now()
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
