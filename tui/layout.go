package tui

import (
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"

	"starling/tui/conversation"
	"starling/tui/keymap"
	"starling/tui/term"
	"starling/tui/theme"
)

// The smallest screen, and the widths from which there are two and three
// panes.
const (
	minWidth   = 40
	minHeight  = 10
	twoPanes   = 60
	threePanes = 100
	// airy is the height from which there is a line above the status bar.
	airy = 16
	// tall is the height from which a conversation takes three rows in the list.
	tall = 30
)

type rect struct{ x, y, w, h int }

func (r rect) has(x, y int) bool {
	return x >= r.x && x < r.x+r.w && y >= r.y && y < r.y+r.h
}

// layout says where everything is. A pane that is not shown has no width.
type layout struct {
	panes    int
	list     rect
	banner   rect // of a room, above its messages
	chat     rect
	composer rect
	details  rect
	status   int // row
}

// arrange computes the layout for the size, the focus and the text.
func (a *App) arrange() {
	w, h := a.width, a.height
	// No pane at all: clipped panes would hide warnings.
	if w < minWidth || h < minHeight {
		a.panes = layout{}
		return
	}
	top, bottom := 2, h-1 // rows of the panes: below the header, above the status
	if h >= airy {
		bottom--
	}

	// The panes at the sides take a part of the width.
	l := layout{panes: 1, status: h - 1}
	switch {
	case w >= threePanes && a.details:
		l.panes = 3
		l.list.w = clamp(w/4, 24, 36)
		l.details.w = clamp(w/4, 26, 38)
	case w >= twoPanes:
		l.panes = 2
		l.list.w = clamp(w*3/10, 20, 36)
	}
	middle := rect{w: w, y: top, h: bottom - top}
	if l.panes > 1 {
		l.list.y, l.list.h = top, middle.h
		middle.x = l.list.w + 1
		middle.w -= l.list.w + 1
	} else if a.focus == keymap.List {

		// One pane shows the list or the conversation, by the focus.
		l.list = middle
		middle.w = 0
	}
	if l.panes == 3 {
		middle.w -= l.details.w + 1
		l.details.x, l.details.y, l.details.h = w-l.details.w, top, middle.h
	}

	// The text grows into the messages, up to a third of the height.
	if middle.w > 0 {
		rows := a.book.Rows(middle.w, clamp(middle.h/3, 1, 10))
		l.composer = rect{x: middle.x, y: bottom - rows, w: middle.w, h: rows}
		l.chat = rect{x: middle.x, y: top, w: middle.w, h: middle.h - rows - 1}
		if n := len(banner(a, l.chat.w, l.chat.h)); n > 0 {
			l.banner = rect{x: middle.x, y: top, w: middle.w, h: n}
			l.chat.y += n
			l.chat.h -= n
		}
		if c := a.book.Open(); c != nil {
			c.Resize(l.chat.w, l.chat.h)
		}
	}
	a.panes = l
}

// banner is the lines above the messages of a room, where there is room for some messages
// below them.
func banner(a *App, w, h int) []string {
	most := (h - 2) / 3
	if h < airy {
		most = min(most, 1)
	}
	return a.rooms.Banner(a.book.Contact(), a.desk.Keys.Key(a.focus, keymap.Room), w, most)
}

func clamp(n, low, high int) int { return max(low, min(n, high)) }

// draw makes the frame.
func (a *App) draw() tea.View {
	v := tea.View{AltScreen: true, WindowTitle: windowTitle(a), ReportFocus: true}
	if a.mouse {
		v.MouseMode = tea.MouseModeCellMotion
	}
	if a.width == 0 {
		return v
	}

	// Before anything else: nothing of the profile is drawn behind the lock.
	if a.lock.Closed() {
		content, cursor := a.lock.Draw(a.width, a.height)
		v.SetContent(content)
		v.Cursor = cursor
		return v
	}
	a.arrange()
	if a.panes.panes == 0 {
		v.SetContent(a.tooSmall())
		return v
	}

	rows, cursor := a.screen()
	if a.desk.Dialogs.Top() != nil {
		cursor = a.desk.Dialogs.Draw(a.desk.Theme, rows, a.width)
	}
	if cursor != nil {
		cursor.Shape = tea.CursorBar
		cursor.Blink = true
		v.Cursor = cursor
	}
	v.SetContent(strings.Join(rows, "\n"))
	return v
}

// windowTitle is the window title. How many are unread is in it only if the person wants that,
// and not while names and texts are hidden.
func windowTitle(a *App) string {
	n := 0
	if a.keeping.settings.UnreadTitle && !a.desk.Private() {
		n = a.people.Unread("")
	}
	if n == 0 {
		return title
	}
	return fmt.Sprintf("(%d) %s", min(n, 9999), title)
}

