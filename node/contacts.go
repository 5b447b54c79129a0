package node

import (
	"context"
	"errors"
	"strings"
	"time"

	"starling/node/api"
	"starling/node/api/safetext"
	"starling/node/chat"
	"starling/node/inbox"
	"starling/node/outbox"
	"starling/node/store"
	"starling/session"
)

// Contacts lists all contacts, oldest first.
func (n *Node) Contacts(ctx context.Context) ([]api.Contact, error) {
	return list(ctx, n, func(c *store.Contact) bool { return c.State != api.ContactSelf && c.State != api.ContactRoom })
}

// Conversations lists the note to self, all contacts, and all rooms, oldest first.
func (n *Node) Conversations(ctx context.Context) ([]api.Contact, error) {
	return list(ctx, n, func(*store.Contact) bool { return true })
}

// list returns those that are wanted as they are shown.
func list(ctx context.Context, n *Node, wanted func(*store.Contact) bool) (out []api.Contact, err error) {
	err = n.view(ctx, func(tx *store.Tx) error {
		all, err := tx.Standings()
		if err != nil {
			return err
		}
		v, now := n.newViewer(tx), time.Now()
		out = make([]api.Contact, 0, len(all))
		for i := range all {
			if !wanted(&all[i].Contact) {
				continue
			}
			c, err := n.listed(v, &all[i], now)
			if err != nil {
				return err
			}
			out = append(out, c)
		}
		return nil
	})
	return out, err
}

// contact returns a contact as it is shown.
func (n *Node) contact(tx *store.Tx, c store.Contact) (api.Contact, error) {
	standing, err := tx.Standing(c.ID)
	if err != nil {
		return api.Contact{}, err
	}
	standing.Contact = c
	return n.listed(n.newViewer(tx), &standing, time.Now())
}

// listed returns a contact as it is shown.
func (n *Node) listed(v *viewer, c *store.Standing, now time.Time) (api.Contact, error) {
	out := api.Contact{ID: c.ID.String(), Name: safetext.Line(c.Name), State: c.State,
		Verified: c.Verified, Blocked: c.Blocked, Created: c.Created, As: asIn(c.Contact),
		Conversation: api.Conversation{Pinned: c.Pinned, Archived: c.Archived, MutedUntil: c.Muted, Notify: c.Notify,
			Timer: c.Timer, TimerMine: c.TimerMine, TimerTheirs: c.TimerTheirs}}
	out.Hopeless = hopeless(c.Contact, now)
	out.Unread, out.Unsent = c.Unread, c.Unsent

	// A room counts its unsent by another table than the outbox.
	if c.State == api.ContactRoom {
		room, err := n.showRoom(v.tx, c.Contact)
		if err != nil {
			return out, err
		}
		out.Room = &room
		if out.Unsent, err = underway(v.tx, c.ID, &room); err != nil {
			return out, err
		}
	}
	if c.Last == nil {
		return out, nil
	}

	v.knows(c.Contact)
	m, err := v.outline(*c.Last)
	out.Last = &m
	return out, err
}

// hopeless reports whether a contact is pending for longer than its invite can have been
// accepted. An answer that comes all the same is taken.
func hopeless(c store.Contact, now time.Time) bool {
	return c.State == api.ContactPending && now.Sub(c.Created) > maxExpiry+session.Grace
}

// find returns the contact with this ID or this name, or the note to self.
func find(tx *store.Tx, who string) (store.Contact, error) {
	// The ID first: a contact may call itself like the ID of another.
	if id, err := store.ParseID(who); err == nil {
		if c, err := tx.Contact(id); !errors.Is(err, store.ErrNotFound) {
			return c, err
		}
	}
	named, err := tx.ContactsNamed(safetext.Normal(who))
	switch {
	case err != nil:
		return store.Contact{}, err
	case len(named) == 0:
		return store.Contact{}, &api.Error{Code: api.CodeNoContact, Message: "there is no such contact",
			Hint: "see starling contact list"}
	case len(named) > 1:
		return store.Contact{}, &api.Error{Code: api.CodeAmbiguous, Message: "more than one contact has this name",
			Hint: "use the ID (starling contact list --json), or rename one of them"}
	}
	return named[0], nil
}

// changeContact changes a contact and tells of it.
func (n *Node) changeContact(ctx context.Context, who string, change func(*store.Tx, *store.Contact) error) (out api.Contact, id store.ID, err error) {
	err = n.update(ctx, func(tx *store.Tx) error {
		c, err := find(tx, who)
		if err != nil {
			return err
		}
		if err := change(tx, &c); err != nil {
			return err
		}
		if err := tx.SetContact(c); err != nil {
			return err
		}
		if _, err := tx.Append(store.Event{Kind: api.EventContact, Contact: c.ID, Time: time.Now()}); err != nil {
			return err
		}
		id = c.ID
		out, err = n.contact(tx, c)
		return err
	})
	return out, id, err
}

// changePerson is changeContact for a contact who is not oneself.
func (n *Node) changePerson(ctx context.Context, who string, change func(*store.Tx, *store.Contact) error) (api.Contact, store.ID, error) {
	return n.changeContact(ctx, who, func(tx *store.Tx, c *store.Contact) error {
		if err := person(*c); err != nil {
			return err
		}
		return change(tx, c)
	})
}

// findPerson is find for a contact who is not oneself.
func findPerson(tx *store.Tx, who string) (store.Contact, error) {
	c, err := find(tx, who)
	if err == nil {
		err = person(c)
	}
	return c, err
}

// person refuses the note to self and rooms.
func person(c store.Contact) error {
	switch {
	case c.ID == store.Self:
		return noPerson
	case c.State == api.ContactRoom:
		return aRoom
	}
	return nil
}

