package tui_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"starling/node/api"
	"starling/node/api/safetext"
	"starling/tui"
	"starling/tui/tuitest"
)

func TestMessageAndItsStates(t *testing.T) {
	node, id, u := alone(t)
	u.Type("hi").Enter().Expect().Message("hi").State(api.StateQueued)
	m := node.Last(id)
	for _, s := range []api.State{api.StateSealed, api.StateSent, api.StateDelivered} {
		node.State(m.ID, s, "")
		u.Expect().Message("hi").State(s)
	}
	node.Receive(id, "hi yourself")
	u.Expect().Sees("hi yourself")
}

func TestFailedMessage(t *testing.T) {
	node, id, u := alone(t)
	u.Type("to nowhere").Enter().Expect().Message("to nowhere").State(api.StateQueued)
	node.State(node.Last(id).ID, api.StateFailed, "the mailbox did not answer")
	u.Expect().Message("to nowhere").State(api.StateFailed)
	u.Expect().Sees("The mailbox did not answer", "R retry")

	u.Press("esc", "R").Expect().Message("to nowhere").State(api.StateQueued)
	node.State(node.Last(id).ID, api.StateFailed, "again")
	u.Expect().Message("to nowhere").State(api.StateFailed)
	u.Press("x").Expect().Sees("Discard this message?")
	u.Enter().Expect().Sees("Discard this message?") // enter in flight does not erase
	u.Press("y").Expect().SeesNot("to nowhere")
}

func TestWaitingReasonIsShown(t *testing.T) {
	node, id, u := alone(t)
	u.Type("soon").Enter().Expect().Message("soon").State(api.StateQueued)
	node.State(node.Last(id).ID, api.StateQueued, "waiting for enough relays")
	u.Expect().Sees("Waiting for enough relays")
}

func TestPasteNeverSends(t *testing.T) {
	node, id, u := alone(t)
	u.Paste("one\r\ntwo\rthree\nfour\nfive").Expect().Sees("five", "Pasted 5 lines")
	if m := node.Last(id); m.ID != "" {
		t.Fatalf("sent %q", m.Text)
	}
	u.Enter().Expect().Message("five").State(api.StateQueued)
	if got, want := node.Last(id).Text.String(), "one\ntwo\nthree\nfour\nfive"; got != want {
		t.Errorf("sent %q, want %q", got, want)
	}
}

func TestNewlines(t *testing.T) {
	node, id, u := alone(t)
	u.Type("a").Press("ctrl+j").Type("b").Press("alt+enter").Type("c").Press("shift+enter").Type("d").Enter()
	u.Expect().Message("d").State(api.StateQueued)
	if got, want := node.Last(id).Text.String(), "a\nb\nc\nd"; got != want {
		t.Errorf("sent %q, want %q", got, want)
	}
}

func TestBlankIsNotSent(t *testing.T) {
	node, id, u := alone(t)
	u.Type("   ").Press("ctrl+j").Enter()
	u.Type("x").Enter().Expect().Message("x").State(api.StateQueued)
	calls := slices.DeleteFunc(node.Calls(), func(c string) bool { return !strings.HasPrefix(c, "Send") })
	if len(calls) != 1 {
		t.Errorf("calls: %q (last message %q)", calls, node.Last(id).Text)
	}
}

func TestDraftsStayWithTheirConversation(t *testing.T) {
	node, _, u := alone(t)
	node.Meet("bob")
	u.Expect().Sees("bob")
	u.Type("for alice only").Open("bob").Expect().Sees("Write to bob", "draft: for alice")
	u.Type("for bob").Open("alice").Expect().Sees("› for alice only")
	u.Open("bob").Expect().Sees("› for bob")
}

func TestSendingKeepsTheOrder(t *testing.T) {
	node, id, u := alone(t)
	release := node.Hold("Send")
	for i := range 5 {
		u.Type(fmt.Sprint("n", i)).Enter()
	}
	calls := slices.DeleteFunc(node.Calls(), func(c string) bool { return !strings.HasPrefix(c, "Send") })
	if len(calls) != 1 {
		t.Errorf("at once: %q", calls)
	}
	release()
	u.Expect().Message("n4").State(api.StateQueued)
	messages, _ := node.History(t.Context(), api.HistoryRequest{Contact: id})
	for i, m := range messages {
		if m.Text.String() != fmt.Sprint("n", i) {
			t.Fatalf("message %d is %q", i, m.Text)
		}
	}
}

