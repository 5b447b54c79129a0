package tui

import (
	"context"
	"errors"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"starling/node/api"
	"starling/tui/chatview"
	"starling/tui/dialog"
	"starling/tui/keymap"
	"starling/tui/words"
)

// pageSize is how many messages are loaded at once.
const pageSize = 100

type (
	contactsMsg struct {
		contacts []api.Contact
		err      error
	}
	statusMsg struct {
		status api.Status
		err    error
	}
	pageMsg struct {
		chat     string
		round    int
		messages []api.Message
		limit    int
		newest   bool // to be put at the end, not in front
		err      error
	}
	sentMsg struct {
		outgoing
		message api.Message
		err     error
	}
	// resultMsg is what became of something small that was asked of the node.
	resultMsg struct {
		note    string // said if it went well
		err     error
		contact *api.Contact
		message *api.Message
		open    bool         // the contact
		erased  string       // message
		removed string       // contact
		from    *dialog.Form // waits for it
	}
	inviteMsg struct {
		invite api.Invite
		name   string
		err    error
		from   *dialog.Form
	}
	invitesMsg struct {
		invites []api.Invite
		err     error
	}
	verificationMsg struct {
		contact string
		v       api.Verification
		err     error
	}
)

// outgoing is a message on its way to the node.
type outgoing struct {
	contact, text, id string
	reply             *api.Message // that it answers
	forward           string       // message that is sent on instead of a text
}

// call makes a command of something that waits.
func (a *App) call(f func(context.Context) tea.Msg) tea.Cmd {
	ctx := a.ctx
	return func() tea.Msg { return f(ctx) }
}

func (a *App) loadContacts() tea.Cmd {
	return a.call(func(ctx context.Context) tea.Msg {
		contacts, err := a.node.Contacts(ctx)
		return contactsMsg{contacts, err}
	})
}

func (a *App) loadStatus() tea.Cmd {
	return a.call(func(ctx context.Context) tea.Msg {
		status, err := a.node.Status(ctx)
		return statusMsg{status, err}
	})
}

// loadPage asks for the next older page, or the newest.
func (a *App) loadPage(c *chat) tea.Cmd {
	c.loading = true
	limit := pageSize
	if c.unread > limit {
		limit = min(c.unread+pageSize, 1000)
	}
	if c.view.Len() > 0 {
		c.view.Loading()
	}
	req := api.HistoryRequest{Contact: c.id, Before: c.view.Oldest(), Limit: limit}
	round := c.round
	return a.call(func(ctx context.Context) tea.Msg {
		messages, err := a.node.History(ctx, req)
		return pageMsg{chat: req.Contact, round: round, messages: messages, limit: limit, err: err}
	})
}

// loadNewest asks for the newest page of a conversation that has fallen
// behind.
func (a *App) loadNewest(c *chat) tea.Cmd {
	c.loading = true
	req := api.HistoryRequest{Contact: c.id, Limit: pageSize}
	round := c.round
	return a.call(func(ctx context.Context) tea.Msg {
		messages, err := a.node.History(ctx, req)
		return pageMsg{chat: req.Contact, round: round, messages: messages, newest: true, err: err}
	})
}

func (a *App) markRead(contact string) tea.Cmd {
	return a.call(func(ctx context.Context) tea.Msg {
		if err := a.node.MarkRead(ctx, contact); err != nil {
			return resultMsg{err: err}
		}
		return nil
	})
}

// sendNext hands the next text to the node, one at a time, so that they keep
// their order.
func (a *App) sendNext() tea.Cmd {
	if a.sending || len(a.outgoing) == 0 {
		return nil
	}
	a.sending = true
	out := a.outgoing[0]
	return a.call(func(ctx context.Context) tea.Msg {
		req := api.SendRequest{Contact: out.contact, Text: out.text, ID: out.id, Forward: out.forward}
		if out.reply != nil {
			req.ReplyTo = out.reply.ID
		}
		m, err := a.node.Send(ctx, req)
		return sentMsg{out, m, err}
	})
}

func (a *App) retry(id string) tea.Cmd {
	note := a.t("Queued again.")
	return a.call(func(ctx context.Context) tea.Msg {
		m, err := a.node.Retry(ctx, id)
		return resultMsg{note: note, err: err, message: &m}
	})
}

func (a *App) gotContacts(msg contactsMsg) tea.Cmd {
	if msg.err != nil {
		return a.broken(msg.err)
	}
	first := !a.loaded
	a.loaded = true
	here := map[string]bool{}
	for _, c := range msg.contacts {
		here[c.ID] = true
		if c.Last != nil {
			a.rank[c.ID] = max(a.rank[c.ID], c.Last.Sequence)
			a.highest = max(a.highest, a.rank[c.ID])
		} else if _, ok := a.rank[c.ID]; !ok {
			a.rank[c.ID] = 0
		}
		a.putContact(c)
	}
	for i := len(a.people) - 1; i >= 0; i-- {
		if !here[a.people[i].ID] {
			a.forget(a.people[i].ID)
		}
	}
	a.sort()
	if len(a.people) == 0 {
		return nil
	}
	if !first {
		return a.catchUp()
	}
	cmd := a.visit(a.people[0].ID, false)
	a.begin()
	return cmd
}

func (a *App) gotStatus(msg statusMsg) tea.Cmd {
	a.polling = false
	if msg.err != nil {
		return a.broken(msg.err)
	}
	a.status, a.known = msg.status, true
	if a.lost != nil {
		a.lost, a.behind = nil, true
		return a.loadContacts()
	}
	return nil
}

