package tui

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
	xterm "golang.org/x/term"

	"starling/node/api"
	"starling/tui/catalogue"
	"starling/tui/dialog"
	"starling/tui/term"
	"starling/tui/theme"
)

// ErrCancelled is returned when the person leaves the first screens, ErrDemo
// when they want to look at the demo instead.
var (
	ErrCancelled = errors.New("cancelled")
	ErrDemo      = errors.New("the demo is wanted")
)

// SetupOptions say what the first screens are for.
type SetupOptions struct {
	// Existing: there is a profile; only its passphrase is asked for.
	Existing bool
	// Problem tells why it is asked again.
	Problem string
	// Language is as in [Options].
	Language string
	// Demo offers the demo to a new person; Setup then returns [ErrDemo].
	Demo bool
}

// MinPassphrase is the shortest passphrase of a new profile, in characters.
const MinPassphrase = 8

// SetupResult is what the first screens asked for. Name is empty if the
// profile exists.
type SetupResult struct {
	Name       string
	Passphrase string
}

// The words of the first screens. They say no more than docs/THREATMODEL.md.
var (
	setupWho    = catalogue.Mark("Messages are encrypted for your contact alone and go through three relays, each of which sees only its neighbours on the way. Your two entry guards see your address and when you are online; a contact does not, unless a guard is theirs.")
	setupLimits = catalogue.Mark("Who watches both ends, or runs enough of the relays, can still link you, and below about a hundred people online there is little to hide in.")
	unlockIntro = catalogue.Mark("Your profile on this device is encrypted.")
	nameHint    = catalogue.Mark("It need not be your real name.")
	passHint    = catalogue.Mark("It encrypts what Starling keeps on this device; nobody can recover it. Four unrelated words are good.")
)

// Setup asks for a name and a new passphrase, or, if a profile exists, for
// its passphrase. It returns [ErrCancelled] if the person leaves.
func Setup(ctx context.Context, opts SetupOptions) (SetupResult, error) {
	if term.Dumb() {
		if !xterm.IsTerminal(int(os.Stdin.Fd())) {
			return SetupResult{}, errors.New("there is no terminal to ask for a passphrase on")
		}
		return setupPlain(os.Stdin, os.Stdout, opts, func() (string, error) {
			b, err := xterm.ReadPassword(int(os.Stdin.Fd()))
			fmt.Fprintln(os.Stdout)
			return string(b), err
		})
	}
	s := NewSetup(opts)
	if _, err := tea.NewProgram(s, tea.WithContext(ctx)).Run(); err != nil {
		if ctx.Err() != nil {
			return SetupResult{}, ctx.Err()
		}
		if !errors.Is(err, tea.ErrInterrupted) {
			return SetupResult{}, err
		}
	}
	return s.Result()
}

// SetupScreen is the first screens as a tea.Model.
type SetupScreen struct {
	th            *theme.Theme
	width, height int
	form          *dialog.Form
	dialogs       dialog.Stack
	done, demo    bool
	result        SetupResult
}

// NewSetup returns the first screen of a new or an existing profile.
func NewSetup(opts SetupOptions) *SetupScreen {
	s := &SetupScreen{}
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
		s.form.Submit = func() any {
			if pass.Text.Empty() {
				s.form.Error = t("Type your passphrase.")
				return nil
			}
			return SetupResult{Passphrase: pass.Text.Value()}
		}
	} else {
		pass.Hint = passHint
		name := field("Your name", nameHint, false)
		name.Text.Limit = api.MaxName
		again := field("Passphrase again", "", true)
		s.form = &dialog.Form{Title: "Welcome to Starling", Intro: t(setupWho) + "\n" + t(setupLimits), Label: "Begin", Width: 60, Fields: []*dialog.Field{name, pass, again}, Error: t(opts.Problem)}
		if opts.Demo {
			s.form.More = []dialog.Button{{Label: "Look at the demo", Key: "f2", Action: ErrDemo}}
		}
		s.form.Submit = func() any {
			r := SetupResult{Name: strings.TrimSpace(name.Text.Value()), Passphrase: pass.Text.Value()}
			if s.form.Error = setupError(s.th.Words, r, again.Text.Value()); s.form.Error != "" {
				return nil
			}
			return r
		}
	}
	s.dialogs.Open(s.form)
	return s
}

