package tui

import (
	"strings"

	tea "charm.land/bubbletea/v2"

	"starling/tui/dialog"
	"starling/tui/keymap"
)

// urgent are the actions whose keys work in dialogs too.
var urgent = map[keymap.ID]bool{keymap.Lock: true, keymap.Wipe: true, keymap.Incognito: true, keymap.QuitAtOnce: true}

// key routes a keystroke: the top dialog, then the table of keys for the
// place of the focus, then the text.
func (a *App) key(k tea.KeyPressMsg) tea.Cmd {
	if d := a.dialogs.Keys(); d != nil {
		if id, bound := a.keys.Lookup(a.focus, k.String()); bound && urgent[id] && k.Text == "" {
			return a.do(id)
		}
		return a.act(dialog.Act(d, d.Key(k)))
	}
	c := a.open()
	if c != nil {
		c.seen = true
	}
	id, bound := a.keys.Lookup(a.focus, k.String())
	if id != keymap.Quit {
		a.calm()
	}
	if bound {
		return tea.Batch(a.do(id), a.settle())
	}
	if a.focus != keymap.Composer || !a.writable() {
		return a.settle()
	}
	before := c.text.Value()
	if !c.text.Key(k) && k.Keystroke() == "up" && c.text.Empty() {
		return a.do(keymap.Leave)
	}
	if c.text.Value() == before {
		return a.settle()
	}
	cmds := []tea.Cmd{a.settle(), a.touched(c), a.typing(c)}
	if n := len(c.text.Value()); n > c.text.Limit-256 {
		cmds = append(cmds, a.say("%d of %d bytes in one message", n, c.text.Limit))
	}
	return tea.Batch(cmds...)
}

// calm takes back the first ctrl+c.
func (a *App) calm() {
	if a.quitting {
		a.quitting = false
		a.notice.text = ""
	}
}

// writable reports whether there is a conversation to write in.
func (a *App) writable() bool {
	c := a.contact(a.current)
	return c != nil && !c.Blocked
}

// paste puts text into what has the focus. It never sends.
func (a *App) paste(text string) tea.Cmd {
	// Terminals send line breaks of a paste as CR; some as CR LF.
	text = strings.ReplaceAll(text, "\r\n", "\n")
	text = strings.ReplaceAll(text, "\r", "\n")
	if d := a.dialogs.Keys(); d != nil {
		return a.act(dialog.Act(d, d.Paste(text)))
	}
	if !a.writable() {
		return nil
	}
	c := a.open()
	c.seen = true
	a.focus = keymap.Composer
	if !c.text.Insert(text) {
		return a.complain("Too long to paste: one message takes %d bytes.", c.text.Limit)
	}
	if n := strings.Count(text, "\n") + 1; n > 3 {
		return tea.Batch(a.touched(c), a.say("Pasted %d lines. Nothing is sent before you press enter.", n))
	}
	return a.touched(c)
}
