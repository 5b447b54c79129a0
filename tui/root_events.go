package tui

import (
	"cmp"
	"slices"
	"time"

	tea "charm.land/bubbletea/v2"

	"starling/node/api"
	"starling/tui/keymap"
	"starling/tui/words"
)

// apply applies a batch of events.
func (a *App) apply(batch eventsMsg) tea.Cmd {
	var cmds []tea.Cmd
	unknown := false
	moved := false
	drafts, pictures := false, false
	var fresh []api.Message
	for i := range batch {
		ev := &batch[i]
		switch ev.Kind {
		case api.EventMessage:
			if a.contact(ev.Conversation) == nil {
				unknown = true
			}
			m := words.Message(ev)
			pictures = pictures || m.Picture != nil
			if a.arrived(ev) {
				fresh = append(fresh, m)
			}
			moved = true
		case api.EventNotice:
			a.noticed(ev)
			moved = true
		case api.EventState, api.EventChanged:
			a.changed(ev)
		case api.EventTyping:
			cmds = append(cmds, a.writing(ev.Conversation))
		case api.EventDraft:
			drafts = true
		case api.EventContact:
			if ev.Contact != nil {
				a.putContact(*ev.Contact)
				moved = true
			}
		case api.EventRemoved:
			a.removed(ev)
			unknown = true // the last message may be another
		case api.EventInvite:
			cmds = append(cmds, a.invited(ev.Invite))
		case api.EventStatus:
			if ev.Status != nil {
				a.status, a.known = *ev.Status, true
			}
		}
	}
	if unknown || !a.listening {
		// Before the first event, something may have been missed.
		a.behind = a.behind || !a.listening
		a.listening = true
		cmds = append(cmds, a.loadContacts())
	}
	if moved {
		a.sort()
	}
	if drafts {
		cmds = append(cmds, a.loadDrafts())
	}
	if c := a.open(); c != nil && pictures {
		cmds = append(cmds, a.look(c))
	}
	cmds = append(cmds, a.announce(fresh), a.settle())
	return tea.Batch(cmds...)
}

// arrived takes a message that came in or was queued, and reports whether it
// is a new one of a contact.
func (a *App) arrived(ev *api.Event) bool {
	m := words.Message(ev)
	a.highest++
	a.rank[ev.Conversation] = a.highest
	c := a.chats[ev.Conversation]
	p := a.contact(ev.Conversation)
	fresh := (p == nil || p.Last == nil || p.Last.ID != m.ID) && !m.Outgoing && m.State == api.StateReceived
	if p != nil {
		if fresh {
			p.Unread++
		}
		p.Last = &m
	}
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
		a.show(c, m)
	}
	return fresh
}

// noticed takes what the node says in a conversation.
func (a *App) noticed(ev *api.Event) {
	if ev.ID == "" {
		return
	}
	ev.State = api.StateNotice
	a.arrived(ev)
}

// show puts a message at the end of a conversation, below the unread line if
// nobody looks.
func (a *App) show(c *chat, m api.Message) {
	known := c.view.Has(m.ID)
	c.view.Add(m)
	if !m.Outgoing && m.State != api.StateNotice && !known && (c.id != a.current || !a.reading()) {
		c.view.BeginUnread(m.ID)
	}
}

// changed takes what changed about a message.
func (a *App) changed(ev *api.Event) {
	if p := a.contact(ev.Conversation); p != nil && p.Last != nil && p.Last.ID == ev.ID {
		last := *p.Last
		if ev.Message != nil {
			last = *ev.Message
		}
		last.State, last.Reason = ev.State, ev.Reason
		p.Last = &last
	}
	c := a.chats[ev.Conversation]
	if c == nil {
		return
	}
	if ev.Kind == api.EventChanged {
		if ev.Message != nil && (!c.view.Change(*ev.Message) || c.loading) {
			c.hold(ev)
		}
		return
	}
	if !c.view.SetState(ev.ID, ev.State, ev.Reason) || c.loading {
		c.hold(ev)
	}
}

// hold keeps a change for the page on which its message may be. A message that
// is held itself is kept as it is now.
func (c *chat) hold(ev *api.Event) {
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

// removed takes the end of a message or a contact.
func (a *App) removed(ev *api.Event) {
	if ev.ID != "" {
		if c := a.chats[ev.Conversation]; c != nil {
			c.view.Remove(ev.ID)
			delete(c.late, ev.ID)
			if c.editing != nil && c.editing.ID == ev.ID {
				a.unedit(c)
			}
			if c.reply != nil && c.reply.ID == ev.ID {
				c.reply = nil
			}
		}
		delete(a.gallery.thumbs, ev.ID)
		return
	}
	id := ev.Conversation
	if id == "" && ev.Contact != nil {
		id = ev.Contact.ID
	}
	a.forget(id)
}

// forget drops a contact that was removed.
func (a *App) forget(id string) {
	at := a.indexOf(id)
	if at < 0 {
		return
	}
	a.people = slices.Delete(a.people, at, at+1)
	delete(a.chats, id)
	if a.cursor == id {
		a.cursor = ""
	}
	if a.current == id {
		a.current = ""
		a.focus = keymap.Composer
	}
	if a.cursor == "" && len(a.people) > 0 {
		a.cursor = a.people[min(at, len(a.people)-1)].ID
	}
}

// putContact adds or changes a contact.
func (a *App) putContact(c api.Contact) {
	at := a.indexOf(c.ID)
	if at < 0 {
		a.people = append(a.people, c)
		a.highest++
		a.rank[c.ID] = a.highest
		return
	}
	if c.ID == a.current && a.people[at].Unread == 0 && a.reading() {
		c.Unread = 0 // it was marked as read meanwhile
	}
	a.people[at] = c
}

// reading reports whether the person looks at the end of the open
// conversation.
func (a *App) reading() bool {
	c := a.open()
	return c != nil && c.seen && a.active && c.view.AtEnd()
}

// sort puts the people in order: pinned ones first, archived ones last, and
// among them the latest activity, as it became known here. The clock of a
// sender has no say in it.
func (a *App) sort() {
	group := func(c *api.Contact) int {
		switch {
		case c.Archived:
			return 2
		case c.Pinned:
			return 0
		}
		return 1
	}
	slices.SortStableFunc(a.people, func(x, y api.Contact) int {
		return cmp.Or(
			cmp.Compare(group(&x), group(&y)),
			cmp.Compare(a.rank[y.ID], a.rank[x.ID]),
			y.Created.Compare(x.Created),
			cmp.Compare(x.ID, y.ID),
		)
	})
}

// nameOf is a contact's name as it is shown.
func (a *App) nameOf(c *api.Contact) string { return a.mask(a.openName(c)) }

// openName is a contact's name, hidden or not. It cannot look like one of our
// marks: a name may come from the contact.
func (a *App) openName(c *api.Contact) string {
	name := words.Name(c)
	if name == "" {
		return a.t("unnamed")
	}
	return a.th.Cells.Steady(name)
}

func (a *App) unread() int {
	n := 0
	for i := range a.people {
		n += a.people[i].Unread
	}
	return n
}

func (a *App) unreadElsewhere() int {
	n := a.unread()
	if p := a.contact(a.current); p != nil {
		n -= p.Unread
	}
	return n
}
