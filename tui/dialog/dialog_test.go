package dialog

import (
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"starling/tui/term"
	"starling/tui/theme"
)

var th = theme.New(true, term.Cells{})

// said is the result of the last action.
var said any

// says returns an action that says something.
func says(what any) Action {
	return Keeping(func() tea.Cmd { said = what; return nil })
}

// done does an action and returns its result, nil for nothing.
func done(a Action) any {
	said = nil
	if a.Do != nil {
		a.Do()
	}
	return said
}

// presses gives keys to a dialog and returns the action of the last.
func presses(t *testing.T, d Dialog, pressed ...tea.KeyPressMsg) (action Action) {
	t.Helper()
	for _, k := range pressed {
		action = d.Key(k)
		d.Render(th, 80, 20)
	}
	return action
}

// keys returns the result of the action of the last key.
func keys(t *testing.T, d Dialog, pressed ...tea.KeyPressMsg) any {
	t.Helper()
	return done(presses(t, d, pressed...))
}

func text(s string) (out []tea.KeyPressMsg) {
	for _, r := range s {
		out = append(out, tea.KeyPressMsg{Code: r, Text: string(r)})
	}
	return out
}

var (
	enter = tea.KeyPressMsg{Code: tea.KeyEnter}
	esc   = tea.KeyPressMsg{Code: tea.KeyEscape}
	down  = tea.KeyPressMsg{Code: tea.KeyDown}
)

func labels(names ...string) (out []Choice) {
	for _, l := range names {
		out = append(out, Choice{Label: l, Action: says(l)})
	}
	return out
}

func TestFind(t *testing.T) {
	all := labels("Rename the contact", "Retry a failed message", "Remove the contact", "Invite somebody", "Network", "Old Friend", "李明")
	for _, c := range []struct{ query, want string }{
		{"", "Rename the contact"},
		{"re", "Rename the contact"},
		{"retry", "Retry a failed message"},
		{"contact", "Rename the contact"},
		{"somebody", "Invite somebody"},
		{"of", "Old Friend"}, // first letters of words
		{"rvc", "Remove the contact"},
		{"李", "李明"},
		{"NET", "Network"},
	} {
		got := Find(all, c.query)
		if len(got) == 0 || got[0].Label != c.want {
			t.Errorf("%q finds %v first, want %q", c.query, got, c.want)
		}
	}
	if got := Find(all, "zzz"); len(got) != 0 {
		t.Errorf("zzz finds %v", got)
	}
}

func TestPicker(t *testing.T) {
	p := NewPicker("Title", "hint", "none", labels("alpha", "beta", "gamma"))
	p.Render(th, 80, 24)
	if got := keys(t, p, down, enter); got != "beta" {
		t.Errorf("chose %v", got)
	}
	keys(t, p, text("gam")...)
	if got := keys(t, p, enter); got != "gamma" {
		t.Errorf("chose %v", got)
	}
	keys(t, p, text("zzz")...)
	if got := keys(t, p, enter); got != nil {
		t.Errorf("chose %v of nothing", got)
	}
	if !presses(t, p, esc).Close {
		t.Error("esc does not close")
	}
}

func TestFormGoesFieldByField(t *testing.T) {
	type answer struct{ name, choice string }
	name, when := &Field{Label: "Name"}, &Field{Label: "When", Choices: []string{"now", "later"}}
	f := &Form{Title: "T", Label: "Go", Fields: []*Field{name, when}}
	f.Submit = func() Action {
		if name.Text.Empty() {
			f.Error = "no name"
			return Action{}
		}
		return says(answer{name.Text.Value(), when.Choices[when.Chosen]})
	}
	f.Render(th, 80, 24)
	if got := keys(t, f, enter, enter); got != nil || f.Error != "no name" {
		t.Errorf("submitted %v, error %q", got, f.Error)
	}
	keys(t, f, down)
	keys(t, f, text("ann")...)
	if f.Error != "" {
		t.Error("the error stays while it is mended")
	}
	if got := keys(t, f, enter, tea.KeyPressMsg{Code: tea.KeyRight}, enter); got != (answer{"ann", "later"}) {
		t.Errorf("submitted %v", got)
	}
	f.Busy = "working"
	if got := keys(t, f, enter); got != nil {
		t.Errorf("submitted %v while busy", got)
	}
	if !presses(t, f, esc).Close {
		t.Error("a busy form cannot be left")
	}
}

