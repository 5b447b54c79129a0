// Package outbox sends contents to a mailbox of their recipient, and reports truly how
// far each has come.
//
// [Next] is the whole policy, a pure function of one content's state and the time;
// [Outbox] carries its actions out. State that must survive a crash is on disk before
// it has consequences: the content before it is shown as queued; the session's next
// state and the sealed cells, in one transaction, before a cell leaves. The mailbox's
// answer that it keeps a cell is written down. If a crash loses that note, the same
// cell is put there again, and nothing changes.
//
// A content counts as sent once every cell lies in one mailbox at least, and as
// delivered once the recipient's receipt has come (package inbox).
package outbox

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"starling/node/api"
	"starling/node/chat"
	"starling/node/store"
	"starling/session"
)

// The errors of Config.Put with a meaning; any other counts as a lost try.
var (
	// ErrHold means that nothing can be sent at the moment. All tries pause.
	ErrHold = errors.New("network is not ready")
	// ErrRefused means that the mailbox did not take the cell: it is full, or
	// something else lies under the tag.
	ErrRefused = errors.New("mailbox refused")
	// ErrTaken is an ErrRefused: something else lies under the tag.
	ErrTaken = fmt.Errorf("%w: the tag is taken", ErrRefused)
)

// A TakenError is an ErrTaken with the box that the mailbox shows.
type TakenError struct{ Box []byte }

func (*TakenError) Error() string        { return ErrTaken.Error() }
func (*TakenError) Is(target error) bool { return target == ErrTaken || target == ErrRefused }

// Taken is a cell of ours and the box that lies under its tag. Found is nil if it was
// collected, as all mailboxes of the contact say: nothing shows it then, and only of
// the offer of a new session is it told.
type Taken struct {
	Contact store.ID
	Tag     store.Tag
	Own     []byte
	Found   []byte
}

// Config is the environment of an outbox.
type Config struct {
	Store *store.Store
	// AwaitQuota waits until a cell may go out without waiting anywhere else. nil: at once.
	AwaitQuota func(ctx context.Context) error
	// Put stores a cell in a mailbox over one fresh route, and returns nil once
	// it is on the mailbox's disk.
	Put func(ctx context.Context, mailbox store.Node, tag store.Tag, box []byte) error
	// Taken is told the box that a mailbox shows under the tag of a refused cell of
	// ours. It proves something only if a session says so. nil: nobody is told.
	Taken func(ctx context.Context, t Taken)
	// Meeting works out where a contact is met if their mailboxes keep nothing, best
	// first. nil: nowhere.
	Meeting func(ctx context.Context, contact store.ID) ([]store.Node, error)
	// Now is the time of day as the relays say it, and whether they have. Nothing is given
	// up by this computer's clock alone, which may be wrong. nil: it is believed.
	Now func() (now time.Time, told bool)
	// Logger is nil for silence.
	Logger *slog.Logger
}

const (
	// maxBusy is how many cells are on their way at one time, and maxBusyPeer how many
	// of them to one contact: silent mailboxes, chosen by one contact, do not hold up
	// cells to others.
	maxBusy     = 256
	maxBusyPeer = 48
	// holdPause is how long to wait after ErrHold unless Kick comes first.
	holdPause = 2 * time.Second
	// diskPause is how long to wait after a write failed.
	diskPause = 2 * time.Second
	// busyPause is how long cells to a contact wait when maxBusyPeer is reached.
	busyPause = 250 * time.Millisecond
	// maxKept bounds the sealed cells kept in memory from when they were made
	// until they are stored; others are read from disk when they are sent.
	maxKept = 4096
)

// An Outbox sends. Its methods may be called from any goroutine.
type Outbox struct {
	cfg     Config
	log     *slog.Logger
	timeout timer
	wake    chan struct{}

	mu      sync.Mutex
	entries map[store.ID]*entry
	peers   map[store.ID]*peer
	order   schedule
	gone    func(store.Node) bool
	signals map[store.ID]int64 // the version of the signals of a contact
	sparing bool               // the network carries little
	held    time.Time          // nothing is put before this
	busy    int
	kept    int
	serial  int64 // of the last entry
}

// entry is an Entry with its sealed cells and its place in the schedule.
type entry struct {
	Entry
	tags   []store.Tag
	boxes  [][]byte // nil where it is to be read from disk
	at     time.Time
	index  int // in the schedule, -1 if not
	order  int64
	serial int64 // of all entries that came
	doing  bool  // an action other than Put is under way
	came   time.Time
}

