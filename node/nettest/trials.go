package nettest

import (
	"context"
	"maps"
	"slices"
	"time"

	"starling/p2p"
	"starling/p2p/mailbox"
	"starling/p2p/outfox"
	"starling/p2p/watch"
)

// SetTrials lets clients that are made from now on try their mailboxes, as those of
// package p2p do.
func (n *Net) SetTrials(on bool) {
	n.mu.Lock()
	n.trials = on
	n.mu.Unlock()
}

// tryOut makes the watches by which a client tries its mailboxes. Real boxes come
// another way.
func (c *Client) tryOut() *watch.Watches {
	return watch.New(watch.Config{
		Post: c.askForTrials, Put: c.Put, Issued: func(p2p.NodeID) time.Time { return time.Time{} }, Missing: c.net.isDown,
		Count: func(string) {}, Patience: time.Second, Retry: time.Second, Poll: 6 * time.Minute, PollShare: 3 * time.Minute,
	})
}

func (n *Net) isDown(id p2p.NodeID) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.down[id]
}

// liars are the mailboxes that the client has found out.
func (c *Client) liars() []p2p.NodeID {
	if c.trials == nil {
		return nil
	}
	return c.trials.Liars()
}

// An asked is a request of a trial. It stands.
type asked struct{}

func (asked) BackOver(p2p.NodeID) bool { return false }
func (asked) Valid() bool              { return true }
func (asked) Failed()                  {}
func (asked) Held() bool               { return false }

// askForTrials is watch.Config.Post. It looks for tags of trials, which no watch of the
// client waits for.
func (c *Client) askForTrials(ctx context.Context, node p2p.NodeID, n int, _ bool, seal watch.Sealing, answered func(*mailbox.Answer)) (watch.Request, error) {
	if err := c.state(); err != nil {
		return nil, err
	}
	blocks := make([]*outfox.Block, n)
	for i := range blocks {
		var err error
		if blocks[i], err = outfox.ParseBlock(make([]byte, outfox.BlockSize)); err != nil {
			return nil, err
		}
	}
	m, err := seal(blocks)
	if err != nil {
		return nil, err
	}
	req, err := mailbox.ParseRequest(m)
	if err != nil {
		return nil, err
	}

	f := req.(*mailbox.Fetch)
	c.mu.Lock()
	watches := slices.Collect(maps.Values(c.watches))
	c.mu.Unlock()
	tags := slices.DeleteFunc(slices.Clone(f.Tags), func(t p2p.Tag) bool {
		return slices.ContainsFunc(watches, func(w watchAt) bool { return slices.Contains(w.tags, t) })
	})
	c.Ack("", node, f.Acks...)
	found, err := c.Fetch(ctx, node, tags)
	if err != nil {
		return asked{}, nil // no answer
	}
	a := &mailbox.Answer{Kind: mailbox.None, Standing: n - 1}
	for t, box := range found {
		a = &mailbox.Answer{Kind: mailbox.Found, Tag: t, Box: mailbox.Box(box), Standing: n - 1}
	}
	c.begin(func() { answered(a) })
	return asked{}, nil
}
