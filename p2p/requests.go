package p2p

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"starling/p2p/directory"
	"starling/p2p/mailbox"
	"starling/p2p/mix"
	"starling/p2p/outfox"
)

// maxReplies bounds the reply blocks that are out, about 300 bytes each.
const maxReplies = 1 << 14

// A request is one packet to a mailbox and the reply blocks it carries.
type request struct {
	mailbox NodeID
	first   NodeID        // the guard it goes out by
	guards  []NodeID      // that answers may come in by
	hops    []outfox.Hop  // of all the ways, there and back
	epoch   outfox.Epoch  // of their keys
	lost    chan struct{} // closed when a guard on the way is lost; may be nil
	// answered is called for every answer, from the reader of a link: quick.
	answered func(*mailbox.Answer)
}

// relays returns who carried the request and may carry its answers.
func (r *request) relays() []NodeID {
	var ids []NodeID
	for _, h := range r.hops {
		if !slices.Contains(ids, h.ID) {
			ids = append(ids, h.ID)
		}
	}
	return ids
}

// valid reports whether all of them are still there with the same keys.
func (r *request) valid(snap *directory.Snapshot) bool {
	return !slices.ContainsFunc(r.hops, func(h outfox.Hop) bool {
		d, ok := snap.Find(h.ID)
		if !ok {
			return true
		}
		key, ok := d.Key(uint32(r.epoch))
		return ok && !key.Equal(h.Key)
	})
}

// reply opens a packet that a guard has brought.
func (c *Client) reply(from NodeID, body []byte) {
	p, err := outfox.ParsePacket(body)
	if err != nil {
		c.refused.add("malformed packet")
		return
	}
	req, msg, err := c.replies.Open(p)
	if err != nil {
		c.refused.add("reply nobody waits for")
		return
	}
	a, err := mailbox.ParseAnswer(msg)
	if err != nil {
		c.refused.add("malformed answer")
		return
	}
	c.mutes.answered(from, req.first)
	req.answered(a)
}

// ready returns the guards to use for a mailbox, or why there is no way to it.
func (c *Client) ready(mailbox NodeID) ([]NodeID, error) {
	up, _ := c.guardsUp()
	if len(up) == 0 {
		return nil, ErrOffline
	}
	// Doubts are about mixes: who is asked for is tried.
	c.doubts.excused(append(up, mailbox))
	snap := c.directoryNow()
	if len(snap.Relays) < MinRelays {
		return nil, ErrFewRelays
	}
	if _, ok := snap.Find(mailbox); !ok {
		if at := c.listed.Load(); at == nil || time.Since(*at) > c.timing.listUnknown {
			kick(c.stale)
		}
		return nil, ErrUnknownRelay
	}
	return up, nil
}

// A sealing is a message that takes reply blocks along.
type sealing func([]*outfox.Block) (*outfox.Message, error)

