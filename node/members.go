package node

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"starling/node/api"
	"starling/node/api/safetext"
	"starling/node/rooms"
	"starling/node/store"
	"starling/session/group"
)

// findMember returns the member of a room with this ID or this name.
func findMember(tx *store.Tx, room store.ID, who string) (store.Member, error) {
	all, err := tx.Members(room)
	if err != nil {
		return store.Member{}, err
	}
	all = slices.DeleteFunc(all, func(m store.Member) bool { return m.Role == api.RoleNone && !m.Waiting })
	var named []store.Member
	for _, m := range all {
		switch {
		case m.ID.String() == strings.ToLower(who):
			return m, nil
		case m.Name == safetext.Normal(who):
			named = append(named, m)
		}
	}
	switch len(named) {
	case 0:
		return store.Member{}, noMember
	case 1:
		return named[0], nil
	}
	return store.Member{}, &api.Error{Code: api.CodeAmbiguous, Message: "more than one member has this name", Hint: "use the ID: starling room members ROOM --json"}
}

// Members lists the members by role, those at the door last.
func (r *roomCalls) Members(ctx context.Context, who string) ([]api.Member, error) {
	out := []api.Member{}
	err := r.n.view(ctx, func(tx *store.Tx) error {
		room, err := findRoom(tx, who)
		if err != nil {
			return err
		}
		asks, err := asking(tx, room.ID, r.n.told())
		if err != nil {
			return err
		}
		all, err := tx.Members(room.ID)
		out = out[:0]
		for _, m := range all {
			if m.Role != api.RoleNone || m.Waiting {
				one := showMember(room, m)
				one.Asking = asks[one.ID]
				out = append(out, one)
			}
		}
		return err
	})

	ranks := []api.Role{api.RoleOwner, api.RoleAdmin, api.RoleMember, api.RoleReader, api.RoleNone}
	slices.SortStableFunc(out, func(a, b api.Member) int {
		return cmp.Or(slices.Index(ranks, a.Role)-slices.Index(ranks, b.Role), strings.Compare(a.Name.String(), b.Name.String()))
	})
	return out, err
}

func showMember(room store.Room, m store.Member) api.Member {
	out := api.Member{ID: m.ID.String(), Name: safetext.Line(m.Name), Role: m.Role, Self: m.ID == room.Me,
		Waiting: m.Waiting, Offered: m.Offered, Verified: m.Verified, Blocked: m.Blocked, Since: m.Since}
	if !m.By.IsZero() && m.By != m.ID {
		out.By = m.By.String()
	}
	return out
}

// memberOf finds a room and somebody in it.
func (r *roomCalls) memberOf(ctx context.Context, who, member string) (room store.Room, m store.Member, err error) {
	err = r.n.view(ctx, func(tx *store.Tx) error {
		if room, err = findRoom(tx, who); err == nil {
			m, err = findMember(tx, room.ID, member)
		}
		return err
	})
	return room, m, err
}

// shownMember returns a member as it is by now.
func (r *roomCalls) shownMember(ctx context.Context, room store.Room, id store.MemberID) (out api.Member, err error) {
	err = r.n.view(ctx, func(tx *store.Tx) error {
		m, err := tx.Member(room.ID, id)
		out = showMember(room, m)
		return err
	})
	return out, err
}

// ChangeMember gives a member another role, or none.
func (r *roomCalls) ChangeMember(ctx context.Context, req api.MemberRequest) (out api.Member, err error) {
	role, ok := rooms.RoleNamed(req.Role)
	if !ok || req.Ban && role != group.Nobody {
		return out, &api.Error{Code: api.CodeUsage, Message: "the roles are owner, admin, member and reader, and none to remove somebody", Hint: "a ban goes with none"}
	}
	room, m, err := r.memberOf(ctx, req.Room, req.Member)
	if err != nil {
		return out, err
	}

	// Refused here for a clear answer. The room's own rules refuse it again.
	switch {
	case !inside(room.State):
		return out, outside(room.State)
	case m.Waiting:
		return out, &api.Error{Code: api.CodeUsage, Message: "they are not in the room yet", Hint: "let them in first: starling room approve ROOM MEMBER"}
	case m.Role == req.Role && !req.Ban:
		return showMember(room, m), nil
	case role == group.Owner:
		err = r.handOver(ctx, room, m)
	case m.ID == room.Me && role == group.Nobody:
		return out, &api.Error{Code: api.CodeUsage, Message: "you leave a room in another way", Hint: "starling room leave ROOM"}
	case !mayChange(room.Role, m.Role, req.Role):
		return out, noRank
	case req.Ban:
		err = r.update(ctx, room.ID, func(t *rooms.Tx, g *group.Room) error { return t.Ban(group.ID(m.ID)) })
	default:
		err = r.update(ctx, room.ID, func(t *rooms.Tx, g *group.Room) error { return t.SetRole(group.ID(m.ID), role) })
	}
	if err != nil {
		return out, err
	}
	return r.shownMember(ctx, room, m.ID)
}

