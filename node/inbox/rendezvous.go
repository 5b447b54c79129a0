package inbox

import (
	"context"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"starling/node/chat"
	"starling/node/inbox/watch"
	"starling/node/outbox"
	"starling/node/store"
	"starling/session"
)

// # Mailboxes that are gone
//
// A mailbox that is not listed any more, or does not answer, is missing. It is gone
// once it was missing for goneAfter; a relay that restarts is back sooner. One that has not
// answered a single request is gone after neverAfter: nothing shows that it works. Sender and
// recipient of a direction then meet, without a word between them, at the relays that
// rank highest by a secret of the session. The sender puts undelivered cells there, so
// that two copies lie where they can be fetched. The recipient looks there as soon as a
// mailbox was missing for lookAfter, and at more relays than the sender uses, for the
// two may know different ones. Once a mailbox of its own is gone the recipient chooses
// another and tells the sender. The sender leaves the meeting places when it hears
// that, the recipient when that content is acknowledged.
//
// Mailboxes may also lie: they say that they keep a box, and drop it. Only a sender
// that waits for a receipt notices this. It then puts a third copy where the two meet
// (outbox.Peer.Meeting); so the recipient looks there for peekFor every peekEvery.
const (
	goneAfter  = 10 * time.Minute
	neverAfter = time.Minute
	lookAfter  = time.Minute
	// meetings is how far down the ranking the recipient looks; the sender
	// uses the first that are not gone.
	meetings = outbox.Copies + 2
	// lookEvery is how often the state of mailboxes is looked up. It is lookSoon while
	// that state cannot be told, and lookRarely once all missing mailboxes are gone and
	// have been replaced.
	lookEvery  = 30 * time.Second
	lookSoon   = 5 * time.Second
	lookRarely = 5 * time.Minute
	peekEvery  = 6 * time.Hour
	peekFor    = 3 * time.Minute
	firstPeek  = 10 * time.Minute // after a start, and once more this at most
)

// ranking returns the meeting places, best first, for the direction that we receive or
// the one that we send.
func (in *Inbox) ranking(s *session.Session, receive bool) []store.Node {
	recipient := "responder"
	if s.Initiator() == receive {
		recipient = "initiator"
	}
	nodes, err := in.cfg.Network.Rendezvous(s.Export("starling/rendezvous/2 "+recipient), meetings)
	if err != nil {
		return nil // there is no route to them either
	}
	return nodes
}

// missingFor returns a test for mailboxes that were missing for d.
func (in *Inbox) missingFor(d time.Duration) func(store.Node) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	if !in.looked { // in.missing is of another start
		return func(store.Node) bool { return false }
	}
	missing, before := in.missing, time.Now().Add(-d)
	return func(n store.Node) bool {
		since, ok := missing[n]
		return ok && !since.After(before)
	}
}

// goneNow returns a test for mailboxes that are gone.
func (in *Inbox) goneNow() func(store.Node) bool {
	long, short := in.missingFor(goneAfter), in.missingFor(neverAfter)
	in.mu.Lock()
	unheard := in.unheard
	in.mu.Unlock()
	return func(n store.Node) bool { return long(n) || unheard[n] && short(n) }
}

// targets returns the mailboxes for contents to a contact that has told us its own.
func (in *Inbox) targets(told []store.Node, s *session.Session) []store.Node {
	gone := in.goneNow()
	there := slices.DeleteFunc(slices.Clone(told), gone)
	if len(there) == len(told) || s == nil || !s.Established() {
		return told
	}
	for _, n := range in.ranking(s, false) {
		if len(there) < outbox.Copies && !gone(n) && !slices.Contains(there, n) {
			there = append(there, n)
		}
	}
	if len(there) == 0 {
		return told
	}
	return there
}

// meetingPlaces returns the nodes to ask for a contact's cells besides our mailboxes:
// while one of those is missing, and now and then anyway.
func (in *Inbox) meetingPlaces(contact store.ID, mine []store.Node, s *session.Session) []store.Node {
	if s == nil || !in.peeking(contact) && !slices.ContainsFunc(mine, in.missingFor(lookAfter)) {
		return nil
	}
	return slices.DeleteFunc(in.ranking(s, true), func(n store.Node) bool { return slices.Contains(mine, n) })
}