// post sends a message with n reply blocks on its way to the mailbox of req.
// The blocks and the packet's header, 8 operations on a curve each, are made
// side by side.
func (c *Client) post(ctx context.Context, req *request, up []NodeID, n int, seal sealing) error {
	var made errgroup.Group
	guard, epoch, way, err := c.forward(up, req.mailbox)
	if err != nil {
		return err
	}
	var header *outfox.Header
	made.Go(func() (err error) {
		header, err = outfox.NewHeader(epoch.Byte(), way)
		return err
	})
	req.first, req.epoch = guard, epoch
	req.hops = append(req.hops, way[:]...)
	blocks := make([]*outfox.Block, n)
	for i := range blocks {
		epoch, way, err := c.back(up, i, req.mailbox)
		if err != nil {
			made.Wait()
			return err
		}
		made.Go(func() (err error) {
			blocks[i], err = c.replies.Block(epoch, way, req)
			return err
		})
		req.hops = append(req.hops, way[:]...)
		req.guards = append(req.guards, way[len(way)-1].ID)
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

// answered notes that a request brought an answer.
func (c *Client) answered(req *request) {
	// Which of several blocks came back nobody knows.
	proved := req.relays()
	if len(req.guards) > 1 {
		proved = proved[:0]
		for _, h := range req.hops[len(req.hops)-outfox.Layers:] {
			proved = append(proved, h.ID)
		}
	}
	c.doubts.answered(proved, time.Now())
	c.silence.answer(req.mailbox, time.Now())
}

// failed notes that a request brought no answer.
func (c *Client) failed(req *request) {
	up, _ := c.guardsUp()
	mixes := slices.DeleteFunc(req.relays(), func(id NodeID) bool {
		return id == req.mailbox || slices.Contains(up, id)
	})
	now := time.Now()
	c.doubts.failed(mixes, append(up, req.mailbox), now)
	c.silence.failed(req.mailbox, now)
	// Of several ways back one is enough; the way there is the only one.
	over := []NodeID{req.first}
	if len(req.guards) == 1 && req.guards[0] != req.first {
		over = append(over, req.guards[0])
	}
	if c.mutes.failed(over, req.mailbox, now) {
		c.doubts.forgive()
		kick(c.wake)
	}
	kick(c.stale)
}

// Put stores a box over one fresh route and waits for the mailbox to say that
// it is on disk. After ErrTimeout it may be there or not; the same box may be
// put again.
func (c *Client) Put(ctx context.Context, to NodeID, tag Tag, box []byte) error {
	if len(box) != BoxSize {
		return ErrSize
	}
	up, err := c.ready(to)
	if err != nil {
		return err
	}
	answer := make(chan *mailbox.Answer, 1)
	req := &request{mailbox: to, answered: func(a *mailbox.Answer) {
		select {
		case answer <- a:
		default:
		}
	}}
	err = c.post(ctx, req, up, 1, func(blocks []*outfox.Block) (*outfox.Message, error) {
		put := mailbox.Put{Tag: tag, Box: mailbox.Box(box), Block: blocks[0]}
		return put.Message(), nil
	})
	if err != nil {
		return err
	}
	defer c.expect(req)()
	a, err := c.await(ctx, req, answer)
	if err != nil {
		return err
	}
	switch a.Kind {
	case mailbox.Stored:
		return nil
	case mailbox.Taken:
		return ErrTaken
	case mailbox.Full:
		return ErrFull
	}
	c.refused.add("wrong answer")
	return ErrTimeout
}

// expect lets a request fail at once when a guard on its way is lost, until
// the returned function is called.
func (c *Client) expect(req *request) (end func()) {
	req.lost = make(chan struct{})
	links := c.links.Load()
	c.mu.Lock()
	defer c.mu.Unlock()
	if links == nil || !links.Connected(req.first) {
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

// guardLost fails what could only have come back, or is perhaps still waiting
// to be sent, over a guard.
func (c *Client) guardLost(id NodeID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for req := range c.expected {
		if req.first == id || slices.Contains(req.guards, id) {
			delete(c.expected, req)
			close(req.lost)
		}
	}
}

// await waits for the first answer to a request.
func (c *Client) await(ctx context.Context, req *request, answer <-chan *mailbox.Answer) (*mailbox.Answer, error) {
	timer := time.NewTimer(c.patience())
	defer timer.Stop()
	select {
	case a := <-answer:
		c.answered(req)
		return a, nil
	case <-req.lost:
		return nil, ErrTimeout
	case <-timer.C:
	case <-ctx.Done():
		if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return nil, ctx.Err()
		}
	}
	c.failed(req)
	return nil, ErrTimeout
}

// moreWait is how long further answers may trail the first: each has a way of
// its own.
func (c *Client) moreWait() time.Duration { return c.patience() / 8 }

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
	up, err := c.ready(from)
	if err != nil {
		return false, err
	}
	answers := make(chan *mailbox.Answer, mailbox.MaxBlocks)
	req := &request{mailbox: from, answered: func(a *mailbox.Answer) {
		select {
		case answers <- a:
		default:
		}
	}}
	n := min(blocksFor(len(tags)), len(tags))
	err = c.post(ctx, req, up, n, func(blocks []*outfox.Block) (*outfox.Message, error) {
		f := mailbox.Fetch{Tags: tags, Blocks: blocks}
		return f.Message()
	})
	if err != nil {
		return false, err
	}
	defer c.expect(req)()
	a, err := c.await(ctx, req, answers)
	if err != nil {
		return false, err
	}
	for got := 1; ; got++ {
		switch a.Kind {
		case mailbox.None:
			return true, nil
		case mailbox.Found:
			if asked(tags, a.Tag) {
				found[a.Tag] = a.Box[:]
			} else {
				c.refused.add("wrong answer")
			}
		default:
			c.refused.add("wrong answer")
			return false, ErrTimeout
		}
		if got == n {
			return false, nil
		}
		timer := time.NewTimer(c.moreWait())
		select {
		case a = <-answers:
			timer.Stop()
		case <-timer.C:
			return false, nil
		case <-ctx.Done():
			timer.Stop()
			return false, ctx.Err()
		}
	}
}

// blocksFor returns how many reply blocks go along with that many tags.
func blocksFor(tags int) int {
	n := mailbox.MaxBlocks
	for n > 1 && mailbox.Room(n) < tags {
		n--
	}
	return n
}

func asked(tags []Tag, t Tag) bool {
	for _, a := range tags {
		if a == t {
			return true
		}
	}
	return false
}