// mayChange reports whether a role is enough to change another one to a third.
func mayChange(mine, from, to api.Role) bool {
	lower := func(role api.Role) bool { return role != api.RoleOwner && role != api.RoleAdmin }
	switch mine {
	case api.RoleOwner:
		return from != api.RoleOwner
	case api.RoleAdmin:
		return lower(from) && lower(to)
	}
	return false
}

// handOver offers the room to a member, or takes it.
func (r *roomCalls) handOver(ctx context.Context, room store.Room, m store.Member) error {
	return r.update(ctx, room.ID, func(t *rooms.Tx, g *group.Room) error {
		switch {
		case room.Role == api.RoleOwner:
			return t.Offer(group.ID(m.ID))
		case m.ID == room.Me && m.Offered:
			return t.Accept()
		case m.ID == room.Me:
			return noOffer
		}
		return group.ErrRank
	})
}

// AnswerKnock answers somebody at the door.
func (r *roomCalls) AnswerKnock(ctx context.Context, req api.KnockRequest) error {
	room, m, err := r.memberOf(ctx, req.Room, req.Member)
	if err == nil {
		err = leads(room)
	}
	if err != nil {
		return err
	}
	return r.update(ctx, room.ID, func(t *rooms.Tx, g *group.Room) error {
		for _, knock := range g.Requests() {
			if store.MemberID(knock.Member) == m.ID && m.Waiting {
				return t.Answer(knock, req.Admit)
			}
		}
		return noMember
	})
}

// BlockMember hides the messages of a member.
func (r *roomCalls) BlockMember(ctx context.Context, req api.BlockMemberRequest) (api.Member, error) {
	return r.regard(ctx, req.Room, req.Member, func(_ store.Room, m *store.Member) error {
		m.Blocked = req.Blocked
		return nil
	})
}

// regard changes our own marks on a member.
func (r *roomCalls) regard(ctx context.Context, who, member string, change func(store.Room, *store.Member) error) (out api.Member, err error) {
	err = r.n.update(ctx, func(tx *store.Tx) error {
		room, err := findRoom(tx, who)
		if err != nil {
			return err
		}
		m, err := findMember(tx, room.ID, member)
		if err == nil && m.ID == room.Me {
			err = thisIsYou
		}
		if err == nil {
			err = change(room, &m)
		}

		if err == nil {
			err = tx.SetMemberFlags(room.ID, m.ID, m.Verified, m.Blocked)
		}
		if err != nil {
			return err
		}
		out = showMember(room, m)
		_, err = tx.Append(store.Event{Kind: api.EventContact, Contact: room.ID, Time: time.Now()})
		return err
	})
	return out, err
}

// MemberVerification returns the number that two members compare.
func (r *roomCalls) MemberVerification(ctx context.Context, who, member string) (v api.Verification, err error) {
	room, m, err := r.memberOf(ctx, who, member)
	if err != nil {
		return v, err
	}
	if m.ID == room.Me {
		return v, thisIsYou
	}
	err = r.n.rooms.Look(ctx, room.ID, func(g *group.Room) error {
		number := rooms.Grouped(g.Safety(group.ID(m.ID)))
		v = api.Verification{Contact: m.ID.String(), SafetyNumber: number, Code: verifyPrefix + rooms.SafetyCode(number), Verified: m.Verified}
		return nil
	})
	return v, apiError(err)
}

// verifyPrefix begins the code of a safety number.
const verifyPrefix = "starling-verify:"

// SetMemberVerified records a comparison.
func (r *roomCalls) SetMemberVerified(ctx context.Context, who, member, seen string) (api.Member, error) {
	if seen != "" {
		v, err := r.MemberVerification(ctx, who, member)
		if err != nil {
			return api.Member{}, err
		}
		if seen != v.SafetyNumber && !strings.EqualFold(seen, v.Code) {
			return api.Member{}, &api.Error{Code: api.CodeChanged, Message: "this is not the safety number of this member", Hint: "look at it again, and compare again"}
		}
	}
	return r.regard(ctx, who, member, func(_ store.Room, m *store.Member) error {
		m.Verified = seen != ""
		return nil
	})
}
