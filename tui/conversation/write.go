package conversation

import (
	"context"
	"strings"

	tea "charm.land/bubbletea/v2"

	"starling/node/api"
	"starling/tui/attach"
	"starling/tui/desk"
	"starling/tui/keymap"
	"starling/tui/linear"
	"starling/tui/rooms"
	"starling/tui/words"
)

// MaxPaste is the longest text that is put in at once, in bytes. A message takes less; a
// longer text can be shortened.
const MaxPaste = 256 << 10

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
	if k.Text == ":" {
		c.turnEmoji()
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
	if len(text) > MaxPaste {
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
		if p := b.Contact(); p != nil && p.Room != nil {
			return b.desk.Note(rooms.Unwritable(b.desk, p), true)
		}
		return b.desk.Say("This contact is blocked. Unblock them to write.")
	}

	text := strings.TrimRight(c.Text.Value(), " \n")
	switch {
	case strings.TrimSpace(text) == "":
		return nil
	case c.editing != nil:
		return b.submitEdit(c, text)
	}

	_, _, said, ok := linear.Cut(text)
	if ok {
		return b.command(c, text)
	}
	return b.SendText(said)
}

// command obeys a line that begins with a slash. One that was wrong comes back.
func (b *Book) command(c *Chat, line string) tea.Cmd {
	c.Text.SetValue("")
	done := b.Command(line, func() {
		if c.Text.Empty() {
			c.Text.SetValue(line)
		}
	})
	return tea.Batch(done, b.touched(c))
}

// SendText hands a text to the node, as an answer if one was begun, and empties the field.
func (b *Book) SendText(text string) tea.Cmd {
	c := b.Open()
	if c == nil {
		return nil
	}
	sent := b.queue.add(outgoing{contact: c.ID, text: text, id: words.NewID(), reply: c.reply})
	c.reply = nil
	c.Text.SetValue("")
	c.edits++
	c.View.ClearUnread()
	b.desk.Quiet() // what was said of the text is over
	return tea.Batch(b.toEnd(c), sent, b.saveDraft(c))
}

// SendItem hands a picture or a file to the node, with the answer that was begun.
func SendItem(b *Book, contact string, it *attach.Item, caption string) tea.Cmd {
	out := outgoing{contact: contact, text: strings.TrimRight(caption, " \n"), id: words.NewID(), with: it}
	c := b.Chat(contact)
	if c.editing == nil {
		out.reply, c.reply = c.reply, nil
		c.edits++
	}
	sent := b.queue.add(out)
	c.View.ClearUnread()
	return tea.Batch(b.toEnd(c), sent)
}

// Replace puts one text of a conversation in the place of another, if that is still there.
func Replace(b *Book, contact, old, text string) tea.Cmd {
	c := b.chats[contact]
	if c == nil || c.Text.Value() != old {
		return nil
	}
	c.Text.SetValue(text)
	return b.touched(c)
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