// Meeting returns where to meet a contact with mailboxes that keep nothing, best first.
func (in *Inbox) Meeting(ctx context.Context, contact store.ID) (nodes []store.Node, err error) {
	var s *session.Session
	err = in.cfg.Store.View(ctx, func(tx *store.Tx) (err error) { s, _, err = loadSession(tx, contact); return err })
	if err != nil || s.Retired() || !s.Established() {
		return nil, err
	}
	if nodes = in.ranking(s, false); nodes == nil {
		return nil, outbox.ErrHold
	}
	return nodes, nil
}

// A peek is a time to look at the meeting places though no mailbox is missing. All
// mailboxes may drop boxes that they claim to keep; only the sender, which gets no
// receipt, can know.
type peek struct {
	at    time.Time // next
	until time.Time // zero: not now
}

func (in *Inbox) peeking(contact store.ID) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return !in.peeks[contact].until.IsZero()
}

// peek begins and ends to look at meeting places.
func (in *Inbox) peek(ctx context.Context) (next time.Time, err error) {
	now := time.Now()
	next = now.Add(tidyEvery)
	var changed []owner

	in.mu.Lock()
	peeks := make(map[store.ID]peek)
	for o := range in.table.Plans() {
		if o.invite != "" {
			continue
		}
		p, known := in.peeks[o.contact]
		if !known {
			// Drawn, so that a start does not look at all places at one moment, which a mailbox would see.
			p.at = now.Add(firstPeek + rand.N(firstPeek))
		}
		p, changes := p.step(now, rand.N(peekEvery/2))
		if changes {
			changed = append(changed, o)
		}
		next = sooner(next, p.at)
		if !p.until.IsZero() {
			next = sooner(next, p.until)
		}
		peeks[o.contact] = p
	}

	in.peeks = peeks
	in.mu.Unlock()

	if len(changed) == 0 {
		return next, nil
	}
	return next, in.watch(ctx, changed...)
}

// step begins or ends a peek that is due, and reports whether it did.
func (p peek) step(now time.Time, jitter time.Duration) (_ peek, changes bool) {
	if !p.until.IsZero() && !p.until.After(now) {
		p.until, changes = time.Time{}, true
	}
	if !p.at.After(now) {
		changes = changes != p.until.IsZero()
		p.until, p.at = now.Add(peekFor), now.Add(peekEvery*3/4+jitter)
	}
	return p, changes
}

