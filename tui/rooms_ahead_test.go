package tui_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"starling/node/api"
	"starling/node/api/safetext"
	"starling/tui/tuitest"
)

// early makes a message of a member that came ahead.
func early(node *tuitest.Node, room, member, text string) api.Message {
	return api.Message{Member: node.MemberOf(room, member), From: safetext.Line(member), Text: safetext.Clean(text), Time: clock().Add(-time.Minute)}
}

// below fails unless the texts stand below each other on the screen.
func below(t *testing.T, u *tuitest.User, texts ...string) {
	t.Helper()
	u.Expect().Sees(texts...)
	screen, last := u.Screen(), -1
	for _, text := range texts {
		at := strings.LastIndex(screen, text)
		if at < last {
			t.Errorf("%q stands above what it should be below:\n%s", text, screen)
		}
		last = at
	}
}

// After an absence the newest is shown at once, below a line. What comes to its place comes above that line, is not read by
// being there, and moves nothing; in the end everything is there once.
func TestAhead(t *testing.T) {
	node, room, u := roomed(t, api.RoleMember)
	node.Says(room, "Anna", "long read")
	u.Type("x").Press("backspace").Expect().Sees("long read")
	const line = "about 190 older messages are being fetched"
	tuitest.Ahead(node, room, 190, early(node, room, "Ben", "almost new"), early(node, room, "Anna", "the newest"))
	below(t, u, "long read", line, "almost new", "the newest")
	checkFrame(t, u, 120, 40, "ahead")

	read := func() int {
		return len(slices.DeleteFunc(node.Calls(), func(c string) bool { return !strings.Contains(c, "MarkRead") }))
	}
	before := read()
	node.Says(room, "Anna", "an older one")
	node.Says(room, "Ben", "another older one")
	below(t, u, "long read", "2 new since you were away", "an older one", "another older one", line, "almost new", "the newest")
	if n := read() - before; n > 0 {
		t.Errorf("read %d times, behind what came ahead", n)
	}
	u.Press("esc").Expect().Sees("the newest") // nothing of it is selected
	u.Press("y")
	if got := u.Clipboard(); !strings.Contains(got, "another older one") {
		t.Errorf("copied %q", got)
	}
	u.Press("esc", "i")

	tuitest.Ahead(node, room, 0, early(node, room, "Anna", "the newest"))
	below(t, u, "another older one", "what was written before this is being fetched", "the newest")
	node.Says(room, "Anna", "the newest")
	tuitest.Ahead(node, room, 0)
	u.Expect().SeesNot("being fetched").Sees("the newest", "3 new since you were away")
	if n := strings.Count(u.Screen(), "the newest"); n != 2 { // once among the conversations
		t.Errorf("%d times:\n%s", n, u.Screen())
	}
}
