package tui

import (
	"context"

	tea "charm.land/bubbletea/v2"

	"starling/node/api"
	"starling/tui/conversation"
	"starling/tui/desk"
	"starling/tui/keymap"
	"starling/tui/words"
)

// A round gathers the consequences of a batch of events.
type round struct {
	cmds     []tea.Cmd
	fresh    []api.Message // new ones of contacts
	moved    bool          // the order of people may be another
	unknown  bool          // something is about an unknown contact
	drafts   bool
	pictures bool
	outbox   bool // what waits in the outbox may be another number
}

// apply applies a batch of events.
func (a *App) apply(batch eventsMsg) tea.Cmd {
	var r round
	// A batch makes one list, one sort and one frame: a thousand events come at once after a sleep.
	for i := range batch {
		a.take(&r, &batch[i])
	}

	// Before the first event, something may have been missed.
	if r.unknown || !a.listening {
		a.book.Behind = a.book.Behind || !a.listening
		a.listening = true
		r.cmds = append(r.cmds, a.loadContacts())
	}
	if r.moved {
		a.people.Sort()
	}
	if r.drafts {
		r.cmds = append(r.cmds, a.book.LoadDrafts())
	}
	if r.pictures {
		r.cmds = append(r.cmds, a.book.Look())
	}
	if r.outbox {
		r.cmds = append(r.cmds, a.network.look())
	}
	return tea.Batch(append(r.cmds, a.reopen(), a.announcer.announce(r.fresh), a.book.Settle())...)
}

// take takes one event.
func (a *App) take(r *round, ev *api.Event) {
	switch ev.Kind {
	case api.EventMessage:
		m := words.Message(ev)
		r.moved = true
		r.outbox = r.outbox || m.Outgoing
		// A conversation that is not in the list yet: all are asked for once.
		r.unknown = r.unknown || a.people.Get(ev.Conversation) == nil
		r.pictures = r.pictures || m.Picture != nil
		if a.book.Arrived(ev) {
			r.fresh = append(r.fresh, m)
		}
	case api.EventNotice:
		a.book.Noticed(ev)
		r.moved = true
	case api.EventState, api.EventChanged:
		a.book.Changed(ev)
		r.outbox = r.outbox || ev.Outgoing

	case api.EventTyping:
		r.cmds = append(r.cmds, a.book.Writes(ev.Conversation))
	case api.EventDraft:
		r.drafts = true

	case api.EventContact:
		if ev.Contact != nil {
			a.people.Put(*ev.Contact, a.book.Reading)
			r.moved = true
			r.cmds = append(r.cmds, a.rooms.Changed(ev.Contact), conversation.Ahead(a.book, ev.Contact))
		}
	case api.EventCleared:
		r.cmds = append(r.cmds, a.cleared(ev.Conversation, false))
		// The counts of the list are others now.
		r.unknown, r.outbox = true, true
	case api.EventRemoved:
		a.gone(ev)
		r.unknown = true // the last message may be another
		r.outbox = true
	case api.EventInvite:
		r.cmds = append(r.cmds, a.contacts.invited(ev.Invite))

	case api.EventStatus:
		if ev.Status != nil {
			// It may be older than what was asked for.
			r.outbox = r.outbox || a.network.known && ev.Status.Outbox != a.network.status.Outbox
			a.network.take(*ev.Status)
			a.contacts.networked()
		}
	}
}

// gone takes the end of a message or a contact.
func (a *App) gone(ev *api.Event) {
	switch {
	case ev.ID != "":
		a.book.Removed(ev.Conversation, ev.ID)
	case ev.Conversation == "" && ev.Contact != nil:
		a.forget(ev.Contact.ID)
	default:
		a.forget(ev.Conversation)
	}
}

// forget drops a contact that was removed.
func (a *App) forget(id string) {
	if a.people.Get(id) == nil {
		return
	}
	a.people.Remove(id)
	a.rooms.Forget(id)
	if a.book.Forget(id) {
		a.focus = keymap.Composer
	}
}

// cleared drops the messages of a conversation that was cleared, here or by another client.
func (a *App) cleared(id string, here bool) tea.Cmd {
	if c := a.people.Get(id); c != nil {
		c.Last, c.Unread = nil, 0
	}
	return conversation.Cleared(a.book, id, here)
}

// removed drops a contact, and goes to another one if it was open.
func (a *App) removed(id string) tea.Cmd {
	a.forget(id)
	if a.book.Current != "" || a.people.Alone() {
		return nil
	}
	return a.book.Visit(a.people.Cursor, true)
}

// put takes a contact as it is now.
func (a *App) put(c api.Contact) {
	a.people.Put(c, a.book.Reading)
	a.people.Sort()
}

// loadContacts asks the node for everybody, and before that once for the settings: they
// name the conversation to open, so that the list and the text come at the same time.
// Without an answer the settings by default hold. One question is asked at a time: an answer
// that is under way is shown first, and may be older than what the next one is asked for.
func (a *App) loadContacts() tea.Cmd {
	if a.reload = a.loading; a.loading {
		return nil
	}
	a.loading = true
	var settings api.Settings
	known := a.keeping.known
	return desk.Ask(a.desk, func(ctx context.Context) ([]api.Contact, error) {
		if !known {
			settings, _ = a.desk.Node.Settings(ctx)
		}
		return a.desk.Node.Conversations(ctx)
	}, func(contacts []api.Contact, err error) tea.Cmd {
		a.loading = false
		var taken, next tea.Cmd
		if a.reload && err == nil {
			next = a.loadContacts()
		}
		if !a.keeping.known && err == nil {
			taken = a.keeping.take(settings)
		}
		return tea.Batch(taken, a.gotContacts(contacts, err), next)
	})
}

func (a *App) gotContacts(contacts []api.Contact, err error) tea.Cmd {
	if err != nil {
		return a.network.broken(err)
	}

	for _, id := range a.people.Take(contacts, a.book.Reading) {
		a.forget(id)
	}
	return tea.Batch(a.reopen(), a.book.CatchUp())
}

// reopen opens the conversation that was open at the end of the last start, or the
// first one, once the people and the settings are known.
func (a *App) reopen() tea.Cmd {
	if a.book.Current != "" || !a.people.Loaded || !a.keeping.known || len(a.people.All()) == 0 {
		return nil
	}
	id := a.keeping.settings.Open
	if a.people.Get(id) == nil {
		if id = a.people.First(); id == "" {
			return nil // the first steps are shown
		}
	}
	visited := a.book.Visit(id, false)
	a.begin()
	return visited
}

// catchUp asks again if no event has come: some may have been missed.
func (a *App) catchUp() tea.Cmd {
	if a.listening {
		return nil
	}
	return a.loadContacts()
}

// feed takes the loss or the return of the stream of events.
func (a *App) feed(msg feedMsg) tea.Cmd {
	if msg.err != nil {
		if a.opts.Guest && !a.lock.Closed() && api.CodeOf(msg.err) == api.CodeClosed {
			a.lock.Gone = true
			return tea.Batch(a.network.broken(msg.err), a.lock.Close())
		}
		return a.network.broken(msg.err)
	}
	a.book.Behind = true
	return tea.Batch(a.network.load(), a.loadContacts(), a.rooms.Reload())
}
