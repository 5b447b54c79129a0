package tuitest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"starling/node/api"
	"starling/node/api/safetext"
)

// A hall holds the rooms of all nodes that share it, as they truly are. Its lock is that of
// the nodes.
type hall struct {
	nodes  []*Node
	places []*place
	links  []*roomLink
	ids    int
}

// A place is one room.
type place struct {
	id         string
	name       string
	people     []*occupant // in order of arrival, and among them those at the door
	said       []api.Message
	history    int
	adminsOnly bool
	timer      int
	healing    bool
	unheard    bool
	forks      []api.Fork
	offered    string // the member that the owner offers it to
	asides     []aside
	created    time.Time
}

// An occupant is somebody in a room, or at its door.
type occupant struct {
	id      string
	name    safetext.Text
	role    api.Role
	node    *Node // nil: nobody is behind it but the test
	waiting bool
	link    *roomLink // that it came by
	by      string
	since   time.Time
}

// A roomLink lets people into a place.
type roomLink struct {
	api.RoomInvite
	place  *place
	author *occupant
}

func (h *hall) id(prefix string) string {
	h.ids++
	// The first digits differ, as those of hashes do.
	return fmt.Sprintf("%s%06x%024x", prefix, uint32(h.ids)*0x9e3779b1>>8, h.ids)
}

func (h *hall) place(id string) *place {
	i := slices.IndexFunc(h.places, func(p *place) bool { return p.id == id })
	if i < 0 {
		return nil
	}
	return h.places[i]
}

// link finds the link in a text.
func (h *hall) link(text string) *roomLink {
	i := slices.IndexFunc(h.links, func(l *roomLink) bool { return strings.Contains(text, l.Link) })
	if i < 0 {
		return nil
	}
	return h.links[i]
}

// mint makes a link into a room. Nobody checks that its author may.
func (h *hall) mint(p *place, author *occupant, req api.RoomInviteRequest, now time.Time) *roomLink {
	const alphabet = "abcdefghijklmnopqrstuvwxyz234567"
	var b strings.Builder
	for i := range 210 {
		b.WriteByte(alphabet[(i*i*5+i*11+h.ids)%32])
	}
	l := &roomLink{place: p, author: author, RoomInvite: api.RoomInvite{
		ID: h.id("71"), Room: p.id, Link: roomPrefix + b.String(), Expires: now.Add(req.Expires), Uses: req.Uses, Approve: req.Approve,
	}}
	h.links = append(h.links, l)
	return l
}

// build makes a room of one person, its owner.
func (h *hall) build(name string, owner *occupant, now time.Time) *place {
	owner.id, owner.role, owner.since = h.id("3e"), api.RoleOwner, now
	p := &place{id: h.id("70"), name: name, people: []*occupant{owner}, created: now}
	h.places = append(h.places, p)
	return p
}

// inside are the members of a room, in order of arrival.
func (p *place) inside() (all []*occupant) {
	for _, o := range p.people {
		if !o.waiting {
			all = append(all, o)
		}
	}
	return all
}

// nodes are the nodes of the members.
func (p *place) nodes() (all []*Node) {
	for _, o := range p.inside() {
		if o.node != nil {
			all = append(all, o.node)
		}
	}
	return all
}

func (p *place) occupant(id string) *occupant {
	i := slices.IndexFunc(p.people, func(o *occupant) bool { return o.id == id })
	if i < 0 {
		return nil
	}
	return p.people[i]
}

// of is the occupant that a node is.
func (p *place) of(n *Node) *occupant {
	i := slices.IndexFunc(p.people, func(o *occupant) bool { return o.node == n })
	if i < 0 {
		return nil
	}
	return p.people[i]
}

func (p *place) out(o *occupant) {
	p.people = slices.DeleteFunc(p.people, func(other *occupant) bool { return other == o })
	p.asides = slices.DeleteFunc(p.asides, func(a aside) bool { return a.from == o || a.to == o })
	if p.offered == o.id {
		p.offered = ""
	}
}

