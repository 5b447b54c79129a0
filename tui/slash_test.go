package tui_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"starling/node/api"
	"starling/tui"
	"starling/tui/linear"
	"starling/tui/term"
	"starling/tui/tuitest"
)

// Issue 12, 3.3: commands as in the app line by line, from the same table.

func TestSlashCommands(t *testing.T) {
	node, id, u := alone(t)
	bob := node.Meet("bob")
	node.Receive(id, "At nine?")
	u.Expect().Sees("At nine?", "bob")

	u.Type("/reply Nine.").Enter().Expect().Message("Nine.").State(api.StateQueued)
	if m := node.Last(id); m.Reply == nil || m.Text.String() != "Nine." {
		t.Errorf("the answer is %+v", m)
	}
	u.Type("/edit Ten.").Enter().Expect().Sees("Ten.", "edited").SeesNot("Nine.")
	u.Type("/react rocket").Enter().Expect().Sees("🚀 you")
	u.Type("/react none").Enter().Expect().SeesNot("🚀 you")
	u.Type("/forward bob").Enter().Expect().Sees("Forwarded to bob.")
	if m := node.Last(bob); !m.Forwarded {
		t.Errorf("bob has %+v", m)
	}
	u.Type("/pin").Enter().Expect().Sees("Pinned.", "▴")
	u.Type("/timer 1h").Enter().Expect().Sees("You have offered 1 hour; alice has not agreed yet.")
	u.Type("/set typing yes").Enter().Expect().Sees("Saved.")
	u.Type("/rename Alicia").Enter().Expect().Sees("Renamed.", "Write to Alicia")
	u.Type("/open bob").Enter().Expect().Sees("Write to bob")
	u.Type("/search nine").Enter().Expect().Sees("Search in all conversations", "› nine", "At nine?")
	u.Press("esc").Type("/verify").Enter().Expect().Sees("37287")
	u.Press("esc").Type("/timer soon").Enter().Expect().Sees("That is no time", "› /timer soon") // to be mended
	u.Press("ctrl+u").Type("/add starling:abc Dora").Enter().Expect().Sees("Add a contact", "starling:abc", "Dora")
	u.Press("esc").Type("/remove").Enter().Expect().Sees("Remove bob?")
	u.Press("esc").Type("/help").Enter().Expect().Sees("A line that begins with a slash", "/list", "/reply TEXT")
	u.Press("esc").Type("/quit").Enter().Expect().Quit()
	for _, c := range [2]string{id, bob} {
		if text := node.Last(c).Text.String(); strings.HasPrefix(text, "/") {
			t.Errorf("a command was sent: %q", text)
		}
	}
}

func TestUnknownCommandAsks(t *testing.T) {
	node, id, u := alone(t)
	u.Type("/frobnicate it").Enter().Expect().Sees("There is no command /frobnicate", "Is the line to be sent as a text?")
	u.Enter().Expect().Sees("There is no command") // an enter in flight sends nothing
	u.Press("esc").Expect().Sees("› /frobnicate it")
	if m := node.Last(id); m.ID != "" {
		t.Fatalf("sent %q", m.Text)
	}
	u.Enter().Press("y").Expect().Message("/frobnicate it").State(api.StateQueued)
	u.Type("//shrug").Enter().Expect().Message("/shrug").State(api.StateQueued)
	if got := node.Last(id).Text.String(); got != "/shrug" {
		t.Errorf("sent %q", got)
	}
}

// TestEveryCommandDoesSomething holds that no command of the table is without an effect
// here, and that none is sent as a text.
func TestEveryCommandDoesSomething(t *testing.T) {
	for _, c := range linear.Commands() {
		node, id, u := alone(t)
		node.Receive(id, "see https://a.example")
		u.Expect().Sees("a.example")
		before := u.Screen()
		u.Type(c.Name).Press("esc").Enter()
		u.Expect().That(c.Name+" to do something", func() bool {
			return u.Screen() != before || slices.Contains(node.Calls(), "Unlock")
		})
		if strings.Contains(u.Screen(), "asks something") {
			t.Errorf("%s: it asks, and nobody hears it\n%s", c.Name, u.Screen())
		}
		if m := node.Last(id); strings.HasPrefix(m.Text.String(), "/") {
			t.Errorf("%s was sent", c.Name)
		}
	}
}

