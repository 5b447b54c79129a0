package node

import (
	"context"
	"errors"
	"time"

	"starling/node/api"
	"starling/node/api/safetext"
	"starling/node/chat"
	"starling/node/inbox"
	"starling/node/rooms"
	"starling/node/store"
	"starling/session/group"
)

var (
	noAside   = &api.Error{Code: api.CodeNoInvite, Message: "this member offers no conversation of two, or its time is over", Hint: "offer them one: starling room private ROOM MEMBER"}
	noLeafYet = &api.Error{Code: api.CodeNotReady, Message: "the key of this member is not known here yet", Hint: "it comes with the next change of keys: try again later"}
)

// InviteMember offers a member a conversation of two.
func (r *roomCalls) InviteMember(ctx context.Context, req api.MemberInviteRequest) (out api.MemberInvite, err error) {
	room, m, err := r.memberOf(ctx, req.Room, req.Member)
	switch {
	case err != nil:
		return out, err
	case m.ID == room.Me:
		return out, thisIsYou
	case m.Waiting:
		return out, noMember
	}
	var name string
	var before store.Aside
	err = r.n.view(ctx, func(tx *store.Tx) error {
		if _, err := mayWrite(tx, room.ID); err != nil {
			return err
		}
		if before, err = tx.Aside(room.ID, m.ID, true); err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		name, err = nameOfMember(tx, room, m)
		return err
	})
	if err != nil {
		return out, err
	}

	// Only the newest offer is open.
	if before.Invite != "" {
		if err := r.n.RevokeInvite(ctx, before.Invite); err != nil && api.CodeOf(err) != api.CodeNoInvite {
			return out, err
		}
	}

	// Under our name in the room: the profile's may be another, and stays unknown there.
	invite, err := r.n.inviteAs(ctx, api.InviteRequest{Name: name, Expires: req.Expires}, room.As)
	if err != nil {
		return out, err
	}
	err = r.update(ctx, room.ID, func(t *rooms.Tx, g *group.Room) error {
		err := t.Aside(group.ID(m.ID), invite.ID, invite.Link, invite.Expires)
		if errors.Is(err, group.ErrNotYet) {
			return noLeafYet
		}
		return err
	})
	if err != nil {
		// Nobody was told of it.
		r.n.inbox.Revoke(context.WithoutCancel(ctx), invite.ID)
		return out, err
	}
	return api.MemberInvite{Room: room.ID.String(), Member: m.ID.String(), ID: invite.ID, Expires: invite.Expires}, nil
}

// nameOfMember is the name that a member has as a contact: theirs in the room, or with a part of
// their ID if somebody else has it.
func nameOfMember(tx *store.Tx, room store.Room, m store.Member) (string, error) {
	name := chat.PeerName(m.Name)
	err := freeName(tx, name, store.ID{})
	if name == "" || api.CodeOf(err) == api.CodeContactExists {
		return inbox.Apart(store.ID(m.ID), name), nil
	}
	return name, err
}

// AnswerMember takes the conversation of two that a member offers, or declines it.
func (r *roomCalls) AnswerMember(ctx context.Context, req api.MemberAnswerRequest) (out api.Contact, err error) {
	room, m, err := r.memberOf(ctx, req.Room, req.Member)
	if err != nil {
		return out, err
	}
	var a store.Aside
	var name string
	err = r.n.view(ctx, func(tx *store.Tx) error {
		// The offer ends by the relays' time, as it was made by another's clock.
		a, err = tx.Aside(room.ID, m.ID, false)
		if errors.Is(err, store.ErrNotFound) || err == nil && (a.Link == "" || !a.Expires.After(r.n.told())) {
			return noAside
		}
		if err == nil {
			name, err = nameOfMember(tx, room, m)
		}
		return err
	})
	if err != nil {
		return out, err
	}

	if req.Accept {
		out, err = r.n.addContactAs(ctx, api.AddContactRequest{Link: a.Link, Name: name}, room.As)
		if err != nil && api.CodeOf(err) != api.CodeInviteExpired {
			return out, err
		}
	}
	a.Link = "" // answered
	// Also for an offer that turned out expired: it cannot be taken again.
	was := r.n.update(ctx, func(tx *store.Tx) error {
		if err := tx.SetAside(room.ID, a); err != nil {
			return err
		}
		_, err := tx.Append(store.Event{Kind: api.EventContact, Contact: room.ID, Time: time.Now()})
		return err
	})
	return out, errors.Join(err, was)
}

// asking marks the members that offer us a conversation of two.
func asking(tx *store.Tx, room store.ID, now time.Time) (map[string]bool, error) {
	all, err := tx.Asking(room, now)
	who := make(map[string]bool, len(all))
	for _, a := range all {
		who[a.Member.String()] = true
	}
	return who, err
}

// asIn is our name to a contact, if it is another one than that of the profile.
func asIn(c store.Contact) safetext.Text {
	if c.Alias == "" {
		return safetext.Text{}
	}
	return safetext.Line(c.Alias)
}
