package tuitest

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"starling/node/api"
	"starling/node/api/safetext"
)

// roomPrefix begins every link into a room.
const roomPrefix = "starling-room:"

// rooms are the rooms of one node: the methods of [api.Rooms].
type rooms struct {
	node *Node
	hall *hall
	in   map[string]*stay // by the room's ID
}

// A stay is how a node stands in a room.
type stay struct {
	state    api.RoomState
	me       string
	as       safetext.Text
	mentions int
	blocked  map[string]bool
	verified map[string]bool
	ahead    []api.Message
	missing  int
}

var (
	errNoRoom   = &api.Error{Code: api.CodeNoRoom, Message: "no such room"}
	errNotIn    = &api.Error{Code: api.CodeNotReady, Message: "you are not in this room"}
	errNoOffer  = &api.Error{Code: api.CodeRank, Message: "nobody offers you this room"}
	errRank     = &api.Error{Code: api.CodeRank, Message: "your role does not allow it"}
	errRoomFull = &api.Error{Code: api.CodeRoomFull, Message: "the room holds 32 people"}
	errBadLink  = &api.Error{Code: api.CodeBadInvite, Message: "this is no link into a room", Hint: "Ask for the link again and paste all of it."}
)

// find returns a room by ID or name.
func (r *rooms) find(room string) (*place, *stay, error) {
	if s := r.in[room]; s != nil {
		return r.hall.place(room), s, nil
	}
	var found *place
	for id := range r.in {
		if c := r.node.byID(id); c != nil && c.Name.String() == room && room != "" {
			if found != nil {
				return nil, nil, errAmbiguous
			}
			found = r.hall.place(id)
		}
	}
	if found == nil {
		return nil, nil, errNoRoom
	}
	return found, r.in[found.id], nil
}

// inside is find for a room that the node is in.
func (r *rooms) inside(room string) (*place, *occupant, error) {
	p, s, err := r.find(room)
	if err != nil {
		return nil, nil, err
	}
	if s.state != api.RoomReady {
		return nil, nil, errNotIn
	}
	return p, p.of(r.node), nil
}

// led is inside for owner and admins.
func (r *rooms) led(room string) (*place, *occupant, error) {
	p, me, err := r.inside(room)
	if err == nil && !atLeast(me.role, api.RoleAdmin) {
		return nil, nil, errRank
	}
	return p, me, err
}

// view is a room as the api gives it.
func (r *rooms) view(id string) *api.Room {
	p, s := r.hall.place(id), r.in[id]
	if p == nil || s == nil {
		return nil // a person
	}
	c := r.node.byID(id)
	if c == nil {
		return nil
	}
	out := &api.Room{
		ID: id, Name: c.Name, State: s.state, Role: api.RoleNone, Me: s.me, As: s.as, Members: len(p.inside()),
		History: p.history, AdminsOnly: p.adminsOnly, Timer: p.timer, Healing: p.healing, Unheard: p.unheard, Forks: slices.Clone(p.forks),
		Created: p.created, Unread: r.node.unread[id], Mentions: s.mentions, Ahead: len(s.ahead), Missing: s.missing,
	}
	if me := p.of(r.node); me != nil {
		out.Role = me.role
	}

	for _, o := range p.people {
		if o.waiting && o.link != nil && o.link.author.node == r.node {
			out.Waiting++
		}
	}
	for _, a := range p.asides {
		if a.to.node == r.node && !s.blocked[a.from.id] {
			out.Asking++
		}
	}
	for _, m := range r.node.messages[id] {
		if m.Outgoing && (m.State == api.StateQueued || m.State == api.StateSealed) {
			out.Unsent++
		}
	}
	return out
}

// count is how many rooms the node is in, or waits for, and those in which perhaps nobody reads it.
func (r *rooms) count() (n, unheard int) {
	for id, s := range r.in {
		if s.state == api.RoomReady || s.state == api.RoomPending || s.state == api.RoomAway {
			n++
			if p := r.hall.place(id); p != nil && p.unheard {
				unheard++
			}
		}
	}
	return n, unheard
}

// member is an occupant as the api gives it.
func (r *rooms) member(p *place, o *occupant) api.Member {
	s := r.in[p.id]
	return api.Member{
		ID: o.id, Name: o.name, Role: o.role, Self: o.node == r.node, Waiting: o.waiting, Offered: p.offered == o.id,
		Verified: s.verified[o.id], Blocked: s.blocked[o.id], By: o.by, Since: o.since,
		Asking: p.asks(o, p.of(r.node)) && !s.blocked[o.id],
	}
}

func roomName(name string) (string, error) {
	clean := strings.TrimSpace(safetext.Line(name).String())
	if clean == "" || len(clean) > api.MaxName {
		return "", refused(api.CodeUsage, "a name has 1 to 64 bytes")
	}
	if slices.ContainsFunc(api.SelfNames, func(s string) bool { return strings.EqualFold(s, clean) }) {
		return "", refused(api.CodeContactExists, "this is a name of the note to self")
	}
	return clean, nil
}

