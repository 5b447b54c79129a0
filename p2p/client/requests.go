package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"starling/p2p/directory"
	"starling/p2p/directory/exchange"
	"starling/p2p/mailbox"
	"starling/p2p/mix"
	"starling/p2p/outfox"
	"starling/p2p/pace"
	"starling/p2p/watch"
)

// maxReplies bounds the reply blocks that are out, about 300 bytes each.
const maxReplies = 1 << 14

// A request is one packet to a mailbox and the reply blocks it carries.
type request struct {
	mailbox NodeID
	sent    time.Time
	there   [outfox.Layers]outfox.Hop
	slot    outfox.Slot // in which the packet expires
	backs   []*back
	lost    chan struct{} // closed when a guard on the way is lost; may be nil
	owed    bool          // an answer comes at once, or something is wrong
	test    bool          // see sounder: it proves nothing to the judge
	// answered is called for every answer, from the reader of a link: quick.
	answered func(*mailbox.Answer)
	came     chan *mailbox.Answer // of a question
	c        *Client
	blamed   atomic.Bool // the judge knows that no answer came
}

// back is the way of one answer.
type back struct {
	req  *request
	way  [outfox.Layers - 1]outfox.Hop
	slot outfox.Slot // in which the block expires
}

// guard is the guard that hands the answer over.
func (b *back) guard() NodeID { return b.way[len(b.way)-1].ID }

// first is the guard that the request goes out by.
func (r *request) first() NodeID { return r.there[0].ID }

// BackOver implements watch.Request.
func (r *request) BackOver(guard NodeID) bool {
	return slices.ContainsFunc(r.backs, func(b *back) bool { return b.guard() == guard })
}

// Valid implements watch.Request.
func (r *request) Valid() bool { return r.valid(r.c.dir.Snapshot(), r.c.routes.doubtful()) }

// Failed implements watch.Request.
func (r *request) Failed() { r.c.failed(r) }

// valid reports whether all hops are still there with the same keys, and the
// mixes on the ways back not doubtful.
func (r *request) valid(snap *directory.Snapshot, doubtful []NodeID) bool {
	gone := func(slot outfox.Slot) func(h outfox.Hop) bool {
		return func(h outfox.Hop) bool {
			d, ok := snap.Find(h.ID)
			if !ok {
				return true
			}
			key, ok := d.Key(uint32(slot.Epoch()))
			return ok && !key.Equal(h.Key)
		}
	}
	return !slices.ContainsFunc(r.there[:], gone(r.slot)) &&
		!slices.ContainsFunc(r.backs, func(b *back) bool {
			return slices.ContainsFunc(b.way[:], gone(b.slot)) ||
				slices.ContainsFunc(b.way[:], func(h outfox.Hop) bool { return slices.Contains(doubtful, h.ID) })
		})
}

func ids(way []outfox.Hop) []NodeID {
	list := make([]NodeID, len(way))
	for i, h := range way {
		list[i] = h.ID
	}
	return list
}

// reply opens a packet that a guard has brought.
func (c *Client) reply(from NodeID, body []byte) {
	p, err := outfox.ParsePacket(body)
	if err != nil {
		c.refused.Add("malformed packet")
		return
	}
	b, msg, err := c.replies.Open(p)
	if err != nil {
		c.refused.Add("reply nobody waits for")
		return
	}
	a, err := mailbox.ParseAnswer(msg)
	if err != nil {
		c.refused.Add("malformed answer")
		return
	}
	c.space.over(b.req)
	b.came(from, a, time.Now())
}

// came hands an answer to its request.
func (b *back) came(from NodeID, a *mailbox.Answer, now time.Time) {
	if !b.req.test {
		b.req.c.answered(b, from, now)
	}
	b.req.answered(a)
}

