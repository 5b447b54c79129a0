package conversation

import (
	"strings"

	"starling/node/api"
	"starling/tui/keymap"
	"starling/tui/rooms"
	"starling/tui/term"
	"starling/tui/theme"
	"starling/tui/words"
)

const (
	// Pad is the prompt before the text and the space after it, in cells.
	Pad = 4
	// promptWidth is the part of it before the text.
	promptWidth = 3
	// textWidth is how wide a few words in an empty pane may be.
	textWidth = 54
)

// Rows is how many rows the text takes, with the line about the message that it
// answers.
func (b *Book) Rows(w, most int) int {
	c := b.Open()
	if c == nil {
		return 1
	}
	rows := c.Text.Height(b.desk.Theme.Cells, w-Pad, most)
	if c.bannered() {
		rows++
	}
	return rows
}

// bannered reports whether there is a line above the text.
func (c *Chat) bannered() bool { return c.reply != nil || c.editing != nil }

// ClickText puts the cursor of the text at a cell of its pane.
func (b *Book) ClickText(x, y, height int) {
	c := b.Open()
	if c == nil {
		return
	}
	if c.bannered() && height > 1 {
		y--
	}
	c.Text.Click(x-promptWidth, max(0, y))
}

// DrawMessages draws the messages of the open conversation, or a few words
// where there are none.
func (b *Book) DrawMessages(w, h int) []string {
	c, p := b.Open(), b.Contact()
	switch {
	case c.View.Empty() && p != nil:
		return b.hello(p, w, h)
	case c.View.Empty():
		return nil
	case p != nil:
		c.View.SetPeer(b.desk.Name(p))
	}
	return c.View.Render()
}

// hello is shown in a conversation without messages.
func (b *Book) hello(p *api.Contact, w, h int) []string {
	th := b.desk.Theme
	wrap := min(w-Pad, textWidth)
	switch {
	case p.ID == api.Self:
		return alone(b, w, h, wrap)
	case p.Room != nil:
		return empty(b, p, w, h, wrap)
	}
	text := b.desk.T("Only the two of you can read what is written here.")
	switch {
	case p.State == api.ContactPending:
		text = b.desk.T("What you write is encrypted for whoever made the invite. They have not answered your hello yet; it is kept for them.")
	case !p.Verified:
		text = b.desk.T("What you write is encrypted for whoever holds the other end. To be sure that it is really them, compare your safety numbers: esc, then v.")
	}

	lines := []string{th.Title.Render(b.desk.T("Say hello to %s.", th.Cells.Truncate(b.desk.Name(p), wrap-14))), ""}
	for _, l := range th.Cells.Wrap(text, wrap) {
		lines = append(lines, th.Muted.Render(l))
	}
	return Middle(lines, w, h, wrap)
}

// alone is shown in a note to self that is empty.
func alone(b *Book, w, h, wrap int) []string {
	th := b.desk.Theme
	lines := []string{th.Title.Render(b.desk.T("Note to self")), ""}
	for _, l := range th.Cells.Wrap(b.desk.T("What you write here stays on this computer, encrypted as everything else is. Nothing of it is ever sent. Messages of others can be forwarded to it."), wrap) {
		lines = append(lines, th.Muted.Render(l))
	}
	return Middle(lines, w, h, wrap)
}

// empty is shown in a room in which nothing was said.
func empty(b *Book, p *api.Contact, w, h, wrap int) []string {
	th := b.desk.Theme
	text := rooms.Unwritable(b.desk, p)
	switch {
	case rooms.Leads(p) && text == "":
		text = b.desk.T("All members read what is written here, and nobody else. alt+g, then i, invites people.")
	case text == "":
		text = b.desk.T("All members read what is written here, and nobody else.")
	}
	lines := []string{th.Title.Render(th.Cells.Truncate(b.desk.Name(p), wrap)), ""}
	for _, l := range th.Cells.Wrap(text, wrap) {
		lines = append(lines, th.Muted.Render(l))
	}
	return Middle(lines, w, h, wrap)
}

