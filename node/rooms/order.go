package rooms

import (
	"crypto/sha256"
	"errors"
	"time"

	"starling/node/store"
	"starling/session/group"
)

// # Order
//
// A content names the contents that its author had seen. It is shown once those are there;
// until then it is parked, on disk. Nothing waits for ever: after Hold with a network it is shown with a gap,
// and the missing one is marked when it comes. The person that lets a newcomer in names the
// contents of before, so that nobody waits for them (history.go). One that comes all the same is shown.
//
// A member chooses the names, so one may name contents that there never were: their own
// messages come late then, and nobody else's.

// A newcomer's node may wait for contents that were said before: for newTime after one was let in
// it waits for newHold only, and until all mailboxes have said that they have nothing more.
const (
	newTime = 10 * time.Minute
	newHold = 5 * time.Second
)

// lateHold times Hold is waited for as long as something may still be on its way: while keys are asked for, since what was said under
// them comes last, and until every mailbox has said since that it has nothing more. Of two mailboxes one may be away, and only it
// have what is missing. All that waits is shown ahead (ahead.go).
const lateHold = 5

// longWait ends a wait for people that are never there for ten minutes: from then on a content waits like those of a newcomer.
const longWait = 24 * time.Hour

// A content that names one that is not there says that something was lost on its way: lookAfter that the
// mailboxes are asked, and every lookAgain.
const (
	lookAfter = 1500 * time.Millisecond
	lookAgain = 30 * time.Second
	// One that was shown with a gap has waited for it in vain: for lookLong the mailboxes are asked on, each time after twice as
	// long. maxLost bounds the contents that are looked for so.
	lookLong = 2 * time.Hour
	maxLost  = 64
)

// maxParked bounds the contents of one member that wait: the oldest goes on.
const maxParked = 1024

// said takes a content of a member.
func (t *Tx) said(s group.Said) error {
	if told, err := t.Tx.Told(t.p.id, s.Ref); err != nil || told {
		return err
	}
	p := store.Parked{Ref: s.Ref, Member: store.MemberID(s.Member), ID: s.ID, Content: s.Content, Came: t.now}
	for _, r := range s.After {
		p.After = append(p.After, r)
	}
	missing, err := t.missing(p)
	switch {
	case err != nil:
		return err
	case len(missing) == 0:
		return t.tell(p, nil)
	}
	t.parked = true
	return t.Tx.AddParked(t.p.id, p)
}

// there reports whether nobody waits for a content: it was taken, or was said before we came.
func (t *Tx) there(r store.Ref) (bool, error) {
	told, err := t.Tx.Told(t.p.id, r)
	if err != nil || told {
		return told, err
	}
	return t.Tx.Told(t.p.id, before(r))
}

// saidBefore takes the word of somebody that contents were said before we came.
func (t *Tx) saidBefore(all []group.Ref) error {
	for _, r := range all {
		if err := t.Tx.SetTold(t.p.id, before(r)); err != nil {
			return err
		}
	}
	return nil
}

// before is the name under which a content is remembered that somebody says was said before we came. It is no
// content's own: else their word would keep one from being shown.
func before(r store.Ref) (name store.Ref) {
	h := sha256.Sum256(append([]byte("starling/room/before/1\x00"), r[:]...))
	return store.Ref(h[:len(name)])
}

// missing returns the contents before one that are not there.
func (t *Tx) missing(p store.Parked) (missing []store.Ref, err error) {
	for _, r := range p.After {
		there, err := t.there(r)
		if err != nil {
			return nil, err
		}
		if !there {
			missing = append(missing, r)
		}
	}
	return missing, nil
}

// tell takes a content at its turn; gap are those before it that are not there.
func (t *Tx) tell(p store.Parked, gap []store.Ref) error {
	if err := t.Tx.SetTold(t.p.id, p.Ref); err != nil {
		return err
	}
	delete(t.p.lost, p.Ref)
	for _, r := range gap {
		if t.p.lost == nil {
			t.p.lost = make(map[store.Ref]time.Time)
		}
		if len(t.p.lost) < maxLost {
			t.p.lost[r] = t.now
		}
	}
	return t.content(p, gap)
}

// lookForLost has the mailboxes asked for the gaps that were shown, now and then.
func (t *Tx) lookForLost() {
	var last time.Time // the newest gap
	for r, since := range t.p.lost {
		switch {
		case t.now.Sub(since) > lookLong || since.After(t.now):
			delete(t.p.lost, r)
		case since.After(last):
			last = since
		}
	}
	if len(t.p.lost) == 0 {
		return
	}

	next := last.Add(lookAgain)
	if looked := t.p.looked; looked.After(last) && !looked.After(t.now) {
		next = looked.Add(max(lookAgain, looked.Sub(last)))
	}
	if !next.After(t.now) {
		t.looks, t.p.looked = true, t.now
		next = t.now.Add(max(lookAgain, t.now.Sub(last)))
	}
	t.wakeAt(next)
}

