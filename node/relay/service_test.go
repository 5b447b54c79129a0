//go:build unix

package relay

import (
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// supervisor listens as systemd does.
func supervisor(t *testing.T) (path string, heard func(want string) bool) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return path, func(want string) bool {
		t.Helper()
		l.SetReadDeadline(time.Now().Add(30 * time.Second))
		for {
			b := make([]byte, 4096)
			n, err := l.Read(b)
			if err != nil {
				t.Errorf("never heard %s: %v", want, err)
				return false
			}
			for line := range strings.Lines(string(b[:n])) {
				if strings.HasPrefix(line, want) {
					return true
				}
			}
		}
	}
}

// TestService: systemd hears that the relay is ready, how it is, that it is alive, that it
// reloads, and that it stops.
func TestService(t *testing.T) {
	path, heard := supervisor(t)
	env := map[string]string{"NOTIFY_SOCKET": path, "WATCHDOG_USEC": strconv.Itoa(int((5 * time.Second).Microseconds()))}
	changes := make(chan Limits)
	t.Run("it runs", func(t *testing.T) {
		runs(t, Config{StateDir: t.TempDir(), Changes: changes, Getenv: func(k string) string { return env[k] }})
		heard("READY=1")
		heard("STATUS=no other relay is known")
		heard("WATCHDOG=1")
		heard("WATCHDOG=1")
		changes <- Limits{MaxClients: 3}
		heard("RELOADING=1")
		heard("READY=1")
	})
	heard("STOPPING=1")

	for _, env := range []map[string]string{nil, {"NOTIFY_SOCKET": "/nowhere/at/all"}, {"NOTIFY_SOCKET": "@"}, {"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "-1"}} {
		s := newService(func(k string) string { return env[k] })
		s.tell("READY=1")
		s.alive(Status{})
		if s.watchdog != 0 {
			t.Errorf("%v: a watchdog of %v", env, s.watchdog)
		}
	}
}
