package tui

import (
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"

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
)

type rect struct{ x, y, w, h int }

func (r rect) has(x, y int) bool {
	return x >= r.x && x < r.x+r.w && y >= r.y && y < r.y+r.h
}

// layout says where everything is. A pane that is not shown has no width.
type layout struct {
	panes    int
	list     rect
	chat     rect
	composer rect
	details  rect
	status   int // row
}

// arrange computes the layout for the size, the focus and the text.
func (a *App) arrange() {
	w, h := a.width, a.height
	if w < minWidth || h < minHeight {
		a.panes = layout{}
		return
	}
	l := layout{panes: 1, status: h - 1}
	top, bottom := 2, h-1 // rows of the panes: below the header, above the status
	if h >= airy {
		bottom--
	}
	switch {
	case w >= threePanes && a.details:
		l.panes = 3
		l.list.w = clamp(w/4, 24, 36)
		l.details.w = clamp(w/4, 26, 38)
	case w >= twoPanes:
		l.panes = 2
		l.list.w = clamp(w*3/10, 20, 36)
	}
	middle := rect{x: 0, w: w, y: top, h: bottom - top}
	if l.panes > 1 {
		l.list.y, l.list.h = top, bottom-top
		middle.x = l.list.w + 1
		middle.w -= l.list.w + 1
	} else if a.focus == keymap.List {
		l.list = middle
		middle.w = 0
	}
	if l.panes == 3 {
		middle.w -= l.details.w + 1
		l.details.x, l.details.y, l.details.h = w-l.details.w, top, bottom-top
	}
	if middle.w > 0 {
		rows := 1
		if c := a.open(); c != nil {
			rows = c.text.Height(a.th.Cells, middle.w-composerPad, clamp((bottom-top)/3, 1, 10))
			if c.reply != nil || c.editing != nil {
				rows++
			}
		}
		l.composer = rect{x: middle.x, y: bottom - rows, w: middle.w, h: rows}
		l.chat = rect{x: middle.x, y: top, w: middle.w, h: bottom - top - rows - 1}
		if c := a.open(); c != nil {
			c.view.Resize(l.chat.w, l.chat.h)
			if c.jump {
				c.jump = false
				c.view.JumpUnread()
			}
		}
	}
	a.panes = l
}

// composerPad is the prompt before the text and the space after it.
const composerPad = 4

func clamp(n, low, high int) int { return max(low, min(n, high)) }

// draw makes the frame.
func (a *App) draw() tea.View {
	var v tea.View
	v.AltScreen = true
	v.WindowTitle = title
	v.ReportFocus = true
	if a.mouse {
		v.MouseMode = tea.MouseModeCellMotion
	}
	if a.width == 0 {
		return v
	}
	if a.lock.form != nil {
		content, cursor := a.drawLock(a.th)
		v.SetContent(content)
		v.Cursor = cursor
		return v
	}
	a.arrange()
	if a.panes.panes == 0 {
		v.SetContent(a.tooSmall())
		return v
	}
	screen, cursor := a.screen()
	if a.dialogs.Top() != nil {
		cursor = a.dialogs.Draw(a.th, screen, a.width)
	}
	if cursor != nil {
		cursor.Shape = tea.CursorBar
		cursor.Blink = true
		v.Cursor = cursor
	}
	v.SetContent(strings.Join(screen, "\n"))
	return v
}

// screen draws everything but the dialogs.
func (a *App) screen() ([]string, *tea.Cursor) {
	l, th := a.panes, a.th
	rows := make([]string, 0, a.height)
	rows = append(rows, a.header(), a.rule(1, "┬"))

	var left, right []string
	if l.list.w > 0 {
		left = a.drawList(l.list.w, l.list.h)
	}
	if l.details.w > 0 {
		right = a.drawDetails(l.details.w, l.details.h)
	}
	var middle []string
	var cursor *tea.Cursor
	if l.chat.w > 0 {
		middle = a.drawChat(l.chat.w, l.chat.h)
		middle = append(middle, "") // the line above the composer is drawn below
		var lines []string
		lines, cursor = a.drawComposer(l.composer)
		middle = append(middle, lines...)
	}
	bar := th.Border.Render("│")
	n := max(len(left), len(middle))
	var b strings.Builder
	for i := range n {
		b.Reset()
		ruled := i == l.chat.h && l.chat.w > 0
		if left != nil {
			b.WriteString(left[i])
		}
		if middle != nil {
			if left != nil {
				b.WriteString(pick(ruled, th.Border.Render("├"), bar))
			}
			if ruled {
				b.WriteString(a.aboveComposer(l.chat.w))
			} else {
				b.WriteString(middle[i])
			}
		}
		if right != nil {
			b.WriteString(pick(ruled, th.Border.Render("┤"), bar))
			b.WriteString(right[i])
		}
		rows = append(rows, b.String())
	}
	if a.height >= airy {
		rows = append(rows, a.rule(a.height-2, "┴"))
	}
	rows = append(rows, a.drawStatus())
	if cursor == nil {
		cursor = a.selectionCursor()
	}
	return rows, cursor
}

