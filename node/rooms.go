package node

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"slices"
	"time"

	"starling/node/api"
	"starling/node/api/safetext"
	"starling/node/chat"
	"starling/node/rooms"
	"starling/node/store"
	"starling/session/group"
)

// roomCalls are the methods of a [Node] for rooms.
type roomCalls struct{ n *Node }

// outside returns the error for a room that we are not in: it says why.
func outside(state api.RoomState) error {
	e := *notInRoom
	switch state {
	case api.RoomPending:
		e.Message, e.Hint = "you have asked to be let into this room, and were not answered yet", "its author has to be there to answer: wait a while"
	case api.RoomRefused:
		e.Message, e.Hint = "you were not let into this room, or the link is used up or over", "ask for a new link"
	case api.RoomLeft:
		e.Message, e.Hint = "you have left this room", "ask for a new link to come back"
	case api.RoomRemoved:
		e.Message, e.Hint = "you were removed from this room", "what was said until then stays readable: starling history ROOM"
	}
	return &e
}

// inside reports whether one takes part in a room in this state.
func inside(state api.RoomState) bool { return state == api.RoomReady || state == api.RoomAway }

// createWait is how long a new room may take to stand at its mailboxes.
const createWait = time.Minute

var (
	noRoom    = &api.Error{Code: api.CodeNoRoom, Message: "there is no such room", Hint: "see starling room list"}
	noMember  = &api.Error{Code: api.CodeNoMember, Message: "there is no such member", Hint: "see starling room members ROOM"}
	notInRoom = &api.Error{Code: api.CodeNotReady, Message: "you are not in this room", Hint: "see starling room list"}
	noOffer   = &api.Error{Code: api.CodeRank, Message: "nobody offers you this room", Hint: "its owner does: starling room role ROOM MEMBER owner"}
	noRank    = &api.Error{Code: api.CodeRank, Message: "your role in the room does not allow it", Hint: "see starling room members ROOM"}
	thisIsYou = &api.Error{Code: api.CodeUsage, Message: "this is you"}
	aRoom     = &api.Error{Code: api.CodeUsage, Message: "this is a room, and no contact", Hint: "see starling room --help"}
)

// roomStatement is the card of every room, in the words of docs/THREATMODEL.md.
const roomStatement = "What is said in the room is hidden from all others. That you are in it is less well hidden: any member, or a mailbox of the room, " +
	"together with your guard can tell after a few messages that your address is in it, even if you only read. Rooms have had no outside review."

// CreateRoom makes a room and waits until it stands at its mailboxes.
func (r *roomCalls) CreateRoom(ctx context.Context, req api.CreateRoomRequest) (out api.Room, err error) {
	name, err := roomName(req.Name)
	if err != nil {
		return out, err
	}
	as, err := r.nameIn(ctx, req.As)
	if err != nil {
		return out, err
	}
	if r.n.ctx.Err() != nil {
		return out, closedError
	}

	// Until two mailboxes have it the room is only here, and a link into it would lead nowhere.
	id, err := r.n.rooms.Create(ctx, name, as)
	if err != nil {
		return out, apiError(err)
	}
	wait, cancel := context.WithTimeout(ctx, createWait)
	defer cancel()
	stop := context.AfterFunc(r.n.ctx, cancel)
	defer stop()
	// A room that never stood leaves nothing behind, also if the caller has gone.
	if err := r.n.rooms.Arrived(wait, id); err != nil {
		r.forget(context.WithoutCancel(ctx), id)
		if ctx.Err() == nil {
			err = &api.Error{Code: api.CodeTimeout, Message: "no two mailboxes have taken the room in time", Hint: "try again"}
		}
		return out, apiError(err)
	}
	return r.roomOf(ctx, id)
}

// roomName checks a name that the owner gives a room.
func roomName(s string) (string, error) {
	name, err := chat.CleanName(s)
	if err != nil {
		return "", nameError(err)
	}
	if chat.OwnName(name) {
		return "", &api.Error{Code: api.CodeContactExists, Message: "this is a name of the note to self", Hint: "choose another name"}
	}
	return name, nil
}

