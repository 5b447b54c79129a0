package client

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"starling/p2p/clock"
	"starling/p2p/directory"
	"starling/p2p/directory/exchange"
	"starling/p2p/guard"
	"starling/p2p/link"
	"starling/p2p/pace"
	"starling/p2p/sources"
	"starling/p2p/wire"
)

const (
	// ageStep is a difference in age that nobody cares about.
	ageStep = 10 * time.Minute

	// maxOpinions bounds the opinions that are kept: three first sources and two guards,
	// and one that is away.
	maxOpinions = 6
)

// errBusy means that a relay's list is asked for already.
var errBusy = errors.New("its list is on its way already")

// An opinion is the list of one relay, judged by the relay itself alone.
type opinion struct {
	id   NodeID
	dir  *directory.Directory
	list *exchange.Exchange
	said atomic.Pointer[time.Time] // its time of day

	// Guarded by opinions.mu.
	whole   time.Time // when it had told us all
	used    time.Time
	pulling bool
}

// opinions are the lists of sources and guards, each apart, and the belief drawn from
// them.
type opinions struct {
	mu      sync.Mutex
	m       map[NodeID]*opinion
	kept    []NodeID // believed in when sources agreed last
	belief  sources.Belief
	waiting bool // for lists of first sources
	// remembered are descriptors of the last start. They may have expired only by
	// a clock that is wrong.
	remembered [][]byte
}

// opinion returns the opinion of a relay, and makes it if need be.
func (c *Client) opinion(id NodeID) *opinion {
	now := time.Now()
	c.opinions.mu.Lock()
	defer c.opinions.mu.Unlock()
	v := c.opinions.m[id]
	if v == nil {
		v = &opinion{id: id}
		v.dir = directory.New(directory.Config{AllowPrivate: c.cfg.AllowPrivate, Now: v.now(c.clock.Now)})
		v.list = exchange.New(exchange.Config{
			Directory: v.dir, Send: c.send, Count: c.refused.Add,
			Heard: func(from wire.NodeID, at time.Time, asked time.Duration) {
				v.said.Store(&at)
				c.clock.Hear(from, at, asked)
			},
		})
		c.opinions.m[id] = v
	}
	v.used = now
	for len(c.opinions.m) > maxOpinions {
		oldest := slices.MinFunc(slices.Collect(maps.Values(c.opinions.m)), func(a, b *opinion) int { return a.used.Compare(b.used) })
		delete(c.opinions.m, oldest.id)
	}
	return v
}

// handleList takes a page of a relay's list.
func (c *Client) handleList(from NodeID, f *wire.Frame) {
	c.opinions.mu.Lock()
	v := c.opinions.m[from]
	c.opinions.mu.Unlock()
	if v == nil {
		c.refused.Add("list: unasked page")
		return
	}
	v.list.Handle(from, f)
}

// pull reads a relay's list into its opinion, and judges anew which relays to believe
// in. The exchange sees to it that it comes in time.
func (c *Client) pull(ctx context.Context, id NodeID) error {
	v := c.opinion(id)
	if !c.opinions.begin(v) {
		return errBusy
	}
	defer c.opinions.end(v)
	if _, err := v.list.Pull(ctx, id); err != nil {
		return err
	}
	now := time.Now()
	c.opinions.mu.Lock()
	v.whole = now
	c.opinions.mu.Unlock()
	c.believe()
	return nil
}

// begin reports whether nobody else asks for the same list now.
func (os *opinions) begin(v *opinion) bool {
	os.mu.Lock()
	defer os.mu.Unlock()
	if v.pulling {
		return false
	}
	v.pulling = true
	return true
}

func (os *opinions) end(v *opinion) {
	os.mu.Lock()
	defer os.mu.Unlock()
	v.pulling = false
}

