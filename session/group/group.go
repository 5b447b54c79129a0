// Package group is a room: up to thirty-two people, with no server between them. A [Room] is
// one person's part in one room. It composes members (the people that belong) and keys (the people
// that may read), and adds the rest: lanes, the logs that all write to and read from; cells, the boxes in
// them; the card that tells the place of the next logs; joining, and return after a restore or
// a long absence.
//
// It is pure: no network, disk, clock or goroutine. Times come in as arguments. The caller
//
//   - follows the logs of [Room.Logs] and gives every entry to [Room.Take],
//   - after each call takes [Room.Changes] and writes, in one transaction: the new rows, the
//     parts of [Room.State] in place of the last ones, and the appends, which then go out in order,
//   - calls [Room.Due] after it has taken what there was, and at the time that the last call gave.
//
// Nothing may leave before that transaction is on disk: keys of a cell are used once.
//
// # People and keys
//
// Whatever changes roles is a signed entry; a removal or a change of role brings a rekey with it,
// an add a step. Rekeys of two people at once are merged by a third rekey, as soon as
// somebody with the right sees both. Nobody speaks under keys that a person removed still
// has: [Room.Say] answers [ErrNotYet] then, until an admin has made new ones.
//
// # Order
//
// Cells come in any order, from two mailboxes, more than once. [Said] names its causes; the
// caller shows causes first.
//
// # Return
//
// A profile restored from a backup calls [Room.Restored]. It says nothing until the control lane was
// read to its end at both mailboxes ([Room.Ended]). Then it says that it is back, and
// begins a chain of its own, so that no key is used twice and no number signed twice.
//
// # Loss
//
// What was lost on its way here, or dropped while it waited, is read again: [Reread] names the logs. Keys that somebody has missed are
// asked for, and told to a member that goes on under former ones.
//
// If no mailbox has the logs of [Place.Home] any more the caller says so with [Room.Lost]. Everybody that was there until then
// goes on speaking. Owner and admins say the last things again there; the others knock at the door.
package group

import (
	"errors"
	"time"

	"starling/session/group/members"
)

// Errors of a room.
var (
	// ErrInvalid: refused, and nothing has changed.
	ErrInvalid = errors.New("refused by the room")
	// ErrNotYet: the keys for it are not here yet; try again after HeadsChanged.
	ErrNotYet = errors.New("the room has no keys for it yet")
	// ErrRank: one's role does not allow it.
	ErrRank = members.ErrRank
	// ErrFull: as many as there may be.
	ErrFull = errors.New("the room is full")
	// ErrSpent: one has made as many keys, or entries, as others take of one author, or what is to be told to a newcomer
	// does not fit into an answer any more. Nothing has changed.
	ErrSpent = errors.New("the room was changed as often as it can be")
	// ErrGone: one is not in the room any more.
	ErrGone = errors.New("no longer in the room")
	// ErrSoon: an admin that was restored changes no roles for an hour.
	ErrSoon = errors.New("too soon after a restore")
)

// Names of people and roles are those of package members.
type (
	ID   = members.ID
	Role = members.Role
)

// The roles, from the least right to the greatest.
const (
	Nobody = members.Nobody
	Reader = members.Reader
	Writer = members.Member
	Admin  = members.Admin
	Owner  = members.Owner
)

// Limits.
const (
	Limit       = members.Limit // people in a room
	MaxName     = members.MaxName
	MaxTitle    = 64       // bytes
	MaxContent  = 64 << 10 // bytes of one content
	MaxHint     = 128      // bytes of a hint of a mailbox
	MaxUses     = 1000     // of a link
	MaxWaiting  = 256      // requests at the door
	MaxLinks    = 16       // open links of one author
	Mailboxes   = 2        // that hold a room
	SegmentSize = 4096     // entries after which a segment is left
)

// Mailbox is a mailbox of the room: its node and the hint by which others reach it.
type Mailbox struct {
	Node [32]byte
	Hint []byte
}

// Ref names a cell of a message, as a cause of later ones.
type Ref [16]byte

// Founding is all that a new room needs.
type Founding struct {
	Title     string
	Name      string // of the owner in this room
	Mailboxes []Mailbox
	Now       time.Time
}

// Append is an entry to be put into a log, at each of the mailboxes. If they are all gone, the log lies at the relays that rank
// highest by Meet, which its readers know, and no mailbox does.
type Append struct {
	ID        [16]byte // content that it is a part of, or zero
	Lane      uint8
	Mailboxes []Mailbox
	Meet      [32]byte
	Log       [32]byte // public key
	Tag       [16]byte
	Signature [64]byte
	Box       []byte
	Urgent    bool
}

// Aside reports whether an append is for none of the lanes: for the log of a link, of an answer, or of a door.
func (a *Append) Aside() bool { return a.Lane > laneOpen }

// ForOne reports whether an append is a piece of an answer to one person, who can fill the log of it.
func (a *Append) ForOne() bool { return a.Lane == laneAnswer }

// Place is the logs that are followed together: at most eight, all of one room.
type Place struct {
	Key       string // stable while the logs are the same place
	Mailboxes []Mailbox
	Names     [][16]byte
	Meet      [][32]byte // of each name, see [Append]
	Home      bool       // of the present keys: if no mailbox has its first log any more, see [Room.Lost]
	Door      bool       // of those who come, or come back: each log has a secret of its own
}

// Entry is an entry of a log as a mailbox gave it.
type Entry struct {
	Name      [16]byte
	Position  uint32 // given by the mailbox; 0 if unknown
	Tag       [16]byte
	Signature [64]byte
	Box       []byte
}

// Changes is the news since the last call.
type Changes struct {
	NewEntries [][]byte // rows to add
	Appends    []Append // to go out, in order
}

// Member is somebody in the room.
type Member struct {
	ID    ID
	Name  string
	Role  Role
	Key   [32]byte
	By    ID // the admin that let them in; themselves for the founder
	Since time.Time
	// Unkeyed: the newest keys were not given to them, and they cannot read.
	Unkeyed bool
	// Suspect: the only writer that was in each flooded lane.
	Suspect bool
}

// Settings are the rules of a room, the same for all in it.
type Settings struct {
	Title      string
	History    bool   // newcomers get the last 100 messages
	AdminsOnly bool   // only owner and admins write
	Timer      uint32 // seconds after which new messages disappear; 0: never
}

// Request is somebody at the door.
type Request struct {
	ID      [16]byte
	Member  ID
	Name    string
	Link    [16]byte // the invite that brought them
	Approve bool     // somebody has to say yes; otherwise the caller does, at once
	Since   time.Time
}

// Link is an open link of ours.
type Link struct {
	ID      [16]byte
	Text    string
	Uses    int
	Used    int
	Approve bool
	Expires time.Time
	Log     [16]byte // where people ask by it
}
