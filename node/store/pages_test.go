package store

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/vfs"

	"starling/node/config"
)

// pagesContain decrypts the database file as it is on disk and searches it.
func pagesContain(t *testing.T, p config.Profile, s *Store, text string) bool {
	t.Helper()
	b, err := os.ReadFile(p.Database())
	if err != nil {
		t.Fatal(err)
	}
	// A copy, read through the encrypting file system under SQLite.
	path := filepath.Join(t.TempDir(), "copy.db")
	os.WriteFile(path, b, 0o600)
	conn, err := sqlite3.Open("file:" + path + "?vfs=adiantum")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.Exec("PRAGMA hexkey = '" + hex.EncodeToString(s.keys.database[:]) + "'"); err != nil {
		t.Fatal(err)
	}
	f, err := conn.FileControl("main", sqlite3.FCNTL_FILE_POINTER)
	if err != nil {
		t.Fatal(err)
	}
	plain := make([]byte, len(b))
	if _, err := f.(vfs.File).ReadAt(plain, 0); err != nil {
		t.Fatal(err)
	}
	return strings.Contains(string(plain), text)
}
