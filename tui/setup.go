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
	"starling/tui/dialog"
	"starling/tui/term"
	"starling/tui/theme"
)

// ErrCancelled is returned when the person leaves the first screens.
var ErrCancelled = errors.New("cancelled")

// MinPassphrase is the shortest passphrase of a new profile, in characters.
const MinPassphrase = 8

// SetupResult is what the first screens asked for. Name is empty if the
// profile exists.
type SetupResult struct {
	Name       string
	Passphrase string
}

// The words of the first screens. They say no more than docs/THREATMODEL.md.
const (
	setupIntro = "Messages are encrypted for your contact alone and go through three relays, each of which sees only its neighbours on the way. Your two entry guards see your address and when you are online; a contact does not, unless a guard is theirs.\n" +
		"Who watches both ends, or runs enough of the relays, can still link you, and below about a hundred people online there is little to hide in."
	unlockText = "Your profile on this device is encrypted."
	nameHint   = "It need not be your real name."
	passHint   = "It encrypts what Starling keeps on this device; nobody can recover it. Four unrelated words are good."
)

// Setup asks for a name and a new passphrase, or, if a profile exists, for
// its passphrase. problem, if given, tells why it asks again. It returns
// [ErrCancelled] if the person leaves.
func Setup(ctx context.Context, existing bool, problem ...string) (SetupResult, error) {
	why := strings.Join(problem, " ")
	if term.Dumb() {
		if !xterm.IsTerminal(int(os.Stdin.Fd())) {
			return SetupResult{}, errors.New("there is no terminal to ask for a passphrase on")
		}
		return setupPlain(os.Stdin, os.Stdout, existing, why, func() (string, error) {
			b, err := xterm.ReadPassword(int(os.Stdin.Fd()))
			fmt.Fprintln(os.Stdout)
			return string(b), err
		})
	}
	s := NewSetup(existing, why)
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
	done          bool
	result        SetupResult
}

// NewSetup returns the first screen of a new or an existing profile.
func NewSetup(existing bool, problem string) *SetupScreen {
	s := &SetupScreen{th: theme.New(true, term.Cells{})}
	field := func(label, hint string, hidden bool) *dialog.Field {
		f := &dialog.Field{Label: label, Hint: hint}
		f.Text.OneLine, f.Text.Hidden, f.Text.Limit = true, hidden, 1024
		return f
	}
	pass := field("Passphrase", "", true)
	if existing {
		s.form = &dialog.Form{Title: "Starling", Intro: unlockText, Label: "Unlock", Fields: []*dialog.Field{pass}, Error: problem}
		s.form.Submit = func() any {
			if pass.Text.Empty() {
				s.form.Error = "Type your passphrase."
				return nil
			}
			return SetupResult{Passphrase: pass.Text.Value()}
		}
	} else {
		pass.Hint = passHint
		name := field("Your name", nameHint, false)
		name.Text.Limit = api.MaxName
		again := field("Passphrase again", "", true)
		s.form = &dialog.Form{Title: "Welcome to Starling", Intro: setupIntro, Label: "Begin", Width: 60, Fields: []*dialog.Field{name, pass, again}, Error: problem}
		s.form.Submit = func() any {
			r := SetupResult{Name: strings.TrimSpace(name.Text.Value()), Passphrase: pass.Text.Value()}
			if s.form.Error = setupError(r, again.Text.Value()); s.form.Error != "" {
				return nil
			}
			return r
		}
	}
	s.dialogs.Open(s.form)
	return s
}

// setupError says what is wrong with the answers for a new profile, or "".
func setupError(r SetupResult, again string) string {
	switch {
	case r.Name == "":
		return "Type a name first."
	case utf8.RuneCountInString(r.Passphrase) < MinPassphrase:
		return fmt.Sprintf("The passphrase is too short: at least %d characters.", MinPassphrase)
	case r.Passphrase != again:
		return "The two passphrases differ. Type both again."
	}
	return ""
}

// Result returns what was typed, or ErrCancelled.
func (s *SetupScreen) Result() (SetupResult, error) {
	if !s.done {
		return SetupResult{}, ErrCancelled
	}
	return s.result, nil
}

// Init asks the terminal for its background.
func (s *SetupScreen) Init() tea.Cmd { return tea.RequestBackgroundColor }

// Update applies one message.
func (s *SetupScreen) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		s.width, s.height = msg.Width, msg.Height
	case tea.BackgroundColorMsg:
		s.th = theme.New(msg.IsDark(), s.th.Cells)
	case tea.ModeReportMsg:
		if msg.Mode == ansi.ModeUnicodeCore && (msg.Value == ansi.ModeReset || msg.Value == ansi.ModeSet || msg.Value == ansi.ModePermanentlySet) {
			s.th = theme.New(s.th.Dark, term.Cells{Graphemes: true})
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
	if s.width == 0 || s.done {
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
func setupPlain(in io.Reader, out io.Writer, existing bool, problem string, secret func() (string, error)) (SetupResult, error) {
	var r SetupResult
	if problem != "" {
		fmt.Fprintln(out, problem)
	}
	if existing {
		fmt.Fprint(out, unlockText, "\nPassphrase: ")
		pass, err := secret()
		r.Passphrase = pass
		return r, err
	}
	fmt.Fprint(out, "Welcome to Starling. ", setupIntro, "\n")
	lines := bufio.NewScanner(in)
	for {
		fmt.Fprint(out, "Your name (", nameHint, "): ")
		if !lines.Scan() {
			return SetupResult{}, errors.Join(ErrCancelled, lines.Err())
		}
		r.Name = strings.TrimSpace(lines.Text())
		fmt.Fprint(out, passHint, "\nPassphrase: ")
		pass, err := secret()
		if err != nil {
			return SetupResult{}, err
		}
		fmt.Fprint(out, "Passphrase again: ")
		again, err := secret()
		if err != nil {
			return SetupResult{}, err
		}
		r.Passphrase = pass
		wrong := setupError(r, again)
		if wrong == "" {
			return r, nil
		}
		fmt.Fprintln(out, wrong)
	}
}
