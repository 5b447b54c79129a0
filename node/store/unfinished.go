package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"starling/node/config"
)

// unfinished returns the files that something has left which was cut short: those
// in the profile's folder for them, and copies of a key file that was being
// replaced.
func unfinished(p config.Profile) (files []string) {
	// The folder's path is no pattern: it may hold the characters of one, and match the folders of others.
	for _, e := range entries(p.Dir) {
		if strings.HasPrefix(e, ".profile.key-") {
			files = append(files, filepath.Join(p.Dir, e))
		}
	}
	for _, e := range entries(p.Unfinished()) {
		files = append(files, filepath.Join(p.Unfinished(), e))
	}
	return files
}

// entries returns the names in a folder.
func entries(dir string) (names []string) {
	all, _ := os.ReadDir(dir)
	for _, e := range all {
		names = append(names, e.Name())
	}
	return names
}

// sweep removes the remains of an interrupted backup, restore or change of passphrase.
// The caller holds the profile's lock.
//
// A backup's file outside the profile is named in a note here.
//
// A restore puts the database in its place first and the key file last. So a
// database without a key file, while one is still unfinished, is of a restore, and
// goes with it.
func sweep(p config.Profile) error {
	restoring := filepath.Join(p.Unfinished(), filepath.Base(p.KeyFile()))
	files := unfinished(p)
	var errs []error
	for _, path := range files {
		errs = append(errs, sweepBeside(path))
	}
	if there(restoring) && !there(p.KeyFile()) {
		files = append([]string{p.Database(), p.Database() + "-wal"}, files...)
	}
	for _, path := range files {
		// Overwritten first: it may be a key file.
		errs = append(errs, overwrite(path), remove(path))
	}
	if err := os.Remove(p.Unfinished()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

const (
	besidePrefix = ".starling-backup-" // of what a backup is before it is whole
	notePrefix   = "beside-"           // of a note that says where one is
	maxNote      = 1 << 12
)

// beside makes the file for a backup, in the folder of its path, and before that a note
// of it in the folder for unfinished files.
// Where there is no room for the note it is left out: the backup may make room.
func (s *Store) beside(path string) (f *os.File, note string, err error) {
	dir, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return nil, "", err
	}

	// The note says where to sweep after a crash: the folder of a backup is not ours.
	n, err := begin(s.profile, notePrefix+"*")
	if isFull(err) {
		f, err = os.CreateTemp(dir, besidePrefix+"*")
		return f, "", err
	}
	if err != nil {
		return nil, "", err
	}

	name := filepath.Join(dir, besidePrefix+strings.TrimPrefix(filepath.Base(n.Name()), notePrefix))
	// The note is on disk before its file is there, or a crash in between would leave the file.
	_, err = n.WriteString(name)
	err = errors.Join(err, n.Sync(), n.Close())
	if err == nil || isFull(err) {
		f, err = os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	}
	if err != nil {
		os.Remove(n.Name())
	}
	return f, n.Name(), err
}

// sweepBeside removes the file that a note names. It names a file that begins as those
// of backups do, or it is none of ours.
func sweepBeside(note string) error {
	if !strings.HasPrefix(filepath.Base(note), notePrefix) {
		return nil
	}
	info, err := os.Lstat(note)
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxNote {
		return err
	}
	b, err := os.ReadFile(note)
	if err != nil {
		return err
	}

	path := string(b)
	suffix := strings.TrimPrefix(filepath.Base(note), notePrefix)
	if !filepath.IsAbs(path) || filepath.Base(path) != besidePrefix+suffix {
		return nil
	}
	info, err = os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() {
		return nil // it is gone, or its folder is away
	}
	return remove(path)
}

// Full reports whether a file could not be written for want of room.
func Full(err error) bool { return isFull(err) }

func there(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// begin makes a file in the folder for unfinished files.
func begin(p config.Profile, pattern string) (*os.File, error) {
	if err := os.Mkdir(p.Unfinished(), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return os.CreateTemp(p.Unfinished(), pattern) // mode 0600
}
