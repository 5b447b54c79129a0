package rooms

import (
	"bytes"
	"errors"
	"time"

	"starling/node/api"
	"starling/node/api/filename"
	"starling/node/api/mention"
	"starling/node/api/picture"
	"starling/node/api/safetext"
	"starling/node/chat"
	"starling/node/store"
)

// content takes a content of a member. A reference to another content is its name in the
// room ([store.RoomContent]), which holds the author: nobody can take a name from another.
func (t *Tx) content(p store.Parked, gap []store.Ref) error {
	c, err := chat.Decode(p.Content)
	if err != nil {
		t.refused = append(t.refused, "content of a room")
		return nil
	}

	name := store.RoomContent(p.Member, p.ID)
	switch c.Kind {
	case chat.Text, chat.Picture, chat.File:
		return t.message(p, name, c, gap)
	case chat.Edit:
		return t.change(store.Change{Member: p.Member, Content: store.ContentID(c.Ref), Kind: int(c.Kind), Place: t.placeOf(c), Text: c.Text, Time: t.past(c.Time)})
	case chat.Reaction:
		emoji := safetext.Emoji(c.Emoji)
		if c.Emoji != "" && emoji == "" {
			t.refused = append(t.refused, "reaction")
			return nil
		}
		return t.change(store.Change{Member: p.Member, Content: store.ContentID(c.Ref), Kind: int(c.Kind), Place: t.placeOf(c), Text: emoji})
	case chat.Delete:
		for _, ref := range c.IDs {
			if err := t.change(store.Change{Member: p.Member, Content: store.ContentID(ref), Kind: int(c.Kind)}); err != nil {
				return err
			}
		}
		return nil
	case chat.Aside:
		return t.aside(p.Member, c.Sealed)
	}
	t.refused = append(t.refused, "content of a room")
	return nil
}

// placeOf is the place of a change among those of its author to one message: their own time, which is never
// later than ours, so that a clock that was wrong once does not bar all that follows.
func (t *Tx) placeOf(c *chat.Content) int64 {
	if c.Time.IsZero() {
		return 0
	}
	return t.past(c.Time).UnixMilli()
}

// past returns the time that a member says, and now instead of none or of a later one.
func (t *Tx) past(at time.Time) time.Time {
	if at.IsZero() || at.After(t.now) {
		return t.now
	}
	return at
}

