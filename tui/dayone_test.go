package tui_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"starling/node/api"
	"starling/tui"
	"starling/tui/setup"
	"starling/tui/tuitest"
)

// TestFirstMessageTakesFewKeys: from the first start to the first message, with an invite
// in the clipboard. Letters of names, passphrases and the message are not counted.
func TestFirstMessageTakesFewKeys(t *testing.T) {
	alice, robin := tuitest.Pair(clock, "alice", "robin")
	invite, err := alice.Invite(t.Context(), api.InviteRequest{})
	if err != nil {
		t.Fatal(err)
	}

	s := setup.New(setup.Options{Language: "en", Demo: true})
	first := tuitest.NewUserOf(t, s)
	first.Type("robin").Enter().Type("four words that differ").Enter().Type("four words that differ").Enter().Expect().Quit()
	if r, err := s.Result(); err != nil || r.Name != "robin" {
		t.Fatalf("%+v, %v", r, err)
	}

	u := start(t, robin)
	u.Expect().Sees("Welcome, robin.", "paste it here")
	u.Paste("Here you are:\r\n"+invite.Link+"\r\n").Expect().Sees("Add a contact", "starling:")
	u.Enter().Expect().Sees("Write to alice")
	u.Type("hello").Enter().Expect().Message("hello").State(api.StateDelivered)
	if keys := first.Keys() + u.Keys(); keys != 6 {
		t.Errorf("%d keys", keys)
	}
}

