// Package rooms is the part of the node that takes part in rooms. It joins
// session/group, which knows a room and no network, with the logs at mailboxes and the
// profile on disk.
//
// # An update
//
// Every change of a room is one update: entries of logs that came, something to say, a
// change that the owner of the profile makes, the time. An update is one transaction. It holds
// the secrets that have moved, the new entries of the membership log, how far the logs were
// read, the messages and events that it made, and the appends. So a crash repeats a
// update whole or not at all, and nothing leaves before it is on disk.
//
// # Out
//
// A content waits in a queue from the transaction on that shows it as queued. An update
// seals it once the room has keys for it. Each entry goes to both mailboxes of the room, and
// is tried until both have it: then its message is sent. Nothing is delivered in a room.
//
// # In
//
// The logs of every place are followed at both mailboxes. A content is shown after
// those that its author had seen (order.go); messages that were read stay where they are. Logs of which
// something was lost are read again from their beginning (follow.go).
package rooms

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"starling/node/store"
	"starling/session/group"
)

// Network is the network, as far as rooms need it.
type Network interface {
	// AwaitQuota waits until something may be sent.
	AwaitQuota(ctx context.Context) error
	// Append puts an entry into a log at a mailbox.
	Append(ctx context.Context, node store.Node, log [32]byte, e Sealed) error
	// Follow has the mailbox hand over the entries of logs after the positions; none ends it.
	Follow(key string, node store.Node, logs []store.LogPosition)
	// FollowAgain has all mailboxes of a follow asked at once: something is missing. Their ends
	// come though they are the same as before.
	FollowAgain(key string)
	// AddHint reads a mailbox that somebody else chose.
	AddHint(hint []byte) (store.Node, error)
	// ChooseMailboxes draws up to n mailboxes.
	ChooseMailboxes(n int, avoid ...store.Node) ([]store.Mailbox, error)
	// Meeting ranks mailboxes by a secret and returns the first n.
	Meeting(secret [32]byte, n int) ([]group.Mailbox, error)
	// Missing returns those of some mailboxes that do not work. The error says that there is no network.
	Missing([]store.Node) ([]store.Node, error)
}

// Sealed is an entry of a log as it travels.
type Sealed struct {
	Tag       store.Tag
	Signature [64]byte
	Box       []byte
}

// The answers to an append that are no success.
var (
	// ErrHold: there is no network; nothing was tried.
	ErrHold = errors.New("there is no network")
	// ErrTaken: the log has another entry under the tag.
	ErrTaken = errors.New("the tag is taken")
	// ErrFull: the log is full.
	ErrFull = errors.New("the log is full")
)

// An Entry is an entry of a log that a mailbox handed over, by one of our follows: an admin or the maker of a link
// chooses the names of logs, and two rooms may name one.
type Entry struct {
	Key                string
	Node               store.Node
	Name               [16]byte
	Instance, Position uint32
	Sealed
}

// An End tells how long a log is at a mailbox.
type End struct {
	Key            string
	Node           store.Node
	Name           [16]byte
	Instance, Last uint32
	Empty          bool // all that was there has expired
}

// Config is the environment of the rooms.
type Config struct {
	Store   *store.Store
	Network Network
	// Now is the time of day by the relays.
	Now func() (now time.Time, told bool)
	// Hold is for how long a content waits for those before it; 0 is [DefaultHold].
	Hold time.Duration
	// Delays is called when contents are delayed that were not, or the other way round, or for other reasons: the given ones, or all; nil: nobody.
	Delays func(...store.ContentID)
	Logger *slog.Logger // nil: silence
}

const (
	// DefaultHold is longer than a sender needs to find out that a mailbox does not
	// answer, while the other one has the entry.
	DefaultHold = 2 * time.Minute
	// maxBatch is how many entries share an update, maxWaiting how many wait for one.
	maxBatch   = 64
	maxWaiting = 256
	// diskPause is how long to wait after a write failed.
	diskPause = 2 * time.Second
)

// Rooms are the rooms of a profile. Its methods may be called from any goroutine, but for
// Restored.
type Rooms struct {
	cfg    Config
	log    *slog.Logger
	in     chan any // Entry or End
	wake   chan struct{}
	sender *sender
	ctx    context.Context // of Run: entries handed over must not outlive it
	cancel context.CancelFunc

	// updates is held for an update: one at a time, since a room is opened once.
	updates sync.Mutex
	open    map[store.ID]*part

	mu       sync.Mutex
	follows  map[followKey][]store.LogPosition
	position map[logAt]position
	ended    map[logAt]time.Time      // when the end of a log came last
	missing  map[store.Node]time.Time // mailboxes, since when
	looked   time.Time                // when these were looked for last
	waiting  map[store.ID]Waiting
	due      map[store.ID]time.Time
	refused  map[string]int64
	progress chan struct{} // closed when an append has reached a mailbox, or an update is over
}

