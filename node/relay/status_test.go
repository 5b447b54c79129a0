package relay

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/gofrs/flock"

	"starling/p2p"
)

// TestStatusFile: a reader of the folder knows how the relay is while it runs, and that
// none runs afterwards, with any remains in it.
func TestStatusFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, statusFile)
	wants := func(want error) {
		t.Helper()
		if _, err := ReadStatus(dir, time.Now()); !errors.Is(err, want) {
			t.Errorf("%v, not %v", err, want)
		}
	}
	wants(ErrNotRunning)
	if _, err := os.Stat(filepath.Join(dir, lockFile)); err == nil {
		t.Error("who asks whether a relay runs leaves a lock")
	}
	if err := os.WriteFile(path, []byte(`{"listed":true,"written":"`+time.Now().Format(time.RFC3339)+`"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	wants(ErrNotRunning) // left by a crash

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	err := Run(ctx, Config{StateDir: dir, Listen: []string{"/ip4/127.0.0.1/tcp/0"}, AllowPrivate: true, Version: "v1"}, func(peerID string, addrs []string) error {
		s, err := ReadStatus(dir, time.Now())
		if err != nil || s.PeerID != peerID || s.Version != "v1" || !s.AllowPrivate || len(s.Listening) != 1 || s.Listening[0] != addrs[0] || s.Announced == nil || s.ListedBy == nil {
			t.Errorf("%+v, %v", s, err)
		}
		if s.Reachable || s.Asked > 0 {
			t.Errorf("reachable by its own word: %+v", s)
		}
		if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
			t.Errorf("%v %v", info.Mode(), err)
		}
		if _, err := ReadStatus(dir, time.Now().Add(time.Hour)); !errors.Is(err, ErrSilent) {
			t.Errorf("an hour later: %v", err)
		}
		stop()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	wants(ErrNotRunning)
	if _, err := os.Stat(path); err == nil {
		t.Error("the status of a relay that has ended is there")
	}
}

// TestStatusOfOthers: nothing that lies in the file ends the program that reads it.
func TestStatusOfOthers(t *testing.T) {
	dir := t.TempDir()
	lock := flock.New(filepath.Join(dir, lockFile))
	if held, err := lock.TryLock(); !held || err != nil {
		t.Fatal(err)
	}
	defer lock.Unlock()
	if _, err := ReadStatus(dir, time.Now()); !errors.Is(err, ErrStarting) {
		t.Errorf("without a file: %v", err)
	}
	for _, text := range []string{"", "{", "null x", `{"listed":1}`, `[]`} {
		if err := os.WriteFile(filepath.Join(dir, statusFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if s, err := ReadStatus(dir, time.Now()); err == nil || s.Listed {
			t.Errorf("%q: %+v", text, s)
		}
	}
}

// TestKeeperWrites: news is written at once, the rest now and then, and a crash in
// between leaves a whole file.
func TestKeeperWrites(t *testing.T) {
	dir := t.TempDir()
	status := p2p.RelayStatus{PeerID: "12D3"}
	path := filepath.Join(dir, statusFile)
	if err := os.WriteFile(path+".new", []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	k := newKeeper(Config{StateDir: dir}, func() p2p.RelayStatus { return status })
	first := k.last.Written
	status.BytesIn = 7
	if k.write(); k.last.Written != first {
		t.Error("a count alone is written at once")
	}
	status.Reachable = true
	if k.write(); k.last.Written == first || !k.last.Reachable || k.last.BytesIn != 7 {
		t.Errorf("news is not written: %+v", k.last)
	}
	k.last.Written = k.last.Written.Add(-writeEvery)
	status.BytesIn = 9
	if k.write(); k.last.BytesIn != 9 {
		t.Error("counts are never written")
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("%v %v", entries, err)
	}
}
