package tui_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"starling/node/api"
	"starling/node/api/safetext"
	"starling/tui"
	"starling/tui/tuitest"
)

func TestAnswer(t *testing.T) {
	node, id, u := alone(t)
	question := node.Receive(id, "At nine or at ten?")
	u.Expect().Sees("alice  12:00", "At nine or at ten?")
	u.Press("alt+r").Expect().Sees("↳ alice  At nine or at ten?", "esc cancels")
	u.Type("Nine.").Enter().Expect().Sees("┃ alice: At nine or at ten?", "Nine.").SeesNot("↳ alice")
	if r := node.Last(id).Reply; r == nil || r.ID != question {
		t.Errorf("answers %+v", r)
	}
	// By its key, and taken back with esc, which keeps the text.
	u.Type("wait").Press("esc", "k", "r").Expect().Sees("↳ alice")
	u.Press("esc").Expect().SeesNot("↳ alice").Sees("› wait")
	u.Enter().Expect().Message("wait").State(api.StateQueued)
	if node.Last(id).Reply != nil {
		t.Error("still answers")
	}
}

func TestRefusedAnswerComesBack(t *testing.T) {
	node, id, u := alone(t)
	node.Receive(id, "well?")
	u.Expect().Sees("alice  12:00", "well?")
	node.Fail("Send", &api.Error{Code: api.CodeDiskFull, Message: "the disk is full"})
	u.Press("alt+r").Type("precious").Enter().Expect().Sees("› precious", "↳ alice  well?")
}

func TestJumpToTheOriginal(t *testing.T) {
	node := tuitest.NewNode(clock)
	id := node.Meet("crowd")
	tuitest.Crowd(node, id, 5000)
	all, _ := node.History(t.Context(), api.HistoryRequest{Contact: id, After: 700, Limit: 1})
	node.ReceiveMessage(id, api.Message{Text: safetext.Line("as you said"), Reply: &api.Quote{ID: all[0].ID, From: all[0].From, Text: all[0].Text}})
	u := start(t, node)
	u.Expect().Sees("as you said")
	number, _, _ := strings.Cut(all[0].Text.String(), " ")
	u.Press("esc", "o").Expect().Sees("▌ "+number, "↓ more")
	// A message that comes meanwhile leaves no gap.
	node.Receive(id, "news")
	u.Expect().Sees("1 new message").SeesNot("  news")
	for range 3 {
		u.Press("pgdown")
	}
	u.Press("G").Expect().Sees("▌ news", "as you said").SeesNot("↓ more")
}

func TestScrollingOnFromTheMiddle(t *testing.T) {
	node := tuitest.NewNode(clock)
	id := node.Meet("crowd")
	tuitest.Crowd(node, id, 600)
	u := start(t, node)
	u.Expect().Sees("600: ")
	u.Press("ctrl+s").Type("299").Expect().Sees("1 message")
	u.Enter().Expect().Sees("▌ 299: ")
	seen := map[string]bool{}
	for range 400 {
		for _, m := range regexp.MustCompile(`│[ ▌] (\d+): `).FindAllStringSubmatch(u.Screen(), -1) {
			seen[m[1]] = true
		}
		if !strings.Contains(u.Screen(), "↓ more") {
			break
		}
		u.Press("j").Expect().SeesNot("loading")
	}
	for n := 300; n <= 600; n++ {
		if !seen[fmt.Sprint(n)] {
			t.Errorf("message %d was not passed", n)
		}
	}
	u.Expect().Sees("▌ 600: ")
}

func TestEdit(t *testing.T) {
	node, id, u := alone(t)
	u.Type("helo").Enter().Expect().Message("helo").State(api.StateQueued)
	m := node.Last(id).ID
	u.Type("half a").Press("esc", "e").Expect().Sees("✎ editing  helo", "› helo")
	u.Press("backspace", "backspace").Type("llo").Enter()
	u.Expect().Sees("  hello", "edited", "› half a").SeesNot("helo")
	if got, _ := node.Message(t.Context(), m); got.Text.String() != "hello" {
		t.Errorf("the node has %q", got.Text)
	}
	// Given up: the text comes back and nothing is asked of the node.
	u.Press("alt+e").Type("XX").Press("esc").Expect().Sees("› half a").SeesNot("XX", "editing")
	node.Fail("Edit", &api.Error{Code: api.CodeTimeout, Message: "it took too long"})
	u.Press("alt+e").Type("!").Enter().Expect().Sees("› hello!", "✎ editing", "It took too long")
	u.Press("esc").Expect().Sees("› half a")
	// A message of the contact cannot be edited.
	node.Receive(id, "theirs")
	u.Expect().Sees("theirs")
	u.Press("esc", "e").Expect().Status("Only a text of your own can be edited.")
}

