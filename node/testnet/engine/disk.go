package engine

import (
	"context"
	"sync/atomic"
	"time"

	"starling/p2p/mailbox"
)

// Disk is a relay's store on a disk that can be full.
type Disk struct {
	mailbox.Store
	full atomic.Bool
}

// SetFull makes every put and append fail for want of room, or lets them go on.
func (d *Disk) SetFull(full bool) { d.full.Store(full) }

// Put implements mailbox.Store.
func (d *Disk) Put(ctx context.Context, tag mailbox.Tag, box *mailbox.Box, expires time.Time, asked bool) error {
	if d.full.Load() {
		return mailbox.ErrFull
	}
	return d.Store.Put(ctx, tag, box, expires, asked)
}

// Append implements mailbox.Store.
func (d *Disk) Append(ctx context.Context, name mailbox.LogName, e *mailbox.Entry, now time.Time, followed bool) (mailbox.LogEntry, bool, error) {
	if d.full.Load() {
		return mailbox.LogEntry{}, false, mailbox.ErrFull
	}
	return d.Store.Append(ctx, name, e, now, followed)
}
