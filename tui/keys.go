package tui

import (
	"strings"

	tea "charm.land/bubbletea/v2"

	"starling/tui/keymap"
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
	if !bound && (a.focus != keymap.Composer || k.Text == "") {
		id, bound = a.desk.Keys.Lookup(a.focus, keymap.Latin(k.String()))
	}
	if d := a.desk.Dialogs.Keys(); d != nil {
		if bound && urgent[id] && k.Text == "" {
			return a.do(id)
		}
		return tea.Batch(a.desk.Act(d.Key(k)), a.book.Settle())
	}

	if c := a.book.Open(); c != nil {
		c.Seen = true
	}
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
	return a.book.Paste(text)
}
