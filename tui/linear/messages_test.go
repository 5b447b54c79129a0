package linear_test

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"starling/node/api"
	"starling/node/api/safetext"
	"starling/tui/linear"
	"starling/tui/tuitest"
)

func TestLinearMessages(t *testing.T) {
	node := tuitest.NewNode(clock)
	id := node.Meet("alice")
	bob := node.Meet("bob")
	first := node.Receive(id, "At nine or at ten?")
	l := begin(t, node)
	l.expect("2. bob").say("/open alice").expect("alice, message 1: At nine or at ten?")
	l.say("/reply 1 Nine.").expect("you, message 2, queued: (answers: message 1) Nine.")
	if r := node.Last(id).Reply; r == nil || r.ID != first {
		t.Errorf("answers %+v", r)
	}
	mine := node.Last(id).ID
	l.say("/edit 2 Ten.").expect("Message 2 was edited: (answers: message 1) Ten. (edited)")
	l.say("/edit 1 never").expect("Only a text of your own can be edited")
	l.say("/react 1 rocket").expect("You react: 🚀")
	l.say("/react 1 none").expect("The reaction is taken back.")
	l.say("/react 1").expect("Say with which emoji")
	node.Change(mine, func(m *api.Message) { m.Read = noon })
	l.expect("alice has read message 2.")
	node.Change(mine, func(m *api.Message) { m.Reactions = []api.Reaction{{Emoji: safetext.Line("🎉")}} })
	l.expect("alice reacts to message 2: 🎉")
	l.say("/original 2").expect("alice, message 1: At nine")
	l.say("/forward 1 bob").expect("you to bob, message 3, queued: (forwarded) At nine or at ten?")
	if !node.Last(bob).Forwarded {
		t.Error("bob has nothing")
	}
	node.ReceiveMessage(id, api.Message{Text: safetext.Line("look"), Picture: tuitest.Picture(20, 10)})
	l.expect("alice, message 4: (picture, PNG, ")
	node.Change(first, func(m *api.Message) { m.Deleted = true })
	l.expect("alice took message 1 back.")
	l.say("/delete 2 both").expect("You took message 2 back.")
	if !slices.Contains(node.Calls(), "Delete 1 true") {
		t.Errorf("calls: %q", node.Calls())
	}
	l.say("/delete 2").expect("Message 2 is gone.")
	l.say("/delete 2").expect("No message has that number")
	node.Writes(id)
	l.expect("alice is writing.")
	l.say("/draft not yet").expect("Kept.")
	l.say("/draft").expect("Draft: not yet")
	l.say("/draft send").expect("queued: not yet")
	l.say("/draft").say("/draft send").expect("There is no draft.")
}

func TestLinearSearch(t *testing.T) {
	node := tuitest.NewNode(clock)
	id := node.Meet("crowd")
	bob := node.Meet("bob")
	tuitest.Crowd(node, id, 300)
	node.Seed(bob, tuitest.Text("The relay of bob", noon, false))
	l := begin(t, node)
	l.expect("2. bob").say("/search nothing-like-it").expect("No message has these words.")
	l.say("/search bob").expect("bob, message 1: The relay of bob", "/around")
	l.say("/open crowd").expect("crowd, message 6: 300:")
	l.say("/find 150").expect("message 7: 150:")
	l.say("/around 7").expect("145:", "150:", "155:")
	l.say("/next").expect("Nothing unread elsewhere.")
	node.Receive(bob, "news")
	l.expect("news").say("/next").expect("Conversation with bob (not verified, 1 new).")
}