// nameIn is our name in a room.
func (r *rooms) nameIn(as string) (safetext.Text, error) {
	if as == "" {
		as = r.node.status.Name.String()
	}
	clean := strings.TrimSpace(safetext.Line(as).String())
	if clean == "" || len(clean) > api.MaxName {
		return safetext.Text{}, refused(api.CodeUsage, "a name has 1 to 64 bytes")
	}
	return safetext.Line(clean), nil
}

// enter adds a room to the conversations.
func (r *rooms) enter(p *place, me *occupant, state api.RoomState, name string) api.Room {
	r.in[p.id] = &stay{state: state, me: me.id, as: me.name, blocked: map[string]bool{}, verified: map[string]bool{}}
	r.node.contacts = append(r.node.contacts, api.Contact{
		ID: p.id, Name: safetext.Line(name), State: api.ContactRoom, Created: r.node.now(), Conversation: api.Conversation{Timer: p.timer},
	})
	r.node.tellContact(p.id)
	return *r.view(p.id)
}

func (r *rooms) CreateRoom(ctx context.Context, req api.CreateRoomRequest) (api.Room, error) {
	n := r.node
	defer n.gate(ctx, "CreateRoom")
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.begin(ctx, "CreateRoom", req.Name); err != nil {
		return api.Room{}, err
	}
	name, err := roomName(req.Name)
	if err != nil {
		return api.Room{}, err
	}
	as, err := r.nameIn(req.As)
	if err != nil {
		return api.Room{}, err
	}
	me := &occupant{name: as, node: n}
	p := r.hall.build(name, me, n.now())
	r.enter(p, me, api.RoomReady, name)
	p.announce(api.RoomChange{Kind: api.ChangeCreated, Member: me.id, Name: me.name, By: me.id, ByName: me.name})
	return *r.view(p.id), nil
}

func (r *rooms) ListRooms(ctx context.Context) ([]api.Room, error) {
	n := r.node
	n.mu.Lock()
	defer n.mu.Unlock()
	out := []api.Room{}
	for _, c := range n.contacts {
		if c.State == api.ContactRoom {
			out = append(out, *r.view(c.ID))
		}
	}
	return out, n.begin(ctx, "ListRooms")
}

func (r *rooms) InviteToRoom(ctx context.Context, req api.RoomInviteRequest) (api.RoomInvite, error) {
	n := r.node
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.begin(ctx, "InviteToRoom", req.Room, req.Uses, req.Approve); err != nil {
		return api.RoomInvite{}, err
	}
	p, me, err := r.led(req.Room)
	if err != nil {
		return api.RoomInvite{}, err
	}
	if req.Uses < 0 || req.Uses > api.MaxRoomUses {
		return api.RoomInvite{}, refused(api.CodeUsage, "a link is for 1 to 1000 people")
	}
	if err := checkExpiry(req.Expires); err != nil {
		return api.RoomInvite{}, err
	}
	if req.To != "" {
		if _, err := person(n, req.To); err != nil {
			return api.RoomInvite{}, err
		}
	}

	req.Uses, req.Expires = max(1, req.Uses), cmp.Or(req.Expires, 24*time.Hour)
	out := r.hall.mint(p, me, req, n.now()).RoomInvite
	if req.To != "" {
		c, _ := person(n, req.To)
		m := n.store(c.ID, api.Message{Outgoing: true, State: api.StateQueued, Text: safetext.Clean(out.Link), Timer: c.Timer})
		n.tellAbout(api.EventMessage, m)
		n.deliver(m)
		out.Message = &m
	}
	return out, nil
}

func (r *rooms) RoomInvites(ctx context.Context, room string) ([]api.RoomInvite, error) {
	n := r.node
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.begin(ctx, "RoomInvites"); err != nil {
		return nil, err
	}
	p, _, err := r.find(room)
	if err != nil {
		return nil, err
	}
	out := []api.RoomInvite{}
	for _, l := range r.hall.links {
		if l.place == p && l.author.node == n && l.Used < l.Uses && n.now().Before(l.Expires) {
			out = append(out, l.RoomInvite)
		}
	}
	return out, nil
}

func (r *rooms) RevokeRoomInvite(ctx context.Context, id string) error {
	n := r.node
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.begin(ctx, "RevokeRoomInvite", id); err != nil {
		return err
	}
	i := slices.IndexFunc(r.hall.links, func(l *roomLink) bool { return l.ID == id && l.author.node == n })
	if i < 0 {
		return refused(api.CodeNoInvite, "there is no open link with this ID")
	}
	r.hall.links = slices.Delete(r.hall.links, i, i+1)
	return nil
}

