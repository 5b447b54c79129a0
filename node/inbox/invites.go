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
)

func loadInvite(tx *store.Tx, id string) (*session.Invite, int64, error) {
	secret, version, err := tx.InviteSecret(id)
	if err != nil {
		return nil, 0, err
	}
	i, err := session.UnmarshalInvite(secret)
	if err != nil {
		return nil, 0, &store.DamagedError{File: "profile.db", Err: err}
	}
	return i, version, nil
}

// hello takes a cell that came for an invite. The first complete genuine hello makes a
// contact; later ones of other people are reported, not taken.
func (b *batch) hello(id string, cell *session.Cell) error {
	row, err := b.tx.Invite(id)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}

	i, version, err := loadInvite(b.tx, id)
	if err != nil {
		return err
	}

	now, _ := b.in.cfg.Now()
	// A cell that is none changes nothing: anybody with the link can send some.
	s, part, err := i.Accept(now, *cell)
	if errors.Is(err, session.ErrUsed) {
		return b.reused(row)
	}
	if err != nil {
		b.refused = append(b.refused, "hello")
		return nil
	}

	// Kept with each cell: after a crash those that were acknowledged do not come again.
	secret, err := i.MarshalBinary()
	if err != nil {
		return err
	}
	if err := b.tx.SetInviteSecret(id, version, secret); err != nil {
		return err
	}

	if s == nil {
		return nil // more cells are to come
	}
	return b.accept(row, i, s, part)
}

func (b *batch) reused(row store.Invite) error {
	if row.State == store.InviteReused {
		return nil // told before
	}
	row.State = store.InviteReused
	if err := b.tx.SetInvite(row); err != nil {
		return err
	}
	return b.tellInvite(row, "reused")
}

func (b *batch) tellInvite(row store.Invite, what string) error {
	_, err := b.tx.Append(store.Event{Kind: api.EventInvite, Contact: row.Contact, Invite: row.ID, Reason: what, Time: b.now})
	return err
}

// accept makes the contact that used an invite, and answers with our name and
// fresh mailboxes, which only this contact will know.
func (b *batch) accept(row store.Invite, i *session.Invite, s *session.Session, part session.Part) error {
	state, err := s.MarshalBinary()
	if err != nil {
		return err
	}

	// The owner's name for the invite wins over a stranger's name for itself.
	c := store.Contact{ID: store.NewID(), Name: row.Name, Named: row.Name != "",
		State: api.ContactReady, Created: b.now, Invite: row.ID, Alias: row.Alias}
	if c.Name == "" {
		c.Name = NamelessName(c.ID)
	} else if err := b.makeWay(c.Name); err != nil {
		return err
	}
	if c.Name, err = b.unlike(c.ID, c.Name); err != nil {
		return err
	}
	if err := b.tx.AddContact(c, state); err != nil {
		return err
	}

	// In the same transaction: two contacts from one invite would share its secret.
	row.Contact, row.State = c.ID, store.InviteUsed
	if err := b.tx.SetInvite(row); err != nil {
		return err
	}

	// They write to the invite's mailboxes until they know the new ones.
	old, err := b.tx.Mailboxes([]byte(row.ID), true)
	if err != nil {
		return err
	}
	if err := b.tx.SetMailboxes(c.ID[:], true, b.now, old); err != nil {
		return err
	}

	// Fresh ones, since everybody with the link knows the old.
	fresh, err := b.in.cfg.Network.ChooseMailboxes(outbox.Copies)
	if err != nil {
		fresh = old // too few relays at the moment: stay where we are
	}
	if err := b.tx.SetMailboxes(c.ID[:], true, b.now, fresh); err != nil {
		return err
	}

	// The bundle has done its work, and nobody else may begin with it.
	for _, m := range old {
		for _, t := range i.BundleTags() {
			b.acks = append(b.acks, ack{bundleOf(row.ID), m.Node, store.Tag(t)})
		}
	}

	if err := b.tellContact(c.ID); err != nil {
		return err
	}

	// The hello carries a first content, which is taken like any other.
	p := &peer{Contact: c, session: s, version: 1, stepped: true, line: order.New(0, nil)}
	b.peers[c.ID] = p
	if err := b.part(p, part); err != nil {
		return err
	}

	// Name and mailboxes are set before anything tells of the invite.
	if err := b.tellInvite(row, "used"); err != nil {
		return err
	}

	owner, err := b.tx.NameTo(c.ID)
	if err != nil {
		return err
	}
	if b.plans[ownerOf(row)], err = b.in.plan(b.tx, ownerOf(row)); err != nil {
		return err
	}
	return b.seal(p, &chat.Content{Kind: chat.Profile, Name: owner, Mailboxes: Hints(fresh)})
}

