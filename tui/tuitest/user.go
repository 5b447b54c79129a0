package tuitest

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"starling/node/api"
	"starling/tui"
	"starling/tui/term"
)

// patience is how long an expectation waits for the app, and a real network, to
// come to it.
const patience = 20 * time.Second

// User drives the app as a person does: it types, clicks and looks at the
// screen. It works on any node, so the same stories can be told to a real one.
type User struct {
	t    testing.TB
	app  tea.Model
	msgs chan tea.Msg

	width, height int
	screen        []string
	view          tea.View
	clipboard     string
	raw           string // written past the renderer
	quit          bool
	keys          int // pressed, and pastes
	pending       int // commands that have not answered
}

// done is the answer of a command.
type done struct{ msg tea.Msg }

// restless is how long the user waits for the answers to one keystroke before
// going on. Some take their time on purpose.
const restless = 50 * time.Millisecond

// NewUser starts the app on a node at 80×24 and ends it with the test.
func NewUser(t testing.TB, node api.Node, opts tui.Options) *User {
	t.Helper()
	return NewUserAt(t, node, opts, 80, 24)
}

// NewUserAt starts the app on a terminal of a size.
func NewUserAt(t testing.TB, node api.Node, opts tui.Options, width, height int) *User {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	if opts.After == nil {
		opts.After = func(time.Duration, tea.Msg) tea.Cmd { return nil }
	}

	if opts.Stroke == nil {
		opts.Stroke = slowly()
	}

	app := tui.New(ctx, node, opts)
	u := newUser(t, app, width, height)

	followed := make(chan struct{})
	heard := make(chan struct{})
	var once sync.Once
	send := u.send(ctx)
	go func() {
		defer close(followed)
		app.Follow(ctx, func(msg tea.Msg) {
			send(msg)
			once.Do(func() { close(heard) })
		})
	}()

	// Events from now on must be heard; a silent node is given a moment.
	select {
	case <-heard:
	case <-time.After(time.Second):
	}

	t.Cleanup(func() {
		cancel()
		<-followed
	})
	return u
}

// slowly is the clock of somebody who types one key a second.
func slowly() func() time.Time {
	var at time.Time
	return func() time.Time {
		at = at.Add(time.Second)
		return at
	}
}

// NewUserOf starts any screen, such as the first ones.
func NewUserOf(t testing.TB, model tea.Model) *User {
	t.Helper()
	return newUser(t, model, 80, 24)
}

func newUser(t testing.TB, model tea.Model, width, height int) *User {
	u := &User{t: t, app: model, msgs: make(chan tea.Msg, 1024)}
	u.run(model.Init())
	return u.Resize(width, height)
}

func (u *User) send(ctx context.Context) func(tea.Msg) {
	return func(msg tea.Msg) {
		select {
		case u.msgs <- msg:
		case <-ctx.Done():
		}
	}
}

// update gives the app a message and runs the resulting commands.
func (u *User) update(msg tea.Msg) {
	if d, ok := msg.(done); ok {
		u.pending--
		msg = d.msg
	}

	switch msg := msg.(type) {
	case nil:
		return
	case tea.QuitMsg:
		u.quit = true
		return
	case tea.BatchMsg:
		for _, cmd := range msg {
			u.run(cmd)
		}
		return
	}

	if raw, ok := msg.(tea.RawMsg); ok {
		u.raw += fmt.Sprint(raw.Msg)
		return
	}
	if v := reflect.ValueOf(msg); v.Type().String() == "tea.setClipboardMsg" {
		u.clipboard = v.String()
		return
	}

	_, cmd := u.app.Update(msg)
	u.run(cmd)
	u.draw()
}

func (u *User) run(cmd tea.Cmd) {
	if cmd != nil {
		u.pending++
		go func() { u.msgs <- done{cmd()} }()
	}
}

func (u *User) draw() {
	u.view = u.app.View()
	u.screen = strings.Split(ansi.Strip(u.view.Content), "\n")
}

