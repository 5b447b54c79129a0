package store

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"starling/node/config"
)

// A placed is a profile with a folder for markers, a machine of its own.
type placed struct {
	config.Profile
	markers string
}

func newPlaced(t *testing.T) placed {
	return placed{newProfile(t), filepath.Join(t.TempDir(), "markers")}
}

// start opens the profile and reports whether it looks restored.
func (p placed) start(t *testing.T) (*Store, bool) {
	t.Helper()
	s, err := Open(p.Profile, secret, Options{Markers: p.markers})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s, s.Restored()
}

// run opens the profile, moves a session a few times, and closes it.
func (p placed) run(t *testing.T, moves int) (restored bool) {
	t.Helper()
	s, restored := p.start(t)
	if restored {
		update(t, s, func(tx *Tx) error { tx.NewLineage(); return nil })
		if s.Restored() {
			t.Fatal("still restored")
		}
	}
	p.move(t, s, moves)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return restored
}

func (p placed) move(t *testing.T, s *Store, moves int) {
	t.Helper()
	for range moves {
		addContact(t, s, NewID().String(), []byte("session"))
	}
}

// copyTo copies a profile as it lies on disk.
func (p placed) copyTo(t *testing.T, dir string) placed {
	t.Helper()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(dir, os.DirFS(p.Dir)); err != nil {
		t.Fatal(err)
	}
	return placed{config.Profile{Dir: dir}, p.markers}
}

// No start of a profile that was not put back looks like one that was.
func TestMarkerHonest(t *testing.T) {
	p := newPlaced(t)
	for i := range 5 {
		if p.run(t, i) {
			t.Fatalf("start %d looks restored", i)
		}
	}
	s, _ := p.start(t)
	files, err := os.ReadDir(p.markers)
	if err != nil || len(files) != 1 {
		t.Fatalf("%v, %v", files, err)
	}
	b, _ := os.ReadFile(s.markerFile.path)
	if want := s.markerFile.bytes(&s.marker.marker); !bytes.Equal(b, want) || len(b) != markerSize || s.marker.count != 10 {
		t.Errorf("file %x, want %x", b, want)
	}
	if s.MarkerError() != nil {
		t.Error(s.MarkerError())
	}
}

// A copy that is put back is noticed once a session has moved since, also when
// it was made while the profile was running, and only once.
func TestMarkerCopyPutBack(t *testing.T) {
	for name, moves := range map[string]int{"unused since": 0, "used since": 1} {
		t.Run(name, func(t *testing.T) {
			p := newPlaced(t)
			s, _ := p.start(t)
			p.move(t, s, 2)
			old := p.copyTo(t, filepath.Join(t.TempDir(), "copy"))
			p.move(t, s, moves)
			s.Close()
			back := old.copyTo(t, p.Dir)
			if back.run(t, 1) != (moves > 0) {
				t.Errorf("restored: %v", moves == 0)
			}
			if back.run(t, 1) {
				t.Error("restored a second time")
			}
			// And once more from the same copy.
			if back = old.copyTo(t, p.Dir); !back.run(t, 1) {
				t.Error("the second time was not noticed")
			}
		})
	}
}

// Of two copies that run in turn, each finds out about the other.
func TestMarkerTwoCopies(t *testing.T) {
	a := newPlaced(t)
	a.run(t, 3)
	b := a.copyTo(t, filepath.Join(t.TempDir(), "b"))
	if a.run(t, 1) {
		t.Error("the original looks restored")
	}
	if !b.run(t, 1) {
		t.Error("the copy was not noticed")
	}
	if !a.run(t, 1) {
		t.Error("the original did not notice its copy")
	}
}

// On another machine, and back on the first.
func TestMarkerMoved(t *testing.T) {
	p := newPlaced(t)
	p.run(t, 2)
	there := p.copyTo(t, filepath.Join(t.TempDir(), "there"))
	there.markers = filepath.Join(t.TempDir(), "markers")
	if !there.run(t, 5) {
		t.Error("a missing marker was not noticed")
	}
	back := there.copyTo(t, p.Dir)
	back.markers = p.markers
	if !back.run(t, 1) {
		t.Error("the way back was not noticed")
	}
}

// After a crash at any write, nothing looks restored; and the work of a restored
// profile is not lost half way.
func TestMarkerCrash(t *testing.T) {
	p := newPlaced(t)
	p.run(t, 2)
	s, _ := p.start(t)
	path := s.markerFile.path
	behind, _ := os.ReadFile(path)
	p.move(t, s, 3)
	s.Close()
	os.WriteFile(path, behind, 0o600) // the file's last writes are lost
	if p.run(t, 1) {
		t.Error("a crash between database and file looks like a restored copy")
	}

	// A restored one that ends before it has given up its sessions is still one.
	old := p.copyTo(t, filepath.Join(t.TempDir(), "old"))
	p.run(t, 1)
	p = old.copyTo(t, p.Dir)
	s, restored := p.start(t)
	p.move(t, s, 1)
	s.Close()
	if s, again := p.start(t); !restored || !again {
		t.Error("forgotten before it was dealt with")
	} else {
		s.Close()
	}
	// One that ends after that, but before the file is written, is not.
	before, _ := os.ReadFile(path)
	if s, restored = p.start(t); !restored {
		t.Fatal("not restored")
	}
	update(t, s, func(tx *Tx) error { tx.NewLineage(); return nil })
	s.Close()
	os.WriteFile(path, before, 0o600)
	if p.run(t, 1) {
		t.Error("restored again after a crash")
	}
	os.WriteFile(path, before, 0o600)
	if !p.run(t, 1) {
		t.Error("the file of another lineage counts for ever")
	}
}

