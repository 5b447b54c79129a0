package node

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"starling/node/api"
	"starling/node/config"
	"starling/node/control"
	"starling/node/nettest"
	"starling/node/store"
	"starling/p2p"
)

// A profile is wiped, and restored from a backup that is older than its last messages:
// sessions begin anew, both people see it, and the messages of the backup are there.
func TestBackupStory(t *testing.T) {
	net := nettest.New(5)
	ada, bob := newMarkedUser(t, net, "Ada"), newMarkedUser(t, net, "Bob")
	befriend(t, ada, bob)
	talk(t, ada, bob, "before")
	number, code := verify(t, ada, bob)
	m := ada.send(bob, "frist")
	ada.waitState(m.ID, api.StateDelivered)
	path := filepath.Join(t.TempDir(), "ada.age")
	if err := ada.Backup(t.Context(), api.BackupRequest{Path: "ada.age", Passphrase: "b"}); api.CodeOf(err) != api.CodeUsage {
		t.Errorf("relative path: %v", err)
	}
	if err := ada.Backup(t.Context(), api.BackupRequest{Path: path, Passphrase: "backup"}); err != nil {
		t.Fatal(err)
	}
	talk(t, ada, bob, "after")
	ada.edit(m.ID, "first")
	bob.see(m.ID, "the edit", textIs("first"))
	if err := ada.Wipe(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := ada.Status(t.Context()); api.CodeOf(err) != api.CodeClosed {
		t.Errorf("after the end: %v", err)
	}
	ada.shutdown()
	if _, err := os.Stat(ada.dir.Dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder is there: %v", err)
	}
	if err := Restore(t.Context(), ada.dir, path, "wrong"); api.CodeOf(err) != api.CodeWrongPassphrase {
		t.Errorf("wrong passphrase: %v", err)
	}
	if err := Restore(t.Context(), ada.dir, path, "backup"); err != nil {
		t.Fatal(err)
	}
	if err := Restore(t.Context(), ada.dir, path, "backup"); api.CodeOf(err) != api.CodeProfileExists {
		t.Errorf("over a profile: %v", err)
	}
	ada.start()
	wantNewSession(t, number, code, ada, bob)
	talk(t, ada, bob, "anew")
	if got := ada.said(bob); len(got) != 2 || got[0] != "before back" || got[1] != "anew back" {
		t.Errorf("Ada has %q", got)
	}
	// A message unknown to the backup can still be changed by it.
	ada.edit(m.ID, "from the backup")
	bob.see(m.ID, "the edit", textIs("from the backup"))
	if net.Clashes() != 0 {
		t.Errorf("%d tags were used twice", net.Clashes())
	}
}

// A backup that is restored beside the profile is a copy too, where nothing
// outside the profile remembers it.
func TestBackupWithoutMarkers(t *testing.T) {
	net := nettest.New(5)
	ada, bob := newUser(t, net, "Ada"), newUser(t, net, "Bob")
	befriend(t, ada, bob)
	talk(t, ada, bob, "before")
	number, code := verify(t, ada, bob)
	path := filepath.Join(t.TempDir(), "ada.age")
	if err := ada.Backup(t.Context(), api.BackupRequest{Path: path, Passphrase: "backup"}); err != nil {
		t.Fatal(err)
	}
	ada.shutdown()
	ada.dir = config.Profile{Dir: filepath.Join(t.TempDir(), "restored")}
	if err := Restore(t.Context(), ada.dir, path, "backup"); err != nil {
		t.Fatal(err)
	}
	ada.start()
	wantNewSession(t, number, code, ada, bob)
	ada.restart()
	talk(t, ada, bob, "anew")
	if n := ada.notices(bob); len(n) != 1 {
		t.Errorf("notices %q", n)
	}
}

// busy is a network that uses the profile all the time, and ends with what that says.
type busy struct {
	Network
	use func() error
}

func (b busy) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := b.use(); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// A wipe that came through the control socket is answered though it ends the
// node, and leaves nothing but the folder above.
func TestWipeThroughSocket(t *testing.T) {
	p := config.Profile{Dir: filepath.Join(t.TempDir(), "p")}
	if err := Create(p, passphrase, "Ada", store.CheapKDF); err != nil {
		t.Fatal(err)
	}
	var n *Node
	mesh := nettest.New(2)
	n, err := New(Config{Profile: p, Passphrase: passphrase, NewNetwork: func(cfg p2p.ClientConfig) (Network, error) {
		return busy{mesh.Client(cfg), func() error { return n.store.View(t.Context(), func(*store.Tx) error { return nil }) }}, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- n.Run(context.Background()) }()
	<-n.Serving()
	c, err := control.Dial(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Wipe(t.Context()); err != nil {
		t.Errorf("wipe: %v", err)
	}
	if err := <-ended; err != nil {
		t.Errorf("Run: %v", err)
	}
	if err := n.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if _, err := os.Stat(p.Dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder is there: %v", err)
	}
}

// TestTryOthers: a person tired of waiting for the guards reaches the network.
func TestTryOthers(t *testing.T) {
	ada := newUser(t, nettest.New(2), "Ada")
	if err := ada.TryOthers(t.Context()); err != nil || ada.link.Tried() != 1 {
		t.Errorf("%d times, %v", ada.link.Tried(), err)
	}
	ada.shutdown()
	if err := ada.TryOthers(t.Context()); api.CodeOf(err) != api.CodeClosed {
		t.Errorf("after the end: %v", err)
	}
}

// TestChangePassphrase: two people talk on while one of them changes the passphrase,
// and the profile opens with the new one, with all that was said.
func TestChangePassphrase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := nettest.New(4)
		ada, bo := newUser(t, net, "Ada"), newUser(t, net, "Bo")
		befriend(t, ada, bo)
		ada.waitState(ada.send(bo, "before").ID, api.StateDelivered)

		change := func(old, next string) error {
			return ada.ChangePassphrase(t.Context(), api.PassphraseRequest{Old: old, New: next})
		}
		if err := change("guess", "another"); api.CodeOf(err) != api.CodeWrongPassphrase {
			t.Errorf("with a wrong one: %v", err)
		}
		if err := change(passphrase, ""); api.CodeOf(err) != api.CodeUsage {
			t.Errorf("with none: %v", err)
		}
		if err := change(passphrase, "another horse than before"); err != nil {
			t.Fatal(err)
		}
		if err := ada.Unlock(t.Context(), passphrase); api.CodeOf(err) != api.CodeWrongPassphrase {
			t.Errorf("the old one: %v", err)
		}
		ada.waitState(ada.send(bo, "after").ID, api.StateDelivered)
		bo.waitState(bo.send(ada, "heard").ID, api.StateDelivered)

		ada.shutdown()
		if _, err := New(Config{Profile: ada.dir, Passphrase: passphrase}); api.CodeOf(err) != api.CodeWrongPassphrase {
			t.Errorf("opened with the old one: %v", err)
		}
		if err := ChangePassphrase(ada.dir, "another horse than before", passphrase); err != nil {
			t.Fatal(err)
		}
		ada.start()
		if got := ada.shown(bo, 1); !slices.Equal(got, []string{"heard"}) {
			t.Errorf("%q", got)
		}
		bo.waitState(bo.send(ada, "on").ID, api.StateDelivered)
	})
}

// Wrong passphrases make the next one wait, and only those.
func TestUnlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ada := newUser(t, nettest.New(2), "Ada")
		try := func(p string) (time.Duration, error) {
			start := time.Now()
			err := ada.Unlock(t.Context(), p)
			return time.Since(start), err
		}
		for i, want := range []time.Duration{0, 0, 0, 1, 2, 4, 8, 16, 30, 30} {
			if took, err := try("wrong"); api.CodeOf(err) != api.CodeWrongPassphrase || took != want*time.Second {
				t.Errorf("try %d: %v after %v", i, err, took)
			}
		}
		if took, err := try(passphrase); err != nil || took != 30*time.Second {
			t.Errorf("%v after %v", err, took)
		}
		if took, err := try(passphrase); err != nil || took != 0 {
			t.Errorf("%v after %v", err, took)
		}
		ada.shutdown()
		if _, err := try(passphrase); api.CodeOf(err) != api.CodeClosed {
			t.Errorf("after the end: %v", err)
		}
	})
}

