package conversation

import (
	"context"

	tea "charm.land/bubbletea/v2"

	"starling/node/api"
	"starling/tui/chatview"
	"starling/tui/desk"
	"starling/tui/keymap"
	"starling/tui/words"
)

const (
	// pageSize is how many messages are loaded at once.
	pageSize = 100
	// maxPage is how many are loaded at once to reach the unread line.
	maxPage = 1000
	// around is how many messages are loaded before and behind one that is gone
	// to.
	around = 60
)

// history asks for a page of a conversation. A page of before the conversation
// showed another part is dropped.
func (b *Book) history(c *Chat, req api.HistoryRequest, then func([]api.Message, error) tea.Cmd) tea.Cmd {
	c.loading = true
	round := c.round
	return desk.Ask(b.desk, func(ctx context.Context) ([]api.Message, error) {
		return b.desk.Node.History(ctx, req)
	}, func(page []api.Message, err error) tea.Cmd {
		if b.chats[c.ID] != c || round != c.round {
			return nil
		}
		c.loading = false
		return then(page, err)
	})
}

// loadPage asks for the next older page, or the newest.
func (b *Book) loadPage(c *Chat) tea.Cmd {
	limit := pageSize
	if c.unread > limit {
		limit = min(c.unread+pageSize, maxPage)
	}
	if c.View.Len() > 0 {
		c.View.Loading()
	}

	req := api.HistoryRequest{Contact: c.ID, Before: c.View.Oldest(), Limit: limit}
	return b.history(c, req, func(page []api.Message, err error) tea.Cmd {
		if err != nil {
			return b.noPage(c, err)
		}
		c.View.AddOlder(page, len(page) < limit)
		return b.paged(c)
	})
}

// loadNewest asks for the newest page of a conversation that has fallen behind.
func (b *Book) loadNewest(c *Chat) tea.Cmd {
	req := api.HistoryRequest{Contact: c.ID, Limit: pageSize}
	return b.history(c, req, func(page []api.Message, err error) tea.Cmd {
		if err != nil {
			return b.noPage(c, err)
		}
		for _, m := range page {
			b.show(c, m)
		}
		return b.paged(c)
	})
}

// noPage shows a conversation as far as it is known.
func (b *Book) noPage(c *Chat, err error) tea.Cmd {
	c.View.AddOlder(nil, true)
	c.unread = 0
	return b.desk.Fail(err)
}

// paged shows a conversation with its new page.
func (b *Book) paged(c *Chat) tea.Cmd {
	b.catchLate(c)
	c.placeUnread()
	b.screen.Arrange()
	if _, ok := c.View.Selected(); !ok && c.ID == b.Current && b.screen.Focus() == keymap.Messages {
		c.View.SelectLast()
	}
	return tea.Batch(b.look(c), b.Settle())
}

// Ahead shows the messages of a room that came ahead, with the number of missing pieces before them.
func Ahead(b *Book, p *api.Contact) tea.Cmd {
	if p == nil || p.Room == nil || b.chats[p.ID] == nil {
		return nil
	}
	c, missing := b.chats[p.ID], p.Room.Missing
	c.ahead++
	if p.Room.Ahead == 0 {
		chatview.SetAhead(c.View, nil, missing)
		return nil
	}

	asked := c.ahead
	return desk.Ask(b.desk, func(ctx context.Context) ([]api.Message, error) {
		return b.desk.Node.History(ctx, api.HistoryRequest{Contact: c.ID, Ahead: true})
	}, func(page []api.Message, err error) tea.Cmd {
		if err != nil || b.chats[c.ID] != c || asked != c.ahead {
			return nil
		}
		chatview.SetAhead(c.View, page, missing)
		b.screen.Arrange()
		return b.Settle()
	})
}

// loadNewer asks for the messages behind the last loaded one.
func (b *Book) loadNewer(c *Chat) tea.Cmd {
	req := api.HistoryRequest{Contact: c.ID, After: c.View.Newest(), Limit: pageSize}
	return b.history(c, req, func(page []api.Message, err error) tea.Cmd {
		if err != nil {
			return b.desk.Fail(err)
		}
		c.View.AddNewer(page, len(page) < pageSize)
		b.catchLate(c)
		b.screen.Arrange()
		return tea.Batch(b.look(c), b.Settle())
	})
}

// toEnd goes to the newest message, and loads it if it is not there.
func (b *Book) toEnd(c *Chat) tea.Cmd {
	if !c.View.Partial() {
		c.View.End()
		return nil
	}
	c.View.Reset(nil, false, true)
	c.round++
	c.asked = true
	return b.loadPage(c)
}

