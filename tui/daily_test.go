package tui_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"starling/node/api"
	"starling/tui"
	"starling/tui/tuitest"
)

// The first minute, and every day after.

func TestStartOpensWhatWasOpen(t *testing.T) {
	node := tuitest.NewNode(clock)
	for _, name := range []string{"alice", "bob", "carol"} {
		id := node.Meet(name)
		node.Seed(id, tuitest.Text("hello from "+name, noon.Add(-time.Hour), false))
	}
	u := start(t, node)
	u.Expect().Sees("Write to carol") // the last to say something
	u.Open("bob").Expect().Sees("Write to bob").That("it to be remembered", func() bool {
		s, _ := node.Settings(t.Context())
		return s.Open != ""
	})

	again := start(t, node)
	again.Expect().Sees("Write to bob", "hello from bob")
	if got := order(again, "alice", "bob", "carol"); !slices.Equal(got, []string{"carol", "bob", "alice"}) {
		t.Errorf("the list is %v", got)
	}
	again.Type("to whom?").Enter().Expect().Message("to whom?").State(api.StateQueued)
	contacts, _ := node.Contacts(t.Context())
	for _, c := range contacts {
		if c.Last.Text.String() == "to whom?" && c.Name.String() != "bob" {
			t.Errorf("sent to %s", c.Name)
		}
	}

	// What was said last is on top of the next start, whoever was met last.
	node.Receive(contacts[0].ID, "news")
	third := start(t, node)
	third.Expect().Sees("Write to bob")
	if got := order(third, "alice", "bob", "carol"); !slices.Equal(got, []string{"alice", "bob", "carol"}) {
		t.Errorf("the list is %v", got)
	}
}

func TestStartWithoutWhatWasOpen(t *testing.T) {
	node := tuitest.NewNode(clock)
	id := node.Meet("alice")
	node.Meet("bob")
	start(t, node).Open("alice").Expect().Sees("Write to alice").That("it to be remembered", func() bool {
		s, _ := node.Settings(t.Context())
		return s.Open == id
	})
	if err := node.RemoveContact(t.Context(), "alice"); err != nil {
		t.Fatal(err)
	}
	start(t, node).Expect().Sees("Write to bob")
	// Settings that do not come are waited for no longer than for their failure.
	node.Fail("Settings", &api.Error{Code: api.CodeTimeout, Message: "it took too long"})
	start(t, node).Expect().Sees("Write to bob")
}

func TestOutboxSaysWhatWaits(t *testing.T) {
	node := tuitest.NewNode(clock)
	id := node.Meet("alice")
	sealed := tuitest.Text("from yesterday", noon.Add(-20*time.Hour), true)
	sealed.State = api.StateSealed
	node.Seed(id, sealed)
	old := node.Last(id).ID
	u := start(t, node)
	u.Expect().Status("outbox 1")
	u.Type("another").Enter().Expect().Status("outbox 2")
	another := node.Last(id).ID
	node.State(another, api.StateSealed, "")
	node.State(old, api.StateSent, "")
	u.Expect().Status("outbox 1")
	node.State(another, api.StateSent, "")
	u.Expect().That("an empty outbox", func() bool { return !strings.Contains(u.Screen(), "outbox 1") })
	node.State(another, api.StateDelivered, "")

	// While the number is asked for, more happens.
	release := node.Hold("Status")
	u.Type("third").Enter().Expect().Message("third").State(api.StateQueued)
	node.State(node.Last(id).ID, api.StateDelivered, "")
	u.Expect().Message("third").State(api.StateDelivered)
	release()
	u.Expect().That("an empty outbox", func() bool { return !strings.Contains(u.Screen(), "outbox 1") })
	u.Type("fourth").Enter().Expect().Status("outbox 1")
	if err := node.Delete(t.Context(), api.DeleteRequest{Messages: []string{node.Last(id).ID}}); err != nil {
		t.Fatal(err)
	}
	u.Expect().That("an empty outbox", func() bool { return !strings.Contains(u.Screen(), "outbox 1") })
}

