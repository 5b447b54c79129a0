package tui

import (
	"strings"

	tea "charm.land/bubbletea/v2"

	"starling/tui/keymap"
	"starling/tui/preferences"
	"starling/tui/words"
)

// do does what the table of keys names.
func (a *App) do(id keymap.ID) tea.Cmd {
	c := a.open()
	switch id {
	case keymap.Send:
		return a.send()
	case keymap.Newline:
		if a.writable() {
			c.text.Insert("\n")
		}
	case keymap.Undo:
		if a.writable() && !c.text.Undo() {
			return a.say("Nothing to undo.")
		}
	case keymap.Edit:
		return a.edit()
	case keymap.Leave:
		switch {
		case a.focus == keymap.Composer && a.dismiss():
			return a.touched(c)
		case a.focus == keymap.Composer:
			a.focusOn(keymap.Messages)
		case a.focus == keymap.Messages:
			a.focusOn(keymap.List)
		default:
			a.focusOn(keymap.Composer)
		}
	case keymap.Write:
		a.focusOn(keymap.Composer)
	case keymap.FocusNext:
		a.cycle(1)
	case keymap.FocusPrev:
		a.cycle(-1)
	case keymap.Open:
		if a.cursor != "" {
			return a.visit(a.cursor, true)
		}
	case keymap.NextChat, keymap.PrevChat, keymap.NextUnread:
		return a.step(id)
	case keymap.Up, keymap.Down, keymap.PageUp, keymap.PageDown, keymap.Top, keymap.Bottom:
		return a.move(id)
	case keymap.Search, keymap.SearchAll:
		return a.openSearch(id)
	case keymap.JumpUnread:
		if c != nil && !c.view.JumpUnread() {
			return a.say("No unread message here.")
		}
	case keymap.Menu, keymap.Reply, keymap.EditMessage, keymap.Delete, keymap.React, keymap.Forward,
		keymap.Original, keymap.Zoom, keymap.Retry, keymap.Discard, keymap.Copy, keymap.Emoji:
		return a.message(id)
	case keymap.Conversation, keymap.Pin, keymap.Mute, keymap.Archive, keymap.Archived, keymap.Timer:
		return a.keep(id)
	case keymap.Switch:
		a.openSwitcher()
	case keymap.Palette:
		a.openPalette()
	case keymap.Help:
		a.openHelp()
	case keymap.Network:
		return a.openNetwork()
	case keymap.Invite:
		a.openInvite()
	case keymap.Invites:
		return a.loadInvites()
	case keymap.AddContact:
		a.openAdd()
	case keymap.Verify, keymap.Rename, keymap.Block, keymap.Remove:
		return a.person(id)
	case keymap.Details:
		if a.width < threePanes {
			return a.say("The details need a window 100 columns wide.")
		}
		a.details = !a.details
	case keymap.Mouse:
		a.mouse = !a.mouse
		if a.mouse {
			return a.say("The mouse works the app. Press f4 to select text with it.")
		}
		return a.say("The mouse is the terminal's: select and copy as usual. Press f4 to get it back.")
	case keymap.Incognito:
		a.notice.text = "" // it may hold a name
		a.conceal(!a.hidden)
		if a.hidden {
			zoomed := a.closeZoom()
			a.dialogs.Clear() // they may hold names too
			a.network = nil
			return zoomed
		}
		if c != nil {
			return a.look(c)
		}
	case keymap.Lock:
		return a.lockScreen()
	case keymap.Settings:
		a.dialogs.Open(preferences.Settings(a.th, a.settings))
	case keymap.Backup:
		a.dialogs.Open(preferences.Backup(a.th, a.backupPath()))
	case keymap.Wipe:
		a.openWipe()
	case keymap.Join:
		return a.openJoin()
	case keymap.Redraw:
		return func() tea.Msg { return tea.ClearScreen() }
	case keymap.Suspend:
		return tea.Suspend
	case keymap.Quit:
		if a.quitting {
			return tea.Quit
		}
		a.quitting = true
		return a.say("Press ctrl+c again to quit.")
	case keymap.QuitAtOnce:
		return tea.Quit
	}
	return nil
}

// focusOn moves the focus.
func (a *App) focusOn(p keymap.Place) {
	if a.current == "" && p != keymap.List {
		p = keymap.Composer
	}
	c := a.open()
	if c != nil {
		if p == keymap.Messages {
			if _, ok := c.view.Selected(); !ok {
				c.view.SelectLast()
			}
		} else {
			c.view.Deselect()
			c.view.SetFound(nil)
		}
	}
	if p == keymap.List {
		a.cursor = a.current
		if shown := a.listed(); len(shown) > 0 && a.indexOf(a.cursor) >= len(shown) {
			a.cursor = shown[0].ID // the open one is archived
		}
	}
	a.focus = p
}

func (a *App) cycle(by int) {
	order := []keymap.Place{keymap.List, keymap.Messages, keymap.Composer}
	for i, p := range order {
		if p == a.focus {
			a.focusOn(order[(i+by+len(order))%len(order)])
			return
		}
	}
}

