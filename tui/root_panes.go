package tui

import (
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"

	"starling/node/api"
	"starling/node/api/safetext"
	"starling/tui/chatview"
	"starling/tui/keymap"
	"starling/tui/preferences"
	"starling/tui/term"
	"starling/tui/theme"
	"starling/tui/words"
)

// standing is what holds of a contact, in a glyph and words.
func (a *App) standing(c api.Contact) string {
	th := a.th
	switch {
	case c.Blocked:
		return th.Bad.Render(theme.GlyphBlocked + " " + a.t("blocked"))
	case c.State == api.ContactPending:
		return th.Warn.Render(theme.GlyphPending + " " + a.t("pending"))
	case c.Verified:
		return th.Good.Render(theme.GlyphVerified + " " + a.t("verified"))
	}
	return th.Muted.Render(a.t("not verified"))
}

// mark is standing in one cell, for the list.
func (a *App) mark(c *api.Contact) string {
	switch {
	case c.Blocked:
		return a.th.Bad.Render(theme.GlyphBlocked)
	case c.State == api.ContactPending:
		return a.th.Warn.Render(theme.GlyphPending)
	case c.Verified:
		return a.th.Good.Render(theme.GlyphVerified)
	}
	return ""
}

// rowHeight is how many rows a conversation takes in the list.
func (a *App) rowHeight() int {
	if a.height >= 30 {
		return 3
	}
	return 2
}

// listAt returns the conversation in a row of the list.
func (a *App) listAt(row int) string {
	per := a.rowHeight()
	from, to := a.rows.Window(len(a.listed()), max(1, a.panes.list.h/per))
	if i := from + row/per; i < to {
		return a.people[i].ID
	}
	return ""
}

func (a *App) drawList(w, h int) []string {
	th := a.th
	out := make([]string, 0, h)
	if len(a.people) == 0 {
		if a.loaded {
			out = append(out, term.Spaces(w), th.Cells.Fit(" "+th.Muted.Render(a.t("Nobody here yet.")), w))
		}
	} else {
		per := a.rowHeight()
		shown := a.current
		if a.focus == keymap.List {
			shown = a.cursor
		}
		n := len(a.listed())
		a.rows.Select(max(0, a.indexOf(shown)), n)
		from, to := a.rows.Window(n, max(1, h/per))
		for i := from; i < to; i++ {
			out = append(out, a.drawContact(&a.people[i], w, per)...)
		}
		if hidden := len(a.people) - n; hidden > 0 && to == n && len(out) < h {
			out = append(out, th.Cells.Fit("  "+th.Muted.Render(a.n(hidden, "%d archived", "%d archived")+"  ")+th.Accent.Render(a.keys.Key(keymap.List, keymap.Archived))+th.Muted.Render(" "+a.t("shows")), w))
		}
	}
	for len(out) < h {
		out = append(out, term.Spaces(w))
	}
	return out[:h]
}

func (a *App) drawContact(c *api.Contact, w, rows int) []string {
	th := a.th
	bar := " "
	selected := c.ID == a.cursor && a.focus == keymap.List
	switch {
	case selected, c.ID == a.current && a.focus != keymap.List:
		bar = th.Accent.Render(theme.GlyphBar)
	case c.ID == a.current:
		bar = th.Border.Render(theme.GlyphBar)
	}
	when := ""
	if c.Last != nil {
		when = a.ago(c.Last.Time)
	}
	badge := ""
	if c.Unread > 0 {
		badge = th.Badge.Render(fmt.Sprintf(" %d ", min(c.Unread, 999)))
	}
	name := a.nameOf(c)
	preview := a.preview(c)
	room := w - 2
	mark := a.mark(c)
	if mark != "" {
		mark = " " + mark
	}
	kept := a.kept(c)
	mark += th.Muted.Render(kept)
	if selected {
		nameRoom := room - th.Cells.Width(when) - th.Cells.Width(mark) - 2
		first := th.Cells.Ends(th.Cells.Truncate(name, nameRoom)+ansiless(a, c)+kept, when, room-1)
		return a.pad([]string{
			bar + th.Selected.Render(" "+th.Cells.Fit(first, room)),
			bar + th.Cells.Ends(" "+th.Muted.Render(th.Cells.Truncate(preview, room-1)), badge, room) + " ",
		}, w, rows)
	}
	role := th.Text
	if c.Unread > 0 || c.ID == a.current {
		role = th.Title
	}
	nameRoom := room - th.Cells.Width(when) - th.Cells.Width(mark) - 2
	head := role.Render(th.Cells.Truncate(name, nameRoom)) + mark
	return a.pad([]string{
		bar + th.Cells.Ends(" "+head, th.Muted.Render(when), room) + " ",
		bar + th.Cells.Ends(" "+th.Muted.Render(th.Cells.Truncate(preview, room-1)), badge, room) + " ",
	}, w, rows)
}