func TestLinearKeeping(t *testing.T) {
	node := tuitest.NewNode(clock)
	id := node.Meet("alice")
	l := begin(t, node)
	l.expect("1. alice").say("/open 1").expect("No messages yet.")
	l.say("/pin").expect("Pinned.")
	l.say("/mute 8h").expect("Muted")
	l.say("/mute soon").expect("That is no time")
	l.say("/notify name").expect("Saved.")
	l.say("/notify loud").expect("That is no level")
	l.say("/archive").expect("Archived until")
	contacts, _ := node.Contacts(t.Context())
	c := contacts[0].Conversation
	if !c.Pinned || !c.Archived || c.Notify != api.NotifyName || !c.MutedUntil.Equal(noon.Add(8*time.Hour)) {
		t.Errorf("kept as %+v", c)
	}
	l.say("/list").expect("1 archived. /list all reads it too.")
	l.say("/list all").expect("1. alice (not verified, pinned, muted, archived)")
	l.say("/unpin", "/unmute", "/unarchive").expect("No longer pinned.", "No longer muted.", "Back in the list.")
	l.say("/timer").expect("New messages stay.")
	l.say("/timer 1h").expect("You have offered 1 hour; alice has not agreed yet.")
	node.Offer(id, 300)
	l.expect("alice offers messages that disappear after 5 minutes.")
	l.say("/timer agree").expect("New messages disappear after 5 minutes, on both sides.")
	l.say("/timer off").expect("You want to end it; alice has not agreed yet.")
	node.Offer(id, 0)
	l.say("/timer").expect("New messages stay.")
	l.say("/settings").expect("typing, tell contacts that you are writing: no", "lock, when idle for: never")
	l.say("/set typing yes").expect("Saved.")
	l.say("/set lock 5m").expect("Saved.")
	l.say("/set colour red").expect("That is no setting")
	if s, _ := node.Settings(t.Context()); !s.Typing || s.LockAfter != 300 {
		t.Errorf("settings are %+v", s)
	}
	l.say("/verified").expect("No numbers were read out yet")
	l.say("/join x").expect("Relays are given when the app is started")
}

func TestLinearSafety(t *testing.T) {
	node := tuitest.NewNode(clock)
	id := node.Meet("alice")
	l := begin(t, node)
	l.expect("1. alice").say("/open 1").expect("No messages yet.")
	l.say("/incognito").expect("Names and texts are hidden.")
	node.Receive(id, "a secret")
	l.expect("contact 1, message 1: (hidden)")
	l.say("/incognito off").expect("read out again")
	l.say("/lock").expect("Locked.")
	node.Receive(id, "while locked")
	tuitest.Heard(node)
	l.say("hello?").expect("That was not the passphrase.")
	l.say("/list", "/open alice").expect("That was not the passphrase.", "That was not the passphrase.")
	l.say(tuitest.Passphrase).expect("Unlocked.", "1 message came meanwhile.")
	if out := l.text(); strings.Contains(out, "while locked") || strings.Contains(out, "a secret") {
		t.Errorf("read out:\n%s", out)
	}
	if m := node.Last(id); m.Outgoing {
		t.Errorf("sent %q from behind the lock", m.Text)
	}
	l.say("/backup").expect("Say where to")
	l.say("/backup /tmp/x", "short").expect("too short")
	l.say("/backup /tmp/x", "long enough", "long enoigh").expect("differ")
	l.say("/backup /tmp/x", "long enough", "long enough").expect("The backup is in /tmp/x.")
	l.say("/passphrase", tuitest.Passphrase, "short").expect("too short")
	l.say("/passphrase", "guess", "long enough", "long enough").expect("not the passphrase")
	l.say("/passphrase", tuitest.Passphrase, "long enough", "long enough").expect("The profile has the new passphrase.")
	l.say("/wipe").expect("Is that what you want?", "Answer yes or no.").say("n").expect("Nothing was done.")
	l.say("/wipe yes").expect("The profile on this device is destroyed.")
	if err := <-l.ended; err != nil {
		t.Error(err)
	}
}

func TestLinearLockWhenIdle(t *testing.T) {
	node := tuitest.NewNode(clock)
	node.Meet("alice")
	after := 1
	_, _ = node.ChangeSettings(t.Context(), api.SettingsChange{LockAfter: &after})
	l := begin(t, node)
	l.expect("1. alice", "Locked.").say(tuitest.Passphrase).expect("Unlocked.")
}

