//go:build !linux && !darwin && !freebsd

package mailbox

// freeBytes is not known here: a full disk shows when a write fails.
func freeBytes(string) (n uint64, ok bool) { return 0, false }
