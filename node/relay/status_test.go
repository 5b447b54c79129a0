package relay

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gofrs/flock"

	"starling/node/api"
	"starling/p2p"
)

// runs runs a relay until the test ends, and returns its address.
func runs(t testing.TB, c Config) (addr string) {
	t.Helper()
	c.AllowPrivate = true
	if c.Listen == nil {
		c.Listen = []string{"/ip4/127.0.0.1/tcp/0"}
	}
	ctx, stop := context.WithCancel(context.Background())
	ready, ended := make(chan string, 1), make(chan error, 1)
	go func() {
		ended <- Run(ctx, c, func(now Ready) error { ready <- now.Addrs[0]; return nil })
	}()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	select {
	case addr = <-ready:
	case err := <-ended:
		ended <- err
		t.Fatalf("the relay does not run: %v", err)
	}
	return addr
}

// eventually waits for something that others bring about.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}

// TestAsk: the owner of the folder can ask while the relay runs, and is told that none
// does afterwards, with any remains in the folder.
func TestAsk(t *testing.T) {
	dir := t.TempDir()
	wants := func(want error) {
		t.Helper()
		if _, err := Ask(t.Context(), dir); !errors.Is(err, want) {
			t.Errorf("%v, not %v", err, want)
		}
	}
	wants(ErrNotRunning)
	if _, err := os.Stat(filepath.Join(dir, lockFile)); err == nil {
		t.Error("who asks whether a relay runs leaves a lock")
	}
	if err := os.WriteFile(socketOf(dir).Socket(), []byte("left by a crash"), 0o600); err != nil {
		t.Fatal(err)
	}
	wants(ErrNotRunning)

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	err := Run(ctx, Config{StateDir: dir, Listen: []string{"/ip4/127.0.0.1/tcp/0"}, AllowPrivate: true, Version: "v1"}, func(now Ready) error {
		peerID, addrs := now.PeerID, now.Addrs
		s, err := Ask(ctx, dir)
		if err != nil || s.PeerID != peerID || s.Version != "v1" || !s.AllowPrivate || len(s.Listening) != 1 || s.Listening[0] != addrs[0] || s.Announced == nil || s.ListedBy == nil || s.Role != "relay" || s.Versions.Protocol != "/st/2" {
			t.Errorf("%+v, %v", s, err)
		}
		if s.Reachable || s.Listed || s.Asked > 0 || s.Reason == "" {
			t.Errorf("listed and reachable by its own word: %+v", s)
		}
		if info, err := os.Stat(socketOf(dir).Socket()); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
			t.Errorf("%v %v", info.Mode(), err)
		}
		stop()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	wants(ErrNotRunning)
}

// TestAskOthers: nothing that answers on the socket ends the program that asks, or is
// waited for without end.
func TestAskOthers(t *testing.T) {
	dir := t.TempDir()
	lock := flock.New(filepath.Join(dir, lockFile))
	if held, err := lock.TryLock(); !held || err != nil {
		t.Fatal(err)
	}
	defer lock.Unlock()
	if _, err := Ask(t.Context(), dir); !errors.Is(err, ErrStarting) {
		t.Errorf("without a socket: %v", err)
	}
	l, err := listenControl(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	bodies := make(chan string, 1)
	go http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, <-bodies) }))
	for _, text := range []string{"", "{", "null x", `{"listed":1}`, `[]`, `{"peer_id":"` + strings.Repeat("a", maxStatus)} {
		bodies <- text
		if s, err := Ask(t.Context(), dir); err == nil && s.PeerID+s.Role != "" || s.Listed {
			t.Errorf("%.20q: %+v", text, s)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := Ask(ctx, dir); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("one that never answers: %v", err)
	}
	bodies <- ""
}

