package tuitest

import (
	"slices"

	"starling/node/api"
	"starling/node/api/mention"
)

// sign gives a message of a room its author, as this node sees them.
func (r *rooms) sign(m *api.Message) {
	p, s := r.hall.place(m.Conversation), r.in[m.Conversation]
	m.Room = m.Conversation
	if m.State == api.StateNotice || p == nil || s == nil {
		return
	}
	if m.Outgoing {
		m.Member, m.From = s.me, s.as
		if m.State == "" {
			m.State = api.StateSent
		}
		return
	}
	m.State = api.StateReceived
	if o := p.occupant(m.Member); o != nil && m.From.IsZero() {
		m.From = o.name
	}
	m.Mention = m.Mention || m.Reply != nil && m.Reply.Outgoing || mention.Names(m.Text.String(), s.me, r.everybody(p))
}

// hides reports whether a message is of a member that is blocked here.
func (r *rooms) hides(m *api.Message) bool {
	s := r.in[m.Room]
	return s != nil && m.State != api.StateNotice && s.blocked[m.Member]
}

// shown are the messages that are not hidden.
func (r *rooms) shown(all []api.Message) []api.Message {
	if !slices.ContainsFunc(all, func(m api.Message) bool { return r.hides(&m) }) {
		return all
	}
	return slices.DeleteFunc(slices.Clone(all), func(m api.Message) bool { return r.hides(&m) })
}

// mayWrite reports whether something can be said in a room, or changed. In a conversation
// of two it always can.
func (r *rooms) mayWrite(conversation string) error {
	s := r.in[conversation]
	if s == nil {
		return nil
	}
	if s.state != api.RoomReady {
		return errNotIn
	}
	p := r.hall.place(conversation)
	switch me := p.of(r.node); {
	case me.role == api.RoleReader, p.adminsOnly && !atLeast(me.role, api.RoleAdmin):
		return errRank
	}
	return nil
}

// deliver brings a message to the other nodes in the room. A node that is alone leaves it
// to the test to say how far it has come.
func (r *rooms) deliver(m api.Message) {
	p := r.hall.place(m.Room)
	kept := m
	kept.Outgoing, kept.Sequence, kept.State, kept.Mention = false, 0, "", false
	p.said = append(p.said, kept)
	p.said = p.said[max(0, len(p.said)-100):]
	r.spread(p, kept)
	if len(r.hall.nodes) > 1 {
		r.node.setState(m.ID, api.StateSent, "")
		countDown(r.node, r.node.find(m.ID))
	}
}

// spread brings a message to all other nodes in the room.
func (r *rooms) spread(p *place, m api.Message) {
	for _, n := range p.nodes() {
		if n == r.node {
			continue
		}
		in := m
		if m.Reply != nil {
			in.Reply = &api.Quote{ID: m.Reply.ID}
			if of := n.find(m.Reply.ID); of != nil {
				in.Reply = quote(of)
			}
		}
		n.receive(p.id, in)
	}
}

// mirror changes the others' copies of a message as its author changed it here.
func (r *rooms) mirror(m api.Message, f func(*api.Message)) {
	p := r.hall.place(m.Room)
	if p == nil {
		return
	}
	for i := range p.said {
		if p.said[i].ID == m.ID {
			f(&p.said[i])
		}
	}
	for _, n := range p.nodes() {
		if n == r.node {
			continue
		}
		if there := n.find(m.ID); there != nil {
			f(there)
			n.tellAbout(api.EventChanged, *there)
		}
	}
}

// sender turns the author of a search in a room into their ID.
func (r *rooms) sender(req *api.SearchRequest) error {
	p, _, err := r.find(req.Contact)
	if err != nil {
		_, err = r.node.who(req.From)
		return err
	}
	o, err := p.names(req.From)
	if err == nil {
		req.From = o.id
	}
	return err
}

// everybody is all members of a room, as they can be named.
func (r *rooms) everybody(p *place) (all []mention.Member) {
	for _, o := range p.inside() {
		all = append(all, mention.Member{ID: o.id, Name: o.name.String()})
	}
	return all
}
