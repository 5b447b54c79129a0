package live

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"starling/node/api"
	"starling/node/testnet/scenario"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// alone gives a test a runtime directory of its own.
func alone(t *testing.T) {
	dir, err := os.MkdirTemp("", "live") // a short path: sockets have little room
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	t.Setenv("XDG_RUNTIME_DIR", dir)
	t.Setenv("TMPDIR", dir)
}

// up keeps a small mesh up and returns how it ended.
func up(t *testing.T, name string) (State, <-chan error) {
	t.Helper()
	s, err := scenario.Parse("x.toml", []byte("name='s'\nrelays=5\nusers=2\nduration='2s'\nmean_delay='0s'\nmessages={count=1}\n"))
	if err != nil {
		t.Fatal(err)
	}
	ready, ended := make(chan State, 1), make(chan error, 1)
	go func() {
		ended <- Keep(t.Context(), Options{Scenario: s, Name: name, Version: "1", Ready: func(s State) error { ready <- s; return nil }})
	}()
	select {
	case now := <-ready:
		return now, ended
	case err := <-ended:
		t.Fatal(err)
		return State{}, nil
	}
}

// TestMesh is the life of a mesh: up, joined, meddled with, and down without a trace.
func TestMesh(t *testing.T) {
	alone(t)
	ctx := t.Context()
	now, ended := up(t, "m")
	if now.Event != "ready" || now.State != Up || len(now.Bootstrap) == 0 || now.RelaysUp != 5 || now.UsersUp != 2 || !now.Private {
		t.Errorf("%+v", now)
	}
	if info, err := os.Stat(now.Socket); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket: %v, %v", info, err)
	}
	for _, n := range now.Users {
		if _, err := os.Stat(filepath.Join(n.Profile, "profile.key")); err != nil {
			t.Error(err)
		}
	}
	if err := Keep(ctx, Options{Name: "m", Version: "1"}); !errors.Is(err, ErrUp) {
		t.Errorf("a second mesh of the name: %v", err)
	}
	if err := Keep(ctx, Options{Name: "m", Version: "2"}); !errors.Is(err, ErrForeign) {
		t.Errorf("a second mesh of the name, by another version: %v", err)
	}
	if _, err := Find(ctx, "m", "2"); !errors.Is(err, ErrForeign) || !strings.Contains(err.Error(), "it is 1, and this is 2") {
		t.Errorf("another version: %v", err)
	}

	c, err := Find(ctx, "", "1")
	if err != nil {
		t.Fatal(err)
	}
	done, err := c.Do(ctx, []string{"offline", "u0"})
	if err != nil || len(done.Users) != 1 {
		t.Errorf("%+v, %v", done, err)
	}
	if _, err := c.Do(ctx, []string{"offline", "u0"}); api.CodeOf(err) != api.CodeUsage {
		t.Errorf("twice offline: %v", err)
	}
	j, err := c.Join(ctx)
	if err != nil || j.User != "u2" || j.Contact != "User 1" || j.Secret == "" {
		t.Errorf("%+v, %v", j, err)
	}
	if p, err := c.Node(ctx, "u2"); err != nil || p.Secret != j.Secret || p.Profile != j.Profile || !p.Running {
		t.Errorf("%+v, %v", p, err)
	}
	for _, bad := range []string{"", "u3", "r5", "../r0"} {
		if _, err := c.Node(ctx, bad); api.CodeOf(err) != api.CodeUsage {
			t.Errorf("node %q: %v", bad, err)
		}
	}
	if err := errors.Join(c.Leave(ctx, "u2"), c.Leave(ctx, "u2")); err != nil {
		t.Error(err)
	}
	if err := c.Leave(ctx, "u1"); api.CodeOf(err) != api.CodeUsage {
		t.Errorf("a user of the file left: %v", err)
	}
	if now, err := Status(ctx, "m", "1"); err != nil || now.UsersUp != 1 || len(now.Users) != 3 {
		t.Errorf("%+v, %v", now, err)
	}

	if _, cleared, err := Down(ctx, "m", "another"); err != nil || cleared {
		t.Errorf("down: %v, cleared %v", err, cleared)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	left, _ := filepath.Glob(filepath.Join(os.Getenv("TMPDIR"), "*testnet*"))
	if names, err := Names(); err != nil || len(names)+len(left) != 0 {
		t.Errorf("left %v, %v, %v", names, left, err)
	}
	if _, err := Find(ctx, "", "1"); !errors.Is(err, ErrNone) {
		t.Error(err)
	}
}