// New makes an outbox. It does nothing before Run.
func New(cfg Config) *Outbox {
	o := &Outbox{cfg: cfg, log: cfg.Logger, wake: make(chan struct{}, 1),
		entries: make(map[store.ID]*entry), peers: make(map[store.ID]*peer), signals: make(map[store.ID]int64),
		gone: func(store.Node) bool { return false }}
	if o.log == nil {
		o.log = slog.New(slog.DiscardHandler)
	}
	if o.cfg.Now == nil {
		o.cfg.Now = func() (time.Time, bool) { return time.Now(), true }
	}
	return o
}

// Add starts sending the contents that a finished transaction has queued.
func (o *Outbox) Add(queued ...Queued) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, q := range queued {
		o.addQueued(q)
	}
}

func (o *Outbox) addQueued(q Queued) {
	if q.there() {
		o.add(q.item, q.boxes)
	}
	if q.signals != nil {
		o.setSignals(*q.signals)
	}
}

// SetSignals replaces the repeated signals of a contact's session. An older version
// than is known changes nothing.
func (o *Outbox) SetSignals(all ...Signals) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, s := range all {
		o.setSignals(s)
	}
}

func (o *Outbox) setSignals(s Signals) {
	// Batches are applied in any order: an older state must not bring old signals back.
	if s.Version < o.signals[s.Contact] {
		return
	}
	o.signals[s.Contact] = s.Version
	up := make(map[store.ID]bool)
	for i := range s.Cells {
		c := &s.Cells[i]
		id := store.ID(c.Tag)
		up[id] = true
		if o.entries[id] == nil {
			o.add(store.Item{ID: id, Contact: s.Contact, Created: time.Now(), State: api.StateSealed,
				Cells: []store.Cell{{Tag: store.Tag(c.Tag)}}}, [][]byte{c.Box[:]})
		}
	}

	// A signal that the session has dropped is answered, and would only use its tag again.
	for id, e := range o.entries {
		if e.Contact == s.Contact && e.signal() && !up[id] {
			o.forget(e)
		}
	}
}

func (o *Outbox) add(it store.Item, boxes [][]byte) {
	// A put of the old one may be under way. It finds itself replaced (putOne).
	if old := o.entries[it.ID]; old != nil {
		o.forget(old)
	}

	e := &entry{index: -1, boxes: boxes, came: time.Now(), order: it.Created.UnixMicro(), Entry: Entry{
		ID: it.ID, Contact: it.Contact, Kind: chat.Kind(it.Kind), Created: it.Created, State: it.State, After: it.After}}
	// Boxes of others are read from the disk again when there is no room.
	if e.signal() { // it is nowhere else
		o.kept += len(boxes)
	} else if boxes == nil || o.kept+len(boxes) > maxKept {
		e.boxes = make([][]byte, len(it.Cells))
	} else {
		o.kept += len(boxes)
	}

	for _, c := range it.Cells {
		state := CellState{Copies: make(map[store.Node]*Copy)}
		for node, at := range c.Stored {
			state.Copies[node] = &Copy{Stored: at}
		}
		e.Cells = append(e.Cells, state)
		e.tags = append(e.tags, c.Tag)
	}

	e.setGone(o.gone)
	e.noteSent()
	o.serial++
	e.serial = o.serial
	o.entries[it.ID] = e
	o.lookAt(e, time.Time{})
}

// Remove forgets items without a row.
func (o *Outbox) Remove(ids ...store.ID) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, id := range ids {
		if e := o.entries[id]; e != nil {
			o.forget(e)
		}
	}
}

func (o *Outbox) forget(e *entry) {
	for i := range e.boxes {
		o.dropBox(e, i)
	}
	if e.index >= 0 {
		heap.Remove(&o.order, e.index)
	}
	delete(o.entries, e.ID)
}

func (o *Outbox) dropBox(e *entry, i int) {
	if e.boxes[i] != nil {
		e.boxes[i] = nil
		o.kept--
	}
}

// SetMailboxes sets the mailboxes of a contact.
func (o *Outbox) SetMailboxes(contact store.ID, nodes []store.Node) {
	o.mu.Lock()
	defer o.mu.Unlock()
	p := o.peer(contact)
	if slices.Equal(p.Mailboxes, nodes) {
		return
	}
	p.Mailboxes = nodes
	o.lookAtAll(contact)
}

// SetGone sets the test for mailboxes that are gone: their copies are stored elsewhere.
func (o *Outbox) SetGone(gone func(store.Node) bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.gone = gone
	for _, e := range o.entries {
		if e.setGone(gone) {
			o.lookAt(e, time.Time{})
		}
	}
}

// setGone says of every copy whether its mailbox is gone, and reports whether
// that has changed anything.
func (e *entry) setGone(gone func(store.Node) bool) (changed bool) {
	for _, cell := range e.Cells {
		for node, c := range cell.Copies {
			if is := gone(node); is != c.Gone {
				c.Gone, changed = is, true
			}
		}
	}
	return changed
}

