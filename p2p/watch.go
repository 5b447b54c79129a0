package p2p

import (
	"context"
	"encoding/hex"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"starling/p2p/mailbox"
	"starling/p2p/outfox"
)

const (
	maxDelivered = 1 << 14          // boxes handed out that are remembered
	holdBack     = 30 * time.Second // before one is handed out again, unless acknowledged
	boxQueue     = 256              // boxes that wait for OnBox
	maxPoll      = 4 * time.Hour    // well below mailbox.SubscriptionLife
	settle       = 500 * time.Millisecond
	fewBlocks    = 1 // standing blocks at which new ones are sent

	// A burst is when the blocks of a lease are used up within burstTime, or a
	// mailbox says that it has more. From then on until nothing has come for
	// burstEnd, tags are asked for in leases that have a block for each, of
	// burstBegin tags at first and twice as many each time, and those that turn
	// up are asked for as they do, burstGather together, beside those that are
	// under way. Without it every four or five boxes would take a round trip.
	burstTime   = time.Second
	burstEnd    = 3 * time.Second
	burstGather = 50 * time.Millisecond
	burstBegin  = 3 * mailbox.MaxBlocks
	burstMost   = 128
)

// watches are the standing subscriptions. Each lives as one or more leases at
// its mailbox, a lease being tags and the reply blocks left with them:
//
//	Watch ──> due ──> request ──> first answer ──> blocks stand ──┐
//	           ^         |no answer                               |
//	           └─────────┴── new tags, blocks used up, guard or relay lost, poll
//
// Requests of different watches are never put together: the mailbox must not
// learn that they have one owner.
type watches struct {
	c     *Client
	boxes chan found
	wake  chan struct{}

	mu        sync.Mutex
	m         map[string]*watch
	delivered map[place]delivery
}

// place is where a box lies: the same one may lie in two mailboxes.
type place struct {
	mailbox NodeID
	tag     Tag
}

type found struct {
	mailbox NodeID
	tag     Tag
	box     []byte
}

// delivery remembers whose box was handed out, and when. The same box can come
// twice when it was pushed and asked for at the same time.
type delivery struct {
	key   string
	at    time.Time
	acked bool
}

// fresh reports whether the box need not be handed out again.
func (d delivery) fresh(now time.Time) bool { return d.acked || now.Sub(d.at) < holdBack }

type watch struct {
	key      string
	mailbox  NodeID
	tags     []Tag
	acks     []Tag
	leases   []*lease
	due      time.Time
	failures int
	burst    int       // how many tags are to have a block each; 0 in quiet times
	until    time.Time // when the burst is over, unless more comes
}

type lease struct {
	w        *watch
	req      *request
	tags     []Tag
	acks     []Tag     // went along; not certain before the first answer
	left     int       // answers that can still come
	came     int       // boxes
	first    time.Time // when the first of them came
	answered bool
	spent    bool // nothing stands any more: the mailbox had more than blocks, or the way is gone
	deadline time.Time
}

// expect makes the burst one of n boxes at least.
func (w *watch) expect(n int, now time.Time) {
	w.burst = max(w.burst, min(n, burstMost))
	w.until = now.Add(burstEnd)
}

func (ws *watches) init(c *Client) {
	ws.c = c
	ws.boxes = make(chan found, boxQueue)
	ws.wake = make(chan struct{}, 1)
	ws.m = map[string]*watch{}
	ws.delivered = map[place]delivery{}
}

// Watch asks a mailbox to push boxes under tags as they arrive, and keeps
// asking. It replaces the watch of the same key; no tags end it.
func (c *Client) Watch(key string, mailbox NodeID, tags []Tag) {
	ws := &c.watches
	now := time.Now()
	ws.mu.Lock()
	defer ws.mu.Unlock()
	w := ws.m[key]
	if w == nil || w.mailbox != mailbox {
		if w != nil {
			ws.orphan(w.mailbox, w.acks, now)
		}
		if len(tags) == 0 {
			delete(ws.m, key)
			return
		}
		w = &watch{key: key, mailbox: mailbox}
		ws.m[key] = w
	}
	if slices.Equal(w.tags, tags) {
		return
	}
	w.tags = slices.Clone(tags)
	switch {
	case len(tags) == 0:
		delete(ws.m, key)
		ws.orphan(mailbox, w.acks, now)
	case !w.covered():
		w.at(now)
	case w.burst > 0:
		w.at(now.Add(burstGather))
	default:
		// Most of the tags stand there already: news can wait for more news.
		w.at(now.Add(settle))
	}
	kick(ws.wake)
}

