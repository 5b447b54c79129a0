// Package setup is the first screens: a name and a passphrase for a new
// profile, the passphrase of one that exists. They are drawn, or asked line by
// line where nothing can be drawn.
package setup

import (
	"context"
	"errors"
	"strings"
	"unicode/utf8"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"starling/node/api"
	"starling/tui/catalogue"
	"starling/tui/dialog"
	"starling/tui/preferences"
	"starling/tui/term"
	"starling/tui/theme"
	"starling/tui/words"
)

// ErrCancelled is returned when the person leaves the first screens, ErrDemo
// when they want to look at the demo instead.
var (
	ErrCancelled = errors.New("cancelled")
	ErrDemo      = errors.New("the demo is wanted")
)

// Options are the occasion for the first screens.
type Options struct {
	// Existing: there is a profile; only its passphrase is asked for.
	Existing bool
	// Problem tells why it is asked again.
	Problem string
	// Language is that of the app.
	Language string
	// Demo offers the demo to a new person; the result is then [ErrDemo].
	Demo bool
	// Name and Invite are the answers of a screen before, which need not be given again.
	Name, Invite string
}

// MinPassphrase is the shortest passphrase of a new profile, in characters.
const MinPassphrase = 8

// Result is the answers. Name is empty if the profile exists. Invite is a text with an
// invite in it that was pasted on the way. With Backup, the path of a file, the passphrase is
// that of the backup, and there is no other answer.
type Result struct {
	Name       string
	Passphrase string
	Invite     string
	Backup     string
}

// The words of the first screens. They say no more than docs/THREATMODEL.md.
var (
	who         = catalogue.Mark("Messages are encrypted for your contact alone and go through three relays, each of which sees only its neighbours on the way. Your two entry guards see your address and when you are online; a contact does not, unless a guard is theirs.")
	limits      = catalogue.Mark("Who watches both ends, or runs enough of the relays, can still link you; below about a hundred people online there is little to hide in.")
	unlockIntro = catalogue.Mark("Your profile on this device is encrypted.")
	nameHint    = catalogue.Mark("It need not be your real name.")
	passHint    = catalogue.Mark("It encrypts what Starling keeps on this device; nobody can recover it. Four unrelated words are good.")
)

// Draw asks on the screen for a name and a new passphrase, or, if a profile
// exists, for its passphrase. It returns [ErrCancelled] if the person leaves.
func Draw(ctx context.Context, opts Options) (Result, error) {
	s := New(opts)
	if _, err := tea.NewProgram(s, tea.WithContext(ctx)).Run(); err != nil {
		if ctx.Err() != nil {
			return Result{}, ctx.Err()
		}
		if !errors.Is(err, tea.ErrInterrupted) {
			return Result{}, err
		}
	}
	return s.Result()
}

// Screen is the first screens as a tea.Model.
type Screen struct {
	th            *theme.Theme
	width, height int
	form          *dialog.Form
	dialogs       dialog.Stack
	done, demo    bool
	invite        string // that was pasted
	result        Result
}

// New returns the first screen of a new or an existing profile.
func New(opts Options) *Screen {
	s := &Screen{invite: opts.Invite}
	s.retheme(true, term.Cells{}, catalogue.New(opts.Language))
	t := s.th.T

	field := func(label, hint string, hidden bool) *dialog.Field {
		f := &dialog.Field{Label: label, Hint: hint}
		f.Text.OneLine, f.Text.Hidden, f.Text.Limit = true, hidden, 1024
		return f
	}

	pass := field("Passphrase", "", true)
	if opts.Existing {
		s.form = &dialog.Form{Title: "Starling", Intro: unlockIntro, Label: "Unlock", Fields: []*dialog.Field{pass}, Error: t(opts.Problem)}
		s.form.Submit = func() dialog.Action {
			if pass.Text.Empty() {
				s.form.Error = t("Type your passphrase.")
				return dialog.Action{}
			}
			return s.finish(Result{Passphrase: pass.Text.Value(), Invite: s.invite})
		}
	} else {
		pass.Hint = passHint
		pass.Judge = preferences.Strength()
		name := field("Your name", nameHint, false)
		name.Text.Limit = api.MaxName
		name.Text.SetValue(opts.Name)
		name.Judge = s.kept
		again := field("Passphrase again", "", true)
		s.form = &dialog.Form{Title: "Welcome to Starling", Intro: t(who) + "\n" + t(limits), Label: "Begin", Width: 72, Fields: []*dialog.Field{name, pass, again}, Error: t(opts.Problem)}
		if opts.Demo {
			s.form.More = []dialog.Button{{Label: "Look at the demo", Key: "f2", Action: dialog.Keeping(s.leave)},
				{Label: "Restore a backup", Key: "f3", Action: dialog.Keeping(s.restore)}}
		}
		if opts.Problem != "" && opts.Name != "" {
			s.form.Focus(1)
		}
		s.form.Submit = func() dialog.Action {
			r := Result{Name: strings.TrimSpace(name.Text.Value()), Passphrase: pass.Text.Value(), Invite: s.invite}
			problem, at := wrong(s.th.Words, r, again.Text.Value())
			if problem == "" {
				return s.finish(r)
			}
			s.form.Error = problem
			s.form.Focus(at)
			if at > 0 { // what cannot be read is typed anew
				pass.Text.SetValue("")
				again.Text.SetValue("")
			}
			return dialog.Action{}
		}
	}

	s.dialogs.Open(s.form)
	return s
}

