package tuitest

import (
	"fmt"
	"time"

	"starling/node/api"
	"starling/node/api/safetext"
)

// Company makes nodes that share rooms: what is said at one shows at the others in the room
// at once.
func Company(now func() time.Time, names ...string) []*Node {
	all := make([]*Node, len(names))
	for i, name := range names {
		all[i] = NewNode(now)
		all[i].status.Name = safetext.Line(name)
		all[i].ids = i << 24 // no id of one is one of another
		if i > 0 {
			all[i].mu = all[0].mu
			all[i].rooms.hall = all[0].rooms.hall
		}
		all[0].rooms.hall.nodes = append(all[0].rooms.hall.nodes[:i], all[i])
	}
	return all
}

// together reports whether the node shares anything with another one.
func (r *rooms) together() bool { return r.node.other != nil || len(r.hall.nodes) > 1 }

// RoomOf makes a room that the node owns, with members that the test alone speaks for.
func (r *rooms) RoomOf(name string, members ...string) string {
	return r.found(name, api.RoleOwner, members)
}

// RoomWith makes a room in which the node has a role below its owner's. Its first member is
// the owner.
func (r *rooms) RoomWith(name string, role api.Role, members ...string) string {
	return r.found(name, role, members)
}

func (r *rooms) found(name string, role api.Role, members []string) string {
	n := r.node
	n.mu.Lock()
	defer n.mu.Unlock()
	me := &occupant{name: n.status.Name, node: n, role: role}
	first := me
	if role != api.RoleOwner {
		first = &occupant{name: safetext.Line(members[0])}
		members = members[1:]
	}
	p := r.hall.build(name, first, n.now().Add(-30*24*time.Hour))
	if first != me {
		me.id, me.by, me.since = r.hall.id("3e"), first.id, p.created
		p.people = append(p.people, me)
	}
	for _, m := range members {
		p.people = append(p.people, &occupant{id: r.hall.id("3e"), name: safetext.Line(m), role: api.RoleMember, by: first.id, since: p.created})
	}
	r.enter(p, me, api.RoomReady, r.nameHere(p))
	return p.id
}

// MemberOf returns the ID of a member of a room.
func (r *rooms) MemberOf(room, name string) string {
	r.node.mu.Lock()
	defer r.node.mu.Unlock()
	if o, err := r.hall.place(room).names(name); err == nil {
		return o.id
	}
	return ""
}

// with does something as the test, which speaks for a member.
func (r *rooms) with(room, member string, f func(p *place, o *occupant)) {
	r.node.mu.Lock()
	defer r.node.mu.Unlock()
	p := r.hall.place(room)
	if o, err := p.names(member); err == nil {
		f(p, o)
	} else {
		panic(err)
	}
}

// Says has a member say something and returns its ID.
func (r *rooms) Says(room, member, text string) string {
	return r.SaysMessage(room, member, api.Message{Text: safetext.Clean(text)})
}

// SaysMessage has a member send a message of any kind and returns its ID.
func (r *rooms) SaysMessage(room, member string, m api.Message) (id string) {
	r.with(room, member, func(p *place, o *occupant) {
		if m.ID == "" {
			m.ID = r.node.id("a")
		}
		m.Member, m.Room = o.id, room
		if m.From.IsZero() {
			m.From = o.name
		}
		p.said = append(p.said, m)
		id = m.ID
		r.node.receive(room, m)
		r.spread(p, m)
	})
	return id
}

// Joins has somebody come into a room, let in by its owner, and returns their ID.
func (r *rooms) Joins(room, name string) string {
	n := r.node
	n.mu.Lock()
	defer n.mu.Unlock()
	p := r.hall.place(room)
	o := &occupant{id: r.hall.id("3e"), name: safetext.Line(name), waiting: true}
	p.people = append(p.people, o)
	p.admit(o, p.people[0], n.now())
	return o.id
}

// Knocks has somebody wait for the node's answer and returns their ID.
func (r *rooms) Knocks(room, name string) string {
	n := r.node
	n.mu.Lock()
	defer n.mu.Unlock()
	p := r.hall.place(room)
	l := r.hall.mint(p, p.of(n), api.RoomInviteRequest{Uses: 100, Approve: true, Expires: time.Hour}, n.now())
	o := &occupant{id: r.hall.id("3e"), name: safetext.Line(name), role: api.RoleNone, waiting: true, link: l, since: n.now()}
	p.people = append(p.people, o)
	p.knocked(o, n.now())
	return o.id
}

