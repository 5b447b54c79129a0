// Package inbox takes boxes from mailboxes, opens them, and stores their contents.
//
// Every tag that is waited for belongs to a session or to an open invite. A box
// is opened, and the session's next state, the fragment or the message, the
// receipt that is now owed and the event that tells of it are written in one
// transaction; only then may the mailbox delete the box. After a crash at any point the
// box comes again. A box that comes again changes nothing: its tag is not waited for
// any more.
//
// # Order
//
// Cells of one sender are numbered. A content of the conversation (a text, an edit, a
// reaction and so on) is acknowledged once it is complete and on disk, and taken in its
// turn. A missing cell may hold a receipt that is never repeated, or a message that is
// still on its way. So a message names the one before it: its turn has come when that
// one was taken, even if cells are missing. The turn of an edit or a reaction has come
// when its message was taken (package order).
//
// Nothing waits for ever. A missing cell is given up [DefaultHold] after a later one
// has come; the contents that wait for it are then taken. A message shown without the
// one before it is marked so (store.Message.Gap) until that one comes, or is lost after
// [lostAfter]. A message that comes after a later one was shown is shown where it came,
// because nothing is inserted into messages already read; it is marked so
// (store.Message.Late). Of two edits of one message the one later in the chain holds,
// whichever came first (conversation.go).
//
// # Receipts
//
// Receipts are sent together after a short random wait, so that an answer's
// time does not tell when the message came.
package inbox

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"starling/node/chat"
	"starling/node/inbox/watch"
	"starling/node/outbox"
	"starling/node/store"
	"starling/session"
)

// Network is where boxes come from.
type Network interface {
	// Watch asks a mailbox for boxes under tags from now on; it replaces the
	// watch of the same key, and no tags end it.
	Watch(key string, mailbox store.Node, tags []store.Tag)
	// Ack lets a mailbox delete boxes.
	Ack(key string, mailbox store.Node, tags ...store.Tag)
	// ChooseMailboxes draws up to n mailboxes to use, none of them in avoid.
	ChooseMailboxes(n int, avoid ...store.Node) ([]store.Mailbox, error)
	// Missing returns those of some mailboxes that do not work now, or an error
	// if that cannot be told.
	Missing([]store.Node) ([]store.Node, error)
	// Unheard returns those of some mailboxes that have not answered since the start.
	Unheard([]store.Node) []store.Node
	// Rendezvous ranks mailboxes by a secret and returns the first n.
	Rendezvous(secret [32]byte, n int) ([]store.Node, error)
	// AddHint reads a mailbox that somebody else chose.
	AddHint(hint []byte) (store.Node, error)
}

// Config is the environment and the settings of an inbox.
type Config struct {
	Store   *store.Store
	Outbox  *outbox.Outbox
	Network Network
	// ReceiptDelay is the mean wait before receipts go out; 0 means
	// [DefaultReceiptDelay].
	ReceiptDelay time.Duration
	// Hold is for how long a message waits for one that was written before it;
	// 0 means [DefaultHold].
	Hold time.Duration
	// Typing is told when a contact writes; nil: nobody is.
	Typing func(contact store.ID)
	// Now is the time of day by the relays, and whether they have told it. Times of peers
	// are judged by it, and so is the end of all that ends for good. It is called within
	// transactions. nil: this computer's clock is believed.
	Now func() (now time.Time, told bool)
	// Rewatched is told when other mailboxes are watched than before; nil: nobody
	// is. It must not call back.
	Rewatched func()
	// Logger is nil for silence.
	Logger *slog.Logger
}

const (
	// DefaultReceiptDelay is the mean of a random wait, so that a receipt does not
	// show when its message was fetched.
	DefaultReceiptDelay = 200 * time.Millisecond
	// receiptEvery is how many mean waits lie between two receipts to a contact, in the
	// mean, however fast contents come.
	receiptEvery = 5
	// DefaultHold is longer than a sender needs to find out that a mailbox does
	// not answer and to try others, and shorter than people wait for each other.
	DefaultHold = 5 * time.Minute
	// lostAfter is after how long a missing message can no longer come: its
	// sender gives it up (outbox.Lifetime).
	lostAfter = outbox.Lifetime

	// maxBatch is how many boxes share a transaction.
	maxBatch = 64
	// maxWaiting is how many boxes wait for one.
	maxWaiting = 256
	// diskPause is how long to wait after a write failed.
	diskPause = 2 * time.Second
	// oldMailboxes is for how long mailboxes that the peer no longer uses are
	// still watched.
	oldMailboxes = 6 * time.Hour
	tidyEvery    = time.Hour
	// lateEvery is the pause between two deletions of late copies, which nobody asks
	// for any more.
	lateEvery = 10 * time.Minute
	// cellLife is for how long a missing cell is asked for, at least: as long as
	// its sender repeats it, and a mailbox keeps it.
	cellLife = 2 * outbox.Lifetime
)