// TestWeakPassphrases: where a person chooses a passphrase it has to be hard to guess,
// and the error says in words why it is not.
func TestWeakPassphrases(t *testing.T) {
	p := config.Profile{Dir: filepath.Join(t.TempDir(), "p")}
	weak := map[string]string{
		"bp": "short", "aaaaaaaa": "repeats", "Passwort123": "people use", "пароль123": "people use", "tgbnhyujm": "keyboard", "19.04.1984": "dates",
		strings.Repeat("abc", 1000): "repeats",
	}
	refused := func(doing, passphrase string, err error) {
		t.Helper()
		if api.CodeOf(err) != api.CodeWeakPassphrase || !strings.Contains(err.Error(), weak[passphrase]) {
			t.Errorf("%s with %.20q: %v", doing, passphrase, err)
		}
	}

	for w := range weak {
		refused("make", w, Create(p, w, "Ada", store.KDF{}))
	}
	if p.Exists() {
		t.Fatal("a profile was made")
	}
	if err := Create(p, passphrase, "Ada", store.KDF{}); err != nil {
		t.Fatal(err)
	}
	refused("change", "bp", ChangePassphrase(p, passphrase, "bp"))

	mesh := nettest.New(2)
	n, err := New(Config{Profile: p, Passphrase: passphrase, NoSocket: true,
		NewNetwork: func(cfg p2p.ClientConfig) (Network, error) { return mesh.Client(cfg), nil }})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	for w := range weak {
		refused("back up", w, n.Backup(t.Context(), api.BackupRequest{Path: filepath.Join(t.TempDir(), "b"), Passphrase: w}))
		refused("change while it runs", w, n.ChangePassphrase(t.Context(), api.PassphraseRequest{Old: passphrase, New: w}))
	}
}
