package conversation

import (
	"context"
	"time"

	tea "charm.land/bubbletea/v2"

	"starling/node/api"
	"starling/tui/desk"
)

// draftWait is how long after the last key a draft is saved.
const draftWait = 800 * time.Millisecond

// draft is the unsent text of a conversation as it is kept.
func (c *Chat) draft() api.Draft {
	d := api.Draft{Contact: c.ID, Text: c.Text.Value()}
	if c.editing != nil {
		d.Text = c.kept
	}
	if c.reply != nil && d.Text != "" {
		d.ReplyTo = c.reply.ID
	}
	return d
}

// Draft returns the unsent text of a conversation.
func (b *Book) Draft(id string) string {
	if c := b.chats[id]; c != nil {
		return c.draft().Text
	}
	return ""
}

// LoadDrafts asks for every draft of the node, those of another client among
// them.
func (b *Book) LoadDrafts() tea.Cmd {
	b.asked++
	asked := b.asked
	return desk.Ask(b.desk, b.desk.Node.Drafts, func(drafts []api.Draft, err error) tea.Cmd {
		if err != nil {
			return nil // none is lost: one that cannot be saved is told of then
		}
		return b.takeDrafts(drafts, asked)
	})
}

// takeDrafts takes the drafts of the node, the answer to a question. One that is not among
// them is gone.
func (b *Book) takeDrafts(drafts []api.Draft, asked int) tea.Cmd {
	var cmds []tea.Cmd
	here := map[string]bool{}
	for _, d := range drafts {
		here[d.Contact] = true
		cmds = append(cmds, b.takeDraft(d, asked))
	}
	for id, c := range b.chats {
		if !here[id] && c.saved.Text != "" {
			cmds = append(cmds, b.takeDraft(api.Draft{Contact: id}, asked))
		}
	}
	return tea.Batch(cmds...)
}

// takeDraft takes a draft where nothing else was typed meanwhile. An answer of before the
// last save from here is older than that: the node is asked again.
func (b *Book) takeDraft(d api.Draft, asked int) tea.Cmd {
	c := b.Chat(d.Contact)
	if c.draft() != c.saved || c.editing != nil || d == c.saved {
		return nil
	}
	if c.saving > 0 || c.savedAt >= asked {
		c.stale = true
		return askAgain(b, c)
	}

	c.saved, c.typed = d, false
	if d.Text != c.Text.Value() {
		c.Text.SetValue(d.Text)
		c.saved.Text = c.Text.Value()
	}
	c.reply = nil
	if d.ReplyTo == "" {
		return nil
	}
	return desk.Ask(b.desk, func(ctx context.Context) (api.Message, error) {
		return b.desk.Node.Message(ctx, d.ReplyTo)
	}, func(m api.Message, err error) tea.Cmd {
		c.answered(m, err)
		return nil
	})
}

// askAgain asks for drafts once more after an answer older than the draft saved by now.
func askAgain(b *Book, c *Chat) tea.Cmd {
	if !c.stale || c.saving > 0 {
		return nil
	}
	c.stale = false
	return b.LoadDrafts()
}

// answered restores the message that a draft answers. One that is gone is
// answered no more.
func (c *Chat) answered(m api.Message, err error) {
	switch {
	case c.saved.ReplyTo == "" || c.reply != nil || c.editing != nil:
	case err != nil:
		c.saved.ReplyTo = ""
	case m.ID == c.saved.ReplyTo && c.Text.Value() != "":
		c.reply = &m
	}
}

// touched has the draft saved a moment after the last change.
func (b *Book) touched(c *Chat) tea.Cmd {
	c.edits++
	c.typed = true
	edits := c.edits
	return b.desk.Later(draftWait, func() tea.Cmd {
		if c.edits != edits || b.chats[c.ID] != c {
			return nil
		}
		return b.saveDraft(c)
	})
}

func (b *Book) saveDraft(c *Chat) tea.Cmd {
	d := c.draft()
	if d == c.saved || len(d.Text) > c.Text.Limit {
		return nil // one that is too long the node does not take
	}
	c.saved = d
	c.saving++
	return desk.Ask(b.desk, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, b.desk.Node.SaveDraft(ctx, d)
	}, func(_ struct{}, err error) tea.Cmd {
		c.saving--
		c.savedAt = b.asked
		if err != nil {
			return tea.Batch(b.desk.Fail(err), askAgain(b, c))
		}
		return askAgain(b, c)
	})
}

// SaveDrafts saves every draft.
func (b *Book) SaveDrafts() tea.Cmd {
	var cmds []tea.Cmd
	for _, c := range b.chats {
		cmds = append(cmds, b.saveDraft(c))
	}
	return tea.Batch(cmds...)
}

// KeepDrafts saves every draft when the app ends.
func (b *Book) KeepDrafts(ctx context.Context) {
	for _, c := range b.chats {
		if d := c.draft(); d != c.saved {
			_ = b.desk.Node.SaveDraft(ctx, d) // nobody is left to tell
		}
	}
}
