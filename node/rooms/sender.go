package rooms

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"starling/node/api"
	"starling/node/store"
	"starling/session/group"
)

const (
	// window is how many entries are on their way to one mailbox at a time: a rekey of 32
	// is 31 entries, and one that does not answer holds up no other mailbox.
	window = 8
	// The pause before the next try grows from firstPause to lastPause.
	firstPause = time.Second
	lastPause  = 5 * time.Minute
	// lifetime is after how long an entry is given up: as long as mailboxes keep it.
	lifetime = 14 * 24 * time.Hour
)

// A sender puts entries into logs, at each mailbox in the order in which they were made.
type sender struct {
	rs   *Rooms
	wake chan struct{}

	// moving is held while it is found out where an entry goes instead: it has two errands at least.
	moving sync.Mutex

	mu     sync.Mutex
	queues map[store.Node]*queue
}

type queue struct {
	todo []*errand
	busy int
}

// An errand is one entry for one mailbox.
type errand struct {
	seq   int64
	tries int
	next  time.Time
	busy  bool
	again bool // it was added while it was busy
	moved bool // since its mailbox is gone, it was seen to that the entry goes elsewhere
}

func newSender(rs *Rooms) *sender {
	return &sender{rs: rs, wake: make(chan struct{}, 1), queues: make(map[store.Node]*queue)}
}

// add queues entries for the mailboxes that do not have them. None is queued twice.
func (s *sender) add(all ...store.Append) {
	if len(all) == 0 {
		return
	}
	s.mu.Lock()
	for _, a := range all {
		for _, m := range slices.Concat(a.Goals, a.Spare) {
			q := s.queues[m.Node]
			if q == nil {
				q = &queue{}
				s.queues[m.Node] = q
			}
			at, there := slices.BinarySearchFunc(q.todo, a.Seq, func(e *errand, seq int64) int { return cmp.Compare(e.seq, seq) })
			if there {
				e := q.todo[at]
				e.next, e.again, e.moved = time.Time{}, e.busy, false
				continue
			}
			q.todo = slices.Insert(q.todo, at, &errand{seq: a.Seq})
		}
	}
	s.mu.Unlock()
	s.nudge()
}

// kick tries everything at once.
func (s *sender) kick() {
	s.mu.Lock()
	for _, q := range s.queues {
		for _, e := range q.todo {
			e.next = time.Time{}
		}
	}
	s.mu.Unlock()
	s.nudge()
}

// retry tries everything for some mailboxes at once.
func (s *sender) retry(nodes []store.Node) {
	if len(nodes) == 0 {
		return
	}
	s.mu.Lock()
	for _, node := range nodes {
		if q := s.queues[node]; q != nil {
			for _, e := range q.todo {
				e.next, e.moved = time.Time{}, false
			}
		}
	}
	s.mu.Unlock()
	s.nudge()
}

// nodes are the mailboxes for which anything is on its way.
func (s *sender) nodes() []store.Node {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Keys(s.queues))
}

func (s *sender) nudge() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// run sends until ctx ends.
func (s *sender) run(ctx context.Context) error {
	var work sync.WaitGroup
	defer work.Wait()
	for {
		now := time.Now()
		var next time.Time
		s.mu.Lock()
		for node, q := range s.queues {
			gone := s.rs.missingFor([]group.Mailbox{{Node: node}}, meetAfter)
			for _, e := range q.todo {
				move := gone && !e.moved // behind none of those for which the mailbox has no answer
				if e.busy || q.busy == window && !move {
					continue
				}
				if e.next.After(now) {
					if next.IsZero() || e.next.Before(next) {
						next = e.next
					}
					continue
				}
				e.busy = true
				if move {
					work.Go(func() { s.move(ctx, e) })
					continue
				}
				q.busy++
				work.Go(func() { s.send(ctx, node, e) })
			}
			if len(q.todo) == 0 {
				delete(s.queues, node)
			}
		}
		s.mu.Unlock()

		var due <-chan time.Time
		if !next.IsZero() {
			due = time.After(time.Until(next))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.wake:
		case <-due:
		}
	}
}

// move has an entry go elsewhere if its mailboxes are gone. The errand goes on.
func (s *sender) move(ctx context.Context, e *errand) {
	err := s.rs.elsewhere(ctx, e.seq)
	s.mu.Lock()
	e.busy, e.again, e.moved = false, false, err == nil && !e.again
	if err != nil {
		e.next = time.Now().Add(lookEvery) // or at the next kick
	}
	s.mu.Unlock()
	s.nudge()
}

// send tries one errand once.
func (s *sender) send(ctx context.Context, node store.Node, e *errand) {
	err := s.try(ctx, node, e)
	if ctx.Err() != nil {
		return
	}

	s.mu.Lock()
	q := s.queues[node]
	done := err == nil && !e.again
	e.busy, e.again = false, false
	q.busy--
	switch {
	case done:
		for i, o := range q.todo {
			if o == e {
				q.todo = append(q.todo[:i:i], q.todo[i+1:]...)
				break
			}
		}
		for _, o := range q.todo {
			o.next = time.Time{} // the mailbox answers: whatever waits for it goes on
		}
	case err != nil:
		pause := min(lastPause, firstPause<<min(e.tries, 10))
		if errors.Is(err, ErrHold) {
			pause = lastPause / 10 // or at the next kick
		} else {
			e.tries++
		}
		e.next = time.Now().Add(pause/2 + rand.N(pause))
	}
	s.mu.Unlock()
	s.nudge()
}