// nameIn returns our name in a room: the one asked for, or the owner's.
func (r *roomCalls) nameIn(ctx context.Context, as string) (string, error) {
	if as == "" {
		err := r.n.view(ctx, func(tx *store.Tx) (err error) { as, err = tx.Owner(); return err })
		if err != nil {
			return "", err
		}
	}
	name, err := chat.CleanName(as)
	return name, nameError2(err)
}

func nameError2(err error) error {
	if err == nil {
		return nil
	}
	return nameError(err)
}

// forget erases a room.
func (r *roomCalls) forget(ctx context.Context, id store.ID) error {
	err := r.n.update(ctx, func(tx *store.Tx) error {
		if err := tx.RemoveContact(id); err != nil {
			return err
		}
		_, err := tx.Append(store.Event{Kind: api.EventRemoved, Contact: id, Time: time.Now()})
		return err
	})
	r.n.rooms.Forget(id)
	return err
}

// findRoom returns the room with this ID or this name.
func findRoom(tx *store.Tx, who string) (store.Room, error) {
	if id, err := store.ParseID(who); err == nil {
		if room, err := tx.Room(id); !errors.Is(err, store.ErrNotFound) {
			return room, err
		}
	}
	named, err := tx.ContactsNamed(safetext.Normal(who))
	named = slices.DeleteFunc(named, func(c store.Contact) bool { return c.State != api.ContactRoom })
	switch {
	case err != nil:
		return store.Room{}, err
	case len(named) == 0:
		return store.Room{}, noRoom
	case len(named) > 1:
		return store.Room{}, &api.Error{Code: api.CodeAmbiguous, Message: "more than one room has this name", Hint: "use the ID: starling room list --json"}
	}
	return tx.Room(named[0].ID)
}

// find is findRoom in a transaction of its own.
func (r *roomCalls) find(ctx context.Context, who string) (room store.Room, err error) {
	err = r.n.view(ctx, func(tx *store.Tx) error { room, err = findRoom(tx, who); return err })
	return room, err
}

// ListRooms lists all rooms, oldest first.
func (r *roomCalls) ListRooms(ctx context.Context) ([]api.Room, error) {
	out := []api.Room{}
	err := r.n.view(ctx, func(tx *store.Tx) error {
		out = out[:0]
		all, err := tx.RoomContacts()
		for _, c := range all {
			var room api.Room
			if err == nil {
				room, err = r.n.showRoom(tx, c)
			}
			out = append(out, room)
		}
		return err
	})
	return out, err
}

// roomOf returns a room as it is shown.
func (r *roomCalls) roomOf(ctx context.Context, id store.ID) (out api.Room, err error) {
	err = r.n.view(ctx, func(tx *store.Tx) error {
		c, err := tx.Contact(id)
		if err == nil {
			out, err = r.n.showRoom(tx, c)
		}
		return err
	})
	return out, err
}

// showRoom returns the room of a conversation as it is shown.
func (n *Node) showRoom(tx *store.Tx, c store.Contact) (out api.Room, err error) {
	room, err := tx.Room(c.ID)
	if err != nil {
		return out, err
	}
	out = api.Room{ID: c.ID.String(), Name: safetext.Line(c.Name), State: room.State, Role: room.Role, As: safetext.Line(room.As),
		History: room.History, AdminsOnly: room.AdminsOnly, Timer: c.Timer, Healing: room.Healing, Unheard: room.Unheard, Created: c.Created}
	if !room.Me.IsZero() {
		out.Me = room.Me.String()
	}
	if out.Members, out.Waiting, err = tx.CountMembers(c.ID); err != nil {
		return out, err
	}

	if out.Unread, err = tx.Unread(c.ID, c.ReadSeq); err != nil {
		return out, err
	}
	if out.Mentions, err = tx.Mentions(c.ID, c.ReadSeq); err != nil {
		return out, err
	}
	if out.Unsent, err = tx.UnsentIn(c.ID); err != nil {
		return out, err
	}

	// By the relays' time: offers end by the clock of their author.
	asks, err := asking(tx, c.ID, n.told())
	if err != nil {
		return out, err
	}
	out.Asking = len(asks)
	waits := n.rooms.Waiting(c.ID)
	out.Ahead, out.Missing = len(waits.Ahead), waits.Missing
	forks, err := tx.Forks(c.ID)
	for _, f := range forks {
		out.Forks = append(out.Forks, api.Fork{Member: f.Member.String(), First: safetext.Line(f.First), Second: safetext.Line(f.Second)})
	}
	return out, err
}