func TestRefusedTextComesBack(t *testing.T) {
	node, _, u := alone(t)
	node.Fail("Send", &api.Error{Code: api.CodeDiskFull, Message: "the disk is full", Hint: "Free some space and try again."})
	u.Type("precious").Enter().Expect().Sees("› precious", "The disk is full. Free some space")
	u.Enter().Expect().Message("precious").State(api.StateQueued)
}

func TestUnreadLineAndReading(t *testing.T) {
	node, ids, u := seeded(t)
	u.Expect().Sees("3 new")
	u.Open("bob").Expect().Sees("1 new", "Here is the fix")
	u.Expect().Sees("2 new") // of 李明
	u.Expect().That("bob to be read", func() bool { return slices.Contains(node.Calls(), "MarkRead") })
	// A message that comes while looking elsewhere is unread.
	node.Receive(ids["alice"], "one more thing")
	u.Expect().Sees("3 new")
	u.Press("alt+u").Expect().Sees("alice", "one more thing")
}

func TestNotReadWhileTheWindowIsElsewhere(t *testing.T) {
	node, id, u := alone(t)
	u.Type("x").Do(tea.BlurMsg{})
	node.Receive(id, "are you there?")
	u.Expect().Sees("are you there?", "1 new")
	u.Do(tea.BlurMsg{}) // waits for what was asked of the node
	if slices.Contains(node.Calls(), "MarkRead") {
		t.Error("marked as read unseen")
	}
	u.Do(tea.FocusMsg{}).Expect().That("it to be read", func() bool {
		return slices.Contains(node.Calls(), "MarkRead")
	})
}

func TestStartDoesNotMarkAsRead(t *testing.T) {
	node := tuitest.NewNode(clock)
	id := node.Meet("alice")
	node.Receive(id, "unseen")
	u := start(t, node)
	u.Expect().Sees("unseen", "1 new")
	if slices.Contains(node.Calls(), "MarkRead") {
		t.Error("marked as read before the person did anything")
	}
	u.Press("esc").Expect().That("it to be read", func() bool { return slices.Contains(node.Calls(), "MarkRead") })
}

func TestOlderPagesLoadWhileScrolling(t *testing.T) {
	node := tuitest.NewNode(clock)
	id := node.Meet("crowd")
	tuitest.Crowd(node, id, 1000)
	u := start(t, node)
	u.Expect().Sees("1000: ")
	for range 400 {
		if strings.Contains(u.Screen(), "conversation begins") {
			break
		}
		u.Press("pgup").Expect().SeesNot("loading older")
	}
	u.Expect().Sees("conversation begins", "1: the relay")
	u.Press("esc", "G").Expect().Sees("1000: ")
}

func TestUnreadBeyondTheFirstPage(t *testing.T) {
	node := tuitest.NewNode(clock)
	node.Meet("other")
	id := node.Meet("crowd")
	tuitest.Crowd(node, id, 2000)
	node.Unread(id, 450)
	u := start(t, node)
	u.Expect().Sees("450 new")
	// A third of them is ours: the 450th incoming message from the end.
	u.Expect().Sees("1326: ")
}

func TestPlaceIsKept(t *testing.T) {
	node := tuitest.NewNode(clock)
	id := node.Meet("crowd")
	tuitest.Crowd(node, id, 300)
	u := start(t, node)
	u.Expect().Sees("299: ")
	u.Press("pgup", "pgup", "pgup")
	top := topMessage(u)
	for _, size := range [][2]int{{120, 24}, {60, 24}, {200, 24}, {80, 24}} {
		u.Resize(size[0], size[1])
		if got := topMessage(u); got != top {
			t.Errorf("at %v the first message is %q, was %q", size, got, top)
		}
	}
	node.Receive(id, "news")
	u.Expect().Sees("1 new message")
	if got := topMessage(u); got != top {
		t.Errorf("a new message moved the view to %q, was %q", got, top)
	}
}

// topMessage returns the number of the first message that begins in view.
func topMessage(u *tuitest.User) string {
	for _, l := range strings.Split(u.Screen(), "\n")[2:] {
		if cells := strings.Split(l, "│"); len(cells) > 1 {
			l = cells[1]
		}
		if n, _, ok := strings.Cut(strings.TrimSpace(l), ": "); ok {
			return n
		}
	}
	return ""
}

