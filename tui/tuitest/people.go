package tuitest

import (
	"context"
	"slices"
	"strings"

	"starling/node/api"
	"starling/node/api/safetext"
)

func (n *Node) Invite(_ context.Context, req api.InviteRequest) (api.Invite, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.begin("Invite", req.Name); err != nil {
		return api.Invite{}, err
	}
	const alphabet = "abcdefghijklmnopqrstuvwxyz234567"
	var b strings.Builder
	for i := range 190 {
		b.WriteByte(alphabet[(i*i*7+i*13+len(n.invites))%32])
	}
	inv := api.Invite{ID: n.id("i"), Link: "starling:" + b.String(), Expires: n.now().Add(req.Expires)}
	n.invites = append(n.invites, inv)
	return inv, nil
}

func (n *Node) Invites(context.Context) ([]api.Invite, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.invites), n.begin("Invites")
}

func (n *Node) RevokeInvite(_ context.Context, id string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.invites = slices.DeleteFunc(n.invites, func(i api.Invite) bool { return i.ID == id })
	return n.begin("RevokeInvite", id)
}

func (n *Node) AddContact(_ context.Context, req api.AddContactRequest) (api.Contact, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.begin("AddContact", req.Name); err != nil {
		return api.Contact{}, err
	}
	if !strings.HasPrefix(req.Link, "starling:") {
		return api.Contact{}, ErrBadInvite
	}
	name := req.Name
	if name == "" {
		name = "somebody"
	}
	c := api.Contact{ID: n.id("c"), Name: safetext.Line(name), State: api.ContactPending, Created: n.now()}
	n.contacts = append(n.contacts, c)
	n.tellContact(c.ID)
	return c, nil
}

func (n *Node) Contacts(context.Context) ([]api.Contact, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	out := make([]api.Contact, len(n.contacts))
	for i, c := range n.contacts {
		out[i] = n.full(c)
	}
	return out, n.begin("Contacts")
}

func (n *Node) Verification(_ context.Context, contact string) (api.Verification, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	c := n.contact(contact)
	if c == nil {
		return api.Verification{}, errNoContact
	}
	return api.Verification{
		Contact:      c.ID,
		SafetyNumber: SafetyNumber,
		Code:         Code,
		Verified:     c.Verified,
	}, n.begin("Verification", contact)
}

// change edits a contact and tells it.
func (n *Node) change(contact string, f func(*api.Contact)) (api.Contact, error) {
	c := n.contact(contact)
	if c == nil {
		return api.Contact{}, errNoContact
	}
	f(c)
	n.tellContact(c.ID)
	return n.full(*c), nil
}

func (n *Node) SetVerified(_ context.Context, contact, seen string) (api.Contact, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.begin("SetVerified", seen != ""); err != nil {
		return api.Contact{}, err
	}
	return n.change(contact, func(c *api.Contact) { c.Verified = seen != "" })
}

func (n *Node) RenameContact(_ context.Context, contact, name string) (api.Contact, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.begin("RenameContact", name); err != nil {
		return api.Contact{}, err
	}
	return n.change(contact, func(c *api.Contact) { c.Name = safetext.Line(name) })
}

func (n *Node) BlockContact(_ context.Context, contact string, blocked bool) (api.Contact, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.begin("BlockContact", blocked); err != nil {
		return api.Contact{}, err
	}
	return n.change(contact, func(c *api.Contact) { c.Blocked = blocked })
}

func (n *Node) RemoveContact(_ context.Context, contact string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.begin("RemoveContact"); err != nil {
		return err
	}
	c := n.contact(contact)
	if c == nil {
		return errNoContact
	}
	id := c.ID
	n.contacts = slices.DeleteFunc(n.contacts, func(c api.Contact) bool { return c.ID == id })
	delete(n.messages, id)
	n.tell(api.Event{Kind: api.EventRemoved, Conversation: id})
	return nil
}