// Do gives the app a message of Bubble Tea.
func (u *User) Do(msg tea.Msg) *User {
	u.drain()
	u.update(msg)
	timer := time.NewTimer(restless)
	defer timer.Stop()
	for u.pending > 0 {
		select {
		case msg := <-u.msgs:
			u.update(msg)
		case <-timer.C:
			return u
		}
	}
	u.drain()
	return u
}

// drain takes the messages of the meantime.
func (u *User) drain() {
	for {
		select {
		case msg := <-u.msgs:
			u.update(msg)
		default:
			return
		}
	}
}

// Resize changes the size of the terminal.
func (u *User) Resize(width, height int) *User {
	u.width, u.height = width, height
	return u.Do(tea.WindowSizeMsg{Width: width, Height: height})
}

// Keys counts the keys that were pressed so far, and pastes as one each. The letters of
// [User.Type] are not counted.
func (u *User) Keys() int { return u.keys }

// Type types text.
func (u *User) Type(text string) *User {
	for _, r := range text {
		u.Do(tea.KeyPressMsg{Code: r, Text: string(r)})
	}
	return u
}

// Press presses keys, named as Bubble Tea names them: "ctrl+k", "esc", "j".
func (u *User) Press(keys ...string) *User {
	for _, k := range keys {
		u.keys++
		u.Do(Key(k))
	}
	return u
}

// Enter presses enter.
func (u *User) Enter() *User { return u.Press("enter") }

// Paste pastes text.
func (u *User) Paste(text string) *User {
	u.keys++
	return u.Do(tea.PasteMsg{Content: text})
}

// Open goes to a conversation by the switcher.
func (u *User) Open(name string) *User {
	u.t.Helper()
	u.Expect().Sees(name)
	return u.Press("ctrl+k").Type(name).Enter()
}

// Click clicks on a text on the screen.
func (u *User) Click(text string) *User {
	u.t.Helper()
	u.Expect().Sees(text)
	for y, line := range u.screen {
		if i := strings.Index(line, text); i >= 0 {
			return u.ClickAt(term.Cells{}.Width(line[:i]), y)
		}
	}
	return u
}

// ClickAt clicks at a cell.
func (u *User) ClickAt(x, y int) *User {
	return u.Do(tea.MouseClickMsg{X: x, Y: y, Button: tea.MouseLeft})
}

// Wheel turns the wheel at a cell, up if negative.
func (u *User) Wheel(x, y, notches int) *User {
	button := tea.MouseWheelDown
	if notches < 0 {
		button, notches = tea.MouseWheelUp, -notches
	}
	for range notches {
		u.Do(tea.MouseWheelMsg{X: x, Y: y, Button: button})
	}
	return u
}

// Screen returns the text on the screen, without trailing spaces.
func (u *User) Screen() string {
	u.drain()
	lines := make([]string, len(u.screen))
	for i, l := range u.screen {
		lines[i] = strings.TrimRight(l, " ")
	}
	return strings.Join(lines, "\n")
}

// View returns the last frame.
func (u *User) View() tea.View {
	u.drain()
	return u.view
}

// Clipboard returns the text copied last.
func (u *User) Clipboard() string {
	u.drain()
	return u.clipboard
}

// Raw returns the bytes written past the renderer since the last call.
func (u *User) Raw() string {
	u.drain()
	raw := u.raw
	u.raw = ""
	return raw
}

// Expect begins an expectation about the screen.
func (u *User) Expect() *Expectation { return &Expectation{u: u} }

// Expectation is a set of conditions for the screen. Each method waits for it.
type Expectation struct {
	u    *User
	line string // the one that is spoken of
}

func (e *Expectation) wait(what string, ok func() bool) *Expectation {
	u := e.u
	u.t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	for {
		u.drain()
		if ok() {
			return e
		}
		select {
		case msg := <-u.msgs:
			u.update(msg)
		case <-deadline.C:
			u.t.Fatalf("waited in vain for %s; the screen is\n%s", what, u.Screen())
		}
	}
}

// User returns to the user.
func (e *Expectation) User() *User { return e.u }

// Sees waits for texts to be on the screen.
func (e *Expectation) Sees(texts ...string) *Expectation {
	e.u.t.Helper()
	for _, text := range texts {
		e.wait(fmt.Sprintf("%q", text), func() bool { return e.find(text) != "" })
	}
	return e
}

