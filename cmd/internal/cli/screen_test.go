package cli

import (
	"context"
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
	"starling/tui/tuitest"
)

// person is somebody at a screen of their own, on a node of their own.
func person(t *testing.T, mesh *testnet.Mesh, name string) *tuitest.User {
	t.Helper()
	p := config.Profile{Dir: filepath.Join(t.TempDir(), name)}
	if err := node.Create(p, "correct horse", name, store.CheapKDF); err != nil {
		t.Fatal(err)
	}
	n, err := node.New(node.Config{Profile: p, Passphrase: "correct horse", Bootstrap: mesh.Bootstrap(),
		AllowPrivate: true, NoSocket: true, Store: store.Options{NoSync: true}})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- n.Run(context.Background()) }()
	t.Cleanup(func() {
		n.Close()
		<-ended
	})
	if err := waitReady(t.Context(), n, time.Minute); err != nil {
		t.Fatal(err)
	}
	return tuitest.NewUserAt(t, n, tui.Options{Language: "en"}, 100, 40)
}

// The tests of the screen with a node in memory, done with real ones over real relays:
// an invite, messages, and all actions on them.
func TestTwoPeopleAtTheirScreens(t *testing.T) {
	mesh, err := testnet.Start(t.Context(), testnet.Options{Relays: 8, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { mesh.Close() })
	ada, bob := person(t, mesh, "ada"), person(t, mesh, "bob")

	ada.Press("ctrl+n").Expect().Sees("Invite somebody")
	ada.Type("bob").Enter().Enter().Expect().Sees("Invite for bob", "starling:")
	ada.Press("c").Expect().That("the link to be copied", func() bool { return strings.HasPrefix(ada.Clipboard(), "starling:") })
	ada.Press("esc")
	bob.Press("ctrl+o").Paste(ada.Clipboard()).Enter().Type("ada").Enter().Expect().Sees("Write to ada")
	ada.Open("bob").Expect().Sees("Write to bob")

	bob.Type("Are you there?").Enter().Expect().Message("Are you there?").State(api.StateDelivered)
	ada.Expect().Sees("Are you there?")
	ada.Press("alt+r").Type("I am, teh first").Enter().Expect().Sees("┃ bob: Are you there?").Message("teh first").State(api.StateDelivered)
	bob.Expect().Sees("Are you there?", "I am, teh first", "mailboxes              2")

	// Words are mended, thought of, and taken back, on both screens.
	ada.Press("alt+e").Expect().Sees("› I am, teh first")
	ada.Press("ctrl+u").Type("I am, the first").Enter().Expect().SeesNot("teh first")
	bob.Expect().Sees("I am, the first").SeesNot("teh first")
	bob.Press("esc", "k", "j", "+").Type("thumbs").Enter()
	ada.Expect().Sees("👍")
	ada.Type("a secret").Enter().Expect().Message("a secret").State(api.StateDelivered)
	bob.Expect().Sees("a secret")
	ada.Press("esc", "d", "b").Expect().SeesNot("a secret")
	bob.Expect().SeesNot("a secret")

	// Messages disappear once both want it.
	ada.Press("t", "right", "right", "right").Enter()
	bob.Expect().Sees("disappear 1 hour after they were read")
	bob.Press("t").Enter().Expect().Sees("From now on new messages disappear")
	ada.Expect().Sees("From now on new messages disappear")

	ada.Press("/").Type("there").Expect().Sees("1 message")
	ada.Press("esc").Press("v").Expect().Sees("Verify bob", "The numbers match")
	ada.Press("m").Expect().SeesNot("not verified")
}
