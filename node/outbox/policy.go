package outbox

import (
	"slices"
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
	// spareFor is when it is looked again whether the relays' clock says so, too.
	spareFor = time.Minute

	// A copy that failed is tried again over a new route after firstRetry,
	// then after twice as long each time, up to lastRetry.
	firstRetry = 250 * time.Millisecond
	lastRetry  = 5 * time.Minute
	// fullRetry is the least wait after a mailbox said that it has no room or
	// that something else lies at the place.
	fullRetry = time.Minute

	// Where the network lets few answers through, one copy has to do: a content with
	// receipts is stored for a second time after secondCopy without one. Its receipt is asked
	// for after askSparing, and none of this before so many times the usual wait: receipts
	// are late there because all is, and each question makes all later.
	secondCopy   = 3 * time.Minute
	askSparing   = firstRepair
	timesSparing = 3

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

	// A third copy lies where the two meet (package inbox) in three cases: something
	// came from the recipient and no receipt within meetHeard; or no receipt within
	// three times the usual; or nothing came within askSilent. Where that is, is worked
	// out again after meetEvery.
	meetHeard = 30 * time.Minute
	meetEvery = 6 * time.Hour
)

// An Entry is the state of one item, all that the policy looks at.
type Entry struct {
	ID      store.ID
	Contact store.ID
	Kind    chat.Kind
	Created time.Time
	State   api.State
	After   time.Time // of one that was lost: it is not sealed anew before
	Cells   []CellState
	// Sent is when every cell was first known to be stored.
	Sent time.Time
	// Asked counts how often a receipt was asked for, and AskedAt is when last.
	Asked   int
	AskedAt time.Time
	// Spared: it is older than [Lifetime] by this computer's clock alone, which may be
	// wrong.
	Spared bool
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
	Taken   bool      // because something else lies there, as the mailbox says
	Busy    bool      // a try is under way
	Gone    bool      // the mailbox is gone, and the copy with it
}

// A Peer is the state of an entry's recipient, as far as the policy needs it.
type Peer struct {
	Mailboxes []store.Node  // current ones
	Meeting   []store.Node  // where the two meet if those keep nothing, best first
	Met       time.Time     // when Meeting was worked out; zero: never
	Usual     time.Duration // how long a receipt takes while they are there
	Heard     time.Time     // when something last came from them
	Suspended bool          // their session was given up: nothing can be sealed
	Full      bool          // nor can it until they have answered: too much is on its way
	Blocked   bool          // the owner blocks them: nothing goes out
	Sparing   bool          // the way there, like all others now, carries little
}

// patience is a wait for a receipt, or longer where all takes long.
func (p *Peer) patience(least time.Duration) time.Duration {
	if p.Sparing {
		return max(least, timesSparing*p.Usual)
	}
	return least
}

// signal reports whether the entry is a signal of the session, which nobody
// acknowledges: it is repeated until the session no longer has it.
func (e *Entry) signal() bool { return e.Kind == 0 }

// ages reports whether the entry is given up after [Lifetime].
func (e *Entry) ages() bool {
	return e.Kind != chat.Profile && e.Kind != chat.Mailboxes && !e.signal()
}

// over reports whether the time of the entry is over at a time.
func (e *Entry) over(now time.Time) bool { return e.ages() && !now.Before(e.Created.Add(Lifetime)) }

// repeats reports whether stored copies are stored again until a receipt has come;
// those of a signal are, too.
func (e *Entry) repeats() bool { return e.Kind.Acknowledged() }

// An Action is the next thing to do for an entry.
type Action struct {
	Do   Do
	Cell int        // Put: which cell
	Node store.Node // Put: where to
}

// Do is the kind of an action.
type Do uint8

const (
	Seal   Do = iota // encrypt the content
	Put              // store a copy
	Ask              // ask for a receipt that should have come
	Meet             // work out where to meet the recipient
	Fail             // give up and say why
	Finish           // nothing is left to do: forget
)