func TestStatesThatComeWhileAPageLoads(t *testing.T) {
	node, _, u := alone(t)
	bob := node.Meet("bob")
	node.Seed(bob, api.Message{ID: "m1", Text: safetext.Clean("slow"), Outgoing: true, State: api.StateQueued})
	u.Expect().Sees("bob")
	release := node.Hold("History")
	u.Open("bob")
	node.State("m1", api.StateDelivered, "") // while the page, with the old state, is on its way
	node.Meet("carol")
	u.Expect().Sees("carol") // the event before it has been applied
	release()
	u.Expect().Message("slow").State(api.StateDelivered)
}

func TestStreamOfEventsBreaks(t *testing.T) {
	node, id, u := alone(t)
	node.Break()
	node.Receive(id, "in the gap")
	u.Expect().Sees("in the gap").SeesNot("no answer")
	node.Receive(id, "after it")
	u.Expect().Sees("after it")
}

func TestEmojiFollowTheTerminal(t *testing.T) {
	node, id, u := alone(t)
	node.Receive(id, "flag 🇩🇪 heart ❤\uFE0F")
	u.Expect().Sees("flag [DE] heart ❤")
	u.Do(tea.ModeReportMsg{Mode: ansi.ModeUnicodeCore, Value: ansi.ModeReset})
	u.Expect().Sees("flag 🇩🇪 heart ❤\uFE0F")
}

func TestInvite(t *testing.T) {
	node, _, u := alone(t)
	u.Resize(100, 50).Press("ctrl+n").Expect().Sees("Invite somebody", "24 hours")
	u.Type("Zoë").Enter().Press("right").Enter()
	u.Expect().Sees("Invite for Zoë", "starling:", "Sunday 29 November", "▀▀▀▀▀▀▀")
	if u.Clipboard() != "" {
		t.Errorf("copied without being asked: %q", u.Clipboard())
	}
	u.Press("c").Expect().Sees("Link copied").That("the link to be copied", func() bool {
		return strings.HasPrefix(u.Clipboard(), "starling:")
	})
	u.Press("f").Expect().Sees("▀▀▀▀▀▀▀").SeesNot("Invite for")
	u.Press("esc").Expect().Sees("Invite for Zoë")
	u.Press("esc").Expect().SeesNot("Invite for Zoë")
	invites, _ := node.Invites(t.Context())
	zoe := node.Meet("Zoë")
	node.TellInvite(invites[0].ID, "used", zoe)
	u.Expect().Status("Your invite was used: Zoë")
}

func TestInviteFails(t *testing.T) {
	node, _, u := alone(t)
	node.Fail("Invite", &api.Error{Code: api.CodeFewRelays, Message: "too few relays", Hint: "Wait a moment."})
	u.Press("ctrl+n").Enter().Enter().Expect().Sees("Too few relays. Wait a moment.", "Make the invite")
}

func TestAddContact(t *testing.T) {
	_, _, u := alone(t)
	u.Press("ctrl+o").Enter().Enter().Expect().Sees("Paste the invite first")
	u.Press("up").Paste("https://example.org/x").Enter().Enter()
	u.Expect().Sees("This is not a Starling invite", "Ask for the link")
	u.Press("up", "ctrl+u").Paste("starling:abc\n  def").Enter().Type("Dora").Enter()
	u.Expect().Sees("Say hello to Dora", "pending")
	u.Type("hello Dora").Enter().Expect().Message("hello Dora").State(api.StateQueued)
}

func TestVerify(t *testing.T) {
	_, _, u := alone(t)
	u.Expect().Sees("not verified")
	u.Press("esc", "v").Expect().Sees("37287   04120   88417   52963", "61029   48837   15570   90412")
	u.Click("The numbers match").Expect().Sees("✓ verified").SeesNot("not verified")
	u.Press("v").Expect().Sees("You have verified alice")
	u.Press("u").Expect().Sees("not verified")
}

func TestRenameBlockRemove(t *testing.T) {
	node, _, u := alone(t)
	node.Meet("bob")
	u.Expect().Sees("bob")
	u.Press("esc", "E").Expect().Sees("Rename alice")
	u.Press("ctrl+u").Enter().Expect().Sees("at least one letter")
	u.Type("Alicia").Enter().Expect().SeesNot("Rename alice").Sees("Alicia")
	u.Press("b").Expect().Sees("Block Alicia?")
	u.Press("y").Expect().Sees("⊘ blocked")
	u.Press("i").Type("no").Enter().Expect().SeesNot("› no")
	u.Press("esc", "b").Expect().SeesNot("⊘ blocked")
	u.Press("D").Expect().Sees("Remove Alicia?")
	u.Press("esc").Expect().Sees("Alicia")
	u.Press("D", "y").Expect().SeesNot("Alicia").Sees("bob")
}