// Leaves has a member leave.
func (r *rooms) Leaves(room, member string) {
	r.with(room, member, func(p *place, o *occupant) {
		p.out(o)
		p.announce(api.RoomChange{Kind: api.ChangeLeft, Member: o.id, Name: o.name})
	})
}

// Gives has a member give another one a role, the node too; [api.RoleNone] removes.
func (r *rooms) Gives(room, by, member string, role api.Role) {
	r.with(room, by, func(p *place, by *occupant) {
		o, err := p.names(member)
		switch {
		case err != nil:
			panic(err)
		case role == api.RoleNone:
			p.expel(o, by, false, &r.hall.links)
		default:
			o.role = role
			p.announce(api.RoomChange{Kind: api.ChangeRole, Member: o.id, Name: o.name, By: by.id, ByName: by.name, Role: role})
		}
	})
}

// Offers has the owner offer a member the room.
func (r *rooms) Offers(room, member string) {
	r.with(room, member, func(p *place, o *occupant) {
		p.offered = o.id
		p.announce(api.RoomChange{Kind: api.ChangeOffered, Member: o.id, Name: o.name, By: p.people[0].id, ByName: p.people[0].name})
	})
}

// Forks shows that a member has said two things under one number.
func (r *rooms) Forks(room, member, first, second string) {
	r.with(room, member, func(p *place, o *occupant) {
		p.forks = append(p.forks, api.Fork{Member: o.id, First: safetext.Clean(first), Second: safetext.Clean(second)})
		p.announce(api.RoomChange{Kind: api.ChangeFork, Member: o.id, Name: o.name})
	})
}

// Heals begins, or ends, the time in which people just removed may still read.
func (r *rooms) Heals(room string, healing bool) {
	r.node.mu.Lock()
	defer r.node.mu.Unlock()
	p := r.hall.place(room)
	p.healing = healing
	p.changed()
}

// Fills has somebody fill the open links into a room.
func (r *rooms) Fills(room string) {
	r.node.mu.Lock()
	defer r.node.mu.Unlock()
	p := r.hall.place(room)
	for _, l := range r.hall.links {
		l.Crowded = l.Crowded || l.place == p
	}
}

// Unheard has the node come back with an old copy of a room, and nobody answer; or somebody be heard.
func (r *rooms) Unheard(room string, unheard bool) {
	r.node.mu.Lock()
	defer r.node.mu.Unlock()
	p, s := r.hall.place(room), r.in[room]
	if p.unheard = unheard; unheard {
		r.notice(p, api.RoomChange{Kind: api.ChangeUnheard, Member: s.me, Name: s.as, Self: true})
	}
	p.changed()
}

// Stands has the node stand otherwise in a room, as if its members had done it.
func (r *rooms) Stands(room string, state api.RoomState) {
	r.node.mu.Lock()
	defer r.node.mu.Unlock()
	if state == api.RoomReady {
		p := r.hall.place(room)
		if me := p.of(r.node); me != nil && me.waiting {
			p.admit(me, p.people[0], r.node.now())
			return
		}
	}
	r.stand(room, state)
}

// LinkElsewhere is a link into a room of others: its owner, and more members. With approve
// the node waits at its door until [rooms.Stands].
func (r *rooms) LinkElsewhere(name string, approve bool, owner string, members ...string) string {
	n := r.node
	n.mu.Lock()
	defer n.mu.Unlock()
	first := &occupant{name: safetext.Line(owner)}
	p := r.hall.build(name, first, n.now().Add(-30*24*time.Hour))
	for _, m := range members {
		p.people = append(p.people, &occupant{id: r.hall.id("3e"), name: safetext.Line(m), role: api.RoleMember, by: first.id, since: p.created})
	}
	return r.hall.mint(p, first, api.RoomInviteRequest{Uses: 5, Approve: approve, Expires: 24 * time.Hour}, n.now()).Link
}

// MarkAllRead is MarkRead without a call.
func (r *rooms) MarkAllRead(room string) {
	r.node.mu.Lock()
	defer r.node.mu.Unlock()
	r.node.unread[room], r.in[room].mentions = 0, 0
}

// Ahead has messages of members come ahead of others in a room, of which so many pieces are missing. None and 0 end it.
func Ahead(n *Node, room string, missing int, all ...api.Message) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for i := range all {
		n.ids++
		all[i].ID, all[i].Conversation, all[i].Room, all[i].Ahead = fmt.Sprintf("ahead %d", n.ids), room, room, true
		all[i].State = api.StateReceived
	}
	in := n.rooms.in[room]
	in.ahead, in.missing = all, missing
	n.tellContact(room)
}
