package tui_test

import (
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"starling/node/api"
	"starling/tui"
	"starling/tui/tuitest"
)

func TestLock(t *testing.T) {
	node, ids, u := seeded(t)
	u.Type("a jotting").Press("f6").Expect().Sees("The screen is locked", "Unlock")
	hidden := func() {
		t.Helper()
		for _, secret := range []string{"alice", "bob", "street", "jotting", "PWNED", "outbox", "Chats", "knock"} {
			if strings.Contains(u.View().Content, secret) {
				t.Errorf("%q is on the locked screen\n%s", secret, u.Screen())
			}
		}
		checkFrame(t, u, 80, 24, "locked")
	}
	hidden()
	// Keys, pastes and clicks go to the lock alone.
	calls := len(node.Calls())
	u.Press("ctrl+p", "ctrl+k", "f2", "f5", "f9").Type("w").Press("esc", "ctrl+c", "ctrl+c").ClickAt(5, 5).Wheel(40, 5, 2).Paste("PWNED").Press("esc")
	hidden()
	node.Receive(ids["alice"], "knock knock")
	hidden()
	if n := len(node.Calls()); n > calls+1 { // a draft may be saved
		t.Errorf("asked of the node: %q", node.Calls()[calls:])
	}
	u.Enter().Expect().Sees("Type your passphrase.")
	u.Type("wrong one").Enter().Expect().Sees("That was not the passphrase.")
	u.Type(tuitest.Passphrase).Expect().Sees("••••").User().Enter()
	u.Expect().Sees("› a jotting", "knock knock").SeesNot("is locked")
	if u.View().WindowTitle != "Starling" {
		t.Errorf("title is %q", u.View().WindowTitle)
	}
}

func TestLockIsKeptWhileTheNodeChecks(t *testing.T) {
	node, _, u := alone(t)
	release := node.Hold("Unlock")
	u.Press("f6").Type(tuitest.Passphrase).Enter().Expect().Sees("Checking the passphrase")
	u.Type("more").Enter().Expect().Sees("Checking the passphrase")
	release()
	u.Expect().Sees("› Write to alice")
}

func TestLockWhenIdle(t *testing.T) {
	node := tuitest.NewNode(clock)
	node.Meet("alice")
	after := 60
	_, _ = node.ChangeSettings(t.Context(), api.SettingsChange{LockAfter: &after})
	var passed atomic.Int64
	now := func() time.Time { return noon.Add(time.Duration(passed.Load())) }
	waiting := make(chan tea.Msg, 64)
	u := tuitest.NewUser(t, node, tui.Options{Now: now, Language: "en", After: func(_ time.Duration, msg tea.Msg) tea.Cmd {
		waiting <- msg
		return nil
	}})
	u.Expect().Sees("Write to alice")
	pass := func(d time.Duration) {
		passed.Add(int64(d))
		for n := len(waiting); n > 0; n-- {
			u.Do(<-waiting)
		}
	}
	u.Do(tea.FocusMsg{})
	pass(40 * time.Second)
	u.Type("x")
	pass(40 * time.Second)
	u.Expect().Sees("› x")
	pass(30 * time.Second)
	u.Expect().Sees("The screen is locked").SeesNot("alice")
}

// TestDemoTellsItsPassphrase: nobody has chosen it, so a lock that keeps it to
// itself stays closed.
func TestDemoTellsItsPassphrase(t *testing.T) {
	node := tuitest.NewNode(clock)
	node.Meet("alice")
	u := tuitest.NewUser(t, node, tui.Options{Now: clock, Language: "en", Demo: tuitest.Passphrase})
	u.Expect().Sees("Write to alice")
	u.Press("f6").Expect().Sees("In the demo it is: " + tuitest.Passphrase).SeesNot("alice")
	u.Type(tuitest.Passphrase).Enter().Expect().Sees("Write to alice")
}

// TestLockClosesTheProfile: other windows and commands are shut out, too.
func TestLockClosesTheProfile(t *testing.T) {
	node, _, u := alone(t)
	u.Press("f6").Expect().Sees("The screen is locked").That("the profile to be locked", func() bool {
		return slices.Contains(node.Calls(), "Lock")
	})
}

// TestGuestTakesOver: a window on the node of another one locks when that ends, and goes
// on with the passphrase.
func TestGuestTakesOver(t *testing.T) {
	node := tuitest.NewNode(clock)
	node.Meet("alice")
	u := tuitest.NewUser(t, node, tui.Options{Now: clock, Language: "en", Guest: true})
	u.Expect().Sees("Write to alice")
	node.Break()
	u.Expect().Sees("this window takes over").SeesNot("alice")
	u.Type("guess").Enter().Expect().Sees("not the passphrase").SeesNot("alice")
	u.Type(tuitest.Passphrase).Enter().Expect().Sees("Write to alice").SeesNot("takes over")
	u.Press("f6").Expect().Sees("The screen is locked").SeesNot("takes over")
}

func TestWipeInTwoKeys(t *testing.T) {
	node, _, u := alone(t)
	u.Press("f9").Expect().Sees("Destroy everything here?", "Nothing brings it back", "w")
	u.Enter().Expect().Sees("Destroy everything here?") // not by enter
	u.Press("esc").Expect().SeesNot("Destroy")
	if slices.Contains(node.Calls(), "Wipe") {
		t.Error("wiped")
	}
	node.Fail("Wipe", &api.Error{Code: api.CodeInternal, Message: "the disk does not answer"})
	u.Press("f9", "w").Expect().Sees("The disk does not answer")
	u.Press("f9", "w").Expect().Quit()
	if !slices.Contains(node.Calls(), "Wipe") || strings.Contains(u.View().Content, "alice") {
		t.Errorf("calls %q, screen\n%s", node.Calls(), u.Screen())
	}
}

