package store

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"starling/node/config"
)

// left returns the files in a profile's folder, but for the lock.
func left(p config.Profile) (names []string) {
	inside, _ := os.ReadDir(p.Dir)
	for _, e := range inside {
		if e.Name() != filepath.Base(p.Lock()) {
			names = append(names, e.Name())
		}
	}
	return names
}

func TestWipe(t *testing.T) {
	p := newProfile(t)
	markers := filepath.Join(t.TempDir(), "markers")
	s, err := Open(p, secret, Options{Markers: markers})
	if err != nil {
		t.Fatal(err)
	}
	addContact(t, s, "Bob", []byte("state"))
	if err := s.Wipe(); err != nil {
		t.Fatal(err)
	}
	if inside, _ := os.ReadDir(p.Dir); len(inside) != 0 {
		t.Errorf("left %v", inside)
	}
	if inside, _ := os.ReadDir(markers); len(inside) != 0 {
		t.Errorf("left %v", inside)
	}
	if err := s.Update(t.Context(), func(*Tx) error { return nil }); !errors.Is(err, ErrClosed) {
		t.Errorf("Update: %v", err)
	}
	if err := s.Wipe(); !errors.Is(err, ErrClosed) {
		t.Errorf("second Wipe: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if _, err := Open(p, secret, Options{}); !errors.Is(err, ErrNoProfile) {
		t.Errorf("Open: %v", err)
	}
	if err := Create(p, secret, "Ada", Options{KDF: CheapKDF}); err != nil {
		t.Errorf("Create: %v", err)
	}
	s = open(t, p)
	if err := Wipe(p); !errors.Is(err, ErrInUse) {
		t.Errorf("Wipe while in use: %v", err)
	}
	s.Close()
	if err := Wipe(p); err != nil {
		t.Error(err)
	}
	if err := Wipe(p); !errors.Is(err, ErrNoProfile) {
		t.Errorf("Wipe of nothing: %v", err)
	}
}

// However far a wipe comes, and with any failures, the profile either opens whole,
// because nothing was done, or never again.
func TestWipeFaults(t *testing.T) {
	fault := errors.New("fault")
	fresh := func() config.Profile {
		p := newProfile(t)
		s := open(t, p)
		addContact(t, s, "Bob", []byte("state"))
		s.Close()
		b, _ := os.ReadFile(p.KeyFile())
		// As a crash leaves them.
		os.WriteFile(filepath.Join(p.Dir, ".profile.key-123"), b, 0o600)
		os.Mkdir(p.Unfinished(), 0o700)
		os.WriteFile(filepath.Join(p.Unfinished(), "backup-123"), b, 0o600)
		os.WriteFile(filepath.Join(p.Unfinished(), "profile.key"), b, 0o600)
		os.WriteFile(p.Database()+"-wal", nil, 0o600)
		os.MkdirAll(filepath.Join(p.Relay(), "bridge"), 0o700)
		os.WriteFile(filepath.Join(p.Relay(), "bridge", "bridge.key"), b, 0o600)
		return p
	}
	run := func(p config.Profile, fails func(n int) bool) (steps int) {
		wipeFiles(p, "", func(step func() error) error {
			steps++
			if fails(steps - 1) {
				return fault
			}
			return step()
		})
		return steps
	}
	steps := run(fresh(), func(int) bool { return false })
	if steps < 8 {
		t.Fatalf("%d steps", steps)
	}
	for k := range steps {
		t.Run("crash", func(t *testing.T) {
			p := fresh()
			run(p, func(n int) bool { return n >= k })
			s, err := Open(p, secret, Options{})
			if k == 0 {
				if err != nil {
					t.Fatalf("nothing was done: %v", err)
				}
				s.Close()
				return
			}
			if !errors.Is(err, ErrNoProfile) {
				t.Errorf("after %d steps: %v", k, err)
			}
			if names := left(p); len(names) != 0 {
				t.Errorf("after %d steps and a start: %v", k, names)
			}
		})
		t.Run("fault", func(t *testing.T) {
			p := fresh()
			run(p, func(n int) bool { return n == k })
			if s, err := Open(p, secret, Options{}); err == nil {
				s.Close()
				t.Errorf("opens without step %d", k)
			}
		})
	}
	t.Run("torn", func(t *testing.T) {
		p := fresh()
		b, _ := os.ReadFile(p.KeyFile())
		clear(b[:100])
		os.WriteFile(p.KeyFile(), b, 0o600)
		var damaged *DamagedError
		if _, err := Open(p, secret, Options{}); !errors.As(err, &damaged) {
			t.Errorf("half of the key file is gone: %v", err)
		}
	})
}
