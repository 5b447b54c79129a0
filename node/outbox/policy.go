package outbox

import (
	"time"

	"starling/node/api"
	"starling/node/chat"
	"starling/node/store"
)

// Copies is in how many mailboxes of the recipient each cell is to lie.
const Copies = 2

const (
	// Lifetime is for how long a text is tried. A mailbox keeps a box as long.
	Lifetime = 14 * 24 * time.Hour

	// A copy that failed is tried again over a new route after firstRetry,
	// then after twice as long each time, up to lastRetry.
	firstRetry = 250 * time.Millisecond
	lastRetry  = 5 * time.Minute
	// fullRetry is the least wait after a mailbox said that it has no room or
	// that something else lies at the place.
	fullRetry = time.Minute

	// A stored copy of a content that nobody has acknowledged is stored again
	// after firstRepair, in case the mailbox has lost it, then after four times
	// as long each time, up to lastRepair.
	firstRepair = 15 * time.Minute
	lastRepair  = 24 * time.Hour

	// The recipient is asked to repeat a receipt askHeard after the content was
	// stored if something came from them since, and after askSilent if not;
	// then after four times as long each time, up to lastRepair.
	askHeard  = 2 * time.Minute
	askSilent = 6 * time.Hour
)

// An Entry is the state of one item, all that the policy looks at.
type Entry struct {
	ID      store.ID
	Contact store.ID
	Kind    chat.Kind
	Created time.Time
	State   api.State
	Cells   []CellState
	// Sent is when every cell was first known to be stored.
	Sent time.Time
	// Asked counts how often a receipt was asked for, and AskedAt is when last.
	Asked   int
	AskedAt time.Time
}

// A CellState is where the copies of one cell stand.
type CellState struct {
	Copies map[store.Node]*Copy
}

// A Copy is one cell at one mailbox.
type Copy struct {
	Stored  time.Time // when the mailbox last said that it keeps it; zero: never
	Repairs int       // how often it has been stored again
	Tries   int       // failures since the last success
	Tried   time.Time // when the last try ended
	Refused bool      // the last try ended with a refusal
	Taken   bool      // because something else lies there
	Busy    bool      // a try is under way
	Gone    bool      // the mailbox is gone, and the copy with it
}

// A Peer is what the policy knows of an entry's recipient.
type Peer struct {
	Mailboxes []store.Node // current ones
	Heard     time.Time    // when something last came from them
	Suspended bool         // their session was given up: nothing can be sealed
}

// An Action is the next thing to do for an entry.
type Action struct {
	Do   Do
	Cell int        // Put: which cell
	Node store.Node // Put: where to
}

// Do is what an action does.
type Do uint8

const (
	Seal   Do = iota // encrypt the content
	Put              // store a copy
	Ask              // ask for a receipt that should have come
	Fail             // give up and say why
	Finish           // nothing is left to do: forget
)