// wrong names the fault in the answers for a new profile and the field that it is in, or "".
func wrong(w *catalogue.Catalogue, r Result, again string) (problem string, field int) {
	switch {
	case r.Name == "":
		return w.Text("Type a name first."), 0
	case isLink(r.Name):
		return w.Text("This is an invite. Type your name here; there is a place for the invite afterwards."), 0
	case utf8.RuneCountInString(r.Passphrase) < MinPassphrase:
		return w.Sprintf("The passphrase is too short: at least %d characters.", MinPassphrase), 1
	case preferences.Refused(r.Passphrase):
		return w.Text("This passphrase is too easy to guess. Four or five words that do not belong together are good."), 1
	case r.Passphrase != again:
		return w.Text("The two passphrases differ. Type both again."), 1
	}
	return "", 0
}

// isLink reports whether a text has something in it that people hand to each other.
func isLink(text string) bool {
	_, ok := words.HandedAny(text)
	return ok
}

// paste keeps an invite that is pasted before there is a profile to use it; any other text
// goes where the cursor is.
func (s *Screen) paste(text string) dialog.Action {
	if s.dialogs.Top() == s.form && len(s.form.Fields) > 1 {
		if link, ok := words.HandedAny(text); ok {
			s.invite, s.form.Error = link, ""
			return dialog.Action{}
		}
	}
	return s.dialogs.Top().Paste(text)
}

// kept says that there is an invite.
func (s *Screen) kept(th *theme.Theme, _ string) string {
	if s.invite == "" {
		return ""
	}
	return th.Good.Render(theme.GlyphSent + " " + th.T("The invite is kept: it is used once you are in."))
}

// Result returns the answers, or ErrCancelled.
func (s *Screen) Result() (Result, error) {
	if s.demo {
		return Result{Invite: s.invite}, ErrDemo
	}
	if !s.done {
		return Result{}, ErrCancelled
	}
	return s.result, nil
}

func (s *Screen) retheme(dark bool, cells term.Cells, words *catalogue.Catalogue) {
	s.th = theme.New(dark, cells)
	s.th.Words = words
}

// Init asks the terminal for its background.
func (s *Screen) Init() tea.Cmd { return tea.RequestBackgroundColor }

// Update applies one message.
func (s *Screen) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		s.width, s.height = msg.Width, msg.Height
	case tea.BackgroundColorMsg:
		s.retheme(msg.IsDark(), s.th.Cells, s.th.Words)
	case tea.ModeReportMsg:
		if msg.Mode == ansi.ModeUnicodeCore && (msg.Value == ansi.ModeReset || msg.Value == ansi.ModeSet || msg.Value == ansi.ModePermanentlySet) {
			s.retheme(s.th.Dark, term.Cells{Graphemes: true}, s.th.Words)
		}
	case tea.KeyPressMsg:
		return s, s.act(s.dialogs.Top().Key(msg))
	case tea.PasteMsg:
		return s, s.act(s.paste(msg.Content))
	case tea.MouseClickMsg:
		return s, s.act(s.dialogs.Click(msg.X, msg.Y))
	}
	return s, nil
}

// act ends the program when the form is closed or done.
func (s *Screen) act(action dialog.Action) tea.Cmd {
	if action.Close && s.dialogs.Top() == s.form {
		return tea.Quit
	}
	return s.dialogs.Act(action)
}

// finish takes the answers.
func (s *Screen) finish(r Result) dialog.Action {
	return dialog.Keeping(func() tea.Cmd {
		s.done, s.result = true, r
		return tea.Quit
	})
}

// restore asks for a backup in place of a new profile.
func (s *Screen) restore() tea.Cmd {
	file := &dialog.Field{Label: "File of the backup"}
	file.Text.OneLine, file.Text.Limit = true, 1024
	pass := &dialog.Field{Label: "Passphrase of the backup"}
	pass.Text.OneLine, pass.Text.Hidden, pass.Text.Limit = true, true, 1024
	f := &dialog.Form{Title: "Restore a backup", Label: "Restore it", Width: 60, Fields: []*dialog.Field{file, pass},
		Intro: "The profile in it becomes the one here, and opens with the passphrase that it had. Never use one profile in two places."}
	f.Submit = func() dialog.Action {
		path := strings.TrimSpace(file.Text.Value())
		if path == "" {
			f.Error = s.th.T("Type the name of the file.")
			return dialog.Action{}
		}
		return s.finish(Result{Backup: words.Absolute(path), Passphrase: pass.Text.Value()})
	}
	s.dialogs.Open(f)
	return nil
}

// leave goes to the demo.
func (s *Screen) leave() tea.Cmd {
	s.demo = true
	return tea.Quit
}

// View draws the form on an empty screen.
func (s *Screen) View() tea.View {
	var v tea.View
	v.AltScreen = true
	v.WindowTitle = "Starling"
	v.MouseMode = tea.MouseModeCellMotion
	if s.width == 0 || s.done || s.demo {
		return v
	}
	screen := make([]string, s.height)
	for i := range screen {
		screen[i] = term.Spaces(s.width)
	}
	v.Cursor = s.dialogs.Draw(s.th, screen, s.width)
	if v.Cursor != nil {
		v.Cursor.Shape = tea.CursorBar
	}
	v.SetContent(strings.Join(screen, "\n"))
	return v
}