func TestQuitSaysWhatWaits(t *testing.T) {
	node, id, u := alone(t)
	u.Type("not yet gone").Enter().Expect().Status("outbox 1")
	u.Press("ctrl+c").Expect().Status("1 message has not left and waits here. ctrl+c again quits.")
	u.Press("esc")
	node.State(node.Last(id).ID, api.StateSent, "")
	u.Expect().That("it to be gone", func() bool { return !strings.Contains(u.Screen(), "outbox 1") })
	u.Press("ctrl+c").Expect().Status("Press ctrl+c again to quit.").SeesNot("waits here")
	u.Press("ctrl+c").Expect().Quit()
}

func TestQuitIsAskedAnewAfterAWhile(t *testing.T) {
	_, _, u, pass := withTimer(t)
	u.Press("ctrl+c").Expect().Status("Press ctrl+c again")
	pass()
	u.Expect().SeesNot("Press ctrl+c again")
	u.Press("ctrl+c").Expect().Status("Press ctrl+c again")
	u.Press("ctrl+c").Expect().Quit()
}

func TestAddingSaysThatItConnects(t *testing.T) {
	node, _, u := alone(t)
	node.SetStatus(func(s *api.Status) { s.Ready, s.Reason = false, "no relay is known" })
	u.Expect().Status("no relay is known")
	release := node.Hold("AddContact")
	u.Press("ctrl+o").Paste("starling:abc").Enter().Type("Dora").Enter()
	u.Expect().Sees("Connecting… The relays of the invite")
	u.Enter().Expect().Sees("Connecting…") // once is enough
	node.SetStatus(func(s *api.Status) { s.Ready, s.Reason = true, "" })
	u.Expect().Sees("Fetching their keys").SeesNot("Connecting…")
	release()
	u.Expect().Sees("Say hello to Dora")
	n := 0
	for _, call := range node.Calls() {
		if strings.HasPrefix(call, "AddContact") {
			n++
		}
	}
	if n != 1 {
		t.Errorf("asked %d times", n)
	}
}

func TestReactWithAnyEmoji(t *testing.T) {
	node, id, u := alone(t)
	node.Receive(id, "it works")
	u.Expect().Sees("it works")
	reacts := func(want string) {
		t.Helper()
		u.Expect().That("the reaction "+want, func() bool {
			r := node.Last(id).Reactions
			return len(r) == 1 && r[0].Emoji.String() == want
		})
	}
	u.Press("esc", "+").Paste("🫶🏿\n").Expect().Sees("as you typed it")
	u.Enter()
	reacts("🫶🏿")
	u.Press("+").Type("🦑").Enter()
	reacts("🦑")
	for name, want := range map[string]string{"rotes Herz": "❤️", "ракета": "🚀", "rocket": "🚀", "red hea": "❤️"} {
		u.Press("+").Type(name).Enter()
		reacts(want)
	}
	for _, word := range []string{"✓verified", "✓", "👍👍", "zzz"} {
		u.Press("+").Paste(word).Expect().SeesNot("as you typed it")
		u.Press("esc")
	}
	// The last one typed is offered again.
	u.Press("+").Paste("🦖").Enter()
	reacts("🦖")
	u.Press("+", "down").Enter()
	reacts("🦖")
}

// hurried is somebody whose terminal does not say what is pasted.
func hurried(t *testing.T) (*tuitest.Node, string, *tuitest.User, func(string), func()) {
	node := tuitest.NewNode(clock)
	id := node.Meet("alice")
	at, gap := noon, time.Second
	u, pass := patient(t, node, tui.Options{Now: clock, Language: "en", Stroke: func() time.Time {
		at = at.Add(gap)
		return at
	}})
	u.Expect().Sees("Write to alice")
	return node, id, u, func(keys string) {
		for i, r := range keys {
			if gap = time.Millisecond; i == 0 {
				gap = time.Second
			}
			switch r {
			case '\n':
				u.Press("enter")
			case '\t':
				u.Press("tab")
			default:
				u.Type(string(r))
			}
		}
		gap = time.Second
	}, func() { pass(100 * time.Millisecond) }
}