// covered reports whether leases with blocks stand for at least half of the
// tags.
func (w *watch) covered() bool {
	n := 0
	for _, l := range w.leases {
		if l.left > fewBlocks {
			for _, t := range l.tags {
				if slices.Contains(w.tags, t) {
					n++
				}
			}
		}
	}
	return n > 0 && 2*n >= len(w.tags)
}

// at brings the next request forward.
func (w *watch) at(t time.Time) {
	if w.due.IsZero() || t.Before(w.due) {
		w.due = t
	}
}

// Ack lets a mailbox delete boxes, with the next request. Acknowledging twice,
// or what was never there, does no harm.
func (c *Client) Ack(mailbox NodeID, tags ...Tag) {
	ws := &c.watches
	now := time.Now()
	ws.mu.Lock()
	defer ws.mu.Unlock()
	var orphans []Tag
	for _, t := range tags {
		w := ws.asking(mailbox, t)
		if d, ok := ws.delivered[place{mailbox, t}]; ok {
			d.acked = true
			ws.delivered[place{mailbox, t}] = d
			w = ws.m[d.key]
		}
		if w != nil && w.mailbox == mailbox {
			w.acks = append(w.acks, t)
			w.at(now.Add(jitter(4 * settle)))
		} else {
			orphans = append(orphans, t)
		}
	}
	ws.orphan(mailbox, orphans, now)
	kick(ws.wake)
}

// asking returns the watch that names a tag at a mailbox, nil if none does.
func (ws *watches) asking(mailbox NodeID, t Tag) *watch {
	for _, w := range ws.m {
		if w.mailbox == mailbox && slices.Contains(w.tags, t) {
			return w
		}
	}
	return nil
}

// orphan sends acknowledgements whose watch is gone in a watch of their own.
func (ws *watches) orphan(mailbox NodeID, acks []Tag, now time.Time) {
	if len(acks) == 0 {
		return
	}
	// The same tag is acknowledged at each mailbox that has a copy.
	key := "\x00ack " + mailbox.String() + " " + hex.EncodeToString(acks[0][:])
	ws.m[key] = &watch{key: key, mailbox: mailbox, acks: acks, due: now.Add(jitter(2 * settle))}
}

// guardLost renews what could have come back over a guard.
func (ws *watches) guardLost(id NodeID) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for _, w := range ws.m {
		for _, l := range w.leases {
			if l.left > 0 && l.req.backOver(id) {
				l.spent = true
				w.at(soon())
			}
		}
	}
	kick(ws.wake)
}

// retry lets watches that failed try again now: a guard came up.
func (ws *watches) retry() {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for _, w := range ws.m {
		if w.failures > 0 {
			w.at(soon())
		}
	}
	kick(ws.wake)
}

// relaysChanged renews the leases whose blocks lead over relays that are gone,
// doubtful, or have new keys, and those at a mailbox that restarted.
func (ws *watches) relaysChanged() {
	snap, doubtful := ws.c.dir.Snapshot(), ws.c.doubtful()
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for _, w := range ws.m {
		for _, l := range w.leases {
			if l.left > 0 && !l.req.valid(snap, doubtful) {
				l.spent = true
				w.at(soon())
			}
		}
		if _, ok := snap.Find(w.mailbox); ok && w.failures > 0 {
			w.at(soon())
		}
	}
	kick(ws.wake)
}

// soon is a moment that does not show which event it follows.
func soon() time.Time { return time.Now().Add(rand.N(200 * time.Millisecond)) }

