package tuitest

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"starling/node/api"
	"starling/node/api/safetext"
)

func (n *Node) Invite(ctx context.Context, req api.InviteRequest) (api.Invite, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.begin(ctx, "Invite", req.Name); err != nil {
		return api.Invite{}, err
	}
	if err := checkExpiry(req.Expires); err != nil {
		return api.Invite{}, err
	}
	if req.Name != "" && n.contact(req.Name) != nil {
		return api.Invite{}, refused(api.CodeContactExists, "another contact has this name")
	}

	const alphabet = "abcdefghijklmnopqrstuvwxyz234567"
	var b strings.Builder
	for i := range 190 {
		b.WriteByte(alphabet[(i*i*7+i*13+n.made)%32])
	}
	inv := api.Invite{ID: n.id("i"), Link: "starling:" + b.String(), Expires: n.now().Add(req.Expires), Name: safetext.Line(req.Name)}
	if req.WithBridge {
		for _, v := range *n.bridges.all {
			inv.Link += " " + v.Link
		}
	}
	n.made++
	n.invites, n.invited[inv.ID] = append(n.invites, inv), req.Name
	return inv, nil
}

func (n *Node) Invites(ctx context.Context) ([]api.Invite, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]api.Invite{}, n.invites...), n.begin(ctx, "Invites")
}

func (n *Node) RevokeInvite(ctx context.Context, id string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.begin(ctx, "RevokeInvite", id); err != nil {
		return err
	}
	i := slices.IndexFunc(n.invites, func(i api.Invite) bool { return i.ID == id })
	if i < 0 {
		return refused(api.CodeNoInvite, "there is no open invite with this ID")
	}
	n.invites = slices.Delete(n.invites, i, i+1)
	return nil
}

func (n *Node) AddContact(ctx context.Context, req api.AddContactRequest) (api.Contact, error) {
	defer n.gate(ctx, "AddContact")
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.begin(ctx, "AddContact", req.Name); err != nil {
		return api.Contact{}, err
	}
	if !strings.HasPrefix(req.Link, "starling:") {
		return api.Contact{}, ErrBadInvite
	}
	name := req.Name
	if name == "" {
		name = cmp.Or(inviter(n, req.Link), "somebody")
	}
	c := api.Contact{ID: n.id("c"), Name: safetext.Line(name), State: api.ContactPending, Created: n.now()}
	n.contacts = append(n.contacts, c)
	n.tellContact(c.ID)
	meet(n, req.Link, c.ID)
	return c, nil
}

func (n *Node) Contacts(ctx context.Context) ([]api.Contact, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return list(n, false), n.begin(ctx, "Contacts")
}

func (n *Node) Conversations(ctx context.Context) ([]api.Contact, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	out := append([]api.Contact{n.full(n.self)}, list(n, false)...)
	return append(out, list(n, true)...), n.begin(ctx, "Conversations")
}

func (n *Node) Verification(ctx context.Context, contact string) (api.Verification, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	c, err := person(n, contact)
	if err != nil {
		return api.Verification{}, err
	}
	return api.Verification{
		Contact:      c.ID,
		SafetyNumber: SafetyNumber,
		Code:         Code,
		Verified:     c.Verified,
	}, n.begin(ctx, "Verification", contact)
}

// list is all people, or all rooms.
func list(n *Node, rooms bool) []api.Contact {
	out := []api.Contact{}
	for _, c := range n.contacts {
		if (c.State == api.ContactRoom) == rooms {
			out = append(out, n.full(c))
		}
	}
	return out
}

// person is who, but not for oneself or a room.
func person(n *Node, contact string) (*api.Contact, error) {
	c, err := n.who(contact)
	if err == nil && c.State == api.ContactRoom {
		return nil, refused(api.CodeUsage, "this is a room, and no contact")
	}
	if err == nil && c.ID == api.Self {
		return nil, refused(api.CodeUsage, "the note to self is no contact: there is nobody behind it")
	}
	return c, err
}

// changePerson is change, but not of oneself.
func changePerson(n *Node, contact string, f func(*api.Contact)) (api.Contact, error) {
	if _, err := person(n, contact); err != nil {
		return api.Contact{}, err
	}
	return n.change(contact, f)
}

// change edits a contact and tells it.
func (n *Node) change(contact string, f func(*api.Contact)) (api.Contact, error) {
	c, err := n.who(contact)
	if err != nil {
		return api.Contact{}, err
	}
	f(c)
	n.tellContact(c.ID)
	return n.full(*c), nil
}

func (n *Node) SetVerified(ctx context.Context, contact, seen string) (api.Contact, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.begin(ctx, "SetVerified", seen != ""); err != nil {
		return api.Contact{}, err
	}
	if seen != "" && seen != SafetyNumber && seen != Code {
		return api.Contact{}, refused(api.CodeChanged, "this is not the safety number as it is now")
	}
	return changePerson(n, contact, func(c *api.Contact) { c.Verified = seen != "" })
}

func (n *Node) RenameContact(ctx context.Context, contact, name string) (api.Contact, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.begin(ctx, "RenameContact", name); err != nil {
		return api.Contact{}, err
	}
	clean := safetext.Line(name)
	if strings.TrimSpace(clean.String()) == "" {
		return api.Contact{}, refused(api.CodeUsage, "the name is empty")
	}
	if slices.ContainsFunc(api.SelfNames, func(s string) bool { return strings.EqualFold(s, clean.String()) }) {
		return api.Contact{}, refused(api.CodeContactExists, "this is a name of the note to self")
	}
	return changePerson(n, contact, func(c *api.Contact) { c.Name = clean })
}

func (n *Node) BlockContact(ctx context.Context, contact string, blocked bool) (api.Contact, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.begin(ctx, "BlockContact", blocked); err != nil {
		return api.Contact{}, err
	}
	changed, err := changePerson(n, contact, func(c *api.Contact) { c.Blocked = blocked })
	if err == nil && !blocked {
		unblocked(n, changed.ID)
	}
	return changed, err
}

func (n *Node) RemoveContact(ctx context.Context, contact string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.begin(ctx, "RemoveContact"); err != nil {
		return err
	}
	c, err := n.who(contact)
	if err == nil && c.State != api.ContactRoom {
		c, err = person(n, contact)
	}
	if err != nil {
		return err
	}
	if err := n.mayForget(c.ID); err != nil {
		return err
	}
	id := c.ID
	n.leaveDoor(id)
	n.contacts = slices.DeleteFunc(n.contacts, func(c api.Contact) bool { return c.ID == id })
	delete(n.messages, id)
	delete(n.far, id)
	n.tell(api.Event{Kind: api.EventRemoved, Conversation: id})
	return nil
}