// noPerson answers what can only be done with contacts.
var noPerson = &api.Error{Code: api.CodeUsage, Message: "the note to self is no contact: there is nobody behind it",
	Hint: "starling contact list names the contacts; a contact called self is named by its ID"}

// Verification returns the safety number.
func (n *Node) Verification(ctx context.Context, who string) (v api.Verification, err error) {
	err = n.view(ctx, func(tx *store.Tx) error {
		c, err := findPerson(tx, who)
		if err != nil {
			return err
		}
		v, err = verification(tx, c)
		return err
	})
	return v, err
}

func verification(tx *store.Tx, c store.Contact) (v api.Verification, err error) {
	s, _, err := outbox.Session(tx, c.ID)
	if errors.Is(err, store.ErrNoSession) {
		return v, &api.Error{Code: api.CodeUsage, Message: "there is no session to verify: a new one begins when this contact answers",
			Hint: "try again once they have been online"}
	}
	if err != nil {
		return v, err
	}
	return api.Verification{Contact: c.ID.String(), SafetyNumber: s.SafetyNumber(),
		Code: s.VerificationCode(), Verified: c.Verified}, nil
}

// SetVerified records that two people have compared the safety numbers seen.
func (n *Node) SetVerified(ctx context.Context, who, seen string) (api.Contact, error) {
	c, _, err := n.changePerson(ctx, who, func(tx *store.Tx, c *store.Contact) error {
		if c.Verified = seen != ""; !c.Verified {
			return nil
		}

		// Compared in the transaction: the session may have changed since the owner saw the number.
		v, err := verification(tx, *c)
		if err == nil && !strings.EqualFold(seen, v.Code) && seen != v.SafetyNumber {
			err = &api.Error{Code: api.CodeChanged, Message: "this is not the safety number of the session as it is now",
				Hint: "look at it again, and compare again"}
		}
		if err == nil {
			c.Named = true // a compared contact keeps the compared name
			err = compared(tx, c.ID)
		}
		return err
	})
	return c, err
}

// compared tells the session of a contact that the two people have compared its safety
// number: it is theirs, and no other is in dispute.
func compared(tx *store.Tx, contact store.ID) error {
	s, version, err := outbox.Session(tx, contact)
	if err != nil {
		return err
	}
	s.Compared()
	state, err := s.MarshalBinary()
	if err != nil {
		return err
	}
	return tx.SetSession(contact, version, state)
}

// RenameContact gives a contact a name of our own.
func (n *Node) RenameContact(ctx context.Context, who, name string) (api.Contact, error) {
	name, err := chat.CleanName(name)
	if err != nil {
		return api.Contact{}, nameError(err)
	}
	c, _, err := n.changePerson(ctx, who, func(tx *store.Tx, c *store.Contact) error {
		if err := freeName(tx, name, c.ID); err != nil {
			return err
		}
		c.Name, c.Named = name, true
		return inbox.MakeWay(tx, name, c.ID)
	})
	return c, err
}

// freeName refuses a name that the owner chose and has chosen for another contact
// before. A contact that merely calls itself so makes way (inbox.MakeWay).
func freeName(tx *store.Tx, name string, except store.ID) error {
	if chat.OwnName(name) {
		return &api.Error{Code: api.CodeContactExists, Message: "this is a name of the note to self", Hint: "choose another name"}
	}
	others, err := tx.Contacts()
	for _, o := range others {
		if o.ID != except && o.Named && chat.SameName(o.Name, name) {
			return &api.Error{Code: api.CodeContactExists, Message: "another contact has this name", Hint: "choose another name"}
		}
	}
	return err
}

// BlockContact stops or resumes receiving from a contact, and sending to them. Boxes of
// the meantime wait in the mailboxes for as long as those keep them.
func (n *Node) BlockContact(ctx context.Context, who string, blocked bool) (api.Contact, error) {
	c, id, err := n.changePerson(ctx, who, func(_ *store.Tx, c *store.Contact) error {
		c.Blocked = blocked
		return nil
	})
	if err != nil {
		return c, err
	}
	n.outbox.Block(id, blocked)
	return c, apiError(n.inbox.RefreshContact(ctx, id))
}

// RemoveContact erases a contact, its session and its messages; or a room that we are not in.
func (n *Node) RemoveContact(ctx context.Context, who string) error {
	var id store.ID
	err := n.update(ctx, func(tx *store.Tx) error {
		c, err := find(tx, who)
		if err == nil && c.ID == store.Self {
			err = noPerson
		}
		if err == nil && c.State == api.ContactRoom {
			err = mayForget(tx, c.ID)
		}
		if err != nil {
			return err
		}
		id = c.ID
		if err := tx.RemoveContact(id); err != nil {
			return err
		}
		_, err = tx.Append(store.Event{Kind: api.EventRemoved, Contact: id, Time: time.Now()})
		return err
	})

	if err != nil {
		return err
	}

	// After the commit, and outbox first: it must not seal for a session that is gone.
	n.outbox.RemoveContact(id)
	n.rooms.Forget(id)
	if err := n.inbox.RefreshContact(ctx, id); err != nil {
		return apiError(err)
	}
	// Erased rows are gone from disk when we say so.
	return apiError(n.store.Checkpoint())
}

func (n *Node) view(ctx context.Context, fn func(*store.Tx) error) error {
	return apiError(n.store.View(ctx, fn))
}

func (n *Node) update(ctx context.Context, fn func(*store.Tx) error) error {
	if n.ctx.Err() != nil {
		return closedError
	}
	return apiError(n.store.Update(ctx, fn))
}
