package mailbox_test

import (
	"path/filepath"
	"testing"

	"starling/p2p/mailbox"
	"starling/p2p/mailbox/mailboxtest"
)

func openSQLite(t testing.TB, path string, max int) *mailbox.SQLite {
	t.Helper()
	s, err := mailbox.OpenSQLite(path, max)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

func TestSQLite(t *testing.T) {
	mailboxtest.TestStore(t, func(t *testing.T, max int) mailbox.Store {
		return openSQLite(t, filepath.Join(t.TempDir(), "mailbox.db"), max)
	})
}

func TestMemory(t *testing.T) {
	mailboxtest.TestStore(t, func(t *testing.T, max int) mailbox.Store { return mailbox.NewMemory(max) })
}
