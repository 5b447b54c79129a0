package tui_test

import (
	"regexp"
	"strings"
	"testing"

	"starling/node/api"
	"starling/tui"
	"starling/tui/tuitest"
)

// english are words that no German screen has.
var english = regexp.MustCompile(`\b(the|you|your|is|are|of|with|not|and|to|it|message|messages|somebody|nobody|write|close|keep|esc closes)\b`)

// ids are the names of actions at the right of the help.
var ids = regexp.MustCompile(` {2}[a-z.-]+ {2}│.*`)

func TestNoEnglishOnAGermanScreen(t *testing.T) {
	node := tuitest.NewNode(clock)
	node.SetStatus(func(s *api.Status) {
		s.Anonymity.Statement = "Nothing is sent: there is no route that keeps you anonymous."
		s.Refused = nil
	})
	id := node.Meet("anna")
	node.Meet("otto", func(c *api.Contact) { c.State = api.ContactPending })
	node.Receive(id, "hallo")
	u := tuitest.NewUser(t, node, tui.Options{Now: clock, Language: "de_DE.UTF-8"})
	u.Expect().Sees("anna", "hallo")
	u.Open("anna").Type("x").Enter()
	look := func(after string) {
		t.Helper()
		for _, l := range strings.Split(u.Screen(), "\n") {
			l = ids.ReplaceAllString(l, "")
			if w := english.FindString(l); w != "" {
				t.Errorf("after %s: %q in %q", after, w, l)
			}
		}
	}
	for _, key := range []string{"f1", "esc", "f2", "pgdown", "pgdown", "esc", "f3", "f4", "f4", "f5", "f5", "f7", "esc", "f8", "enter", "enter", "enter", "esc", "f9", "esc", "f10",
		"ctrl+k", "esc", "ctrl+n", "enter", "enter", "esc", "ctrl+o", "enter", "enter", "esc", "ctrl+s", "x", "esc", "alt+m", "esc", "alt+r", "esc", "alt+e", "esc", "ctrl+c",
		"esc", "k", "enter", "esc", "+", "esc", "d", "esc", "f", "esc", "o", "z", "u", "R", "x", "y", "v", "c", "esc", "esc", "E", "esc", "b", "esc", "D", "esc", "c", "esc", "p", "m", "m", "t", "esc", "a", "A", "A", "a", "n", "esc", "?", "esc", "I", "esc"} {
		u.Press(key)
		look(key)
		u.Resize(120, 40)
		look(key)
		u.Resize(80, 24)
	}
	u.Press("f6").Type("wrong").Enter().Expect().Sees("Das war nicht die Passphrase.")
	look("the lock")
}

func TestRussianFitsTheSmallestScreen(t *testing.T) {
	node := tuitest.NewNode(clock)
	tuitest.People(node)
	tuitest.Rich(node)
	u := tuitest.NewUserAt(t, node, tui.Options{Now: clock, Language: "ru"}, 40, 10)
	u.Expect().Sees("carol")
	for _, size := range [][2]int{{40, 10}, {60, 14}, {100, 30}} {
		u.Resize(size[0], size[1])
		for _, key := range []string{"esc", "k", "enter", "esc", "+", "esc", "d", "esc", "c", "esc", "t", "esc", "f1", "esc", "f2", "esc", "f7", "esc", "f8", "esc", "f9", "esc", "ctrl+n", "esc", "ctrl+s", "t", "esc", "esc", "A", "i"} {
			u.Press(key)
			checkFrame(t, u, size[0], size[1], "russian "+key)
		}
	}
}

// TestLinkInTheListIsTold: of a link that somebody sent the list says what it is, as it has no room for its letters.
func TestLinkInTheListIsTold(t *testing.T) {
	link := "starling-room:" + strings.Repeat("agh3", 90)
	for language, want := range map[string]string{"en": "a room invite", "de": "eine Raumeinladung", "ru": "приглашение в комнату"} {
		node := tuitest.NewNode(clock)
		anna, otto := node.Meet("anna"), node.Meet("otto")
		node.Receive(otto, link)
		node.Receive(anna, "hallo")
		u := tuitest.NewUser(t, node, tui.Options{Now: clock, Language: language})
		u.Resize(120, 40).Expect().Sees("hallo", string([]rune(want)[:12])).SeesNot("starling-room:")
	}
}
