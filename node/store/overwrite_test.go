package store

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"starling/node/config"
)

// TestKeysAreOverwritten: key files are not only removed: there are zeros where they were,
// whether a wipe destroys them or the next start finds them unfinished. A second link
// shows what was left on disk.
func TestKeysAreOverwritten(t *testing.T) {
	for name, do := range map[string]func(p config.Profile, s *Store) error{
		"a start": func(p config.Profile, s *Store) error {
			s.Close()
			s, err := Open(p, secret, Options{})
			if err == nil {
				s.Close()
			}
			return err
		},
		"a wipe": func(_ config.Profile, s *Store) error { return s.Wipe() },
		"a wipe without the passphrase": func(p config.Profile, s *Store) error {
			s.Close()
			return Wipe(p)
		},
	} {
		p := newProfile(t)
		s := open(t, p)
		key, err := os.ReadFile(p.KeyFile())
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(p.Unfinished(), 0o700); err != nil {
			t.Fatal(err)
		}
		files := []string{filepath.Join(p.Dir, ".profile.key-7"), filepath.Join(p.Unfinished(), filepath.Base(p.KeyFile()))}
		for _, f := range files {
			if err := os.WriteFile(f, key, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if name != "a start" {
			files = append(files, p.KeyFile())
		}
		aside := t.TempDir()
		for i, f := range files {
			if err := os.Link(f, filepath.Join(aside, string(rune('a'+i)))); err != nil {
				t.Skip("no links here:", err)
			}
		}
		if err := do(p, s); err != nil {
			t.Fatal(name, err)
		}
		for i, f := range files {
			left, err := os.ReadFile(filepath.Join(aside, string(rune('a'+i))))
			if err != nil || len(bytes.Trim(left, "\x00")) != 0 {
				t.Errorf("%s leaves %d bytes of %s: %v", name, len(bytes.Trim(left, "\x00")), filepath.Base(f), err)
			}
			if there(f) {
				t.Errorf("%s leaves %s", name, filepath.Base(f))
			}
		}
	}
}
