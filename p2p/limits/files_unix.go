//go:build unix

package limits

import "syscall"

// Files returns how many files this program may have open, after the Go runtime has
// raised the limit as far as it may.
func Files() (n int, ok bool) {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return 0, false
	}
	return int(min(uint64(l.Cur), 1<<30)), true
}