// TestRemains: the remains of a killed mesh are dead, and cleared away by down or the
// next one.
func TestRemains(t *testing.T) {
	alone(t)
	ctx := t.Context()
	for _, text := range []string{`{"name":"m","state":"up","version":"1","relays_up":9}`, `{"name":"m","vers`, ""} {
		if err := os.MkdirAll(folder("m"), 0o700); err != nil {
			t.Fatal(err)
		}
		if text != "" {
			os.WriteFile(stateFile("m"), []byte(text), 0o600)
		}
		s, err := Status(ctx, "m", "1")
		if err != nil || s.State != Dead || s.RelaysUp != 0 {
			t.Errorf("%q: %+v, %v", text, s, err)
		}
		if _, err := Find(ctx, "m", "1"); !errors.Is(err, ErrDead) {
			t.Errorf("%q: %v", text, err)
		}
		if _, cleared, err := Down(ctx, "m", "1"); err != nil || !cleared {
			t.Errorf("%q: %v, cleared %v", text, err, cleared)
		}
		if _, err := Status(ctx, "m", "1"); !errors.Is(err, ErrNone) {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, name := range []string{"", "../m", "a/b", "-x", strings.Repeat("a", 42), "."} {
		if err := Keep(ctx, Options{Name: name}); err == nil {
			t.Errorf("a mesh is called %q", name)
		}
		if name != "" {
			if _, err := Find(ctx, name, "1"); err == nil {
				t.Errorf("there is a mesh %q", name)
			}
		}
	}
}

// TestSilent: a process that holds the name and answers nobody, or nonsense, is told
// from a dead one.
func TestSilent(t *testing.T) {
	alone(t)
	lock, _, err := claim("m")
	if err != nil {
		t.Fatal(err)
	}
	defer release("m", lock)
	if s, err := Status(t.Context(), "m", "1"); err != nil || s.State != Starting {
		t.Errorf("before it has a socket: %+v, %v", s, err)
	}
	if err := (State{Name: "m", State: Up, Version: "1"}).write(); err != nil {
		t.Fatal(err)
	}
	if _, err := Find(t.Context(), "m", "1"); !errors.Is(err, ErrSilent) {
		t.Errorf("without a socket: %v", err)
	}
	if err := Keep(t.Context(), Options{Name: "m", Version: "1"}); !errors.Is(err, ErrSilent) {
		t.Errorf("a second mesh of the name: %v", err)
	}

	l, err := net.Listen("unix", socket("m"))
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Write([]byte("nonsense")) })}
	served := make(chan struct{})
	go func() { defer close(served); server.Serve(l) }()
	defer func() { server.Close(); <-served }()
	if _, err := dial("m", "1").Do(t.Context(), []string{"heal"}); !errors.Is(err, ErrForeign) {
		t.Errorf("nonsense: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, _, err := Down(ctx, "m", "1"); err == nil {
		t.Error("it is down")
	}
}

// TestStopped: a process that hears nothing more is told as such, with its number, and
// nobody waits for it for minutes, whatever version it is of.
func TestStopped(t *testing.T) {
	alone(t)
	lock, _, err := claim("m")
	if err != nil {
		t.Fatal(err)
	}
	defer release("m", lock)
	if err := (State{Name: "m", State: Up, Version: "1", PID: 4711}).write(); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", socket("m")) // it takes connections, as the kernel does for one that hangs
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	before := hearing
	hearing = 100 * time.Millisecond
	defer func() { hearing = before }()

	if _, _, err := Down(t.Context(), "m", "2"); !errors.Is(err, ErrSilent) || !strings.Contains(err.Error(), "its process is 4711") {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := Down(ctx, "m", "2"); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}

// TestLostFolder: a mesh with its folder removed by somebody else ends, since nobody finds
// it, and does not touch the folder of the next one of its name.
func TestLostFolder(t *testing.T) {
	alone(t)
	_, ended := up(t, "m")
	if err := os.RemoveAll(folder("m")); err != nil {
		t.Fatal(err)
	}
	next, _, err := claim("m")
	if err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, ErrLost) {
		t.Errorf("it ended with %v", err)
	}
	if !ours("m", next) || !held("m") {
		t.Error("the folder of the next one is gone")
	}
	release("m", next)
	if names, err := Names(); err != nil || len(names) != 0 {
		t.Errorf("left %v, %v", names, err)
	}
}

func TestSecretsAreNotWrittenDown(t *testing.T) {
	for _, v := range []any{State{}, Done{}} {
		text, err := json.Marshal(v)
		if err != nil || strings.Contains(string(text), "passphrase") {
			t.Errorf("%s, %v", text, err)
		}
	}
}