// answered notes that an answer came this way. It says nothing about the ways of
// other answers.
func (c *Client) answered(b *back, from NodeID, now time.Time) {
	c.judge.Passed(ids(b.req.there[:hops]), b.req.sent, now)
	c.judge.Answered(ids(b.way[:]), b.req.mailbox, now, now)
	c.sounder.Answered(now)
	if c.returns.answer() {
		pace.Kick(c.changed)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.guards.Trust(from)
	c.guards.Trust(b.req.first())
}

// ready returns the guards to use for a mailbox, or why there is no way to it.
func (c *Client) ready(mailbox NodeID) ([]NodeID, error) {
	up := c.guardsUp()
	if len(up) == 0 {
		return nil, ErrOffline
	}
	snap := c.routes.now()
	if len(snap.Relays) < MinRelays {
		return nil, ErrFewRelays
	}

	listed := func(id NodeID) bool { _, ok := snap.Find(id); return ok }
	doubtful := c.routes.doubtful()
	up = over(up, mailbox, listed, func(id NodeID) bool { return slices.Contains(doubtful, id) || c.pulses.silent(id) })
	up = c.space.order(up)

	// Our list may be of before: of when the mailbox was away, or the guards that are up.
	if !listed(mailbox) || !slices.ContainsFunc(up, listed) {
		if at := c.lists.listed.Load(); at == nil || time.Since(*at) > c.timing.listUnknown {
			pace.Kick(c.stale)
		}
		return nil, ErrUnknownRelay
	}
	return up, nil
}

// over returns the guards to go over to a mailbox. One that is doubtful, or silent just now, is the way when there is no other; one that
// is not listed is none.
func over(up []NodeID, mailbox NodeID, listed, doubted func(NodeID) bool) []NodeID {
	for _, fits := range []func(NodeID) bool{listed, func(id NodeID) bool { return id != mailbox && !doubted(id) }} {
		if some := slices.DeleteFunc(slices.Clone(up), func(id NodeID) bool { return !fits(id) }); len(some) > 0 {
			up = some
		}
	}
	return up
}

// postWatch sends a request of a watch.
func (c *Client) postWatch(ctx context.Context, to NodeID, n int, owed bool, seal watch.Sealing, answered func(*mailbox.Answer)) (watch.Request, error) {
	up, err := c.ready(to)
	if err != nil {
		return nil, err
	}
	req := &request{mailbox: to, owed: owed, answered: answered, c: c}
	if err := c.post(ctx, req, up, n, seal); err != nil {
		return nil, err
	}
	c.quotas.took(req.first())
	return req, nil
}

// short tells the guards that the only one that is up is where a message should go.
func (c *Client) short(up []NodeID, mailbox NodeID) {
	if len(up) != 1 || up[0] != mailbox {
		return
	}
	c.mu.Lock()
	c.guards.Short(time.Now())
	c.mu.Unlock()
	pace.Kick(c.wake)
}

// post sends a message with n reply blocks on its way to the mailbox of req.
// The blocks and the packet's header, 8 operations on a curve each, are made
// side by side.
func (c *Client) post(ctx context.Context, req *request, up []NodeID, n int, seal watch.Sealing) error {
	var made errgroup.Group
	guard, slot, way, err := c.routes.there(up, req.mailbox)
	if err != nil {
		c.short(up, req.mailbox)
		return err
	}

	var header *outfox.Header
	made.Go(func() (err error) {
		header, err = outfox.NewHeader(slot, way)
		return err
	})
	req.there, req.slot, req.sent = way, slot, time.Now()

	blocks := make([]*outfox.Block, n)
	for i := range blocks {
		slot, way, err := c.routes.back(up, i, req.mailbox)
		if err != nil {
			made.Wait()
			return err
		}
		b := &back{req, way, slot}
		made.Go(func() (err error) {
			blocks[i], err = c.replies.Block(slot, way, b)
			return err
		})
		req.backs = append(req.backs, b)
	}

	if err := made.Wait(); err != nil {
		return fmt.Errorf("make packet: %w", err)
	}
	msg, err := seal(blocks)
	if err != nil {
		return fmt.Errorf("make request: %w", err)
	}

	links := c.links.Load()
	if links == nil {
		return ErrOffline
	}
	if err := links.SendWait(ctx, guard, header.Wrap(msg).Frame()); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return ErrOffline
	}

	c.space.sent(req)
	for _, id := range req.guards() {
		if req.owed {
			c.due(id, req.sent)
		}
	}
	return nil
}