func TestLinearGerman(t *testing.T) {
	node := tuitest.NewNode(clock)
	node.Meet("anna")
	r, w := io.Pipe()
	l := &talk{t: t, in: w, ended: make(chan error, 1)}
	ctx, cancel := context.WithCancel(t.Context())
	go func() { l.ended <- linear.Run(ctx, node, linear.Options{Now: clock, Language: "de"}, r, l) }()
	l.expect("1. anna (nicht geprüft)").say("/help").expect("/list: die Unterhaltungen", "/quit: beenden.")
	l.say("/open zoe").expect("Fehler: Niemand dieses Namens. Tippe /list.")
	cancel()
	w.Close()
	<-l.ended
}

func TestLinearGaps(t *testing.T) {
	node := tuitest.NewNode(clock)
	id := node.Meet("alice")
	node.Receive(id, "When?")
	l := begin(t, node)
	l.expect("1. alice").say("/open alice").expect("alice, message 1: When?")
	later := node.ReceiveMessage(id, api.Message{Text: safetext.Line("No, at six."), Gap: api.GapMissing})
	l.expect("Something that alice wrote before message 2 has not arrived yet.").expect("alice, message 2: No, at six.")
	node.Change(later, func(m *api.Message) { m.Gap = api.GapLost })
	l.expect("Something that alice wrote before message 2 never arrived.")
	node.ReceiveMessage(id, api.Message{Text: safetext.Line("At five?"), Late: &api.Quote{ID: later}})
	l.expect("alice, message 3: (came late, written before: message 2) At five?")
	node.Change(later, func(m *api.Message) { m.Gap = "" })
	l.expect("What was missing before message 2 has arrived.")
}

// Files by line: what will be sent is said before, nothing goes without an answer, and
// nothing dangerous is opened.
func TestLinearFiles(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("HOME", dir)
	node := tuitest.NewNode(clock)
	id := node.Meet("alice")
	write := func(name, data string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("my notes.txt", "hello")
	l := begin(t, node)
	l.expect("1. alice").say("/open alice").expect("Conversation with alice")
	l.say("/attach").expect("Say which file")
	l.say("/attach ~/nothing").expect("There is no file of that name")
	l.say("/attach ~/my notes.txt").expect("my notes.txt, 5 B", "It is sent as it is", "To alice. Type a text").say("/cancel").expect("Not sent.")
	if last := node.Last(id); last.File != nil {
		t.Fatalf("sent: %+v", last)
	}
	l.say("/attach '" + filepath.Join(dir, "my notes.txt") + "'").expect("To alice.").say("look").expect("you, message 1, queued: (file my notes.txt, 5 B) look")
	node.ReceiveMessage(id, api.Message{File: &api.File{Name: safetext.Line("../../x.sh"), Size: 9, Data: []byte("#!/bin/sh")}})
	l.expect("alice, message 2: (file x.sh, 9 B)")
	l.say("/view 2").expect("This is a script.")
	l.say("/save 2 " + dir).expect("Saved as " + filepath.Join(dir, "x.sh"))
	l.say("/save 2 " + filepath.Join(dir, "x.sh")).expect("nothing was overwritten")
	if b, err := os.ReadFile(filepath.Join(dir, "x.sh")); err != nil || string(b) != "#!/bin/sh" {
		t.Errorf("%q, %v", b, err)
	}
	node.Receive(id, "no file")
	l.expect("message 3").say("/save 3").expect("No file and no picture")
}

// TestLinearDelays: why messages wait is read out once, and again after one has gone.
func TestLinearDelays(t *testing.T) {
	node := tuitest.NewNode(clock)
	id := node.Meet("alice")
	l := begin(t, node)
	l.say("/open ali").say("one").expect("message 1, queued: one")
	one := node.Last(id).ID
	node.State(one, api.StateSealed, "")
	node.State(one, api.StateSealed, "nobody answers.")
	l.expect("Message 1 to alice: sealed, nobody answers.")
	l.say("two").expect("message 2, queued: two")
	two := node.Last(id).ID
	node.State(two, api.StateSealed, "nobody answers.")
	node.State(one, api.StateSent, "")
	l.expect("Message 1 to alice: sent")
	if n := strings.Count(l.out.String(), "nobody answers."); n != 1 {
		t.Errorf("read out %d times:\n%s", n, l.out.String())
	}
	node.State(two, api.StateSealed, "nobody answers.")
	l.expect("Message 2 to alice: sealed, nobody answers.")
}
