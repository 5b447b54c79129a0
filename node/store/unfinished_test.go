package store

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"starling/node/config"
)

// A restore that is cut short anywhere leaves nothing once anything else is done
// with the folder, and above all nothing that a wipe does not destroy.
func TestRestoreCutShort(t *testing.T) {
	s := open(t, newProfile(t))
	addContact(t, s, "Bob", []byte("state"))
	file := backupOf(t, s)
	for name, cut := range map[string]func(made, p config.Profile){
		"before the database": func(made, p config.Profile) { os.Remove(made.KeyFile()) },
		"before the key file": func(made, p config.Profile) {},
		"half a key file": func(made, p config.Profile) {
			os.Rename(made.KeyFile(), filepath.Join(made.Dir, ".profile.key-7"))
		},
		"database in place": func(made, p config.Profile) { os.Rename(made.Database(), p.Database()) },
		"all in place": func(made, p config.Profile) {
			os.Rename(made.Database(), p.Database())
			os.Rename(made.KeyFile(), p.KeyFile())
		},
	} {
		p := config.Profile{Dir: filepath.Join(t.TempDir(), "p")}
		prepare := func() {
			os.RemoveAll(p.Dir)
			made := config.Profile{Dir: p.Unfinished()}
			f, err := os.Open(file)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			info, _ := f.Stat()
			r, err := openBackup(f, backupSecret, backupWork)
			if err == nil {
				err = errors.Join(p.Make(), made.Make(), unpack(r, made, info.Size()))
			}
			if err != nil {
				t.Fatal(err)
			}
			cut(made, p)
		}
		whole := name == "all in place"
		for after, do := range map[string]func() error{
			"open": func() error {
				s, err := Open(p, secret, Options{})
				if err == nil {
					s.Close()
				}
				return err
			},
			"restore": func() error { return Restore(t.Context(), p, file, backupSecret) },
			"create":  func() error { return Create(p, secret, "Ada", Options{KDF: CheapKDF}) },
			"wipe":    func() error { return Wipe(p) },
		} {
			prepare()
			err := do()
			if there(p.Unfinished()) {
				t.Errorf("%s, then %s: left %v", name, after, left(p))
			}
			switch {
			case after == "open" && (err == nil) != whole, after == "restore" && (err == nil) == whole,
				after == "create" && (err == nil) == whole, after == "wipe" && err != nil:
				t.Errorf("%s, then %s: %v", name, after, err)
			case after == "wipe" && len(left(p)) != 0:
				t.Errorf("%s, then %s: left %v", name, after, left(p))
			}
		}
	}
}

// A restore that fails by itself leaves no folder.
func TestRestoreFailsClean(t *testing.T) {
	s := open(t, newProfile(t))
	file := backupOf(t, s)
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	short := filepath.Join(t.TempDir(), "short")
	os.WriteFile(short, b[:len(b)-10], 0o600)
	p := config.Profile{Dir: filepath.Join(t.TempDir(), "p")}
	if err := Restore(t.Context(), p, short, backupSecret); !errors.Is(err, ErrNoBackup) {
		t.Errorf("%v", err)
	}
	if there(p.Dir) {
		t.Errorf("left %v", left(p))
	}
}

// TestUnfinishedBesidePatterns: the path of a profile reads like a pattern. What is unfinished in it goes, and nothing of the
// profiles that the pattern would match.
func TestUnfinishedBesidePatterns(t *testing.T) {
	root := t.TempDir()
	leave := func(dir string) []string {
		p := config.Profile{Dir: filepath.Join(root, dir)}
		if err := os.MkdirAll(p.Unfinished(), 0o700); err != nil {
			t.Fatal(err)
		}
		files := []string{filepath.Join(p.Dir, ".profile.key-1"), filepath.Join(p.Unfinished(), "profile.db")}
		for _, f := range files {
			if err := os.WriteFile(f, []byte("secret"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return files
	}
	others := append(leave("work"), leave("w")...)
	for _, dir := range []string{"[work]", "*", "w?rk", "a[b"} {
		p := config.Profile{Dir: filepath.Join(root, dir)}
		for what, do := range map[string]func() error{
			"create": func() error { return Create(p, secret, "Ada", Options{KDF: CheapKDF}) },
			"wipe":   func() error { return Wipe(p) },
		} {
			os.RemoveAll(p.Dir)
			mine := leave(dir)
			if err := do(); err != nil {
				t.Errorf("%s, %s: %v", dir, what, err)
			}
			for _, f := range mine {
				if there(f) {
					t.Errorf("%s, %s: %s is left", dir, what, f)
				}
			}
			for _, f := range others {
				if !there(f) {
					t.Fatalf("%s, %s: %s of another profile is gone", dir, what, f)
				}
			}
		}
	}
}
