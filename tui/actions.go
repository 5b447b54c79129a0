package tui

import (
	tea "charm.land/bubbletea/v2"

	"starling/node/api"
	"starling/tui/keymap"
	"starling/tui/words"
)

// do does an action of the table of keys.
func (a *App) do(id keymap.ID) tea.Cmd {
	if act := a.actions[id]; act != nil {
		return act()
	}
	return nil
}

// table says which part does which action.
func (a *App) table() map[keymap.ID]func() tea.Cmd {
	move := func(id keymap.ID) func() tea.Cmd { return func() tea.Cmd { return a.move(id) } }
	cycle := func(by int) func() tea.Cmd { return func() tea.Cmd { return a.cycle(by) } }
	step := func(by int) func() tea.Cmd { return func() tea.Cmd { return a.step(by) } }
	return map[keymap.ID]func() tea.Cmd{
		// The text.
		keymap.Send: a.book.Send, keymap.Newline: a.book.Newline, keymap.Undo: a.book.Undo,
		keymap.Edit: a.book.EditOutside, keymap.Emoji: a.messages.Emoji, keymap.Attach: a.files.Attach,

		// Moving about.
		keymap.Leave: a.leave, keymap.Write: a.write, keymap.FocusNext: cycle(1), keymap.FocusPrev: cycle(-1),
		keymap.Up: move(keymap.Up), keymap.Down: move(keymap.Down), keymap.PageUp: move(keymap.PageUp),
		keymap.PageDown: move(keymap.PageDown), keymap.Top: move(keymap.Top), keymap.Bottom: move(keymap.Bottom),
		keymap.Open: a.openCursor, keymap.NextChat: step(1), keymap.PrevChat: step(-1), keymap.NextUnread: a.nextUnread,
		keymap.JumpUnread: a.book.JumpUnread, keymap.Switch: a.openSwitcher,
		keymap.Search: a.search, keymap.SearchAll: a.book.SearchAll,

		// A message.
		keymap.Menu:  func() tea.Cmd { return a.messages.Menu(a.do) },
		keymap.Reply: a.messages.Reply, keymap.EditMessage: a.messages.Edit, keymap.Delete: a.messages.Delete,
		keymap.React: a.messages.React, keymap.Forward: a.messages.Forward, keymap.Original: a.messages.Original,
		keymap.Zoom: a.messages.Zoom, keymap.Link: a.messages.Link, keymap.Unfold: a.messages.Unfold, keymap.Retry: a.messages.Retry, keymap.Discard: a.messages.Discard, keymap.Copy: a.messages.Copy,
		keymap.SaveFile: a.files.Save, keymap.OpenFile: a.files.Open,

		// A conversation, and people.
		keymap.Conversation: a.keeping.conversation, keymap.Timer: ofRoom(a, a.rooms.Settings, a.keeping.timer), keymap.Pin: a.keeping.pin,
		keymap.Mute: a.keeping.mute, keymap.Archive: a.keeping.archive, keymap.Archived: a.showArchived,
		keymap.Invite: a.contacts.invite, keymap.Invites: a.contacts.invites, keymap.AddContact: a.contacts.add,
		keymap.Verify: ofRoom(a, a.rooms.Members, a.contacts.verifyMeant), keymap.Rename: ofRoom(a, a.rooms.Settings, a.contacts.rename),
		keymap.Block: ofRoom(a, a.rooms.Members, a.upkeep.Toggle), keymap.Blocked: a.upkeep.Blocked, keymap.Remove: ofRoom(a, a.rooms.RemoveMeant, a.contacts.remove),
		keymap.Thread: a.messages.Thread, keymap.NextMention: a.messages.NextMention,

		// Rooms.
		keymap.Room:    func() tea.Cmd { return a.rooms.Menu(a.do) },
		keymap.RoomNew: a.rooms.Make, keymap.RoomJoin: a.rooms.Join, keymap.RoomInvite: a.rooms.Invite, keymap.RoomSend: a.rooms.Send, keymap.RoomLinks: a.rooms.Links,
		keymap.RoomSettings: a.rooms.Settings, keymap.RoomLeave: a.rooms.Leave, keymap.RoomProof: a.rooms.Proof,
		keymap.Members: a.rooms.Members, keymap.Door: a.rooms.Door,

		keymap.Clear: a.upkeep.Clear, keymap.Export: a.upkeep.Export, keymap.FirstSteps: steps{a}.open,

		// The app.
		keymap.Palette: a.openPalette, keymap.Help: a.openHelp, keymap.Commands: slash{a}.openCommands, keymap.Network: a.network.open, keymap.Join: a.openJoin, keymap.OwnBridge: slash{a}.openOwnBridge,
		keymap.Details: a.toggleDetails, keymap.Mouse: a.toggleMouse, keymap.Incognito: a.toggleHidden,
		keymap.Settings: a.keeping.openSettings, keymap.Passphrase: a.keeping.openPassphrase, keymap.Backup: a.keeping.openBackup, keymap.Restore: steps{a}.openRestore,
		keymap.Lock: a.lock.Close, keymap.Wipe: a.openWipe,
		keymap.Redraw:  func() tea.Cmd { return func() tea.Msg { return tea.ClearScreen() } },
		keymap.Suspend: func() tea.Cmd { return tea.Suspend },
		keymap.Quit:    a.quit, keymap.QuitAtOnce: func() tea.Cmd { return tea.Quit },
	}
}

