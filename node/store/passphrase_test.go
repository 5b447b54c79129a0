package store

import (
	"context"
	"errors"
	"fmt"
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

// ownerOf opens a profile and reads the name of its owner.
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

// TestChangePassphraseInUse: while others write and search, the passphrase changes;
// none of their changes are lost, the store goes on, and a change goes back too.
func TestChangePassphraseInUse(t *testing.T) {
	p := newProfile(t)
	s, err := Open(p, secret, Options{NoSync: true, Markers: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx, stop := context.WithCancel(t.Context())
	var written int
	done := make(chan error, 1)
	go func() {
		for ; ctx.Err() == nil; written++ {
			name := fmt.Sprint("Ada ", written)
			if err := s.Update(context.Background(), func(tx *Tx) error { return tx.SetOwner(name) }); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()

	if err := s.ChangePassphrase(t.Context(), "wrong", "new", CheapKDF); !errors.Is(err, ErrWrongPassphrase) {
		t.Errorf("with a wrong one: %v", err)
	}
	for was, now := secret, "new"; now != "last"; was, now = now, now+"er" {
		if now == "newererer" {
			now = "last"
		}
		if err := s.ChangePassphrase(t.Context(), was, now, CheapKDF); err != nil {
			t.Fatal(err)
		}
		if err := s.CheckPassphrase(was); !errors.Is(err, ErrWrongPassphrase) {
			t.Errorf("%s opens it still: %v", was, err)
		}
		if now == "last" {
			break
		}
	}
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprint("Ada ", written-1)
	if err := errors.Join(s.Rotate(t.Context()), s.Checkpoint(), s.Close()); err != nil {
		t.Fatal(err)
	}
	if owner, err := ownerOf(p, "last"); err != nil || owner != want {
		t.Errorf("%q, %v; written was %q", owner, err, want)
	}
	for name := range folder(t, p) {
		if name == filepath.Base(p.NextDatabase()) {
			t.Error("the copy is left")
		}
	}
}

// TestChangePassphraseFails: a change that fails leaves the store in use with the old
// passphrase, or gives it up and leaves a profile on disk that is whole.
func TestChangePassphraseFails(t *testing.T) {
	p := newProfile(t)
	s, err := Open(p, secret, Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	works := func() error {
		return s.Update(t.Context(), func(tx *Tx) error { return tx.SetOwner("Ada") })
	}

	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.ChangePassphrase(cancelled, secret, "new", CheapKDF); !errors.Is(err, context.Canceled) {
		t.Errorf("without time: %v", err)
	}
	if err := s.ChangePassphrase(t.Context(), secret, "new", KDF{Passes: 1}); err == nil {
		t.Error("a key without a cost")
	}
	// Something lies where the copy goes.
	if err := os.Mkdir(p.NextDatabase(), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := s.ChangePassphrase(t.Context(), secret, "new", CheapKDF); err == nil {
		t.Error("over something else")
	}
	if err := os.Remove(p.NextDatabase()); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(works(), s.CheckPassphrase(secret)); err != nil {
		t.Fatal(err)
	}

	// The key file cannot be replaced: its place is a folder.
	key, err := os.ReadFile(p.KeyFile())
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(p.NextDatabase(), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	next, _ := newKeyFile("new", CheapKDF)
	os.Remove(p.KeyFile())
	if err := os.MkdirAll(filepath.Join(p.KeyFile(), "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	taken, err := s.moveTo(f, next)
	s.mu.Unlock()
	f.Close()
	if taken || err == nil {
		t.Errorf("taken: %v, %v", taken, err)
	}
	select {
	case <-s.Lost():
		t.Error("the store is given up without need")
	default:
	}
	os.RemoveAll(p.KeyFile())
	os.Remove(p.NextDatabase())
	if err := os.WriteFile(p.KeyFile(), key, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(works(), s.Close()); err != nil {
		t.Fatal(err)
	}
	if owner, err := ownerOf(p, secret); err != nil || owner != "Ada" {
		t.Errorf("%q, %v", owner, err)
	}
}

// TestStoreLost: a database that cannot be opened after the change gives the store up.
func TestStoreLost(t *testing.T) {
	p := newProfile(t)
	s, err := Open(p, secret, Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(p.NextDatabase(), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	next, _ := newKeyFile("new", CheapKDF) // and an empty copy
	s.mu.Lock()
	_, err = s.moveTo(f, next)
	s.mu.Unlock()
	if err == nil {
		t.Error("an empty copy opens")
	}
	select {
	case <-s.Lost():
	default:
		t.Error("the store is not given up")
	}
	if err := s.Update(t.Context(), func(*Tx) error { return nil }); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if other, err := acquire(p); err != nil {
		t.Errorf("the lock is still held: %v", err)
	} else {
		other.Unlock()
	}
}