// underway counts all that is for a room, or for its door, and has not arrived. A request to
// be let in is first made when the card of the link was read.
func underway(tx *store.Tx, id store.ID, room *api.Room) (int, error) {
	n, err := tx.UnderwayIn(id)
	if room.State == api.RoomPending && room.Me == "" {
		n++
	}
	return n, err
}

// InviteToRoom makes a link and waits until it can be used.
func (r *roomCalls) InviteToRoom(ctx context.Context, req api.RoomInviteRequest) (out api.RoomInvite, err error) {
	room, err := r.find(ctx, req.Room)
	if err != nil {
		return out, err
	}
	if err := leads(room); err != nil {
		return out, err
	}
	if req.Uses < 0 || req.Uses > api.MaxRoomUses {
		return out, &api.Error{Code: api.CodeUsage, Message: "a link into a room is for 1 to 1,000 people"}
	}
	expires := cmp.Or(req.Expires, defaultExpiry)
	if expires < minExpiry || expires > api.MaxRoomLinkLife {
		return out, &api.Error{Code: api.CodeUsage, Message: "a link into a room is good for a minute at least and 7 days at most"}
	}

	// Asked before the link is made: one that nobody can be sent would stay open.
	if req.To != "" {
		if err := r.n.view(ctx, func(tx *store.Tx) error { return reachable(tx, req.To) }); err != nil {
			return out, err
		}
	}
	var link group.Link
	err = r.update(ctx, room.ID, func(t *rooms.Tx, g *group.Room) (err error) {
		link, err = g.MakeLink(max(1, req.Uses), req.Approve, t.Now().Add(expires).Truncate(time.Second), t.Now())
		return err
	})
	if err != nil {
		return out, err
	}

	// A link that no mailbox knows yet is given out all the same when this takes too long: it will work soon.
	wait, cancel := context.WithTimeout(ctx, createWait)
	defer cancel()
	if err := r.n.rooms.Arrived(wait, room.ID); err != nil && ctx.Err() != nil {
		return out, apiError(err)
	}
	out = showLink(room, link)
	if req.To != "" {
		err = r.sendLink(ctx, req.To, &out)
	}
	return out, err
}

// leads refuses everybody but the owner and admins of a room.
func leads(room store.Room) error {
	switch {
	case !inside(room.State):
		return outside(room.State)
	case room.Role != api.RoleOwner && room.Role != api.RoleAdmin:
		return noRank
	}
	return nil
}

func showLink(room store.Room, l group.Link) api.RoomInvite {
	return api.RoomInvite{ID: hex.EncodeToString(l.ID[:]), Room: room.ID.String(), Link: l.Text, Expires: l.Expires, Uses: l.Uses, Used: l.Used, Approve: l.Approve}
}

// turn takes a turn of a room that we are in.
func (r *roomCalls) update(ctx context.Context, id store.ID, do func(*rooms.Tx, *group.Room) error) error {
	if r.n.ctx.Err() != nil {
		return closedError
	}
	return apiError(r.n.rooms.Update(ctx, id, func(t *rooms.Tx) error {
		g, err := t.Room()
		if err != nil {
			return err
		}
		t.Changed()
		return do(t, g)
	}))
}

// crowdedFrom is the position from which on the log of a link is crowded: half of what mailboxes keep of a log. A thousand
// people, the most by one link, ask with two entries each.
const crowdedFrom = 4096

