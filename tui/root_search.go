package tui

import (
	"context"

	tea "charm.land/bubbletea/v2"

	"starling/node/api"
	"starling/tui/keymap"
	"starling/tui/search"
)

type (
	// foundMsg answers a question of a search.
	foundMsg struct {
		panel *search.Panel
		n     int
		hits  []api.Message
		err   error
	}
	// windowMsg is a part of a conversation around a message, or what follows
	// behind what is loaded.
	windowMsg struct {
		chat         string
		round        int
		target       string // empty: it is to be put behind
		messages     []api.Message
		older, newer bool // nothing is before, behind
		err          error
	}
)

// openSearch searches in one conversation, or in all.
func (a *App) openSearch(id keymap.ID) tea.Cmd {
	contact, title := "", a.t("Search in all conversations")
	if id == keymap.Search {
		c := a.meantContact()
		if c == nil {
			return a.say("There is no contact yet.")
		}
		contact, title = c.ID, a.t("Search in %s", a.nameOf(c))
	}
	p := search.New(title, a.t("type words"), a.searched[contact])
	p.Contact = contact
	p.Mask = a.mask
	p.When = func(m api.Message) string { return a.ago(m.Time) }
	p.Name = func(m api.Message) string {
		name := "?"
		if c := a.contact(m.Conversation); c != nil {
			name = a.nameOf(c)
		}
		switch {
		case m.Outgoing && contact == "":
			return a.t("you to %s", name)
		case m.Outgoing:
			return a.t("you")
		}
		return name
	}
	a.dialogs.Open(p)
	return a.act(p.Question())
}

func (a *App) search(q search.Ask) tea.Cmd {
	a.searched[q.Contact] = q.Words
	return a.call(func(ctx context.Context) tea.Msg {
		hits, err := a.node.Search(ctx, q.SearchRequest)
		return foundMsg{q.Panel, q.N, hits, err}
	})
}

// around is how many messages are loaded before and behind one that is gone
// to.
const around = 60

// goTo shows a message in its conversation, with words marked, and loads what
// stands around it if it is not there.
func (a *App) goTo(m api.Message, words []string) tea.Cmd {
	c := a.chat(m.Conversation)
	known := c.view.Has(m.ID)
	if !known {
		c.asked = true // not the newest page: this one
	}
	cmds := []tea.Cmd{a.visit(m.Conversation, true)}
	c.view.SetFound(words)
	c.unread, c.jump = 0, false
	if known {
		a.focus = keymap.Messages
		c.view.Select(m.ID)
		return tea.Batch(append(cmds, a.settle())...)
	}
	c.loading = true
	c.round++
	round := c.round
	contact, seq, target := m.Conversation, m.Sequence, m.ID
	return tea.Batch(append(cmds, a.call(func(ctx context.Context) tea.Msg {
		msg := windowMsg{chat: contact, round: round, target: target}
		before, err := a.node.History(ctx, api.HistoryRequest{Contact: contact, Before: seq + 1, Limit: around})
		if err == nil {
			var behind []api.Message
			behind, err = a.node.History(ctx, api.HistoryRequest{Contact: contact, After: seq, Limit: around})
			msg.messages = append(before, behind...)
			msg.older, msg.newer = len(before) < around, len(behind) < around
		}
		msg.err = err
		return msg
	}))...)
}

// loadNewer asks for what is behind the last loaded message.
func (a *App) loadNewer(c *chat) tea.Cmd {
	c.loading = true
	round := c.round
	req := api.HistoryRequest{Contact: c.id, After: c.view.Newest(), Limit: pageSize}
	return a.call(func(ctx context.Context) tea.Msg {
		messages, err := a.node.History(ctx, req)
		return windowMsg{chat: req.Contact, round: round, messages: messages, newer: len(messages) < pageSize, err: err}
	})
}

func (a *App) gotWindow(msg windowMsg) tea.Cmd {
	c := a.chats[msg.chat]
	if c == nil || msg.round != c.round {
		return nil
	}
	c.loading = false
	if msg.err != nil {
		return a.fail(msg.err)
	}
	if msg.target != "" {
		c.view.Reset(msg.messages, msg.older, msg.newer)
	} else {
		c.view.AddNewer(msg.messages, msg.newer)
	}
	a.catchLate(c)
	a.arrange()
	if msg.target != "" && c.id == a.current {
		if !c.view.Has(msg.target) {
			return tea.Batch(a.say("That message is not here any more."), a.settle())
		}
		a.focus = keymap.Messages
		c.view.Select(msg.target)
	}
	return tea.Batch(a.look(c), a.settle())
}

// toEnd goes to the newest message, and loads it if it is not there.
func (a *App) toEnd(c *chat) tea.Cmd {
	if !c.view.Partial() {
		c.view.End()
		return nil
	}
	c.view.Reset(nil, false, true)
	c.round++
	c.asked, c.loading = true, false
	return a.loadPage(c)
}
