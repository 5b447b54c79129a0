package cli

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"starling/node"
	"starling/node/api"
	"starling/node/config"
	"starling/node/store"
	"starling/node/testnet"
	"starling/tui"
	firsts "starling/tui/setup"
	"starling/tui/tuitest"
)

const secret = "four words that differ"

// visits are screens that do one thing after the other.
type visits struct {
	setups []error
	runs   []func(node api.Node, options screenOptions) error
}

func (v *visits) Setup(context.Context, setup) (_ answers, err error) {
	err, v.setups = v.setups[0], v.setups[1:]
	return answers{name: "Robin", passphrase: secret}, err
}

func (v *visits) Run(_ context.Context, node api.Node, options screenOptions) error {
	run := v.runs[0]
	v.runs = v.runs[1:]
	return run(node, options)
}

// A quickEngine makes profiles that are quick to open.
type quickEngine struct{ realEngine }

func (e quickEngine) Create(ctx context.Context, profile string, p newProfile) error {
	p.cheapKDF = true
	return e.realEngine.Create(ctx, profile, p)
}

// show runs the app on real nodes with such screens.
func show(t *testing.T, v *visits, profile string) string {
	t.Helper()
	var out, err bytes.Buffer
	a := &app{engine: quickEngine{}, screens: v}
	a.console = console{in: strings.NewReader(""), out: &out, err: &err, inTTY: true, outTTY: true,
		getenv: func(string) string { return "" }}
	if exit := a.run(t.Context(), []string{"--profile", profile}); exit != exitOK {
		t.Fatalf("exit %d: %s%s", exit, &out, &err)
	}
	if len(v.setups)+len(v.runs) > 0 {
		t.Errorf("%d first screens and %d apps were not shown", len(v.setups), len(v.runs))
	}
	return err.String()
}

// TestDemoAndBack: the demo is shown before there is a profile, and from within one, and
// the own profile goes on in between: nothing of the demo is in it.
func TestDemoAndBack(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "robin")
	var own api.Node
	echo := func(n api.Node, o screenOptions) error {
		people, err := n.Contacts(t.Context())
		if err != nil || len(people) != 1 || people[0].Name.String() != "echo" || n == own || o.demo == "" || !o.back || o.tryDemo {
			t.Errorf("the demo: %v, %v, %+v", people, err, o)
		}
		_, err = n.Send(t.Context(), api.SendRequest{Contact: "echo", Text: "hello"})
		return err
	}
	v := &visits{setups: []error{errDemo, nil}}
	v.runs = []func(api.Node, screenOptions) error{
		echo, // before there is a profile
		func(n api.Node, o screenOptions) error {
			own = n
			if _, err := n.Send(t.Context(), api.SendRequest{Contact: api.Self, Text: "before"}); err != nil || !o.tryDemo || o.demo != "" {
				t.Errorf("%v, %+v", err, o)
			}
			return errDemo
		},
		echo,
		func(n api.Node, o screenOptions) error {
			people, err := n.Contacts(t.Context())
			notes, noted := n.History(t.Context(), api.HistoryRequest{Contact: api.Self})
			if err != nil || noted != nil || len(people) != 0 || len(notes) != 1 || n != own || o.demo != "" {
				t.Errorf("afterwards: %v, %v, %v, %v", people, err, notes, noted)
			}
			return nil
		},
	}
	show(t, v, dir)
}