// Nodes returns the mailboxes where contacts fetch and where copies lie.
func (o *Outbox) Nodes() map[store.Node]bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	nodes := make(map[store.Node]bool)
	for _, p := range o.peers {
		for _, n := range p.Mailboxes {
			nodes[n] = true
		}
	}
	for _, e := range o.entries {
		for _, cell := range e.Cells {
			for n := range cell.Copies {
				nodes[n] = true
			}
		}
	}
	return nodes
}

// Heard notes that a box came from a contact.
func (o *Outbox) Heard(contact store.ID, at time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	// Looking again is only worth it when it may bring an ask forward.
	p := o.peer(contact)
	look := at.Sub(p.Heard) > askHeard/2 || p.Full
	p.Heard, p.Full = at, false
	if look {
		o.lookAtAll(contact)
	}
}

// SetSparing notes whether the network lets few answers through.
func (o *Outbox) SetSparing(sparing bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.sparing == sparing {
		return
	}
	o.sparing = sparing
	for _, e := range o.entries {
		o.lookAt(e, time.Time{})
	}
}

// Block notes that the owner blocks a contact, or does not any more: what is for them
// waits.
func (o *Outbox) Block(contact store.ID, blocked bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if p := o.peer(contact); p.Blocked != blocked {
		p.Blocked = blocked
		o.lookAtAll(contact)
	}
}

// RemoveContact forgets a contact and the items on their way there.
func (o *Outbox) RemoveContact(contact store.ID) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.peers, contact)
	delete(o.signals, contact)
	for _, e := range o.entries {
		if e.Contact == contact {
			o.forget(e)
		}
	}
}

// Kick ends the pause after ErrHold: waiting items are tried now.
func (o *Outbox) Kick() {
	o.mu.Lock()
	o.held = time.Time{}
	o.mu.Unlock()
	o.signal()
}

// Holding reports whether the last try found the network not ready.
func (o *Outbox) Holding() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return time.Now().Before(o.held)
}

// A peer is a Peer and how many cells are on their way there.
type peer struct {
	Peer
	busy int
}

func (o *Outbox) peer(contact store.ID) *peer {
	p := o.peers[contact]
	if p == nil {
		p = new(peer)
		o.peers[contact] = p
	}
	return p
}

func (o *Outbox) lookAtAll(contact store.ID) {
	for _, e := range o.entries {
		if e.Contact == contact {
			o.lookAt(e, time.Time{})
		}
	}
}

// lookAt puts an entry in the schedule.
func (o *Outbox) lookAt(e *entry, at time.Time) {
	e.at = at
	if e.index >= 0 {
		heap.Fix(&o.order, e.index)
	} else {
		heap.Push(&o.order, e)
	}
	o.signal()
}

func (o *Outbox) signal() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// noteSent sets Sent once every cell is stored somewhere.
func (e *entry) noteSent() {
	if !e.Sent.IsZero() || len(e.Cells) == 0 {
		return
	}
	var sent time.Time
	for _, cell := range e.Cells {
		var first time.Time
		for _, c := range cell.Copies {
			if !c.Stored.IsZero() && (first.IsZero() || c.Stored.Before(first)) {
				first = c.Stored
			}
		}
		if first.IsZero() {
			return
		}

		// Sent is the moment when the last cell had its first copy.
		if first.After(sent) {
			sent = first
		}
	}
	e.Sent = sent
}

// Run sends until ctx ends.
func (o *Outbox) Run(ctx context.Context) error {
	if err := o.load(ctx); err != nil {
		return err
	}
	var workers sync.WaitGroup
	defer workers.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for {
		next := o.work(ctx, &workers)
		var timer <-chan time.Time
		if !next.IsZero() {
			timer = time.After(time.Until(next))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-o.wake:
		case <-timer:
		}
	}
}

// load reads the items that an earlier run has left.
func (o *Outbox) load(ctx context.Context) error {
	return o.cfg.Store.View(ctx, func(tx *store.Tx) error {
		items, err := tx.Items()
		if err != nil {
			return err
		}
		contacts, err := tx.Contacts()
		if err != nil {
			return err
		}

		o.mu.Lock()
		defer o.mu.Unlock()
		for _, c := range contacts {
			if c.Blocked {
				o.peer(c.ID).Blocked = true
			}
		}
		for _, it := range items {
			// One queued since the start is there already, and newer than the row.
			if o.entries[it.ID] == nil {
				o.add(it, nil)
			}
		}
		return nil
	})
}

