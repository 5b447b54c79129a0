package tuitest

import (
	"context"
	"slices"
	"strings"

	"starling/node/api"
	"starling/node/api/safetext"
)

func (r *rooms) ChangeMember(ctx context.Context, req api.MemberRequest) (api.Member, error) {
	n := r.node
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.begin(ctx, "ChangeMember", req.Role, req.Ban); err != nil {
		return api.Member{}, err
	}
	if !slices.Contains(ranks, req.Role) || req.Ban && req.Role != api.RoleNone {
		return api.Member{}, refused(api.CodeUsage, "there is no such role")
	}
	p, me, err := r.inside(req.Room)
	if err != nil {
		return api.Member{}, err
	}
	o, err := p.names(req.Member)
	if err != nil {
		return api.Member{}, err
	}

	switch {
	case o.waiting:
		return api.Member{}, refused(api.CodeUsage, "they are not in the room yet")
	case req.Role == o.role:
		return r.member(p, o), nil
	case req.Role == api.RoleOwner:
		return r.handOver(p, me, o)
	case o == me && req.Role == api.RoleNone:
		return api.Member{}, refused(api.CodeUsage, "you leave a room in another way")
	case o.role == api.RoleOwner || !mayChange(me.role, o.role, req.Role):
		return api.Member{}, errRank
	case req.Role == api.RoleNone:
		p.expel(o, me, req.Ban, &r.hall.links)
	default:
		o.role = req.Role
		p.announce(api.RoomChange{Kind: api.ChangeRole, Member: o.id, Name: o.name, By: me.id, ByName: me.name, Role: o.role})
		return r.member(p, o), nil
	}
	gone := r.member(p, o)
	gone.Role = api.RoleNone
	return gone, nil
}

// mayChange reports whether a role is enough to change another one to a third.
func mayChange(mine, from, to api.Role) bool {
	need := api.RoleAdmin
	if atLeast(from, api.RoleAdmin) || atLeast(to, api.RoleAdmin) {
		need = api.RoleOwner
	}
	return atLeast(mine, need)
}

// handOver offers the room to a member, or is how they take it.
func (r *rooms) handOver(p *place, me, o *occupant) (api.Member, error) {
	switch {
	case me.role == api.RoleOwner:
		p.offered = o.id
		p.announce(api.RoomChange{Kind: api.ChangeOffered, Member: o.id, Name: o.name, By: me.id, ByName: me.name})
	case o == me && p.offered == me.id:
		for _, former := range p.people {
			if former.role == api.RoleOwner {
				former.role, me.role, p.offered = api.RoleAdmin, api.RoleOwner, ""
				p.announce(api.RoomChange{Kind: api.ChangeOwner, Member: me.id, Name: me.name, By: former.id, ByName: former.name})
				break
			}
		}
	case o == me:
		return api.Member{}, errNoOffer
	default:
		return api.Member{}, errRank
	}
	return r.member(p, o), nil
}

func (r *rooms) AnswerKnock(ctx context.Context, req api.KnockRequest) error {
	n := r.node
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.begin(ctx, "AnswerKnock", req.Admit); err != nil {
		return err
	}
	p, me, err := r.led(req.Room)
	if err != nil {
		return err
	}

	o, err := p.names(req.Member)
	switch {
	case err != nil:
		return err
	case !o.waiting:
		return refused(api.CodeNoMember, "nobody of this name waits to be let in")
	case !req.Admit:
		p.refuse(o)
		p.changed()
	case len(p.inside()) >= api.MaxMembers:
		return errRoomFull
	default:
		p.admit(o, me, n.now())
	}
	return nil
}

// other finds a member that is not oneself.
func (r *rooms) other(room, member string) (*place, *stay, *occupant, error) {
	p, s, err := r.find(room)
	if err != nil {
		return nil, nil, nil, err
	}
	o, err := p.names(member)
	if err == nil && o.node == r.node {
		err = refused(api.CodeUsage, "this is you")
	}
	return p, s, o, err
}

func (r *rooms) BlockMember(ctx context.Context, req api.BlockMemberRequest) (api.Member, error) {
	n := r.node
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.begin(ctx, "BlockMember", req.Blocked); err != nil {
		return api.Member{}, err
	}
	p, s, o, err := r.other(req.Room, req.Member)
	if err != nil {
		return api.Member{}, err
	}
	s.blocked[o.id] = req.Blocked
	n.tellContact(p.id)
	return r.member(p, o), nil
}

func (r *rooms) MemberVerification(ctx context.Context, room, member string) (api.Verification, error) {
	n := r.node
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.begin(ctx, "MemberVerification", room, member); err != nil {
		return api.Verification{}, err
	}
	_, s, o, err := r.other(room, member)
	if err != nil {
		return api.Verification{}, err
	}
	return api.Verification{Contact: o.id, SafetyNumber: SafetyNumber, Code: Code, Verified: s.verified[o.id]}, nil
}