// catchUp loads what conversations have missed: messages that came before the
// node's events were listened to, or while it did not answer.
func (a *App) catchUp() tea.Cmd {
	var cmds []tea.Cmd
	behind := a.behind
	a.behind = false
	for i := range a.people {
		p := &a.people[i]
		c := a.chats[p.ID]
		if c == nil || !c.asked || c.loading {
			continue
		}
		switch missed := p.Last != nil && !c.view.Has(p.Last.ID); {
		case c.id == a.current && (behind || missed):
			cmds = append(cmds, a.loadNewest(c))
		case behind || missed:
			// It is loaded again when it is opened.
			c.view, c.asked = chatview.New(a.th, a.opts.Now), false
			a.prepare(c)
		}
	}
	if a.current == "" {
		cmds = append(cmds, a.visit(a.people[0].ID, false))
	}
	return tea.Batch(append(cmds, a.settle())...)
}

func (a *App) gotPage(msg pageMsg) tea.Cmd {
	c := a.chats[msg.chat]
	if c == nil || msg.round != c.round {
		return nil
	}
	c.loading = false
	if msg.err != nil {
		c.view.AddOlder(nil, true)
		c.unread = 0
		return a.fail(msg.err)
	}
	if msg.newest {
		for _, m := range msg.messages {
			a.show(c, m)
		}
	} else {
		c.view.AddOlder(msg.messages, len(msg.messages) < msg.limit)
	}
	a.catchLate(c)
	a.placeUnread(c)
	a.arrange()
	if _, ok := c.view.Selected(); !ok && c.id == a.current && a.focus == keymap.Messages {
		c.view.SelectLast()
	}
	return tea.Batch(a.look(c), a.settle())
}

// catchLate applies what came while a page was under way.
func (a *App) catchLate(c *chat) {
	for _, m := range c.told {
		c.view.Add(m)
	}
	for id, ev := range c.late {
		switch {
		case ev.Kind == api.EventState:
			c.view.SetState(id, ev.State, ev.Reason)
		case ev.Kind == api.EventChanged && ev.Message != nil:
			c.view.Change(*ev.Message)
		case ev.Kind == api.EventMessage || ev.Kind == api.EventNotice:
			a.show(c, words.Message(&ev))
		}
		delete(c.late, id)
	}
}

func (a *App) gotSent(msg sentMsg) tea.Cmd {
	a.sending = false
	a.outgoing = a.outgoing[1:]
	if msg.err == nil {
		if c := a.chats[msg.contact]; c != nil && !c.view.Has(msg.message.ID) {
			c.view.Add(msg.message)
		}
		if p := a.contact(msg.contact); p != nil && (p.Last == nil || p.Last.ID != msg.message.ID) {
			p.Last = &msg.message
			a.highest++
			a.rank[msg.contact] = a.highest
			a.sort()
		}
		return a.sendNext()
	}
	// Nothing is lost: what could not be handed over goes back to the field,
	// with what was to follow it.
	var back []string
	rest := a.outgoing[:0]
	for _, o := range append([]outgoing{msg.outgoing}, a.outgoing...) {
		switch {
		case o.contact != msg.contact:
			rest = append(rest, o)
		case o.text != "":
			back = append(back, o.text)
		}
	}
	a.outgoing = rest
	c := a.chat(msg.contact)
	a.unedit(c)
	if !c.text.Empty() {
		back = append(back, c.text.Value())
	}
	c.text.SetValue(strings.Join(back, "\n"))
	if c.reply == nil {
		c.reply = msg.reply
	}
	return tea.Batch(a.fail(msg.err), a.touched(c), a.sendNext())
}

func (a *App) gotResult(msg resultMsg) tea.Cmd {
	if msg.err != nil {
		return a.refuse(msg.from, msg.err)
	}
	if msg.from != nil {
		a.dialogs.Remove(msg.from)
	}
	var cmds []tea.Cmd
	if msg.contact != nil {
		a.putContact(*msg.contact)
		a.sort()
		if msg.open {
			cmds = append(cmds, a.visit(msg.contact.ID, true))
		}
	}
	if msg.message != nil {
		if c := a.chats[msg.message.Conversation]; c != nil {
			c.view.Add(*msg.message)
		}
	}
	if msg.erased != "" {
		for _, c := range a.chats {
			c.view.Remove(msg.erased)
		}
		cmds = append(cmds, a.loadContacts()) // the last message may be another
	}
	if msg.removed != "" {
		a.forget(msg.removed)
		if a.current == "" && len(a.people) > 0 {
			cmds = append(cmds, a.visit(a.cursor, true))
		}
	}
	if msg.note != "" {
		cmds = append(cmds, a.note(msg.note, false))
	}
	return tea.Batch(cmds...)
}

// feed takes the loss or the return of the stream of events.
func (a *App) feed(msg feedMsg) tea.Cmd {
	if msg.err != nil {
		return a.broken(msg.err)
	}
	a.behind = true
	return tea.Batch(a.loadStatus(), a.loadContacts())
}

// broken notes that the node does not answer, and asks again in a while.
func (a *App) broken(err error) tea.Cmd {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	a.lost = err
	if a.polling {
		return nil
	}
	a.polling = true
	return a.call(func(ctx context.Context) tea.Msg {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(again):
		}
		status, err := a.node.Status(ctx)
		return statusMsg{status, err}
	})
}