// message shows a text, a picture or a file.
func (t *Tx) message(p store.Parked, name store.ContentID, c *chat.Content, gap []store.Ref) error {
	was, err := t.Tx.MessageOf(t.p.id, name)
	if err == nil && was.Written != store.Given {
		return nil // shown before
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	given := err == nil
	if erased, err := t.Tx.HasSeen(t.p.id, name); err != nil || erased {
		return err
	}

	m := received(t.p.id, p, c)
	m.ID, m.Time, m.Written = store.ID{}, t.past(c.Time), -1
	if m.Late, err = t.Tx.Later(t.p.id, store.ContentID(p.Ref), int64(1)<<62); err != nil {
		return err
	}
	if len(gap) > 0 {
		m.Previous, m.Gap = store.ContentID(gap[0]), t.now
	}
	if m.Hidden, m.Mention, err = t.regard(m); err != nil {
		return err
	}
	if p.Member == t.row.Me { // said before the profile was restored
		m.Outgoing, m.State, m.Mention = true, api.StateSent, false
		if err := t.Tx.Claim(store.ID(p.ID), t.now); err != nil {
			return err
		}
	}

	if m.ID, err = t.Tx.FreeID(p.ID); err != nil {
		return err
	}
	changes, err := t.Tx.TakeChanges(t.p.id, name)
	if err != nil {
		return err
	}

	if given {
		changes, err = t.heard(was, m, changes)
	} else {
		_, err = t.Tx.AddMessage(m, t.now)
	}
	if err != nil {
		return err
	}

	// Edits and reactions that came before it, and answers that quote it.
	for _, change := range changes {
		if err := t.change(change); err != nil {
			return err
		}
	}
	if err := t.Tx.Fill(t.p.id, store.ContentID(p.Ref), t.now); err != nil {
		return err
	}
	if t.contact.Archived && !m.Hidden {
		t.contact.Archived = false
	}
	return nil
}

// heard takes a message that was given before, now that its author is heard to say it. It stays if they have taken
// it back, or if it says the same; else theirs takes its place, with the edit that was theirs.
func (t *Tx) heard(given, m store.Message, changes []store.Change) ([]store.Change, error) {
	same, err := t.same(given, m)
	switch {
	case err != nil:
		return nil, err
	case same || given.Deleted && given.Member == m.Member:
		return changes, t.Tx.Confirm(given, t.now)
	case given.Member == m.Member && !given.Edited.IsZero():
		changes = append(changes, store.Change{Member: m.Member, Content: m.Content, Kind: int(chat.Edit), Place: given.Place, Text: given.Text, Time: given.Edited})
	}
	return changes, t.Tx.Supersede(given, m, t.now)
}

// same reports whether two messages say the same.
func (t *Tx) same(a, b store.Message) (bool, error) {
	if a.Member != b.Member || a.Text != b.Text || !a.Time.Equal(b.Time) || a.Ref != b.Ref || a.Forwarded != b.Forwarded ||
		a.Picture != b.Picture || a.File != b.File || a.Size != b.Size || a.Timer != b.Timer {
		return false, nil
	}
	if b.Data == nil {
		return true, nil
	}
	data, err := t.Tx.Attachment(a.ID)
	return bytes.Equal(data, b.Data), err
}

// received is the message of a content of a member.
func received(room store.ID, p store.Parked, c *chat.Content) store.Message {
	m := store.Message{ID: p.ID, Content: store.RoomContent(p.Member, p.ID), Contact: room, Member: p.Member, Text: c.Text, Time: c.Time,
		State: api.StateReceived, Ref: store.ContentID(c.Ref), Forwarded: c.Forwarded, Timer: c.Timer}
	attach(&m, c)
	return m
}

// attach gives a message the picture or file of its content.
func attach(m *store.Message, c *chat.Content) {
	switch c.Kind {
	case chat.Picture:
		m.Picture, m.Size, m.Data = picture.Type(c.Picture), len(c.Picture), c.Picture
	case chat.File:
		m.File, m.Size, m.Data = filename.Clean(c.FileName), len(c.File), c.File
	}
}

// regard reports whether a message is hidden, and whether it names us: by our name, or by an
// answer to a message of ours.
func (t *Tx) regard(m store.Message) (hidden, names bool, err error) {
	author, err := t.Tx.Member(t.p.id, m.Member)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return false, false, err
	}
	if !m.Ref.IsZero() {
		to, err := t.Tx.MessageOf(t.p.id, m.Ref)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return false, false, err
		}
		names = err == nil && to.Outgoing
	}

	if !names {
		all, err := t.Tx.Members(t.p.id)
		if err != nil {
			return false, false, err
		}
		var people []mention.Member
		for _, o := range all {
			if o.Role != api.RoleNone {
				people = append(people, mention.Member{ID: o.ID.String(), Name: o.Name})
			}
		}
		names = mention.Names(safetext.Clean(m.Text).String(), t.row.Me.String(), people)
	}
	return author.Blocked, names, nil
}

// change takes a member's edit, deletion or reaction: they edit and delete only messages of
// their own, and react to all. A change to a message that has not come is kept for it.
func (t *Tx) change(c store.Change) error {
	m, err := t.Tx.MessageOf(t.p.id, c.Content)
	if errors.Is(err, store.ErrNotFound) {
		if erased, err := t.Tx.HasSeen(t.p.id, c.Content); err != nil || erased {
			return err
		}
		return t.Tx.AddChange(t.p.id, c)
	}
	if err != nil {
		return err
	}

	kind := chat.Kind(c.Kind)
	switch {
	case m.Member != c.Member && kind != chat.Reaction:
		t.refused = append(t.refused, "change of another's message")
		return nil
	case m.Deleted, m.State == api.StateNotice:
		return nil
	case kind == chat.Delete:
		return t.Tx.TakeBack(m, t.now)
	case kind == chat.Edit && !chat.Fits(c.Text, m.Picture != "" || m.File != ""):
		t.refused = append(t.refused, "edit of a caption")
		return nil
	case kind == chat.Edit:
		if c.Place < m.Place {
			return nil // an older one that comes late
		}
		return t.Tx.SetText(m, c.Text, c.Time, c.Place, t.now)
	}

	ours := c.Member == t.row.Me
	old, err := t.Tx.Reaction(m.ID, ours, c.Member)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if err == nil && c.Place < old.Place {
		return nil
	}
	return t.Tx.SetReaction(m, store.Reaction{Message: m.ID, Outgoing: ours, Member: c.Member, Emoji: c.Text, Place: c.Place}, t.now)
}
