package relay

import (
	"context"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"starling/node/api"
)

func TestOneRelayPerFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deep", "relay")
	config := Config{StateDir: dir, Listen: []string{"/ip4/127.0.0.1/tcp/0"}, AllowPrivate: true}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var first string
	calls := 0
	err := Run(ctx, config, func(now Ready) error {
		peerID, addrs := now.PeerID, now.Addrs
		calls++
		first = peerID
		if len(addrs) != 1 || !strings.HasSuffix(addrs[0], "/p2p/"+peerID) {
			t.Errorf("addresses %q", addrs)
		}
		if err := Run(ctx, config, nil); api.CodeOf(err) != api.CodeInUse {
			t.Errorf("a second relay on the folder: %v", err)
		}
		// The port is taken for a relay elsewhere.
		port := config
		port.StateDir = t.TempDir()
		port.Listen = []string{strings.TrimSuffix(addrs[0], "/p2p/"+peerID)}
		if err := Run(ctx, port, func(Ready) error { return errors.New("it serves") }); api.CodeOf(err) != api.CodeInUse {
			t.Errorf("a second relay on the port: %v", err)
		}
		stop()
		return nil
	})
	if err != nil || calls != 1 {
		t.Fatalf("ready %d times, %v", calls, err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("the folder is open to others: %v %v", info.Mode(), err)
	}

	// It keeps its identity, and ends when nobody can be told that it serves.
	broken := errors.New("broken pipe")
	err = Run(t.Context(), config, func(now Ready) error {
		peerID := now.PeerID
		if peerID != first {
			t.Errorf("came back as %s, not %s", peerID, first)
		}
		return broken
	})
	if !errors.Is(err, broken) {
		t.Errorf("with a broken pipe: %v", err)
	}
}

// TestForeignState: what a later version has left is called newer, and a key that is no
// key damaged; each with its remedy.
func TestForeignState(t *testing.T) {
	for _, c := range []struct {
		file, holds, want string
		code              api.Code
	}{
		{"relay.key", "short", "damaged", api.CodeDamaged},
		{"relays", "\xff later" + sum("\xff later"), "newer version", api.CodeUsage},
		{"mailbox.db", "not a database at all, whatever it is", "damaged", api.CodeDamaged},
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, c.file)
		if err := os.WriteFile(path, []byte(c.holds), 0o600); err != nil {
			t.Fatal(err)
		}
		err := Run(t.Context(), Config{StateDir: dir, Listen: []string{"/ip4/127.0.0.1/tcp/0"}, AllowPrivate: true}, nil)
		told := new(api.Error)
		if !errors.As(err, &told) || told.Code != c.code || !strings.Contains(told.Message, c.want) || !strings.Contains(told.Message, path) || told.Hint == "" {
			t.Errorf("%s: %v", c.file, err)
		}
		if b, err := os.ReadFile(path); err != nil || string(b) != c.holds {
			t.Errorf("%s was changed", c.file)
		}
	}
}

func sum(s string) string {
	sum := sha256.Sum256([]byte(s))
	return string(sum[:])
}
