package tui_test

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"go.uber.org/goleak"

	"starling/node/api"
	"starling/tui"
	"starling/tui/tuitest"
)

var update = flag.Bool("update", false, "write the golden screens anew")

func TestMain(m *testing.M) {
	time.Local = time.UTC
	if os.Getenv(fakeApp) != "" {
		os.Exit(runFakeApp())
	}
	flag.Parse()
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/dlclark/regexp2/v2.runClock")) // it ends by itself
}

// noon is when all tests happen: a Sunday.
var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func clock() time.Time { return noon }

// seeded returns a node full of people, and a user at its screen.
func seeded(t testing.TB) (*tuitest.Node, map[string]string, *tuitest.User) {
	node := tuitest.NewNode(clock)
	ids := tuitest.People(node)
	u := start(t, node)
	u.Expect().Sees("alice", "fast")
	return node, ids, u
}

// alone returns a node that knows alice and nothing else.
func alone(t testing.TB) (*tuitest.Node, string, *tuitest.User) {
	node := tuitest.NewNode(clock)
	id := node.Meet("alice")
	u := start(t, node)
	u.Expect().Sees("Write to alice")
	return node, id, u
}

func start(t testing.TB, node api.Node) *tuitest.User {
	return tuitest.NewUser(t, node, tui.Options{Now: clock, Language: "en"})
}

// patient returns a user, and a function that lets the time pass that the app waits
// for, where it waits no longer than that.
func patient(t testing.TB, node api.Node, opts tui.Options) (*tuitest.User, func(time.Duration)) {
	type wait struct {
		time.Duration
		msg tea.Msg
	}
	waiting := make(chan wait, 64)
	opts.After = func(d time.Duration, msg tea.Msg) tea.Cmd {
		waiting <- wait{d, msg}
		return nil
	}
	u := tuitest.NewUser(t, node, opts)
	return u, func(longest time.Duration) {
		for {
			select {
			case w := <-waiting:
				if w.Duration <= longest {
					u.Do(w.msg)
				}
			default:
				return
			}
		}
	}
}

// golden compares a screen with testdata/NAME.golden.
func golden(t *testing.T, name, screen string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	screen += "\n"
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(screen), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; run the test with -update", err)
	}
	if string(want) != screen {
		t.Errorf("%s differs; is\n%s\nwas\n%s", path, screen, want)
	}
}