// Next returns what to do for an entry now, and when to look again; the zero
// time means not before something changes. Jitter is a number from 0 to 1 that
// spreads the waits, so that their times tell less of each other.
//
//	queued ──Seal──► sealed ──Put, every cell once──► sent ──receipt──► gone
//	   └──────────────────┴───────── Lifetime ──────────┴──► failed
//
// Contents that nobody acknowledges are finished when all copies are stored; of
// a typing that is one, wherever it is stored first: without it the recipient
// would wait for its place.
// Those that tell where to send do not age: without them nobody can answer.
func Next(e *Entry, p Peer, now time.Time, jitter float64) (actions []Action, again time.Time) {
	if e.State == api.StateFailed {
		return nil, time.Time{}
	}
	later := func(t time.Time) {
		if again.IsZero() || t.Before(again) {
			again = t
		}
	}
	if end := e.Created.Add(Lifetime); e.Kind != chat.Profile && e.Kind != chat.Mailboxes {
		if !now.Before(end) {
			if e.Kind.Message() {
				return []Action{{Do: Fail}}, time.Time{}
			}
			return []Action{{Do: Finish}}, time.Time{}
		}
		later(end)
	}
	if e.State == api.StateQueued {
		if p.Suspended {
			return nil, again
		}
		return []Action{{Do: Seal}}, again
	}
	// due collects an action, or the time at which it will be one.
	due := func(at time.Time, a Action) {
		if at.After(now) {
			later(at)
		} else {
			actions = append(actions, a)
		}
	}
	targets := p.Mailboxes[:min(len(p.Mailboxes), Copies)]
	missing := false
	for i := range e.Cells {
		cell := &e.Cells[i]
		stored := cell.stored()
		enough := len(targets)
		if e.Kind == chat.Typing {
			enough = min(enough, 1)
		}
		for _, node := range targets {
			if e.Kind == chat.Typing && node != cell.one(targets) {
				continue
			}
			c := cell.Copies[node]
			put := Action{Do: Put, Cell: i, Node: node}
			switch {
			case c == nil || c.Stored.IsZero():
				if stored >= enough {
					continue // enough lie elsewhere, from before the recipient moved
				}
				missing = true
				if c == nil || !c.Busy {
					due(retryAt(c, jitter), put)
				}
			case c.Busy:
			case e.Kind.Acknowledged():
				due(repairAt(c, jitter), put)
			}
		}
	}
	switch {
	case len(targets) == 0:
	case !e.Kind.Acknowledged() && !missing:
		return []Action{{Do: Finish}}, time.Time{}
	case e.Kind.Acknowledged() && !e.Sent.IsZero() && !p.Suspended:
		due(askAt(e, p, jitter), Action{Do: Ask})
	}
	return actions, again
}

// one returns the target of a cell that is to be stored once: where it is on
// its way or stored, else where it failed least.
func (c *CellState) one(targets []store.Node) (best store.Node) {
	least := -1
	for _, node := range targets {
		tries := 0
		if copy := c.Copies[node]; copy != nil {
			if copy.Busy || !copy.Stored.IsZero() && !copy.Gone {
				return node
			}
			tries = copy.Tries
		}
		if least < 0 || tries < least {
			best, least = node, tries
		}
	}
	return best
}

// stored returns how many copies lie where they can be fetched.
func (c *CellState) stored() (n int) {
	for _, copy := range c.Copies {
		if !copy.Stored.IsZero() && !copy.Gone {
			n++
		}
	}
	return n
}

func retryAt(c *Copy, jitter float64) time.Time {
	if c == nil || c.Tries == 0 {
		return time.Time{}
	}
	wait := grow(firstRetry, 2, c.Tries-1, lastRetry)
	if c.Refused {
		wait = max(wait, fullRetry)
	}
	return c.Tried.Add(spread(wait, jitter))
}

func repairAt(c *Copy, jitter float64) time.Time {
	if c.Tries > 0 {
		return retryAt(c, jitter)
	}
	return c.Stored.Add(spread(grow(firstRepair, 4, c.Repairs, lastRepair), jitter))
}

func askAt(e *Entry, p Peer, jitter float64) time.Time {
	if e.Asked > 0 {
		return e.AskedAt.Add(spread(grow(askHeard, 4, e.Asked, lastRepair), jitter))
	}
	if p.Heard.After(e.Sent.Add(askHeard)) {
		return p.Heard
	}
	return e.Sent.Add(spread(askSilent, jitter))
}

// grow returns first·factor^n, at most most.
func grow(first time.Duration, factor, n int, most time.Duration) time.Duration {
	d := first
	for range n {
		if d >= most/time.Duration(factor) {
			return most
		}
		d *= time.Duration(factor)
	}
	return d
}

// spread moves a wait by up to a quarter either way.
func spread(d time.Duration, jitter float64) time.Duration {
	return d + time.Duration((jitter-0.5)*0.5*float64(d))
}

// failReason says honestly how far an entry has come.
func failReason(e *Entry) string {
	switch {
	case !e.Sent.IsZero():
		return "not collected within 14 days: your contact has not been online, or has lost their profile"
	case e.State == api.StateQueued:
		return "could not be encrypted within 14 days"
	}
	return "none of your contact's mailboxes could be reached within 14 days"
}