// patience is how long an answer may take: the mixes' delays, six of them, are
// very rarely more than four times their mean in sum.
func (c *Client) patience() time.Duration {
	delay := c.cfg.MeanDelay
	if delay == 0 {
		delay = mix.DefaultMeanDelay
	}
	return c.timing.answer + 24*max(0, delay)
}

// guards are those over which a request went out, and over which alone its answer
// could have come.
func (r *request) guards() []NodeID {
	ids := []NodeID{r.first()}
	if len(r.backs) == 1 && r.backs[0].guard() != r.first() {
		ids = append(ids, r.backs[0].guard())
	}
	return ids
}

// failed notes that a request brought no answer. That says something of relays only
// while the guards on its way are there. A guard that has sent nothing since is asked
// for a sign of life, see due. Without one the connection was dead, and no relay is
// blamed for the losses on it.
func (c *Client) failed(req *request) {
	c.space.over(req)
	heard := func() bool {
		return !slices.ContainsFunc(req.guards(), func(id NodeID) bool { return !c.pulses.since(id, req.sent) })
	}
	for _, id := range req.guards() {
		c.pulses.missed(id, req.sent)
	}
	c.returns.miss(req.mailbox, req.sent)
	pace.Kick(c.changed)
	pace.Kick(c.stale)
	if heard() {
		c.blame(req)
		return
	}
	time.AfterFunc(exchange.PageTimeout, func() {
		if heard() {
			c.blame(req)
		}
	})
}

// blame tells the judge of a request that brought no answer, though the guards were
// there. Of several ways back one would have been enough; the way there is the only
// one.
func (c *Client) blame(req *request) {
	if req.blamed.Swap(true) {
		return
	}
	now := time.Now()
	mixes := ids(req.there[:hops])
	if len(req.backs) == 1 {
		mixes = append(mixes, ids(req.backs[0].way[:])...)
	}
	c.judge.Failed(mixes, req.mailbox, req.sent, now)
	c.sounder.failed(mixes, req.mailbox, now)
	pace.Kick(c.blamed)
	if c.judge.Dark() {
		pace.Kick(c.dark)
	}
}

// Put stores a box over one fresh route and waits for the mailbox to say that
// it is on disk. After ErrTimeout it may be there or not; the same box may be
// put again. See AwaitQuota for many of them. Where a network lets few answers through, a
// deadline is put off until one could have come.
func (c *Client) Put(ctx context.Context, to NodeID, tag Tag, box []byte) error {
	if len(box) != BoxSize {
		return ErrSize
	}
	a, _, err := c.question(ctx, to, 1, func(blocks []*outfox.Block) (*outfox.Message, error) {
		put := mailbox.Put{Tag: tag, Box: mailbox.Box(box), Block: blocks[0]}
		return put.Message(), nil
	})
	if err != nil {
		return err
	}
	if err = outcome(a, box); errors.Is(err, ErrTimeout) {
		c.refused.Add("wrong answer")
	}
	return err
}

// outcome is the result of a put by its answer. A box that lies there already is
// stored, even when the mailbox calls it taken. Any other answer is none.
func outcome(a *mailbox.Answer, box []byte) error {
	switch a.Kind {
	case mailbox.Stored:
		return nil
	case mailbox.Taken:
		if !a.Here {
			return ErrTaken
		}
		if bytes.Equal(a.Box[:], box) {
			return nil
		}
		return &TakenError{Box: a.Box[:]}
	case mailbox.Full:
		return ErrFull
	}
	return ErrTimeout
}

// expect lets a request fail at once when a guard on its way is lost, until
// the returned function is called.
func (c *Client) expect(req *request) (end func()) {
	req.lost = make(chan struct{})
	links := c.links.Load()
	c.mu.Lock()
	defer c.mu.Unlock()
	if links == nil || !links.Connected(req.first()) {
		close(req.lost)
		return func() {}
	}
	c.expected[req] = struct{}{}
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.expected, req)
	}
}

