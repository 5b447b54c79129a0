package inbox

import (
	"context"
	"errors"
	"time"

	"starling/node/api"
	"starling/node/chat"
	"starling/node/inbox/order"
	"starling/node/inbox/watch"
	"starling/node/outbox"
	"starling/node/store"
	"starling/session"
	"starling/session/envelope"
)

// The notices of a conversation about its sessions (ADR 0007).
const (
	noticeRestored = "This profile was restored from an older copy, or came from another machine. " +
		"A new session with this contact begins when they answer. Compare safety numbers again then."
	noticeForked = "Your contact's profile was restored from an older copy, or runs twice. " +
		"A new session begins when they answer. Compare safety numbers again then."
	// noticeBehind blames nobody: the cell may say the truth, and then it is this profile.
	noticeBehind = "Your contact counts messages that are not here: this profile was restored from an older copy, or runs twice, or their count is wrong. " +
		"A new session begins when they answer. Compare safety numbers again then."
	noticeTheirs = "Your contact's profile was restored from an older copy, or came from another machine; " +
		"this is a new session. Compare safety numbers again."
	noticeOurs = "Your contact has noticed that this profile was restored from an older copy, or runs twice; " +
		"this is a new session. Compare safety numbers again."
)

// Restored gives up every session of a profile that was restored, and withdraws
// its invites. It is called before Run and before anything is sent.
func (in *Inbox) Restored(ctx context.Context) error {
	return in.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		b := in.newBatch(tx, time.Now())
		contacts, err := tx.Contacts()
		for _, c := range contacts {
			if err != nil {
				return err
			}
			var p *peer
			if p, err = b.peer(c.ID); err == nil {
				err = b.giveUp(p, session.ReasonRestored, noticeRestored)
			}
		}
		if err == nil {
			err = b.withdraw()
		}
		if err != nil {
			return err
		}
		tx.NewLineage()
		return b.finish()
	})
}

// withdraw erases invites, because another copy of the profile may have used their
// keys.
func (b *batch) withdraw() error {
	invites, err := b.tx.Invites()
	for _, row := range invites {
		if err != nil {
			return err
		}
		if row.State != store.InviteOpen && row.State != store.InviteExpired {
			continue
		}
		if err = b.tx.RemoveInvite(row.ID); err == nil && row.State == store.InviteOpen {
			err = b.tellInvite(row, "revoked")
		}
	}
	return err
}

// Taken takes the report of a foreign box under the tag of a cell of ours. If that is a
// cell of ours too, from another copy of this profile, the session is given up or, if
// it was, the offer of a new one goes elsewhere; anything else proves nothing. Run does
// it, between boxes: the tags that are asked for must follow from the last write.
func (in *Inbox) Taken(ctx context.Context, t outbox.Taken) {
	select {
	case in.taken <- t:
	case <-ctx.Done():
	case <-in.ctx.Done():
	}
}

func (in *Inbox) weighTaken(ctx context.Context, t outbox.Taken) {
	// Sizes are the mailbox's word: anything else proves nothing.
	var own, found *[envelope.CellSize]byte
	if len(t.Own) == envelope.CellSize && len(t.Found) == envelope.CellSize {
		own, found = (*[envelope.CellSize]byte)(t.Own), (*[envelope.CellSize]byte)(t.Found)
	}

	_, err := in.commit(ctx, time.Now(), func(b *batch) error {
		p, err := b.peer(t.Contact)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if p.session == nil {
			return b.elsewhere(p, t.Tag, found)
		}

		// Only a box that our own keys have sealed proves a second copy of this profile. A mailbox
		// could say taken to end every session.
		if found == nil || !p.session.Twin(own, found) {
			b.refused = append(b.refused, "taken without proof")
			return nil
		}
		return b.giveUp(p, session.ReasonRestored, noticeRestored)
	})

	if err != nil && ctx.Err() == nil {
		in.log.Warn("inbox cannot write", "err", err)
	}
}

// elsewhere leaves the offer of a new session under other tags. Its former tags are
// taken by an earlier offer, made before the profile was put back once more.
func (b *batch) elsewhere(p *peer, tag store.Tag, found *[envelope.CellSize]byte) error {
	r, _, err := b.reset(p)
	if err != nil {
		return err
	}

	old := r.Bundle()
	// That it was collected cannot be shown. An offer that lies elsewhere then is as
	// good, and nothing is lost by it.
	if len(old) == 0 || store.Tag(old[0].Tag) != tag || found != nil && !r.Twin(found) {
		b.refused = append(b.refused, "taken without proof")
		return nil
	}

	if !r.Elsewhere() {
		return nil // until mailboxes forget
	}

	if err := b.withdrawCells(p, old); err != nil {
		return err
	}
	if err := b.setReset(p, r); err != nil {
		return err
	}
	return b.queueOffer(p, r)
}

