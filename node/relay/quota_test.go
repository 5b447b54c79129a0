package relay

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"starling/node/api"
)

// TestLedger: what was carried counts over restarts and crashes, for its month alone; a
// clock that is set back forgives nothing.
func TestLedger(t *testing.T) {
	path := filepath.Join(t.TempDir(), quotaFile)
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	open := func() *ledger {
		t.Helper()
		l, err := openLedger(path, func() time.Time { return now })
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	wants := func(l *ledger, bytes int64, month time.Month) {
		t.Helper()
		if got, next := l.now(); got != bytes || next.Month() != month || next.Day() != 1 {
			t.Errorf("%d bytes until %v", got, next)
		}
	}

	l := open()
	l.add(100)
	wants(l, 100, time.December)
	now = now.Add(saveEvery)
	l.add(20) // and it is on disk
	wants(open(), 120, time.December)
	l.add(5)
	l.save()
	l = open()
	wants(l, 125, time.December)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("%v %v", info, err)
	}

	now = now.AddDate(0, -2, 0)
	wants(l, 125, time.October)
	now = now.AddDate(0, 3, 0)
	wants(l, 0, time.January)
	l.add(-7)
	wants(l, 0, time.January)

	for _, text := range []string{"", "{", "null", `{"month":"2026-13","bytes":1}`, `{"month":"2026-11","bytes":-1}`, `{"month":1}`} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := openLedger(path, time.Now); err == nil || api.CodeOf(told(err)) != api.CodeDamaged {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestSleeps: a relay whose quota is used up leaves and says so to its owner; more of it
// wakes it up, with the same identity.
func TestSleeps(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	first := runs(t, Config{StateDir: other})
	changes := make(chan Limits)
	runs(t, Config{StateDir: dir, Bootstrap: []string{first}, Changes: changes, Limits: Limits{Quota: 3000}})
	var was Status
	eventually(t, "it sleeps", func() bool {
		s, err := Ask(t.Context(), dir)
		if err == nil && s.Asleep == nil {
			was = s
		}
		return err == nil && s.Asleep != nil
	})
	s, err := Ask(t.Context(), dir)
	if err != nil || s.Listed || s.Reachable || s.Limits.Capacity != 0 || s.Limits.QuotaUsed < 3000 || s.Links != 0 {
		t.Errorf("%+v, %v", s, err)
	}
	eventually(t, "the other one lets it go", func() bool { s, err := Ask(t.Context(), other); return err == nil && s.Links == 0 && s.Clients == 0 })

	select {
	case changes <- Limits{Quota: 1 << 40}:
	case <-time.After(time.Minute):
		t.Fatal("nobody takes new limits")
	}
	eventually(t, "it is back", func() bool { s, err := Ask(t.Context(), dir); return err == nil && s.Asleep == nil && s.Listed })
	if s, err := Ask(t.Context(), dir); err != nil || was.PeerID != "" && s.PeerID != was.PeerID || s.Limits.QuotaUsed < 3000 {
		t.Errorf("%+v, %v", s, err)
	}
}

// TestSpentBefore: the quota that was used up before a restart is still, and the relay ends
// when it is told to.
func TestSpentBefore(t *testing.T) {
	dir := t.TempDir()
	text := `{"month":"` + time.Now().UTC().Format(monthly) + `","bytes":9000}`
	if err := os.WriteFile(filepath.Join(dir, quotaFile), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 1)
	go func() {
		ended <- Run(ctx, Config{StateDir: dir, Listen: []string{"/ip4/127.0.0.1/tcp/0"}, AllowPrivate: true, Limits: Limits{Quota: 9000}}, func(Ready) error { return errors.New("it serves") })
	}()
	eventually(t, "it says that it sleeps", func() bool { s, err := Ask(t.Context(), dir); return err == nil && s.Asleep != nil })
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
