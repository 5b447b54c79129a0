package tui_test

import (
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"starling/node/api"
	"starling/node/api/safetext"
	"starling/tui"
	"starling/tui/tuitest"
)

// Issue 12, section 2, and the text of 3.5.

func TestTimersCountDown(t *testing.T) {
	now := noon
	node := tuitest.NewNode(clock)
	id := node.Meet("alice")
	node.ReceiveMessage(id, api.Message{Text: safetext.Line("soon gone"), Timer: 3600, Expires: noon.Add(3 * time.Minute)})
	var waiting []tea.Msg
	u := tuitest.NewUser(t, node, tui.Options{Now: func() time.Time { return now }, Language: "en", After: func(_ time.Duration, msg tea.Msg) tea.Cmd {
		waiting = append(waiting, msg)
		return nil
	}})
	pass := func() {
		all := waiting
		waiting = nil
		for _, msg := range all {
			u.Do(msg)
		}
	}
	u.Expect().Sees("soon gone", "disappears in 3 minutes")
	now = noon.Add(70 * time.Second)
	pass()
	u.Expect().Sees("disappears in 110 seconds")
	now = noon.Add(170 * time.Second)
	pass()
	u.Expect().Sees("disappears in 10 seconds")
}

func TestFenceTypedByLineIsShown(t *testing.T) {
	node, id, u := alone(t)
	for _, line := range []string{"```", "code by line", "```"} {
		node.Receive(id, line)
	}
	u.Expect().Sees("code by line").That("two messages and the line of the list to have a fence", func() bool {
		return strings.Count(u.Screen(), "```") == 3
	})
}

func TestMarkdownIsDrawnAndNotSent(t *testing.T) {
	node, id, u := alone(t)
	u.Paste("# Plan\n> said\n- one\n~~two~~\n```go\nreturn 1\n```").Enter()
	u.Expect().Sees("┊ said", "• one", "│ return 1").SeesNot("# Plan │", "~~two~~")
	if got := node.Last(id).Text.String(); !strings.HasPrefix(got, "# Plan\n> said") {
		t.Errorf("sent %q", got)
	}
	u.Expect().Sees("you: Plan said") // the list has no signs
}

func TestEmojiKeepTheirMeaning(t *testing.T) {
	node, id, u := alone(t)
	node.Receive(id, "👩‍💻 👍🏽 🇩🇪 1️⃣ ❤️")
	u.Expect().Sees("👩⁺💻 👍⁺ [DE] [1] ❤")
}

func TestEnterInForms(t *testing.T) {
	node, _, u := alone(t)
	u.Press("ctrl+n").Expect().Sees("Who is it for?")
	u.Type("Zoë").Enter().Expect().Sees("Who is it for?")
	for _, c := range node.Calls() {
		if c == "Invite" {
			t.Error("enter in the first field submits")
		}
	}
	u.Enter().Expect().Sees("starling:")
}