// run sends the requests that are due until ctx ends.
func (ws *watches) run(ctx context.Context) error {
	for {
		next := ws.turn(ctx, time.Now())
		timer := time.NewTimer(time.Until(next))
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		case <-ws.wake:
			timer.Stop()
		}
	}
}

// turn does what is due and returns when to look again.
func (ws *watches) turn(ctx context.Context, now time.Time) time.Time {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	next := now.Add(time.Hour)
	for _, w := range ws.m {
		ws.overdue(w, now)
		if !w.due.After(now) {
			ws.issue(ctx, w, now)
		}
		if len(w.tags) == 0 && len(w.acks) == 0 && len(w.leases) == 0 {
			delete(ws.m, w.key)
			continue
		}
		if w.due.Before(next) {
			next = w.due
		}
		for _, l := range w.leases {
			if !l.answered && l.deadline.Before(next) {
				next = l.deadline
			}
		}
	}
	return next
}

// overdue gives up leases that were not answered in time. Several at once are
// one failure: a burst has many under way.
func (ws *watches) overdue(w *watch, now time.Time) {
	late := false
	w.leases = slices.DeleteFunc(w.leases, func(l *lease) bool {
		if l.answered {
			// An acknowledgement alone is over with its answer.
			return len(l.tags) == 0
		}
		if l.deadline.After(now) {
			return false
		}
		ws.c.failed(l.req)
		w.acks = append(w.acks, l.acks...)
		l.acks = nil
		late = true
		return true
	})
	if late {
		ws.failed(w, now)
	}
}

// failed puts the next attempt off: with a mailbox that seems to be gone until
// the next poll.
func (ws *watches) failed(w *watch, now time.Time) {
	w.failures++
	if ws.c.missing(ws.c.dir.Snapshot(), w.mailbox) {
		w.due = now.Add(ws.interval())
		return
	}
	pause := ws.c.timing.retryMin << min(w.failures, 7)
	w.due = now.Add(jitter(min(pause, time.Minute)))
}

// issue sends the requests of one watch, with new blocks.
func (ws *watches) issue(ctx context.Context, w *watch, now time.Time) {
	w.due = now.Add(ws.interval())
	if now.After(w.until) {
		w.burst = 0
	}
	standing := ws.keep(w)
	var tags []Tag
	for _, t := range w.tags {
		d, ok := ws.delivered[place{w.mailbox, t}]
		switch {
		case standing[t]:
		case !ok || !d.fresh(now):
			tags = append(tags, t)
		case !d.acked:
			w.at(d.at.Add(holdBack))
		}
	}
	acks := w.acks
	w.acks = nil
	dense := w.burst - len(standing) // how many tags are to have a block each
	for len(tags) > 0 || len(acks) > 0 {
		l := &lease{w: w, deadline: now.Add(ws.c.patience())}
		most, blocks := mailbox.MaxTags, 3
		if dense > 0 {
			most, blocks = mailbox.MaxBlocks, mailbox.MaxBlocks
		}
		l.tags, tags = cut(tags, most)
		dense -= len(l.tags)
		l.acks, acks = cut(acks, min(mailbox.MaxAcks, mailbox.Room(blocks)-len(l.tags)))
		if err := ws.post(ctx, l); err != nil {
			w.acks = append(append(w.acks, l.acks...), acks...)
			ws.failed(w, now)
			return
		}
		w.leases = append(w.leases, l)
	}
}

// keep drops the leases that new ones replace: in a burst those that do not
// stand, else all. It returns the tags of those that stay. Acknowledgements of
// leases under way were perhaps lost with them: they go along once more.
func (ws *watches) keep(w *watch) map[Tag]bool {
	standing := map[Tag]bool{}
	w.leases = slices.DeleteFunc(w.leases, func(l *lease) bool {
		if w.burst > 0 && !l.spent {
			var rest []Tag
			for _, t := range l.tags {
				if _, came := ws.delivered[place{w.mailbox, t}]; !came {
					rest = append(rest, t)
				}
			}
			if !l.answered || len(rest) > 0 && l.left >= min(len(rest), fewBlocks+1) {
				for _, t := range rest {
					standing[t] = true
				}
				return false
			}
		}
		if !l.answered {
			w.acks = append(w.acks, l.acks...)
		}
		return true
	})
	return standing
}