// looksLikeLink reports whether a text holds something of the form of a link.
func looksLikeLink(text string) bool {
	_, link, ok := strings.Cut(text, roomPrefix)
	i := strings.IndexFunc(link, func(c rune) bool { return (c < 'a' || c > 'z') && (c < '2' || c > '7') })
	return ok && len(text) <= api.MaxInviteText && (i < 0 && len(link) >= 190 || i >= 190)
}

// Statement is that of every [api.RoomCard] of a Node.
const Statement = "Whoever is in the room, or keeps its mail, can find out together with your guard that your address is in it."

func (r *rooms) LookAtRoom(ctx context.Context, link string) (api.RoomCard, error) {
	n := r.node
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.begin(ctx, "LookAtRoom"); err != nil {
		return api.RoomCard{}, err
	}
	if !looksLikeLink(link) {
		return api.RoomCard{}, errBadLink
	}
	card := api.RoomCard{Statement: Statement, Uses: 1, Expires: n.now().Add(24 * time.Hour)}
	if l := r.hall.link(link); l != nil {
		card.Expires, card.Uses, card.Approve = l.Expires, l.Uses, l.Approve
	}
	if !n.now().Before(card.Expires) {
		return api.RoomCard{}, refused(api.CodeInviteExpired, "the time of this link is over")
	}
	return card, nil
}

func (r *rooms) JoinRoom(ctx context.Context, req api.JoinRoomRequest) (api.Room, error) {
	n := r.node
	defer n.gate(ctx, "JoinRoom")
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.begin(ctx, "JoinRoom", req.Name); err != nil {
		return api.Room{}, err
	}
	as, err := r.nameIn(req.Name)
	if err != nil {
		return api.Room{}, err
	}
	if !looksLikeLink(req.Link) {
		return api.Room{}, errBadLink
	}

	me := &occupant{id: r.hall.id("3e"), name: as, node: n, role: api.RoleNone, waiting: true, since: n.now()}
	l := r.hall.link(req.Link)
	if l == nil { // of somebody who never answers
		p := &place{id: r.hall.id("70"), created: n.now()}
		r.hall.places = append(r.hall.places, p)
		return r.enter(p, me, api.RoomPending, ""), nil
	}
	if !n.now().Before(l.Expires) {
		return api.Room{}, refused(api.CodeInviteExpired, "the time of this link is over")
	}

	p := l.place
	if s := r.in[p.id]; s != nil {
		if s.state == api.RoomReady || s.state == api.RoomPending {
			return *r.view(p.id), nil
		}
		r.forget(p.id)
	}
	me.link = l
	p.people = append(p.people, me)
	r.enter(p, me, api.RoomPending, r.nameHere(p))
	p.knocked(me, n.now())
	return *r.view(p.id), nil
}

// knocked lets somebody in by a link, or has them wait, or turns them away.
func (p *place) knocked(o *occupant, now time.Time) {
	l := o.link
	switch {
	case l.Used >= l.Uses, p.occupant(l.author.id) == nil, !l.Approve && len(p.inside()) >= api.MaxMembers:
		p.refuse(o)
	case !l.Approve:
		p.admit(o, l.author, now)
	default:
		if host := l.author.node; host != nil {
			host.rooms.notice(p, api.RoomChange{Kind: api.ChangeKnock, Member: o.id, Name: o.name})
			host.rooms.renew(p)
		}
	}
}

func (r *rooms) Members(ctx context.Context, room string) ([]api.Member, error) {
	n := r.node
	defer n.gate(ctx, "Members")
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.begin(ctx, "Members"); err != nil {
		return nil, err
	}
	p, _, err := r.find(room)
	if err != nil {
		return nil, err
	}
	out := []api.Member{}
	for _, o := range p.people {
		if !o.waiting || o.link != nil && o.link.author.node == n {
			out = append(out, r.member(p, o))
		}
	}
	slices.SortStableFunc(out, func(a, b api.Member) int {
		return cmp.Compare(slices.Index(ranks, a.Role), slices.Index(ranks, b.Role))
	})
	return out, nil
}

func (r *rooms) LeaveRoom(ctx context.Context, room string) error {
	n := r.node
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.begin(ctx, "LeaveRoom"); err != nil {
		return err
	}
	p, s, err := r.find(room)
	if err != nil {
		return err
	}
	me := p.of(n)
	switch {
	case s.state == api.RoomPending:
		if me != nil {
			p.out(me)
		}
	case s.state != api.RoomReady:
		return errNotIn
	case me.role == api.RoleOwner && len(p.inside()) > 1 && !p.unheard:
		return &api.Error{Code: api.CodeRank, Message: "the owner cannot leave a room with others in it", Hint: "Give the room to somebody first."}
	default:
		p.out(me)
	}

	if s.state == api.RoomReady {
		left := api.RoomChange{Kind: api.ChangeLeft, Member: s.me, Name: s.as}
		r.notice(p, left)
		p.announce(left)
	}
	r.stand(p.id, api.RoomLeft)
	p.changed()
	return nil
}
