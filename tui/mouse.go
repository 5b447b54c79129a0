package tui

import (
	tea "charm.land/bubbletea/v2"

	"starling/tui/keymap"
)

const (
	// wheelLines is how far one notch of the wheel goes.
	wheelLines = 3
	// backWidth is the part of the top row that leads back to the list where
	// there is one pane.
	backWidth = 4
)

// click routes a click: the top dialog, then the pane that it is in.
func (a *App) click(m tea.Mouse) tea.Cmd {
	top := a.desk.Dialogs.Top()
	switch {
	case a.lock.Closed():
		return nil
	case m.Button == tea.MouseRight && top == nil:
		return a.clickRight(m)
	case m.Button != tea.MouseLeft:
		return nil
	}

	a.calm()
	if top != nil {
		return tea.Batch(a.desk.Act(a.desk.Dialogs.Click(m.X, m.Y)), a.book.Settle())
	}
	if c := a.book.Open(); c != nil {
		c.Seen = true
	}
	return tea.Batch(a.clickPane(m), a.book.Settle())
}

// clickRight opens the menu of a message.
func (a *App) clickRight(m tea.Mouse) tea.Cmd {
	c := a.book.Open()
	if c == nil || !a.panes.chat.has(m.X, m.Y) || !c.View.Click(m.Y-a.panes.chat.y) {
		return nil
	}
	c.Seen = true
	a.focus = keymap.Messages
	return a.messages.Menu(a.do)
}

// clickPane moves the focus to a pane, and chooses the row in it.
func (a *App) clickPane(m tea.Mouse) tea.Cmd {
	l := a.panes

	switch {
	case l.panes == 0:
	case l.list.has(m.X, m.Y):
		if id := a.people.At(m.Y-l.list.y, l.list.h, a.listView()); id != "" {
			return a.book.Visit(id, true)
		}
		a.focus = keymap.List
	case l.composer.has(m.X, m.Y):
		a.focus = keymap.Composer
		a.book.ClickText(m.X-l.composer.x, m.Y-l.composer.y, l.composer.h)
	// Before the chat, which it lies over.
	case l.banner.has(m.X, m.Y):
		return a.do(keymap.Room)
	case l.chat.has(m.X, m.Y) && a.book.Current == "" && a.people.Loaded:
		a.focus = keymap.Composer
		return a.dayone.Click(m.Y - l.chat.y)
	case l.chat.has(m.X, m.Y):
		if c := a.book.Open(); c != nil && c.View.Click(m.Y-l.chat.y) {
			a.focus = keymap.Messages
		}
	case m.Y == l.status:
		return a.network.open()
	case m.Y == 0 && l.panes == 1 && l.chat.w > 0 && m.X < backWidth:
		a.focusOn(keymap.List)
	}
	return nil
}

// wheel scrolls the top dialog, or the pane under the pointer.
func (a *App) wheel(m tea.Mouse) tea.Cmd {
	by := 0
	switch m.Button {
	case tea.MouseWheelUp:
		by = -wheelLines
	case tea.MouseWheelDown:
		by = wheelLines
	}
	if by == 0 || a.lock.Closed() {
		return nil
	}

	if d := a.desk.Dialogs.Top(); d != nil {
		d.Wheel(by)
		return nil
	}
	if l := a.panes; l.list.has(m.X, m.Y) {
		a.people.Scroll(by/wheelLines, max(1, l.list.h/a.rowHeight()))
	} else if c := a.book.Open(); c != nil {
		c.Seen = true
		c.View.Scroll(by)
	}
	return a.book.Settle()
}
