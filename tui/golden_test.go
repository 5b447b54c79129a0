package tui_test

import (
	"testing"

	"starling/tui"
	"starling/tui/tuitest"
)

// TestGoldenConversation holds the screens of everything that can be done with
// messages and conversations, and of safety.
func TestGoldenConversation(t *testing.T) {
	sizes := []struct {
		name string
		w, h int
	}{{"200x60", 200, 60}, {"120x40", 120, 40}, {"80x24", 80, 24}, {"40x10", 40, 10}}
	screens := []struct {
		name string
		keys []string
		sees string
	}{
		{"rich", nil, "And that one?"},
		{"menu", []string{"esc", "k", "enter"}, "Message"},
		{"react", []string{"esc", "k", "+", "r", "o"}, "rocket"},
		{"delete", []string{"esc", "k", "d"}, "Delete this message?"},
		{"reply", []string{"alt+r", "y", "e", "s"}, "› yes"},
		{"find", []string{"ctrl+s", "t", "h", "e"}, "The ferry"},
		{"kept", []string{"esc", "c"}, "Pinned to the top"},
		{"timer", []string{"esc", "t"}, "Disappear after"},
		{"settings", []string{"f7"}, "Tell contacts that you are writing"},
		{"backup", []string{"f8"}, "New file"},
		{"wipe", []string{"f9"}, "Destroy everything here?"},
		{"locked", []string{"f6"}, "Passphrase"},
	}
	for _, size := range sizes {
		for _, s := range screens {
			if size.h > 40 && s.name != "rich" && s.name != "find" {
				continue
			}
			t.Run(s.name+"_"+size.name, func(t *testing.T) {
				node := tuitest.NewNode(clock)
				tuitest.People(node)
				tuitest.Rich(node)
				u := tuitest.NewUserAt(t, node, tui.Options{Now: clock, Language: "en"}, size.w, size.h)
				if size.w < 60 {
					u.Enter() // the list comes first
				}
				u.Expect().Sees("And that one?", "carol  11:41")
				for _, key := range s.keys {
					u.Press(key).Expect().SeesNot("loading older")
				}
				u.Expect().Sees(s.sees)
				checkFrame(t, u, size.w, size.h, s.name)
				golden(t, s.name+"_"+size.name, u.Screen())
			})
		}
	}
}
