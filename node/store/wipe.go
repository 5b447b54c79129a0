package store

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"starling/node/config"
)

// Wiping a profile begins with its key file, which is overwritten with zeros and on
// disk as such before anything else happens: from then on nothing in the folder can be
// read by anybody. The key file goes last: zeros in it tell the next start to finish
// the wipe.

// Wipe destroys the profile. The store is closed afterwards, even after an error.
func (s *Store) Wipe() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	s.closed = true
	first := overwrite(s.profile.KeyFile())
	s.keys.forget()
	s.fresh.dead = true // nor is the key file written any more
	s.markerFile.close()
	s.closeDB() // its last writes are under a key that is gone
	err := wipeFiles(s.profile, s.markerFile.path, once)
	s.lock.Unlock()
	os.Remove(s.profile.Lock())
	return errors.Join(first, err)
}

// Wipe destroys a profile that nobody runs, without its passphrase.
func Wipe(p config.Profile) error {
	if !p.Exists() && len(unfinished(p)) == 0 {
		return ErrNoProfile
	}
	lock, err := acquire(p)
	if err != nil {
		return err
	}
	err = wipeFiles(p, "", once)
	lock.Unlock()
	os.Remove(p.Lock())
	os.Remove(p.Dir)
	return mapError(err)
}

// forget overwrites the keys in memory.
func (k *keyFile) forget() {
	clear(k.wrap)
	*k = keyFile{}
}

func once(step func() error) error { return step() }

// wipeFiles destroys a profile's files and the marker outside. It does each
// step through do, and goes on after one that fails: less is left then.
func wipeFiles(p config.Profile, marker string, do func(step func() error) error) error {
	key := p.KeyFile()
	keys := []string{key}
	keys = append(unfinished(p), keys...) // among them key files that were being written
	var errs []error
	for i := len(keys) - 1; i >= 0; i-- {
		errs = append(errs, do(func() error { return errors.Join(sweepBeside(keys[i]), overwrite(keys[i])) }))
	}
	errs = append(errs, do(func() error { return WipeBridge(p) }))

	rest := []string{p.Database(), p.Database() + "-wal", p.Database() + "-shm", p.NextDatabase(), p.NextDatabase() + "-journal"}
	rest = append(rest, marker)
	for _, path := range append(append(rest, keys[:len(keys)-1]...), p.Unfinished(), key) {
		if path != "" {
			errs = append(errs, do(func() error { return remove(path) }))
		}
	}
	for _, folder := range p.Texts() {
		errs = append(errs, do(func() error { return wipeTexts(folder) }))
	}
	errs = append(errs, do(func() error {
		syncFolder(p.Dir)
		return nil
	}))
	return errors.Join(errs...)
}

// overwrite replaces the bytes of a file by zeros. Copies of them elsewhere in the file
// system or on the disk are out of reach.
func overwrite(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err == nil {
		_, err = f.Write(make([]byte, min(info.Size(), 1<<16)))
	}
	return errors.Join(err, f.Sync())
}

// WipeBridge destroys the key of the bridge that a profile ran for friends, and what else it
// left. A relay of the same folder stays.
func WipeBridge(p config.Profile) error {
	folder := p.Relay()
	bridge := filepath.Join(folder, "bridge")
	err := errors.Join(overwrite(filepath.Join(bridge, "bridge.key")), os.RemoveAll(bridge))
	left, _ := os.ReadDir(folder)
	for _, f := range left {
		if !slices.Contains([]string{"relay.lock", "relay.quota", "control.sock"}, f.Name()) {
			return err
		}
	}
	return errors.Join(err, os.RemoveAll(folder))
}

// wipeTexts destroys the texts that lie ready for other programs, even while one is in
// use.
func wipeTexts(folder string) error {
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		return overwrite(path)
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return errors.Join(err, os.RemoveAll(folder))
}

func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// syncFolder asks for the entries of a folder to be on the disk. Some systems cannot, and what was done in the
// folder is done: nothing fails for it.
func syncFolder(dir string) {
	d, err := os.Open(dir)
	if err != nil {
		return // not possible on Windows, and not needed
	}
	defer d.Close()
	d.Sync()
}

// finishWipe finishes a wipe that was cut short, and reports whether there was
// one. The caller holds the profile's lock.
func finishWipe(p config.Profile) (bool, error) {
	f, err := os.Open(p.KeyFile())
	if err != nil {
		return false, nil
	}
	b := make([]byte, keyFileSize+1)
	n, _ := f.Read(b)
	f.Close()
	if n != keyFileSize || !bytes.Equal(b[:n], make([]byte, n)) {
		return false, nil
	}
	return true, wipeFiles(p, "", once)
}
