// Package watch keeps standing subscriptions: it asks mailboxes to push the boxes under
// certain tags, and renews the requests.
//
// A watch is a key of the caller, a mailbox and a list of tags. It lives as
// leases at its mailbox. A lease is some of the tags and the reply blocks left
// with them; each block brings one answer.
//
//	a lease      left  event                          becomes
//	─            0     the watch is due               under way
//	under way    n     first answer                   standing, one block less
//	under way    n     no answer in time              ─; its acknowledgements go along again
//	standing     n     answer: a box                  standing, one block less
//	standing     ≤ 1   any answer                     standing, and the watch is due
//	standing     > 0   guard lost, relay gone, doubt  spent, and the watch is due
//	standing     any   the mailbox has more           spent, and the watch is due
//	any          any   a new lease with its tags      ─
//
//	a watch is due when                                after
//	its tags change, at least half not covered         at once
//	its tags change, mostly covered                    settle
//	a box is acknowledged                              about 4 settle
//	blocks run low, in a burst new tags                burstGather
//	answers were sent that have not come               half of Patience
//	a box came, minutes after answers were lost        lossLook
//	a request had no answer                            Retry, doubled up to 8 times as long
//	more than eight in a row                           Retry, doubled up to a minute
//	the same, and the mailbox seems to be gone         the next poll, or 6 minutes
//	the mailbox has no seat for it                     a third of a poll
//	a stamp for a seat is made                         at once
//	a late trial is to be asked for                    up to 200 ms
//	nothing happens                                    the next poll
//	guard or relay lost, or a guard came up            up to 200 ms
//
// What a mailbox says brings a request forward only so often; see hasteMost.
//
// Requests of different watches are never put together: the mailbox must not
// learn that they have one owner.
//
// Mailboxes are tried now and then with a box of the watch's own; see [TrialEvery].
package watch

import (
	"context"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"starling/p2p/mailbox"
	"starling/p2p/outfox"
	"starling/p2p/pace"
	"starling/p2p/wire"
)

const (
	maxPoll = 4 * time.Hour // well below mailbox.SubscriptionLife
	settle  = 500 * time.Millisecond
	// settleSparing takes its place, and that of its multiples, where each answer takes the room of another.
	// A mailbox pushes a box again that nobody has acknowledged for longer.
	settleSparing = 10 * time.Second
	soonest       = 200 * time.Millisecond
	// Watches that try again when a guard comes up do so about retryApart from each
	// other: a guard reads 20 frames a second (package limits).
	retryApart = 50 * time.Millisecond
	// A mailbox that seems to be gone is asked again before the judge forgets that, 10
	// minutes after the last request without an answer: else it is never replaced.
	stillMissing = 6 * time.Minute
	doubted      = 8 // requests without an answer that follow each other soon: the judge needs as many
	fewBlocks    = 1 // standing blocks at which new ones are sent
	// blocksSparing is how many blocks a lease takes at most there.
	blocksSparing = 3
	// lookSparing is how long after a box, or the sign of a loss, it is looked whether others were lost.
	lookSparing = 2 * time.Minute
	// heldLook is when it is looked again whether an answer is held up.
	heldLook = 500 * time.Millisecond

	// A burst is when the blocks of a lease are used up within burstTime, or a
	// mailbox says that it has more. From then on tags are asked for in leases with a
	// block for each, of burstBegin tags at first and twice as many each time. New tags
	// are asked for as they turn up, burstGather together, beside those under way. It
	// ends when nothing has come for burstEnd. Without it every four or five boxes
	// would take a round trip.
	burstTime   = time.Second
	burstEnd    = 3 * time.Second
	burstGather = 50 * time.Millisecond
	burstBegin  = 3 * mailbox.MaxBlocks
	burstMost   = 128
)