// crowdedLog reports whether so many entries came into a log, by the word of every mailbox that it was read at: one alone may lie.
func crowdedLog(read []store.LogPosition, name [16]byte) bool {
	least, found := uint32(0), false
	for _, p := range read {
		if p.Name == name && (!found || p.Position < least) {
			least, found = p.Position, true
		}
	}
	return found && least >= crowdedFrom
}

// RoomInvites lists the links that can still be used.
func (r *roomCalls) RoomInvites(ctx context.Context, who string) ([]api.RoomInvite, error) {
	out := []api.RoomInvite{}
	room, err := r.find(ctx, who)
	if err != nil {
		return nil, err
	}
	var read []store.LogPosition
	if err := r.n.view(ctx, func(tx *store.Tx) (err error) { read, err = tx.LogPositions(room.ID); return err }); err != nil {
		return nil, err
	}

	now := r.n.told()
	err = r.n.rooms.Look(ctx, room.ID, func(g *group.Room) error {
		for _, l := range g.Links() {
			if l.Used < l.Uses && now.Before(l.Expires) {
				shown := showLink(room, l)
				shown.Crowded = crowdedLog(read, l.Log)
				out = append(out, shown)
			}
		}
		return nil
	})
	if errors.Is(err, rooms.ErrClosed) {
		err = nil
	}
	return out, apiError(err)
}

// RevokeRoomInvite closes a link.
func (r *roomCalls) RevokeRoomInvite(ctx context.Context, id string) error {
	raw, err := hex.DecodeString(id)
	if err != nil || len(raw) != 16 {
		return noLink
	}
	var all []store.Room
	if err := r.n.view(ctx, func(tx *store.Tx) (err error) { all, err = tx.Rooms(); return err }); err != nil {
		return err
	}

	// The ID does not say the room: links are known to the rooms that made them.
	for _, room := range all {
		mine := false
		r.n.rooms.Look(ctx, room.ID, func(g *group.Room) error {
			mine = slices.ContainsFunc(g.Links(), func(l group.Link) bool { return string(l.ID[:]) == string(raw) })
			return nil
		})
		if mine {
			return r.update(ctx, room.ID, func(_ *rooms.Tx, g *group.Room) error { return g.CloseLink([16]byte(raw)) })
		}
	}
	return noLink
}

var noLink = &api.Error{Code: api.CodeNoInvite, Message: "there is no open link with this ID", Hint: "see starling room links ROOM"}

// LookAtRoom reads a link.
func (r *roomCalls) LookAtRoom(ctx context.Context, link string) (out api.RoomCard, err error) {
	_, card, err := readRoomLink(link)
	if err != nil {
		return out, err
	}
	return api.RoomCard{Name: safetext.Line(card.Title), Expires: card.Expires, Uses: card.Uses, Approve: card.Approve, Statement: roomStatement}, nil
}

// JoinRoom asks to be let in.
func (r *roomCalls) JoinRoom(ctx context.Context, req api.JoinRoomRequest) (out api.Room, err error) {
	link, card, err := readRoomLink(req.Link)
	if err != nil {
		return out, err
	}
	as, err := r.nameIn(ctx, req.Name)
	if err != nil {
		return out, err
	}
	if r.n.ctx.Err() != nil {
		return out, closedError
	}

	// The maker of the link chooses this id. It must not be that of a person here.
	id := rooms.IDOf(card)
	err = r.n.view(ctx, func(tx *store.Tx) error { return isRoom(tx, id) })
	if err != nil {
		return out, err
	}

	// A second request would come to the door as a second person.
	there, err := r.roomOf(ctx, id)
	switch {
	case err == nil && (inside(there.State) || there.State == api.RoomPending):
		return there, nil
	case err != nil && !errors.Is(err, store.ErrNotFound) && api.CodeOf(err) != api.CodeInternal:
		return out, err
	case r.n.told().After(card.Expires):
		return out, &api.Error{Code: api.CodeInviteExpired, Message: "the link has expired", Hint: "ask for a new one"}
	}
	if id, err = r.n.rooms.Join(ctx, link, as); err != nil {
		return out, apiError(err)
	}
	return r.roomOf(ctx, id)
}