// ofRoom is an action that is another one if a room is meant.
func ofRoom(a *App, room, two func() tea.Cmd) func() tea.Cmd {
	return func() tea.Cmd {
		if c := a.meant(); c != nil && c.Room != nil {
			return room()
		}
		return two()
	}
}

// meant is the contact that an action is about: the selected one in the list,
// else the open one.
func (a *App) meant() *api.Contact {
	if a.focus == keymap.List {
		return a.people.Get(a.people.Cursor)
	}
	return a.book.Contact()
}

// focusOn moves the focus.
func (a *App) focusOn(p keymap.Place) {
	if a.book.Current == "" && p != keymap.List {
		p = keymap.Composer
	}
	if c := a.book.Open(); c != nil {
		c.Focus(p == keymap.Messages)
	}
	if p == keymap.List {
		a.people.Enter(a.book.Current)
	}
	a.focus = p
}

// cycle moves the focus to the next pane, or the one before.
func (a *App) cycle(by int) tea.Cmd {
	order := []keymap.Place{keymap.List, keymap.Messages, keymap.Composer}
	for i, p := range order {
		if p == a.focus {
			a.focusOn(order[(i+by+len(order))%len(order)])
			break
		}
	}
	return nil
}

// leave goes one pane back; the list is the last.
func (a *App) leave() tea.Cmd {
	switch a.focus {
	case keymap.Composer:
		if a.book.Current == "" {
			a.focusOn(keymap.List)
			return nil
		}
		return a.book.Leave()
	case keymap.Messages:
		a.focusOn(keymap.List)
	}
	return nil
}

func (a *App) write() tea.Cmd {
	a.focusOn(keymap.Composer)
	return nil
}

// move scrolls or moves the selection where the focus is.
func (a *App) move(id keymap.ID) tea.Cmd {
	if a.focus != keymap.List {
		return a.book.Move(id)
	}

	n := len(a.people.Listed())
	page := max(1, a.panes.list.h/a.rowHeight()-1)
	a.people.Move(map[keymap.ID]int{
		keymap.Up: -1, keymap.Down: 1, keymap.PageUp: -page, keymap.PageDown: page,
		keymap.Top: -n, keymap.Bottom: n,
	}[id])
	return nil
}

// openCursor opens the selected conversation.
func (a *App) openCursor() tea.Cmd {
	if a.people.Cursor == "" {
		return nil
	}
	return a.book.Visit(a.people.Cursor, true)
}

// step goes to another conversation in the order of the list.
func (a *App) step(by int) tea.Cmd {
	id := a.people.Beside(a.book.Current, by)
	if id == "" {
		return nil
	}
	return a.book.Visit(id, true)
}

// nextUnread goes to the next conversation with something unread.
func (a *App) nextUnread() tea.Cmd {
	if len(a.people.All()) == 0 {
		return nil
	}
	id := a.people.NextUnread(a.book.Current)
	if id == "" {
		return a.desk.Say("Nothing unread elsewhere.")
	}
	return a.book.Visit(id, true)
}

func (a *App) search() tea.Cmd { return a.book.SearchIn(a.meant()) }

// showArchived shows the archived conversations, or leaves them out again.
func (a *App) showArchived() tea.Cmd {
	if !a.people.ShowArchived(a.book.Current) {
		return a.desk.Say("Nothing is archived.")
	}
	return nil
}

func (a *App) toggleDetails() tea.Cmd {
	if a.width < threePanes {
		return a.desk.Say("The details need a window 100 columns wide.")
	}
	a.details = !a.details
	return nil
}

func (a *App) toggleMouse() tea.Cmd {
	a.mouse = !a.mouse
	if a.mouse {
		return a.desk.Say("The mouse works the app. Press f4 to select text with it.")
	}
	return a.desk.Say("The mouse is the terminal's: select and copy as usual. Press f4 to get it back.")
}

// toggleHidden hides names and texts, or shows them again. Notices and dialogs,
// which may hold some, are closed.
func (a *App) toggleHidden() tea.Cmd {
	a.desk.Quiet()
	a.desk.Hidden = !a.desk.Hidden
	a.book.Conceal()
	if !a.desk.Hidden {
		return a.book.Look()
	}
	zoomed := a.gallery.Close()
	a.desk.Dialogs.Clear()
	return zoomed
}

// closing is done when the lock closes.
func (a *App) closing() tea.Cmd {
	a.asked = ""
	a.desk.Quiet()
	a.files.Wipe()
	return tea.Batch(a.book.SaveDrafts(), a.gallery.Close(), a.gallery.Wipe())
}

// quit ends the app when it is asked twice, the second time while the question is
// there.
func (a *App) quit() tea.Cmd {
	if a.asked != "" && a.desk.Notice.Text == a.asked {
		return tea.Quit
	}
	a.asked = a.desk.T("Press ctrl+c again to quit.")
	if n := a.network.status.Outbox.Waiting(); n > 0 {
		a.asked = a.desk.N(n, "%d message has not left and waits here. ctrl+c again quits.", "%d messages have not left and wait here. ctrl+c again quits.")
	}
	return a.desk.Note(a.asked, false)
}

// unsent tells of messages that have not left yet, "" if all have.
func (a *App) unsent() string { return words.Unsent(a.desk.Theme, &a.network.status) }