func TestNetworkScreen(t *testing.T) {
	node, _, u := alone(t)
	u.Resize(100, 60).Press("f2").Expect().Sees("No single relay can link you", "you → guard → mix → mix → mailbox",
		"/ip4/192.0.2.17/tcp/4001", "…akebox0001", "178.1 KiB", "2 replayed packet").SeesNot("avoided")
	node.SetStatus(func(s *api.Status) { s.Ready, s.Reason, s.Doubtful = false, "too few relays are known", 2 })
	u.Expect().Sees("waiting: too few relays are known", "avoided now   2: nothing comes back")
	u.Press("esc").Expect().Status("waiting: too few relays are known")
	node.SetStatus(func(s *api.Status) { s.Ready, s.Reason, s.AllowPrivate = true, "", true })
	u.Expect().Status("● fast").Status("private mesh")
}

func TestNothingIsSentFromADialog(t *testing.T) {
	node, id, u := alone(t)
	u.Type("half a thought").Press("ctrl+p").Type("network").Expect().Sees("What the network is doing")
	u.Enter().Expect().Sees("What this promises")
	u.Press("esc").Expect().Sees("› half a thought")
	if m := node.Last(id); m.ID != "" {
		t.Errorf("sent %q", m.Text)
	}
}

func TestPaletteReachesEverything(t *testing.T) {
	_, _, u := alone(t)
	u.Press("ctrl+p").Type("rename").Enter().Expect().Sees("Rename alice")
	u.Press("esc", "ctrl+p").Type("zzzz").Expect().Sees("No such action")
	u.Press("esc").Expect().SeesNot("No such action")
}

func TestHelpIsForTheFocus(t *testing.T) {
	_, _, u := alone(t)
	u.Resize(100, 50).Press("f1").Expect().Sees("Help · Writing", "ctrl+j  alt+enter")
	u.Press("esc", "esc", "?").Expect().Sees("Help · In the messages", "Retry a failed message")
	u.Press("esc", "esc", "?").Expect().Sees("Help · In the conversations")
}

func TestMouse(t *testing.T) {
	_, _, u := seeded(t)
	u.Click("bob").Expect().Sees("Write to bob", "Did you see the figures?")
	u.Click("Did you see the figures?").Expect().Sees("▌ Did you see")
	u.Click("i to write").Expect().Sees("Write to bob")
	before := u.Screen()
	u.Wheel(40, 10, -2)
	if u.Screen() == before {
		t.Error("the wheel does nothing")
	}
	u.ClickAt(3, 23).Expect().Sees("What this promises")
	u.Click("Close").Expect().SeesNot("What this promises")
	if u.View().MouseMode == tea.MouseModeNone {
		t.Error("the mouse is off")
	}
	if u.Press("f4").View().MouseMode != tea.MouseModeNone {
		t.Error("the mouse is on after f4")
	}
}

func TestOnePane(t *testing.T) {
	_, _, u := seeded(t)
	u.Resize(40, 12).Expect().Sees("Write to alice").SeesNot("Conversations")
	u.Press("esc", "esc").Expect().Sees("Conversations", "bob").SeesNot("Write to")
	u.Press("j", "enter").Expect().Sees("Write to bob")
	u.ClickAt(0, 0).Expect().Sees("Conversations")
}

func TestIncognito(t *testing.T) {
	_, _, u := seeded(t)
	u.Resize(120, 40).Type("a jotting").Press("f5").Expect().Status("incognito")
	hidden := func(when string) {
		t.Helper()
		for _, secret := range []string{"alice", "bob", "Pat", "李明", "street", "figures", "fix", "jotting", "peel"} {
			if strings.Contains(u.Screen(), secret) {
				t.Errorf("%s: %q is on\n%s", when, secret, u.Screen())
			}
		}
	}
	hidden("at first")
	u.Press("esc", "E").Expect().Sees("Rename ▒▒▒▒▒")
	hidden("rename")
	u.Enter().Expect().SeesNot("Rename") // it is not renamed to blocks
	u.Press("D").Expect().Sees("Remove ▒▒▒▒▒?")
	u.Press("esc", "v").Expect().Sees("Verify ▒▒▒▒▒")
	hidden("verify")
	u.Press("esc", "ctrl+k")
	hidden("switcher")
	u.Press("b", "o", "b").Enter().Expect().Sees("Write to ▒▒▒")
	hidden("another conversation")
	u.Press("esc")
	u.Press("f5").Expect().Sees("bob", "alice", "Here is the fix").SeesNot("incognito", "▒")
}

