package client

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"starling/p2p/directory"
	"starling/p2p/mailbox"
	"starling/p2p/outfox"
	"starling/p2p/pace"
)

const (
	// farSettled is how long a relay must have been there for others to know it.
	farSettled = time.Hour
	// farKept is how many answers are remembered.
	farKept = 8
	// darkMost is the most between two questions while nobody answers anything.
	darkMost = 30 * time.Minute
)

// far remembers the answers of relays that were asked through the mixes, and so do
// not know the asker.
type far struct {
	mu    sync.Mutex
	other []bool // the last answers: whether it lists other relays than we do
}

func (f *far) note(other bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.other = append(f.other, other)
	f.other = f.other[max(0, len(f.other)-farKept):]
}

// counts returns how many were asked, and how many of them list other relays.
func (f *far) counts() (asked, other int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, o := range f.other {
		if o {
			other++
		}
	}
	return len(f.other), other
}

// askFar asks a random relay about once a day, through the mixes, for a part of its
// list and its time. Guards with a list of their own making do not know that it is
// compared, and the relay does not know with which list.
//
// It asks one, too, when requests go unanswered one after the other. An answer clears the
// guards and mixes that it came over, so that none is given up for the silence of
// mailboxes, and the mailboxes are missed.
func (c *Client) askFar(ctx context.Context) error {
	turns := farTurns{every: c.timing.far, first: c.timing.dark, wait: c.timing.dark,
		daily: time.Now().Add(rand.N(c.timing.far/4 + 1))}
	return pace.Loop(ctx, c.dark, func() time.Time {
		if turns.due(time.Now(), c.judge.LastAnswer(), c.judge.Dark()) {
			err := c.askOneFar(ctx)
			if err != nil && ctx.Err() == nil {
				c.log.Debug("asking a relay through the mixes for its list", "err", err)
			}
			turns.asked(time.Now(), err == nil)
		}
		return turns.next(c.judge.Dark())
	})
}

// farTurns say when to ask a relay from afar: about once a day, and in the dark ever less
// often while nothing is heard. A darkness after a mailbox has answered is a new one.
type farTurns struct {
	every, first time.Duration // between questions, and between the first ones in the dark
	daily        time.Time     // the next one
	last         time.Time     // when one ended
	wait         time.Duration // from it to the next one in the dark
	free         time.Time     // the same as a time
	answer       time.Time     // of a mailbox, the last that was known
}

// due reports whether to ask now, when a mailbox has answered last at a time.
func (f *farTurns) due(now, answer time.Time, dark bool) bool {
	if !answer.Equal(f.answer) {
		f.answer = answer
		f.again()
	}
	if now.Before(f.daily) && (!dark || now.Before(f.free)) {
		return false
	}
	f.daily = now.Add(pace.Jitter(f.every))
	return true
}

// again begins with the first wait, from the last question on.
func (f *farTurns) again() {
	f.wait, f.free = f.first, f.last.Add(pace.Jitter(f.first))
}

// asked notes that a question has ended.
func (f *farTurns) asked(now time.Time, answered bool) {
	if f.wait = min(2*f.wait, darkMost); answered {
		f.wait = f.first
	}
	f.last, f.free = now, now.Add(pace.Jitter(f.wait))
}

// next returns when to look again.
func (f *farTurns) next(dark bool) time.Time {
	if dark && f.free.Before(f.daily) {
		return f.free
	}
	return f.daily
}

func (c *Client) askOneFar(ctx context.Context) error {
	c.mu.Lock()
	guards := c.guards.Met()
	c.mu.Unlock()
	some, err := c.routes.Pick(1, guards...)
	if err != nil {
		return routeError(err)
	}
	to := some[0]
	first := c.firstByte()
	a, req, err := c.question(ctx, to, 1, func(blocks []*outfox.Block) (*outfox.Message, error) {
		q := mailbox.Question{First: first, Block: blocks[0]}
		return q.Message(), nil
	})
	if err != nil {
		return err
	}
	if a.Kind != mailbox.Listed {
		c.refused.Add("wrong answer")
		return ErrTimeout
	}

	c.clock.Hear(to, a.List.Time, time.Since(req.sent))
	c.far.note(others(c.dir.Snapshot(), a.List, first, c.clock.Now()))
	c.lists.believe()
	pace.Kick(c.changed)
	return nil
}

// firstByte draws which part of the list to ask for: any, or one of which we know a
// relay. In a small network most parts are empty.
func (c *Client) firstByte() byte {
	relays := c.dir.Snapshot().Relays
	if len(relays) == 0 || rand.IntN(2) == 0 {
		return byte(rand.IntN(256))
	}
	return relays[rand.IntN(len(relays))].ID[0]
}

// others reports whether a relay lists other relays than we do: more than half of
// those that it names are strange to us, or it has twice as many, or half as many, in
// all. Relays that are new, or are none, do not count.
func others(mine *directory.Snapshot, list *mailbox.List, first byte, now time.Time) bool {
	named, strange := 0, 0
	for _, e := range list.Entries {
		d, err := directory.Parse(e.Descriptor)
		if err != nil || d.ID[0] != first || d.Leaving() || !d.Expires.After(now) || now.Sub(d.Issued) < farSettled {
			continue
		}
		named++
		if _, ok := mine.Find(d.ID); !ok {
			strange++
		}
	}
	n := len(mine.Relays)
	return 2*strange > named || list.Relays > 2*n || 2*list.Relays < n
}