// GoTo shows a message in its conversation, with words marked, and loads its
// neighbours if it is not there.
func (b *Book) GoTo(m api.Message, found []string) tea.Cmd {
	c := b.Chat(m.Conversation)
	known := c.View.Has(m.ID)
	if !known {
		c.asked = true // not the newest page: this one
	}
	visited := b.Visit(m.Conversation, true)
	c.View.SetFound(found)
	c.unread, c.jump = 0, false
	if !known {
		return tea.Batch(visited, b.loadAround(c, m))
	}

	b.screen.FocusOn(keymap.Messages)
	c.View.Select(m.ID)
	return tea.Batch(visited, b.Settle())
}

// A window is a part of a conversation.
type window struct {
	messages     []api.Message
	older, newer bool // nothing is before, behind
}

// loadAround asks for a message and its neighbours.
func (b *Book) loadAround(c *Chat, m api.Message) tea.Cmd {
	c.loading = true
	c.round++
	round, node := c.round, b.desk.Node
	return desk.Ask(b.desk, func(ctx context.Context) (w window, err error) {
		before, err := node.History(ctx, api.HistoryRequest{Contact: c.ID, Before: m.Sequence + 1, Limit: around})
		if err != nil {
			return w, err
		}
		behind, err := node.History(ctx, api.HistoryRequest{Contact: c.ID, After: m.Sequence, Limit: around})
		return window{append(before, behind...), len(before) < around, len(behind) < around}, err
	}, func(w window, err error) tea.Cmd {
		if b.chats[c.ID] != c || round != c.round {
			return nil
		}
		c.loading = false
		if err != nil {
			return b.desk.Fail(err)
		}
		return b.showAround(c, m, w)
	})
}

// showAround shows a part of a conversation and selects the message in it.
func (b *Book) showAround(c *Chat, m api.Message, w window) tea.Cmd {
	c.View.Reset(w.messages, w.older, w.newer)
	b.catchLate(c)
	b.screen.Arrange()
	if c.ID != b.Current {
		return tea.Batch(b.look(c), b.Settle())
	}

	if !c.View.Has(m.ID) {
		return tea.Batch(b.desk.Say("That message is not here any more."), b.Settle())
	}
	b.screen.FocusOn(keymap.Messages)
	c.View.Select(m.ID)
	return tea.Batch(b.look(c), b.Settle())
}

// CatchUp loads messages that came before the node's events were listened to,
// or while it did not answer.
func (b *Book) CatchUp() tea.Cmd {
	var cmds []tea.Cmd
	behind := b.Behind
	b.Behind = false
	for _, p := range b.people.All() {
		c := b.chats[p.ID]
		if c == nil || !c.asked || c.loading {
			continue
		}
		switch missed := p.Last != nil && !c.View.Has(p.Last.ID); {
		case !behind && !missed:
		case c.ID == b.Current:
			cmds = append(cmds, b.loadNewest(c))
		default:
			// It is loaded again when it is opened.
			c.View, c.asked = b.view(c.ID), false
		}
	}

	return tea.Batch(append(cmds, Ahead(b, b.Contact()), b.Settle())...)
}

// placeUnread draws the unread line, or leaves it for the page that it is on.
func (c *Chat) placeUnread() {
	if c.unread > 0 && c.View.MarkUnread(c.unread) {
		c.unread, c.jump = 0, true
	}
}

// Resize gives the messages their size. A conversation that was just opened
// goes to its unread line.
func (c *Chat) Resize(w, h int) {
	c.View.Resize(w, h)
	if c.jump {
		c.jump = false
		c.View.JumpUnread()
	}
}

// catchLate applies the changes that came while a page was under way.
func (b *Book) catchLate(c *Chat) {
	for _, m := range c.told {
		c.View.Add(m)
	}
	for id, ev := range c.late {
		switch {
		case ev.Kind == api.EventState:
			c.View.SetState(id, ev.State, ev.Reason)
		case ev.Kind == api.EventChanged && ev.Message != nil:
			c.View.Change(*ev.Message)
		case ev.Kind == api.EventMessage || ev.Kind == api.EventNotice:
			b.show(c, words.Message(&ev))
		}
		delete(c.late, id)
	}
}

// look has the pictures of a conversation decoded.
func (b *Book) look(c *Chat) tea.Cmd {
	return b.gallery.Look(c.View.Pictured(), func(id string) { c.View.Touch(id) })
}

// Look has the pictures of the open conversation decoded.
func (b *Book) Look() tea.Cmd {
	if c := b.Open(); c != nil {
		return b.look(c)
	}
	return nil
}

func (b *Book) markRead(contact string) tea.Cmd {
	return b.desk.Do(func(ctx context.Context) error {
		return b.desk.Node.MarkRead(ctx, contact)
	}, func() tea.Cmd { return nil })
}
