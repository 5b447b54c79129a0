package tui_test

import (
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"

	"starling/tui"
	"starling/tui/dialog"
	"starling/tui/term"
	"starling/tui/tuitest"
)

// checkFrame checks that a frame fills its screen exactly, with content from any
// writer.
func checkFrame(t *testing.T, u *tuitest.User, width, height int, when string) {
	t.Helper()
	lines := strings.Split(u.View().Content, "\n")
	if len(lines) != height {
		t.Fatalf("%s: %d lines, not %d:\n%s", when, len(lines), height, u.Screen())
	}
	for i, l := range lines {
		if n := (term.Cells{}).Width(l); n != width {
			t.Fatalf("%s: line %d has %d cells, not %d: %q\n%s", when, i, n, width, ansi.Strip(l), u.Screen())
		}
	}
	if c := u.View().Cursor; c != nil && (c.X < 0 || c.X >= width || c.Y < 0 || c.Y >= height) {
		t.Fatalf("%s: cursor at %d,%d", when, c.X, c.Y)
	}
}

func TestGoldenScreens(t *testing.T) {
	sizes := []struct {
		name string
		w, h int
	}{{"120x40", 120, 40}, {"80x24", 80, 24}, {"50x20", 50, 20}, {"40x10", 40, 10}}
	screens := []struct {
		name string
		keys []string
		sees string
	}{
		{"chat", nil, "alice"},
		{"list", []string{"esc", "esc", "j"}, "bob"},
		{"messages", []string{"esc", "k"}, "▌"},
		{"wide", []string{"alt+down", "alt+down"}, "2 new"},
		{"failed", []string{"alt+down", "esc", "k"}, "Did you see"},
		{"switcher", []string{"ctrl+k", "a"}, "Go to"},
		{"palette", []string{"ctrl+p"}, "What to do"},
		{"help", []string{"f1"}, "Help"},
		{"invite", []string{"ctrl+n"}, "Invite somebody"},
		{"add", []string{"ctrl+o"}, "Add a contact"},
		{"verify", []string{"alt+down", "esc", "v"}, "Verify bob"},
		{"network", []string{"f2"}, "Network"},
		{"incognito", []string{"f5"}, "incognito"},
		{"remove", []string{"esc", "D"}, "Remove alice?"},
	}
	for _, size := range sizes {
		for _, s := range screens {
			t.Run(s.name+"_"+size.name, func(t *testing.T) {
				_, _, u := seeded(t)
				u.Resize(size.w, size.h).Expect().Sees("I pass by your street")
				for _, key := range s.keys {
					u.Press(key).Expect().SeesNot("loading older")
				}
				u.Expect().Sees(s.sees)
				checkFrame(t, u, size.w, size.h, s.name)
				golden(t, s.name+"_"+size.name, u.Screen())
			})
		}
		t.Run("reused_"+size.name, func(t *testing.T) {
			node := tuitest.NewNode(clock)
			ids := tuitest.People(node)
			u, pass := patient(t, node, tui.Options{Now: clock, Language: "en"})
			u.Resize(size.w, size.h).Expect().Sees("I pass by your street")
			node.TellInvite("i1", "reused", ids["alice"])
			u.Expect().Sees("An invite was used twice")
			checkFrame(t, u, size.w, size.h, "reused")
			golden(t, "reused_"+size.name, u.Screen())
			pass(dialog.Grace)
			u.Press("esc").Expect().SeesNot("used twice ─").Sees("that matters.")
			checkFrame(t, u, size.w, size.h, "notice")
			golden(t, "notice_"+size.name, u.Screen())
		})
		t.Run("welcome_"+size.name, func(t *testing.T) {
			u := start(t, tuitest.NewNode(clock))
			u.Resize(size.w, size.h).Expect().Sees("Welcome, robin.")
			golden(t, "welcome_"+size.name, u.Screen())
		})
	}
}

func TestHostileFrames(t *testing.T) {
	node, _, u := alone(t)
	tuitest.Attack(node)
	u.Expect().Sees("mallory")
	for _, size := range [][2]int{{40, 10}, {80, 24}, {120, 40}} {
		u.Resize(size[0], size[1])
		for _, key := range []string{"ctrl+k", "m", "a", "enter", "esc", "g", "pgdown", "pgdown", "k", "G", "pgup", "y", "v", "esc", "e", "esc", "D", "esc", "alt+down", "alt+down", "i"} {
			u.Press(key)
			checkFrame(t, u, size[0], size[1], "hostile "+key)
			for _, r := range ansi.Strip(u.View().Content) {
				if r < ' ' && r != '\n' || r >= 0x7f && r < 0xa0 {
					t.Fatalf("control %U on the screen after %s", r, key)
				}
			}
		}
	}
}