func TestClickOnAButton(t *testing.T) {
	var s Stack
	s.Open(&Card{Title: "T", Body: func(*theme.Theme, int, int) []string { return []string{"text"} },
		Buttons: []Button{{Label: "Yes", Key: "y", Action: says("yes")}, {Label: "No", Key: "esc", Action: Close}}})
	screen := make([]string, 24)
	for i := range screen {
		screen[i] = term.Spaces(80)
	}
	s.Draw(th, screen, 80)
	found := false
	for y, l := range screen {
		l = ansi.Strip(l)
		if x := strings.Index(l, "Yes"); x >= 0 {
			found = true
			if got := done(s.Click(th.Cells.Width(l[:x]), y)); got != "yes" {
				t.Errorf("click gives %v", got)
			}
		}
		if len(screen[y]) > 0 && th.Cells.Width(screen[y]) != 80 {
			t.Errorf("line %d has %d cells", y, th.Cells.Width(screen[y]))
		}
	}
	if !found {
		t.Error("no button is drawn")
	}
	if got := done(s.Click(0, 0)); got != nil {
		t.Errorf("a click beside it gives %v", got)
	}
}

func TestLongCardScrolls(t *testing.T) {
	var lines []string
	for i := range 100 {
		lines = append(lines, strings.Repeat("x", i%60))
	}
	lines = append(lines, "the end")
	c := &Card{Title: "T", Body: func(*theme.Theme, int, int) []string { return lines }}
	show := func() string { return ansi.Strip(strings.Join(c.Render(th, 80, 20).Lines, "\n")) }
	if got := show(); strings.Contains(got, "the end") || !strings.Contains(got, "more below") {
		t.Errorf("shows\n%s", got)
	}
	keys(t, c, tea.KeyPressMsg{Code: tea.KeyEnd})
	if got := show(); !strings.Contains(got, "the end") || !strings.Contains(got, "more above") {
		t.Errorf("shows\n%s", got)
	}
	for range 200 {
		keys(t, c, down)
	}
	keys(t, c, tea.KeyPressMsg{Code: tea.KeyUp})
	if got := show(); strings.Contains(got, "the end") {
		t.Errorf("one up from the end still shows\n%s", got)
	}
}

func TestBoxesFitAnyScreen(t *testing.T) {
	dialogs := []Dialog{
		NewPicker("A long title that does not fit", "hint", "none", labels("日本語日本語日本語日本語", strings.Repeat("x", 200))),
		&Card{Title: strings.Repeat("t", 100), Body: func(_ *theme.Theme, w, _ int) []string { return th.Cells.Wrap(strings.Repeat("word ", 200), w) },
			Buttons: []Button{{Label: "A long label", Key: "enter"}, {Label: "Another one", Key: "x"}, {Label: "Third", Key: "esc"}}},
		&Form{Title: "T", Intro: strings.Repeat("intro ", 50), Label: "Go", Fields: []*Field{{Label: "Name", Hint: "hint"}, {Label: "Choice", Choices: []string{"1 hour", "24 hours", "7 days"}}}, Error: strings.Repeat("error ", 30)},
	}
	for _, size := range [][2]int{{40, 10}, {49, 15}, {50, 16}, {80, 24}, {300, 100}} {
		for _, d := range dialogs {
			box := d.Render(th, size[0], size[1])
			if len(box.Lines) > size[1] || box.Width > size[0] {
				t.Errorf("%T takes %d×%d of %v", d, box.Width, len(box.Lines), size)
			}
			for _, l := range box.Lines {
				if n := th.Cells.Width(l); n != box.Width {
					t.Errorf("%T at %v: %q has %d cells, not %d", d, size, ansi.Strip(l), n, box.Width)
				}
			}
		}
	}
}

// A name is found without the marks that a keyboard may not have, behind those that have none.
func TestFindWithoutMarks(t *testing.T) {
	all := []Choice{{Label: "Größe & Küche"}, {Label: "Zoë"}, {Label: "Фёдор"}, {Label: "Grosser"}, {Label: "Renée"}}
	for query, want := range map[string]string{
		"gro": "Grosser, Größe & Küche", "kuch": "Größe & Küche", "küch": "Größe & Küche", "zoe": "Zoë", "федор": "Фёдор", "renee": "Renée", "größ": "Größe & Küche, Grosser",
	} {
		var got []string
		for _, c := range Find(all, query) {
			got = append(got, c.Label)
		}
		if s := strings.Join(got, ", "); s != want {
			t.Errorf("%q finds %q, not %q", query, s, want)
		}
	}
}
