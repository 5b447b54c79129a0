package store

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"starling/node/config"
)

// TestNewer: what a later version has written is called newer and not damaged, is not
// taken for a copy that was put back, and is not changed.
func TestNewer(t *testing.T) {
	for name, c := range map[string]struct {
		make func(t *testing.T, p config.Profile, markers string)
		want error
	}{
		"key file": {func(t *testing.T, p config.Profile, _ string) {
			change(t, p.KeyFile(), func(b []byte) []byte { b[8]++; return b })
		}, ErrNewer},
		"key file, longer": {func(t *testing.T, p config.Profile, _ string) {
			change(t, p.KeyFile(), func(b []byte) []byte { b[8] = 200; return append(b, "more"...) })
		}, ErrNewer},
		"key file, shorter": {func(t *testing.T, p config.Profile, _ string) {
			change(t, p.KeyFile(), func(b []byte) []byte { b[8] = 3; return b[:100] })
		}, ErrNewer},
		"database": {func(t *testing.T, p config.Profile, _ string) {
			s := open(t, p)
			if err := s.conn.Exec(fmt.Sprintf("PRAGMA user_version = %d", Schema+1)); err != nil {
				t.Fatal(err)
			}
			s.dirty = true
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}, ErrNewer},
		"marker": {func(t *testing.T, p config.Profile, markers string) {
			all, err := os.ReadDir(markers)
			if err != nil || len(all) != 1 {
				t.Fatal(all, err)
			}
			change(t, filepath.Join(markers, all[0].Name()), func(b []byte) []byte { b[0]++; return append(b, 1, 2, 3) })
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlaced(t)
			p.run(t, 3)
			c.make(t, p.Profile, p.markers)
			before := contents(t, p.Dir, p.markers)

			for range 2 {
				s, err := Open(p.Profile, secret, Options{Markers: p.markers})
				if !errors.Is(err, c.want) {
					t.Fatalf("%v, want %v", err, c.want)
				}
				if err != nil {
					continue
				}
				if s.Restored() || !errors.Is(s.MarkerError(), ErrNewer) {
					t.Errorf("restored %v, %v", s.Restored(), s.MarkerError())
				}
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
			}
			if c.want != nil && !bytes.Equal(before, contents(t, p.Dir, p.markers)) {
				t.Error("the files of a newer profile were changed")
			}
		})
	}
}

// TestNewerBackup: a backup of a later version is no broken one.
func TestNewerBackup(t *testing.T) {
	for _, b := range [][]byte{[]byte(backupMagic + "\x03"), append([]byte(backupMagic+"\x09"), make([]byte, 2*pageSize)...)} {
		if err := unpack(bytes.NewReader(b), config.Profile{Dir: t.TempDir()}, 1<<20); !errors.Is(err, ErrNewerBackup) {
			t.Errorf("%v", err)
		}
	}
	if err := unpack(bytes.NewReader([]byte(backupMagic+"\x02")), config.Profile{Dir: t.TempDir()}, 1<<20); !errors.Is(err, ErrNoBackup) {
		t.Errorf("cut: %v", err)
	}
}

// TestRestoreOfNoFile: a pipe into which nobody writes holds up nobody.
func TestRestoreOfNoFile(t *testing.T) {
	if err := Restore(t.Context(), config.Profile{Dir: filepath.Join(t.TempDir(), "p")}, os.DevNull, "x"); !errors.Is(err, ErrNoBackup) {
		t.Errorf("%v", err)
	}
}

func change(t *testing.T, path string, f func([]byte) []byte) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, f(b), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// contents are all files of folders.
func contents(t *testing.T, folders ...string) (all []byte) {
	t.Helper()
	for _, dir := range folders {
		files, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			b, err := os.ReadFile(filepath.Join(dir, f.Name()))
			if err != nil {
				t.Fatal(err)
			}
			all = append(append(all, f.Name()...), b...)
		}
	}
	return all
}

// TestSchemaHasItsNumber: the tables of a profile that was kept with the number of today
// are those of a new one. Nobody changes them and keeps the number.
func TestSchemaHasItsNumber(t *testing.T) {
	tables := func(p config.Profile, secret string) string {
		s, err := Open(p, secret, Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		var sql []string
		err = s.View(t.Context(), func(tx *Tx) error {
			sql, err = collect(tx, func(r Row) string { return r.Text(0) }, `SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name`)
			return err
		})
		if err != nil || len(sql) == 0 {
			t.Fatal(len(sql), err)
		}
		return strings.Join(sql, "\n")
	}

	kept := config.Profile{Dir: t.TempDir()}
	if err := os.CopyFS(kept.Dir, os.DirFS(fmt.Sprint("../testdata/schemas/schema-", Schema, "/ada"))); err != nil {
		t.Fatal(err)
	}
	fresh := newProfile(t)
	if was, is := tables(kept, "open sesame, my old friend"), tables(fresh, secret); was != is {
		t.Errorf("the tables have changed, and their number has not: see docs/UPGRADING.md (before the first release: go test ./node -run EachSchema -update). They were\n%s\nand are\n%s", was, is)
	}
}