// Config is the environment and the settings of Watches.
type Config struct {
	// Post sends a fetch with n reply blocks to a mailbox. answered gets every
	// answer, from the reader of a link: quick. An answer is owed at once, or comes with the next entry, or never.
	Post func(ctx context.Context, to wire.NodeID, n int, owed bool, seal Sealing, answered func(*mailbox.Answer)) (Request, error)
	// Issued returns when the descriptor of a mailbox was issued, the zero time if it is
	// not in the list of relays.
	Issued func(wire.NodeID) time.Time
	// Renews returns when the descriptor after that one is due; nil: nobody knows.
	Renews func(wire.NodeID) time.Time
	// Missing reports whether a mailbox is not listed, or does not answer though others do.
	Missing func(wire.NodeID) bool
	// OnBox gets every box, at least once, one at a time. The box is found again
	// until it is acknowledged. It may be nil.
	OnBox func(mailbox wire.NodeID, tag mailbox.Tag, box []byte)
	// OnEntry gets every entry of the logs that are followed, in any order, and OnEnd the
	// end of a log when all before it was handed out; see Follow. They may be nil.
	OnEntry func(key string, at wire.NodeID, e mailbox.LogEntry)
	OnEnd   func(key string, at wire.NodeID, end mailbox.LogEnd)
	// Put stores a box of a trial, over a route like a sender's. nil: no mailbox is tried.
	Put func(ctx context.Context, to wire.NodeID, tag mailbox.Tag, box []byte) error
	// Kept is the Record of the last start. Keep, if not nil, is called when there is
	// something to be kept; it must not wait.
	Kept Record
	Keep func()
	// Sparing reports whether the network lets few answers through; nil is never.
	Sparing func() bool
	// Room reports whether an answer may come now, if Sparing.
	Room func() bool
	// Count counts refusals, by reason.
	Count func(reason string)
	// Patience is how long an answer may take.
	Patience time.Duration
	// Retry is the first pause after a request without an answer.
	Retry time.Duration
	// Poll is how often a watch asks at least. All watches together ask no more
	// often than PollShare times their number.
	Poll, PollShare time.Duration
	// Stamp makes a stamp for a lease; nil is mailbox.FindStamp.
	Stamp func(ctx context.Context, at wire.NodeID, lease mailbox.LeaseID, day time.Time, bits int) (uint64, error)
	// Now is the clock for stamps and boxes of trials; nil is time.Now.
	Now func() time.Time
}

// A Sealing makes a message that takes reply blocks along.
type Sealing func([]*outfox.Block) (*outfox.Message, error)

// A Request is on its way, or its blocks stand at the mailbox.
type Request interface {
	// BackOver reports whether an answer may come in by a guard.
	BackOver(guard wire.NodeID) bool
	// Valid reports whether its relays are still there with the same keys.
	Valid() bool
	// Failed is told that no answer came in time.
	Failed()
	// Held reports whether an answer is held up on its way, and its time not over.
	Held() bool
}

// Watches are the standing subscriptions of one client.
type Watches struct {
	cfg     Config
	boxes   chan found
	news    chan news // of logs
	wake    chan struct{}
	bills   chan bill   // stamps to be made
	errands chan errand // boxes of trials to be put

	mu        sync.Mutex
	m         map[string]*watch
	delivered map[place]delivery
	lost      int // guards and relays, so often
	began     time.Time
	lived     time.Duration // until then
	verdicts  map[wire.NodeID]verdict
	layaways  map[watchID]layaway // of watches that have not come yet
}

