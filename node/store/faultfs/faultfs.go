// Package faultfs puts the encryption of profiles on the file system that fails
// on command.
package faultfs

import (
	"github.com/ncruces/go-sqlite3/vfs"
	"github.com/ncruces/go-sqlite3/vfs/adiantum"

	"starling/p2p/mailbox/faultfs"
)

// Register makes a file system known to SQLite under a name, below the
// encryption of package adiantum.
func Register(name string) *faultfs.FS {
	f := faultfs.New()
	vfs.Register(name, adiantum.Wrap(f, nil))
	return f
}