// try sends an entry to a mailbox, and writes down the answer. An error has it tried again.
func (s *sender) try(ctx context.Context, node store.Node, e *errand) error {
	rs := s.rs
	if err := rs.cfg.Network.AwaitQuota(ctx); err != nil {
		return err
	}
	var a store.Append
	var box []byte
	err := rs.cfg.Store.View(ctx, func(tx *store.Tx) (err error) { a, box, err = tx.AppendBox(e.seq); return err })
	if errors.Is(err, store.ErrNotFound) {
		return nil // the room is gone
	}
	if err != nil {
		return err
	}
	goals := slices.Concat(a.Goals, a.Spare)
	at := slices.IndexFunc(goals, func(m store.Mailbox) bool { return m.Node == node })
	if at < 0 {
		return nil // it is there: at a start an errand may be made twice
	}
	rs.cfg.Network.AddHint(goals[at].Hint)
	if rs.missingFor(mailboxes(a.Goals), meetAfter) {
		rs.elsewhere(ctx, e.seq) // if that fails, the mailbox may be there all the same
	}

	err = rs.cfg.Network.Append(ctx, node, a.Log, Sealed{a.Tag, a.Signature, box})
	switch {
	case errors.Is(err, ErrTaken) && a.Copies == 0 && at < len(a.Goals) && len(a.Spare) > 0:
		return errors.Join(err, rs.pass(ctx, e.seq, node))
	case errors.Is(err, ErrTaken), errors.Is(err, ErrFull):
		waits, worse := rs.refusedBy(ctx, node, a, box, errors.Is(err, ErrFull))
		if worse != nil || !waits {
			return worse
		}
		if one := (&group.Append{Lane: a.Lane}).ForOne(); one && rs.surely(a.Created.Add(patience)) {
			return rs.giveUp(ctx, node, e.seq, api.StateSent, "")
		}
	case err == nil:
		err = rs.note(ctx, api.StateSent, "", func(tx *store.Tx) (store.ContentID, error) {
			done, _, err := tx.Reached(e.seq, node)
			return done, err
		})
		left := slices.DeleteFunc(slices.Clone(a.Goals), func(m store.Mailbox) bool { return m.Node == node })
		if err == nil && rs.missingFor(mailboxes(left), goneAfter) {
			return rs.elsewhere(ctx, e.seq)
		}
		if err == nil && !a.Content.IsZero() && rs.missingFor(mailboxes(left), 0) && rs.cfg.Delays != nil {
			rs.cfg.Delays(a.Content)
		}
		return err
	}
	switch {
	case !rs.surely(a.Created.Add(lifetime)):
		return err
	case a.Copies > 0:
		return rs.giveUp(ctx, node, e.seq, api.StateSent, "")
	}
	return rs.giveUp(ctx, node, e.seq, api.StateFailed, "no mailbox of the room took it within 14 days")
}

// patience is for how long a piece of an answer is tried in a log that is full: in so long mailboxes take all of one. Its receiver
// can fill it, so that they would have us send without end.
const patience = 20 * time.Minute

// giveUp writes down that a mailbox will not have an entry.
func (rs *Rooms) giveUp(ctx context.Context, node store.Node, seq int64, state api.State, reason string) error {
	return rs.note(ctx, state, reason, func(tx *store.Tx) (store.ContentID, error) {
		done, _, err := tx.GiveUp(seq, node)
		return done, err
	})
}

// note writes down what became of an entry. If a content has arrived by that, its state is another. One that was sent stays so.
func (rs *Rooms) note(ctx context.Context, state api.State, reason string, do func(*store.Tx) (store.ContentID, error)) error {
	err := rs.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		done, err := do(tx)
		if err != nil || done.IsZero() {
			return err
		}
		m, err := tx.Message(store.ID(done))
		if errors.Is(err, store.ErrNotFound) || err == nil && (!m.Outgoing || m.State == api.StateSent || m.State == api.StateFailed) {
			return nil
		}
		if err != nil {
			return err
		}
		return tx.SetState(m, state, reason, time.Now()) // a timer counts by this computer's clock
	})
	if err == nil {
		rs.progressed()
	}
	return err
}

// refusedBy tells the room that a mailbox has another entry under the tag, or that the log is
// full: it says the content again, elsewhere. If there is no other log for it, it waits.
func (rs *Rooms) refusedBy(ctx context.Context, node store.Node, a store.Append, box []byte, full bool) (waits bool, err error) {
	g := group.Append{ID: a.Content, Lane: a.Lane, Log: a.Log, Tag: a.Tag, Signature: a.Signature, Box: box}
	for _, m := range slices.Concat(a.Goals, a.Spare) {
		if m.Node == node {
			g.Mailboxes = []group.Mailbox{{Node: m.Node, Hint: m.Hint}}
		}
	}
	err = rs.Update(ctx, a.Room, func(t *Tx) error {
		t.refused = append(t.refused, "tag taken in a room")
		if t.p.room == nil {
			waits = full
		} else {
			waits = full && errors.Is(t.p.room.Refused(g, full, t.now), group.ErrFull) // else it is elsewhere, or nobody reads there any more
		}
		return nil
	})
	if err != nil && !errors.Is(err, ErrClosed) && !errors.Is(err, store.ErrNotFound) {
		return false, err
	}
	if waits || full && errors.Is(err, ErrClosed) { // the word that we leave
		return true, nil
	}
	return false, rs.giveUp(ctx, node, a.Seq, api.StateSent, "")
}
