package conversation

import (
	"context"
	"strings"

	tea "charm.land/bubbletea/v2"

	"starling/node/api"
	"starling/tui/desk"
	"starling/tui/keymap"
	"starling/tui/words"
)

// maxPaste is the longest text that is put in at once, in bytes. A message takes less;
// what is longer can be shortened.
const maxPaste = 256 << 10

// nearFull is how many bytes before the limit of a message the person is told.
const nearFull = 256

// Key gives a key to the text of the open conversation.
func (b *Book) Key(k tea.KeyPressMsg) tea.Cmd {
	c := b.Open()
	if c == nil || !b.Writable() {
		return nil
	}

	before := c.Text.Value()
	if !c.Text.Key(k) {
		// Past its first and last row the messages move; the text keeps the focus.
		switch k.Keystroke() {
		case "up":
			c.View.Scroll(-1)
		case "down":
			c.View.Scroll(1)
		}
	}
	if c.Text.Value() == before {
		return nil
	}

	cmds := []tea.Cmd{b.touched(c), b.tellTyping(c)}
	if n := len(c.Text.Value()); n > c.Text.Limit-nearFull {
		cmds = append(cmds, b.desk.Say("%d of %d bytes in one message", n, c.Text.Limit))
	}
	return tea.Batch(cmds...)
}

// Paste puts text into the open conversation. It never sends.
func (b *Book) Paste(text string) tea.Cmd {
	c := b.Open()
	if c == nil || !b.Writable() {
		return nil
	}

	c.Seen = true
	b.screen.FocusOn(keymap.Composer)
	if len(text) > maxPaste {
		return b.desk.Complain("This is too much to paste: %s. Save it in a file and send that by other means.", words.Bytes(int64(len(text))))
	}
	c.Text.Put(text)
	if n := len(c.Text.Value()); n > c.Text.Limit {
		return tea.Batch(b.touched(c), b.desk.Complain("The text has %d bytes now, a message takes %d. Nothing is cut: shorten it, or ctrl+x opens it in your editor.", n, c.Text.Limit))
	}
	if strings.Count(text, "\n") >= 3 {
		return tea.Batch(b.touched(c), b.TellPasted())
	}
	return b.touched(c)
}

// TellPasted says that lines were pasted, and that this sends nothing.
func (b *Book) TellPasted() tea.Cmd {
	c := b.Open()
	if c == nil {
		return nil
	}
	return b.desk.Say("Pasted %d lines. Nothing is sent before you press enter.", c.Text.Lines())
}

// Insert puts text into the open conversation, as if it was typed.
func (b *Book) Insert(text string) tea.Cmd {
	if !b.Writable() {
		return nil
	}
	c := b.Open()
	c.Text.Insert(text)
	return b.touched(c)
}

// Written reports whether something is written in the open conversation.
func (b *Book) Written() bool {
	c := b.Open()
	return c != nil && !c.Text.Empty()
}

// Newline begins a new line of the text.
func (b *Book) Newline() tea.Cmd {
	if b.Writable() {
		b.Open().Text.Insert("\n")
	}
	return nil
}

// Undo takes the last change of the text back.
func (b *Book) Undo() tea.Cmd {
	if b.Writable() && !b.Open().Text.Undo() {
		return b.desk.Say("Nothing to undo.")
	}
	return nil
}

// Leave gives up that the text answers or edits; if it does neither, the focus
// goes to the messages.
func (b *Book) Leave() tea.Cmd {
	c := b.Open()
	if c != nil && c.dismiss() {
		return b.touched(c)
	}
	b.screen.FocusOn(keymap.Messages)
	return nil
}

// answer begins an answer to a message of the open conversation.
func (b *Book) answer(m api.Message) {
	c := b.Open()
	c.unedit()
	c.reply = &m
	b.screen.FocusOn(keymap.Composer)
	c.edits++
}

// change takes the text of an own message to be edited; the text of before
// waits.
func (b *Book) change(m api.Message) {
	c := b.Open()
	if c.editing == nil {
		c.kept = c.Text.Value()
	}
	c.editing, c.reply = &m, nil
	c.Text.SetValue(m.Text.String())
	b.screen.FocusOn(keymap.Composer)
}

// unedit gives an edit up and brings the text of before back.
func (c *Chat) unedit() {
	if c.editing != nil {
		c.editing = nil
		c.Text.SetValue(c.kept)
		c.kept = ""
	}
}

// dismiss takes back that the text answers or edits, and reports whether it
// did.
func (c *Chat) dismiss() bool {
	switch {
	case c.editing != nil:
		c.unedit()
	case c.reply != nil:
		c.reply = nil
		c.edits++
	default:
		return false
	}
	return true
}

// submitEdit hands the changed text to the node. If it is refused the text
// comes back.
func (b *Book) submitEdit(c *Chat, text string) tea.Cmd {
	of := *c.editing
	c.unedit()
	if text == of.Text.String() {
		return nil
	}

	return desk.Ask(b.desk, func(ctx context.Context) (api.Message, error) {
		return b.desk.Node.Edit(ctx, api.EditRequest{Message: of.ID, Text: text})
	}, func(m api.Message, err error) tea.Cmd {
		if err == nil {
			c.View.Change(m)
			return nil
		}
		if c.editing == nil {
			c.kept, c.editing = c.Text.Value(), &of
			c.Text.SetValue(text)
		}
		return b.desk.Fail(err)
	})
}

// Send hands the text to the node and empties the field.
func (b *Book) Send() tea.Cmd {
	c := b.Open()
	if c == nil {
		return nil
	}
	if !b.Writable() {
		return b.desk.Say("This contact is blocked. Unblock them to write.")
	}

	text := strings.TrimRight(c.Text.Value(), " \n")
	switch {
	case strings.TrimSpace(text) == "":
		return nil
	case c.editing != nil:
		return b.submitEdit(c, text)
	}

	sent := b.queue.add(outgoing{contact: c.ID, text: text, id: words.NewID(), reply: c.reply})
	c.reply = nil
	c.Text.SetValue("")
	c.edits++
	c.View.ClearUnread()
	return tea.Batch(b.toEnd(c), sent, b.saveDraft(c))
}

// sent shows a message that the node has taken. The event may come later.
func (b *Book) sent(contact string, m api.Message) {
	if c := b.chats[contact]; c != nil && !c.View.Has(m.ID) {
		c.View.Add(m)
	}
	if p := b.people.Get(contact); p != nil && (p.Last == nil || p.Last.ID != m.ID) {
		p.Last = &m
		b.people.Raise(contact)
		b.people.Sort()
	}
}

// takeBack puts texts that could not be handed over back into the field.
func (b *Book) takeBack(out outgoing, texts []string) tea.Cmd {
	c := b.Chat(out.contact)
	c.unedit()
	if !c.Text.Empty() {
		texts = append(texts, c.Text.Value())
	}
	c.Text.SetValue(strings.Join(texts, "\n"))
	if c.reply == nil {
		c.reply = out.reply
	}
	return b.touched(c)
}