// setupError says what is wrong with the answers for a new profile, or "".
func setupError(w *catalogue.Catalogue, r SetupResult, again string) string {
	switch {
	case r.Name == "":
		return w.Text("Type a name first.")
	case utf8.RuneCountInString(r.Passphrase) < MinPassphrase:
		return w.Sprintf("The passphrase is too short: at least %d characters.", MinPassphrase)
	case r.Passphrase != again:
		return w.Text("The two passphrases differ. Type both again.")
	}
	return ""
}

// Result returns what was typed, or ErrCancelled.
func (s *SetupScreen) Result() (SetupResult, error) {
	if s.demo {
		return SetupResult{}, ErrDemo
	}
	if !s.done {
		return SetupResult{}, ErrCancelled
	}
	return s.result, nil
}

func (s *SetupScreen) retheme(dark bool, cells term.Cells, words *catalogue.Catalogue) {
	s.th = theme.New(dark, cells)
	s.th.Words = words
}

// Init asks the terminal for its background.
func (s *SetupScreen) Init() tea.Cmd { return tea.RequestBackgroundColor }

// Update applies one message.
func (s *SetupScreen) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
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
		return s, s.act(s.form.Key(msg))
	case tea.PasteMsg:
		return s, s.act(s.form.Paste(msg.Content))
	case tea.MouseClickMsg:
		return s, s.act(s.dialogs.Click(msg.X, msg.Y))
	}
	return s, nil
}

func (s *SetupScreen) act(action any) tea.Cmd {
	switch action := dialog.Act(s.form, action).(type) {
	case dialog.Close:
		return tea.Quit
	case error:
		s.demo = true
		return tea.Quit
	case SetupResult:
		s.done, s.result = true, action
		return tea.Quit
	}
	return nil
}

// View draws the form on an empty screen.
func (s *SetupScreen) View() tea.View {
	var v tea.View
	v.AltScreen = true
	v.WindowTitle = title
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

// setupPlain asks line by line. secret reads a line without showing it.
func setupPlain(in io.Reader, out io.Writer, opts SetupOptions, secret func() (string, error)) (SetupResult, error) {
	var r SetupResult
	w := catalogue.New(opts.Language)
	if opts.Problem != "" {
		fmt.Fprintln(out, w.Text(opts.Problem))
	}
	if opts.Existing {
		fmt.Fprintf(out, "%s\n%s: ", w.Text(unlockIntro), w.Text("Passphrase"))
		pass, err := secret()
		r.Passphrase = pass
		return r, err
	}
	fmt.Fprintf(out, "%s. %s\n%s\n", w.Text("Welcome to Starling"), w.Text(setupWho), w.Text(setupLimits))
	if opts.Demo {
		fmt.Fprintln(out, w.Text("To look at it first, type /demo as the name."))
	}
	lines := bufio.NewScanner(in)
	for {
		fmt.Fprintf(out, "%s (%s) ", w.Text("Your name"), w.Text(nameHint))
		if !lines.Scan() {
			return SetupResult{}, errors.Join(ErrCancelled, lines.Err())
		}
		r.Name = strings.TrimSpace(lines.Text())
		if opts.Demo && r.Name == "/demo" {
			return SetupResult{}, ErrDemo
		}
		fmt.Fprintf(out, "%s\n%s: ", w.Text(passHint), w.Text("Passphrase"))
		pass, err := secret()
		if err != nil {
			return SetupResult{}, err
		}
		fmt.Fprintf(out, "%s: ", w.Text("Passphrase again"))
		again, err := secret()
		if err != nil {
			return SetupResult{}, err
		}
		r.Passphrase = pass
		wrong := setupError(w, r, again)
		if wrong == "" {
			return r, nil
		}
		fmt.Fprintln(out, wrong)
	}
}