// selectionCursor is where the text cursor stands while nothing is written: on
// the selected row, for those who hear the screen.
func (a *App) selectionCursor() *tea.Cursor {
	l := a.panes
	switch a.focus {
	case keymap.Messages:
		if c := a.open(); c != nil && l.chat.w > 0 {
			if y := c.view.SelectedRow(); y >= 0 {
				return tea.NewCursor(l.chat.x, l.chat.y+y)
			}
		}
	case keymap.List:
		n := len(a.listed())
		per := a.rowHeight()
		from, to := a.rows.Window(n, max(1, l.list.h/per))
		if i := a.rows.Selected; l.list.w > 0 && i >= from && i < to {
			return tea.NewCursor(0, l.list.y+(i-from)*per)
		}
	}
	return nil
}

// aboveComposer is the line between the messages and the text. It tells if the
// contact is writing.
func (a *App) aboveComposer(w int) string {
	role := a.line(keymap.Composer)
	c := a.contact(a.current)
	if c == nil || !a.isWriting(c.ID) {
		return role.Render(strings.Repeat("─", w))
	}
	text := a.th.Cells.Truncate(" "+a.t("%s is writing…", a.nameOf(c))+" ", w-4)
	return role.Render("──") + a.th.Muted.Render(text) + role.Render(strings.Repeat("─", max(0, w-2-a.th.Cells.Width(text))))
}

// line is how the border of a pane is drawn: quiet, unless the focus is there.
func (a *App) line(p keymap.Place) theme.Role {
	if a.focus == p && a.dialogs.Top() == nil {
		return a.th.Focus
	}
	return a.th.Border
}

// rule is a line across all panes; its pieces take the colour of the pane
// with the focus.
func (a *App) rule(row int, join string) string {
	l := a.panes
	under := row > 1
	piece := func(w int, p keymap.Place) string {
		role := a.line(p)
		if under && p == keymap.Messages {
			role = a.line(keymap.Composer)
		}
		return role.Render(strings.Repeat("─", w))
	}
	joint := a.th.Border.Render(join)
	var parts []string
	if l.list.w > 0 {
		parts = append(parts, piece(l.list.w, keymap.List))
	}
	if l.chat.w > 0 {
		parts = append(parts, piece(l.chat.w, keymap.Messages))
	}
	if l.details.w > 0 {
		parts = append(parts, a.th.Border.Render(strings.Repeat("─", l.details.w)))
	}
	return strings.Join(parts, joint)
}

// header is the top row: the name of each pane.
func (a *App) header() string {
	l, th := a.panes, a.th
	bar := th.Border.Render("│")
	head := func(p keymap.Place, s string) string {
		if a.focus == p && a.dialogs.Top() == nil {
			return th.Own.Render(s)
		}
		return th.Title.Render(s)
	}
	var parts []string
	if l.list.w > 0 {
		right := ""
		if n := a.unread(); n > 0 {
			right = th.Accent.Render(a.n(n, "%d new", "%d new")) + " "
		}
		name := a.t("Conversations")
		if l.list.w < 26 || th.Cells.Width(name)+12 > l.list.w {
			name = a.t("Chats")
		}
		parts = append(parts, th.Cells.Ends(" "+head(keymap.List, name), right, l.list.w))
	}
	if l.chat.w > 0 {
		name, mark := "Starling", ""
		if c := a.contact(a.current); c != nil {
			name, mark = a.nameOf(c), a.standing(*c)
		}
		back := " "
		if l.panes == 1 {
			back = th.Muted.Render("‹ ")
			if n := a.unreadElsewhere(); n > 0 {
				back = th.Accent.Render(fmt.Sprintf("‹%d ", n))
			}
		}
		place := keymap.Messages
		parts = append(parts, th.Cells.Ends(back+head(place, name), mark+" ", l.chat.w))
	}
	if l.details.w > 0 {
		parts = append(parts, th.Cells.Fit(" "+th.Title.Render(a.t("Details")), l.details.w))
	}
	return strings.Join(parts, bar)
}

func pick(cond bool, yes, no string) string {
	if cond {
		return yes
	}
	return no
}

// tooSmall is shown on a screen where nothing fits.
func (a *App) tooSmall() string {
	lines := []string{
		a.t("This window is too small."),
		a.t("It is %d×%d;", a.width, a.height),
		a.t("Starling needs %d×%d.", minWidth, minHeight),
	}
	out := make([]string, 0, a.height)
	for range max(0, (a.height-len(lines))/2) {
		out = append(out, term.Spaces(a.width))
	}
	for _, l := range lines {
		if len(out) < a.height {
			out = append(out, a.th.Cells.Center(l, a.width))
		}
	}
	return strings.Join(out, "\n")
}