// An Inbox receives. Its methods may be called from any goroutine.
type Inbox struct {
	cfg    Config
	log    *slog.Logger
	boxes  chan *box
	taken  chan outbox.Taken
	wake   chan struct{}
	ctx    context.Context // of Run: OnBox must not outlive it
	cancel context.CancelFunc

	// writing is held from the read of the plans until they are in the table.
	writing sync.Mutex

	mu      sync.Mutex
	table   *watch.Table[owner]
	owed    map[store.ID]time.Time // when receipts go to a contact
	receipt map[store.ID]time.Time // when the last went there
	losing  map[store.ID]time.Time // when a contact is told what of theirs was given up
	silent  map[store.ID]silence   // contacts with an answer up that they might repeat
	held    map[store.ID]bool      // contacts of which fragments wait
	heldNew bool                   // more of them since the last look
	refused map[string]int64
	heard   map[store.Node]time.Time // when a mailbox last handed something over
	missing map[store.Node]time.Time // mailboxes that do not work, since when; never changed
	looked  bool                     // missing is of this start
	unheard map[store.Node]bool      // those of them that have never answered; never changed
	reached bool                     // other relays than before: mailboxes are looked at again
	peeks   map[store.ID]peek
	early   map[store.Tag]early // knocks that are not asked for now
}

type box struct {
	node store.Node
	cell session.Cell
}

// New makes an inbox. It does nothing before Run.
func New(cfg Config) *Inbox {
	if cfg.ReceiptDelay == 0 {
		cfg.ReceiptDelay = DefaultReceiptDelay
	}
	if cfg.Hold == 0 {
		cfg.Hold = DefaultHold
	}
	if cfg.Typing == nil {
		cfg.Typing = func(store.ID) {}
	}
	if cfg.Now == nil {
		cfg.Now = func() (time.Time, bool) { return time.Now(), true }
	}

	if cfg.Rewatched == nil {
		cfg.Rewatched = func() {}
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	in := &Inbox{cfg: cfg, log: cfg.Logger,
		boxes: make(chan *box, maxWaiting), taken: make(chan outbox.Taken), wake: make(chan struct{}, 1),
		table: watch.NewTable[owner](),
		owed:  make(map[store.ID]time.Time), receipt: make(map[store.ID]time.Time), losing: make(map[store.ID]time.Time),
		silent: make(map[store.ID]silence), held: make(map[store.ID]bool),
		refused: make(map[string]int64), heard: make(map[store.Node]time.Time)}
	in.ctx, in.cancel = context.WithCancel(context.Background())
	return in
}

// OnBox takes a box from the network. It waits while too many are waiting.
func (in *Inbox) OnBox(node store.Node, tag store.Tag, b []byte) {
	x := &box{node: node} // the queue holds pointers: boxes are large, and it is mostly empty
	if len(b) != len(x.cell.Box) {
		in.refuse("box size")
		return
	}
	x.cell.Tag = session.Tag(tag)
	copy(x.cell.Box[:], b)
	select {
	case in.boxes <- x:
	case <-in.ctx.Done():
	}
}

func (in *Inbox) refuse(what string) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.refused[what]++
}

// Refused returns how many boxes and contents were dropped, by reason.
func (in *Inbox) Refused() map[string]int64 {
	in.mu.Lock()
	defer in.mu.Unlock()
	out := make(map[string]int64, len(in.refused))
	for k, v := range in.refused {
		out[k] = v
	}
	return out
}

// Mailboxes returns our mailboxes that are watched, and when each last handed
// something over.
func (in *Inbox) Mailboxes() map[store.Node]time.Time {
	in.mu.Lock()
	defer in.mu.Unlock()
	out := make(map[store.Node]time.Time)
	for _, p := range in.table.Plans() {
		for _, n := range p.Nodes[:len(p.Nodes)-p.Places] {
			out[n] = in.heard[n]
		}
	}
	return out
}