// An invite that is pasted where the name is asked for is kept, used once one is in, and
// never becomes a name or a passphrase.
func TestInviteBeforeTheName(t *testing.T) {
	alice, robin := tuitest.Pair(clock, "alice", "robin")
	invite, err := alice.Invite(t.Context(), api.InviteRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, field := range []int{0, 1, 2} {
		s := setup.New(setup.Options{Language: "en", Demo: true})
		first := tuitest.NewUserOf(t, s)
		for range field {
			first.Press("down")
		}
		first.Paste("Here you are:\n> "+invite.Link+"\n").Expect().Sees("The invite is kept").SeesNot("Here you are", "starling:", "••")
		checkFrame(t, first, 80, 24, "an invite before the name")
		for range field {
			first.Press("up")
		}
		first.Type("robin").Enter().Type("four words that differ").Enter().Type("four words that differ").Enter().Expect().Quit()
		r, err := s.Result()
		if err != nil || r.Name != "robin" || r.Passphrase != "four words that differ" || !strings.HasPrefix(r.Invite, invite.Link) {
			t.Fatalf("%+v, %v", r, err)
		}
		if field > 0 {
			continue
		}

		u := tuitest.NewUser(t, robin, tui.Options{Now: clock, Language: "en", Invite: r.Invite})
		u.Expect().Sees("Add a contact", "starling:")
		u.Enter().Expect().Sees("Write to alice")
		u.Type("hello").Enter().Expect().Message("hello").State(api.StateDelivered)
		if keys := first.Keys() + u.Keys(); keys != 6 {
			t.Errorf("%d keys", keys)
		}
	}

	// Where no paste is told from typing, the name is refused.
	s := setup.New(setup.Options{Language: "en"})
	typed := tuitest.NewUserOf(t, s)
	typed.Type("starling:agh3atupwxn").Enter().Type("four words that differ").Enter().Type("four words that differ").Enter()
	typed.Expect().Sees("This is an invite. Type your name here")

	// Nor does one of an existing profile become anything else.
	s = setup.New(setup.Options{Existing: true, Language: "en"})
	tuitest.NewUserOf(t, s).Paste("starling:abc").Enter().Expect().Quit()
	if r, err := s.Result(); err != nil || r.Passphrase != "starling:abc" || r.Invite != "" {
		t.Errorf("%+v, %v", r, err)
	}
}

// Whatever is pasted on the page of the first steps is taken for what it is, and letters
// that take more bytes in lower case are no harm.
func TestPastesOnTheFirstPage(t *testing.T) {
	u := start(t, tuitest.NewNode(clock))
	u.Expect().Sees("Welcome, robin.")
	u.Paste(strings.Repeat("İ", 300)+"starling:abc").Expect().Sees("Add a contact", "starling:abc")
	u.Press("esc").Paste(strings.Repeat("İ", 300) + "starling-room:abc")
	u.Press("esc").Paste("for you: starling-bridge:abc").Expect().Sees("Take this bridge?")
	u.Press("esc").Paste("nothing of it").Expect().SeesNot("Add a contact").Sees("Welcome, robin.")

	// A long mail around an invite is no obstacle; a long text is refused in words.
	u.Press("1").Paste(strings.Repeat("words of a mail ", 9000) + "starling:abc").Expect().Sees("starling:abc")
	u.Press("ctrl+u").Paste(strings.Repeat("words of a mail ", 9000)).Expect().Sees("The text is too long for this place.")
	u.Type("x").Expect().SeesNot("too long")
}

// A profile that knows nobody has a page, at every size and in every language, and each
// step of it is a digit, or the arrows and enter.
func TestFirstSteps(t *testing.T) {
	opts := tui.Options{Now: clock, Language: "en", TryDemo: true,
		Join: func(context.Context, string) error { return nil }}
	for _, size := range [][2]int{{40, 10}, {80, 24}, {120, 40}, {200, 60}} {
		for _, language := range []string{"en", "de", "ru"} {
			opts.Language = language
			u := tuitest.NewUserAt(t, tuitest.NewNode(clock), opts, size[0], size[1])
			u.Expect().Sees("robin", "▌ 1 ")
			when := fmt.Sprintf("steps_%s_%dx%d", language, size[0], size[1])
			checkFrame(t, u, size[0], size[1], when)
			for i := range 9 {
				u.Press("down")
				checkFrame(t, u, size[0], size[1], fmt.Sprint(when, " ", i))
			}
			if language == "en" {
				golden(t, when, u.Screen())
			}
		}
	}

	opts.Language = "en"
	u := tuitest.NewUser(t, tuitest.NewNode(clock), opts)
	for key, sees := range map[string]string{"1": "Paste the link that they gave you", "2": "Invite somebody", "3": "Whoever has it first", "5": "Join by a relay", "8": "Messages can leave now."} {
		u.Press(key).Expect().Sees(sees)
		u.Press("esc").Expect().SeesNot(sees).Sees("Welcome, robin.")
	}
	u.Press("1", "esc", "k").Enter().Expect().Sees("Make a room") // the one before
	u.Press("esc", "7").Expect().Sees("Nothing of it is", "Write a note")
	u.Press("alt+h").Expect().Sees("First steps", "try the demo in here")
	u.Press("esc").Expect().SeesNot("try the demo in here")
}

// The page can be left for the list, and comes back.
func TestFirstStepsAndTheList(t *testing.T) {
	u := tuitest.NewUserAt(t, tuitest.NewNode(clock), tui.Options{Now: clock, Language: "en"}, 50, 20)
	u.Expect().Sees("Welcome, robin.").SeesNot("Conversations")
	u.Press("esc").Expect().Sees("Note to self").SeesNot("Welcome, robin.")
	u.Press("tab").Expect().Sees("Welcome, robin.")
	u.Press("esc").Enter().Expect().Sees("Write a note")
}

// The demo ends the app, for those who run it to show the demo and come back.
func TestTheDemoFromHere(t *testing.T) {
	node := tuitest.NewNode(clock)
	u := tuitest.NewUser(t, node, tui.Options{Now: clock, Language: "en", TryDemo: true})
	u.Expect().Sees("4 try the demo in here, and come back")
	u.Press("4").Expect().Quit()

	u = tuitest.NewUser(t, node, tui.Options{Now: clock, Language: "en", Demo: "starling", Back: true, TryDemo: true})
	u.Expect().Status("This is the demo").SeesNot("try the demo")
	node.Meet("echo")
	u.Expect().Sees("Write to echo")
	u.Type("/demo").Enter().Expect().Status("The demo is not offered here.")
}

// A backup is restored beside the profile, from the page and by its key.
func TestRestoreFromHere(t *testing.T) {
	var asked []string
	fails := true
	u := tuitest.NewUser(t, tuitest.NewNode(clock), tui.Options{Now: clock, Language: "en",
		Restore: func(_ context.Context, file, passphrase string) (string, error) {
			asked = append(asked, file+" "+passphrase)
			if fails {
				return "", &api.Error{Code: api.CodeWrongPassphrase, Message: "wrong passphrase"}
			}
			return "/home/robin/my profile-restored-1", nil
		}})
	u.Expect().Sees("Welcome, robin.")
	u.Press("f12").Expect().Sees("beside this one")
	u.Enter().Enter().Expect().Sees("Type the name of the file.")
	u.Press("up").Type("/tmp/copy.age").Enter().Type("secret words").Enter().Expect().Sees("Wrong passphrase")
	fails = false
	u.Enter().Expect().Sees("starling --profile '/home/robin/my profile-restored-1'")
	if want := []string{"/tmp/copy.age secret words", "/tmp/copy.age secret words"}; !slices.Equal(asked, want) {
		t.Errorf("%q", asked)
	}
}

// The first screen restores a backup in place of a new profile.
func TestSetupRestores(t *testing.T) {
	s := setup.New(setup.Options{Language: "en", Demo: true})
	u := tuitest.NewUserOf(t, s)
	u.Press("f3").Expect().Sees("The profile in it becomes the one here")
	checkFrame(t, u, 80, 24, "restore")
	u.Press("esc").Expect().Sees("Your name").SeesNot("becomes the one here")
	u.Press("f3").Type("/tmp/copy.age").Enter().Type("secret").Enter().Expect().Quit()
	if r, err := s.Result(); err != nil || r.Backup != "/tmp/copy.age" || r.Passphrase != "secret" || r.Name != "" {
		t.Errorf("%+v, %v", r, err)
	}
}

// The strength of a new passphrase is said while it is typed, on the first screen, and
// where it is changed, and for a backup.
func TestStrengthIsSaid(t *testing.T) {
	u := tuitest.NewUserOf(t, setup.New(setup.Options{Language: "en"}))
	u.Type("robin").Enter().Type("password").Expect().Sees("too easy to guess: words, names")
	u.Press("ctrl+u").Type("qwertyuiop").Expect().Sees("too easy to guess:")
	u.Press("ctrl+u").Type("correct horse battery staple of mine").Expect().Sees("● strong")
	u.Press("ctrl+u").Expect().SeesNot("strong")

	node := tuitest.NewNode(clock)
	node.Meet("alice")
	v := start(t, node)
	v.Press("alt+p").Type(tuitest.Passphrase).Enter().Type("password").Expect().Sees("✗ too easy to guess")
	v.Press("esc", "f8").Enter().Type("password").Expect().Sees("✗ too easy to guess")
	if strings.Contains(v.Screen(), "password ") || !strings.Contains(v.Screen(), "••••••••") {
		t.Errorf("the passphrase is on the screen:\n%s", v.Screen())
	}
}

// The note to self stands in the list, says where it stays, and is nobody.
func TestNoteToSelf(t *testing.T) {
	node, id, u := alone(t)
	u.Expect().Sees("Note to self ⌂", "never leaves this")
	u.Open("Note to self").Expect().Sees("Write a note", "stays here")
	u.Type("the key is under the mat").Enter().Expect().Sees("the key is under the mat").SeesNot("queued", "delivered", "stored")
	if m := node.Last(api.Self); m.State != api.StateStored {
		t.Errorf("%+v", m)
	}
	u.Expect().SeesNot("Say hello")
	for _, key := range []string{"v", "b", "E", "D"} {
		u.Press("esc", key).Expect().Status("nobody behind the note to self")
		u.Press("i")
	}
	u.Press("esc", "d").Expect().Sees("Delete here", "Keep").SeesNot("Delete for both")
	u.Press("esc", "t").Expect().Sees("New notes are erased so long after")
	u.Press("right").Enter().Expect().Status("Saved.")
	if c, err := node.Conversations(t.Context()); err != nil || c[0].Timer != 30 {
		t.Errorf("%+v, %v", c[0], err)
	}

	// What others wrote can be kept in it.
	node.Receive(id, "meet me at nine")
	u.Press("i").Open("alice").Expect().Sees("meet me at nine")
	u.Press("esc", "f").Type("note").Enter()
	u.Open("Note to self").Expect().Sees("meet me at nine")

	// A contact that calls itself so has something behind its name.
	node.Meet("Note to self (4f2a1c)")
	u.Expect().Sees("Note to self (4f2a1")
	u.Press("ctrl+k").Type("note").Expect().Sees("Note to self (4f2a1c)")
}

// Blocking, in one place: whoever is blocked stands in a list, and is unblocked there.
func TestBlockedPeople(t *testing.T) {
	node := tuitest.NewNode(clock)
	alice := node.Meet("alice")
	node.Meet("bob", func(c *api.Contact) { c.Blocked = true })
	u := start(t, node)
	u.Expect().Sees("bob")
	blocked := func(id string) bool {
		all, err := node.Contacts(t.Context())
		return err == nil && slices.ContainsFunc(all, func(c api.Contact) bool { return c.ID == id && c.Blocked })
	}
	u.Press("ctrl+p").Type("blocked").Enter().Expect().Sees("Blocked people", "bob", "enter unblocks", "Block somebody…")
	u.Press("down").Enter().Expect().Sees("Block somebody", "alice").SeesNot("enter unblocks")
	u.Enter().Expect().Sees("Block alice?", "They are not told")
	u.Press("y").Expect().Status("Blocked.")
	if !blocked(alice) {
		t.Error("alice is not blocked")
	}
	u.Type("/blocked").Enter() // the text of a blocked contact takes nothing
	u.Press("esc", "B").Type("alice").Expect().Sees("enter unblocks")
	u.Enter().Expect().Status("Unblocked.")
	if blocked(alice) {
		t.Error("alice is still blocked")
	}
	u.Press("B").Type("bob").Enter().Expect().Status("Unblocked.")
	u.Press("i").Type("/blocked").Enter().Expect().Sees("Blocked people").SeesNot("enter unblocks")
}

// Clearing asks first, keeps the contact, and goes on.
func TestClear(t *testing.T) {
	node, id, u := alone(t)
	node.Receive(id, "what was said")
	u.Type("what I said").Enter().Expect().Sees("what I said", "what was said")
	u.Type("half a text").Press("ctrl+p").Type("clear conv").Enter().Expect().Sees("Clear the conversation with alice?", "Your contact keeps what they have")
	u.Enter().Expect().Sees("Clear the conversation with alice?") // enter in flight
	u.Press("y").Expect().Status("Cleared.").SeesNot("what was said", "what I said", "half a text").Sees("Write to alice")
	if got, err := node.History(t.Context(), api.HistoryRequest{Contact: id}); err != nil || len(got) != 0 {
		t.Errorf("%v, %v", got, err)
	}
	u.Type("a new page").Enter().Expect().Message("a new page").State(api.StateQueued)

	// Another client clears it, while one writes.
	u.Type("to be sent")
	if err := node.ClearConversation(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	u.Expect().SeesNot("a new page").Sees("to be sent")
}

// An export goes to a new file, with the end of its format, and is refused over another.
func TestExportFromHere(t *testing.T) {
	node := tuitest.NewNode(clock)
	id := node.Meet("al/../ice")
	dir := t.TempDir()
	u := tuitest.NewUser(t, node, tui.Options{Now: clock, Language: "en", BackupDir: dir})
	u.Expect().Sees("Write to")
	node.Receive(id, "what was said")
	u.Press("esc", "W").Expect().Sees("Write the conversation to a file", "it is not encrypted")
	u.Enter().Press("right").Enter().Expect().Status("The conversation is in")
	path := filepath.Join(dir, "starling-alice-2026-11-22.html")
	if b, err := node.ReadFile(path); err != nil || !strings.Contains(string(b), "what was said") {
		t.Errorf("%q, %v", b, err)
	}
	u.Press("W").Enter().Press("right").Enter().Expect().Sees("There is a file of that name already")
	u.Press("esc", "i").Type("/export " + filepath.Join(dir, "talk.json")).Enter().Expect().Status("The conversation is in")
	if !slices.Contains(node.Calls(), "Export json"+filepath.Join(dir, "talk.json")) {
		t.Errorf("%q", node.Calls())
	}
}

// The name, the language, the look and the title are settings, and hold at once.
func TestNameAndLook(t *testing.T) {
	node, id, u := alone(t)
	u.Resize(100, 44)
	u.Press("f7").Expect().Sees("Your name", "Language", "Colours", "Unread in the window's title")
	u.Press("down", "down", "down", "down", "ctrl+u").Type("Robin Hood")
	u.Press("down", "down", "right", "right", "down", "right", "down", "down", "down").Enter().Expect().Status("Saved.")
	s, err := node.Settings(t.Context())
	if err != nil || s.Name.String() != "Robin Hood" || s.Theme != "light" || !s.UnreadTitle || s.Language != "" {
		t.Errorf("%+v, %v", s, err)
	}
	u.Expect().That("colours for light screens", func() bool { return strings.Contains(u.View().Content, "38;2;5;80;174") })

	node.Unread(id, 0)
	other := node.Meet("bob")
	node.Receive(other, "one")
	node.Receive(other, "two")
	u.Expect().That("the count in the title", func() bool { return u.View().WindowTitle == "(2) Starling" })
	u.Press("f5").Expect().That("no count while texts are hidden", func() bool { return u.View().WindowTitle == "Starling" })
	u.Press("f5", "f6").Expect().That("no count while it is locked", func() bool { return u.View().WindowTitle == "Starling" })
}

// A language of the settings holds at the next start and at once, unless another was
// chosen at the start.
func TestLanguageOfTheSettings(t *testing.T) {
	node := tuitest.NewNode(clock)
	node.Meet("alice")
	opts := tui.Options{Now: clock, Getenv: func(string) string { return "" }}
	t.Setenv("LC_ALL", "en_US.UTF-8")
	u := tuitest.NewUser(t, node, opts)
	u.Press("f7", "up", "up", "up", "up", "up", "up", "right", "right").Press("down", "down", "down", "down", "down", "enter")
	u.Expect().Status("Gespeichert.").Sees("alice schreiben")
	v := tuitest.NewUser(t, node, opts)
	v.Expect().Sees("alice schreiben")
	opts.Language = "en"
	w := tuitest.NewUser(t, node, opts)
	w.Expect().Sees("Write to alice")
}

// The names that the node keeps from contacts are those that the app shows.
func TestNamesOfSelf(t *testing.T) {
	for _, language := range api.Languages {
		u := tuitest.NewUserAt(t, tuitest.NewNode(clock), tui.Options{Now: clock, Language: language}, 120, 40)
		shown := false
		for _, name := range api.SelfNames {
			shown = shown || strings.Contains(u.Screen(), name+" ⌂")
		}
		if !shown {
			t.Errorf("%s: another name than %q:\n%s", language, api.SelfNames, u.Screen())
		}
	}
}

// An empty name is refused in the form, and what the node refuses is shown there.
func TestNameIsRefused(t *testing.T) {
	node, _, u := alone(t)
	u.Press("f7", "up", "up", "up", "up", "up", "up", "up").Press("ctrl+u", "down", "down", "down", "down", "down", "down").Enter().Expect().Sees("A name has at least one letter.")
	node.Fail("ChangeSettings", errors.New("the disk is full"))
	u.Press("down", "down", "down", "down", "down").Type("Robin").Press("down", "down", "down", "down", "down", "down").Enter().Expect().Sees("The disk is full")
}
