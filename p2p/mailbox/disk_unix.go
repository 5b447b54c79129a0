//go:build linux || darwin || freebsd

package mailbox

import "syscall"

// freeBytes returns how much room the file system of path has for us.
func freeBytes(path string) (n uint64, ok bool) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(path, &st); err != nil {
		return 0, false
	}
	return uint64(st.Bavail) * uint64(st.Bsize), true
}
