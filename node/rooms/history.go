package rooms

import (
	"errors"
	"slices"

	"starling/node/api"
	"starling/node/chat"
	"starling/node/outbox"
	"starling/node/store"
	"starling/session/group"
)

// # Gifts to newcomers
//
// The person that lets a newcomer in gives them the last messages, if the room wants it. The
// room carries them unread:
//
//	version 1 ‖ author 16 ‖ name 16 ‖ content
//
// They are that person's word, and no more: a message that its author is heard to say takes
// its name from what was given.

const (
	// History is how many messages newcomers are given, if any.
	History = 100

	giftVersion = 1
	giftHead    = 1 + 16 + 16
	// maxHistory bounds the messages that are given, in bytes, and maxAttached the pictures and files among
	// them: the newest go first.
	maxHistory  = 24 << 10
	maxAttached = 256 << 10
	maxGift     = giftHead + chat.MaxContent
)

// history returns the gift to a newcomer.
func (t *Tx) history() ([][]byte, error) {
	if !t.p.room.Settings().History {
		return nil, nil
	}
	all, err := t.Tx.History(t.p.id, 1<<62, 4*History)
	if err != nil {
		return nil, err
	}

	var given [][]byte
	size, attached := 0, 0
	for from := len(all) - 1; from >= 0 && len(given) < History; from-- {
		m := all[from]
		attaches := m.Picture != "" || m.File != ""
		if m.State == api.StateNotice || m.Deleted || m.Member.IsZero() || m.Timer > 0 || !attaches && m.Text == "" {
			continue
		}
		if attaches && attached+m.Size > maxAttached {
			continue // a smaller one may fit
		}
		b, err := t.gift(m)
		if errors.Is(err, chat.ErrMalformed) || len(b) > group.MaxContent {
			continue // its author has made it so long that it does not fit
		}
		if err != nil {
			return nil, err
		}
		if size += len(b) - attachedSize(m); size > maxHistory {
			break
		}
		attached += attachedSize(m)
		given = append(given, b)
	}
	slices.Reverse(given)
	return given, nil
}

// attachedSize is how many bytes of a gift are a picture or a file.
func attachedSize(m store.Message) int {
	if m.Picture == "" && m.File == "" {
		return 0
	}
	return m.Size
}

// gift writes one message for a newcomer.
func (t *Tx) gift(m store.Message) (_ []byte, err error) {
	if m.Picture != "" || m.File != "" {
		if m.Data, err = t.Tx.Attachment(m.ID); err != nil {
			return nil, err
		}
	}
	m.Previous = store.ContentID{} // what its author wrote before may not be given
	b := append([]byte{giftVersion}, m.Member[:]...)
	b = append(b, m.Content[:]...)
	content, err := outbox.Message(m).Encoded()
	return append(b, content...), err
}

// takeHistory takes the gift to us. It is read already: it is no news.
func (t *Tx) takeHistory(gift [][]byte) error {
	given := 0
	for _, b := range gift {
		author, name, c, ok := ParseGift(b, t.row.Me)
		if !ok || given >= History {
			t.refused = append(t.refused, "history of a room")
			continue
		}
		n, err := t.given(author, name, c)
		if err != nil {
			return err
		}
		given += n
	}

	last, err := t.Tx.LastMessage(t.p.id)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	t.contact.ReadSeq = last.Seq
	return err
}

// ParseGift reads one message of a gift, of somebody else.
func ParseGift(b []byte, me store.MemberID) (author store.MemberID, name store.ContentID, c *chat.Content, ok bool) {
	if len(b) <= giftHead || len(b) > maxGift || b[0] != giftVersion {
		return author, name, nil, false
	}
	author, name = store.MemberID(b[1:17]), store.ContentID(b[17:giftHead])
	c, err := chat.Decode(b[giftHead:])
	if err != nil || !c.Kind.Message() || author == me || author.IsZero() {
		return author, name, nil, false
	}
	return author, name, c, true
}

// given takes one message of history.
func (t *Tx) given(author store.MemberID, name store.ContentID, c *chat.Content) (n int, err error) {
	if _, err := t.Tx.MessageOf(t.p.id, name); !errors.Is(err, store.ErrNotFound) {
		return 0, err
	}
	if erased, err := t.Tx.HasSeen(t.p.id, name); err != nil || erased {
		return 0, err // when we were in the room before
	}
	m := store.Message{Content: name, Contact: t.p.id, Member: author, Text: c.Text, Time: t.past(c.Time), State: api.StateReceived,
		Ref: store.ContentID(c.Ref), Forwarded: c.Forwarded, Written: store.Given}
	attach(&m, c)
	if m.Hidden, _, err = t.regard(m); err != nil {
		return 0, err
	}
	_, err = t.Tx.AddMessage(m, t.now)
	return 1, err
}

// answer takes an entry while we wait at the door.
func (t *Tx) answer(e group.Entry) error {
	a, err := t.p.joining.Take(e, t.now)
	switch {
	case err != nil:
		t.refused = append(t.refused, "entry of a room")
		return nil
	case a == nil:
		return nil
	case a.Refused:
		return t.close(api.RoomRefused)
	}
	t.p.joining, t.p.room = nil, a.Room
	t.row.State, t.row.Me = api.RoomReady, store.MemberID(a.Room.Self())
	t.row.Expires = t.row.Expires.Truncate(0)
	if err := t.show(); err != nil {
		return err
	}

	if err := t.writeMembers(); err != nil {
		return err
	}
	if err := t.saidBefore(a.Seen); err != nil {
		return err
	}
	if err := t.takeHistory(a.History); err != nil {
		return err
	}
	by := group.ID{}
	for _, m := range a.Room.Members() {
		if m.ID == a.Room.Self() {
			by = m.By
		}
	}
	return t.notice(api.RoomChange{Kind: api.ChangeJoined, Role: t.row.Role}, a.Room.Self(), by)
}
