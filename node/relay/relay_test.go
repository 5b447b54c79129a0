package relay

import (
	"context"
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
	err := Run(ctx, config, func(peerID string, addrs []string) error {
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
		if err := Run(ctx, port, func(string, []string) error { return errors.New("it serves") }); api.CodeOf(err) != api.CodeInUse {
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
	err = Run(t.Context(), config, func(peerID string, _ []string) error {
		if peerID != first {
			t.Errorf("came back as %s, not %s", peerID, first)
		}
		return broken
	})
	if !errors.Is(err, broken) {
		t.Errorf("with a broken pipe: %v", err)
	}
}
