// Package desk holds the things that every part of the app has at hand: the node,
// the theme and the words, the dialogs, the line for notices, and the way to have
// work done away from the screen.
//
// Work that waits is a command ([Ask], [Submit], [Desk.Do]). It runs beside the
// screen; its answer comes back as a [Then], which the app runs in its turn. So
// a question and its consequence stand in one place.
package desk

import (
	"context"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"starling/node/api"
	"starling/node/api/safetext"
	"starling/tui/catalogue"
	"starling/tui/chatview"
	"starling/tui/dialog"
	"starling/tui/keymap"
	"starling/tui/theme"
	"starling/tui/words"
)

// Desk is shared by the parts of one app. It belongs to the goroutine of the
// screen.
type Desk struct {
	Node    api.Node
	Keys    *keymap.Map
	Theme   *theme.Theme
	Now     func() time.Time
	Dialogs dialog.Stack
	Notice  Notice
	Hidden  bool // names and texts are blocks
	Locked  bool // nothing is to be seen but the lock
	Active  bool // the terminal window has the focus

	ctx   context.Context // that of Run: commands are made in Update, which has none
	after func(time.Duration, tea.Msg) tea.Cmd
}

// A Notice is a line in the status bar. It stays for a while.
type Notice struct {
	Text string
	Bad  bool
	id   int
}

// noticeTime is how long a notice stays.
const noticeTime = 6 * time.Second

// A Then is a message: the consequence, on the screen, of work away from it.
type Then func() tea.Cmd

// New returns a desk. after delivers a message later.
func New(ctx context.Context, node api.Node, keys *keymap.Map, th *theme.Theme, now func() time.Time, after func(time.Duration, tea.Msg) tea.Cmd) *Desk {
	return &Desk{Node: node, Keys: keys, Theme: th, Now: now, Active: true, ctx: ctx, after: after}
}

// Context ends with the app.
func (d *Desk) Context() context.Context { return d.ctx }

// Ask has a question answered away from the screen.
func Ask[T any](d *Desk, ask func(context.Context) (T, error), then func(T, error) tea.Cmd) tea.Cmd {
	ctx := d.ctx
	return func() tea.Msg {
		answer, err := ask(ctx)
		return Then(func() tea.Cmd { return then(answer, err) })
	}
}

// Submit asks for a form, which says that it is busy, shows a refusal, and is
// closed by success. Without a form a refusal is a notice.
func Submit[T any](d *Desk, form *dialog.Form, busy string, ask func(context.Context) (T, error), then func(T) tea.Cmd) tea.Cmd {
	if form != nil {
		form.Busy = busy
	}
	return Ask(d, ask, func(answer T, err error) tea.Cmd {
		if err != nil {
			return d.refuse(form, err)
		}
		if form != nil {
			d.Dialogs.Remove(form)
		}
		return then(answer)
	})
}

// refuse shows an error in the form that waits, or in the status bar.
func (d *Desk) refuse(form *dialog.Form, err error) tea.Cmd {
	if form == nil || !d.Dialogs.Has(form) {
		return d.Fail(err)
	}
	form.Busy, form.Error = "", d.Describe(err)
	return nil
}

// Do has work done away from the screen. A failure is a notice.
func (d *Desk) Do(work func(context.Context) error, then func() tea.Cmd) tea.Cmd {
	return Submit(d, nil, "", func(ctx context.Context) (struct{}, error) {
		return struct{}{}, work(ctx)
	}, func(struct{}) tea.Cmd { return then() })
}

// Try has work done on which nothing depends, whether it fails or not.
func (d *Desk) Try(work func(context.Context) error) tea.Cmd {
	ctx := d.ctx
	return func() tea.Msg {
		_ = work(ctx)
		return nil
	}
}

// Later does something on the screen after a while.
func (d *Desk) Later(wait time.Duration, then func() tea.Cmd) tea.Cmd {
	return d.after(wait, Then(then))
}

// T puts an English text into the person's language and formats it.
func (d *Desk) T(english string, args ...any) string { return d.Theme.T(english, args...) }

// N is T for a text with a number.
func (d *Desk) N(n int, one, many string) string { return d.Theme.N(n, one, many) }

// Say shows a line in the status bar for a while, in the person's language.
func (d *Desk) Say(english string, args ...any) tea.Cmd { return d.Note(d.T(english, args...), false) }

// Complain is Say for a fault.
func (d *Desk) Complain(english string, args ...any) tea.Cmd {
	return d.Note(d.T(english, args...), true)
}

// Fail shows an error and its remedy.
func (d *Desk) Fail(err error) tea.Cmd {
	text := d.Describe(err)
	if text == "" {
		return nil
	}
	return d.Note(text, true)
}

