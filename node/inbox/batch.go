package inbox

import (
	"context"
	"errors"
	"time"

	"starling/node/api"
	"starling/node/api/safetext"
	"starling/node/chat"
	"starling/node/inbox/order"
	"starling/node/inbox/watch"
	"starling/node/outbox"
	"starling/node/store"
	"starling/session"
)

// A batch is one transaction over boxes that came together, with the work that follows
// once it is on disk.
type batch struct {
	in    *Inbox
	tx    *store.Tx
	now   time.Time
	peers map[store.ID]*peer

	acks    []ack
	plans   map[owner]watch.Plan
	came    map[owner][]watch.Arrival
	queued  []outbox.Queued
	gone    []store.ID                // items without a row
	reached []store.ID                // of them: those that were acknowledged
	told    map[store.ID][]store.Node // where contacts say that they fetch
	owed    map[store.ID]bool
	held    map[store.ID]bool
	typing  map[store.ID]bool
	refused []string
	// suspended says of a contact whether its session was given up (true) or replaced
	// (false).
	suspended map[store.ID]bool
	signals   []outbox.Signals
}

type ack struct {
	owner owner
	node  store.Node
	tag   store.Tag
}

// peer is a contact with its session while a batch works on it.
type peer struct {
	store.Contact
	session  *session.Session // nil if it was given up
	former   *session.Session // given up: cells that come in it still open
	version  int64
	stepped  bool // the session, or the former, is to be written
	answered bool // a flare of ours is over
	changed  bool // the row, beside the session
	watch    bool // the plan is to be made anew, beside the session
	line     *order.Line
	came     []watch.Arrival
}

func (in *Inbox) newBatch(tx *store.Tx, now time.Time) *batch {
	return &batch{in: in, tx: tx, now: now, peers: make(map[store.ID]*peer),
		plans: make(map[owner]watch.Plan), came: make(map[owner][]watch.Arrival), told: make(map[store.ID][]store.Node),
		owed: make(map[store.ID]bool), typing: make(map[store.ID]bool), held: make(map[store.ID]bool), suspended: make(map[store.ID]bool)}
}

// takeAll takes a box and those that wait behind it, and does not give up
// before they are on disk.
func (in *Inbox) takeAll(ctx context.Context, first box) {
	// One transaction for all that has come: each costs a write to the disk.
	boxes := []box{first}
	for len(boxes) < maxBatch {
		select {
		case b := <-in.boxes:
			boxes = append(boxes, *b)
			continue
		default:
		}
		break
	}

	for {
		// Given up here, a box would come again only when its mailbox repeats it.
		err := in.take(ctx, boxes)
		if err == nil || ctx.Err() != nil {
			return
		}
		if damaged := (*store.DamagedError)(nil); errors.As(err, &damaged) && len(boxes) > 1 {
			// One row that cannot be read must not stop the others.
			for _, b := range boxes {
				in.take(ctx, []box{b})
			}
			return
		}
		in.log.Warn("inbox cannot write", "err", err)
		select {
		case <-ctx.Done():
		case <-time.After(diskPause):
		}
	}
}