// screen draws everything but the dialogs.
func (a *App) screen() ([]string, *tea.Cursor) {
	l := a.panes
	var left, middle, right []string
	var cursor *tea.Cursor
	if l.list.w > 0 {
		left = a.people.Draw(a.desk, a.listView(), l.list.w, l.list.h)
	}
	if l.details.w > 0 {
		right = a.drawDetails(l.details.w, l.details.h)
	}

	// The completion covers the lowest rows of the chat, so that the text does not move.
	if l.chat.w > 0 {
		chat := a.drawChat(l.chat.w, l.chat.h)
		if a.focus == keymap.Composer {
			a.book.Completion().Draw(chat, l.chat.w)
		}
		chat = append(banner(a, l.chat.w, l.banner.h+l.chat.h), chat...)
		middle = append(chat, a.book.DrawAbove(a.line(keymap.Composer), l.chat.w))
		lines, x, y, ok := a.book.DrawText(l.composer.w, l.composer.h)
		middle = append(middle, lines...)
		if ok {
			cursor = tea.NewCursor(l.composer.x+x, l.composer.y+y)
		}
	}
	if cursor == nil {
		cursor = a.selectionCursor()
	}

	rows := append(make([]string, 0, a.height), a.header(), a.rule(1, "┬"))
	rows = append(rows, a.beside(left, middle, right)...)
	if a.height >= airy {
		rows = append(rows, a.rule(a.height-2, "┴"))
	}
	// A long notice takes some rows of what is above it for a while.
	rows = append(rows, a.drawStatus())
	for i, l := range longNotice(a) {
		rows[len(rows)-1-i] = l
	}
	return rows, cursor
}

// beside puts the panes beside each other. The line above the text joins the
// lines at its ends.
func (a *App) beside(left, middle, right []string) []string {
	th := a.desk.Theme
	bar := th.Border.Render("│")
	join := func(i int, ruled string) string {
		if middle != nil && i == a.panes.banner.h+a.panes.chat.h {
			return th.Border.Render(ruled)
		}
		return bar
	}

	out := make([]string, max(len(left), len(middle)))
	for i := range out {
		if left != nil {
			out[i] = left[i]
		}
		if left != nil && middle != nil {
			out[i] += join(i, "├")
		}
		if middle != nil {
			out[i] += middle[i]
		}
		if right != nil {
			out[i] += join(i, "┤") + right[i]
		}
	}
	return out
}

// selectionCursor is where the text cursor stands while nothing is written: on the
// selected row, for users of a screen reader.
func (a *App) selectionCursor() *tea.Cursor {
	l := a.panes
	c := a.book.Open()
	switch {
	case a.focus == keymap.Messages && c != nil && l.chat.w > 0:
		if y := c.View.SelectedRow(); y >= 0 {
			return tea.NewCursor(l.chat.x, l.chat.y+y)
		}
	case steps{a}.shown() && l.chat.w > 0:
		if y := a.dayone.Row(); y >= 0 {
			return tea.NewCursor(l.chat.x, l.chat.y+y)
		}
	case a.focus == keymap.List && l.list.w > 0:
		if y := a.people.CursorRow(l.list.h, a.listView()); y >= 0 {
			return tea.NewCursor(0, l.list.y+y)
		}
	}
	return nil
}

// line is how the border of a pane is drawn: quiet, unless the focus is there.
func (a *App) line(p keymap.Place) theme.Role {
	if a.focus == p && a.desk.Dialogs.Top() == nil {
		return a.desk.Theme.Focus
	}
	return a.desk.Theme.Border
}

// rule is a line across all panes; its pieces take the colour of the pane
// with the focus.
func (a *App) rule(row int, join string) string {
	l, th := a.panes, a.desk.Theme
	under := row > 1
	piece := func(w int, p keymap.Place) string {
		role := a.line(p)
		if under && p == keymap.Messages {
			role = a.line(keymap.Composer)
		}
		return role.Render(strings.Repeat("─", w))
	}

	var parts []string
	if l.list.w > 0 {
		parts = append(parts, piece(l.list.w, keymap.List))
	}
	if l.chat.w > 0 {
		parts = append(parts, piece(l.chat.w, keymap.Messages))
	}
	if l.details.w > 0 {
		parts = append(parts, th.Border.Render(strings.Repeat("─", l.details.w)))
	}
	return strings.Join(parts, th.Border.Render(join))
}

// tooSmall is shown on a screen where nothing fits.
func (a *App) tooSmall() string {
	lines := []string{
		a.desk.T("This window is too small."),
		a.desk.T("It is %d×%d;", a.width, a.height),
		a.desk.T("Starling needs %d×%d.", minWidth, minHeight),
	}

	out := make([]string, 0, a.height)
	for range max(0, (a.height-len(lines))/2) {
		out = append(out, term.Spaces(a.width))
	}
	for _, l := range lines {
		if len(out) < a.height {
			out = append(out, a.desk.Theme.Cells.Center(l, a.width))
		}
	}
	return strings.Join(out, "\n")
}

var _ conversation.Screen = screen{}