// kept is how a conversation is kept, in one cell each.
func (a *App) kept(c *api.Contact) string {
	s := ""
	if c.Pinned {
		s += " " + theme.GlyphPinned
	}
	if a.muted(c) {
		s += " " + theme.GlyphMuted
	}
	if c.Timer > 0 {
		s += " " + theme.GlyphTimer
	}
	return s
}

// ansiless is the mark of a contact without colour, for a row drawn in one
// style.
func ansiless(a *App, c *api.Contact) string {
	switch {
	case c.Blocked:
		return " " + theme.GlyphBlocked
	case c.State == api.ContactPending:
		return " " + theme.GlyphPending
	case c.Verified:
		return " " + theme.GlyphVerified
	}
	return ""
}

func (a *App) pad(lines []string, w, rows int) []string {
	for len(lines) < rows {
		lines = append(lines, term.Spaces(w))
	}
	return lines
}

// preview is the last message in one line, or what is awaited.
func (a *App) preview(c *api.Contact) string {
	if chat := a.chats[c.ID]; chat != nil && c.ID != a.current {
		if d := chat.draft(); d.Text != "" {
			return theme.GlyphDraft + " " + a.t("draft: %s", a.oneLine(d.Text))
		}
	}
	switch {
	case c.Blocked:
		return a.t("blocked")
	case a.isWriting(c.ID):
		return a.t("writing…")
	case c.Last == nil && c.State == api.ContactPending:
		return a.t("waiting for an answer")
	case c.Last == nil:
		return a.t("no messages yet")
	}
	text := a.oneLine(c.Last.Text.String())
	switch {
	case c.Last.Deleted:
		text = a.t("taken back")
	case c.Last.Picture != nil && c.Last.Text.IsZero():
		text = a.t("a picture")
	case c.Last.State == api.StateNotice:
		text = a.oneLine(a.t(c.Last.Text.String()))
	}
	if c.Last.State == api.StateNotice {
		return theme.GlyphNotice + " " + text
	}
	if c.Last.Outgoing {
		if c.Last.State == api.StateFailed {
			return theme.GlyphFailed + " " + text
		}
		return a.t("you: %s", text)
	}
	return text
}

// previewBytes is how much of a message is looked at for its preview.
const previewBytes = 256

func (a *App) oneLine(s string) string {
	if len(s) > previewBytes {
		s = strings.ToValidUTF8(s[:previewBytes], "")
	}
	return a.mask(a.th.Cells.Steady(safetext.Line(strings.ReplaceAll(s, "```", " ")).String()))
}

func (a *App) drawChat(w, h int) []string {
	c := a.open()
	var out []string
	switch {
	case c == nil && a.loaded:
		out = a.welcome(w, h)
	case c != nil && c.view.Empty():
		out = a.hello(w, h)
	case c != nil:
		if p := a.contact(c.id); p != nil {
			c.view.SetPeer(a.nameOf(p))
		}
		return c.view.Render()
	}
	for i := range out {
		out[i] = a.th.Cells.Fit(out[i], w)
	}
	for len(out) < h {
		out = append(out, term.Spaces(w))
	}
	return out[:h]
}

