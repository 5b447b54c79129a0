// Package faultfs puts profiles on the file system that fails on command.
package faultfs

import (
	"github.com/ncruces/go-sqlite3/vfs"

	"starling/p2p/mailbox/faultfs"
)

// Register makes a file system known to SQLite under a name, for store.Options.
func Register(name string) *faultfs.FS {
	f := faultfs.New()
	vfs.Register(name, f)
	return f
}