func (r *rooms) SetMemberVerified(ctx context.Context, room, member, seen string) (api.Member, error) {
	n := r.node
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.begin(ctx, "SetMemberVerified", seen != ""); err != nil {
		return api.Member{}, err
	}
	p, s, o, err := r.other(room, member)
	if err != nil {
		return api.Member{}, err
	}
	if seen != "" && seen != SafetyNumber && seen != Code {
		return api.Member{}, refused(api.CodeChanged, "this is not the safety number as it is now")
	}
	s.verified[o.id] = seen != ""
	n.tellContact(p.id)
	return r.member(p, o), nil
}

func (r *rooms) ChangeRoom(ctx context.Context, req api.RoomRequest) (api.Room, error) {
	n := r.node
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.begin(ctx, "ChangeRoom"); err != nil {
		return api.Room{}, err
	}
	p, me, err := r.led(req.Room)
	if err != nil {
		return api.Room{}, err
	}
	if h := req.History; h != nil && *h != 0 && *h != 100 {
		return api.Room{}, refused(api.CodeUsage, "newcomers get nothing, or the last 100 messages")
	}
	if t := req.Timer; t != nil && *t != 0 && (*t < 5 || *t > api.MaxTimer) {
		return api.Room{}, refused(api.CodeUsage, "messages disappear after 5 seconds at least and 4 weeks at most")
	}

	by := api.RoomChange{By: me.id, ByName: me.name}
	if req.Name != nil {
		name, err := roomName(*req.Name)
		if err != nil {
			return api.Room{}, err
		}
		p.name = name
		by.Kind, by.Name = api.ChangeNamed, safetext.Line(name)
		p.announce(by)
		by.Name = safetext.Text{}
	}

	number := func(kind api.RoomChangeKind, value int) {
		by.Kind, by.Value = kind, value
		p.announce(by)
	}
	if req.History != nil {
		p.history = *req.History
		number(api.ChangeHistory, p.history)
	}

	if req.AdminsOnly != nil {
		p.adminsOnly = *req.AdminsOnly
		value := 0
		if p.adminsOnly {
			value = 1
		}
		number(api.ChangeWriters, value)
	}
	if req.Timer != nil {
		p.timer = *req.Timer
		number(api.ChangeTimer, p.timer)
	}
	return *r.view(p.id), nil
}

// nameHere is a room's name among the conversations: never that of the note to self.
func (r *rooms) nameHere(p *place) string {
	if slices.ContainsFunc(api.SelfNames, func(s string) bool { return strings.EqualFold(s, p.name) }) {
		return p.name + " (" + p.id[len(p.id)-4:] + ")"
	}
	return p.name
}

// renew tells how a room is now.
func (r *rooms) renew(p *place) {
	if c := r.node.byID(p.id); c != nil {
		c.Name, c.Timer = safetext.Line(r.nameHere(p)), p.timer
		r.node.tellContact(p.id)
	}
}

// stand changes how the node stands in a room, and tells it.
func (r *rooms) stand(room string, state api.RoomState) {
	if s := r.in[room]; s != nil {
		s.state = state
		r.node.tellContact(room)
	}
}

// arrive is the first moment in a room: with what was said, if it gives newcomers that.
func (r *rooms) arrive(p *place) {
	r.stand(p.id, api.RoomReady)
	r.renew(p)
	for _, m := range p.said[max(0, len(p.said)-p.history):] {
		m.Sequence, m.Given = 0, true
		r.node.tellAbout(api.EventMessage, r.node.store(p.id, m))
	}
}

// forget removes a room from the conversations, without a word.
func (r *rooms) forget(room string) {
	delete(r.in, room)
	r.node.contacts = slices.DeleteFunc(r.node.contacts, func(c api.Contact) bool { return c.ID == room })
	delete(r.node.messages, room)
}

// mayForget reports whether a room can be removed from the conversations.
func (r *rooms) mayForget(room string) error {
	s, p := r.in[room], r.hall.place(room)
	if s == nil || s.state != api.RoomReady || len(p.inside()) < 2 {
		return nil
	}
	return &api.Error{Code: api.CodeUsage, Message: "you are in this room", Hint: "Leave it first."}
}

// notice stores a change of a room and tells it.
func (r *rooms) notice(p *place, c api.RoomChange) string {
	s := r.in[p.id]
	if s == nil {
		return ""
	}
	c.Self, c.BySelf = c.Member == s.me && c.Member != "", c.By == s.me && c.By != ""
	m := r.node.store(p.id, api.Message{
		Text: safetext.Line(sentence(c)), State: api.StateNotice, Room: p.id, Member: c.Member, Change: &c,
	})
	r.node.tellAbout(api.EventNotice, m)
	return m.ID
}

// leaveDoor takes back the request to be let into a room that is removed.
func (r *rooms) leaveDoor(room string) {
	s, p := r.in[room], r.hall.place(room)
	delete(r.in, room)
	if s == nil || p == nil {
		return
	}
	if me := p.of(r.node); me != nil {
		p.out(me)
		p.changed()
	}
}
