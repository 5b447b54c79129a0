package tuitest

import (
	"slices"
	"time"

	"starling/node/api"
	"starling/node/api/safetext"
)

// Pair makes two nodes that can invite each other. A change of a conversation by one
// reaches the other at once.
func Pair(now func() time.Time, one, other string) (a, b *Node) {
	a, b = NewNode(now), NewNode(now)
	a.status.Name, b.status.Name = safetext.Line(one), safetext.Line(other)
	a.other, b.other = b, a
	b.mu, b.rooms.hall = a.mu, a.rooms.hall
	a.rooms.hall.nodes = append(a.rooms.hall.nodes, b)
	b.ids = 1 << 30 // no id of one is one of the other
	return a, b
}

// meet makes a pending contact and the inviter ready for each other, if the link is
// an open invite of the other node.
func meet(n *Node, link, contact string) {
	if n.other == nil {
		return
	}
	i := slices.IndexFunc(n.other.invites, func(inv api.Invite) bool { return inv.Link == link })
	if i < 0 {
		return
	}

	o, inv := n.other, n.other.invites[i]
	o.invites = slices.Delete(o.invites, i, i+1)
	name := o.invited[inv.ID]
	if name == "" {
		name = n.status.Name.String()
	}
	there := api.Contact{ID: o.id("c"), Name: safetext.Line(name), State: api.ContactReady, Created: o.now()}
	o.contacts = append(o.contacts, there)
	n.far[contact], o.far[there.ID] = there.ID, contact
	n.byID(contact).State = api.ContactReady

	o.tell(api.Event{Kind: api.EventInvite, Invite: &api.InviteEvent{ID: inv.ID, What: "used", Contact: there.ID}})
	o.tellContact(there.ID)
	n.tellContact(contact)
}

// inviter is the name that the maker of a link goes by, "" if nobody knows.
func inviter(n *Node, link string) string {
	if n.other != nil && slices.ContainsFunc(n.other.invites, func(inv api.Invite) bool { return inv.Link == link }) {
		return n.other.status.Name.String()
	}
	return ""
}

// deliver brings a message to the other node. It waits while that one blocks this one.
func (n *Node) deliver(m api.Message) {
	if m.Room != "" {
		n.rooms.deliver(m)
		return
	}
	far := n.far[m.Conversation]
	if far == "" {
		return
	}
	o := n.other
	if o.byID(far).Blocked {
		n.waiting[m.Conversation] = append(n.waiting[m.Conversation], m)
		n.setState(m.ID, api.StateSent, "")
		return
	}

	in := m
	in.Outgoing, in.Sequence = false, 0
	if m.Reply != nil {
		in.Reply = &api.Quote{ID: m.Reply.ID}
		if of := o.find(m.Reply.ID); of != nil {
			in.Reply = quote(of)
		}
	}
	o.receive(far, in)
	n.setState(m.ID, api.StateDelivered, "")
	countDown(n, n.find(m.ID))
}

// unblocked brings the messages that waited while a contact was blocked here.
func unblocked(n *Node, contact string) {
	if far := n.far[contact]; far != "" {
		waiting := n.other.waiting[far]
		delete(n.other.waiting, far)
		for _, m := range waiting {
			n.other.deliver(m)
		}
	}
}

// mirror changes the other's copy of a message as its sender changed it here.
func mirror(n *Node, id string, f func(*api.Message)) {
	if here := n.find(id); here != nil && here.Room != "" {
		n.rooms.mirror(*here, f)
		return
	}
	if n.other == nil {
		return
	}
	if m := n.other.find(id); m != nil {
		f(m)
		n.other.tellAbout(api.EventChanged, *m)
	}
}

// countDown begins the end of a message that disappears. Only nodes in a pair, which
// go by real time, carry it out.
func countDown(n *Node, m *api.Message) {
	if m == nil || m.Timer == 0 || !m.Expires.IsZero() {
		return
	}
	left := time.Duration(m.Timer) * time.Second
	m.Expires = n.now().Add(left)
	n.tellAbout(api.EventChanged, *m)
	if id := m.ID; n.together() {
		time.AfterFunc(left, func() { n.Expire(id) })
	}
}

// haveRead tells the other node, if the owner tells, that its messages were read.
func haveRead(n *Node, contact string) {
	far := n.far[contact]
	if far == "" || !n.settings.ReadReceipts {
		return
	}
	o := n.other
	for i := range o.messages[far] {
		if m := &o.messages[far][i]; m.Outgoing && m.Read.IsZero() && !m.Deleted {
			m.Read = o.now()
			o.tellAbout(api.EventChanged, *m)
		}
	}
}

// offer brings a timer that was offered here to the other node, with the notice that
// both are shown.
func offer(n *Node, contact string, seconds int) {
	far := n.far[contact]
	if far == "" {
		return
	}
	_, _ = n.other.change(far, func(c *api.Contact) { takeOffer(c, seconds) })
	for _, at := range []struct {
		n  *Node
		id string
	}{{n, contact}, {n.other, far}} {
		m := at.n.store(at.id, api.Message{Text: safetext.Clean("The timer was changed."), State: api.StateNotice})
		at.n.tellAbout(api.EventNotice, m)
	}
}

// takeOffer notes a contact's offer of a timer.
func takeOffer(c *api.Contact, seconds int) {
	if c.TimerTheirs = seconds; c.TimerMine == seconds {
		c.Timer = seconds
	}
}