// guardLost fails the requests with all answers over a guard, and those that perhaps
// still wait to be sent over it.
func (c *Client) guardLost(id NodeID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for req := range c.expected {
		if req.first() == id || req.BackOver(id) {
			delete(c.expected, req)
			close(req.lost)
		}
	}
}

// question sends a message with n reply blocks to a mailbox and waits for the first
// answer. Others are in came of the request.
func (c *Client) question(ctx context.Context, to NodeID, n int, seal watch.Sealing) (*mailbox.Answer, *request, error) {
	up, err := c.ready(to)
	if err != nil {
		return nil, nil, err
	}
	req := &request{mailbox: to, owed: true, c: c, came: make(chan *mailbox.Answer, n)}
	req.answered = func(a *mailbox.Answer) {
		select {
		case req.came <- a:
		default:
		}
	}
	if err := c.post(ctx, req, up, n, seal); err != nil {
		return nil, nil, err
	}
	defer c.expect(req)()
	defer c.space.over(req)

	// The time for an answer stands still while the connection on which it comes has no
	// room for it. The end of the links is the loss of the guard.
	timer := time.NewTimer(c.patience())
	defer timer.Stop()
	ended := ctx.Done()
	for waits := true; waits; {
		select {
		case a := <-req.came:
			return a, req, nil
		case <-req.lost:
			return nil, nil, ErrTimeout
		case <-timer.C:
			if waits = req.Held(); waits {
				timer.Reset(spaceLook)
			}
		case <-ended:
			if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return nil, nil, ctx.Err()
			}
			waits, ended = c.space.sparing(req.answerOver()), nil
		}
	}
	c.failed(req)
	return nil, nil, ErrTimeout
}

// Fetch looks once for boxes. It returns those that are there; a tag without
// one is missing from the map.
func (c *Client) Fetch(ctx context.Context, from NodeID, tags []Tag) (map[Tag][]byte, error) {
	found := map[Tag][]byte{}
	for len(tags) > 0 {
		n := min(len(tags), mailbox.MaxTags)
		if err := c.fetch(ctx, from, tags[:n], found); err != nil {
			return found, err
		}
		tags = tags[n:]
	}
	return found, nil
}

// fetch asks until every tag is found or the mailbox says that it has none of
// those still missing.
func (c *Client) fetch(ctx context.Context, from NodeID, tags []Tag, found map[Tag][]byte) error {
	for {
		var missing []Tag
		for _, t := range tags {
			if found[t] == nil {
				missing = append(missing, t)
			}
		}
		if len(missing) == 0 {
			return nil
		}
		before := len(found)
		none, err := c.fetchOnce(ctx, from, missing, found)
		if err != nil || none || len(found) == before {
			return err
		}
	}
}

func (c *Client) fetchOnce(ctx context.Context, from NodeID, tags []Tag, found map[Tag][]byte) (none bool, err error) {
	n := min(mailbox.BlocksFor(len(tags)), len(tags))
	a, req, err := c.question(ctx, from, n, func(blocks []*outfox.Block) (*outfox.Message, error) {
		f := mailbox.Fetch{Tags: tags, Blocks: blocks}
		return f.Message()
	})
	if err != nil {
		return false, err
	}
	c.quotas.took(req.first())

	for got := 1; ; got++ {
		switch a.Kind {
		case mailbox.None:
			return true, nil
		case mailbox.Found:
			if slices.Contains(tags, a.Tag) {
				found[a.Tag] = a.Box[:]
			} else {
				c.refused.Add("wrong answer")
			}
		default:
			c.refused.Add("wrong answer")
			return false, ErrTimeout
		}
		if got == n {
			return false, nil
		}
		timer := time.NewTimer(c.patience() / 8) // each has a way of its own
		select {
		case a = <-req.came:
			timer.Stop()
		case <-timer.C:
			return false, nil
		case <-ctx.Done():
			timer.Stop()
			return false, ctx.Err()
		}
	}
}
