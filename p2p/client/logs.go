package client

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"starling/p2p/mailbox"
	"starling/p2p/outfox"
)

// Types of package mailbox that callers need.
type (
	// LogName names a log, and is the right to read it.
	LogName = mailbox.LogName
	// Entry is a signed box of a log.
	Entry = mailbox.Entry
	// LogEntry is an entry at its place in a log of a mailbox.
	LogEntry = mailbox.LogEntry
	// LogEnd says what a mailbox has of a log.
	LogEnd = mailbox.LogEnd
	// LogPosition is the place up to which a log was read.
	LogPosition = mailbox.LogPosition
)

// readsSideBySide is how many requests of one ReadLog are under way at a time.
const readsSideBySide = 8

// Append adds an entry to the log of a public key over one fresh route, and waits for the
// mailbox to say that it is on disk. It is nil also when the same was there. Otherwise it
// fails as Put does, and the same entry may be appended again. See AwaitQuota for many.
func (c *Client) Append(ctx context.Context, to NodeID, log [32]byte, e Entry) error {
	a, _, err := c.question(ctx, to, 1, func(blocks []*outfox.Block) (*outfox.Message, error) {
		request := mailbox.Append{Key: log, Entry: e, Block: blocks[0]}
		return request.Message(), nil
	})
	if err != nil {
		return err
	}
	if err = outcome(a, e.Box[:]); err == ErrTimeout {
		c.refused.Add("wrong answer")
	}
	return err
}

// Follow asks a mailbox to push the entries of logs as they arrive, and keeps asking. The
// logs are at most eight, and all of one room: a mailbox sees that they are read together.
// It replaces the follow of the same key at that mailbox; no logs end it. After of a
// position acknowledges all entries up to it: it may pass a position when all below were
// handed out, at OnEnd for certain. When the mailbox has another instance of a log all its
// entries are handed out.
//
// Follows of one key at two mailboxes are of the same logs: one mailbox pushes, and an entry
// comes from it alone while the other says that it has the same. Both ends are handed out.
func (c *Client) Follow(key string, at NodeID, logs []LogPosition) { c.watches.Follow(key, at, logs) }

// FollowAgain asks all mailboxes of a follow at once what they have: the caller misses an entry. Their
// ends are handed out though they are the same as before. Who calls it all the time is answered at the polls.
func (c *Client) FollowAgain(key string) { c.watches.Again(key) }

// ReadLog reads at most so many entries of a log, from those after a position on, and says
// what the mailbox has of it. After mailbox.Newest it reads the newest, five at most, the
// last first.
func (c *Client) ReadLog(ctx context.Context, from NodeID, name LogName, after uint32, most int) ([]LogEntry, LogEnd, error) {
	if after == mailbox.Newest {
		p, err := c.look(ctx, from, name, after, min(most, mailbox.MaxBlocks))
		if err != nil {
			return nil, LogEnd{}, err
		}
		slices.SortFunc(p.entries, func(a, b LogEntry) int { return cmp.Compare(b.Position, a.Position) })
		end, err := endOf(ctx, c, from, name, p.end)
		return p.entries, end, err
	}

	// Parts are read side by side, until there are enough or the mailbox has no more.
	found := map[uint32]LogEntry{}
	var end *LogEnd
	waiting := 1
	for len(found) < most && (end == nil || after < end.Last) {
		// A part begins where the one before would end if no position were missing.
		parts := make([]part, min(readsSideBySide, 1+waiting/mailbox.MaxBlocks))
		reading, ctx := errgroup.WithContext(ctx)
		for i := range parts {
			reading.Go(func() (err error) {
				parts[i], err = c.look(ctx, from, name, after+uint32(i*mailbox.MaxBlocks), mailbox.MaxBlocks)
				return err
			})
		}
		if err := reading.Wait(); err != nil {
			return sorted(found, most), LogEnd{}, err
		}

		before := after
		for _, p := range parts {
			for _, e := range p.entries {
				found[e.Position] = e
				after = max(after, e.Position)
			}
			if waiting = p.waiting; p.end != nil {
				end = p.end
			}
		}
		if after == before {
			break // there is no more, whatever the end says
		}
	}

	last, err := endOf(ctx, c, from, name, end)
	return sorted(found, most), last, err
}

// sorted returns the first entries by position.
func sorted(found map[uint32]LogEntry, most int) []LogEntry {
	all := slices.SortedFunc(maps.Values(found), func(a, b LogEntry) int { return cmp.Compare(a.Position, b.Position) })
	return all[:min(len(all), most)]
}

// endOf asks for the end of a log, unless it is known.
func endOf(ctx context.Context, c *Client, from NodeID, name LogName, end *LogEnd) (LogEnd, error) {
	if end != nil {
		return *end, nil
	}
	p, err := c.look(ctx, from, name, mailbox.Newest-1, 1)
	if err == nil && p.end == nil {
		err = ErrTimeout
	}
	if err != nil {
		return LogEnd{}, err
	}
	return *p.end, nil
}

// A part is the answer to one range read.
type part struct {
	entries []LogEntry
	waiting int     // more, that there was no block for
	end     *LogEnd // nil: no block was left for it
}

// look reads some entries. If answers are lost on their way it fails.
func (c *Client) look(ctx context.Context, from NodeID, name LogName, after uint32, n int) (p part, err error) {
	a, req, err := c.question(ctx, from, n, func(blocks []*outfox.Block) (*outfox.Message, error) {
		f := mailbox.Follow{Logs: []LogPosition{{Name: name, After: after}}, Blocks: blocks}
		return f.Message()
	})
	if err != nil {
		return p, err
	}
	c.quotas.took(req.first())

	sent := n
	for {
		switch {
		case a.Kind == mailbox.Logged && a.Entry.Name == name && a.Entry.Position > 0:
			p.entries, p.waiting = append(p.entries, *a.Entry), a.Pending
		case a.Kind == mailbox.Ended && len(a.Ends) == 1 && a.Ends[0].Name == name:
			p.end, sent = &a.Ends[0], a.Sent
		default:
			c.refused.Add("wrong answer")
			return p, ErrTimeout
		}
		if len(p.entries) >= sent {
			return p, nil
		}
		timer := time.NewTimer(c.patience() / 2)
		select {
		case a = <-req.came:
			timer.Stop()
		case <-timer.C:
			return p, ErrTimeout
		case <-ctx.Done():
			timer.Stop()
			return p, ctx.Err()
		}
	}
}