// isRoom refuses the link of a room under the ID of a person: whoever makes a link chooses it.
func isRoom(tx *store.Tx, id store.ID) error {
	c, err := tx.Contact(id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil
	case err == nil && c.State != api.ContactRoom:
		return &api.Error{Code: api.CodeBadInvite, Message: "this is not a link into a room", Hint: "ask for another one"}
	}
	return err
}

// ChangeRoom changes the settings of a room.
func (r *roomCalls) ChangeRoom(ctx context.Context, req api.RoomRequest) (out api.Room, err error) {
	room, err := r.find(ctx, req.Room)
	if err == nil {
		err = leads(room)
	}
	if err != nil {
		return out, err
	}
	if h := req.History; h != nil && *h != 0 && *h != rooms.History {
		return out, &api.Error{Code: api.CodeUsage, Message: "newcomers get nothing, or the last 100 messages"}
	}
	if t := req.Timer; t != nil && *t != 0 && (*t < chat.MinTimer || *t > api.MaxTimer) {
		return out, badTimer
	}

	// Checked outside the turn: a turn that fails has cost its writes for nothing.
	if req.Name != nil {
		name, err := roomName(*req.Name)
		if err != nil {
			return out, err
		}
		req.Name = &name
	}

	err = r.update(ctx, room.ID, func(t *rooms.Tx, g *group.Room) error {
		set := g.Settings()
		replace(&set.Title, req.Name)
		replace(&set.AdminsOnly, req.AdminsOnly)
		if req.History != nil {
			set.History = *req.History > 0
		}
		if req.Timer != nil {
			set.Timer = uint32(*req.Timer)
		}

		// Changes are counted, and a room can be changed only so often.
		if set == g.Settings() {
			return nil
		}
		return t.SetSettings(set)
	})
	if err != nil {
		return out, err
	}
	return r.roomOf(ctx, room.ID)
}

// LeaveRoom leaves a room.
func (r *roomCalls) LeaveRoom(ctx context.Context, who string) error {
	room, err := r.find(ctx, who)
	if err != nil {
		return err
	}
	if !inside(room.State) && room.State != api.RoomPending {
		return outside(room.State)
	}
	if r.n.ctx.Err() != nil {
		return closedError
	}

	// A room without an owner could never change its admins again.
	if room.Role == api.RoleOwner && !room.Unheard {
		if alone, err := r.alone(ctx, room.ID); err != nil || !alone {
			return errors.Join(err, &api.Error{Code: api.CodeRank, Message: "the owner does not leave while others are in the room", Hint: "hand it over first: starling room role ROOM MEMBER owner"})
		}
	}
	return apiError(r.n.rooms.Leave(ctx, room.ID))
}

func (r *roomCalls) alone(ctx context.Context, id store.ID) (alone bool, err error) {
	err = r.n.view(ctx, func(tx *store.Tx) error {
		members, _, err := tx.CountMembers(id)
		alone = members <= 1
		return err
	})
	return alone, err
}

// mayForget refuses to remove a room that we are in.
func mayForget(tx *store.Tx, id store.ID) error {
	room, err := tx.Room(id)
	if err != nil {
		return err
	}
	members, _, err := tx.CountMembers(id)
	if err == nil && inside(room.State) && (room.Role != api.RoleOwner || members > 1) {
		return &api.Error{Code: api.CodeUsage, Message: "you are in this room", Hint: "leave it first: starling room leave ROOM"}
	}
	return err
}

// mayWrite refuses to write in a room that does not take it.
func mayWrite(tx *store.Tx, id store.ID) (store.Room, error) {
	room, err := tx.Room(id)
	switch {
	case err != nil:
		return room, err
	case !inside(room.State):
		return room, outside(room.State)
	case room.Role == api.RoleReader, room.AdminsOnly && room.Role == api.RoleMember:
		return room, noRank
	}
	return room, nil
}
