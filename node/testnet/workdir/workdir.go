// Package workdir makes the temporary folders of meshes and removes them again, also
// after their process was killed: each has a lock beside it, and those with a free lock
// go when the next one is made.
//
//	/tmp/starling-testnet-123456        the folder, mode 0700
//	/tmp/starling-testnet-123456.lock   held for as long as the folder is used
package workdir

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/gofrs/flock"
)

const (
	prefix = "starling-"
	suffix = ".lock"
)

// A Dir is a temporary folder of this process.
type Dir struct {
	Path string
	lock *flock.Flock
	once sync.Once
	err  error
}

// Make makes a folder for a purpose, and removes those that dead processes left, for
// any purpose.
func Make(purpose string) (*Dir, error) {
	Sweep()
	for {
		// The lock is there first: a folder without one is nobody's business.
		f, err := os.CreateTemp("", prefix+purpose+"-*"+suffix)
		if err != nil {
			return nil, err
		}
		path := f.Name()
		made, err := f.Stat()
		f.Close()
		if err != nil {
			return nil, err
		}

		lock := flock.New(path)
		got, err := lock.TryLock()
		if err != nil {
			os.Remove(path)
			return nil, err
		}
		if !got || !same(made, path) { // a sweep was faster
			if got {
				os.Remove(path)
			}
			lock.Unlock()
			continue
		}

		d := &Dir{Path: strings.TrimSuffix(path, suffix), lock: lock}
		if err := os.Mkdir(d.Path, 0o700); err != nil {
			d.Remove()
			return nil, err
		}
		return d, nil
	}
}

// same reports whether a path still leads to the same file.
func same(before fs.FileInfo, path string) bool {
	now, err := os.Lstat(path)
	return err == nil && os.SameFile(before, now)
}

// Remove removes the folder with all that is in it. It may be called again.
func (d *Dir) Remove() error {
	d.once.Do(func() {
		d.err = remove(d.Path)
		os.Remove(d.lock.Path()) // before it is let go: a sweep that waits for it finds nothing
		d.lock.Unlock()
	})
	return d.err
}

// Sweep removes the folders of dead processes. Those of other people, and those that
// cannot be removed, stay.
func Sweep() {
	locks, err := filepath.Glob(filepath.Join(os.TempDir(), prefix+"*"+suffix))
	if err != nil {
		return
	}
	for _, path := range locks {
		before, err := os.Lstat(path)
		if err != nil || !before.Mode().IsRegular() {
			continue
		}
		lock := flock.New(path, flock.SetFlag(os.O_RDWR))
		got, err := lock.TryLock()
		if err == nil && got && same(before, path) && remove(strings.TrimSuffix(path, suffix)) == nil {
			os.Remove(path)
		}
		lock.Unlock()
	}
}

// remove removes a folder, and the disks mounted in it first.
func remove(dir string) error {
	info, err := os.Lstat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !info.IsDir():
		return &fs.PathError{Op: "remove", Path: dir, Err: errors.New("not a folder")}
	}
	unmount(dir)
	return os.RemoveAll(dir)
}