// TestRestoreAtTheStart: a backup becomes the profile that is not there yet, and from
// within one a profile beside it.
func TestRestoreAtTheStart(t *testing.T) {
	home := t.TempDir()
	copied, wrong := filepath.Join(home, "copy.age"), filepath.Join(home, "nothing.age")
	first := &visits{setups: []error{nil}, runs: []func(api.Node, screenOptions) error{func(n api.Node, o screenOptions) error {
		if _, err := n.Send(t.Context(), api.SendRequest{Contact: api.Self, Text: "kept"}); err != nil {
			return err
		}
		return n.Backup(t.Context(), api.BackupRequest{Path: copied, Passphrase: secret})
	}}}
	show(t, first, filepath.Join(home, "old"))

	has := func(n api.Node) {
		t.Helper()
		if notes, err := n.History(t.Context(), api.HistoryRequest{Contact: api.Self}); err != nil || len(notes) != 1 || notes[0].Text.String() != "kept" {
			t.Errorf("%v, %v", notes, err)
		}
	}
	second := &visits{setups: []error{&restoreWish{wrong, secret}, &restoreWish{copied, secret}, nil}}
	second.runs = []func(api.Node, screenOptions) error{func(n api.Node, o screenOptions) error {
		has(n)
		if _, err := o.restore(t.Context(), wrong, secret); api.CodeOf(err) != api.CodeUsage {
			t.Errorf("of no file: %v", err)
		}
		folder, err := o.restore(t.Context(), copied, secret)
		if _, there := os.Stat(filepath.Join(folder, "profile.db")); err != nil || there != nil || filepath.Dir(folder) != home {
			t.Errorf("restored beside: %s, %v, %v", folder, err, there)
		}
		has(n)
		return nil
	}}
	show(t, second, filepath.Join(home, "new"))
}

// TestFirstMinute: from the first screen to the first message on real nodes and relays,
// with an invite in the clipboard: keys are counted, and time is told.
func TestFirstMinute(t *testing.T) {
	mesh, err := testnet.Start(t.Context(), testnet.Options{Relays: 8, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { mesh.Close() })
	ada := person(t, mesh, "ada")
	ada.Press("ctrl+n").Type("robin").Enter().Enter().Expect().Sees("starling:")
	ada.Press("c").Expect().That("the link to be copied", func() bool { return strings.HasPrefix(ada.Clipboard(), "starling:") })

	begun := time.Now()
	s := firsts.New(firsts.Options{Language: "en", Demo: true})
	u := tuitest.NewUserOf(t, s)
	for _, text := range []string{"Robin", secret, secret} {
		u.Type(text).Enter()
	}
	answers, err := s.Result()
	if err != nil {
		t.Fatal(err)
	}

	// What a start does with the answers, on a profile that knows no relay.
	p := config.Profile{Dir: filepath.Join(t.TempDir(), "robin")}
	if err := node.Create(p, answers.Passphrase, answers.Name, store.KDF{}); err != nil {
		t.Fatal(err)
	}
	n, err := node.New(node.Config{Profile: p, Passphrase: answers.Passphrase, AllowPrivate: true, NoSocket: true})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- n.Run(context.Background()) }()
	t.Cleanup(func() { n.Close(); <-ended })

	robin := tuitest.NewUserAt(t, n, tui.Options{Language: "en"}, 80, 24)
	robin.Expect().Sees("Welcome, Robin.", "paste it here")
	robin.Paste("Use this:\n> " + ada.Clipboard() + "\n").Expect().Sees("Add a contact")
	robin.Enter().Expect().Sees("Write to")
	robin.Type("found the key").Enter().Expect().Message("found the key").State(api.StateDelivered)
	took := time.Since(begun)
	if keys := u.Keys() + robin.Keys(); keys != 6 {
		t.Errorf("%d keys", keys)
	}
	t.Logf("delivered after %v and 6 keys beside name, passphrase and message", took.Round(time.Millisecond))
	ada.Press("esc").Open("robin").Expect().Sees("found the key")

	// Real nodes keep the promises of the screen: notes stay, blocks hold, chats are cleared.
	robin.Open("Note to self").Type("under the mat").Enter().Expect().Sees("under the mat")
	if st, err := n.Status(t.Context()); err != nil || st.Outbox != (api.Outbox{}) {
		t.Errorf("%+v, %v", st.Outbox, err)
	}
	robin.Press("alt+up").Press("esc", "b").Expect().Sees("Block ada?")
	robin.Press("y").Expect().Status("Blocked.").Sees("ada is blocked")
	robin.Press("B").Expect().Sees("enter unblocks")
	robin.Enter().Expect().Status("Unblocked.").SeesNot("ada is blocked") // by the event of it, which the words may overtake
	robin.Press("C").Expect().Sees("Clear the conversation with ada?")
	robin.Press("y").Expect().Status("Cleared.").SeesNot("found the key")
	robin.Press("i").Type("a new page").Enter().Expect().Message("a new page").State(api.StateDelivered)
	ada.Expect().Sees("a new page")
}
