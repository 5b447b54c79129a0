package mailbox

import (
	"context"
	"errors"
	"time"
)

// Errors of a Store.
var (
	// ErrTaken means that another box is under the tag.
	ErrTaken = errors.New("mailbox: tag is taken")
	// ErrFull means that there is no room, in the quota or on the disk.
	ErrFull = errors.New("mailbox: full")
	// ErrAcknowledged means that the very box was here and was acknowledged.
	ErrAcknowledged = errors.New("mailbox: box was acknowledged")
	// ErrDamaged means that the database is not readable as ours.
	ErrDamaged = errors.New("mailbox: damaged database")
	// ErrNewer means that a later version of the program has made the database.
	ErrNewer = errors.New("mailbox: database of a newer version")
	// ErrClosed means that the store was closed.
	ErrClosed = errors.New("mailbox: store is closed")
)

// TakenError is an ErrTaken with the box that is there.
type TakenError struct{ Box Box }

// Error implements error.
func (e *TakenError) Error() string { return ErrTaken.Error() }

// Is makes it an ErrTaken.
func (e *TakenError) Is(target error) bool { return target == ErrTaken }

// Item is a stored box.
type Item struct {
	Tag Tag
	Box Box
}

// Store keeps boxes. Its methods may be called at the same time. Each returns
// when its effect is as durable as the store can make it. Package mailboxtest has
// the tests that every Store passes.
type Store interface {
	Logs
	// Put stores a box until it expires; asked says that a fetch has named its tag.
	// It returns nil also when the same box is there already; its life does not change.
	// It returns ErrAcknowledged; a *TakenError when another box is under the tag,
	// ErrTaken when one was and has been acknowledged; ErrFull; or another error when
	// nothing was kept. It may cost another box its place: see Room in the package
	// comment.
	Put(ctx context.Context, tag Tag, box *Box, expires time.Time, asked bool) error
	// Get returns the boxes under those of the tags that have one and did not
	// expire, in the order of the tags, at most len(tags). They count as asked for.
	Get(ctx context.Context, tags []Tag, now time.Time) ([]Item, error)
	// Delete removes boxes that were acknowledged, and remembers them until they
	// would have expired. Tags without a box are no error and not remembered.
	Delete(ctx context.Context, tags []Tag) error
	// Expire removes expired boxes and entries and returns how many boxes they were.
	Expire(ctx context.Context, now time.Time) (int, error)
	// Latest returns when the box or entry stored last would expire, at most an hour late; the
	// zero time if none is remembered.
	Latest() time.Time
	// Len returns how many boxes are stored.
	Len() int
	// Counts counts them by class.
	Counts() Counts
}

// Logs keeps the entries of logs, as a Store keeps boxes. They have room of their own: a
// quarter as many entries as there may be boxes.
type Logs interface {
	// Append adds an entry to a log, or prolongs the same one: then it is not fresh.
	// followed says that somebody reads the log. It returns ErrAcknowledged when the same
	// was there and has expired; a *TakenError when another box is under the tag, ErrTaken
	// when one was; ErrFull; or another error when nothing was kept.
	Append(ctx context.Context, name LogName, e *Entry, now time.Time, followed bool) (at LogEntry, fresh bool, err error)
	// Read returns the first entries of logs above positions, at most so many of all, and
	// about how many more there are. After Newest it returns the newest, the last first.
	// The logs count as followed.
	Read(ctx context.Context, logs []LogPosition, most int, now time.Time) (found []LogEntry, left int, err error)
	// End returns what there is of logs. They count as followed.
	End(ctx context.Context, names []LogName, now time.Time) ([]LogEnd, error)
}

// logShare is the part of the room that entries of logs have, beside the boxes.
const logShare = 4

// Counts is the number of boxes in a Store, by class.
type Counts struct {
	Boxes        int   // stored
	Asked        int   // of them, those a fetch has named
	Acknowledged int   // remembered
	Evicted      int64 // boxes and entries that made room for others since the start
	Logs         int
	Entries      int // stored in them
}