// New makes watches. Nothing is sent before Run.
func New(cfg Config) *Watches {
	if cfg.Stamp == nil {
		cfg.Stamp = mailbox.FindStamp
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	ws := &Watches{
		cfg: cfg, began: time.Now(),
		boxes: make(chan found, boxQueue), news: make(chan news, boxQueue), wake: make(chan struct{}, 1), bills: make(chan bill, 1), errands: make(chan errand),
		m: map[string]*watch{}, delivered: map[place]delivery{}, verdicts: map[wire.NodeID]verdict{}, layaways: map[watchID]layaway{},
	}
	ws.take(cfg.Kept)
	return ws
}

type watch struct {
	key      string
	mailbox  wire.NodeID
	tags     []mailbox.Tag
	acks     []mailbox.Tag
	leases   []*lease
	due      time.Time
	failures int
	anew     time.Time // when it was asked for that
	renews   time.Time // when the next one is due
	issued   time.Time // the descriptor of the mailbox, at the last news
	burst    int       // how many tags are to have a block each; 0 in quiet times
	until    time.Time // when the burst is over, unless more comes
	seat     seat
	trial    *trial    // nil: none
	follow   *follow   // nil: it waits for tags
	asked    time.Time // when the last request was sent
	haste    int
	hurried  bool      // the next request leaves before its time
	lossy    time.Time // until when the loss of an answer is a warning
}

// expect makes the burst one of n boxes at least.
func (w *watch) expect(n int, now time.Time) {
	if w.haste < hasteCost {
		return
	}
	w.burst = max(w.burst, min(n, burstMost))
	w.until = now.Add(burstEnd)
}

// Watch asks a mailbox to push boxes under tags as they arrive, and keeps
// asking. It replaces the watch of the same key; no tags end it.
func (ws *Watches) Watch(key string, at wire.NodeID, tags []mailbox.Tag) {
	now := time.Now()
	ws.mu.Lock()
	defer ws.mu.Unlock()

	w := ws.m[key]
	if w == nil || w.mailbox != at {
		// Acknowledgements that are owed to the former mailbox are still sent there.
		if w != nil {
			ws.orphan(w.key, w.mailbox, w.owed(), now)
		}
		if len(tags) == 0 {
			delete(ws.m, key)
			return
		}
		w = &watch{key: key, mailbox: at, seat: newSeat(), haste: hasteMost}
		w.listed(ws)
		ws.m[key] = w
		w.trial = ws.firstTrial(w, now)
	}

	// A request for the same tags would tell the mailbox that something has happened.
	if slices.Equal(w.tags, tags) {
		return
	}
	w.tags = slices.Clone(tags)
	switch {
	case len(tags) == 0:
		delete(ws.m, key)
		ws.orphan(w.key, at, w.owed(), now)
	case !w.covered():
		w.at(now)
	case w.burst > 0:
		w.at(now.Add(burstGather))
	default:
		// Most of the tags stand there already: news can wait for more news.
		w.at(now.Add(ws.settle(1)))
	}
	pace.Kick(ws.wake)
}

// settle is how long news that can wait do so for more of them.
func (ws *Watches) settle(times int) time.Duration {
	if ws.sparing() {
		return settleSparing
	}
	return time.Duration(times) * settle
}

// lossWait is how long answers may be on their way until they count as lost: d, or longer where few come.
func lossWait(ws *Watches, d time.Duration) time.Duration {
	if ws.sparing() {
		return lookSparing
	}
	return d
}

// mayAsk reports whether a request of a watch may leave now. Where the network lets few
// answers through, one at a time does, while there is room for its answer.
func (ws *Watches) mayAsk(w *watch, now time.Time) bool {
	if !ws.sparing() || ws.cfg.Room() && !slices.ContainsFunc(w.leases, func(l *lease) bool { return !l.answered && l.deadline.After(now) }) {
		return true
	}
	w.due = now.Add(heldLook)
	return false
}

func (ws *Watches) sparing() bool { return ws.cfg.Sparing != nil && ws.cfg.Sparing() }

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

// at brings the next request forward, unless the last one had no answer: then the
// next leaves when failed says.
func (w *watch) at(t time.Time) {
	if w.due.IsZero() || t.Before(w.due) && w.failures == 0 {
		w.due = t
	}
}

// Run sends requests and hands out boxes until ctx ends.
func (ws *Watches) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return ws.send(ctx) })
	g.Go(func() error { return ws.dispatch(ctx) })
	g.Go(func() error { return ws.dispatchNews(ctx) })
	g.Go(func() error { return ws.pay(ctx) })
	g.Go(func() error { return ws.putTrials(ctx) })
	return g.Wait()
}

// send sends the requests that are due until ctx ends.
func (ws *Watches) send(ctx context.Context) error {
	return pace.Loop(ctx, ws.wake, func() time.Time { return ws.sendDue(ctx, time.Now()) })
}

// sendDue does the work that is due and returns when to look again. Requests leave without
// the lock: a guard that reads nothing holds up neither answers nor callers.
func (ws *Watches) sendDue(ctx context.Context, now time.Time) time.Time {
	var due []*lease
	ws.mu.Lock()
	// Overdue ones first: they make watches due.
	for _, w := range ws.m {
		ws.overdue(w, now)
		ws.missing(w, now)
		ws.tryOut(w, now)
		if !w.due.After(now) && ws.mayAsk(w, now) {
			due = append(due, ws.issue(w, now)...)
		}
	}
	ws.mu.Unlock()

	// After a request that could not leave the others of its watch wait with it.
	var stuck *watch
	for _, l := range due {
		var err error
		if l.w != stuck {
			err = ws.post(ctx, l)
		}
		if l.w == stuck || err != nil {
			ws.unsent(l, l.w != stuck)
			stuck = l.w
		}
	}

	ws.mu.Lock()
	defer ws.mu.Unlock()
	return ws.next(now)
}

