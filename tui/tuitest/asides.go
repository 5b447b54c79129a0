package tuitest

import (
	"context"
	"time"

	"starling/node/api"
	"starling/node/api/safetext"
)

func (r *rooms) InviteMember(ctx context.Context, req api.MemberInviteRequest) (api.MemberInvite, error) {
	n := r.node
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.begin(ctx, "InviteMember", req.Member); err != nil {
		return api.MemberInvite{}, err
	}
	p, me, err := r.inside(req.Room)
	if err != nil {
		return api.MemberInvite{}, err
	}
	if err := r.mayWrite(p.id); err != nil {
		return api.MemberInvite{}, err
	}
	_, _, o, err := r.other(p.id, req.Member)
	if err == nil && o.waiting {
		err = refused(api.CodeNoMember, "nobody of this name is in the room")
	}
	if err != nil {
		return api.MemberInvite{}, err
	}
	if req.Expires != 0 {
		if err := checkExpiry(req.Expires); err != nil {
			return api.MemberInvite{}, err
		}
	}

	r.offer(p, me, o)
	return api.MemberInvite{Room: p.id, Member: o.id, ID: n.id("i"), Expires: n.now().Add(max(req.Expires, 24*time.Hour))}, nil
}

// offer is how one member offers another a conversation of two.
func (r *rooms) offer(p *place, from, to *occupant) {
	p.unask(from, to)
	p.asides = append(p.asides, aside{from, to})
	if from.node != nil {
		from.node.rooms.notice(p, api.RoomChange{Kind: api.ChangeAside, Member: to.id, Name: to.name, By: from.id, ByName: from.name})
	}
	if to.node != nil && !to.node.rooms.in[p.id].blocked[from.id] {
		to.node.rooms.notice(p, api.RoomChange{Kind: api.ChangeAside, Member: from.id, Name: from.name})
	}
	p.changed()
}

// Asks has a member offer us a conversation of two.
func (n *Node) Asks(room, member string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	p := n.rooms.hall.place(room)
	if o, err := p.names(member); err == nil {
		n.rooms.offer(p, o, p.of(n))
	}
}

func (r *rooms) AnswerMember(ctx context.Context, req api.MemberAnswerRequest) (api.Contact, error) {
	n := r.node
	defer n.gate(ctx, "AnswerMember")
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.begin(ctx, "AnswerMember", req.Member, req.Accept); err != nil {
		return api.Contact{}, err
	}
	p, s, o, err := r.other(req.Room, req.Member)
	if err != nil {
		return api.Contact{}, err
	}
	me := p.of(n)
	if me == nil || !p.asks(o, me) {
		return api.Contact{}, refused(api.CodeNoInvite, "this member offers no conversation of two")
	}

	p.unask(o, me)
	var c api.Contact
	if req.Accept {
		c = api.Contact{ID: n.id("c"), Name: o.name, As: s.as, State: api.ContactPending, Created: n.now()}
		n.contacts = append(n.contacts, c)
		befriend(n, &c, o, me)
		n.tellContact(c.ID)
	}
	p.changed()
	return c, nil
}

// befriend makes a contact there of the one here.
func befriend(n *Node, c *api.Contact, them, us *occupant) {
	o := them.node
	if o == nil {
		return
	}
	there := api.Contact{ID: o.id("c"), Name: us.name, As: safetext.Line(them.name.String()), State: api.ContactReady, Created: o.now()}
	o.contacts = append(o.contacts, there)
	n.far[c.ID], o.far[there.ID] = there.ID, c.ID
	n.byID(c.ID).State = api.ContactReady
	o.tellContact(there.ID)
}
