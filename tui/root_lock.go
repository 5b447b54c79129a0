package tui

import (
	"context"
	"errors"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"starling/node/api"
	"starling/tui/dialog"
	"starling/tui/picture"
	"starling/tui/term"
	"starling/tui/theme"
)

// lock is the lock of the screen. While it is closed every key goes to its
// form, and nothing of the conversations is drawn; what comes in is kept, and
// what was being written stays where it was.
type lock struct {
	form  *dialog.Form // nil: open
	box   dialog.Stack
	used  time.Time // the last key, click or paste
	watch int       // counts the watches for idleness
}

type (
	idleMsg     int
	unlockedMsg struct{ err error }
	wipedMsg    struct{ err error }
	wipeAction  struct{}
)

// unlockText is what the form of the lock hands over.
type unlockText string

// lockScreen closes the lock.
func (a *App) lockScreen() tea.Cmd {
	if a.lock.form != nil {
		return nil
	}
	var cmds []tea.Cmd
	for _, c := range a.chats {
		cmds = append(cmds, a.saveDraft(c))
	}
	a.notice.text, a.quitting = "", false
	a.closeZoom()
	pass := &dialog.Field{Label: "Passphrase", Hint: "ctrl+q quits."}
	pass.Text.OneLine, pass.Text.Hidden, pass.Text.Limit = true, true, 1024
	form := &dialog.Form{Title: "Starling", Label: "Unlock", Intro: "The screen is locked. Messages come in and leave as before.", Fields: []*dialog.Field{pass}, NoCancel: true}
	form.Submit = func() any {
		if pass.Text.Empty() {
			form.Error = a.t("Type your passphrase.")
			return nil
		}
		return unlockText(pass.Text.Value())
	}
	a.lock.form = form
	a.lock.box = dialog.Stack{}
	a.lock.box.Open(form)
	clear := func() tea.Msg { return tea.ClearScreen() }
	if a.gallery.kind == picture.Kitty {
		cmds = append(cmds, tea.Raw(picture.KittyClear))
	}
	return tea.Batch(append(cmds, clear)...)
}

// lockedKey takes a key while the lock is closed. Only the passphrase opens
// it; ctrl+q ends the app, which needs the passphrase to start again.
func (a *App) lockedKey(k tea.KeyPressMsg) tea.Cmd {
	f := a.lock.form
	switch k.Keystroke() {
	case "ctrl+q":
		return tea.Quit
	case "esc", "ctrl+c":
		if f.Busy == "" {
			f.Fields[0].Text.SetValue("")
			f.Error = ""
		}
		return nil
	}
	text, ok := dialog.Act(f, f.Key(k)).(unlockText)
	if !ok {
		return nil
	}
	f.Busy = a.t("Checking the passphrase…")
	f.Fields[0].Text.SetValue("")
	return a.call(func(ctx context.Context) tea.Msg {
		return unlockedMsg{a.node.Unlock(ctx, string(text))}
	})
}

func (a *App) gotUnlocked(msg unlockedMsg) tea.Cmd {
	f := a.lock.form
	if f == nil {
		return nil
	}
	f.Busy = ""
	if msg.err != nil {
		if errors.Is(msg.err, &api.Error{Code: api.CodeWrongPassphrase}) {
			f.Error = a.t("That was not the passphrase.")
		} else {
			f.Error = a.describe(msg.err)
		}
		return nil
	}
	a.lock.form = nil
	a.lock.used = a.opts.Now()
	return tea.Batch(a.settle(), a.watchIdle(), func() tea.Msg { return tea.ClearScreen() })
}

// drawLock is the whole screen while the lock is closed.
func (a *App) drawLock(th *theme.Theme) (string, *tea.Cursor) {
	screen := make([]string, a.height)
	for i := range screen {
		screen[i] = term.Spaces(a.width)
	}
	cursor := a.lock.box.Draw(th, screen, a.width)
	return strings.Join(screen, "\n"), cursor
}

// watchIdle looks again when the screen may have been idle for long enough.
func (a *App) watchIdle() tea.Cmd {
	a.lock.watch++
	after := time.Duration(a.settings.LockAfter) * time.Second
	if after <= 0 || a.lock.form != nil {
		return nil
	}
	left := after - a.opts.Now().Sub(a.lock.used)
	return a.opts.After(max(left, time.Second), idleMsg(a.lock.watch))
}

func (a *App) idle(msg idleMsg) tea.Cmd {
	after := time.Duration(a.settings.LockAfter) * time.Second
	if int(msg) != a.lock.watch || after <= 0 || a.lock.form != nil {
		return nil
	}
	if a.opts.Now().Sub(a.lock.used) >= after {
		return a.lockScreen()
	}
	return a.watchIdle()
}

// openWipe asks before everything is destroyed. It is for somebody who has no
// time: one key opens it, one does it.
func (a *App) openWipe() {
	if a.wiping != nil && a.dialogs.Has(a.wiping) {
		return
	}
	text := a.t("The keys of this profile are destroyed and its files erased: contacts, messages, drafts, everything, at once. Nothing brings it back but a backup that you have elsewhere.") +
		"\n\n" + a.t("Contacts keep what they have. A disk or a file system with snapshots may keep old blocks; without the keys they are noise. What waits in mailboxes is deleted there after 14 days.")
	a.wiping = &dialog.Card{
		Title: "Destroy everything here?",
		Width: 56,
		Body: func(th *theme.Theme, width, _ int) []string {
			lines := th.Cells.Wrap(text, width)
			for i := range lines {
				if lines[i] == "" {
					break
				}
				lines[i] = th.Bad.Render(lines[i])
			}
			return lines
		},
		Buttons: []dialog.Button{
			{Label: "Destroy everything now", Key: "w", Action: wipeAction{}},
			{Label: "Keep", Key: "esc", Action: dialog.Close{}},
		},
	}
	a.dialogs.Open(a.wiping)
}

func (a *App) wipe() tea.Cmd {
	a.dialogs.Clear()
	return tea.Batch(a.note(a.t("Destroying everything…"), true), a.call(func(ctx context.Context) tea.Msg {
		return wipedMsg{a.node.Wipe(ctx)}
	}))
}

// gotWiped forgets what is in memory here and ends.
func (a *App) gotWiped(msg wipedMsg) tea.Cmd {
	if msg.err != nil {
		return a.fail(msg.err)
	}
	a.wiped = true
	a.people, a.chats, a.rank = nil, map[string]*chat{}, map[string]int64{}
	a.current, a.cursor, a.outgoing = "", "", nil
	a.gallery.forget()
	a.status = api.Status{}
	a.dialogs.Clear()
	return tea.Quit
}
