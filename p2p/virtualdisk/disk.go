// Package virtualdisk simulates the disks of machines, as virtualtime does their
// network: a SQLite file system that on command is full, stops in the middle of a
// write as under a killed process, or forgets the unsynced as in a power cut.
//
// The users of a testnet in one process have one each. Nothing else of the program
// opens a file on one.
package virtualdisk

import (
	"slices"
	"sync"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/util/vfsutil"
	"github.com/ncruces/go-sqlite3/vfs"
)

// An FS is the file system of one disk.
type FS struct {
	vfs.VFS
	mu      sync.Mutex
	writes  int
	syncs   int
	full    bool
	killAt  int  // the number of the torn write, the last one; 0: none
	power   bool // the unsynced is lost with it
	pending []change
	killed  chan struct{}
}

// A change is the bytes under an unsynced write.
type change struct {
	file vfs.File
	off  int64
	was  []byte
	size int64 // of the file before
}

// New makes a disk of its own; vfs.Register makes it known to SQLite.
func New() *FS { return &FS{VFS: vfs.Find(""), killed: make(chan struct{})} }

// Register makes a disk and makes it known to SQLite under a name.
func Register(name string) *FS {
	f := New()
	vfs.Register(name, f)
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

// FailPowerAfter is KillAfter with the loss of everything unsynced.
func (f *FS) FailPowerAfter(writes int) {
	f.KillAfter(writes)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.power = true
}

// Killed is closed when KillAfter has taken effect.
func (f *FS) Killed() <-chan struct{} { return f.killed }

// Dead reports whether it has.
func (f *FS) Dead() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.dead()
}

func (f *FS) dead() bool { return f.killAt != 0 && f.writes >= f.killAt }

// change lets a write of n bytes happen, or some of it.
func (f *FS) change(file vfs.File, n int, off int64, do func(n int) error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.dead() {
		return sqlite3.IOERR_WRITE
	}
	if f.full {
		return sqlite3.FULL
	}

	f.writes++
	torn := f.writes == f.killAt
	if torn {
		n /= 2
	}

	if f.power {
		if err := f.note(file, n, off); err != nil {
			return err
		}
	}

	err := do(n)
	if torn {
		for i := len(f.pending) - 1; i >= 0 && err == nil; i-- {
			err = f.pending[i].undo()
		}
		close(f.killed)
		return sqlite3.IOERR_WRITE
	}
	return err
}

// note remembers the former bytes before a write.
func (f *FS) note(file vfs.File, n int, off int64) error {
	size, err := file.Size()
	if err != nil {
		return err
	}
	c := change{file: file, off: off, size: size}
	if n < 0 { // everything behind off goes
		n = int(size - off)
	}
	if n = min(n, int(size-off)); n > 0 {
		c.was = make([]byte, n)
		if _, err := file.ReadAt(c.was, off); err != nil {
			return err
		}
	}
	f.pending = append(f.pending, c)
	return nil
}

func (c change) undo() error {
	if len(c.was) > 0 {
		if _, err := c.file.WriteAt(c.was, c.off); err != nil {
			return err
		}
	}
	return c.file.Truncate(c.size)
}

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
	if f.Dead() {
		return sqlite3.IOERR_DELETE
	}
	return f.VFS.Delete(name, sync)
}

type file struct {
	vfs.File
	fs *FS
}

func (f *file) WriteAt(p []byte, off int64) (written int, err error) {
	err = f.fs.change(f.File, len(p), off, func(n int) (err error) {
		written, err = f.File.WriteAt(p[:n], off)
		return err
	})
	return written, err
}

func (f *file) Truncate(size int64) error {
	const all = -1
	return f.fs.change(f.File, all, size, func(n int) error {
		if n != all {
			return nil // there is no half of it
		}
		return f.File.Truncate(size)
	})
}

func (f *file) Sync(flags vfs.SyncFlag) error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	f.fs.syncs++
	if f.fs.dead() {
		return sqlite3.IOERR_FSYNC
	}
	f.fs.pending = slices.DeleteFunc(f.fs.pending, func(c change) bool { return c.file == f.File })
	return f.File.Sync(flags)
}

// Close closes the file. Its writes can no longer be undone.
func (f *file) Close() error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	f.fs.pending = slices.DeleteFunc(f.fs.pending, func(c change) bool { return c.file == f.File })
	return f.File.Close()
}