func TestPasteWithoutBrackets(t *testing.T) {
	node, id, u, keys, pass := hurried(t)
	keys("one\n\ttwo\nDy\n")
	pass()
	u.Expect().Sees("› one", "Nothing is sent before you press enter.").SeesNot("Remove alice?")
	if m := node.Last(id); m.ID != "" {
		t.Fatalf("sent %q", m.Text)
	}
	u.Enter().Expect().Message("Dy").State(api.StateQueued)
	if got, want := node.Last(id).Text.String(), "one\n    two\nDy"; got != want {
		t.Errorf("sent %q, want %q", got, want)
	}

	// A line alone may be one that the network held up: it is sent a moment later.
	keys("late\n")
	u.Expect().Sees("› late")
	pass()
	u.Expect().Message("late").State(api.StateQueued)

	// Who goes on typing after it sends it first.
	keys("later\n")
	u.Type("still").Expect().Message("later").State(api.StateQueued)
	u.Expect().Sees("› still")
}

func TestKeysOfTextStayInTheText(t *testing.T) {
	node, id, u := alone(t)
	node.Receive(id, "hello")
	u.Expect().Sees("hello")
	u.Type("a").Press("tab").Type("t").Expect().Sees("› a    t").SeesNot("Messages that disappear")
	u.Press("ctrl+u", "up", "up", "down").Type("D").Expect().Sees("› D").SeesNot("Remove alice?")
}

func TestEscComesToRest(t *testing.T) {
	_, _, u := seeded(t)
	u.Press("esc", "esc")
	rest := u.Screen()
	for range 3 {
		if u.Press("esc"); u.Screen() != rest {
			t.Fatalf("esc goes on:\n%s", u.Screen())
		}
	}
	u.Press("i").Type("back").Expect().Sees("› back")
}

func TestLongPasteIsKept(t *testing.T) {
	node, id, u := alone(t)
	long := strings.Repeat("word ", 8000)
	u.Paste(long).Press("esc").Expect().Status("The text has 40000 bytes now, a message takes 32768. Nothing is cut")
	if node.Draft(id).Text != "" {
		t.Error("a draft that no node takes was handed over")
	}
	u.Enter().Expect().Sees("The message is too long", "› ")
	u.Press("ctrl+end")
	u.Press("ctrl+u").Type("short").Enter().Expect().Message("short").State(api.StateQueued)
	u.Paste(strings.Repeat("x", 300<<10)).Expect().Sees("You pasted 300.0 KiB: more than")
}

func TestBarHelpsAtEightyColumns(t *testing.T) {
	node, _, u := alone(t)
	u.Expect().Status("f1 help").Status("ctrl+p actions").Status("ctrl+k go to")
	node.SetStatus(func(s *api.Status) {
		s.Ready, s.Reason = false, "too few relays are known, and this reason is so long that it does not fit beside anything"
	})
	u.Expect().Status("waiting: too few relays").Status("f1 help")
	u.Resize(40, 10).Expect().Status("waiting:").Status("f1 help")
	u.Resize(200, 60).Expect().Status("guards 2 of 2").Status("f1 help")
}

