package tui_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"

	"starling/node/api"
	"starling/tui"
	"starling/tui/tuitest"
)

func trueColor() tea.Msg  { return tea.ColorProfileMsg{Profile: colorprofile.TrueColor} }
func fewColours() tea.Msg { return tea.ColorProfileMsg{Profile: colorprofile.ANSI} }

// order returns the names in the list, from the top.
func order(u *tuitest.User, names ...string) []string {
	var found []string
	for _, l := range strings.Split(u.Screen(), "\n") {
		l, _, _ = strings.Cut(l, "│")
		for _, n := range names {
			if f := strings.Fields(strings.TrimLeft(l, "▌ ")); len(f) > 0 && f[0] == n {
				found = append(found, n)
			}
		}
	}
	return found
}

func TestPinMuteArchive(t *testing.T) {
	node, _, u := alone(t)
	bob := node.Meet("bob")
	node.Meet("carol")
	u.Expect().Sees("carol")
	if got := order(u, "alice", "bob", "carol"); !slices.Equal(got, []string{"carol", "bob", "alice"}) {
		t.Fatalf("the list is %v", got)
	}
	u.Open("alice").Press("esc", "p").Expect().Sees("alice ▴").Status("Pinned.")
	if got := order(u, "alice", "bob", "carol"); got[0] != "alice" {
		t.Errorf("pinned, the list is %v", got)
	}
	u.Press("m").Expect().Sees("alice ▴ ⊖").Status("nothing new is announced")
	u.Press("m").Expect().SeesNot("⊖")
	u.Open("bob").Press("esc", "a").Expect().Status("Archived until something new").Sees("1 archived  A shows")
	u.Open("alice").Expect().That("bob to be gone", func() bool { return len(order(u, "bob")) == 0 })
	// It can still be gone to, shown, and comes back with something new.
	u.Press("esc", "A").Expect().That("bob to be last", func() bool { return slices.Index(order(u, "alice", "bob", "carol"), "bob") == 2 })
	u.Press("A").Expect().Sees("1 archived")
	node.Receive(bob, "I am back")
	u.Expect().SeesNot("archived  A").That("bob to be second", func() bool { return slices.Index(order(u, "alice", "bob", "carol"), "bob") == 1 })
}

func TestHowAConversationIsKept(t *testing.T) {
	node, id, u := alone(t)
	u.Press("esc", "c").Expect().Sees("─ alice ─", "Pinned to the top", "Muted", "Archived", "as the settings say")
	u.Press("right", "down", "right", "right", "down", "down", "right").Enter().Expect().Status("Saved.").SeesNot("Pinned to the top")
	contacts, _ := node.Contacts(t.Context())
	c := contacts[0]
	if !c.Pinned || c.Archived || !c.MutedUntil.Equal(noon.Add(8*time.Hour)) || c.Notify != api.NotifyNone {
		t.Errorf("kept as %+v", c.Conversation)
	}
	_ = id
	u.Resize(120, 40).Expect().Sees("until 22 Nov 20:00", "announces")
	u.Press("c").Expect().Sees("until 22 Nov 20:00  ")
	u.Press("esc")
}

func TestMessagesThatDisappear(t *testing.T) {
	node, id, u := alone(t)
	u.Press("esc", "t").Expect().Sees("Messages that disappear", "begins when alice wants the same")
	u.Press("right", "right", "right").Enter().Expect().Status("Saved.")
	u.Press("t").Expect().Sees("You have offered 1 hour; alice has not agreed yet.")
	u.Press("esc")
	node.Offer(id, 3600)
	u.Expect().Sees("alice ◷")
	u.Press("i").Type("soon gone").Enter().Expect().Sees("soon gone", "◷ disappears 1 hour after it")
	node.Offer(id, 300)
	u.Resize(120, 40).Expect().Sees("alice offers messages that")
	u.Press("esc", "t").Expect().Sees("alice offers 5 minutes.")
}

func TestSearchHere(t *testing.T) {
	node, id, u := alone(t)
	bob := node.Meet("bob")
	node.Seed(id, tuitest.Text("The relay on the boat is up.", noon.Add(-time.Hour), false), tuitest.Text("Good.", noon, true))
	node.Seed(bob, tuitest.Text("Another relay.", noon, false))
	other := start(t, node)
	other.Open("alice").Expect().Sees("Good.")
	other.Press("esc", "/").Expect().Sees("Search in alice")
	other.Type("rel").Expect().Sees("1 message", "The relay on the boat").SeesNot("Another")
	other.Type("x").Expect().Sees("No message has these words.")
	other.Press("backspace", "enter").Expect().Sees("▌ The relay on the boat").SeesNot("Search in alice")
	if !strings.Contains(other.View().Content, "\x1b[7mrelay\x1b[m") && !strings.Contains(other.View().Content, "\x1b[7mrel\x1b[m") {
		t.Error("the word is not marked")
	}
	// The words are remembered, and searched everywhere by the other key.
	other.Press("/").Expect().Sees("› rel", "1 message")
	other.Press("esc", "i", "ctrl+s").Type("relay").Expect().Sees("2 messages", "Another relay.", "bob")
	_ = u
}

func TestSearchFails(t *testing.T) {
	node, _, u := alone(t)
	node.Fail("Search", &api.Error{Code: api.CodeTimeout, Message: "it took too long"})
	u.Press("ctrl+s").Type("x").Expect().Sees("It took too long")
}