// welcome is shown while there is nobody: it says how to begin.
func (a *App) welcome(w, h int) []string {
	th := a.th
	hello := a.t("Welcome.")
	if name := a.mask(words.Line(a.status.Name)); name != "" {
		hello = a.t("Welcome, %s.", name)
	}
	key := func(k keymap.ID, text string) string {
		return th.Accent.Render(th.Cells.Fit(a.keys.Key(keymap.Composer, k), 8)) + text
	}
	lines := []string{th.Title.Render(hello), ""}
	wrap := min(w-4, 54)
	if h > 8 {
		for _, l := range th.Cells.Wrap(a.t("There is no directory to search. Two people meet by an invite that one gives to the other."), wrap) {
			lines = append(lines, th.Muted.Render(l))
		}
		lines = append(lines, "")
	}
	lines = append(lines,
		key(keymap.Invite, a.t("invite somebody: a link or a QR code")),
		key(keymap.AddContact, a.t("use an invite you were given")))
	if a.opts.Join != nil {
		lines = append(lines, key(keymap.Join, a.t("join by the address of a relay")))
	}
	lines = append(lines, key(keymap.Network, a.t("see what the network is doing")))
	if a.known && !a.status.Ready && h > len(lines)+2 {
		lines = append(lines, "")
		for _, l := range th.Cells.Wrap(theme.GlyphWaiting+" "+a.t("waiting: %s", safetext.Line(a.t(a.status.Reason)).String()), wrap) {
			lines = append(lines, th.Warn.Render(l))
		}
	}
	return a.middle(lines, w, h, wrap)
}

// hello is shown in a conversation without messages.
func (a *App) hello(w, h int) []string {
	c := a.contact(a.current)
	if c == nil {
		return nil
	}
	th := a.th
	name := a.nameOf(c)
	wrap := min(w-4, 54)
	lines := []string{th.Title.Render(a.t("Say hello to %s.", th.Cells.Truncate(name, wrap-14))), ""}
	text := a.t("Only the two of you can read what is written here.")
	switch {
	case c.State == api.ContactPending:
		text = a.t("What you write is encrypted for whoever made the invite. They have not answered your hello yet; it is kept for them.")
	case !c.Verified:
		text = a.t("What you write is encrypted for whoever holds the other end. To be sure that it is really them, compare your safety numbers: esc, then v.")
	}
	for _, l := range th.Cells.Wrap(text, wrap) {
		lines = append(lines, th.Muted.Render(l))
	}
	return a.middle(lines, w, h, wrap)
}

// middle puts lines in the middle of a pane.
func (a *App) middle(lines []string, w, h, width int) []string {
	out := make([]string, max(0, (h-len(lines))*2/5), h)
	for i := range out {
		out[i] = term.Spaces(w)
	}
	left := max(1, (w-width)/2)
	for _, l := range lines {
		out = append(out, term.Spaces(left)+l)
	}
	if len(out) > h {
		out = out[:h]
	}
	return out
}

func (a *App) drawComposer(r rect) ([]string, *tea.Cursor) {
	th := a.th
	c := a.open()
	focused := a.focus == keymap.Composer
	prompt := th.Muted.Render(theme.GlyphPrompt)
	if focused {
		prompt = th.Accent.Render(theme.GlyphPrompt)
	}
	person := a.contact(a.current)
	if c == nil || person == nil {
		return []string{th.Cells.Fit(" "+prompt, r.w)}, nil
	}
	switch name := a.nameOf(person); {
	case person.Blocked:
		c.text.Placeholder = a.t("%s is blocked. Leave with esc, then b unblocks.", name)
	case !focused:
		c.text.Placeholder = a.t("i to write")
	default:
		c.text.Placeholder = a.t("Write to %s", name)
	}
	banner := a.banner(c, r.w)
	rows := r.h
	if banner != "" {
		rows = max(1, rows-1)
	}
	lines, x, y := c.text.Render(th, r.w-composerPad, rows)
	for i, l := range lines {
		p := " "
		if i == 0 {
			p = prompt
		}
		lines[i] = " " + p + " " + l + " "
	}
	if banner != "" && r.h > 1 {
		lines = append([]string{banner}, lines...)
		y++
	}
	if !focused || person.Blocked {
		return lines, nil
	}
	return lines, tea.NewCursor(r.x+3+x, r.y+y)
}

