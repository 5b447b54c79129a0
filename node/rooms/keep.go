package rooms

import (
	"context"
	"errors"
	"time"

	"starling/node/api"
	"starling/node/store"
	"starling/session/group"
)

// Create makes a room that the profile owns. It is on disk, and on its way to its mailboxes.
func (rs *Rooms) Create(ctx context.Context, title, as string) (id store.ID, err error) {
	set, err := rs.cfg.Network.ChooseMailboxes(group.Mailboxes)
	if err != nil {
		return id, err
	}
	f := group.Founding{Title: title, Name: as, Now: rs.now()}
	for _, m := range set {
		f.Mailboxes = append(f.Mailboxes, group.Mailbox{Node: m.Node, Hint: m.Hint})
	}
	room, err := group.Found(f)
	if err != nil {
		return id, err
	}
	id = idOf(room.ID())

	rs.updates.Lock()
	defer rs.updates.Unlock()
	return id, rs.update(ctx, id, &part{id: id, room: room, version: 1}, func(t *Tx) error {
		row := store.Room{ID: id, State: api.RoomReady, Role: api.RoleOwner, Me: store.MemberID(room.Self()), As: as}
		if err := t.Tx.AddRoom(row, "", t.now, room.State()); err != nil {
			return err
		}
		if err := t.load(id); err != nil {
			return err
		}
		t.ours = true
		if err := t.show(); err != nil {
			return err
		}
		return t.notice(api.RoomChange{Kind: api.ChangeCreated}, group.ID{}, room.Self())
	})
}

// idOf names a room here: all members name it so.
func idOf(room [32]byte) store.ID { return store.ID(room[:16]) }

// IDOf returns the ID of the room that a link leads to.
func IDOf(c group.LinkCard) store.ID { return idOf(c.Group) }

// Join asks to be let in.
func (rs *Rooms) Join(ctx context.Context, link, as string) (id store.ID, err error) {
	j, err := group.Ask(link, as, rs.now())
	if err != nil {
		return id, err
	}
	card := j.Card()
	id = IDOf(card)

	rs.updates.Lock()
	defer rs.updates.Unlock()
	return id, rs.update(ctx, id, &part{id: id, joining: j, version: 1}, func(t *Tx) error {
		row := store.Room{ID: id, State: api.RoomPending, Role: api.RoleNone, As: as, Expires: card.Expires}
		if _, err := t.Tx.Room(id); err == nil { // we were in it
			if err := t.Tx.ResetRoom(row, j.State()); err != nil {
				return err
			}
		} else if !errors.Is(err, store.ErrNotFound) {
			return err
		} else if err := t.Tx.AddRoom(row, "", t.now, j.State()); err != nil {
			return err
		}
		if err := t.load(id); err != nil {
			return err
		}
		t.p.version = t.Tx.RoomVersion(id)
		t.row.Title, t.changed = card.Title, true
		return nil
	})
}

// Leave ends our part in a room. The word that we leave is on its way.
func (rs *Rooms) Leave(ctx context.Context, id store.ID) error {
	return rs.Update(ctx, id, func(t *Tx) error {
		if t.p.joining != nil {
			return errors.Join(t.Tx.DropAppends(id), t.close(api.RoomLeft)) // nobody is asked any more
		}
		if err := leave(t.p.room, t.now); err != nil {
			return err
		}
		if err := t.addAppends(t.p.room.Changes().Appends); err != nil {
			return err
		}
		if err := t.notice(api.RoomChange{Kind: api.ChangeLeft}, t.p.room.Self(), t.p.room.Self()); err != nil {
			return err
		}
		if err := t.failSays("you have left the room"); err != nil {
			return err
		}
		t.row.Role = api.RoleNone
		return t.close(api.RoomLeft)
	})
}

// leave says that we leave. To an owner that is alone, or perhaps is, nobody listens; people that wait at the door are told no.
func leave(r *group.Room, now time.Time) error {
	if r.Role(r.Self()) != group.Owner || len(r.Members()) > 1 && !r.Unheard() {
		return r.Leave(now)
	}
	for _, l := range r.Links() {
		if err := r.CloseLink(l.ID); err != nil {
			return err
		}
	}
	return nil
}

// Forget forgets a room that was removed from the profile.
func (rs *Rooms) Forget(id store.ID) {
	rs.updates.Lock()
	defer rs.updates.Unlock()
	delete(rs.open, id)
	rs.mu.Lock()
	delete(rs.due, id)
	delete(rs.waiting, id)
	rs.mu.Unlock()
	rs.refollow(&part{id: id})
}

// Look runs do on a room without changing it.
func (rs *Rooms) Look(ctx context.Context, id store.ID, do func(*group.Room) error) error {
	rs.updates.Lock()
	defer rs.updates.Unlock()
	var p *part
	err := rs.cfg.Store.View(ctx, func(tx *store.Tx) (err error) { p, err = rs.part(tx, id); return err })
	if err != nil {
		return err
	}
	rs.open[id] = p
	if p.room == nil {
		return ErrClosed
	}
	return do(p.room)
}

// Arrived waits until everything that a room has put on its way is at its mailboxes.
func (rs *Rooms) Arrived(ctx context.Context, id store.ID) error {
	for {
		changed := rs.Progress()
		left := 0
		err := rs.cfg.Store.View(ctx, func(tx *store.Tx) (err error) { left, err = tx.Arriving(id); return err })
		if err != nil || left == 0 {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		}
	}
}

// graceOfLinks is how long after its end an answer to a request by a link may come.
const graceOfLinks = time.Hour