// names finds an occupant by ID, or by a name that one alone has.
func (p *place) names(who string) (*occupant, error) {
	if o := p.occupant(who); o != nil {
		return o, nil
	}
	var found *occupant
	for _, o := range p.people {
		if o.name.String() == who {
			if found != nil {
				return nil, refused(api.CodeAmbiguous, "more than one member has this name")
			}
			found = o
		}
	}
	if found == nil {
		return nil, refused(api.CodeNoMember, "nobody of this name is in the room")
	}
	return found, nil
}

// An aside is a conversation of two that one member offers another.
type aside struct{ from, to *occupant }

// asks reports whether one offers another a conversation of two.
func (p *place) asks(from, to *occupant) bool { return slices.Contains(p.asides, aside{from, to}) }

// unask ends an offer.
func (p *place) unask(from, to *occupant) {
	p.asides = slices.DeleteFunc(p.asides, func(a aside) bool { return a == aside{from, to} })
}

// ranks orders roles, the highest first.
var ranks = []api.Role{api.RoleOwner, api.RoleAdmin, api.RoleMember, api.RoleReader, api.RoleNone}

// atLeast reports whether a role is another one, or above it.
func atLeast(role, other api.Role) bool {
	return slices.Index(ranks, role) <= slices.Index(ranks, other)
}

// admit makes somebody at the door a member.
func (p *place) admit(o *occupant, by *occupant, now time.Time) {
	o.waiting, o.role, o.by, o.since = false, api.RoleMember, by.id, now
	if o.link != nil {
		o.link.Used++
	}
	if o.node != nil {
		o.node.rooms.arrive(p)
	}
	p.announce(api.RoomChange{Kind: api.ChangeJoined, Member: o.id, Name: o.name, By: by.id, ByName: by.name})
}

// refuse turns somebody at the door away.
func (p *place) refuse(o *occupant) {
	p.out(o)
	if o.node != nil {
		o.node.rooms.stand(p.id, api.RoomRefused)
	}
}

// expel makes a member one no more. They are told last.
func (p *place) expel(o, by *occupant, ban bool, links *[]*roomLink) {
	kind := api.ChangeRemoved
	if ban {
		kind = api.ChangeBanned
		*links = slices.DeleteFunc(*links, func(l *roomLink) bool { return l.author == o })
	}
	change := api.RoomChange{Kind: kind, Member: o.id, Name: o.name, By: by.id, ByName: by.name}
	p.out(o)
	if o.node != nil {
		o.node.rooms.stand(p.id, api.RoomRemoved)
		o.node.rooms.notice(p, change)
	}
	p.announce(change)
}

// announce tells all members of a change.
func (p *place) announce(c api.RoomChange) {
	for _, n := range p.nodes() {
		n.rooms.notice(p, c)
	}
	p.changed()
}

// changed tells all members how the room is now.
func (p *place) changed() {
	for _, n := range p.nodes() {
		n.rooms.renew(p)
	}
}

// sentence is a change in the words of a test.
func sentence(c api.RoomChange) string {
	name, by := c.Name.String(), c.ByName.String()
	if c.Self {
		name = "you"
	}
	if c.BySelf {
		by = "you"
	}

	switch c.Kind {
	case api.ChangeJoined:
		return name + " joined, let in by " + by + "."
	case api.ChangeLeft:
		return name + " left."
	case api.ChangeRemoved, api.ChangeBanned:
		return by + " removed " + name + "."
	case api.ChangeRole:
		return by + " made " + name + " " + string(c.Role) + "."
	case api.ChangeOwner:
		return name + " has the room now."
	case api.ChangeOffered:
		return by + " offers the room to " + name + "."
	case api.ChangeKnock:
		return name + " waits to be let in."
	case api.ChangeNamed:
		return by + " named the room " + name + "."
	case api.ChangeFork:
		return name + " said two things under one number."
	case api.ChangeUnheard:
		return "nobody has answered."
	case api.ChangeReturned:
		return name + " came back."
	case api.ChangeAside:
		if c.BySelf {
			return "you offer " + name + " a conversation of two."
		}
		return name + " offers you a conversation of two."
	}
	return fmt.Sprintf("%s: %s %d.", by, c.Kind, c.Value)
}
