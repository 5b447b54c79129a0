package tui

import (
	"context"
	"errors"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"starling/node/api"
	"starling/node/api/safetext"
	"starling/tui/chatview"
	"starling/tui/dialog"
	"starling/tui/keymap"
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
	draftsMsg map[string]string
	pageMsg   struct {
		chat     string
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

// outgoing is a text on its way to the node.
type outgoing struct{ contact, text, id string }

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

func (a *App) loadDrafts() tea.Cmd {
	if a.opts.Drafts == nil {
		return nil
	}
	return a.call(func(ctx context.Context) tea.Msg {
		drafts, err := a.opts.Drafts.LoadDrafts(ctx)
		if err != nil {
			return resultMsg{err: err}
		}
		return draftsMsg(drafts)
	})
}

func (a *App) saveDraft(c *chat) tea.Cmd {
	text := c.text.Value()
	if a.opts.Drafts == nil || text == c.saved {
		return nil
	}
	c.saved = text
	return a.call(func(ctx context.Context) tea.Msg {
		if err := a.opts.Drafts.SaveDraft(ctx, c.id, text); err != nil {
			return resultMsg{err: err}
		}
		return nil
	})
}

// saveDrafts keeps what was not sent when the app ends.
func (a *App) saveDrafts(ctx context.Context) {
	if a.opts.Drafts == nil {
		return
	}
	for _, c := range a.chats {
		if text := c.text.Value(); text != c.saved {
			_ = a.opts.Drafts.SaveDraft(ctx, c.id, text) // nobody is left to tell
		}
	}
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
	return a.call(func(ctx context.Context) tea.Msg {
		messages, err := a.node.History(ctx, req)
		return pageMsg{chat: req.Contact, messages: messages, limit: limit, err: err}
	})
}

// loadNewest asks for the newest page of a conversation that has fallen
// behind.
func (a *App) loadNewest(c *chat) tea.Cmd {
	c.loading = true
	req := api.HistoryRequest{Contact: c.id, Limit: pageSize}
	return a.call(func(ctx context.Context) tea.Msg {
		messages, err := a.node.History(ctx, req)
		return pageMsg{chat: req.Contact, messages: messages, newest: true, err: err}
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
		m, err := a.node.Send(ctx, api.SendRequest{Contact: out.contact, Text: out.text, ID: out.id})
		return sentMsg{out, m, err}
	})
}

func (a *App) retry(id string) tea.Cmd {
	return a.call(func(ctx context.Context) tea.Msg {
		m, err := a.node.Retry(ctx, id)
		return resultMsg{note: "Queued again.", err: err, message: &m}
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
			c.view.SetHidden(a.hidden)
		}
	}
	if a.current == "" {
		cmds = append(cmds, a.visit(a.people[0].ID, false))
	}
	return tea.Batch(append(cmds, a.settle())...)
}

func (a *App) gotDrafts(drafts draftsMsg) {
	for id, text := range drafts {
		if c := a.chat(id); c.text.Empty() {
			c.text.SetValue(text)
			c.saved = c.text.Value()
		}
	}
}

func (a *App) gotPage(msg pageMsg) tea.Cmd {
	c := a.chats[msg.chat]
	if c == nil {
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
	for _, m := range c.told {
		c.view.Add(m)
	}
	for id, ev := range c.late {
		c.view.SetState(id, ev.State, ev.Reason)
		delete(c.late, id)
	}
	a.placeUnread(c)
	a.arrange()
	if _, ok := c.view.Selected(); !ok && c.id == a.current && a.focus == keymap.Messages {
		c.view.SelectLast()
	}
	return a.settle()
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
	back := []string{msg.text}
	rest := a.outgoing[:0]
	for _, o := range a.outgoing {
		if o.contact == msg.contact {
			back = append(back, o.text)
		} else {
			rest = append(rest, o)
		}
	}
	a.outgoing = rest
	c := a.chat(msg.contact)
	if !c.text.Empty() {
		back = append(back, c.text.Value())
	}
	c.text.SetValue(strings.Join(back, "\n"))
	return tea.Batch(a.fail(msg.err), a.sendNext())
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
		cmds = append(cmds, a.say(msg.note))
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

// describe puts an error into words: what went wrong and what to do.
func describe(err error) string {
	if err == nil || errors.Is(err, context.Canceled) {
		return ""
	}
	text := err.Error()
	var e *api.Error
	if errors.As(err, &e) && e.Hint != "" {
		text = strings.TrimRight(text, ". ") + ". " + e.Hint
	}
	return safetext.Line(text).String()
}