// believe decides which relays there are, by all opinions, and hands them to the
// directory. Sources that cannot be meant well are let go.
func (c *Client) believe() {
	c.opinions.mu.Lock()
	defer c.opinions.mu.Unlock()
	if !c.opinions.belief.Agreed {
		for _, raw := range c.opinions.remembered { // our clock may have been put right
			c.dir.Add(raw)
		}
	}
	now := time.Now()
	q := sources.Question{Few: MinRelays, Waited: !c.opinions.waiting}
	for _, v := range c.opinions.m {
		if v.whole.IsZero() || now.Sub(v.whole) > 3*c.timing.list {
			continue
		}
		l := sources.List{Source: v.id}
		for _, d := range v.dir.Snapshot().Relays {
			l.Relays = append(l.Relays, d.ID)
		}
		q.Lists = append(q.Lists, l)
	}
	for _, id := range c.opinions.kept {
		if c.opinions.valid(c.dir, id) {
			q.Kept = append(q.Kept, id)
		}
	}
	b := sources.Believe(q)
	if !b.Decided {
		return
	}

	c.opinions.belief = b
	if c.clock.Judge(c.bound(b.Relays)) {
		ahead, _ := c.clock.Off()
		c.log.Debug("the clock of this computer is wrong", "ahead", ahead)
	}
	where := c.whereabouts(b.Relays)
	for _, v := range c.opinions.m {
		c.dir.Merge(v.dir, func(d *directory.Descriptor) bool {
			return b.Relays[d.ID] && slices.Equal(d.Addresses, where[d.ID])
		})
	}
	c.dir.Retain(func(id wire.NodeID) bool { return b.Relays[id] })
	c.age(b.Relays)
	if b.Agreed {
		c.opinions.kept = slices.Collect(maps.Keys(b.Relays))
	}
	for _, id := range b.Dropped {
		c.clock.Forget(id)
		c.refused.Add("list: another one than others hand out")
		delete(c.opinions.m, id)
	}
	if len(q.Lists) > 0 {
		c.listed.Store(&now)
	}
	c.retire()
	if len(b.Dropped) > 0 {
		go c.letGo(b.Dropped)
	}
}

// A claim is where some sources say that a relay is.
type claim struct {
	addresses []directory.Address
	voices    int
	sequence  uint64 // the lowest; 0 of the former belief
}

// whereabouts returns the addresses at which relays are believed to be. A relay can
// sign any address, and relays known only through accomplices were examined by nobody:
// so the addresses count at which most sources list it, beside itself. At a tie the
// addresses believed before stand, or else those signed first.
func (c *Client) whereabouts(relays map[NodeID]bool) map[NodeID][]directory.Address {
	where := make(map[NodeID][]directory.Address, len(relays))
	for id := range relays {
		var claims []claim
		note := func(d *directory.Descriptor, voices int) *claim {
			i := slices.IndexFunc(claims, func(o claim) bool { return slices.Equal(o.addresses, d.Addresses) })
			if i < 0 {
				i = len(claims)
				claims = append(claims, claim{d.Addresses, 0, d.Sequence})
			}
			claims[i].voices += voices
			claims[i].sequence = min(claims[i].sequence, d.Sequence)
			return &claims[i]
		}

		// Neither the former belief nor the relay itself has a voice.
		if d, ok := c.dir.Find(id); ok {
			note(d, 0).sequence = 0
		}
		var own *directory.Descriptor
		for _, v := range c.opinions.m {
			d, ok := v.dir.Find(id)
			if ok && v.id != id {
				note(d, 1)
			} else if ok {
				own = d
			}
		}
		if len(claims) == 0 && own != nil {
			note(own, 0) // nobody else has told anything
		}

		if len(claims) > 0 {
			where[id] = slices.MinFunc(claims, func(a, b claim) int {
				return cmp.Or(cmp.Compare(b.voices, a.voices), cmp.Compare(a.sequence, b.sequence))
			}).addresses
		}
	}
	return where
}

// now returns the clock by which a relay's list is judged: that of its own last
// word. A change of our clock takes nothing from its list.
func (v *opinion) now(other func() time.Time) func() time.Time {
	return func() time.Time {
		if t := v.said.Load(); t != nil {
			return *t
		}
		return other()
	}
}

// bound returns the earliest and the latest time possible, by the signatures of relays
// that are believed in.
func (c *Client) bound(relays map[NodeID]bool) clock.Bound {
	newest := map[NodeID]*directory.Descriptor{}
	for _, v := range c.opinions.m {
		for _, d := range v.dir.Snapshot().Relays {
			if old := newest[d.ID]; relays[d.ID] && (old == nil || d.Sequence > old.Sequence) {
				newest[d.ID] = d
			}
		}
	}
	return clock.BoundOf(directory.Signed(slices.Collect(maps.Values(newest)), c.cfg.AllowPrivate))
}

