package client

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/libp2p/go-libp2p/core/sec"
	"github.com/multiformats/go-multistream"

	"starling/p2p/book"
	"starling/p2p/directory"
	"starling/p2p/guard"
	"starling/p2p/host"
	"starling/p2p/link"
	"starling/p2p/pace"
)

// keepGuards carries out the plans of package guard, until ctx ends.
func (c *Client) keepGuards(ctx context.Context, links *link.Links) error {
	d := dials{c: c, links: links, open: map[NodeID]*dial{}}
	defer d.wait.Wait()
	return pace.Loop(ctx, c.wake, func() time.Time { return d.carryOut(ctx) })
}

// dials are the attempts to reach guards.
type dials struct {
	c     *Client
	links *link.Links
	wait  sync.WaitGroup

	snap     *directory.Snapshot // the relays that the guards were told
	agreed   bool
	families host.Families    // of this machine, at that time
	open     map[NodeID]*dial // the last attempt of each
	only     bool             // over bridges
	up       bool             // all in use were connected at the last look
}

type dial struct {
	cancel context.CancelFunc
	done   chan struct{}
}

// carryOut tells the guards the news, carries out their plan, and returns the time of
// the next look.
func (d *dials) carryOut(ctx context.Context) time.Time {
	c, now := d.c, time.Now()
	snap, agreed := c.dir.Snapshot(), c.lists.agreed()
	families := c.cfg.Families()
	peers := d.links.Peers()

	only := c.ways.Only()
	c.mu.Lock()
	c.guards.Piped(only)
	if snap != d.snap || agreed != d.agreed || families != d.families || only != d.only {
		d.snap, d.agreed, d.families, d.only = snap, agreed, families, only
		if len(snap.Relays) >= MinRelays {
			c.guards.Relays(guardsAmong(snap, families, only), agreed)
		}
	}
	c.guards.Links(func(id NodeID) (book.Address, bool) {
		at, _ := c.book.Reached(id)
		return at, d.links.Connected(id)
	}, now)
	if slices.ContainsFunc(peers, func(id NodeID) bool { return !slices.Contains(c.guards.Known(), id) }) {
		c.guards.Heard(now)
	}
	hopeful := c.guards.Hopeful()
	plan := c.guards.Plan(now, c.knownTime())
	despair := hopeful && !c.guards.Hopeful()
	c.mu.Unlock()

	if despair {
		pace.Kick(c.lonely)
	}
	if plan.Save {
		pace.Kick(c.save)
	}
	for _, id := range plan.Close {
		if old := d.open[id]; old != nil {
			old.cancel()
		}
		d.links.Drop(id)
	}
	for _, it := range plan.Try {
		d.begin(ctx, it)
	}

	// A link is up before its relay is a guard in use: sources are let go only now.
	up := len(c.guardsUp()) == guard.Use
	if up && !d.up {
		pace.Kick(c.lonely)
	}
	d.up = up
	return plan.Next
}

// knownTime is the time of day, as far as sources agree on it; else zero.
func (c *Client) knownTime() time.Time {
	if !c.timeKnown() {
		return time.Time{}
	}
	return c.clock.Now()
}

// guardsAmong returns the relays that could be guards: those that this machine has a
// way to. Young ones are fit for it only while the others are too few.
// Over bridges it is one with an address of the web transport.
func guardsAmong(snap *directory.Snapshot, families host.Families, only bool) []guard.Relay {
	list := make([]guard.Relay, 0, len(snap.Relays))
	young, weights, kin, grown := snap.Young(), snap.Weights(), snap.Families(), 0
	for i, d := range snap.Relays {
		fit := reaches(families, dialled(d.Addresses)) && (!only || slices.ContainsFunc(d.Addresses, func(a directory.Address) bool { return a.Dialable() && a.Transport == directory.Web }))
		list = append(list, guard.Relay{ID: d.ID, Addresses: dialled(d.Addresses), Weight: weights[i], Fit: fit, Kin: kin[d.ID]})
		if fit && !young[i] {
			grown++
		}
	}
	for i := range list {
		list[i].Fit = list[i].Fit && (!young[i] || grown < fewGrown)
	}
	return list
}

// dialled returns the addresses that a client may dial by the word of others: at the
// ports of relays.
func dialled(all []directory.Address) []directory.Address {
	return slices.DeleteFunc(slices.Clone(all), func(a directory.Address) bool { return !book.RelayPort(a.Port()) })
}

// reaches reports whether there is a way to a relay.
func reaches(families host.Families, all []directory.Address) bool {
	return slices.ContainsFunc(all, func(a directory.Address) bool { return a.Dialable() && families.Reach(a.Addr()) })
}

// pipedTimeout is how long an attempt over a bridge may take at least: two connections are
// made one after the other.
const pipedTimeout = 12 * time.Second

// fewGrown is how many relays that are not young are enough to choose guards from.
const fewGrown = 3