// showParked takes contents at their turn, or after a long wait, and returns those that wait on.
func (t *Tx) showParked() (left []store.Parked, err error) {
	all, err := t.Tx.Parked(t.p.id)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	q := &queueOfParked{t: t, at: make(map[store.Ref]int, len(all)), all: all, seen: make([]parkedState, len(all)), since: t.attended(), ended: t.ended()}
	if q.hold, q.late, err = t.hold(); err != nil {
		return nil, err
	}

	count := make(map[store.MemberID]int)
	for i := len(all) - 1; i >= 0; i-- {
		q.at[all[i].Ref] = i
		count[all[i].Member]++
		ahead := all[i].Came.Sub(t.now) > t.rs.cfg.Hold // it came by a clock that was ahead, and is set back
		if count[all[i].Member] > maxParked || ahead {
			all[i].Came = time.Time{} // it has waited long enough
		}
	}
	for i := range all {
		if _, err := q.take(i); err != nil {
			return nil, err
		}
	}
	for i, p := range all {
		if q.seen[i] != shown {
			left = append(left, p)
		}
	}
	return left, nil
}

type parkedState uint8

const (
	unseen parkedState = iota
	looking
	waits
	shown
)

// A queueOfParked takes parked contents, each behind its causes.
type queueOfParked struct {
	t    *Tx
	all  []store.Parked
	at   map[store.Ref]int
	seen []parkedState
	hold time.Duration
	late time.Duration // until all mailboxes have told their ends
	// since is since when anything waits at all.
	since time.Time
	// ended is since when all mailboxes have told the ends of the logs.
	ended time.Time
}

// take takes one content, and before it those of its causes that wait here. It reports whether it was
// taken.
func (q *queueOfParked) take(i int) (bool, error) {
	if q.seen[i] != unseen {
		return q.seen[i] == shown, nil
	}
	q.seen[i] = looking
	p := q.all[i]
	var missing []store.Ref
	behind := false
	for _, r := range p.After {
		there, err := false, error(nil)
		if j, parked := q.at[r]; parked {
			there, err = q.take(j)
			behind = behind || !there
		} else {
			there, err = q.t.there(r)
		}
		if err != nil {
			return false, err
		}
		if !there {
			missing = append(missing, r)
		}
	}

	if over := q.over(p, behind); len(missing) > 0 && over.After(q.t.now) {
		q.seen[i] = waits
		q.t.wakeAt(over)
		q.t.lookFor(p.Came)
		return false, nil
	}
	q.seen[i] = shown
	return true, errors.Join(q.t.Tx.RemoveParked(q.t.p.id, p.Ref), q.t.tell(p, missing))
}

// over is until when a content waits, behind one that waits itself or not.
func (q *queueOfParked) over(p store.Parked, behind bool) time.Time {
	came := p.Came
	switch {
	case came.IsZero():
		return came
	case q.since.After(came):
		came = q.since
	}
	hold, late := q.hold, q.late
	if q.t.now.Sub(p.Came) > longWait {
		hold, late = min(newHold, hold), min(q.t.rs.cfg.Hold, late)
	}
	over := came.Add(hold)
	if behind {
		over = over.Add(hold)
	}
	// Whatever the mailboxes still have may come later.
	if last := came.Add(late); last.After(over) && q.ended.Before(came) {
		return last
	}
	return over
}

// attended is since when contents have waited, but for those that came later: neither before the start, or a sleep of this
// computer, nor without a network does anything come that they wait for.
func (t *Tx) attended() time.Time {
	if _, err := t.rs.cfg.Network.Missing(nil); err != nil {
		return t.now
	}
	p := t.p
	if away := t.now.Sub(p.attended); away > t.rs.cfg.Hold || away < 0 {
		p.since = t.now
	}
	p.attended = t.now
	return p.since
}

// hold is for how long a content waits for those before it, and for how long until all mailboxes have told their ends.
func (t *Tx) hold() (hold, late time.Duration, err error) {
	hold, late = t.rs.cfg.Hold, lateHold*t.rs.cfg.Hold
	us, err := t.Tx.Member(t.p.id, t.row.Me)
	switch {
	case errors.Is(err, store.ErrNotFound) || err == nil && us.By != us.ID && t.now.Sub(us.Since) < newTime:
		return min(newHold, hold), hold, nil
	case t.p.room != nil && t.p.room.Behind(t.now):
		return late, late, err
	}
	return hold, late, err
}

// lookFor has the mailboxes asked for what a content waits for, a moment after it came.
func (t *Tx) lookFor(came time.Time) {
	next := came.Add(lookAfter)
	if last := t.p.looked; !last.Before(next) && !last.After(t.now) {
		next = last.Add(lookAgain)
	}
	if !next.After(t.now) {
		t.looks, t.p.looked = true, t.now
		next = t.now.Add(lookAgain)
	}
	t.wakeAt(next)
}

// ended is since when every mailbox of the room has told the ends of its logs: zero if one has not.
func (t *Tx) ended() (since time.Time) {
	t.rs.mu.Lock()
	defer t.rs.mu.Unlock()
	since = t.now
	for _, place := range t.p.logs() {
		for _, m := range place.Mailboxes {
			for _, name := range place.Names {
				if at := t.rs.ended[logAt{t.p.id, m.Node, name}]; at.Before(since) {
					since = at
				}
			}
		}
	}
	return since
}