// TestTwo: listed and reached is the word of the other relay. Both say so on their
// sockets, and to who asks for their health.
func TestTwo(t *testing.T) {
	one, two := t.TempDir(), t.TempDir()
	first := runs(t, Config{StateDir: one, Metrics: "127.0.0.1:0"})
	runs(t, Config{StateDir: two, Bootstrap: []string{first}, Limits: Limits{Bandwidth: 1 << 20, Quota: 1 << 40, MaxClients: 7, MailboxSize: 1 << 20}})
	s, err := Ask(t.Context(), one)
	if err != nil {
		t.Fatal(err)
	}
	health := func() (status int, body string) {
		resp, err := http.Get("http://" + s.Limits.MetricsAt + "/health")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(b)
	}
	if code, body := health(); !s.Listed && (code != http.StatusServiceUnavailable || !strings.Contains(body, `"reason":"no`)) && code != http.StatusOK {
		t.Errorf("before anybody has said anything: %d %s", code, body)
	}

	for _, dir := range []string{one, two} {
		eventually(t, "listed and reached", func() bool {
			s, err := Ask(t.Context(), dir)
			return err == nil && s.Listed && s.Reachable && s.Reason == ""
		})
	}
	if code, body := health(); code != http.StatusOK || !strings.HasPrefix(body, `{"healthy":true,"listed":true,"reachable":true`) {
		t.Errorf("%d %s", code, body)
	}
	s, err = Ask(t.Context(), two)
	if err != nil || s.Limits.Bandwidth != 1<<20 || s.Limits.Quota != 1<<40 || s.ClientPlaces != 7 || s.Limits.MailboxSize > 1<<20 || s.Limits.MailboxSize < 1<<19 || s.Limits.QuotaUsed == 0 {
		t.Errorf("%+v, %v", s.Limits, err)
	}
	line, err := json.Marshal(s)
	if err != nil || !strings.HasPrefix(string(line), `{"listed":true,"reachable":true,"peer_id":"`+s.PeerID+`","announced":["/ip4/127.0.0.1/tcp/`) {
		t.Errorf("%s, %v", line, err)
	}
}

// TestMetricsPort: a port that is taken is an error of its own, and the relay does not run.
func TestMetricsPort(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for at, want := range map[string]string{l.Addr().String(): "for metrics is in use", "192.0.2.99:9095": "address for metrics"} {
		err := Run(t.Context(), Config{StateDir: t.TempDir(), Listen: []string{"/ip4/127.0.0.1/tcp/0"}, AllowPrivate: true, Metrics: at}, func(Ready) error { return errors.New("it serves") })
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", at, err)
		}
		if strings.Contains(want, "in use") && api.CodeOf(err) != api.CodeInUse {
			t.Errorf("%v", err)
		}
	}
}

// TestUnwell: why a relay is of no use to others, the deepest reason first.
func TestUnwell(t *testing.T) {
	at := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	here := []string{"/ip4/9.9.9.9/tcp/1"}
	for want, s := range map[string]Status{
		"":                                     {Listed: true, Reachable: true, Asked: 3, Announced: here},
		"sleeps until 2026-12-01":              {Asleep: &at, Asked: 3},
		"another node answers":                 {Foreign: here, Unreached: here, Asked: 3},
		"no other relay reaches it":            {Unreached: here, Asked: 3},
		"first of its mesh":                    {Alone: true, Announced: here},
		"no address":                           {Asked: 3},
		"has said anything yet":                {Announced: here},
		"1 of 3 other relays asked have reach": {Announced: here, Asked: 3, ReachedBy: here},
		"0 of 3 other relays asked list it":    {Announced: here, Asked: 3, Reachable: true},
	} {
		if got := s.unwell(); !strings.Contains(got, want) || want == "" && got != "" {
			t.Errorf("%q, not %q", got, want)
		}
	}
}

// TestRefusedIsWhole: the reasons of all parts are there, and not those without a case.
func TestRefusedIsWhole(t *testing.T) {
	s := p2p.RelayStatus{Refused: map[string]int64{"queue full": 2}, Turned: 3}
	s.Mix.Refused = map[string]int64{"replayed": 4}
	s.Mailbox.Full = 5
	got := refused(s)
	if len(got) != 4 || got["queue full"] != 2 || got["client: no place"] != 3 || got["packet: replayed"] != 4 || got["mailbox: full"] != 5 || len(s.Refused) != 1 {
		t.Errorf("%v of %v", got, s.Refused)
	}
}