// Run receives until ctx ends.
func (in *Inbox) Run(ctx context.Context) error {
	defer in.cancel()
	if err := in.load(ctx); err != nil {
		return err
	}

	// The chores are done by the clock. Each says when it is due again.
	chores := []struct {
		do func(context.Context) (time.Time, error)
		at time.Time
	}{{do: in.sendReceipts}, {do: in.release, at: time.Now()}, {do: in.expireInvites, at: time.Now()}, {do: in.tellMissed}, {do: in.endAnswers},
		{do: in.tidy, at: time.Now().Add(tidyEvery)}, {do: in.lookAfterMailboxes, at: time.Now()}, {do: in.peek, at: time.Now()},
		{do: in.dropLate, at: time.Now().Add(lateEvery)},
		{do: in.askEarly, at: time.Now().Add(earlyPause)},
		{do: in.offerAgain, at: time.Now().Add(offerLook)},
		{do: in.giveUpGaps, at: time.Now().Add(in.cfg.Hold)}} // boxes that wait in mailboxes come first
	// Receipts, losses and answers are looked at in each turn: a box may have made them due.
	const receipts, releases, invites, losses, answers, mailboxes = 0, 1, 2, 3, 4, 6

	for {
		now := time.Now()
		next := now.Add(tidyEvery)
		for i := range chores {
			c := &chores[i]
			if !c.at.IsZero() && !c.at.After(now) || i == receipts || i == losses || i == answers || i == releases && in.takeHeldNew() {
				at, err := c.do(ctx)
				if err != nil {
					if ctx.Err() != nil {
						return ctx.Err()
					}
					in.log.Warn("inbox cannot write", "err", err)
					at = now.Add(diskPause)
				}

				// A chore that could not write is tried again after a pause, and holds up no other.
				c.at = at
			}
			if !c.at.IsZero() && c.at.Before(next) {
				next = c.at
			}
		}

		timer := time.NewTimer(time.Until(next))
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-in.wake:
			chores[invites].at = now
			if in.takeReached() {
				chores[mailboxes].at = now
			}
		case <-timer.C:
		case b := <-in.boxes:
			in.takeAll(ctx, *b)
		case t := <-in.taken:
			in.weighTaken(ctx, t)
		}
		timer.Stop()
	}
}

func (in *Inbox) takeHeldNew() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	was := in.heldNew
	in.heldNew = false
	return was
}

func (in *Inbox) takeReached() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	was := in.reached
	in.reached = false
	return was
}

func (in *Inbox) signal() {
	select {
	case in.wake <- struct{}{}:
	default:
	}
}