// next returns when to look again, and forgets watches with nothing left to do.
func (ws *Watches) next(now time.Time) time.Time {
	// Everything that makes a watch due kicks the loop as well: the hour is a bound, and no interval.
	next := now.Add(time.Hour)
	for _, w := range ws.m {
		if w.idle() && len(w.acks) == 0 && len(w.leases) == 0 {
			delete(ws.m, w.key)
			continue
		}

		next = w.trial.before(next)
		if w.due.Before(next) {
			next = w.due
		}
		if w.follow != nil && len(w.follow.awaited) > 0 && w.follow.awaited[0].by.Before(next) {
			next = w.follow.awaited[0].by
		}
		for _, l := range w.leases {
			if !l.answered && l.deadline.Before(next) {
				next = l.deadline
			}
			if !l.doubt.IsZero() && l.doubt.Before(next) {
				next = l.doubt
			}
		}
	}
	return next
}

// overdue gives up leases that were not answered in time. Several at once are
// one failure: a burst has many under way.
func (ws *Watches) overdue(w *watch, now time.Time) {
	late := false
	w.leases = slices.DeleteFunc(w.leases, func(l *lease) bool {
		if l.answered {
			// An acknowledgement alone is over with its answer.
			return len(l.tags)+len(l.logs) == 0
		}
		if l.deadline.After(now) {
			return false
		}
		if l.req != nil && l.req.Held() {
			l.deadline = now.Add(heldLook)
			return false
		}
		l.req.Failed()
		w.owe(l.acks...)
		l.acks = nil
		late = true
		return true
	})

	if late {
		w.lossy = now.Add(lossLasts)
		ws.failed(w, now)
	}
}

// failed puts the next attempt off: with a mailbox that seems to be gone until
// the next poll, or as long as the judge goes on to believe so at least.
func (ws *Watches) failed(w *watch, now time.Time) {
	if w.failures++; w.follow != nil && w.failures >= nearFailures {
		ws.pass(w, now)
	}
	doublings, most := 7, time.Minute
	switch {
	case w.idle(): // nobody waits for an acknowledgement
		doublings, most = 14, time.Hour
	case w.failures <= doubted: // the judge needs so many to tell the mailbox from the routes
		doublings = 3
	}

	switch {
	case w.idle() && w.failures >= abandoned:
		w.acks = nil
	case ws.cfg.Missing(w.mailbox) && !w.idle():
		w.due = now.Add(min(ws.interval(), pace.Jitter(stillMissing)))
	default:
		w.due = now.Add(pace.Jitter(min(ws.cfg.Retry<<min(w.failures, doublings), most)))
	}
}

// idle reports whether a watch waits for nothing but to acknowledge.
func (w *watch) idle() bool { return len(w.tags) == 0 && w.follow == nil }

// issue makes the leases of one watch that are to leave now.
func (ws *Watches) issue(w *watch, now time.Time) (made []*lease) {
	if w.follow != nil {
		return ws.issueFollow(w, now)
	}
	w.due = now.Add(ws.pause(w))
	if now.After(w.until) || w.haste < hasteCost {
		w.burst = 0
	}

	standing := ws.keep(w)
	again := holdBack + 1 // the soonest of the boxes that were handed out and not acknowledged
	var tags []mailbox.Tag
	for _, t := range w.names() {
		d, ok := ws.delivered[place{w.mailbox, t}]
		switch {
		case standing[t]:
		case !ok || !d.fresh(now):
			tags = append(tags, t)
		case !d.acked:
			again = min(again, holdBack-now.Sub(d.at))
		}
	}

	// Each lease takes as many tags as its blocks can answer, and acknowledgements as there is
	// room.
	acks := w.acks
	w.acks = nil
	dense := w.burst - len(standing) // how many tags are to have a block each
	for len(tags) > 0 || len(acks) > 0 {
		l := &lease{w: w, made: now, seat: w.seat, lost: ws.lost, deadline: now.Add(ws.cfg.Patience)}
		most, blocks := mailbox.MaxTags, 3
		if dense > 0 {
			most, blocks = mailbox.MaxBlocks, mailbox.MaxBlocks
		}
		l.tags, tags = cut(tags, most)
		dense -= len(l.tags)
		if len(l.tags) == 0 && len(made) > 0 && w.failures > 0 {
			w.acks = acks // one request is enough to see whether it answers
			break
		}
		l.acks, acks = cut(acks, min(mailbox.MaxAcks, mailbox.Room(blocks)-len(l.tags)))
		l.left = 1
		if len(l.tags) > 0 {
			l.left = min(mailbox.BlocksFor(len(l.tags)+len(l.acks)), len(l.tags)+1) // "none" takes one
			if ws.sparing() {                                                       // others would bring the same boxes again while they wait
				l.left = min(l.left, blocksSparing)
			}
		}
		l.stands = l.left
		made = append(made, l)
	}

	w.leases = append(w.leases, made...)
	w.spend(len(made))
	if again <= holdBack {
		w.hurry(now.Add(again))
	}
	return made
}