// Next returns the actions for an entry now, and when to look again; the zero time
// means not before something changes. Jitter is a number from 0 to 1 that spreads the
// waits, so that their times tell less of each other.
//
//	queued ──Seal──► sealed ──Put, every cell once──► sent ──receipt──► gone
//	   │▲                 │                              │
//	   │└─────────────────┴── the recipient has missed it┤
//	   └──────────────────┴───────── Lifetime ───────────┴──► failed
//
// A content without receipts is finished when all copies are stored. Of a typing, and of
// all where the network carries little, that is one copy, at the first mailbox that stores
// it: without it the recipient would wait for its place. Contents that tell our mailboxes do
// not age: without them nobody can answer. Nor do signals of the session, without which a
// direction would end.
func Next(e *Entry, p Peer, now time.Time, jitter float64) (actions []Action, again time.Time) {
	if e.State == api.StateFailed {
		return nil, time.Time{}
	}
	later := func(t time.Time) {
		if again.IsZero() || t.Before(again) {
			again = t
		}
	}

	// A content that has waited for its lifetime is given up.
	switch over := e.over(now); {
	case over && e.Spared:
		later(now.Add(spareFor))
	case over && e.Kind.Message():
		return []Action{{Do: Fail}}, time.Time{}
	case over:
		return []Action{{Do: Finish}}, time.Time{}
	case e.ages():
		later(e.Created.Add(Lifetime))
	}

	// Nothing leaves for a contact that is blocked; a queued content is sealed when it may be.
	if p.Blocked {
		return nil, again
	}
	if e.State == api.StateQueued {
		switch {
		case p.Suspended || p.Full:
			return nil, again
		case e.After.After(now) && e.After.Before(now.Add(2*lastRepair)): // or the clock was set back
			later(e.After)
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

	// Mailboxes may say that they keep a cell and drop it, both of them. Then a
	// third copy lies where the two meet.
	third := false
	if at := meetAt(e, p, jitter); at.After(now) {
		later(at)
	} else if !at.IsZero() {
		if now.Sub(p.Met) >= meetEvery {
			return []Action{{Do: Meet}}, again
		}
		for _, node := range p.Meeting {
			if !slices.Contains(targets, node) {
				targets, third = append(slices.Clone(targets), node), true
				break
			}
		}
	}

	// Each cell is to lie at all targets: it is put where it was not, and again where it may be
	// lost.
	missing := false
	single := e.Kind == chat.Typing
	if p.Sparing && !e.signal() && !third {
		switch second := e.Sent.Add(spread(p.patience(secondCopy), jitter)); {
		case e.Sent.IsZero(), !e.repeats():
			single = true
		case second.After(now):
			single = true
			later(second)
		}
	}
	for i := range e.Cells {
		cell := &e.Cells[i]
		stored := cell.stored(targets, now, later)
		enough := len(targets)
		if single || third && !e.repeats() {
			enough = 1
		}
		for _, node := range targets {
			if single && node != cell.one(targets) {
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
			case e.repeats():
				due(repairAt(e, c, p, jitter), put)
			}
		}
	}

	// All lie there: it is done, or the recipient is asked for the receipt.
	switch {
	case len(targets) == 0 || e.signal():
	case !e.Kind.Acknowledged() && !missing:
		return []Action{{Do: Finish}}, time.Time{}
	case e.Kind.Acknowledged() && !e.Sent.IsZero() && !p.Suspended:
		due(askAt(e, p, jitter), Action{Do: Ask})
	}
	return actions, again
}

// taken reports whether all mailboxes of a recipient say that something else lies
// under the tag of a cell.
func (e *Entry) taken(p Peer, cell int) bool {
	for _, node := range p.Mailboxes[:min(len(p.Mailboxes), Copies)] {
		if c := e.Cells[cell].Copies[node]; c == nil || !c.Taken {
			return false
		}
	}
	return true
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

// copies returns how many mailboxes have said that they keep the cell.
func (c *CellState) copies() (n int) {
	for _, copy := range c.Copies {
		if !copy.Stored.IsZero() && !copy.Gone {
			n++
		}
	}
	return n
}

// stored returns how many copies lie where they can be fetched. A copy at a mailbox
// that the recipient has left counts only for a while, because nothing came from there;
// later is told the end of that time.
func (c *CellState) stored(targets []store.Node, now time.Time, later func(time.Time)) (n int) {
	for node, copy := range c.Copies {
		if copy.Stored.IsZero() || copy.Gone {
			continue
		}
		if end := copy.Stored.Add(firstRepair); !slices.Contains(targets, node) {
			if !end.After(now) {
				continue
			}
			later(end)
		}
		n++
	}
	return n
}

// meetAt returns from when a third copy is to lie where the two meet: when the
// recipient was there and has not acknowledged, or nothing could be stored, or after
// a long silence. The zero time means never.
func meetAt(e *Entry, p Peer, jitter float64) time.Time {
	if p.Suspended || e.Kind == chat.Profile || e.Kind == chat.Typing || !e.repeats() && !e.Sent.IsZero() {
		return time.Time{}
	}
	since := e.Sent
	if since.IsZero() {
		since = e.Created
	}
	if wait := max(meetHeard, 3*p.Usual); p.Heard.After(since) {
		return since.Add(spread(wait, jitter))
	}
	return since.Add(spread(askSilent, jitter))
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

func repairAt(e *Entry, c *Copy, p Peer, jitter float64) time.Time {
	if c.Tries > 0 {
		return retryAt(c, jitter)
	}
	// The recipient is there and has no such cell: most likely the copy is lost.
	soon := p.patience(firstRepair)
	if e.signal() {
		soon = askHeard
	}
	if p.Heard.After(c.Stored.Add(soon)) {
		return p.Heard
	}
	return c.Stored.Add(spread(grow(firstRepair, 4, c.Repairs, lastRepair), jitter))
}

// renewWait is the wait of a content before it is sealed anew, by how often it was. A
// contact who calls everything lost gets it no more often than a silent one.
func renewWait(renewed int, jitter float64) time.Duration {
	if renewed == 0 {
		return 0
	}
	return spread(grow(firstRepair, 4, renewed-1, lastRepair), jitter)
}

func askAt(e *Entry, p Peer, jitter float64) time.Time {
	first := askHeard
	if p.Sparing {
		first = p.patience(askSparing)
	}
	if e.Asked > 0 {
		return e.AskedAt.Add(spread(grow(first, 4, e.Asked, lastRepair), jitter))
	}
	if p.Heard.After(e.Sent.Add(first)) {
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
		return "not confirmed within 14 days: your contact has not been online, or their mailboxes have not handed it over"
	case e.State == api.StateQueued:
		return "could not be encrypted within 14 days"
	}
	return "none of your contact's mailboxes could be reached within 14 days"
}