func ownerOf(row store.Invite) owner { return owner{invite: row.ID} }

// seal puts a content in the outbox for a peer with its session open in this batch.
func (b *batch) seal(p *peer, c *chat.Content) error {
	q, err := outbox.QueueIn(b.tx, p.ID, p.session, c, b.now)
	if err == nil {
		b.queued = append(b.queued, q)
	}
	return err
}

// NamelessName is the name of a contact before it has one.
func NamelessName(id store.ID) string { return "contact " + id.String()[:6] }

// Hints returns the hints of mailboxes, for a content.
func Hints(set []store.Mailbox) (hints [][]byte) {
	for _, m := range set {
		hints = append(hints, m.Hint)
	}
	return hints
}

// expireInvites ends invites at the end of their time, and returns when the next one
// ends. A used one is watched until its time is over. An unused one is watched longer,
// because an invitee may have joined in time.
func (in *Inbox) expireInvites(ctx context.Context) (next time.Time, err error) {
	// Until the relays have told the time none ends: a clock that is ahead would end them all.
	now, told := in.cfg.Now()
	if !told {
		return time.Now().Add(offerLook), nil
	}
	var invites []store.Invite
	err = in.cfg.Store.View(ctx, func(tx *store.Tx) error {
		invites, err = tx.Invites()
		return err
	})

	due := false
	for _, i := range invites {
		at := endOf(i)
		if !at.After(now) {
			due = true
		} else if next.IsZero() || at.Before(next) {
			next = at
		}
	}

	if !next.IsZero() {
		// now is the relays' time, and the timer runs by ours.
		next = time.Now().Add(min(next.Sub(now), tidyEvery))
	}
	if err != nil || !due {
		return next, err
	}

	_, err = in.commit(ctx, time.Now(), func(b *batch) error {
		for _, i := range invites {
			if endOf(i).After(now) {
				continue
			}
			if err := b.expire(i); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return next, err
	}
	return time.Now(), nil
}

func endOf(i store.Invite) time.Time {
	if i.State == store.InviteExpired {
		return i.Expires.Add(session.Grace)
	}
	return i.Expires
}

func (b *batch) expire(row store.Invite) error {
	if row.State != store.InviteOpen {
		b.plans[ownerOf(row)] = watch.Plan{}
		return b.tx.RemoveInvite(row.ID)
	}
	row.State = store.InviteExpired
	if err := b.tx.SetInvite(row); err != nil {
		return err
	}
	if err := b.dropBundle(row.ID); err != nil {
		return err
	}
	return b.tellInvite(row, "expired")
}

// bundleOf is the owner of an invite's bundle. It is none of the invite's watch: a mailbox
// must not learn which conversation began with which bundle.
func bundleOf(invite string) owner { return owner{invite: "bundle " + invite} }

// dropBundle lets the mailboxes delete the bundle of an invite.
func (b *batch) dropBundle(id string) error {
	i, _, err := loadInvite(b.tx, id)
	if err != nil {
		return err
	}
	boxes, err := b.tx.Mailboxes([]byte(id), true)
	for _, m := range boxes {
		for _, t := range i.BundleTags() {
			b.acks = append(b.acks, ack{bundleOf(id), m.Node, store.Tag(t)})
		}
	}
	return err
}

// Revoke withdraws an open invite.
func (in *Inbox) Revoke(ctx context.Context, id string) error {
	_, err := in.commit(ctx, time.Now(), func(b *batch) error {
		row, err := b.tx.Invite(id)
		if err != nil {
			return err
		}
		if row.State != store.InviteOpen {
			return store.ErrNotFound
		}
		if err := b.dropBundle(id); err != nil {
			return err
		}
		b.plans[ownerOf(row)] = watch.Plan{}
		if err := b.tx.RemoveInvite(id); err != nil {
			return err
		}
		return b.tellInvite(row, "revoked")
	})
	return err
}

// Forget erases an invite that came to nothing before anybody had its link.
func (in *Inbox) Forget(ctx context.Context, id string) error {
	err := in.cfg.Store.Update(ctx, func(tx *store.Tx) error { return tx.RemoveInvite(id) })
	if err != nil {
		return err
	}
	return in.watch(ctx, owner{invite: id})
}