func TestDraftsKeepWhatTheyAnswer(t *testing.T) {
	node, id, u, pass := withTimer(t)
	question := node.Receive(id, "well?")
	u.Expect().Sees("alice  12:00", "well?")
	u.Press("alt+r").Type("I thi")
	if node.Draft(id).Text != "" {
		t.Error("saved at every key")
	}
	pass()
	u.Expect().That("the draft to be saved", func() bool { d := node.Draft(id); return d.Text == "I thi" && d.ReplyTo == question })
	again := start(t, node)
	again.Expect().Sees("↳ alice  well?", "› I thi")
	again.Type("nk so").Enter().Expect().Sees("┃ alice: well?")
	again.Expect().That("the draft to be gone", func() bool { return node.Draft(id).Text == "" })
	// The first screen hears of it and has nothing left either.
	u.Expect().SeesNot("› I thi")
}

func TestTypingIsShown(t *testing.T) {
	node, id, u, pass := withTimer(t)
	node.Meet("bob")
	u.Open("alice")
	node.Writes(id)
	u.Expect().Sees("── alice is writing… ──")
	u.Open("bob").Expect().Sees("writing…").SeesNot("alice is writing")
	pass()
	u.Expect().SeesNot("writing…")
	node.Writes(id)
	u.Open("alice").Expect().Sees("alice is writing")
	node.Receive(id, "done")
	u.Expect().SeesNot("alice is writing")
}

func TestTypingIsToldOnlyIfWanted(t *testing.T) {
	node, _, u := alone(t)
	u.Type("abc")
	if slices.Contains(node.Calls(), "Typing") {
		t.Error("told without being asked")
	}
	u.Press("f7").Expect().Sees("Tell contacts that you are writing")
	u.Press("right", "up").Enter().Expect().Status("Saved.")
	u.Type("def").Expect().That("it to be told", func() bool { return slices.Contains(node.Calls(), "Typing") })
	n := 0
	for _, c := range node.Calls() {
		if c == "Typing" {
			n++
		}
	}
	if n != 1 {
		t.Errorf("told %d times for three keys", n)
	}
}

func TestBackup(t *testing.T) {
	node, _, u := alone(t)
	u.Press("f8").Expect().Sees("Make a backup", "age format")
	u.Type("/tmp/taken").Enter().Type("long enough").Enter().Type("long enoigh").Enter().Expect().Sees("The two passphrases differ")
	u.Press("ctrl+u").Type("long enough").Enter().Expect().Sees("There is a file of that name already")
	u.Press("up", "up", "ctrl+u").Type("/tmp/new").Enter().Enter().Enter().Expect().Status("The backup is in /tmp/new.")
	if strings.Contains(u.Screen(), "long enough") {
		t.Error("the passphrase is on the screen")
	}
	_ = node
}

func TestTryOthers(t *testing.T) {
	node, _, u := alone(t)
	node.SetStatus(func(s *api.Status) { s.ListsAsked, s.ListsOther, s.Mailboxes[0].NoRoom = 5, 4, true })
	u.Press("f2").Expect().Sees("other lists", "4 of 5 relays asked")
	u.Press("end").Expect().Sees("crowded, asked now and then")
	u.Press("o").Expect().Status("Both guards are connected.")
	node.SetStatus(func(s *api.Status) { s.Guards[1].Connected = false })
	u.Press("f2", "end").Expect().Sees("not connected")
	u.Press("o").Expect().Status("Each one that answers sees your address.")
}

func TestPassphrase(t *testing.T) {
	_, _, u := alone(t)
	u.Press("alt+p").Expect().Sees("Change the passphrase", "new keys")
	u.Type("guess").Enter().Type("short").Enter().Type("short").Enter().Expect().Sees("too short: at least 8")
	u.Press("up", "ctrl+u").Type("long enough").Enter().Press("ctrl+u").Type("long enoigh").Enter().Expect().Sees("The two passphrases differ")
	u.Press("ctrl+u").Type("long enough").Enter().Expect().Sees("This is not the passphrase of the profile")
	u.Press("up", "up", "ctrl+u").Type(tuitest.Passphrase).Enter().Enter().Enter().Expect().Status("The profile has the new passphrase.")
	if strings.Contains(u.Screen(), "long enough") {
		t.Error("the passphrase is on the screen")
	}
}

func TestJoin(t *testing.T) {
	node := tuitest.NewNode(clock)
	u := start(t, node)
	u.Expect().Sees("Welcome, robin.").SeesNot("address of a relay")
	u.Press("f10").Expect().Status("starling --bootstrap")

	joined := make(chan string, 1)
	fails := true
	v := tuitest.NewUser(t, node, tui.Options{Now: clock, Language: "en",
		Nearby: func(context.Context) ([]string, error) {
			return []string{"/ip4/192.168.1.7/tcp/4001/p2p/12D3KooWx"}, nil
		},
		Join: func(_ context.Context, address string) error {
			joined <- address
			if fails {
				return &api.Error{Code: api.CodeTimeout, Message: "the relay did not answer"}
			}
			return nil
		},
	})
	v.Expect().Sees("join by a relay: its address")
	v.Press("f10").Expect().Sees("Join by a relay", "/ip4/192.168.1.7/tcp/4001", "1 relay was found on your network.")
	v.Enter().Expect().Sees("The relay did not answer")
	if got := <-joined; got != "/ip4/192.168.1.7/tcp/4001/p2p/12D3KooWx" {
		t.Errorf("joined %q", got)
	}
	fails = false
	v.Press("ctrl+u").Type("example.org").Enter().Expect().Sees("An address begins with /")
	v.Press("ctrl+u").Type("/dns4/example.org/tcp/1/p2p/12D3").Enter().Expect().Status("The relay is known now.")
}