func TestInviteAtEightyColumns(t *testing.T) {
	_, _, u := alone(t)
	u.Press("ctrl+n").Type("Zoë").Enter().Enter().Expect().Sees("Invite for Zoë", "Works once", "c", "esc")

	// The link stands alone in its rows, from the first column on, and whole.
	link := ""
	lines := strings.Split(u.Screen(), "\n")
	for _, l := range lines[1:] {
		if link += l; len(l) < 80 {
			break
		}
	}
	if strings.Trim(link, ":abcdefghijklmnopqrstuvwxyz234567") != "" || !strings.HasPrefix(link, "starling:") || len(link) != 199 {
		t.Errorf("the link reads %q in\n%s", link, u.Screen())
	}
	// The code is there too, and whole on a screen of its own.
	dark := func() int {
		n := 0
		for _, r := range u.Screen() {
			if r >= 0x1fb00 && r <= 0x1fb3b || strings.ContainsRune("█▀▄▌▐", r) {
				n++
			}
		}
		return n
	}
	if dark() < 200 {
		t.Errorf("there is no code on\n%s", u.Screen())
	}
	u.Press("f").Expect().SeesNot("Invite for Zoë", "too small")
	if dark() < 200 {
		t.Errorf("there is no code on\n%s", u.Screen())
	}
	checkFrame(t, u, 80, 24, "code")
	u.Press("esc", "esc").Expect().Sees("Write to alice")
	for _, size := range [][2]int{{40, 10}, {60, 20}, {120, 40}, {200, 60}} {
		u.Resize(size[0], size[1]).Press("ctrl+n").Enter().Enter().Expect().Sees("starling:")
		checkFrame(t, u, size[0], size[1], "invite")
		u.Press("f")
		checkFrame(t, u, size[0], size[1], "code")
		u.Press("esc", "esc")
	}
}

func TestLongMessagesFold(t *testing.T) {
	node, id, u := alone(t)
	var b strings.Builder
	for i := range 200 {
		if i == 150 {
			b.WriteString("here stands the needle\n")
		}
		b.WriteString("line of the long text\n")
	}
	node.Receive(id, "before it")
	node.Receive(id, b.String())
	node.Receive(id, "after it")
	u.Resize(80, 40).Expect().Sees("before it", "… 178 more lines  s shows all", "after it")
	u.Press("esc", "k", "s").Expect().SeesNot("more lines")
	u.Press("s").Expect().Sees("… 178 more lines")
	u.Press("i", "ctrl+s").Type("needle").Expect().Sees("1 message")
	u.Enter().Expect().Sees("here stands the needle", "more lines")
}

func TestKeysOnACyrillicKeyboard(t *testing.T) {
	node, id, u := alone(t)
	node.Receive(id, "привет")
	u.Expect().Sees("привет")
	u.Press("esc", "к").Expect().Sees("↳ alice")             // r answers
	u.Press("esc", "esc", "У").Expect().Sees("Rename alice") // E renames
	u.Press("ctrl+u").Type("Алиса").Enter().Expect().Sees("Алиса")
	u.Press("В").Expect().Sees("Remove Алиса?")
	u.Press("т").Expect().Sees("Remove Алиса?")
	u.Press("esc", "ш").Type("ок").Expect().Sees("› ок")
}

func TestFieldsShowTheirBeginning(t *testing.T) {
	_, _, u := alone(t)
	u.Press("ctrl+o").Paste("starling:" + strings.Repeat("abcdefgh", 25)).Enter().Expect().Sees("▌ starling:abcdefghabcdefgh")
}

func TestNothingOfATextIsHidden(t *testing.T) {
	node, id, u := alone(t)
	for _, text := range []string{"```", "```rm -rf /```", "```one two", "text\n```\nmore", "```go\nfunc f() {}\n```"} {
		node.Receive(id, text)
	}
	u.Resize(80, 40).Expect().Sees("  ```", "  rm -rf /", "  ```one two", "  more", "│ func f() {}").SeesNot("empty code")
}

func TestOtherLanguagesAreNotCut(t *testing.T) {
	for language, whole := range map[string][]string{"de": {"bekannt seit", "hinaus"}, "ru": {"известен с", "уходить"}} {
		node := tuitest.NewNode(clock)
		tuitest.People(node)
		u := tuitest.NewUserAt(t, node, tui.Options{Now: clock, Language: language}, 100, 40)
		u.Expect().Sees(whole...)
		for _, l := range strings.Split(u.Screen(), "\n") {
			if at := strings.LastIndex(l, "│"); at > 0 && strings.Contains(l[at:], "…") {
				t.Errorf("%s: cut: %q", language, l[at:])
			}
		}
	}
}