func TestTooSmall(t *testing.T) {
	_, _, u := alone(t)
	u.Type("kept").Resize(39, 12).Expect().Sees("It is 39×12", "needs 40×10")
	u.Resize(1, 1).Resize(80, 3).Resize(80, 24).Expect().Sees("› kept")
}

func TestQuit(t *testing.T) {
	_, _, u := alone(t)
	u.Press("ctrl+c").Expect().Sees("Press ctrl+c again")
	u.Type("x").Expect().SeesNot("Press ctrl+c again")
	u.Press("ctrl+c", "ctrl+c").Expect().Quit()
}

func TestNodeGoneAndBack(t *testing.T) {
	node := tuitest.NewNode(clock)
	node.Meet("alice")
	node.Fail("Conversations", errors.New("connection refused"))
	u := start(t, node)
	u.Expect().Sees("Write to alice").SeesNot("no answer from the node")
}

func TestWelcome(t *testing.T) {
	node := tuitest.NewNode(clock)
	u := start(t, node)
	u.Expect().Sees("Welcome, robin.", "1 use an invite", "2 invite somebody", "see what the network", "Note to self")
	u.Type("lost?").Enter().Press("esc", "j", "r", "y", "v", "tab", "pgup", "alt+down", "alt+u")
	u.Press("ctrl+k").Expect().Sees("Go to", "Note to self")
	u.Press("esc")
	node.Meet("alice")
	u.Expect().Sees("alice")
}

func TestWindowTitleIsFixed(t *testing.T) {
	node, _, u := alone(t)
	tuitest.Attack(node)
	u.Expect().Sees("mallory")
	if got := u.View().WindowTitle; got != "Starling" {
		t.Errorf("title is %q", got)
	}
}

func TestContactCannotLookVerified(t *testing.T) {
	node, _, u := alone(t)
	node.Meet("mallory ✓ verified")
	u.Expect().Sees("mallory").SeesNot("mallory ✓")
}

func TestEveryKeyOnEveryScreen(t *testing.T) {
	// A tour that only must not panic or leave the frame.
	node, _, u := seeded(t)
	tuitest.Rich(node)
	u.Open("carol")
	keys := []string{"esc", "tab", "j", "k", "g", "G", "u", "r", "x", "y", "v", "esc", "e", "esc", "b", "esc", "D", "esc", "n", "esc", "?", "esc", "ctrl+k", "down", "pgdown", "enter", "ctrl+p", "esc", "f1", "esc", "f2", "pgdown", "esc", "f3", "f4", "ctrl+n", "tab", "right", "esc", "ctrl+o", "esc", "pgup", "pgdown", "alt+down", "alt+up", "alt+u", "shift+tab", "i", "a", "ctrl+j", "up", "backspace",
		"alt+r", "esc", "alt+e", "esc", "alt+m", "esc", "ctrl+s", "t", "down", "enter", "/", "esc", "space", "esc", "+", "esc", "d", "esc", "f", "esc", "o", "z", "esc", "c", "esc", "t", "esc", "p", "p", "m", "m", "a", "A", "A", "a", "f7", "right", "esc", "f8", "esc", "f9", "esc", "f10", "f5", "f5", "i"}
	for _, size := range [][2]int{{40, 10}, {59, 13}, {60, 20}, {80, 24}, {99, 17}, {100, 30}, {200, 60}, {300, 100}} {
		u.Resize(size[0], size[1])
		for i, k := range keys {
			u.Press(k)
			checkFrame(t, u, size[0], size[1], fmt.Sprintf("%dx%d after key %d %q", size[0], size[1], i, k))
		}
	}
}