func TestCompletion(t *testing.T) {
	node, _, u := alone(t)
	zoe := node.Meet("Zoë Quinn")
	u.Expect().Sees("Zoë Quinn")
	u.Type("/sta").Expect().Sees("/status  what the network does")
	u.Press("tab").Expect().Sees("› /status")
	u.Enter().Expect().Sees("Network")
	u.Press("esc").Type("/un").Expect().Sees("/unpin", "/unmute", "/unblock")
	u.Press("down").Enter().Expect().Sees("› /unmute").SeesNot("/unpin")
	u.Press("ctrl+u").Type("/open q").Expect().Sees("Zoë Quinn  not verified")
	u.Enter().Expect().Sees("› /open Zoë Quinn")
	u.Enter().Expect().Sees("Write to Zoë Quinn")

	u.Type("go :rock").Expect().Sees("🚀  rocket")
	u.Press("tab").Type(" and :rocket: :rakete: 12:30:45 a:rocket: :nobody: ").Expect().Sees("go 🚀 and 🚀 🚀 12:30:45 a:rocket: :nobody:")
	u.Type("@al").Expect().Sees("alice")
	u.Press("tab").Expect().Sees(":nobody: alice").SeesNot("@al")
	u.Type(" :he").Expect().Sees("broken heart")
	u.Press("esc").Expect().SeesNot("broken heart")
	u.Type("a").Expect().SeesNot("broken heart") // the same word stays closed
	u.Enter().Expect().Message("a:rocket:")
	if got, want := node.Last(zoe).Text.String(), "go 🚀 and 🚀 🚀 12:30:45 a:rocket: :nobody: alice :hea"; got != want {
		t.Errorf("sent %q", got)
	}
}

func TestCompletionInEveryLanguage(t *testing.T) {
	for language, want := range map[string]string{"de": "/status  was das Netz tut", "ru": "/status"} {
		node := tuitest.NewNode(clock)
		node.Meet("alice")
		u := tuitest.NewUserAt(t, node, tui.Options{Now: clock, Language: language}, 120, 40)
		u.Expect().Sees("alice")
		u.Type("/statu").Expect().Sees(want)
		u.Press("ctrl+u").Type(":raket").Expect().Sees("🚀")
	}
}

func TestCompletionOnSmallScreens(t *testing.T) {
	node := tuitest.NewNode(clock)
	node.Meet("alice")
	for _, size := range [][2]int{{40, 10}, {80, 24}, {120, 40}, {200, 60}} {
		u := tuitest.NewUserAt(t, node, tui.Options{Now: clock, Language: "en"}, size[0], size[1])
		u.Expect().Sees("Write to alice")
		u.Type("/").Expect().Sees("/list")
		for _, l := range strings.Split(u.View().Content, "\n") {
			if w := width(l); w != size[0] {
				t.Errorf("%v: a line of %d cells", size, w)
			}
		}
	}
}

// A paste without brackets that looks like a command completes nothing and sends nothing.
func TestPasteCompletesNothing(t *testing.T) {
	node := tuitest.NewNode(clock)
	id := node.Meet("alice")
	at := noon
	u := tuitest.NewUser(t, node, tui.Options{Now: clock, Language: "en", Stroke: func() time.Time {
		at = at.Add(time.Millisecond)
		return at
	}})
	u.Expect().Sees("Write to alice")
	u.Type("/sta").Press("enter").Type("more")
	u.Expect().Sees("/sta", "more")
	if m := node.Last(id); m.ID != "" {
		t.Errorf("sent %q", m.Text)
	}
}

// Issue 12, 3.2: links.

