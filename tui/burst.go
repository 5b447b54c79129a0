package tui

import (
	"time"

	tea "charm.land/bubbletea/v2"

	"starling/tui/conversation"
	"starling/tui/keymap"
)

const (
	// strokeGap is less than people need between two keys.
	strokeGap = 6 * time.Millisecond
	// lineGap is how long an enter waits for what would follow it in a paste.
	lineGap = 25 * time.Millisecond
)

// A burst is keys that come faster than a person types: a paste, where the terminal
// does not say that it is one. An enter in it is the end of a line and sends nothing.
type burst struct {
	now    func() time.Time
	last   time.Time // keystroke
	lines  bool      // an enter of it was the end of a line
	held   bool      // an enter waits
	enters int
}

// stroke notes a keystroke, and reports whether it belongs to the one before.
func (b *burst) stroke() (together bool) {
	at := b.now()
	together = at.Sub(b.last) < strokeGap
	b.last = at
	b.lines = b.lines && together
	return together
}

// typed routes a keystroke for the text, unless it is one for somebody else: false.
func (a *App) typed(k tea.KeyPressMsg, id keymap.ID, bound bool) (tea.Cmd, bool) {
	b := &a.burst
	together := b.stroke()

	// A key at once after an enter is the next line of a paste; a later one is not.
	var before tea.Cmd
	if b.held {
		b.held = false
		if b.lines = together && a.focus == keymap.Composer; b.lines {
			before = a.lineBreak()
		} else {
			before = a.book.Send()
		}
	}

	// In a burst no key is one for the completion: a paste would choose from it.
	if a.focus == keymap.Composer && !together && !b.lines && conversation.CompletionKeys[k.Keystroke()] {
		if done, taken := a.book.Completion().Key(k); taken {
			return tea.Batch(before, done), true
		}
	}

	switch {
	case a.focus != keymap.Composer:
		return before, false
	case bound && id == keymap.Send && b.lines:
		return tea.Batch(before, a.lineBreak()), true
	// Held back until it is known whether more comes: a paste must not send.
	case bound && id == keymap.Send && together:
		b.held = true
		b.enters++
		return tea.Batch(before, a.release(b.enters)), true
	case bound && id == keymap.FocusNext && (b.lines || a.book.Written()):
		// A tab in a text is a tab.
		return tea.Batch(before, a.book.Insert("\t")), true
	}
	return before, false
}

// lineBreak puts the end of a pasted line into the text.
func (a *App) lineBreak() tea.Cmd {
	return tea.Batch(a.book.Insert("\n"), a.book.TellPasted())
}

// release sends after a while, if nothing has followed the enter.
func (a *App) release(enter int) tea.Cmd {
	return a.desk.Later(lineGap, func() tea.Cmd {
		if !a.burst.held || a.burst.enters != enter {
			return nil
		}
		a.burst.held = false
		return tea.Batch(a.book.Send(), a.book.Settle())
	})
}
