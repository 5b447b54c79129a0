package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"starling/node/config"
)

// unfinished returns the files that something has left which was cut short: those
// in the profile's folder for them, and copies of a key file that was being
// replaced.
func unfinished(p config.Profile) (files []string) {
	files, _ = filepath.Glob(filepath.Join(p.Dir, ".profile.key-*"))
	inside, _ := filepath.Glob(filepath.Join(p.Unfinished(), "*"))
	return append(files, inside...)
}

// sweep removes what something has left that was cut short. The caller holds the
// profile's lock.
//
// A restore puts the database in its place first and the key file last. So a
// database without a key file, while one is still unfinished, is of a restore, and
// goes with it.
func sweep(p config.Profile) error {
	restoring := filepath.Join(p.Unfinished(), filepath.Base(p.KeyFile()))
	files := unfinished(p)
	if there(restoring) && !there(p.KeyFile()) {
		files = append([]string{p.Database(), p.Database() + "-wal"}, files...)
	}
	var errs []error
	for _, path := range files {
		// Overwritten first: it may be a key file.
		errs = append(errs, overwrite(path), remove(path))
	}
	if err := os.Remove(p.Unfinished()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func there(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// begin makes a file in the folder for what is unfinished.
func begin(p config.Profile, pattern string) (*os.File, error) {
	if err := os.Mkdir(p.Unfinished(), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return os.CreateTemp(p.Unfinished(), pattern) // mode 0600
}
