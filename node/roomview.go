package node

import (
	"errors"
	"time"

	"starling/node/api"
	"starling/node/api/safetext"
	"starling/node/chat"
	"starling/node/outbox"
	"starling/node/store"
)

// A roomViewer knows the people of a room, for a screen.
type roomViewer struct {
	store.Room
	names map[store.MemberID]string
}

// room returns the room of a conversation, nil if it is none.
func (v *viewer) room(contact store.ID) (*roomViewer, error) {
	room, known := v.rooms[contact]
	if known {
		return room, nil
	}
	row, err := v.tx.Room(contact)
	switch {
	case errors.Is(err, store.ErrNotFound):
	case err != nil:
		return nil, err
	default:
		room = &roomViewer{row, make(map[store.MemberID]string)}
	}
	v.rooms[contact] = room
	return room, nil
}

// name returns the name of somebody that is or was in the room.
func (r *roomViewer) name(tx *store.Tx, id store.MemberID) safetext.Text {
	if r == nil {
		return safetext.Text{}
	}
	name, known := r.names[id]
	if !known {
		m, err := tx.Member(r.ID, id)
		if name = m.Name; err != nil || name == "" {
			name = "member " + id.String()[:6]
		}
		if id == r.Me && r.As != "" {
			name = r.As
		}
		r.names[id] = name
	}
	return safetext.Line(name)
}

// inRoom completes a message of a room.
func (v *viewer) inRoom(m store.Message, out *api.Message) error {
	room, err := v.room(m.Contact)
	if err != nil || room == nil {
		return err
	}
	out.Room, out.Mention = m.Contact.String(), m.Mention
	if !m.Member.IsZero() {
		out.Member = m.Member.String()
	}
	if m.State == api.StateNotice {
		out.Change, err = v.tx.RoomChange(m.ID)
	}
	return err
}

// waits says why a message has not left this computer, or is not in all mailboxes of its room. The rows do not say it: it holds for
// many at once, and ends without a write.
func (v *viewer) waits(m store.Message) (string, error) {
	if v.holding {
		return "waits for the network", nil
	}
	if m.Member.IsZero() {
		return "", nil
	}
	return v.delayed(v.tx, m.Contact, store.ContentID(m.ID))
}

// mostDelayed bounds the messages of which it is told at once that they are delayed: others are told of when they are read.
const mostDelayed = 32

// tellDelayed tells which messages wait for mailboxes that do not answer, and which do so no more: of those given, or all.
func (n *Node) tellDelayed(contents ...store.ContentID) {
	var all []api.Event

	err := n.view(n.ctx, func(tx *store.Tx) error {
		if len(contents) == 0 {
			last, err := tx.LastUnderway(mostDelayed)
			if err != nil {
				return err
			}
			contents = last
		}

		for _, content := range contents {
			m, err := tx.Message(store.ID(content))
			if errors.Is(err, store.ErrNotFound) || err == nil && m.Hidden {
				continue // a reaction, say
			}
			if err != nil {
				return err
			}
			out, err := n.newViewer(tx).outline(m)
			if err != nil {
				return err
			}
			all = append(all, api.Event{Kind: api.EventState, ID: out.ID, Conversation: out.Conversation, Outgoing: true, Time: out.Time, State: out.State, Reason: out.Reason})
		}
		return nil
	})
	if err != nil {
		return
	}

	for _, e := range all {
		n.live.tell(e)
	}
}

// ourselves returns our id in a room, and the place of a change that we make now; zeros in a
// conversation of two.
func ourselves(tx *store.Tx, contact store.ID, told time.Time) (me store.MemberID, place int64, err error) {
	room, err := tx.Room(contact)
	if errors.Is(err, store.ErrNotFound) {
		return me, 0, nil
	}
	return room.Me, told.UnixMilli(), err
}

// sayRoom puts a content for a room in the queue.
func sayRoom(tx *store.Tx, room, id store.ID, c *chat.Content, now time.Time) error {
	return tx.AddSay(store.Say{Room: room, ID: id, Content: c.Encode(), Created: now})
}

// takingPart counts the rooms that we are in, or wait for, and those in which perhaps nobody reads us.
func takingPart(tx *store.Tx) (n, unheard int, err error) {
	all, err := tx.Rooms()
	for _, r := range all {
		if inside(r.State) || r.State == api.RoomPending {
			n++
		}
		if r.Unheard {
			unheard++
		}
	}
	return n, unheard, err
}

// retryInRoom says a failed message again.
func (r *roomCalls) retryInRoom(tx *store.Tx, m store.Message, now time.Time) (out api.Message, err error) {
	if _, err := mayWrite(tx, m.Contact); err != nil {
		return out, err
	}
	if m.Picture != "" || m.File != "" {
		if m.Data, err = tx.Attachment(m.ID); err != nil {
			return out, err
		}
	}
	if err := sayRoom(tx, m.Contact, m.ID, outbox.Message(m), now); err != nil {
		return out, err
	}
	if err := tx.SetState(m, api.StateQueued, "", now); err != nil {
		return out, err
	}
	m.State, m.Reason = api.StateQueued, ""
	return r.n.message(tx, m)
}
