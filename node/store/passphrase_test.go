package store

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"starling/node/config"
)

// folder reads all files of a profile.
func folder(t *testing.T, p config.Profile) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	err := filepath.WalkDir(p.Dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		name, err := filepath.Rel(p.Dir, path)
		if err == nil {
			all[name], err = os.ReadFile(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// madeOf makes a profile of files.
func madeOf(t *testing.T, files ...map[string][]byte) config.Profile {
	t.Helper()
	p := config.Profile{Dir: t.TempDir()}
	all := map[string][]byte{}
	for _, f := range files {
		maps.Copy(all, f)
	}
	for name, b := range all {
		if err := os.WriteFile(filepath.Join(p.Dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// ownerOf opens a profile and reads whose it is.
func ownerOf(p config.Profile, passphrase string) (owner string, err error) {
	s, err := Open(p, passphrase, Options{NoSync: true})
	if err != nil {
		return "", err
	}
	defer s.Close()
	err = s.View(context.Background(), func(tx *Tx) (err error) { owner, err = tx.Owner(); return err })
	return owner, err
}

// TestChangedPassphraseChangesKeys: none of the keys in an old key file, which the old
// passphrase opens, is one of the profile's now.
func TestChangedPassphraseChangesKeys(t *testing.T) {
	p := newProfile(t)
	old, err := readKeyFile(p.KeyFile(), secret)
	if err != nil {
		t.Fatal(err)
	}
	was := folder(t, p)
	if err := ChangePassphrase(p, secret, "new", CheapKDF); err != nil {
		t.Fatal(err)
	}
	now, err := readKeyFile(p.KeyFile(), "new")
	if err != nil {
		t.Fatal(err)
	}
	if now.database == old.database || now.current.key == old.current.key || now.log == old.log ||
		now.rotating() || now.former != [32]byte{} {
		t.Error("a key is still the old one")
	}

	key := filepath.Base(p.KeyFile())
	mixed := madeOf(t, folder(t, p), map[string][]byte{key: was[key]})
	var damaged *DamagedError
	if _, err := ownerOf(mixed, secret); !errors.As(err, &damaged) {
		t.Errorf("the old key file beside the new database: %v", err)
	}
}

// TestChangeOfPassphraseCutShort: cut short at every place, the profile opens with one of the two
// passphrases and with all that was in it, and nothing else is left in its folder.
func TestChangeOfPassphraseCutShort(t *testing.T) {
	p := newProfile(t)
	was := folder(t, p)
	if err := ChangePassphrase(p, secret, "new", CheapKDF); err != nil {
		t.Fatal(err)
	}
	now := folder(t, p)
	db, key, next := filepath.Base(p.Database()), filepath.Base(p.KeyFile()), filepath.Base(p.NextDatabase())
	whole := now[db]

	for name, c := range map[string]struct {
		files      []map[string][]byte
		passphrase string
	}{
		"copy begun":      {[]map[string][]byte{was, {next: whole[:pageSize]}}, secret},
		"copy torn":       {[]map[string][]byte{was, {next: whole[:pageSize+7]}}, secret},
		"copy empty":      {[]map[string][]byte{was, {next: nil}}, secret},
		"copy made":       {[]map[string][]byte{was, {next: whole}}, secret},
		"copy of another": {[]map[string][]byte{was, {next: was[db]}}, secret},
		"key file there":  {[]map[string][]byte{was, {next: whole, key: now[key]}}, "new"},
		"old log there":   {[]map[string][]byte{was, {next: whole, key: now[key], db + "-wal": make([]byte, 3*pageSize)}}, "new"},
		"all there":       {[]map[string][]byte{now}, "new"},
	} {
		t.Run(name, func(t *testing.T) {
			p := madeOf(t, c.files...)
			if owner, err := ownerOf(p, c.passphrase); err != nil || owner != "Ada" {
				t.Fatalf("%q, %v", owner, err)
			}
			for name := range folder(t, p) {
				if !slices.Contains([]string{key, db, db + "-wal", filepath.Base(p.Lock())}, name) {
					t.Errorf("%s is left", name)
				}
			}
			if err := ChangePassphrase(p, c.passphrase, "third", CheapKDF); err != nil {
				t.Fatal(err)
			}
			if owner, err := ownerOf(p, "third"); err != nil || owner != "Ada" {
				t.Fatalf("%q, %v", owner, err)
			}
		})
	}
}

// TestWipeTakesTheCopy: a wipe takes the copy of a change that was cut short, too.
func TestWipeTakesTheCopy(t *testing.T) {
	p := newProfile(t)
	if err := os.WriteFile(p.NextDatabase(), make([]byte, pageSize), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Wipe(p); err != nil {
		t.Fatal(err)
	}
	if there(p.Dir) {
		t.Errorf("left: %v", folder(t, p))
	}
}

// TestChangedPassphraseIsNoCopy: after a change of the passphrase the profile is not
// taken for a copy of itself.
func TestChangedPassphraseIsNoCopy(t *testing.T) {
	p := newProfile(t)
	markers := filepath.Join(t.TempDir(), "markers")
	look := func(passphrase string) {
		t.Helper()
		s, err := Open(p, passphrase, Options{Markers: markers})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if s.Restored() {
			t.Error("taken for a copy")
		}
		update(t, s, func(tx *Tx) error { return tx.SetOwner("Bea") })
	}
	look(secret)
	if err := ChangePassphrase(p, secret, "new", CheapKDF); err != nil {
		t.Fatal(err)
	}
	look("new")
	look("new")
}