func cut(tags []Tag, n int) (head, rest []Tag) {
	n = min(n, len(tags))
	return tags[:n:n], tags[n:]
}

// interval is how long until the next poll: the more watches, the longer, so
// that all of them together cost a client a fixed share of traffic.
func (ws *watches) interval() time.Duration {
	d := max(ws.c.timing.poll, time.Duration(len(ws.m))*ws.c.timing.pollShare)
	return jitter(min(d, maxPoll))
}

func (ws *watches) post(ctx context.Context, l *lease) error {
	c := ws.c
	up, err := c.ready(l.w.mailbox)
	if err != nil {
		return err
	}
	l.req = &request{mailbox: l.w.mailbox, answered: func(a *mailbox.Answer) { ws.answer(l, a) }}
	n := 1
	if len(l.tags) > 0 {
		n = min(blocksFor(len(l.tags)+len(l.acks)), len(l.tags)+1) // "none" takes one
	}
	l.left = n
	return c.post(ctx, l.req, up, n, func(blocks []*outfox.Block) (*outfox.Message, error) {
		f := mailbox.Fetch{Tags: l.tags, Acks: l.acks, Blocks: blocks, Watch: len(l.tags) > 0}
		return f.Message()
	})
}

// answer takes one answer to a lease. It is called from a link's reader.
func (ws *watches) answer(l *lease, a *mailbox.Answer) {
	now := time.Now()
	ws.mu.Lock()
	defer ws.mu.Unlock()
	w := l.w
	l.left--
	if !l.answered {
		l.answered = true
		l.acks = nil
		w.failures = 0
	}
	current := ws.m[w.key] == w && slices.Contains(w.leases, l)
	switch a.Kind {
	case mailbox.None:
	case mailbox.Found:
		if !asked(l.tags, a.Tag) {
			ws.c.refused.add("wrong answer")
			break
		}
		if l.came++; l.came == 1 {
			l.first = now
		}
		if w.burst > 0 {
			w.until = now.Add(burstEnd)
		}
		at := place{w.mailbox, a.Tag}
		if d, ok := ws.delivered[at]; ok && d.fresh(now) {
			break
		}
		select {
		case ws.boxes <- found{w.mailbox, a.Tag, a.Box[:]}:
			ws.remember(at, w.key, now)
		default:
			ws.c.refused.add("boxes come too fast")
			w.at(now.Add(jitter(4 * settle)))
		}
		if a.Pending > 0 {
			// All blocks of the lease are on their way here; ask for the rest
			// when most of them have come.
			l.spent = true
			w.expect(a.Pending+mailbox.MaxBlocks, now)
			w.at(now.Add(burstGather))
		}
	default:
		ws.c.refused.add("wrong answer")
	}
	if l.left <= fewBlocks && l.came > fewBlocks && now.Sub(l.first) < burstTime {
		w.expect(max(burstBegin, 2*w.burst), now)
	}
	if current && l.left <= fewBlocks && len(l.tags) > 0 {
		w.at(now.Add(burstGather))
	}
	kick(ws.wake)
}

func (ws *watches) remember(at place, key string, now time.Time) {
	if len(ws.delivered) >= maxDelivered {
		maps.DeleteFunc(ws.delivered, func(_ place, d delivery) bool { return d.acked })
	}
	if len(ws.delivered) >= maxDelivered {
		clear(ws.delivered)
	}
	ws.delivered[at] = delivery{key: key, at: now}
}

// dispatch hands boxes out, one at a time, until ctx ends.
func (ws *watches) dispatch(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case f := <-ws.boxes:
			if ws.c.cfg.OnBox != nil {
				ws.c.cfg.OnBox(f.mailbox, f.tag, f.box)
			}
		}
	}
}