// SeesNot waits for texts to be gone.
func (e *Expectation) SeesNot(texts ...string) *Expectation {
	e.u.t.Helper()
	for _, text := range texts {
		e.wait(fmt.Sprintf("no %q", text), func() bool { return e.find(text) == "" })
	}
	return e
}

func (e *Expectation) find(text string) string {
	for i := len(e.u.screen) - 1; i >= 0; i-- {
		if strings.Contains(e.u.screen[i], text) {
			return e.u.screen[i]
		}
	}
	return ""
}

// Message waits for a line of a message and speaks of it.
func (e *Expectation) Message(text string) *Expectation {
	e.u.t.Helper()
	e.Sees(text)
	e.line = text
	return e
}

// State waits for the state of the message that is spoken of.
func (e *Expectation) State(s api.State) *Expectation {
	e.u.t.Helper()
	return e.wait(fmt.Sprintf("%q to be %s", e.line, s), func() bool {
		for _, l := range e.u.screen {
			if strings.Contains(l, e.line) && strings.HasSuffix(strings.TrimRight(e.pane(l), " "), " "+string(s)) {
				return true
			}
		}
		return false
	})
}

// pane cuts the details off a line.
func (e *Expectation) pane(l string) string {
	if i := strings.LastIndex(l, "│"); i >= 0 && strings.Count(l, "│") > 1 {
		return l[:i]
	}
	return l
}

// Status waits for text in the status bar: the last row, and those above it that a long
// notice has taken.
func (e *Expectation) Status(text string) *Expectation {
	e.u.t.Helper()
	return e.wait(fmt.Sprintf("%q in the status bar", text), func() bool {
		bar := ""
		for i, l := range slices.Backward(e.u.screen) {
			if i < len(e.u.screen)-1 && strings.ContainsAny(l, "│─›") {
				break
			}
			bar = strings.TrimSpace(l) + " " + bar
		}
		return strings.Contains(bar, text)
	})
}

// Quit waits for the app to end.
func (e *Expectation) Quit() *Expectation {
	e.u.t.Helper()
	return e.wait("the end", func() bool { return e.u.quit })
}

// That waits for anything.
func (e *Expectation) That(what string, ok func() bool) *Expectation {
	e.u.t.Helper()
	return e.wait(what, ok)
}

var keyCodes = map[string]rune{
	"enter": tea.KeyEnter, "esc": tea.KeyEscape, "tab": tea.KeyTab, "space": tea.KeySpace,
	"up": tea.KeyUp, "down": tea.KeyDown, "left": tea.KeyLeft, "right": tea.KeyRight,
	"home": tea.KeyHome, "end": tea.KeyEnd, "pgup": tea.KeyPgUp, "pgdown": tea.KeyPgDown,
	"backspace": tea.KeyBackspace, "delete": tea.KeyDelete,
	"f1": tea.KeyF1, "f2": tea.KeyF2, "f3": tea.KeyF3, "f4": tea.KeyF4, "f5": tea.KeyF5,
	"f6": tea.KeyF6, "f7": tea.KeyF7, "f8": tea.KeyF8, "f9": tea.KeyF9, "f10": tea.KeyF10, "f11": tea.KeyF11, "f12": tea.KeyF12,
}

// Key makes a keystroke of its name.
func Key(name string) tea.KeyPressMsg {
	var k tea.KeyPressMsg
	for {
		if rest, ok := strings.CutPrefix(name, "ctrl+"); ok {
			k.Mod, name = k.Mod|tea.ModCtrl, rest
		} else if rest, ok := strings.CutPrefix(name, "alt+"); ok {
			k.Mod, name = k.Mod|tea.ModAlt, rest
		} else if rest, ok := strings.CutPrefix(name, "shift+"); ok {
			k.Mod, name = k.Mod|tea.ModShift, rest
		} else {
			break
		}
	}
	if code, ok := keyCodes[name]; ok {
		k.Code = code
		return k
	}
	k.Code = []rune(name)[0]
	if k.Mod == 0 {
		k.Text = name
	}
	return k
}