// work starts everything that is due and returns when to look again.
func (o *Outbox) work(ctx context.Context, workers *sync.WaitGroup) time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()

	now := time.Now()
	for len(o.order) > 0 && o.busy < maxBusy {
		e := o.order[0]
		if e.at.After(now) {
			return e.at
		}
		if now.Before(o.held) {
			return o.held
		}

		heap.Pop(&o.order)
		if e.doing {
			continue // the worker on it looks again
		}

		p := o.peer(e.Contact)
		e.Spared = e.over(now) && !o.over(e, now)
		p.Sparing = o.sparing
		actions, again := Next(&e.Entry, p.Peer, now, rand.Float64())
		for _, a := range actions {
			if a.Do == Put {
				if p.busy < maxBusyPeer {
					o.startPut(ctx, workers, e, a)
				} else { // one that is under way will end
					again = earlier(again, now.Add(busyPause))
				}
				continue
			}
			e.doing = true
			workers.Go(func() { o.act(ctx, e, a.Do) })
		}

		if !again.IsZero() && !e.doing {
			o.lookAt(e, again)
		}
	}
	return time.Time{} // a finished put wakes us
}

// over reports whether the time of an entry is over not only by this computer's clock: by
// the relays', or because it is here for so long.
func (o *Outbox) over(e *entry, now time.Time) bool {
	relays, told := o.cfg.Now()
	return told && e.over(relays) || now.Sub(e.came) >= Lifetime
}

// act carries out an action other than Put.
func (o *Outbox) act(ctx context.Context, e *entry, do Do) {
	now := time.Now()
	var queued []Queued
	// It waits for the network, and must not hold a transaction meanwhile.
	if do == Meet {
		o.meet(ctx, e)
		return
	}

	err := o.cfg.Store.Update(ctx, func(tx *store.Tx) (err error) {
		queued = nil
		switch do {
		case Seal:
			queued, err = reseal(tx, e.ID, now)
		case Ask:
			ask := &chat.Content{Kind: chat.Ask, IDs: []chat.ID{chat.ID(e.ID)}}
			var q Queued
			q, err = Queue(tx, e.Contact, store.NewID(), ask, now)
			queued = []Queued{q}
		case Fail:
			err = fail(tx, &e.Entry, now)
		case Finish:
			err = tx.RemoveItem(e.ID)
		}
		if errors.Is(err, store.ErrNotFound) {
			return nil // erased in the meantime
		}
		return err
	})

	// The entry may have been replaced while the lock was free.
	o.mu.Lock()
	defer o.mu.Unlock()
	e.doing = false
	if o.entries[e.ID] != e {
		return
	}

	switch {
	case err != nil:
		if ctx.Err() == nil {
			switch {
			case errors.Is(err, session.ErrWaiting): // until something comes from them
				o.peer(e.Contact).Full = true
			case !errors.Is(err, store.ErrNoSession):
				o.log.Warn("outbox cannot write", "err", err)
			}
			o.lookAt(e, now.Add(diskPause))
		}
		return
	case do == Fail:
		e.State = api.StateFailed
	case do == Finish, do == Seal && len(queued) == 0:
		o.forget(e)
		return
	case do == Ask:
		e.Asked++
		e.AskedAt = now
	}

	for _, q := range queued {
		o.addQueued(q)
	}
	if e = o.entries[e.ID]; e != nil {
		o.lookAt(e, time.Time{})
	}
}

// meet works out where the recipient of an entry is met.
func (o *Outbox) meet(ctx context.Context, e *entry) {
	var nodes []store.Node
	var err error
	if o.cfg.Meeting != nil {
		nodes, err = o.cfg.Meeting(ctx, e.Contact)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	e.doing = false
	now := time.Now()
	if p := o.peer(e.Contact); err == nil {
		p.Meeting, p.Met = nodes, now
	} else { // there is no route to them either
		p.Met = now.Add(holdPause - meetEvery)
	}
	if o.entries[e.ID] == e {
		o.lookAt(e, time.Time{})
	}
}

// Confirm notes that items were acknowledged, and learns from it the usual time of a
// receipt.
func (o *Outbox) Confirm(now time.Time, ids ...store.ID) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, id := range ids {
		e := o.entries[id]
		if e == nil || e.Sent.IsZero() {
			continue
		}
		p := o.peer(e.Contact)
		p.Usual += (min(now.Sub(e.Sent), lastRepair) - p.Usual) / 8
	}
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}

// fail gives a message up. One that was erased or taken back is forgotten.
func fail(tx *store.Tx, e *Entry, now time.Time) error {
	m, err := tx.Message(e.ID)
	if errors.Is(err, store.ErrNotFound) || err == nil && m.Deleted {
		return tx.RemoveItem(e.ID)
	}
	if err == nil {
		err = tx.SetItemState(e.ID, api.StateFailed)
	}
	if err == nil {
		err = tx.SetState(m, api.StateFailed, failReason(e), now)
	}
	if err == nil {
		err = tx.AddLoss(m.Contact, m.Content)
	}
	return err
}