// load reads the state that an earlier run has left.
func (in *Inbox) load(ctx context.Context) error {
	// Two steps: the lists in one transaction, and the contacts in stretches, so that a start with
	// many contacts does not hold up everybody.
	var owners []owner
	var owed, waiting, losing []store.ID
	var missing map[store.Node]time.Time

	err := in.cfg.Store.View(ctx, func(tx *store.Tx) error {
		contacts, err := tx.Contacts()
		if err != nil {
			return err
		}
		for _, c := range contacts {
			owners = append(owners, owner{contact: c.ID})
		}

		invites, err := tx.Invites()
		if err != nil {
			return err
		}
		for _, i := range invites {
			owners = append(owners, owner{invite: i.ID})
		}

		// A receipt that was due at the end of the last run is due at once.
		if owed, err = tx.ContactsOwed(); err != nil {
			return err
		}
		if missing, err = tx.Missing(); err != nil {
			return err
		}
		waiting, err = tx.ContactsWaiting()
		return err
	})

	if err != nil {
		return err
	}

	for _, some := range stretches(owners) {
		err := in.cfg.Store.View(ctx, func(tx *store.Tx) error {
			for _, o := range some {
				if o.invite != "" {
					continue
				}
				lost, err := in.loadContact(tx, o.contact)
				if errors.Is(err, store.ErrNotFound) {
					continue // it was removed just now
				}
				if err != nil {
					return err
				}
				if lost {
					losing = append(losing, o.contact)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}

	in.mu.Lock()
	in.missing = missing
	for _, id := range owed {
		in.owed[id] = time.Now()
	}
	for _, id := range waiting {
		in.held[id] = true
	}
	for _, id := range losing {
		in.losing[id] = missedAt(time.Now())
	}
	in.mu.Unlock()

	// Last: boxes come from here on, and everything they need is in place.
	return in.watch(ctx, owners...)
}

// loadContact tells the outbox of a contact's session, and reports whether that loses contents.
func (in *Inbox) loadContact(tx *store.Tx, id store.ID) (losing bool, err error) {
	theirs, err := tx.Mailboxes(id[:], false)
	if err != nil {
		return false, err
	}
	for _, m := range theirs {
		in.cfg.Network.AddHint(m.Hint) // it may not be known yet
	}

	s, version, err := loadSession(tx, id)
	if err != nil {
		return false, err
	}
	in.cfg.Outbox.Suspend(id, s.Retired())
	in.cfg.Outbox.SetSignals(outbox.Signals{Contact: id, Version: version, Cells: s.Signals()})
	in.cfg.Outbox.SetMailboxes(id, current(theirs))
	return s.Losing(), nil
}

// stretches parts a long list of owners, so that whoever looks at the screen does not wait
// until all of it is read.
func stretches(owners []owner) [][]owner {
	return slices.Collect(slices.Chunk(owners, 50))
}

// sendReceipts acknowledges contents to the contacts with a receipt due.
func (in *Inbox) sendReceipts(ctx context.Context) (next time.Time, err error) {
	now := time.Now()
	var due []store.ID

	in.mu.Lock()
	for id, at := range in.owed {
		if !at.After(now) {
			due = append(due, id)
		} else if next.IsZero() || at.Before(next) {
			next = at
		}
	}
	in.mu.Unlock()

	if len(due) == 0 {
		return next, nil
	}

	b, err := in.commit(ctx, now, func(b *batch) error {
		for _, id := range due {
			if err := b.receipts(id); err != nil {
				return err
			}
		}
		return nil
	})

	if err != nil {
		return next, err
	}

	in.mu.Lock()
	defer in.mu.Unlock()
	for _, id := range due {
		delete(in.owed, id)
		in.receipt[id] = now
	}
	for id := range b.owed {
		in.owed[id] = now // more than one receipt holds
		next = now
	}
	return next, nil
}

// owe plans receipts for contacts. The wait is between half and one and a half times
// the mean; one receipt tells contents together that come in quick succession, so that a
// burst leaves the link to the guard for other packets.
func (in *Inbox) owe(ids map[store.ID]bool, now time.Time) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for id := range ids {
		if _, ok := in.owed[id]; !ok {
			in.owed[id] = now.Add(in.cfg.ReceiptDelay/2 + rand.N(in.cfg.ReceiptDelay))
			pause := (receiptEvery-1)*in.cfg.ReceiptDelay + rand.N(2*in.cfg.ReceiptDelay)
			if next := in.receipt[id].Add(pause); next.After(in.owed[id]) {
				in.owed[id] = next
			}
		}
	}
}

// tidy gives up mailboxes that nobody uses any more.
func (in *Inbox) tidy(ctx context.Context) (next time.Time, err error) {
	now := time.Now()
	next = now.Add(tidyEvery)

	var owners []owner
	err = in.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		owners = nil
		contacts, err := tx.Contacts()
		for _, c := range contacts {
			if err != nil {
				return err
			}
			var moving bool
			// Before the peer knows of the new ones they use the old ones.
			if moving, err = tx.Waiting(c.ID, int(chat.Profile), int(chat.Mailboxes)); err == nil && !moving {
				err = tx.DropMailboxes(c.ID[:], true, now.Add(-oldMailboxes))
				owners = append(owners, owner{contact: c.ID})
			}
		}
		return err
	})

	if err != nil {
		return next, err
	}

	if err := in.watch(ctx, owners...); err != nil {
		return next, err
	}

	// By a clock that is ahead, cells that are still on their way would be given up.
	if now, ok := in.surely(now); ok {
		return next, in.forgetCells(ctx, now)
	}
	return next, nil
}

// surely returns the earlier of two times, this computer's and that of the relays. Things
// that end for good end by it: a wrong clock gives nothing up. It is false while the
// relays have not told the time.
func (in *Inbox) surely(now time.Time) (time.Time, bool) {
	relays, told := in.cfg.Now()
	return sooner(now, relays), told
}

// forgetCells stops waiting for cells that were missing longer ago than mailboxes
// keep them, and that nobody repeats.
func (in *Inbox) forgetCells(ctx context.Context, now time.Time) error {
	var due []store.ID
	err := in.cfg.Store.View(ctx, func(tx *store.Tx) error {
		// PassedAt dates the number Passed: all cells before it are at least that old.
		contacts, err := tx.Contacts()
		for _, c := range contacts {
			if now.Sub(c.PassedAt) >= cellLife {
				due = append(due, c.ID)
			}
		}
		return err
	})

	if err != nil || len(due) == 0 {
		return err
	}

	_, err = in.commit(ctx, now, func(b *batch) error {
		for _, id := range due {
			p, err := b.peer(id)
			if errors.Is(err, store.ErrNotFound) || err == nil && p.session == nil {
				continue
			}
			if err != nil {
				return err
			}

			// And a new mark is set, for the cells that are missing now.
			if !p.PassedAt.IsZero() && p.session.GiveUp(uint64(p.Passed)) {
				p.stepped = true
			}
			p.Passed, p.PassedAt, p.changed = int64(p.session.Passed()), now, true
		}
		return nil
	})

	return err
}
