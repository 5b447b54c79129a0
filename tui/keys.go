package tui

import (
	"strings"

	tea "charm.land/bubbletea/v2"

	"starling/node/api"
	"starling/tui/conversation"
	"starling/tui/dialog"
	"starling/tui/keymap"
	"starling/tui/rooms"
	"starling/tui/words"
)

// urgent are the actions with keys that work in dialogs too.
var urgent = map[keymap.ID]bool{keymap.Lock: true, keymap.Wipe: true, keymap.Incognito: true, keymap.QuitAtOnce: true}

// key routes a keystroke: the lock, the top dialog, then the table of keys for
// the place of the focus, then the text.
func (a *App) key(k tea.KeyPressMsg) tea.Cmd {
	if a.lock.Closed() {
		return a.lock.Key(k)
	}

	id, bound := a.desk.Keys.Lookup(a.focus, k.String())
	// On a keyboard with another script the key in the same place counts, but not in a text.
	if !bound && (a.focus != keymap.Composer || k.Text == "") {
		id, bound = a.desk.Keys.Lookup(a.focus, keymap.Latin(k.String()))
	}
	if d := a.desk.Dialogs.Keys(); d != nil {
		// To lock or to wipe cannot wait until a dialog is closed.
		if bound && urgent[id] && k.Text == "" {
			return a.do(id)
		}
		return tea.Batch(a.desk.Act(d.Key(k)), a.book.Settle())
	}

	if (steps{a}).shown() {
		if done, ok := a.dayone.Key(k); ok {
			a.calm()
			return done
		}
	}

	// A key shows that somebody is there to read.
	if c := a.book.Open(); c != nil {
		c.Seen = true
	}

	// Quit asks for a second press, which any other key calls off.
	if id != keymap.Quit {
		a.calm()
	}
	done, taken := a.typed(k, id, bound)
	if taken {
		return tea.Batch(done, a.book.Settle())
	}
	switch {
	case bound:
		done = tea.Batch(done, a.do(id))
	case a.focus == keymap.Composer:
		done = tea.Batch(done, a.book.Key(k))
	}
	return tea.Batch(done, a.book.Settle())
}

// calm takes back the first ctrl+c.
func (a *App) calm() {
	if a.asked != "" && a.desk.Notice.Text == a.asked {
		a.desk.Quiet()
	}
	a.asked = ""
}

// paste puts text where the focus is. It never sends.
func (a *App) paste(text string) tea.Cmd {
	if a.lock.Closed() {
		a.lock.Paste(text)
		return nil
	}

	// Terminals send line breaks of a paste as CR; some as CR LF.
	text = strings.ReplaceAll(text, "\r\n", "\n")
	text = strings.ReplaceAll(text, "\r", "\n")
	if d := a.desk.Dialogs.Keys(); d != nil {
		return a.desk.Act(d.Paste(text))
	}
	if a.book.Current == "" {
		if done, ok := a.contacts.pasted(text); ok {
			return done
		}
	}
	return pasted(a, text)
}

// pasted puts a text into the conversation. A picture, or a text that is too long for a
// message, is asked about before; names of files behind it, when the text is there already.
func pasted(a *App, text string) tea.Cmd {
	if a.book.Writable() {
		if cmd, ok := a.files.Picture(text); ok {
			return cmd
		}
		if len(text) > api.MaxText {
			a.focusOn(keymap.Composer)
			return a.files.Long(text, conversation.MaxPaste)
		}
	}

	c := a.book.Open()
	if c == nil {
		return nil
	}
	if link, ok := rooms.Link(text); ok && !a.book.Writable() {
		return a.rooms.Look(link)
	}

	// As it was, so that a paste can be taken out again.
	before := c.Text.Value()
	put := a.book.Paste(text)
	if link, ok := rooms.Link(text); ok && a.book.Writable() && rooms.Alone(text) {
		// It is for the text, or to be used: the person chooses.
		a.desk.Dialogs.Open(&dialog.Card{
			Title: "A link into a room", Width: 48, Body: words.Lines(a.desk.T("Do you want to join this room, or to send the link to the people here?")),
			Buttons: []dialog.Button{
				{Label: "Look at the room", Key: "y", Action: dialog.Closing(func() tea.Cmd {
					return tea.Batch(conversation.Replace(a.book, c.ID, c.Text.Value(), before), a.rooms.Look(link))
				})},
				{Label: "Leave it in the text", Key: "esc", Action: dialog.Close},
			},
		})
		return put
	}
	return tea.Batch(put, a.files.Dropped(text, before, c.Text.Value()))
}