// begin dials a guard, after the last attempt to do so has ended.
func (d *dials) begin(ctx context.Context, it guard.Attempt) {
	before := d.open[it.ID]
	if p, _ := d.c.line.Proxy(); p != nil || d.c.ways.Any() {
		it.Timeout = max(it.Timeout, pipedTimeout)
	}
	ctx, cancel := context.WithCancel(ctx)
	now := &dial{cancel, make(chan struct{})}
	d.open[it.ID] = now

	d.wait.Go(func() {
		defer close(now.done)
		defer cancel()
		if before != nil {
			<-before.done
		}

		if wait := d.c.passage.Wait(it.ID); wait > 0 {
			d.c.mu.Lock()
			d.c.guards.Held(it.ID, wait)
			d.c.mu.Unlock()
		}
		if d.c.passage.await(ctx, it.ID) != nil {
			return // given up
		}
		ctx, end := context.WithTimeout(ctx, it.Timeout)
		defer end()
		err := d.links.Dial(ctx, it.ID)
		if errors.Is(ctx.Err(), context.Canceled) {
			return // given up: nobody asks how it ended
		}
		if err != nil {
			d.c.mu.Lock()
			d.c.guards.Failed(it.ID, result(err), time.Now())
			d.c.mu.Unlock()
			d.c.log.Debug("guard does not answer", "relay", it.ID, "err", err)
		}

		pace.Kick(d.c.wake)
	})
}

// result says how an attempt ended. Of several addresses the one that says most
// counts.
func result(err error) guard.Result {
	attempts := []error{err}
	var d *host.DialError
	if errors.As(err, &d) && len(d.Tries) > 0 {
		attempts = d.Unwrap()
	}
	best := guard.Unreachable
	for _, err := range attempts {
		switch r := resultOf(err); {
		case r == guard.Refused || r == guard.WrongKey:
			return r
		case r == guard.Timeout:
			best = r
		}
	}
	return best
}

func resultOf(err error) guard.Result {
	is := func(targets ...error) bool {
		return slices.ContainsFunc(targets, func(t error) bool { return errors.Is(err, t) })
	}
	var mismatch sec.ErrPeerIDMismatch
	switch {
	case is(syscall.ECONNREFUSED):
		return guard.Refused
	case errors.As(err, &mismatch), errors.As(err, new(multistream.ErrNotSupported[string])):
		return guard.WrongKey
	case os.IsTimeout(err), is(context.DeadlineExceeded):
		return guard.Timeout
	case is(syscall.ENETUNREACH, syscall.EHOSTUNREACH, syscall.ENETDOWN, syscall.EADDRNOTAVAIL):
		return guard.Unreachable
	}
	return guard.Timeout
}

// avoidGuards tells the guards which relays the judge avoids.
func (c *Client) avoidGuards(avoided []NodeID) {
	now := time.Now()
	if c.sounder.spare() {
		return
	}
	c.mu.Lock()
	for _, id := range c.guards.InUse(now) {
		if slices.Contains(avoided, id) {
			c.guards.Avoid(id, now)
			defer pace.Kick(c.wake)
		}
	}
	c.mu.Unlock()
}

// tryGuards ends all waiting between attempts: the network is another.
func (c *Client) tryGuards() {
	c.mu.Lock()
	c.guards.Network(true, time.Now())
	c.mu.Unlock()
	pace.Kick(c.wake)
}

// TryOthers tries other guards now, for a person tired of waiting for theirs. Each that
// answers sees our address.
func (c *Client) TryOthers() {
	c.mu.Lock()
	c.guards.TryOthers(time.Now())
	c.mu.Unlock()
	pace.Kick(c.wake)
}

// guardAddresses returns where a guard is dialled just now: package guard says when it is
// the turn of which address. A guard with a link is dialled where it answered, so that
// the link goes on over another connection.
func (c *Client) guardAddresses(id NodeID) []book.Address {
	c.mu.Lock()
	dials, known := c.guards.Dials(id), slices.Contains(c.guards.Known(), id)
	c.mu.Unlock()
	if links := c.links.Load(); len(dials) == 0 && known && links != nil && links.Connected(id) {
		if at, _ := c.book.Reached(id); at.IsValid() {
			return []book.Address{at}
		}
	}
	return directory.ForBook(dials)
}

// nameOf returns the host name that a relay says its web server has at an address: in the
// list, in the link or the address by which its owner or ours gave it, or as it was listed once.
func nameOf(c *Client, id NodeID, at netip.AddrPort) string {
	if d, ok := c.dir.Find(id); ok {
		return directory.HostAt(d.Addresses, at)
	}
	if name := c.ways.Host(id); name != "" {
		return name
	}
	if name := directory.HostAt(c.doors.addresses(id), at); name != "" {
		return name
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return directory.HostAt(c.guards.Addresses(id), at)
}

// guardsUp returns the guards in use, the preferred first.
func (c *Client) guardsUp() []NodeID {
	links := c.links.Load()
	c.mu.Lock()
	defer c.mu.Unlock()
	if links == nil {
		return nil
	}
	return slices.DeleteFunc(c.guards.InUse(time.Now()), func(id NodeID) bool { return !links.Connected(id) })
}