func TestLinkIsAskedForAndOpened(t *testing.T) {
	node := tuitest.NewNode(clock)
	id := node.Meet("alice")
	node.Receive(id, "see https://a.example/x?y=1.")
	var opened []string
	u := tuitest.NewUser(t, node, tui.Options{Now: clock, Language: "en", OpenAddress: func(_ context.Context, address string) error {
		opened = append(opened, address)
		return nil
	}})
	u.Expect().Sees("https://a.example/x?y=1.")
	u.Press("esc", "l").Expect().Sees("Open a.example?", "https://a.example/x?y=1", "sees your IP", "who you are")
	u.Enter().Expect().Sees("Open a.example?")
	if len(opened) > 0 {
		t.Fatal("an enter in flight opened it")
	}
	u.Press("c").Expect().Sees("Copied")
	if got := u.Clipboard(); got != "https://a.example/x?y=1" {
		t.Errorf("copied %q", got)
	}
	u.Press("l", "y").Expect().Sees("Handed to your browser.")
	if !slices.Equal(opened, []string{"https://a.example/x?y=1"}) {
		t.Errorf("opened %q", opened)
	}

	node.Receive(id, "[your bank](https://bank.example@\u0430pple.com/) https://b.example starling:abc javascript:alert(1)")
	u.Expect().Sees("javascript:alert(1)")
	u.Press("G", "l").Expect().Sees("Which address?", "https://bank.example@", "https://b.example", "starling:abc").SeesNot("│   javascript:alert(1)")
	u.Type("bank").Enter().Expect().Sees("Open xn--pple-43d.com?", "https://bank.example@xn--pple-43d.com/", "a name to log in with", "scripts are mixed")
	u.Press("esc", "l").Type("starling").Enter().Expect().Sees("Add a contact", "starling:abc")
}

func TestNoLinkInIncognito(t *testing.T) {
	node := tuitest.NewNode(clock)
	id := node.Meet("alice")
	node.Receive(id, "https://a.example")
	u := tuitest.NewUser(t, node, tui.Options{Now: clock, Language: "en", Incognito: true})
	u.Press("esc", "l").Expect().Sees("There is no web address here.")
	if strings.Contains(u.View().Content, "a.example") {
		t.Error("the address is in the frame")
	}
}

func TestWrappedLinkIsOneLink(t *testing.T) {
	node := tuitest.NewNode(clock)
	id := node.Meet("alice")
	long := "https://a.example/" + strings.Repeat("way/", 60)
	node.Receive(id, long)
	u := start(t, node)
	u.Expect().Sees("https://a.example/way")
	names := map[string]int{}
	for _, part := range strings.Split(u.View().Content, "\x1b]8;")[1:] {
		if head, _, _ := strings.Cut(part, "\a"); head != ";" {
			names[head]++
		}
	}
	if len(names) != 1 {
		t.Fatalf("%d links", len(names))
	}
	for head, pieces := range names {
		if _, target, _ := strings.Cut(head, ";"); target != long || pieces < 3 {
			t.Errorf("%d pieces of %q", pieces, target)
		}
	}
}

func width(line string) int { return term.Cells{}.Width(line) }

// Issue 12, 3.5: search by sender, date and kind.

func TestSearchFilters(t *testing.T) {
	node := tuitest.NewNode(clock)
	id := node.Meet("alice")
	bob := node.Meet("bob")
	node.Seed(id, tuitest.Text("old relay", noon.AddDate(0, 0, -20), false))
	node.Seed(id, tuitest.Text("my relay", noon, true))
	node.Seed(bob, tuitest.Text("a relay at https://a.example", noon, false))
	u := tuitest.NewUserAt(t, node, tui.Options{Now: clock, Language: "en"}, 120, 40)
	u.Expect().Sees("Write to")
	for words, want := range map[string][]string{
		"relay from:me": {"my relay", "1 message "}, "relay from:al": {"old relay", "1 message "}, "kind:link": {"https://a.example", "1 message "},
		"before:2026-11-10": {"old relay", "1 message "}, "on:today": {"2 messages"}, "in:bob rel": {"a relay", "1 message "}, "after:2026-11-22": {"No message"},
		"on:2026-11-31": {"The date of on: cannot be read", "Write 2026-11-22"}, "kind:song": {"no such kind"},
	} {
		u.Press("ctrl+s", "ctrl+u").Type(words).Expect().Sees(want...)
		u.Press("esc")
	}
	u.Type("/search from:me relay").Enter().Expect().Sees("my relay", "1 message ")
}