func TestDelete(t *testing.T) {
	node, id, u := alone(t)
	u.Type("mine").Enter().Type("mine too").Enter().Expect().Message("mine too").State(api.StateQueued)
	node.Receive(id, "theirs")
	u.Expect().Sees("theirs")
	u.Press("esc", "d").Expect().Sees("Delete this message?", "Your contact keeps").SeesNot("Delete for both")
	u.Enter().Expect().Sees("Delete this message?") // not by enter
	u.Press("y").Expect().SeesNot("theirs").Status("Deleted here.")
	u.Press("d").Expect().Sees("Delete for both")
	u.Press("b").Expect().SeesNot("mine too").Sees("This message was taken back.").Status("asked to do the same")
	u.Press("d").Expect().Sees("Delete this message?").SeesNot("Delete for both")
	u.Press("y").Expect().SeesNot("This message was taken back.")
	if !slices.Contains(node.Calls(), "Delete 1 true") {
		t.Errorf("calls: %q", node.Calls())
	}
	// A message that the contact takes back has no text left.
	gone := node.Receive(id, "said too much")
	u.Expect().Sees("said too much")
	node.Change(gone, func(m *api.Message) { m.Deleted, m.Text = true, safetext.Text{} })
	u.Expect().Sees("This message was taken back.", "taken back").SeesNot("said too much")
}

func TestReactions(t *testing.T) {
	node, id, u := alone(t)
	m := node.Receive(id, "it works")
	u.Expect().Sees("it works")
	u.Press("esc", "+").Expect().Sees("👍  thumbs up")
	u.Type("rocket").Enter().Expect().Sees("🚀 you")
	node.Change(m, func(m *api.Message) { m.Reactions = append(m.Reactions, api.Reaction{Emoji: safetext.Line("🎉")}) })
	u.Expect().Sees("🚀 you · 🎉 alice")
	// The last one used comes first, and ours can be taken back.
	u.Press("+").Expect().Sees("Take back 🚀", "🚀  rocket")
	u.Enter().Expect().SeesNot("🚀 you").Sees("🎉 alice")
}

func TestForward(t *testing.T) {
	node, id, u := alone(t)
	bob := node.Meet("bob")
	node.Receive(id, "worth knowing")
	u.Expect().Sees("bob")
	u.Open("alice").Expect().Sees("worth knowing")
	u.Press("esc", "f").Type("bob").Enter().Expect().Status("Forwarded to bob.")
	u.Open("bob").Expect().Sees("↷ forwarded", "worth knowing")
	if m := node.Last(bob); !m.Forwarded || m.Text.String() != "worth knowing" {
		t.Errorf("bob has %+v", m)
	}
}

func TestMenuOffersWhatCanBeDone(t *testing.T) {
	node, id, u := alone(t)
	node.Receive(id, "theirs")
	u.Expect().Sees("theirs")
	u.Press("esc", "enter").Expect().Sees("─ Message ─", "Answer the message", "React with an emoji", "Delete the message").SeesNot("Edit your message", "Retry")
	u.Press("down", "enter").Expect().Sees("─ React ─")
	u.Press("esc", "space").Expect().Sees("─ Message ─")
	u.Press("f").Expect().Sees("─ Forward to ─")
	u.Press("esc", "i").Type("mine").Enter().Expect().Message("mine").State(api.StateQueued)
	node.State(node.Last(id).ID, api.StateFailed, "no")
	u.Expect().Message("mine").State(api.StateFailed)
	u.Press("esc", "enter").Expect().Sees("Retry a failed message", "Discard a failed message").SeesNot("Answer the message")
	u.Press("R").Expect().Message("mine").State(api.StateQueued)
}