// Middle puts lines of a width in the middle of a pane.
func Middle(lines []string, w, h, width int) []string {
	out := make([]string, max(0, (h-len(lines))*2/5), h)
	for i := range out {
		out[i] = term.Spaces(w)
	}
	left := max(1, (w-width)/2)
	for _, l := range lines {
		out = append(out, term.Spaces(left)+l)
	}
	return out[:min(len(out), h)]
}

// DrawAbove draws the line between the messages and the text. It tells if the
// contact is writing.
func (b *Book) DrawAbove(role theme.Role, w int) string {
	p := b.Contact()
	if p == nil || !b.IsWriting(p.ID) {
		return role.Render(strings.Repeat("─", w))
	}
	th := b.desk.Theme
	text := th.Cells.Truncate(" "+b.desk.T("%s is writing…", b.desk.Name(p))+" ", w-4)
	return role.Render("──") + th.Muted.Render(text) + role.Render(strings.Repeat("─", max(0, w-2-th.Cells.Width(text))))
}

// DrawText draws the text in a pane, and returns the cell of its cursor; ok is
// false if it has none.
func (b *Book) DrawText(w, h int) (lines []string, x, y int, ok bool) {
	th, c, p := b.desk.Theme, b.Open(), b.Contact()
	focused := b.screen.Focus() == keymap.Composer
	prompt := th.Muted.Render(theme.GlyphPrompt)
	if focused {
		prompt = th.Accent.Render(theme.GlyphPrompt)
	}
	if c == nil || p == nil {
		return []string{th.Cells.Fit(" "+prompt, w)}, 0, 0, false
	}

	c.Text.Placeholder = b.placeholder(p, focused)
	banner, rows := b.banner(c, w), h
	if banner != "" {
		rows = max(1, rows-1)
	}
	lines, x, y = c.Text.Render(th, w-Pad, rows)
	for i, l := range lines {
		mark := " "
		if i == 0 {
			mark = prompt
		}
		lines[i] = " " + mark + " " + l + " "
	}

	// The banner gives way where there is one row.
	if banner != "" && h > 1 {
		lines = append([]string{banner}, lines...)
		y++
	}
	return lines, promptWidth + x, y, focused && b.Writable()
}

// placeholder is shown where the text is empty.
func (b *Book) placeholder(p *api.Contact, focused bool) string {
	switch name := b.desk.Name(p); {
	case p.Blocked:
		return b.desk.T("%s is blocked. Leave with esc, then b unblocks.", name)
	case rooms.Unwritable(b.desk, p) != "":
		return rooms.Unwritable(b.desk, p)
	case !focused:
		return b.desk.T("i to write")
	case p.ID == api.Self:
		return b.desk.T("Write a note")
	default:
		return b.desk.T("Write to %s", name)
	}
}

// banner is the line above the text about the message that it answers or edits,
// "" if it does neither.
func (b *Book) banner(c *Chat, w int) string {
	th := b.desk.Theme
	var head, text string
	switch {
	case c.editing != nil:
		head, text = theme.GlyphDraft+" "+b.desk.T("editing"), b.desk.OneLine(c.editing.Text.String())
	case c.reply != nil:
		who := b.desk.T("you")
		if p := b.people.Get(c.ID); p != nil && !c.reply.Outgoing {
			who = b.desk.Name(p)
			if p.Room != nil {
				who = b.Rooms.Roster(p.ID).Name(c.reply.Member, c.reply.From)
			}
		}
		head, text = theme.GlyphReply+" "+who, b.desk.OneLine(c.reply.Text.String())
		if c.reply.Text.IsZero() && c.reply.Picture != nil {
			text = b.desk.T("a picture")
		}
		if c.reply.Text.IsZero() && c.reply.File != nil {
			text = b.desk.OneLine(words.File(c.reply.File))
		}
	default:
		return ""
	}

	right := th.Accent.Render("esc") + " " + th.Muted.Render(b.desk.T("cancels"))
	return th.Cells.Ends(" "+th.Accent.Render(head)+"  "+th.Muted.Render(text), right+" ", w)
}
