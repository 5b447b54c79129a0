package store

import (
	"errors"
	"path/filepath"
	"syscall"
)

// System error codes that mean a full disk (winerror.h).
const (
	errorHandleDiskFull = syscall.Errno(39)
	errorDiskFull       = syscall.Errno(112)
)

func isFull(err error) bool {
	return errors.Is(err, errorHandleDiskFull) || errors.Is(err, errorDiskFull)
}

// uriPath writes C:\dir as SQLite wants it in a URI: /C:/dir.
func uriPath(path string) string { return "/" + filepath.ToSlash(path) }