// keep drops the leases that new ones replace: in a burst those that do not
// stand, else all. It returns the tags of the leases that stay. Acknowledgements of
// leases under way were perhaps lost with them: they go along once more.
func (ws *Watches) keep(w *watch) map[mailbox.Tag]bool {
	standing := map[mailbox.Tag]bool{}
	w.leases = slices.DeleteFunc(w.leases, func(l *lease) bool {
		if w.burst > 0 && !l.spent {
			var rest []mailbox.Tag
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
			w.owe(l.acks...)
		}
		return true
	})
	return standing
}

func cut(tags []mailbox.Tag, n int) (head, rest []mailbox.Tag) {
	n = min(n, len(tags))
	return tags[:n:n], tags[n:]
}

// interval is how long until the next poll: the more watches, the longer, so
// that all of them together cost a client a fixed share of traffic.
func (ws *Watches) interval() time.Duration {
	d := max(ws.cfg.Poll, time.Duration(len(ws.m))*ws.cfg.PollShare)
	return pace.Jitter(min(d, maxPoll))
}

// answer takes one answer to a lease. It is called from a link's reader.
func (ws *Watches) answer(l *lease, a *mailbox.Answer) {
	now := time.Now()
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if l.w.follow != nil {
		ws.answerFollow(l, a, now)
		pace.Kick(ws.wake)
		return
	}

	w := l.w
	l.left--
	firstAnswer := !l.answered
	// An answer shows that the acknowledgements of the request have arrived.
	if firstAnswer {
		l.answered = true
		l.acks = nil
		w.failures = 0
	}

	current := ws.m[w.key] == w && slices.Contains(w.leases, l)
	if current && len(l.tags) > 0 && (a.Kind == mailbox.None || a.Kind == mailbox.Found) {
		ws.seated(w, a, now)
		l.compare(a, now.Add(lossWait(ws, ws.cfg.Patience/2)))
	}

	// Trial boxes look like any other, and must not be handed over.
	ours := ws.tested(l, a, firstAnswer, now)
	switch a.Kind {
	case mailbox.None:
	case mailbox.Found:
		// A mailbox sends boxes for others, or made up ones.
		if !slices.Contains(l.tags, a.Tag) {
			ws.cfg.Count("wrong answer")
			break
		}
		if l.came++; l.came == 1 {
			l.first = now
		}
		if w.burst > 0 {
			w.until = now.Add(burstEnd)
		}
		if w.lossy.After(now) { // the next push may be lost, and no other come to show it
			w.hurry(now.Add(lossWait(ws, lossLook)))
		}

		// Pushed again until it is acknowledged: one copy is handed over for some time.
		at := place{w.mailbox, a.Tag}
		if d, ok := ws.delivered[at]; ours || ok && d.fresh(now) {
			break
		}
		select {
		case ws.boxes <- found{w.mailbox, a.Tag, a.Box[:]}:
			ws.remember(at, w.key, now)
		default:
			// Not remembered: the mailbox keeps it, and it is asked for again.
			ws.cfg.Count("boxes come too fast")
			w.hurry(now.Add(pace.Jitter(4 * settle)))
		}
		if a.Pending > 0 {
			// All blocks of the lease are on their way here; ask for the rest
			// when most of them have come.
			l.spent = true
			w.expect(a.Pending+mailbox.MaxBlocks, now)
			w.hurry(now.Add(burstGather))
		}
	default:
		ws.cfg.Count("wrong answer")
	}

	if l.left <= fewBlocks && l.came > fewBlocks && now.Sub(l.first) < burstTime {
		w.expect(max(burstBegin, 2*w.burst), now)
	}
	// One block is enough for one tag.
	if few := min(fewBlocks, len(l.tags)-1); current && (l.left <= few || l.came > 0 && l.left <= fewBlocks) && len(l.tags) > 0 && !w.seat.none {
		w.hurry(now.Add(burstGather))
	}
	pace.Kick(ws.wake)
}
