// Package lock is the lock of the screen. While it is closed every key goes to
// its form, and nothing of the conversations is drawn; messages come in all the
// same, and unsent texts stay where they were.
package lock

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"starling/node/api"
	"starling/tui/catalogue"
	"starling/tui/desk"
	"starling/tui/dialog"
	"starling/tui/term"
)

// Lock is open at first. It belongs to the goroutine of the screen.
type Lock struct {
	// Hint is shown below the passphrase; empty: the key that quits.
	Hint string
	// Closing is done when the lock closes, Opened when it is open again.
	Closing, Opened func() tea.Cmd

	// Gone: the lock closed because the node's process has ended.
	Gone bool

	desk  *desk.Desk
	form  *dialog.Form // nil: open
	box   dialog.Stack
	used  time.Time     // the last key, click or paste
	after time.Duration // how long the screen may be idle, 0 for ever
	watch int           // counts the watches for idleness
}

// New returns an open lock.
func New(d *desk.Desk) *Lock { return &Lock{desk: d, used: d.Now()} }

// Closed reports whether the lock is closed.
func (l *Lock) Closed() bool { return l.form != nil }

// Used notes that the person is there.
func (l *Lock) Used() { l.used = l.desk.Now() }

// Idle is how long nobody has done anything.
func (l *Lock) Idle() time.Duration { return l.desk.Now().Sub(l.used) }

// Close closes the lock.
func (l *Lock) Close() tea.Cmd {
	if l.Closed() {
		return nil
	}

	done := l.Closing()
	l.desk.Locked = true
	l.form = l.ask()
	l.box = dialog.Stack{}
	l.box.Open(l.form)
	return tea.Batch(done, clearScreen, desk.Ask(l.desk, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, l.desk.Node.Lock(ctx)
	}, func(struct{}, error) tea.Cmd { return nil }))
}

// ask makes the form for the passphrase.
func (l *Lock) ask() *dialog.Form {
	pass := &dialog.Field{Label: "Passphrase", Hint: cmp.Or(l.Hint, catalogue.Mark("ctrl+q quits."))}
	pass.Text.OneLine, pass.Text.Hidden, pass.Text.Limit = true, true, 1024
	form := &dialog.Form{
		Title: "Starling", Label: "Unlock", Fields: []*dialog.Field{pass}, NoCancel: true,
		Intro: "The screen is locked. Messages come in and leave as before.",
	}
	if l.Gone {
		form.Intro = catalogue.Mark("The Starling that this window used has ended. With your passphrase this window takes over.")
	}
	form.Submit = func() dialog.Action {
		if pass.Text.Empty() {
			form.Error = l.desk.T("Type your passphrase.")
			return dialog.Action{}
		}
		return dialog.Keeping(l.try)
	}
	return form
}

// Key takes a key while the lock is closed. Only the passphrase opens it;
// ctrl+q ends the app, which needs the passphrase to start again.
func (l *Lock) Key(k tea.KeyPressMsg) tea.Cmd {
	switch k.Keystroke() {
	case "ctrl+q":
		return tea.Quit
	case "esc", "ctrl+c":
		if l.form.Busy == "" {
			l.form.Fields[0].Text.SetValue("")
			l.form.Error = ""
		}
		return nil
	}
	return l.box.Act(l.form.Key(k))
}

// Paste puts text into the passphrase.
func (l *Lock) Paste(text string) { l.form.Paste(text) }

// try has the node check the passphrase.
func (l *Lock) try() tea.Cmd {
	field := l.form.Fields[0]
	text := field.Text.Value()
	field.Text.SetValue("")
	l.form.Busy = l.desk.T("Checking the passphrase…")
	return desk.Ask(l.desk, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, l.desk.Node.Unlock(ctx, text)
	}, func(_ struct{}, err error) tea.Cmd { return l.open(err) })
}

// open opens the lock unless the passphrase was wrong.
func (l *Lock) open(err error) tea.Cmd {
	if !l.Closed() {
		return nil
	}

	l.form.Busy = ""
	if err != nil {
		l.form.Error = l.desk.Describe(err)
		if errors.Is(err, &api.Error{Code: api.CodeWrongPassphrase}) {
			l.form.Error = l.desk.T("That was not the passphrase.")
		}
		return nil
	}

	l.form, l.desk.Locked, l.Gone = nil, false, false
	l.Used()
	return tea.Batch(l.Opened(), l.again(), clearScreen)
}

// Draw draws the whole screen while the lock is closed.
func (l *Lock) Draw(width, height int) (string, *tea.Cursor) {
	screen := make([]string, height)
	for i := range screen {
		screen[i] = term.Spaces(width)
	}
	cursor := l.box.Draw(l.desk.Theme, screen, width)
	return strings.Join(screen, "\n"), cursor
}

// Watch closes the lock once the screen is idle for so long, 0 for never.
func (l *Lock) Watch(after time.Duration) tea.Cmd {
	l.after = after
	return l.again()
}

// again looks when the screen may have been idle for long enough. An earlier
// watch ends.
func (l *Lock) again() tea.Cmd {
	l.watch++
	if l.after <= 0 || l.Closed() {
		return nil
	}

	watch := l.watch
	return l.desk.Later(max(l.after-l.Idle(), time.Second), func() tea.Cmd {
		switch {
		case watch != l.watch || l.after <= 0 || l.Closed():
			return nil
		case l.Idle() >= l.after:
			return l.Close()
		}
		return l.again()
	})
}

func clearScreen() tea.Msg { return tea.ClearScreen() }