func TestMenuByMouse(t *testing.T) {
	node, id, u := alone(t)
	node.Receive(id, "press me")
	u.Expect().Sees("alice  12:00", "press me")
	for y, l := range strings.Split(u.Screen(), "\n") {
		if strings.Contains(l, "  press me") && strings.Contains(l, "│") {
			u.Do(tea.MouseClickMsg{X: 30, Y: y, Button: tea.MouseRight})
		}
	}
	u.Expect().Sees("─ Message ─")
	u.Click("React with an emoji").Expect().Sees("─ React ─")
}

func TestReadAndExpiry(t *testing.T) {
	node, id, u := alone(t)
	u.Type("seen?").Enter().Expect().Message("seen?").State(api.StateQueued)
	m := node.Last(id).ID
	node.State(m, api.StateDelivered, "")
	u.Expect().Message("seen?").State(api.StateDelivered)
	node.Change(m, func(m *api.Message) { m.Read = noon })
	u.Expect().Sees("✓✓ read")
	node.Change(m, func(m *api.Message) { m.Timer, m.Expires = 300, noon.Add(5*time.Minute) })
	u.Expect().Sees("◷ disappears in 5 minutes")
	node.Expire(m)
	u.Expect().SeesNot("seen?")
}

func TestPictures(t *testing.T) {
	node, id, u := alone(t)
	u.Do(trueColor())
	node.ReceiveMessage(id, api.Message{Text: safetext.Line("at last"), Picture: tuitest.Picture(60, 40)})
	u.Expect().Sees("▀▀▀▀▀▀▀▀▀▀", "at last")
	u.Press("esc", "z").Expect().Sees("60×40", "at last").SeesNot("Chats")
	u.Press("esc").Expect().Sees("Chats")
	// Hidden with everything else.
	u.Press("f5").Expect().SeesNot("▀▀▀▀").Sees("picture, PNG")
	u.Press("z").Expect().Status("Pictures are hidden too.")
	u.Press("f5").Expect().Sees("▀▀▀▀")
	// A picture that is none shows its claimed type and no more.
	node.ReceiveMessage(id, api.Message{Picture: &api.Picture{Type: "image/png; \x1b]0;PWNED", Data: []byte("\x89PNG\r\n\x1a\nPWNED"), Size: 13}})
	u.Expect().Sees("▦ picture, ?, 13 B", "z shows it")
	u.Press("G", "z").Expect().Status("This picture cannot be shown")
}

func TestPicturesPastTheRenderer(t *testing.T) {
	for _, c := range []struct{ term, program, begins string }{
		{"xterm-kitty", "", "\x1b_Gf=100,q=2"},
		{"xterm-256color", "WezTerm", "\x1b]1337;File=inline=1"},
		{"foot", "", "\x1bP0;1q"},
	} {
		node := tuitest.NewNode(clock)
		id := node.Meet("alice")
		node.ReceiveMessage(id, api.Message{Picture: tuitest.Picture(60, 40)})
		u, pass := patient(t, node, tui.Options{Now: clock, Language: "en", Getenv: func(k string) string {
			return map[string]string{"TERM": c.term, "TERM_PROGRAM": c.program}[k]
		}})
		u.Expect().Sees("alice", "▀▀▀▀")
		u.Press("esc", "z").Expect().Sees("60×40").SeesNot("▀▀▀▀")
		u.Raw()
		pass(time.Hour)
		if raw := u.Raw(); !strings.Contains(raw, c.begins) || !strings.HasPrefix(raw, "\x1b7\x1b[") || !strings.HasSuffix(raw, "\x1b8") {
			t.Errorf("%s: %.60q", c.term, raw)
		}
		u.Press("esc").Expect().Sees("Chats")
		if c.term == "xterm-kitty" && !strings.Contains(u.Raw(), "\x1b_Ga=d") {
			t.Error("the picture stays on the screen")
		}
	}
}

func TestFewColoursHaveNoPictures(t *testing.T) {
	node, id, u := alone(t)
	u.Do(fewColours())
	node.ReceiveMessage(id, api.Message{Picture: tuitest.Picture(60, 40)})
	u.Expect().Sees("▦ picture, PNG").SeesNot("▀▀▀▀")
	u.Press("esc", "z").Expect().Status("too few colours")
}