// move scrolls or moves the selection where the focus is.
func (a *App) move(id keymap.ID) tea.Cmd {
	if a.focus == keymap.List {
		n := len(a.listed())
		page := max(1, a.panes.list.h/a.rowHeight()-1)
		by := map[keymap.ID]int{
			keymap.Up: -1, keymap.Down: 1, keymap.PageUp: -page, keymap.PageDown: page,
			keymap.Top: -n, keymap.Bottom: n,
		}[id]
		a.rows.Select(a.indexOf(a.cursor), n)
		a.rows.Move(by, n)
		if n > 0 {
			a.cursor = a.people[a.rows.Selected].ID
		}
		return nil
	}
	c := a.open()
	if c == nil {
		return nil
	}
	switch id {
	case keymap.Up:
		c.view.Move(-1)
	case keymap.Down:
		c.view.Move(1)
	case keymap.PageUp:
		c.view.Page(-1)
	case keymap.PageDown:
		c.view.Page(1)
	case keymap.Top:
		c.view.SelectEdge(false)
	case keymap.Bottom:
		if c.view.Partial() {
			return a.toEnd(c)
		}
		c.view.SelectEdge(true)
	}
	if a.focus == keymap.Messages && (id == keymap.PageUp || id == keymap.PageDown) {
		c.view.SelectLast()
	}
	return nil
}

func (a *App) indexOf(id string) int {
	for i := range a.people {
		if a.people[i].ID == id {
			return i
		}
	}
	return -1
}

// step goes to another conversation in the order of the list.
func (a *App) step(id keymap.ID) tea.Cmd {
	n := len(a.people)
	if n == 0 {
		return nil
	}
	at := a.indexOf(a.current)
	if id != keymap.NextUnread && at < len(a.listed()) {
		n = len(a.listed())
	}
	if id == keymap.NextUnread {
		for k := 1; k <= n; k++ {
			p := a.people[(at+k+n)%n]
			if p.Unread > 0 && p.ID != a.current {
				return a.visit(p.ID, true)
			}
		}
		return a.say("Nothing unread elsewhere.")
	}
	by := 1
	if id == keymap.PrevChat {
		by = -1
	}
	return a.visit(a.people[(at+by+n)%n].ID, true)
}

// visit opens a conversation. chosen says that the person did it.
func (a *App) visit(id string, chosen bool) tea.Cmd {
	var cmds []tea.Cmd
	if old := a.open(); old != nil && id != a.current {
		old.view.ClearUnread()
		old.view.Deselect()
		cmds = append(cmds, a.saveDraft(old))
	}
	again := id == a.current
	a.current, a.cursor = id, id
	c := a.chat(id)
	c.seen = chosen
	unread := 0
	if p := a.contact(id); p != nil {
		unread = p.Unread
	}
	switch {
	case !c.asked:
		c.asked = true
		c.unread, c.jump = unread, unread > 0
		cmds = append(cmds, a.loadPage(c))
	case unread > 0 && !again:
		c.unread = unread
		if c.view.Partial() {
			c.jump = true
			cmds = append(cmds, a.toEnd(c))
			break
		}
		c.view.End()
		a.placeUnread(c)
	}
	if chosen {
		a.focusOn(keymap.Composer)
	}
	cmds = append(cmds, a.settle())
	return tea.Batch(cmds...)
}

// placeUnread draws the unread line, or asks for the page that it is on.
func (a *App) placeUnread(c *chat) {
	if c.unread > 0 && c.view.MarkUnread(c.unread) {
		c.unread, c.jump = 0, true
	}
}

// settle does what follows from what is in view: the end of a conversation
// that a person looks at is read, and the view is filled with older messages.
func (a *App) settle() tea.Cmd {
	c := a.open()
	if c == nil || a.panes.chat.w == 0 {
		return nil
	}
	var cmds []tea.Cmd
	if p := a.contact(c.id); p != nil && p.Unread > 0 && c.seen && a.active && c.unread == 0 && !c.jump && c.view.AtEnd() {
		p.Unread = 0
		cmds = append(cmds, a.markRead(c.id))
	}
	if c.asked && !c.loading && (c.unread > 0 || c.view.WantsOlder()) && a.height > 0 {
		cmds = append(cmds, a.loadPage(c))
	}
	if c.asked && !c.loading && c.view.WantsNewer() && a.height > 0 {
		cmds = append(cmds, a.loadNewer(c))
	}
	return tea.Batch(cmds...)
}

// send hands the text to the node and empties the field.
func (a *App) send() tea.Cmd {
	c := a.open()
	if c == nil {
		return nil
	}
	if p := a.contact(c.id); p == nil || p.Blocked {
		return a.say("This contact is blocked. Unblock them to write.")
	}
	text := strings.TrimRight(c.text.Value(), " \n")
	if strings.TrimSpace(text) == "" {
		return nil
	}
	if c.editing != nil {
		return a.submitEdit(c, text)
	}
	out := outgoing{contact: c.id, text: text, id: words.NewID()}
	if c.reply != nil {
		out.reply = c.reply
		c.reply = nil
	}
	c.text.SetValue("")
	c.edits++
	c.view.ClearUnread()
	a.outgoing = append(a.outgoing, out)
	return tea.Batch(a.toEnd(c), a.sendNext(), a.saveDraft(c))
}