// withdrawOffer takes our offer out of the outbox.
func (b *batch) withdrawOffer(p *peer, r *session.Reset) error {
	return b.withdrawCells(p, r.Bundle())
}

func (b *batch) withdrawCells(p *peer, old []session.Cell) error {
	items, err := b.tx.ItemsOf(p.ID)
	if err != nil {
		return err
	}
	for _, it := range items {
		offered, err := b.tx.HasCell(it.ID, store.Tag(old[0].Tag))
		if err == nil && offered {
			b.gone, err = append(b.gone, it.ID), b.tx.RemoveItem(it.ID)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *batch) queueOffer(p *peer, r *session.Reset) error {
	q, err := outbox.QueueSealed(b.tx, p.ID, store.NewID(), chat.Profile, r.Bundle(), b.now)
	b.queued = append(b.queued, q)
	return err
}

// reset returns the rest of a contact's former session, or that of this one if there is
// none, and the version of its row.
func (b *batch) reset(p *peer) (*session.Reset, int64, error) {
	r, version, err := loadReset(b.tx, p.ID)
	if errors.Is(err, store.ErrNotFound) && p.session != nil {
		return p.session.Reset(), 0, nil
	}
	return r, version, err
}

func loadReset(tx *store.Tx, id store.ID) (*session.Reset, int64, error) {
	state, version, err := tx.Reset(id)
	if err != nil {
		return nil, 0, err
	}
	r, err := session.UnmarshalReset(state)
	if err != nil {
		return nil, 0, &store.DamagedError{File: "profile.db", Err: err}
	}
	return r, version, nil
}

func (b *batch) setReset(p *peer, r *session.Reset) error {
	_, version, err := b.tx.Reset(p.ID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	state, err := r.MarshalBinary()
	if err != nil {
		return err
	}
	return b.tx.SetReset(p.ID, version, state)
}

// resetTags returns the tags under which an offer of a new session may come,
// and the answer to one of ours.
func resetTags(tx *store.Tx, id store.ID, s *session.Session) ([]store.Tag, error) {
	r, _, err := loadReset(tx, id)
	if errors.Is(err, store.ErrNotFound) {
		r, err = s.Reset(), nil
	}
	if err != nil {
		return nil, err
	}
	return toTags(r.Window()), nil
}

// giveUp retires the session with a contact and offers a new one. Cells of the contact
// in the old session are still opened, until the new one stands. The notice tells the
// owner why.
func (b *batch) giveUp(p *peer, why session.Reason, notice string) error {
	r, _, err := b.reset(p)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}

	mine, err := b.tx.Mailboxes(p.ID[:], true)
	if err != nil {
		return err
	}

	// Current ones come first.
	now, _ := b.in.cfg.Now()
	if err := r.Offer(now, why, Hints(mine[:min(len(mine), maxHints)])); err != nil {
		return err
	}

	// An accepted invite that nobody has answered: the inviter learns of this
	// session only by its hello.
	hello := p.State == api.ContactPending && p.session != nil
	waiting, gone, err := outbox.Unseal(b.tx, p.ID, hello, b.now)
	if err != nil {
		return err
	}
	b.gone = append(b.gone, gone...)

	// Retired, it seals no more: two sessions in use would split the conversation.
	if p.session != nil {
		p.session.Retire()
		p.session, p.former, p.stepped = nil, p.session, true
	}

	if err := b.setReset(p, r); err != nil {
		return err
	}
	if err := b.queueOffer(p, r); err != nil {
		return err
	}

	b.queued = append(b.queued, waiting...)
	// The outbox waits: its cells would be sealed for nobody.
	b.suspended[p.ID] = true
	return b.renewed(p, notice)
}

// maxHints is how many mailboxes an offer names.
const maxHints = 3

// close ends the session of a contact: contents that wait for their turn are shown,
// those on their way are taken back.
func (b *batch) close(p *peer) (waiting []outbox.Queued, err error) {
	if err := b.order(p, func(k keeper) error { return p.line.Finish(k) }); err != nil {
		return nil, err
	}
	if err := b.tx.DropFragments(p.ID); err != nil {
		return nil, err
	}
	p.line, p.NextSeq, p.ToldSeq, p.Passed, p.PassedAt, p.changed = order.New(0, nil), 0, 0, 0, time.Time{}, true
	p.Chain++
	waiting, gone, err := outbox.Unseal(b.tx, p.ID, false, b.now)
	b.gone = append(b.gone, gone...)
	return waiting, err
}

// renewed shows the notice of a session that was given up, and takes its verification
// away.
func (b *batch) renewed(p *peer, notice string) error {
	p.State, p.Verified, p.changed, p.watch = api.ContactPending, false, true, true
	if err := b.tellContact(p.ID); err != nil {
		return err
	}
	return b.tx.AddNotice(store.Message{ID: store.NewID(), Contact: p.ID, Text: notice, Time: b.now}, b.now)
}

// step takes a cell that belongs to no session: it may be one of an offer of a
// new session, or of the answer to ours.
func (b *batch) step(p *peer, x *box) error {
	cell := &x.cell
	r, _, err := b.reset(p)
	if err != nil {
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		return err
	}

	// The tag decides: a cell of no window is an old copy, and no fault of anybody.
	waited := false
	for _, t := range r.Window() {
		waited = waited || t == cell.Tag
	}
	if !waited {
		return nil // a second copy
	}

	now, _ := b.in.cfg.Now()
	step, err := r.Take(now, *cell)
	if errors.Is(err, session.ErrEarly) {
		b.acks = b.acks[:len(b.acks)-1] // it comes again until its time has come
		b.in.putOff(store.Tag(cell.Tag), p.ID, b.now)
		p.watch = true
		return nil
	}
	if err != nil {
		b.refused = append(b.refused, "reset")
		return nil
	}

	if !step.New {
		return nil
	}

	// Its tag is asked for no more.
	p.came, p.watch = append(p.came, watch.Arrival{Tag: store.Tag(cell.Tag), At: b.now, From: x.node}), true

	switch {
	case step.Session != nil:
		return b.answered(p, step.Session, step.Part)
	case step.Offered != nil:
		return b.join(p, step.Offered)
	}

	return b.setReset(p, r)
}

// join answers an offer: a new session takes the place of the one we have.
func (b *batch) join(p *peer, o *session.Offered) error {
	// Hints are their word: unusable ones are left out.
	set, nodes := b.mailboxes(o.Hints)
	if len(set) == 0 {
		return nil // the offer cannot be answered; another one can
	}

	mine, err := b.tx.Mailboxes(p.ID[:], true)
	if err != nil {
		return err
	}
	owner, err := b.tx.NameTo(p.ID)
	if err != nil {
		return err
	}

	// Our mailboxes go with the hello: the offer may be older than our last move.
	id := store.NewID()
	hello := &chat.Content{Kind: chat.Profile, Name: owner, Mailboxes: Hints(mine[:min(len(mine), maxHints)])}
	s, cells, err := o.Join(session.ID(id), hello.Encode())
	if err != nil {
		b.refused = append(b.refused, "reset")
		return nil
	}

	if err := b.tx.RemoveReset(p.ID); err != nil {
		return err
	}
	if err := b.setMailboxes(p, set, nodes); err != nil {
		return err
	}

	// Noted before the session is replaced.
	givenUp := p.session == nil
	if err := b.replace(p, s, func() error {
		q, err := outbox.QueueSealed(b.tx, p.ID, id, chat.Profile, cells, b.now)
		b.queued = append(b.queued, q)
		return err
	}); err != nil || givenUp { // we found out first, and have said so
		return err
	}

	if o.Reason == session.ReasonForked {
		return b.renewed(p, noticeOurs)
	}
	return b.renewed(p, noticeTheirs)
}

// answered takes the session that the answer to our offer has made.
func (b *batch) answered(p *peer, s *session.Session, part session.Part) error {
	if err := b.tx.RemoveReset(p.ID); err != nil {
		return err
	}
	return b.replace(p, s, func() error {
		if err := b.part(p, part); err != nil {
			return err
		}
		owner, err := b.tx.NameTo(p.ID)
		if err != nil {
			return err
		}
		mine, err := b.tx.Mailboxes(p.ID[:], true)
		if err != nil {
			return err
		}
		return b.seal(p, &chat.Content{Kind: chat.Profile, Name: owner, Mailboxes: Hints(mine[:min(len(mine), maxHints)])})
	})
}

// replace puts a new session in the place of a contact's former one: greet begins it,
// then undelivered contents are sealed anew.
func (b *batch) replace(p *peer, s *session.Session, greet func() error) error {
	waiting, err := b.close(p)
	if err != nil {
		return err
	}
	p.session, p.former, p.stepped, p.watch = s, nil, true, true
	b.suspended[p.ID] = false
	if err := greet(); err != nil {
		return err
	}
	err = outbox.Reseal(b.tx, s, waiting, b.now)
	b.queued = append(b.queued, waiting...)
	return err
}