// A new profile with a marker that cannot be written works, says so, and never looks
// restored; nor does one with a marker that cannot be read.
func TestMarkerImpossible(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	os.WriteFile(file, nil, 0o600)
	p := placed{newProfile(t), filepath.Join(file, "markers")}
	for range 3 {
		s, restored := p.start(t)
		if restored || s.MarkerError() == nil {
			t.Fatalf("restored %v, error %v", restored, s.MarkerError())
		}
		p.move(t, s, 1)
		s.Close()
	}
	p = newPlaced(t)
	s, _ := p.start(t)
	path := s.markerFile.path
	p.move(t, s, 1)
	s.Close()
	os.Remove(path)
	os.Mkdir(path, 0o700) // cannot be read as a file
	if s, restored := p.start(t); restored || s.MarkerError() == nil {
		t.Errorf("restored %v, error %v", restored, s.MarkerError())
	}
}

// Without a folder for markers nothing is written outside the profile.
func TestNoMarker(t *testing.T) {
	p := newPlaced(t)
	p.markers = ""
	for range 2 {
		if p.run(t, 1) {
			t.Error("looks restored")
		}
	}
	// The first start with one takes it up.
	p.markers = filepath.Join(t.TempDir(), "markers")
	for range 2 {
		if p.run(t, 1) {
			t.Error("looks restored")
		}
	}
}

func TestMarkerRow(t *testing.T) {
	r := &markerRow{profile: [16]byte{1}, marker: marker{[16]byte{2}, 3}}
	for before := range uint8(3) {
		r.before = before
		if before == beforeOther {
			r.other = marker{[16]byte{4}, 5}
		}
		got, ok := parseMarkerRow(r.marshal())
		if !ok || *got != *r {
			t.Errorf("%+v, %v", got, ok)
		}
	}
	for _, b := range [][]byte{nil, r.marshal()[:64], append(r.marshal(), 0), make([]byte, 65), append(make([]byte, 40), 3)} {
		if _, ok := parseMarkerRow(b); ok {
			t.Errorf("%x is a row", b)
		}
	}
}

func FuzzMarkerRow(f *testing.F) {
	f.Add((&markerRow{before: beforeOther}).marshal())
	f.Add((&markerRow{before: beforeMissing}).marshal())
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, ok := parseMarkerRow(b); ok && !bytes.Equal(r.marshal(), b) {
			t.Fatal("two encodings of one row")
		}
	})
}

// The rest of a session is sealed, versioned, re-sealed with the others and erased with
// the contact.
func TestResets(t *testing.T) {
	p := newProfile(t)
	s := open(t, p)
	c := addContact(t, s, "Bob", []byte("session"))
	update(t, s, func(tx *Tx) error {
		if _, _, err := tx.Reset(c.ID); err != ErrNotFound {
			t.Errorf("nothing there: %v", err)
		}
		return tx.SetReset(c.ID, 0, []byte("left over"))
	})
	if err := s.Update(t.Context(), func(tx *Tx) error { return tx.SetReset(c.ID, 0, nil) }); err != ErrStale {
		t.Errorf("an old version replaced a newer one: %v", err)
	}
	if err := s.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	update(t, s, func(tx *Tx) error {
		state, version, err := tx.Reset(c.ID)
		if string(state) != "left over" || version != 1 || err != nil {
			t.Errorf("%q, %d, %v", state, version, err)
		}
		_, version, err = tx.Session(c.ID)
		if err != nil {
			return err
		}
		return errors.Join(tx.SetReset(c.ID, 1, []byte("next")), tx.SetSession(c.ID, version, []byte("new")))
	})
	update(t, s, func(tx *Tx) error { return tx.RemoveContact(c.ID) })
	n := view(t, s, func(tx *Tx) (int64, error) { return tx.number(`SELECT count(*) FROM resets`) })
	if n != 0 {
		t.Error("left behind")
	}
}

func FuzzParseID(f *testing.F) {
	f.Add(NewID().String())
	f.Add("")
	f.Fuzz(func(t *testing.T, s string) {
		if id, err := ParseID(s); err == nil && !strings.EqualFold(id.String(), s) {
			t.Fatalf("%q is read as %s", s, id)
		}
	})
}
