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

// A long label is read whole where there is room for it, and cut where there is none.
func TestMenuGrowsWithItsLabels(t *testing.T) {
	long := "admin: lets people in and out, and changes the settings"
	m := &Menu{Title: "T", Items: []Item{{Label: "One", Key: "o"}, {Label: long, Key: "a"}}}
	if s := ansi.Strip(strings.Join(m.Render(th, 80, 24).Lines, "\n")); !strings.Contains(s, long+" ") {
		t.Errorf("shows\n%s", s)
	}
	for _, width := range []int{40, 60} {
		for _, l := range m.Render(th, width, 24).Lines {
			if n := th.Cells.Width(l); n > width {
				t.Errorf("a line of %d cells in %d", n, width)
			}
		}
	}
	m.Items[1].Label = strings.Repeat(long, 9)
	if box := m.Render(th, 500, 24); box.Width > 90 {
		t.Errorf("%d cells wide", box.Width)
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