// New makes the rooms of a profile. They work from Run on.
func New(cfg Config) *Rooms {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Hold == 0 {
		cfg.Hold = DefaultHold
	}
	rs := &Rooms{cfg: cfg, log: cfg.Logger, in: make(chan any, maxWaiting), wake: make(chan struct{}, 1),
		open: make(map[store.ID]*part), follows: make(map[followKey][]store.LogPosition),
		position: make(map[logAt]position), ended: make(map[logAt]time.Time), waiting: make(map[store.ID]Waiting), due: make(map[store.ID]time.Time), refused: make(map[string]int64),
		progress: make(chan struct{})}
	rs.ctx, rs.cancel = context.WithCancel(context.Background())
	rs.sender = newSender(rs)
	return rs
}

// OnEntry takes an entry that a mailbox hands over.
func (rs *Rooms) OnEntry(e Entry) { rs.hand(e) }

// OnEnd takes the end of a log at a mailbox.
func (rs *Rooms) OnEnd(e End) { rs.hand(e) }

func (rs *Rooms) hand(x any) {
	select {
	case rs.in <- x:
	case <-rs.ctx.Done():
	}
}

// Kick has the queue looked at, and entries tried again that could not leave.
func (rs *Rooms) Kick() {
	rs.sender.kick()
	rs.Wake()
}

// Wake has the queue looked at.
func (rs *Rooms) Wake() {
	select {
	case rs.wake <- struct{}{}:
	default:
	}
}

// Refused counts dropped input, by kind.
func (rs *Rooms) Refused() map[string]int64 {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	out := make(map[string]int64, len(rs.refused))
	for what, n := range rs.refused {
		out[what] = n
	}
	return out
}

// Run works until ctx ends.
func (rs *Rooms) Run(ctx context.Context) error {
	defer rs.cancel()
	stop := context.AfterFunc(ctx, rs.cancel)
	defer stop()
	if err := rs.load(ctx); err != nil {
		return err
	}
	sent := make(chan error, 1)
	go func() { sent <- rs.sender.run(ctx) }()
	defer func() { <-sent }()

	look := time.Now().Add(lookEvery)
	for {
		next := rs.dueUpdates(ctx)
		if !time.Now().Before(look) {
			look = rs.lookAfter(ctx)
		}
		if next.IsZero() || look.Before(next) {
			next = look
		}
		timer := time.NewTimer(max(0, time.Until(next)))
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case x := <-rs.in:
			rs.takeAll(ctx, x)
		case <-rs.wake:
			rs.sayAll(ctx)
		case <-timer.C:
		}
		timer.Stop()
	}
}

// load opens the rooms that an earlier run has left, and follows their logs.
func (rs *Rooms) load(ctx context.Context) error {
	var all []store.Room
	var waiting []store.Append
	err := rs.cfg.Store.View(ctx, func(tx *store.Tx) (err error) {
		if all, err = tx.Rooms(); err != nil {
			return err
		}
		for _, r := range all {
			at, err := tx.LogPositions(r.ID)
			if err != nil {
				return err
			}
			rs.mu.Lock()
			for _, p := range at {
				rs.position[logAt{r.ID, p.Node, p.Name}] = position{instance: p.Instance, all: p.Position}
			}
			rs.mu.Unlock()
		}
		waiting, err = tx.Appends()
		return err
	})

	if err != nil {
		return err
	}
	rs.sender.add(waiting...)
	for _, r := range all {
		err := rs.Update(ctx, r.ID, func(*Tx) error { return nil })
		if err != nil && !errors.Is(err, ErrClosed) {
			rs.log.Warn("a room cannot be opened", "err", err)
		}
	}
	return ctx.Err()
}

// dueUpdates makes the updates that are due, and returns the time of the next one.
func (rs *Rooms) dueUpdates(ctx context.Context) (next time.Time) {
	now := time.Now()
	var due []store.ID
	rs.mu.Lock()
	for id, at := range rs.due {
		if !at.After(now) {
			due = append(due, id)
			rs.due[id] = now.Add(diskPause) // unless the update says otherwise
		}
	}
	rs.mu.Unlock()
	for _, id := range due {
		rs.quiet(ctx, id, func(*Tx) error { return nil })
	}

	rs.mu.Lock()
	defer rs.mu.Unlock()
	for _, at := range rs.due {
		if next.IsZero() || at.Before(next) {
			next = at
		}
	}
	return next
}

// sayAll makes an update for each room with something to say.
func (rs *Rooms) sayAll(ctx context.Context) {
	var ids []store.ID
	if err := rs.cfg.Store.View(ctx, func(tx *store.Tx) (err error) { ids, err = tx.RoomsSaying(); return err }); err != nil {
		return
	}
	for _, id := range ids {
		rs.quiet(ctx, id, func(*Tx) error { return nil })
	}
}