func sooner(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// Reached notes that other relays are in reach than before: many mailboxes are missing at once, or
// there again.
func (in *Inbox) Reached() {
	in.mu.Lock()
	in.reached = true
	in.mu.Unlock()
	in.signal()
}

// lookAfterMailboxes finds out which mailboxes are missing, stores that, and acts on
// it.
func (in *Inbox) lookAfterMailboxes(ctx context.Context) (next time.Time, err error) {
	now := time.Now()

	// Theirs and ours: both sides have to meet elsewhere when a mailbox is gone.
	nodes := in.cfg.Outbox.Nodes()
	in.mu.Lock()
	for _, p := range in.table.Plans() {
		for _, n := range p.Nodes {
			nodes[n] = true
		}
	}
	was := in.missing
	in.mu.Unlock()

	missing, err := in.cfg.Network.Missing(slices.Collect(maps.Keys(nodes)))
	if err != nil {
		return now.Add(lookSoon), nil
	}

	// Since when counts, and survives a restart: a short absence moves nobody.
	is := make(map[store.Node]time.Time, len(missing))
	for _, n := range missing {
		if is[n] = was[n]; is[n].IsZero() {
			is[n] = now
		}
	}

	unheard := make(map[store.Node]bool)
	for _, n := range in.cfg.Network.Unheard(missing) {
		unheard[n] = true
	}

	// On disk only when it has changed: this is looked at often.
	if !maps.Equal(is, was) {
		if err := in.cfg.Store.Note(ctx, func(tx *store.Tx) error { return tx.SetMissing(is) }); err != nil {
			return next, err
		}
	}

	in.mu.Lock()
	in.missing, in.looked, in.unheard = is, true, unheard
	in.mu.Unlock()

	if len(is) == 0 && len(was) == 0 {
		return now.Add(lookEvery), nil
	}

	in.cfg.Outbox.SetGone(in.goneNow())
	next = now.Add(lookRarely)
	for _, since := range is {
		if since.After(now.Add(-goneAfter - lookEvery)) {
			next = now.Add(lookEvery)
		}
	}
	return next, in.follow(ctx, now)
}

// follow applies the present set of missing mailboxes: to sending, to watches, and to
// the choice of our own.
func (in *Inbox) follow(ctx context.Context, now time.Time) error {
	gone := in.goneNow()
	moving, err := in.redirect(ctx, gone)
	if err != nil || len(moving) == 0 {
		return err
	}
	_, err = in.commitFor(ctx, now, moving, func(b *batch, p *peer) error { return b.move(p, gone) })
	return err
}

// redirect sends to mailboxes that are there, and asks those. It returns the contacts
// for which one of our mailboxes is gone.
func (in *Inbox) redirect(ctx context.Context, gone func(store.Node) bool) (moving []store.ID, err error) {
	// No batch in between: its plans would be newer, and be overwritten by these.
	in.writing.Lock()
	defer in.writing.Unlock()

	targets := make(map[store.ID][]store.Node)
	plans := make(map[owner]watch.Plan)

	err = in.cfg.Store.View(ctx, func(tx *store.Tx) error {
		contacts, err := tx.Contacts()
		if err != nil {
			return err
		}
		for _, c := range contacts {
			s, _, err := loadSession(tx, c.ID)
			if err != nil {
				return err
			}

			// It sends nothing any more.
			if s.Retired() {
				continue
			}
			theirs, err := tx.Mailboxes(c.ID[:], false)
			if err != nil {
				return err
			}
			targets[c.ID] = in.targets(current(theirs), s)
			mine, err := tx.Mailboxes(c.ID[:], true)
			if err != nil {
				return err
			}
			if !c.Blocked && slices.ContainsFunc(current(mine), gone) {
				moving = append(moving, c.ID)
			}
			if plans[owner{contact: c.ID}], err = in.planContact(tx, c, s); err != nil {
				return err
			}
		}
		return nil
	})

	if err != nil {
		return nil, err
	}

	// Where to send is set before where to listen: an answer comes later than its question.
	for id, nodes := range targets {
		in.cfg.Outbox.SetMailboxes(id, nodes)
	}
	in.setWatches(plans, nil)
	return moving, nil
}

// move replaces those of our mailboxes for a contact that are gone, and tells.
// The old ones are watched until that has been acknowledged, and a while after.
func (b *batch) move(p *peer, gone func(store.Node) bool) error {
	mine, err := b.tx.Mailboxes(p.ID[:], true)
	if err != nil {
		return err
	}

	var set []store.Mailbox
	var avoid []store.Node
	for _, m := range mine {
		// Not back to one that was left: cells of both times would meet there.
		avoid = append(avoid, m.Node)
		if m.Retired.IsZero() && !gone(m.Node) {
			set = append(set, m)
		}
	}

	if n := outbox.Copies - len(set); n > 0 {
		fresh, err := b.in.cfg.Network.ChooseMailboxes(n, avoid...)
		if err != nil {
			return nil // later
		}
		set = append(set, fresh...)
	}

	if p.session.Room() < maxLossCells {
		return nil // later: they have not answered for long
	}

	if err := b.tx.SetMailboxes(p.ID[:], true, b.now, set); err != nil {
		return err
	}
	p.stepped, p.watch = true, true
	return b.seal(p, &chat.Content{Kind: chat.Mailboxes, Mailboxes: Hints(set)})
}

// current returns the nodes that are not retired.
func current(set []store.Mailbox) (nodes []store.Node) {
	for _, m := range set {
		if m.Retired.IsZero() {
			nodes = append(nodes, m.Node)
		}
	}
	return nodes
}
