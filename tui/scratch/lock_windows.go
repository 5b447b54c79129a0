package scratch

import (
	"io/fs"
	"os"

	"golang.org/x/sys/windows"
)

// lock takes the lock on a file, which ends with the process that has it open. It
// does not wait.
func lock(f *os.File) error {
	const flags = windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY
	return windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, 1, 0, &windows.Overlapped{})
}

func ours(fs.FileInfo) bool { return true }
