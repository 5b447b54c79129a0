package people

import (
	"fmt"

	"starling/node/api"
	"starling/tui/desk"
	"starling/tui/keymap"
	"starling/tui/term"
	"starling/tui/theme"
	"starling/tui/words"
)

// A View is how the list is drawn.
type View struct {
	// Rows is how many rows a conversation takes.
	Rows int
	// Current is the open conversation, Focused whether the list has the focus.
	Current string
	Focused bool
	// Draft returns the unsent text of a conversation.
	Draft func(id string) string
	// Author returns the name of the author of a message in a room.
	Author func(m *api.Message) string
	// Writing reports whether a contact is writing now.
	Writing func(id string) bool
}

// Mark is the state of a contact as a glyph, "" if there is nothing to say, and
// how it is drawn.
func Mark(th *theme.Theme, c *api.Contact) (glyph string, role theme.Role) {
	switch {
	case c.ID == api.Self:
		return theme.GlyphSelf, th.Muted
	case c.Room != nil && c.Room.State != api.RoomReady:
		return theme.GlyphRoom, th.Warn
	case c.Room != nil:
		return theme.GlyphRoom, th.Accent
	case c.Blocked:
		return theme.GlyphBlocked, th.Bad
	case c.State == api.ContactPending:
		return theme.GlyphPending, th.Warn
	case c.Verified:
		return theme.GlyphVerified, th.Good
	}
	return "", th.Muted
}

// room is how many conversations there is room for.
func (v View) room(height int) int { return max(1, height/v.Rows) }

// At returns the conversation in a row of the list, "" if there is none.
func (l *List) At(row, height int, v View) string {
	from, to := l.rows.Window(len(l.Listed()), v.room(height))
	if i := from + row/v.Rows; i < to {
		return l.all[i].ID
	}
	return ""
}

// CursorRow returns the row in which the selected conversation begins, -1 if it
// is not in view.
func (l *List) CursorRow(height int, v View) int {
	from, to := l.rows.Window(len(l.Listed()), v.room(height))
	if i := l.rows.Selected; i >= from && i < to {
		return (i - from) * v.Rows
	}
	return -1
}

// Draw draws the list.
func (l *List) Draw(d *desk.Desk, v View, w, h int) []string {
	out := make([]string, 0, h)
	switch {
	case len(l.all) > 0:
		out = l.draw(d, v, w, h, out)
	case l.Loaded:
		out = append(out, term.Spaces(w), d.Theme.Cells.Fit(" "+d.Theme.Muted.Render(d.T("Nobody here yet.")), w))
	}
	for len(out) < h {
		out = append(out, term.Spaces(w))
	}
	return out[:h]
}

func (l *List) draw(d *desk.Desk, v View, w, h int, out []string) []string {
	th := d.Theme

	// The selected one is in view: that under the cursor, else the open one.
	shown, n := v.Current, len(l.Listed())
	if v.Focused {
		shown = l.Cursor
	}
	l.rows.Select(max(0, l.Index(shown)), n)
	from, to := l.rows.Window(n, v.room(h))
	for i := from; i < to; i++ {
		out = append(out, l.row(d, v, &l.all[i], w)...)
	}

	// Below the last one stands how many are left out.
	if hidden := len(l.all) - n; hidden > 0 && to == n && len(out) < h {
		key := d.Keys.Key(keymap.List, keymap.Archived)
		out = append(out, th.Cells.Fit("  "+th.Muted.Render(d.N(hidden, "%d archived", "%d archived")+"  ")+th.Accent.Render(key)+th.Muted.Render(" "+d.T("shows")), w))
	}
	return out
}