func (a *App) drawDetails(w, h int) []string {
	th := a.th
	var out []string
	room := w - 2
	add := func(s string) { out = append(out, " "+th.Cells.Fit(s, room)+" ") }
	wrap := func(role theme.Role, s string) {
		for _, l := range th.Cells.Wrap(safetext.Clean(s).String(), room) {
			add(role.Render(l))
		}
	}
	row := func(label, value string) { add(th.Cells.Ends(th.Muted.Render(label), value, room)) }
	add("")
	if c := a.contact(a.current); c != nil {
		wrap(th.Title, a.nameOf(c))
		add(a.standing(*c))
		add("")
		switch {
		case c.State == api.ContactPending:
			wrap(th.Muted, a.t("They have not answered yet. What you write is kept and sent."))
		case !c.Verified:
			wrap(th.Muted, a.t("Compare safety numbers to know that nobody sits between you."))
		default:
			wrap(th.Muted, a.t("You have compared safety numbers."))
		}
		add("")
		row(a.t("known since"), th.Time(c.Created, "2 Jan 2006"))
		switch {
		case c.MutedUntil.Equal(api.Forever):
			row(a.t("muted"), a.t("always"))
		case a.muted(c):
			row(a.t("muted"), a.t("until %s", th.Time(c.MutedUntil, "2 Jan 15:04")))
		}
		if c.Timer > 0 {
			row(a.t("disappears"), chatview.Span(th, c.Timer))
		}
		if c.TimerTheirs != c.TimerMine && c.TimerTheirs > 0 {
			wrap(th.Warn, a.t("%s offers messages that disappear after %s.", a.nameOf(c), chatview.Span(th, c.TimerTheirs)))
		}
		if c.Notify != "" {
			row(a.t("announces"), a.t(preferences.Level(c.Notify)))
		}
		if a.focus != keymap.Composer {
			add("")
			for _, x := range []struct {
				id   keymap.ID
				what string
			}{
				{keymap.Verify, a.t("verify")}, {keymap.Conversation, a.t("how it is kept")}, {keymap.Timer, a.t("timer")},
				{keymap.Rename, a.t("rename")}, {keymap.Block, a.t("block")}, {keymap.Remove, a.t("remove")},
			} {
				add(th.Accent.Render(th.Cells.Fit(a.keys.Key(a.focus, x.id), 3)) + th.Muted.Render(x.what))
			}
		}
		add("")
		add(th.Border.Render(strings.Repeat("─", room)))
		add("")
	}
	if a.known {
		s := &a.status
		add(th.Title.Render(a.t("What holds now")))
		add("")
		if s.Ready {
			add(th.Good.Render(theme.GlyphReady) + " " + a.t("messages can leave"))
		} else {
			wrap(th.Warn, theme.GlyphWaiting+" "+a.t("waiting: %s", a.t(s.Reason)))
		}
		add("")
		wrap(th.Muted, a.t(s.Anonymity.Statement))
		add("")
		row(a.t("hops"), fmt.Sprint(s.Hops))
		row(a.t("guards"), a.guards(s))
		row(a.t("relays"), fmt.Sprint(s.Relays))
		row(a.t("mailboxes"), fmt.Sprint(len(s.Mailboxes)))
	}
	for len(out) < h {
		out = append(out, term.Spaces(w))
	}
	return out[:h]
}

func (a *App) name(id keymap.ID) string {
	for _, x := range a.keys.All() {
		if x.ID == id {
			return a.t(x.Name)
		}
	}
	return string(id)
}

func (a *App) guards(s *api.Status) string { return words.Guards(a.th, s) }
