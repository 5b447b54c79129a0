package conversation

import (
	"context"
	"time"

	tea "charm.land/bubbletea/v2"

	"starling/node/api"
	"starling/node/api/safetext"
	"starling/tui/words"
)

const (
	// typingTime is how long a contact is taken to be writing after they said
	// so; typingEvery is how often we say it.
	typingTime  = 6 * time.Second
	typingEvery = 3 * time.Second
)

// Arrived takes a message that came in or was queued, and reports whether it is
// a new one of a contact.
func (b *Book) Arrived(ev *api.Event) bool {
	m := words.Message(ev)
	if !words.Folds(m.Change) { // whoever comes and goes moves no room up
		b.people.Raise(ev.Conversation)
	}
	p := b.people.Get(ev.Conversation)
	fresh := (p == nil || p.Last == nil || p.Last.ID != m.ID) && !m.Outgoing && m.State == api.StateReceived
	if p != nil {
		if fresh {
			p.Unread++
			b.people.Named(p.ID, m.Mention)
		}
		p.Last = &m
	}

	c := b.chats[ev.Conversation]
	if c == nil {
		return fresh
	}
	if !m.Outgoing {
		c.writes = time.Time{}
	}
	if c.asked {
		if c.loading {
			c.late[m.ID] = *ev
		}
		b.show(c, m)
	}
	return fresh
}

// Noticed takes a notice of the node in a conversation.
func (b *Book) Noticed(ev *api.Event) {
	if ev.ID == "" {
		return
	}
	ev.State = api.StateNotice
	b.Arrived(ev)
}

// show puts a message at the end of a conversation, below the unread line if
// nobody looks.
func (b *Book) show(c *Chat, m api.Message) {
	known := c.View.Has(m.ID)
	c.View.Add(m)
	if !m.Outgoing && m.State != api.StateNotice && !known && !b.Reading(c.ID) {
		c.View.BeginUnread(m.ID)
	}
}

// Changed takes another state of a message, or another text.
func (b *Book) Changed(ev *api.Event) {
	if p := b.people.Get(ev.Conversation); p != nil && p.Last != nil && p.Last.ID == ev.ID {
		last := *p.Last
		if ev.Message != nil {
			last = *ev.Message
		}
		last.State, last.Reason = ev.State, ev.Reason
		p.Last = &last
	}

	c := b.chats[ev.Conversation]
	switch {
	case c == nil:
	case ev.Kind == api.EventChanged:
		if ev.Message != nil && (!c.View.Change(*ev.Message) || c.loading) {
			c.hold(ev)
		}
	case !c.View.SetState(ev.ID, ev.State, ev.Reason) || c.loading:
		c.hold(ev)
	}
}

// hold keeps a change for the page on which its message may be. A message that
// is held itself is kept as it is now.
func (c *Chat) hold(ev *api.Event) {
	late := *ev
	if old, ok := c.late[ev.ID]; ok && old.Kind == api.EventMessage {
		m := words.Message(&old)
		if ev.Message != nil {
			m = *ev.Message
		}
		m.State, m.Reason = ev.State, ev.Reason
		old.Message = &m
		late = old
	}
	c.late[ev.ID] = late
}

// Removed takes the end of a message.
func (b *Book) Removed(conversation, id string) {
	b.gallery.Forget(id)
	c := b.chats[conversation]
	if c == nil {
		return
	}

	c.View.Remove(id)
	delete(c.late, id)
	if c.editing != nil && c.editing.ID == id {
		c.unedit()
	}
	if c.reply != nil && c.reply.ID == id {
		c.reply = nil
	}
}

// Writes notes that a contact is writing.
func (b *Book) Writes(contact string) tea.Cmd {
	if b.people.Get(contact) == nil {
		return nil
	}
	c := b.Chat(contact)
	until := b.desk.Now().Add(typingTime)
	c.writes = until
	return b.desk.Later(typingTime, func() tea.Cmd {
		if c.writes.Equal(until) {
			c.writes = time.Time{}
		}
		return nil
	})
}

// IsWriting reports whether a contact is writing now.
func (b *Book) IsWriting(contact string) bool {
	c := b.chats[contact]
	return c != nil && !c.writes.IsZero()
}

// tellTyping tells the contact that we are writing, if the settings say so.
func (b *Book) tellTyping(c *Chat) tea.Cmd {
	now := b.desk.Now()
	if !b.Typing || c.editing != nil || c.Text.Empty() || now.Sub(c.writ) < typingEvery {
		return nil
	}
	c.writ = now
	return b.desk.Try(func(ctx context.Context) error { return b.desk.Node.Typing(ctx, c.ID) })
}

// Tell puts a notice of the app's own into a conversation. It stays for as long
// as the app runs.
func (b *Book) Tell(contact, id, text string) {
	c := b.Chat(contact)
	m := api.Message{
		ID: id, Conversation: contact, Text: safetext.Clean(text),
		Time: b.desk.Now(), State: api.StateNotice,
	}
	c.told = append(c.told, m)
	c.View.Add(m)
}
