package dialog

import (
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
)

func TestMenu(t *testing.T) {
	m := &Menu{Title: "T", Items: []Item{{Label: "One", Key: "o", Action: says(1)}, {Label: "Retry", Key: "R", Action: says(2)}, {Label: "Three", Action: says(3)}}}
	box := m.Render(th, 80, 24)
	if s := ansi.Strip(strings.Join(box.Lines, "\n")); !strings.Contains(s, "Retry") || !box.Cursor {
		t.Errorf("shows\n%s", s)
	}
	if got := keys(t, m, tea.KeyPressMsg{Code: 'r', Text: "R", Mod: tea.ModShift}); got != 2 {
		t.Errorf("R chose %v", got)
	}
	if got := keys(t, m, down, down, down, enter); got != 3 {
		t.Errorf("chose %v", got)
	}
	if got := done(m.Click(5, m.from)); got != 1 {
		t.Errorf("a click chose %v", got)
	}
	if got := done(m.Click(5, 0)); got != nil {
		t.Errorf("a click on the border chose %v", got)
	}
	if !presses(t, m, esc).Close {
		t.Error("esc does not close")
	}
}

func TestVolunteerHasGrace(t *testing.T) {
	var s Stack
	asked, came := &Card{Title: "asked"}, &Card{Title: "came"}
	s.Open(asked)
	s.Volunteer(came)
	if s.Top() != Dialog(asked) || s.Surfaced() {
		t.Fatal("it came before what was open")
	}
	s.Close()
	if s.Top() != Dialog(came) || s.Keys() != nil {
		t.Error("it takes keys at once")
	}
	if s.Ready() {
		t.Error("its grace was over before it began")
	}
	if !s.Surfaced() || s.Surfaced() {
		t.Error("its grace begins not once")
	}
	if !s.Ready() || s.Ready() || s.Keys() != Dialog(came) {
		t.Error("it takes no keys after its grace")
	}
	s.Open(asked)
	if s.Keys() != Dialog(asked) {
		t.Error("one that was asked for has no keys")
	}
}
