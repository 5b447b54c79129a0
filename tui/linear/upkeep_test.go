package linear_test

import (
	"errors"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"starling/node/api"
	"starling/tui/linear"
	"starling/tui/tuitest"
)

// The note to self has a name and no number, and is read out as what it is.
func TestNoteToSelf(t *testing.T) {
	node := tuitest.NewNode(clock)
	node.Meet("alice")
	l := begin(t, node)
	l.expect("1. alice").expect("self. Note to self (stays here)")
	l.say("/open self").expect("Conversation with Note to self (stays here).")
	l.say("under the mat").expect("stored: under the mat")
	l.say("/block").expect("Error: The note to self is no contact")
	l.say("/open note to self").expect("Conversation with Note to self")
	l.say("/clear").expect("This erases all messages of the conversation with Note to self here.")
	l.say("yes").expect("The conversation with Note to self was cleared.")
	if got := sent(t, node, api.Self); len(got) != 0 {
		t.Errorf("left: %q", got)
	}
}

// Clearing asks, exports go by the end of the name, and who is blocked stands in a list.
func TestUpkeep(t *testing.T) {
	node := tuitest.NewNode(clock)
	id := node.Meet("alice")
	l := begin(t, node)
	l.say("/open 1", "one").expect("queued: one")
	path := filepath.Join(t.TempDir(), "talk.html")
	l.say("/export").expect("Error: Say where to")
	l.say("/export " + path).expect("The conversation is in " + path)
	l.say("/export " + path).expect("Error: There is a file of that name already")
	if b, err := node.ReadFile(path); err != nil || !strings.Contains(string(b), "one") {
		t.Errorf("%q, %v", b, err)
	}
	l.say("/clear", "no").expect("Nothing was done.")
	if got := sent(t, node, id); len(got) != 1 {
		t.Errorf("erased without a yes: %q", got)
	}
	l.say("/clear yes").expect("The conversation with alice was cleared.")
	if got := sent(t, node, id); len(got) != 0 {
		t.Errorf("left: %q", got)
	}

	l.say("/blocked").expect("Nobody is blocked.")
	l.say("/block").expect("alice is blocked.")
	l.say("/blocked").expect("1. alice").expect("Type /unblock")
	l.say("/unblock 1").expect("alice is unblocked.")
}

// The name, the language and the look are settings here too; the language holds at once.
func TestNameAndLook(t *testing.T) {
	node := tuitest.NewNode(clock)
	l := beginWith(t, node, linear.Options{Now: clock})
	t.Setenv("LC_ALL", "en_US.UTF-8")
	l.say("/set name Robin Hood", "/set theme dark", "/set title yes", "/settings")
	l.expect("Robin Hood")
	s, err := node.Settings(t.Context())
	if err != nil || s.Name.String() != "Robin Hood" || s.Theme != "dark" || !s.UnreadTitle {
		t.Errorf("%+v, %v", s, err)
	}
	l.say("/set language ru").expect("Сохранено.")
	l.say("/set language klingon").expect("Ошибка")
	l.say("/set language en").expect("Saved.")
}

// Every setting can be set here, but for the conversation that was open last.
func TestEverySettingCanBeSet(t *testing.T) {
	lines := map[string]string{
		"Typing": "typing yes", "ReadReceipts": "read yes", "Notify": "notify text", "LockAfter": "lock 5m",
		"Name": "name Robin Hood", "Language": "language de", "Theme": "theme dark", "UnreadTitle": "title yes",
		"BridgesOnly": "bridges-only yes", "Proxy": "proxy socks5://127.0.0.1:9050", "Bridge": "bridge yes",
	}
	fields := reflect.TypeFor[api.SettingsChange]()
	for i := range fields.NumField() {
		name := fields.Field(i).Name
		if name == "Open" {
			continue
		}
		node := tuitest.NewNode(clock)
		now := func() any {
			s, err := node.Settings(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return reflect.ValueOf(s).FieldByName(name).Interface()
		}
		before := now()
		begin(t, node).say("/set " + lines[name]).expect("Saved.")
		if now() == before {
			t.Errorf("%s is not set by %q", name, "/set "+lines[name])
		}
	}
}

// What there is to begin with is said, and the demo ends the app for a while.
func TestBegin(t *testing.T) {
	node := tuitest.NewNode(clock)
	l := beginWith(t, node, linear.Options{Now: clock, Language: "en", TryDemo: true})
	l.expect("Nobody is here yet.").expect("self. Note to self")
	l.say("/begin").expect("Whoever has it first").expect("/demo shows the demo").expect("/open self")
	l.say("/demo")
	if err := <-l.ended; !errors.Is(err, linear.ErrDemo) {
		t.Error(err)
	}

	m := begin(t, node)
	m.say("/demo").expect("Error: The demo is not offered here")
}