// quiet makes an update of which nobody is told the fault.
func (rs *Rooms) quiet(ctx context.Context, id store.ID, do func(*Tx) error) {
	err := rs.Update(ctx, id, do)
	if err != nil && ctx.Err() == nil && !errors.Is(err, ErrClosed) && !errors.Is(err, store.ErrNotFound) {
		rs.log.Warn("a room cannot go on", "err", err)
	}
}

// takeAll takes entries that came together, an update for each room, and does not give up
// before it is on disk.
func (rs *Rooms) takeAll(ctx context.Context, first any) {
	came := make(map[store.ID][]any)
	var order []store.ID
	sort := func(x any) {
		var k followKey
		var name [16]byte
		switch x := x.(type) {
		case Entry:
			k, name = followKey{x.Key, x.Node}, x.Name
		case End:
			k, name = followKey{x.Key, x.Node}, x.Name
		}
		id, ok := rs.followedBy(k, name)
		if !ok {
			return // not followed any more
		}
		if came[id] == nil {
			order = append(order, id)
		}
		came[id] = append(came[id], x)
	}

	sort(first)
	for n := 1; n < maxBatch; n++ {
		select {
		case x := <-rs.in:
			sort(x)
			continue
		default:
		}
		break
	}
	for _, id := range order {
		rs.takeOf(ctx, id, came[id])
	}
}

// takeOf takes the entries of one room.
func (rs *Rooms) takeOf(ctx context.Context, id store.ID, came []any) {
	for {
		err := rs.Update(ctx, id, func(t *Tx) error {
			for _, x := range came {
				if err := t.take(x); err != nil {
					return err
				}
			}
			return nil
		})
		damaged := (*store.DamagedError)(nil)
		if err == nil || ctx.Err() != nil || errors.Is(err, ErrClosed) || errors.Is(err, store.ErrNotFound) || errors.As(err, &damaged) {
			return
		}
		rs.log.Warn("rooms cannot write", "err", err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(diskPause):
		}
	}
}

// Restored says to every room that the profile is from a backup. It is called before Run, and
// before anything is sent.
func (rs *Rooms) Restored(ctx context.Context) error {
	var all []store.Room
	err := rs.cfg.Store.View(ctx, func(tx *store.Tx) (err error) { all, err = tx.Rooms(); return err })
	for _, r := range all {
		if err != nil {
			return err
		}
		err = rs.Update(ctx, r.ID, func(t *Tx) error {
			if t.p.room != nil {
				t.p.room.Restored()
			}
			return t.Tx.ForgetPositions(r.ID)
		})
		if errors.Is(err, ErrClosed) {
			err = nil
		}
	}
	return err
}

// now is the time of day by the relays.
func (rs *Rooms) now() time.Time {
	now, _ := rs.cfg.Now()
	return now
}

// surely reports whether a time is over by the clock of the relays. Things that end for good end by it: a wrong clock
// gives nothing up.
func (rs *Rooms) surely(end time.Time) bool {
	now, told := rs.cfg.Now()
	return told && now.After(end)
}

// Progress returns a channel that is closed when a room has changed, or an entry has reached a
// mailbox.
func (rs *Rooms) Progress() <-chan struct{} {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	return rs.progress
}

func (rs *Rooms) progressed() {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	close(rs.progress)
	rs.progress = make(chan struct{})
}

// part is our part in one room, in memory: of the two one is set.
type part struct {
	id      store.ID
	room    *group.Room
	joining *group.Joining
	version int64 // of the secrets' row
	used    bool  // an update has begun on it and has not come to disk
	noticed
}

// noticed is our view of a room since the start. An update that fails takes nothing of it back.
type noticed struct {
	asides  map[store.MemberID]tried
	looked  time.Time // when what is missing was looked for last
	came    time.Time // when an entry did last that was new
	waiting Waiting   // as it was told last
	waited  time.Time // when the contents that wait were looked at last, to be shown ahead
	// attended is when they were last, with a network, and since when they were without a pause.
	attended, since time.Time
	asked           time.Time                    // when a request to be let in was made again
	lull            time.Time                    // the last entry, for which asksAfter holds
	asksAfter       time.Duration                // how long nothing has to come until the mailboxes are asked
	meetings        map[[32]byte][]group.Mailbox // where the readers of logs meet, by the secret of these
	let             time.Time                    // when those that wait at the door were last let in, as far as that was possible
	lost            map[store.Ref]time.Time      // contents that others followed from without them, since when
}

func (p *part) logs() []group.Place {
	switch {
	case p.room != nil:
		return p.room.Logs()
	case p.joining != nil:
		return p.joining.Logs()
	}
	return nil
}