// notified is a user with the terminal foot that looks elsewhere.
func notified(t *testing.T) (*tuitest.Node, string, *tuitest.User) {
	node := tuitest.NewNode(clock)
	id := node.Meet("alice")
	var passed atomic.Int64
	u := tuitest.NewUser(t, node, tui.Options{
		Now: func() time.Time { return noon.Add(time.Duration(passed.Add(int64(10 * time.Second)))) }, Language: "en",
		Getenv: func(k string) string { return map[string]string{"TERM": "foot"}[k] },
	})
	u.Expect().Sees("Write to alice")
	u.Do(tea.BlurMsg{})
	u.Raw()
	return node, id, u
}

func TestNotifications(t *testing.T) {
	node, id, u := notified(t)
	told := func(want string) {
		t.Helper()
		raw := ""
		u.Do(tea.MouseMotionMsg{}) // waits for what was asked for
		u.Expect().That("a notification", func() bool { raw += u.Raw(); return raw != "" || want == "" })
		if raw != want {
			t.Errorf("wrote %q, want %q", raw, want)
		}
	}
	receive := func(text string) {
		node.Receive(id, text)
		u.Expect().Sees(text)
	}
	receive("secret one")
	told("\x1b]777;notify;Starling;New message\x1b\\\a")
	level := func(l api.NotifyLevel) {
		_, _ = node.ChangeConversation(t.Context(), api.ConversationRequest{Contact: id, Notify: &l})
	}
	level(api.NotifyName)
	receive("secret two")
	told("\x1b]777;notify;Starling;alice\x1b\\\a")
	level(api.NotifyText)
	receive("no secret; at all")
	told("\x1b]777;notify;Starling;alice: no secret, at all\x1b\\\a")
	u.Press("f5")
	node.Receive(id, "hidden now")
	u.Expect().Sees("▒▒▒▒▒▒ ▒▒▒").User()
	told("\x1b]777;notify;Starling;New message\x1b\\\a")
	u.Press("f5")
	level(api.NotifyNone)
	receive("silent")
	told("")
	level("")
	_, _ = node.ChangeConversation(t.Context(), api.ConversationRequest{Contact: id, MutedUntil: &api.Forever})
	receive("muted")
	told("")
	none := time.Time{}
	_, _ = node.ChangeConversation(t.Context(), api.ConversationRequest{Contact: id, MutedUntil: &none})
	u.Do(tea.FocusMsg{})
	receive("looking")
	told("")
}

func TestNotificationsOfAttackers(t *testing.T) {
	node, id, u := notified(t)
	text := api.NotifyText
	_, _ = node.ChangeConversation(t.Context(), api.ConversationRequest{Contact: id, Notify: &text})
	u.Raw()
	for _, h := range tuitest.Hostile {
		node.Receive(id, h)
		raw := ""
		u.Expect().That("a notification", func() bool { raw += u.Raw(); return raw != "" })
		inner, ok := strings.CutPrefix(raw, "\x1b]777;notify;Starling;")
		inner, ended := strings.CutSuffix(inner, "\x1b\\\a")
		if !ok || !ended || len(inner) > 2000 || strings.ContainsFunc(inner, func(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 }) {
			t.Errorf("%q tells %q", h[:min(len(h), 20)], raw[:min(len(raw), 200)])
		}
	}
}

func TestCursorStandsOnTheSelection(t *testing.T) {
	_, _, u := seeded(t)
	u.Press("esc", "k")
	at := func() string {
		c := u.View().Cursor
		if c == nil {
			return ""
		}
		return strings.Split(u.Screen(), "\n")[c.Y]
	}
	if l := at(); !strings.Contains(l, "▌") {
		t.Errorf("in the messages the cursor is on %q", l)
	}
	u.Press("esc", "j")
	if l := at(); !strings.Contains(l, "▌") || !strings.Contains(l, "bob") {
		t.Errorf("in the list the cursor is on %q", l)
	}
	u.Press("i", "esc", "enter", "down")
	if l := at(); !strings.Contains(l, "React") {
		t.Errorf("in the menu the cursor is on %q", l)
	}
	u.Press("esc", "f7", "down")
	if l := at(); !strings.Contains(l, "no   yes") {
		t.Errorf("in a form the cursor is on %q", l)
	}
}

func TestUrgentKeysWorkInDialogs(t *testing.T) {
	node, _, u := alone(t)
	u.Press("ctrl+n").Type("Zo").Press("f6").Expect().Sees("The screen is locked")
	u.Type(tuitest.Passphrase).Enter().Expect().Sees("Invite somebody", "Zo")
	u.Press("f5").Expect().SeesNot("Invite somebody", "alice").Status("incognito")
	u.Press("f5", "ctrl+s").Type("w").Press("f9", "f9").Expect().Sees("Destroy everything here?")
	u.Press("esc").Expect().SeesNot("Destroy").Sees("Search in all")
	u.Press("f9", "w").Expect().Quit()
	_ = node
}
