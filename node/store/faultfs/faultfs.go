// Package faultfs is an encrypting SQLite file system for tests, which fails
// on command: as a full disk does, or as a process does that is killed.
package faultfs

import (
	"sync"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/util/vfsutil"
	"github.com/ncruces/go-sqlite3/vfs"
	"github.com/ncruces/go-sqlite3/vfs/adiantum"
)

// An FS is a file system that fails on command.
type FS struct {
	vfs.VFS
	mu     sync.Mutex
	writes int
	syncs  int
	full   bool
	killAt int // the write that is torn, and after which nothing is written; 0: none
	killed chan struct{}
}

// Register makes a file system known to SQLite under a name, below the
// encryption of package adiantum.
func Register(name string) *FS {
	f := &FS{VFS: vfs.Find(""), killed: make(chan struct{})}
	vfs.Register(name, adiantum.Wrap(f, nil))
	return f
}

// Writes returns how many writes there have been.
func (f *FS) Writes() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.writes
}

// Syncs returns how often the disk was waited for.
func (f *FS) Syncs() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.syncs
}

// SetFull makes every write fail for want of space, or lets them go on.
func (f *FS) SetFull(full bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.full = full
}

// KillAfter lets that many more writes through. The next one is cut in the
// middle, and nothing reaches the disk after that.
func (f *FS) KillAfter(writes int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.killAt = f.writes + writes + 1
}

// Killed is closed when KillAfter has taken effect.
func (f *FS) Killed() <-chan struct{} { return f.killed }

// write counts a write and says how much of it to do.
func (f *FS) write(n int) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.dead() {
		return 0, sqlite3.IOERR_WRITE
	}
	if f.full {
		return 0, sqlite3.FULL
	}
	f.writes++
	if f.writes == f.killAt {
		close(f.killed)
		return n / 2, sqlite3.IOERR_WRITE
	}
	return n, nil
}

func (f *FS) dead() bool { return f.killAt != 0 && f.writes >= f.killAt }

// Open is not called: OpenFilename is.
func (f *FS) Open(name string, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	return nil, flags, sqlite3.CANTOPEN
}

// OpenFilename opens a file.
func (f *FS) OpenFilename(name *vfs.Filename, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	inner, flags, err := vfsutil.WrapOpenFilename(f.VFS, name, flags)
	if err != nil {
		return nil, flags, err
	}
	return &file{File: inner, fs: f}, flags, nil
}

// Delete deletes a file.
func (f *FS) Delete(name string, sync bool) error {
	f.mu.Lock()
	dead := f.dead()
	f.mu.Unlock()
	if dead {
		return sqlite3.IOERR_DELETE
	}
	return f.VFS.Delete(name, sync)
}

type file struct {
	vfs.File
	fs *FS
}

func (f *file) WriteAt(p []byte, off int64) (int, error) {
	n, err := f.fs.write(len(p))
	if n > 0 {
		if m, werr := f.File.WriteAt(p[:n], off); werr != nil {
			return m, werr
		}
	}
	return n, err
}

func (f *file) Truncate(size int64) error {
	if _, err := f.fs.write(0); err != nil {
		return err
	}
	return f.File.Truncate(size)
}

func (f *file) Sync(flags vfs.SyncFlag) error {
	f.fs.mu.Lock()
	f.fs.syncs++
	dead := f.fs.dead()
	f.fs.mu.Unlock()
	if dead {
		return sqlite3.IOERR_FSYNC
	}
	return f.File.Sync(flags)
}