func TestOpenInvites(t *testing.T) {
	node, _, u := alone(t)
	u.Press("esc", "I").Expect().Sees("No open invites.")
	u.Press("ctrl+n").Enter().Enter().Expect().Sees("Copy the link")
	u.Press("esc", "ctrl+n").Type("Zoë").Enter().Enter().Expect().Sees("Invite for Zoë")
	u.Press("esc", "esc", "I").Expect().Sees("Open invites", "for anybody, …", "until Monday 23 November, 12:00", "for Zoë")
	u.Type("Zo").Enter().Expect().Sees("Invite for Zoë", "starling:")
	u.Press("w").Expect().Sees("Withdraw this invite?")
	u.Press("y").Expect().Sees("Withdrawn.").SeesNot("Open invites", "Invite for Zoë")
	u.Press("I").Enter().Press("w", "y").Expect().SeesNot("Open invites", "Copy the link")
	if invites, _ := node.Invites(t.Context()); len(invites) != 0 {
		t.Errorf("still open: %v", invites)
	}
}

func TestRenamedContactIsRenamedEverywhere(t *testing.T) {
	node, id, u := alone(t)
	node.Receive(id, "it is me")
	u.Expect().Sees("it is me", "alice  12:00")
	if _, err := node.RenameContact(t.Context(), id, "Alicia"); err != nil {
		t.Fatal(err)
	}
	u.Expect().Sees("Alicia  12:00").SeesNot("alice")
}

func TestDraftsAreLoadedAndSaved(t *testing.T) {
	node := tuitest.NewNode(clock)
	alice := node.Meet("alice")
	bob := node.Meet("bob")
	_ = node.SaveDraft(t.Context(), api.Draft{Contact: bob, Text: "begun yesterday"})
	u := start(t, node)
	u.Open("bob").Expect().Sees("› begun yesterday")
	u.Type(", ended today").Open("alice").Type("x").Open("bob")
	u.Expect().That("both to be kept", func() bool {
		return node.Draft(bob).Text == "begun yesterday, ended today" && node.Draft(alice).Text == "x"
	})
}

// TestOldDraftsWipeNothing: what the node said before a draft was saved comes after it, and
// takes nothing of what was typed.
func TestOldDraftsWipeNothing(t *testing.T) {
	node := tuitest.NewNode(clock)
	alice, bob := node.Meet("alice"), node.Meet("bob")
	u, pass := patient(t, node, tui.Options{Now: clock, Language: "en"})
	u.Open("alice").Expect().Sees("Write to alice")
	asked := func() (n int) {
		for _, call := range node.Calls() {
			if call == "Drafts" {
				n++
			}
		}
		return n
	}
	until := func(ok func() bool) { untilPassed(t, u, pass, ok) }

	before := asked()
	old := node.Hold("Drafts")
	_ = node.SaveDraft(t.Context(), api.Draft{Contact: bob, Text: "elsewhere"})
	until(func() bool { return asked() > before })
	later := node.Hold("Drafts")
	u.Type("a thought").Expect().Sees("› a thought")
	until(func() bool { return node.Draft(alice).Text == "a thought" && asked() > before+1 })

	old()
	u.Expect().Sees("draft: elsewhere")
	u.Type(" of mine").Expect().Sees("› a thought of mine")
	later()
	u.Open("bob").Expect().Sees("› elsewhere")
	u.Open("alice").Expect().Sees("› a thought of mine")
}

// untilPassed lets time pass until something holds that no message to the screen tells of.
func untilPassed(t *testing.T, u *tuitest.User, pass func(time.Duration), ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatal("waited in vain; the screen is\n" + u.Screen())
		}
		u.Do(nil)
		pass(time.Minute)
	}
}

// TestClearedElsewhere: what is typed here stays, although its draft went, too.
func TestClearedElsewhere(t *testing.T) {
	node := tuitest.NewNode(clock)
	alice := node.Meet("alice")
	u, pass := patient(t, node, tui.Options{Now: clock, Language: "en"})
	node.Receive(alice, "are you there?")
	u.Open("alice").Expect().Sees("are you there?")
	u.Type("half a").Expect().Sees("› half a")
	untilPassed(t, u, pass, func() bool { return node.Draft(alice).Text == "half a" })
	if err := node.ClearConversation(t.Context(), alice); err != nil {
		t.Fatal(err)
	}
	u.Expect().SeesNot("are you there?")
	u.Type(" thought").Expect().Sees("› half a thought")
}

func TestFirstFocus(t *testing.T) {
	node := tuitest.NewNode(clock)
	tuitest.People(node)
	u := tuitest.NewUserAt(t, node, tui.Options{Now: clock, Language: "en"}, 50, 20)
	u.Expect().Sees("Conversations", "bob")
	wide := tuitest.NewUserAt(t, node, tui.Options{Now: clock, Language: "en"}, 100, 30)
	wide.Type("at once").Expect().Sees("› at once")
}