// Note shows a text that is in the person's language.
func (d *Desk) Note(text string, bad bool) tea.Cmd {
	id := d.Notice.id + 1
	d.Notice = Notice{Text: text, Bad: bad, id: id}
	return d.Later(noticeTime, func() tea.Cmd {
		if d.Notice.id == id {
			d.Quiet()
		}
		return nil
	})
}

// Quiet takes the notice away.
func (d *Desk) Quiet() { d.Notice.Text = "" }

// Describe puts an error into words: the fault and the remedy.
func (d *Desk) Describe(err error) string { return words.Error(d.Theme.Words, err) }

// Private reports whether nothing of a conversation may be drawn.
func (d *Desk) Private() bool { return d.Hidden || d.Locked }

// Mask hides a text if the person asked for it.
func (d *Desk) Mask(s string) string {
	if d.Hidden {
		return d.Theme.Cells.Mask(s)
	}
	return s
}

// Name is a contact's name as it is shown.
func (d *Desk) Name(c *api.Contact) string { return d.Mask(d.OpenName(c)) }

// OpenName is a contact's name, hidden or not.
func (d *Desk) OpenName(c *api.Contact) string {
	if c.ID == api.Self {
		return d.T("Note to self")
	}
	name := words.Name(c)
	if name == "" && c.Room != nil {
		return d.T("a room")
	}
	if name == "" {
		return d.T("unnamed")
	}
	return d.Theme.Cells.Steady(name)
}

// previewBytes is how much of a message is looked at for a line of it.
const previewBytes = 256

// OneLine is the beginning of a message in one line.
func (d *Desk) OneLine(s string) string {
	if len(s) > previewBytes {
		s = strings.ToValidUTF8(s[:previewBytes], "")
	}
	return d.Mask(d.Theme.Cells.Steady(safetext.Line(chatview.Preview(s)).String()))
}

// Ago is a time as lists show it: of today the hour, else the day.
func (d *Desk) Ago(t time.Time) string {
	now := d.Now().Local()
	t = t.Local()
	switch {
	case t.Year() == now.Year() && t.YearDay() == now.YearDay():
		return t.Format("15:04")
	case t.Before(now) && now.Sub(t) < 6*24*time.Hour:
		return d.Theme.Time(t, "Mon")
	case t.Year() == now.Year():
		return d.Theme.Time(t, "2 Jan")
	}
	return t.Format("2006")
}

// Muted reports whether nothing new of a contact is announced.
func (d *Desk) Muted(c *api.Contact) bool { return c.MutedUntil.After(d.Now()) }

// Act does the action of the top dialog, and shows the one that waited for it.
func (d *Desk) Act(action dialog.Action) tea.Cmd {
	return tea.Batch(d.Dialogs.Act(action), d.Surface())
}

// Warn opens a dialog that nobody asked for.
func (d *Desk) Warn(card *dialog.Card) tea.Cmd {
	d.Dialogs.Volunteer(card)
	return d.Surface()
}

// Surface begins the grace of such a dialog once it is on top.
func (d *Desk) Surface() tea.Cmd {
	if !d.Dialogs.Surfaced() {
		return nil
	}
	return d.Later(dialog.Grace, func() tea.Cmd {
		d.Dialogs.Ready()
		return nil
	})
}

// A Confirmation is a question before something that cannot be taken back.
type Confirmation struct {
	Title, Text, Label string
	Then               func() tea.Cmd
}

// Withdraw asks before something is withdrawn with revoke, and says done then. The dialogs
// that show it are closed.
func (d *Desk) Withdraw(title, text, done string, shown []dialog.Dialog, revoke func(context.Context) error) {
	d.Confirm(Confirmation{Title: title, Text: text, Label: catalogue.Mark("Withdraw"), Then: func() tea.Cmd {
		for _, s := range shown {
			d.Dialogs.Remove(s)
		}
		return d.Do(revoke, func() tea.Cmd { return d.Note(done, false) })
	}})
}

// Confirm opens a confirmation. Its button has the key "y", so that an enter
// that was meant for something else does not press it.
func (d *Desk) Confirm(c Confirmation) {
	d.Dialogs.Open(&dialog.Card{
		Title: c.Title,
		Width: 48,
		Body: func(th *theme.Theme, width, _ int) []string {
			return th.Cells.Wrap(c.Text, width)
		},
		Buttons: []dialog.Button{
			{Label: c.Label, Key: "y", Action: dialog.Closing(c.Then)},
			{Label: "Keep", Key: "esc", Action: dialog.Close},
		},
	})
}