// age notes how long relays have been reached, as their sources say in the middle: one
// that calls its accomplices old is outvoted.
func (c *Client) age(relays map[NodeID]bool) {
	now := c.clock.Now()
	for id := range relays {
		var ages []time.Duration // below 0: only vouched for
		for _, v := range c.opinions.m {
			if _, listed := v.dir.Find(id); !listed {
				continue
			}
			age := -time.Second
			if since := v.dir.Since(id); !since.IsZero() {
				age = max(0, v.now(c.clock.Now)().Sub(since))
			}
			ages = append(ages, age)
		}

		if len(ages) == 0 {
			continue
		}
		slices.Sort(ages)

		since := now.Add(-ages[(len(ages)-1)/2])
		if since.After(now) || since.Sub(c.dir.Since(id)).Abs() < ageStep {
			continue
		}
		c.dir.Reached(id, since)
	}
}

// retire ends the voices of first sources once both guards have told theirs. They
// are asked no more, so that they would be against every relay that is new.
func (c *Client) retire() {
	guards := map[NodeID]bool{}
	for id, v := range c.opinions.m {
		if !v.whole.IsZero() && c.isGuard(id) {
			guards[id] = true
		}
	}
	if len(guards) >= guard.Use {
		maps.DeleteFunc(c.opinions.m, func(id NodeID, v *opinion) bool { return !v.whole.IsZero() && !guards[id] })
	}
}

// valid reports whether somebody has a descriptor of a relay that is not over.
func (os *opinions) valid(dir *directory.Directory, id NodeID) bool {
	if _, ok := dir.Find(id); ok {
		return true
	}
	for _, v := range os.m {
		if _, ok := v.dir.Find(id); ok {
			return true
		}
	}
	return false
}

// letGo closes the links of sources with lists that are not believed. A guard stays:
// package guard decides on its link.
func (c *Client) letGo(ids []NodeID) {
	links := c.links.Load()
	for _, id := range ids {
		c.doorFailed(id)
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

// oneSource reports whether only one relay has told which relays there are.
func (c *Client) oneSource() bool {
	c.opinions.mu.Lock()
	defer c.opinions.mu.Unlock()
	return !c.opinions.belief.Agreed && c.opinions.belief.Sources == 1
}

// agreed reports whether more than one source says which relays there are.
func (c *Client) agreed() bool {
	c.opinions.mu.Lock()
	defer c.opinions.mu.Unlock()
	return c.opinions.belief.Agreed
}

// disagree reports whether sources told lists of which nothing is believed.
func (c *Client) disagree() bool {
	c.opinions.mu.Lock()
	defer c.opinions.mu.Unlock()
	b := c.opinions.belief
	return b.Decided && b.Sources > 1 && len(b.Relays) == 0
}

// keepList asks the guards for news of the list, in turns.
func (c *Client) keepList(ctx context.Context, links *link.Links) error {
	few := 100 * time.Millisecond

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
			if err := c.pull(ctx, id); err == nil {
				if !all {
					break
				}
			} else if ctx.Err() == nil {
				c.log.Debug("asking for the list of relays", "relay", id, "err", err)
			}
		}

		// Failures ask for a look each; a minimum keeps that in bounds. While
		// relays are few, looks come by the timer anyway.
		pause := c.timing.listMin - time.Since(began)
		if len(c.dir.Snapshot().Relays) < MinRelays || pause <= 0 || c.untold() {
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

// toAsk returns the relays to ask for the list: guards, and sources that told theirs
// before. Those asked longest ago come first.
func (c *Client) toAsk(links *link.Links) []NodeID {
	ids := slices.DeleteFunc(shuffled(links.Peers()), func(id NodeID) bool { return !c.isGuard(id) && !c.told(id) })
	c.opinions.mu.Lock()
	defer c.opinions.mu.Unlock()
	last := func(id NodeID) (at time.Time) {
		if v := c.opinions.m[id]; v != nil {
			at = v.whole
		}
		return at
	}
	slices.SortStableFunc(ids, func(a, b NodeID) int { return last(a).Compare(last(b)) })
	return ids
}

// told reports whether a relay has told its list.
func (c *Client) told(id NodeID) bool {
	c.opinions.mu.Lock()
	defer c.opinions.mu.Unlock()
	v := c.opinions.m[id]
	return v != nil && !v.whole.IsZero()
}

// untold reports whether a guard has not told its list since the start.
func (c *Client) untold() bool {
	up := c.guardsUp()
	return slices.ContainsFunc(up, func(id NodeID) bool { return !c.told(id) })
}

// remember takes over the relays of the last start.
func (c *Client) remember(raws [][]byte) {
	c.opinions.remembered = raws
	for _, raw := range raws {
		if d, err := directory.Parse(raw); err == nil {
			c.opinions.kept = append(c.opinions.kept, d.ID)
			c.dir.Add(raw)
		}
	}
}