// take opens boxes, writes their results to disk, and then acknowledges them.
func (in *Inbox) take(ctx context.Context, boxes []box) error {
	now := time.Now()
	_, err := in.commit(ctx, now, func(b *batch) error {
		for i := range boxes {
			if err := b.box(&boxes[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	for i := range boxes {
		in.heard[boxes[i].node] = now
	}
	return nil
}

// commit fills a batch, writes it, and then applies it. One at a time: the tags that
// are asked for must follow from the last write.
func (in *Inbox) commit(ctx context.Context, now time.Time, fill func(*batch) error) (b *batch, err error) {
	in.writing.Lock()
	defer in.writing.Unlock()
	err = in.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		b = in.newBatch(tx, now)
		if err := fill(b); err != nil {
			return err
		}
		return b.finish()
	})
	if err == nil {
		in.apply(b)
	}
	return b, err
}

// commitFor is commit for some contacts, one after the other. Those that are gone, or
// whose session was given up, are left out.
func (in *Inbox) commitFor(ctx context.Context, now time.Time, ids []store.ID, do func(*batch, *peer) error) (*batch, error) {
	return in.commit(ctx, now, func(b *batch) error {
		for _, id := range ids {
			p, err := b.peer(id)
			if err == nil && p.session != nil {
				err = do(b, p)
			}
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				return err
			}
		}
		return nil
	})
}

// apply carries out the work that follows a batch on disk: acknowledgements, new
// watches, sending.
func (in *Inbox) apply(b *batch) {
	// Only now may mailboxes delete: before the commit theirs was the only copy.
	for _, a := range b.acks {
		in.cfg.Network.Ack(watchKey(a.owner, a.node), a.node, a.tag)
	}

	// Watches before the outbox: the answer to a cell may come before we would listen for it.
	in.setWatches(b.plans, b.came)

	in.handedOver(b.acks)
	for id, nodes := range b.told {
		in.cfg.Outbox.SetMailboxes(id, nodes)
	}

	// Mailboxes are set above, so that nothing queued here goes to the old ones.
	in.cfg.Outbox.Confirm(b.now, b.reached...)
	in.cfg.Outbox.Remove(b.gone...)
	for id, suspended := range b.suspended {
		in.cfg.Outbox.Suspend(id, suspended)
	}
	in.cfg.Outbox.Add(b.queued...)
	in.cfg.Outbox.SetSignals(b.signals...)
	for id, p := range b.peers {
		if len(p.came) > 0 {
			in.cfg.Outbox.Heard(id, b.now)
		}
	}

	in.owe(b.owed, b.now)
	in.noteLosses(b.peers, b.now)
	in.noteAnswers(b.peers, b.now)
	for id := range b.typing {
		in.cfg.Typing(id)
	}

	in.mu.Lock()
	defer in.mu.Unlock()
	for id, held := range b.held {
		if held {
			in.held[id], in.heldNew = true, true
		} else {
			delete(in.held, id)
		}
	}

	for _, what := range b.refused {
		in.refused[what]++
	}
}

// ownerOf returns the owner with whose watch a box is acknowledged. A box that nobody
// waits for is acknowledged on its own.
func (in *Inbox) ownerOf(tag store.Tag, owners []owner) owner {
	if len(owners) > 0 {
		return owners[0]
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	if o, ok := in.table.Second(tag); ok {
		return o
	}
	return owner{invite: string(tag[:])}
}

// box takes one box. Only the disk can fail it: a bad box from the network is refused.
func (b *batch) box(x *box) error {
	tag := store.Tag(x.cell.Tag)
	b.in.mu.Lock()
	owners, muted := b.in.table.Owners(tag)
	b.in.mu.Unlock()
	if len(owners) == 0 && (muted || b.in.isEarly(tag)) {
		return nil
	}
	b.acks = append(b.acks, ack{b.in.ownerOf(tag, owners), x.node, tag})
	for _, o := range owners { // none: a second copy
		if err := b.boxOf(o, x); err != nil {
			return err
		}
	}
	return nil
}

// boxOf takes a box for one of the owners of its tag.
func (b *batch) boxOf(o owner, x *box) error {
	tag := store.Tag(x.cell.Tag)
	if o.invite != "" {
		return b.hello(o.invite, &x.cell)
	}

	p, err := b.peer(o.contact)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}

	current := p.session
	if current == nil {
		current = p.former
	}

	// Both as they were: the effect of the cell shows only in the difference.
	flaring, calls := current.Flaring(), current.Calls()
	part, err := current.Open(x.cell)
	switch {
	case err == nil:
		p.stepped = true
		p.answered = p.answered || flaring && !current.Flaring()
		p.came = append(p.came, watch.Arrival{Tag: tag, At: b.now, From: x.node})
		for _, t := range needless(calls, current.Calls(), x.cell.Tag) {
			p.came = append(p.came, watch.Arrival{Tag: store.Tag(t), At: b.now})
		}
		if part.Count == 0 { // a signal
			return nil
		}
		return b.part(p, part)
	case !waitsFor(current, x.cell.Tag): // the second copy, in the same batch
		return b.step(p, x)
	// It opens, and counts cells that our state has not sealed: one of the two was put back.
	case errors.Is(err, session.ErrBehind) && p.session != nil:
		b.refused = append(b.refused, "cell of a newer state")
		return b.giveUp(p, session.ReasonRestored, noticeBehind)
	case errors.Is(err, session.ErrForked) && p.session != nil:
		b.refused = append(b.refused, "cell of an older state")
		return b.giveUp(p, session.ReasonForked, noticeForked)
	default:
		b.refused = append(b.refused, "cell")
	}
	return nil
}

func waitsFor(s *session.Session, tag session.Tag) bool {
	for _, t := range s.Window() {
		if t == tag {
			return true
		}
	}
	return false
}

// peer loads a contact, once per batch.
func (b *batch) peer(id store.ID) (*peer, error) {
	if p := b.peers[id]; p != nil {
		return p, nil
	}
	c, err := b.tx.Contact(id)
	if err != nil {
		return nil, err
	}
	s, version, err := loadSession(b.tx, id)
	if err != nil {
		return nil, err
	}
	fragments, err := b.tx.Fragments(id)
	if err != nil {
		return nil, err
	}
	p := &peer{Contact: c, session: s, version: version, line: newLine(c, fragments)}
	if s.Retired() {
		p.session, p.former = nil, s
	}
	b.peers[id] = p
	return p, nil
}

// loadSession returns the session with a contact, which may be retired, and the
// version of its row.
func loadSession(tx *store.Tx, id store.ID) (*session.Session, int64, error) {
	state, version, err := tx.Session(id)
	if err != nil {
		return nil, version, err
	}
	s, err := session.UnmarshalSession(state)
	if err != nil {
		return nil, 0, &store.DamagedError{File: "profile.db", Err: err}
	}
	return s, version, nil
}

// finish writes the rows that the boxes have changed.
func (b *batch) finish() error {
	for _, p := range b.peers {
		if p.session != nil && len(p.came) > 0 {
			if err := b.tellLosses(p); err != nil {
				return err
			}
		}

		// The former session is written, too: it still opens cells, and must not open one twice.
		s := p.session
		if s == nil {
			s = p.former
		}
		if p.stepped {
			state, err := s.MarshalBinary()
			if err != nil {
				return err
			}
			if err := b.tx.SetSession(p.ID, p.version, state); err != nil {
				return err
			}
			b.signals = append(b.signals, outbox.Signals{Contact: p.ID, Version: p.version + 1, Cells: s.Signals()})
		}

		// A session that went on asks for other tags.
		if p.stepped || p.watch {
			w, err := b.in.planContact(b.tx, p.Contact, s)
			if err != nil {
				return err
			}
			o := owner{contact: p.ID}
			b.plans[o], b.came[o] = w, p.came
		}

		if p.changed {
			if err := b.tx.SetContact(p.Contact); err != nil {
				return err
			}
		}
		b.held[p.ID] = p.line.Len() > 0
	}
	return nil
}

// content takes a complete content at its turn; place is its place in the peer's chain.
func (b *batch) content(p *peer, id store.ContentID, place int64, c *chat.Content) error {
	// The first content proves that they hold the session: the hello need not be repeated.
	if p.State == api.ContactPending && p.session != nil {
		p.State, p.changed, p.watch = api.ContactReady, true, true
		if err := b.tellContact(p.ID); err != nil {
			return err
		}
		if err := b.helloCame(p); err != nil {
			return err
		}
	}

	switch c.Kind {
	case chat.Text, chat.Picture, chat.File:
		return b.message(p, id, place, c)
	case chat.Receipt:
		return b.receipt(p, c.IDs)
	case chat.Ask:
		return b.ask(p, c.IDs)
	case chat.Typing:
		// A cell may have waited in a mailbox for days, and their clock may lie either way.
		if c.Time.Sub(b.relays()).Abs() <= freshTyping {
			b.typing[p.ID] = true
		}
		return nil
	}

	// It may come twice, the second time in another session.
	if again, err := b.tx.HasSeen(p.ID, id); err != nil || again {
		return err
	}

	var err error
	switch c.Kind {
	case chat.Profile, chat.Mailboxes:
		err = b.profile(p, c)
	case chat.Edit:
		err = b.change(p, store.Change{Content: store.ContentID(c.Ref), Kind: int(c.Kind), Place: place, Text: c.Text, Time: b.past(c.Time)})
	case chat.Reaction:
		emoji := safetext.Emoji(c.Emoji)
		if c.Emoji != "" && emoji == "" {
			b.refused = append(b.refused, "reaction")
			break
		}
		err = b.change(p, store.Change{Content: store.ContentID(c.Ref), Kind: int(c.Kind), Place: place, Text: emoji})
	case chat.Delete:
		for _, ref := range c.IDs {
			if err == nil {
				err = b.change(p, store.Change{Content: store.ContentID(ref), Kind: int(c.Kind), Place: place})
			}
		}
	case chat.Timer:
		err = b.timer(p, place, c.Timer)
	case chat.Lost:
		err = b.lost(p, c.IDs)
	case chat.Missed:
		err = b.missed(p, c.Cells)
	case chat.Read:
		err = b.read(p, c.IDs, b.past(c.Time))
	}

	if err != nil {
		return err
	}
	return b.tx.AddSeen(p.ID, id)
}

// helloCame ends the sending of our hello: a peer that speaks in the session has it.
// The hello must not go to the mailboxes that the peer tells now: nobody looks for it
// there.
func (b *batch) helloCame(p *peer) error {
	items, err := b.tx.ItemsOf(p.ID)
	if err != nil {
		return err
	}
	var hello []chat.ID
	for _, it := range items {
		if chat.Kind(it.Kind) == chat.Profile {
			hello = append(hello, chat.ID(it.ID))
		}
	}
	return b.receipt(p, hello)
}

func (b *batch) tellContact(id store.ID) error {
	_, err := b.tx.Append(store.Event{Kind: api.EventContact, Contact: id, Time: b.now})
	return err
}

// profile takes a peer's name and mailboxes.
func (b *batch) profile(p *peer, c *chat.Content) error {
	if err := b.rename(p, c.Name); err != nil {
		return err
	}
	set, nodes := b.mailboxes(c.Mailboxes)
	if len(set) == 0 {
		return nil // keep the mailboxes known
	}
	return b.setMailboxes(p, set, nodes)
}

// mailboxes reads the hints of a peer's own mailboxes.
func (b *batch) mailboxes(hints [][]byte) (set []store.Mailbox, nodes []store.Node) {
	for _, hint := range hints {
		node, err := b.in.cfg.Network.AddHint(hint)
		if err != nil {
			b.refused = append(b.refused, "mailbox hint")
			continue
		}
		set = append(set, store.Mailbox{Node: node, Hint: hint})
		nodes = append(nodes, node)
	}
	return set, nodes
}

func (b *batch) setMailboxes(p *peer, set []store.Mailbox, nodes []store.Node) error {
	b.told[p.ID] = nodes
	if err := b.tx.SetMailboxes(p.ID[:], false, b.now, set); err != nil {
		return err
	}
	return b.tx.DropMailboxes(p.ID[:], false, b.now.Add(time.Microsecond))
}

// receipt marks contents as delivered.
func (b *batch) receipt(p *peer, ids []chat.ID) error {
	for _, id := range ids {
		it, err := b.tx.ItemOf(p.ID, store.ContentID(id))
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		if err := b.tx.RemoveItem(it.ID); err != nil {
			return err
		}
		b.gone, b.reached = append(b.gone, it.ID), append(b.reached, it.ID)
		if err := b.tx.Tell(it.ID, api.StateDelivered, "", b.now); err != nil {
			return err
		}
	}
	return nil
}

// ask repeats receipts.
func (b *batch) ask(p *peer, ids []chat.ID) error {
	for _, id := range ids {
		seen, err := b.tx.Seen(p.ID, store.ContentID(id))
		if err == nil && seen {
			err = b.owe(p.ID, store.ContentID(id))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *batch) owe(contact store.ID, content store.ContentID) error {
	b.owed[contact] = true
	return b.tx.OweReceipt(contact, content)
}

// receipts puts one receipt in the outbox for the contents that are owed one to a
// contact.
func (b *batch) receipts(contact store.ID) error {
	ids, err := b.tx.TakeReceipts(contact, chat.MaxIDs)
	if err != nil || len(ids) == 0 {
		return err
	}
	c := &chat.Content{Kind: chat.Receipt}
	for _, id := range ids {
		c.IDs = append(c.IDs, chat.ID(id))
	}
	q, err := outbox.Queue(b.tx, contact, store.NewID(), c, b.now)
	if err != nil {
		return err
	}
	b.queued = append(b.queued, q)
	if len(ids) == chat.MaxIDs {
		b.owed[contact] = true
	}
	return nil
}
