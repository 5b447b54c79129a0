package tui

import (
	"context"
	"time"

	tea "charm.land/bubbletea/v2"

	"starling/node/api"
)

// draftWait is how long after the last key a draft is saved.
const draftWait = 800 * time.Millisecond

type (
	draftsMsg struct {
		drafts []api.Draft
		all    bool // those that are not among them are gone
		err    error
	}
	// draftDue asks to save a draft if nothing was typed since.
	draftDue struct {
		chat  string
		edits int
	}
	// answeredMsg is the message that a draft answers.
	answeredMsg struct {
		chat    string
		message api.Message
		err     error
	}
)

func (a *App) loadDrafts() tea.Cmd {
	return a.call(func(ctx context.Context) tea.Msg {
		drafts, err := a.node.Drafts(ctx)
		return draftsMsg{drafts, true, err}
	})
}

// draft is the unsent text of a conversation as it is kept.
func (c *chat) draft() api.Draft {
	d := api.Draft{Contact: c.id, Text: c.text.Value()}
	if c.editing != nil {
		d.Text = c.kept
	}
	if c.reply != nil && d.Text != "" {
		d.ReplyTo = c.reply.ID
	}
	return d
}

// touched has the draft saved a moment after the last change.
func (a *App) touched(c *chat) tea.Cmd {
	c.edits++
	return a.opts.After(draftWait, draftDue{c.id, c.edits})
}

func (a *App) draftDue(due draftDue) tea.Cmd {
	c := a.chats[due.chat]
	if c == nil || c.edits != due.edits {
		return nil
	}
	return a.saveDraft(c)
}

func (a *App) saveDraft(c *chat) tea.Cmd {
	d := c.draft()
	if d == c.saved {
		return nil
	}
	c.saved = d
	return a.call(func(ctx context.Context) tea.Msg {
		if err := a.node.SaveDraft(ctx, d); err != nil {
			return resultMsg{err: err}
		}
		return nil
	})
}

// saveDrafts keeps what was not sent when the app ends.
func (a *App) saveDrafts(ctx context.Context) {
	for _, c := range a.chats {
		if d := c.draft(); d != c.saved {
			_ = a.node.SaveDraft(ctx, d) // nobody is left to tell
		}
	}
}

// gotDrafts takes the drafts of the node, those of another client among them,
// where nothing else was typed meanwhile.
func (a *App) gotDrafts(msg draftsMsg) tea.Cmd {
	if msg.err != nil {
		return nil // none is lost: what cannot be saved is told then
	}
	var cmds []tea.Cmd
	here := map[string]bool{}
	take := func(d api.Draft) {
		c := a.chat(d.Contact)
		if c.draft() != c.saved || c.editing != nil || d == c.saved {
			return
		}
		c.saved = d
		if d.Text != c.text.Value() {
			c.text.SetValue(d.Text)
			c.saved.Text = c.text.Value()
		}
		c.reply = nil
		if d.ReplyTo != "" {
			cmds = append(cmds, a.call(func(ctx context.Context) tea.Msg {
				m, err := a.node.Message(ctx, d.ReplyTo)
				return answeredMsg{d.Contact, m, err}
			}))
		}
	}
	for _, d := range msg.drafts {
		here[d.Contact] = true
		take(d)
	}
	if msg.all {
		for id, c := range a.chats {
			if !here[id] && c.saved.Text != "" {
				take(api.Draft{Contact: id})
			}
		}
	}
	return tea.Batch(cmds...)
}

// gotAnswered restores what a draft answers. A message that is gone is
// answered no more.
func (a *App) gotAnswered(msg answeredMsg) {
	c := a.chats[msg.chat]
	switch {
	case c == nil || c.saved.ReplyTo == "" || c.reply != nil || c.editing != nil:
	case msg.err != nil:
		c.saved.ReplyTo = ""
	case msg.message.ID == c.saved.ReplyTo && c.text.Value() != "":
		c.reply = &msg.message
	}
}