// row draws one conversation: the name and the time, then the last message.
func (l *List) row(d *desk.Desk, v View, c *api.Contact, w int) []string {
	th, room := d.Theme, w-2
	selected := c.ID == l.Cursor && v.Focused

	bar := " "
	switch {
	case selected, c.ID == v.Current && !v.Focused:
		bar = th.Accent.Render(theme.GlyphBar)
	case c.ID == v.Current:
		bar = th.Border.Render(theme.GlyphBar)
	}
	when, badge := "", ""
	if c.Last != nil {
		when = d.Ago(c.Last.Time)
	}
	if c.Unread > 0 {
		badge = th.Badge.Render(fmt.Sprintf(" %d ", min(c.Unread, 999)))
	}
	if c.Room != nil && c.Room.Mentions > 0 {
		badge = th.Us.Render(fmt.Sprintf(" %s%d ", theme.GlyphMention, min(c.Room.Mentions, 999))) + " " + badge
	}

	// The name gives way to its marks and to the time.
	glyph, role := Mark(th, c)
	if glyph != "" {
		glyph = " " + glyph
	}
	kept := keptGlyphs(d, c)
	name := th.Cells.Truncate(d.Name(c), room-th.Cells.Width(when)-th.Cells.Width(glyph+kept)-2)
	var first string
	switch {
	case selected: // in one style
		first = th.Selected.Render(" " + th.Cells.Fit(th.Cells.Ends(name+glyph+kept, when, room-1), room))
	case c.Unread > 0 || c.ID == v.Current:
		first = th.Cells.Ends(" "+th.Title.Render(name)+role.Render(glyph)+th.Muted.Render(kept), th.Muted.Render(when), room) + " "
	default:
		first = th.Cells.Ends(" "+th.Text.Render(name)+role.Render(glyph)+th.Muted.Render(kept), th.Muted.Render(when), room) + " "
	}
	second := th.Cells.Ends(" "+th.Muted.Render(th.Cells.Truncate(preview(d, v, c), room-1)), badge, room) + " "

	lines := []string{bar + first, bar + second}
	for len(lines) < v.Rows {
		lines = append(lines, term.Spaces(w))
	}
	return lines
}

// keptGlyphs is how a conversation is kept, in one cell each.
func keptGlyphs(d *desk.Desk, c *api.Contact) string {
	s := ""
	if c.Pinned {
		s += " " + theme.GlyphPinned
	}
	if d.Muted(c) {
		s += " " + theme.GlyphMuted
	}
	if c.Timer > 0 {
		s += " " + theme.GlyphTimer
	}
	return s
}

// preview is one line: the draft, the last message, or the reason why there is
// none.
func preview(d *desk.Desk, v View, c *api.Contact) string {
	if c.ID != v.Current {
		if text := v.Draft(c.ID); text != "" {
			return theme.GlyphDraft + " " + d.T("draft: %s", d.OneLine(words.Told(d.Theme, text)))
		}
	}

	switch {
	case c.Blocked:
		return d.T("blocked")
	case c.Room != nil && c.Room.Waiting > 0:
		return theme.GlyphPending + " " + d.N(c.Room.Waiting, "%d waits to be let in", "%d wait to be let in")
	case c.Room != nil && c.Room.State != api.RoomReady && (c.Last == nil || c.Last.State == api.StateNotice):
		return words.RoomState(d.Theme, c.Room.State)
	case v.Writing(c.ID):
		return d.T("writing…")
	case c.Last == nil && c.State == api.ContactPending:
		return d.T("waiting for an answer")
	case c.Last == nil && c.ID == api.Self:
		return d.T("never leaves this computer")
	case c.Last == nil:
		return d.T("no messages yet")
	}
	return last(d, v, c.Last)
}

// last is a message in one line.
func last(d *desk.Desk, v View, m *api.Message) string {
	text := d.OneLine(words.Told(d.Theme, m.Text.String()))
	switch {
	case m.Deleted:
		text = d.T("taken back")
	case m.Picture != nil && m.Text.IsZero():
		text = d.T("a picture")
	case m.File != nil && m.Text.IsZero():
		text = d.T("file: %s", d.OneLine(words.File(m.File)))
	case m.Change != nil:
		text = d.OneLine(words.Change(d.Theme, m.Change))
	case m.State == api.StateNotice:
		text = d.OneLine(d.T(m.Text.String()))
	}

	switch {
	case m.Change != nil:
		return text
	case m.State == api.StateNotice:
		return theme.GlyphNotice + " " + text
	case m.Outgoing && m.State == api.StateFailed:
		return theme.GlyphFailed + " " + text
	case m.Outgoing && m.State != api.StateStored:
		return d.T("you: %s", text)
	case m.Room != "" && !m.Outgoing && v.Author != nil:
		return v.Author(m) + ": " + text
	}
	return text
}
