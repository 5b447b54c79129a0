package tui

import (
	tea "charm.land/bubbletea/v2"

	"starling/tui/dialog"
	"starling/tui/keymap"
)

// wheelLines is how far one notch of the wheel goes.
const wheelLines = 3

func (a *App) click(m tea.Mouse) tea.Cmd {
	if m.Button == tea.MouseRight && a.dialogs.Top() == nil && a.panes.chat.has(m.X, m.Y) {
		if c := a.open(); c != nil && c.view.Click(m.Y-a.panes.chat.y) {
			c.seen = true
			a.focus = keymap.Messages
			return a.openMenu()
		}
	}
	if m.Button != tea.MouseLeft {
		return nil
	}
	a.calm()
	if d := a.dialogs.Top(); d != nil {
		return a.act(dialog.Act(d, a.dialogs.Click(m.X, m.Y)))
	}
	if c := a.open(); c != nil {
		c.seen = true
	}
	l := a.panes
	switch {
	case l.panes == 0:
	case l.list.has(m.X, m.Y):
		if id := a.listAt(m.Y - l.list.y); id != "" {
			return a.visit(id, true)
		}
		a.focus = keymap.List
	case l.composer.has(m.X, m.Y):
		a.focus = keymap.Composer
		if c := a.open(); c != nil {
			y := m.Y - l.composer.y
			if (c.reply != nil || c.editing != nil) && l.composer.h > 1 {
				y--
			}
			c.text.Click(m.X-l.composer.x-3, max(0, y))
		}
	case l.chat.has(m.X, m.Y):
		if c := a.open(); c != nil && c.view.Click(m.Y-l.chat.y) {
			a.focus = keymap.Messages
		}
	case m.Y == l.status:
		return a.do(keymap.Network)
	case m.Y == 0 && l.panes == 1 && l.chat.w > 0 && m.X < 4:
		a.focusOn(keymap.List)
	}
	return a.settle()
}

func (a *App) wheel(m tea.Mouse) tea.Cmd {
	by := 0
	switch m.Button {
	case tea.MouseWheelUp:
		by = -wheelLines
	case tea.MouseWheelDown:
		by = wheelLines
	}
	if by == 0 {
		return nil
	}
	if d := a.dialogs.Top(); d != nil {
		d.Wheel(by)
		return nil
	}
	l := a.panes
	switch {
	case l.list.has(m.X, m.Y):
		a.rows.Scroll(by/wheelLines, len(a.listed()), max(1, l.list.h/a.rowHeight()))
		if a.rows.Selected < len(a.listed()) {
			a.cursor = a.people[a.rows.Selected].ID
		}
	default:
		if c := a.open(); c != nil {
			c.seen = true
			c.view.Scroll(by)
		}
	}
	return a.settle()
}
