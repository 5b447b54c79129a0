package rooms

import (
	"slices"
	"time"

	"starling/node/chat"
	"starling/node/store"
)

// # Ahead
//
// Mailboxes hand over the newest entries of a long log first. Their contents wait for their causes (order.go): a minute, after a
// week. Meanwhile they are shown ahead: behind everything that has its place, causes first, with the number of
// missing entries. They have no number, and nobody reads them by seeing them. They are shown again at their turn, and nothing that has
// a place moves.

const (
	// farBehind is how many entries are missing after an absence. Then contents are shown ahead at once, else after
	// aheadAfter: most are in their place sooner.
	farBehind  = 64
	aheadAfter = 5 * time.Second
	// aheadEvery is how often they are looked at: a member may have a thousand wait, and others write meanwhile.
	aheadEvery = time.Second
	// stalled is after how long without an entry nothing is said to be on its way.
	stalled = 2 * time.Minute
	// MostAhead is how many messages are shown so, the newest.
	MostAhead = 100
)

// Waiting is the waiting contents of a room.
type Waiting struct {
	// Missing is about how many entries are on their way from the mailboxes after an absence.
	Missing int
	// Ahead are the contents that are shown ahead, causes first.
	Ahead []store.Ref
}

// Waiting returns the waiting contents of a room.
func (rs *Rooms) Waiting(room store.ID) Waiting {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	return rs.waiting[room]
}

// behind is how many entries before others are missing, of all logs of a room together.
func (t *Tx) behind() (n int) {
	if t.p.came.IsZero() || t.now.Sub(t.p.came) > stalled {
		return 0
	}
	for _, place := range t.p.follows() {
		for _, name := range place.Names {
			most := 0
			for _, m := range place.Mailboxes {
				most = max(most, t.positionOf(logAt{t.p.id, m.Node, name}).missing())
			}
			n += most
		}
	}
	return n
}

// missing is how many entries before others were not taken.
func (p position) missing() int {
	last := p.all
	for at := range p.ahead {
		last = max(last, at)
	}
	return int(last-p.all) - len(p.ahead)
}

// goAhead chooses the contents to be shown ahead among those that wait, and tells of a change.
func (t *Tx) goAhead(parked []store.Parked) {
	if len(parked) > 0 {
		if next := t.p.waited.Add(aheadEvery); next.After(t.now) && !t.p.waited.After(t.now) {
			t.wakeAt(next)
			return
		}
		t.p.waited = t.now
	}

	now := Waiting{Missing: t.behind()}
	switch {
	case len(parked) == 0:
		now.Missing = 0
	case now.Missing >= farBehind:
		t.wakeAt(t.now.Add(stalled))
	default:
		now.Missing = 0
		for _, p := range parked {
			if due := p.Came.Add(aheadAfter); due.After(t.now) {
				t.wakeAt(due)
			}
		}
		parked = slices.DeleteFunc(parked, func(p store.Parked) bool { return p.Came.Add(aheadAfter).After(t.now) })
	}

	for _, p := range causesFirst(parked) {
		now.Ahead = append(now.Ahead, p.Ref)
	}
	now.Ahead = now.Ahead[max(0, len(now.Ahead)-MostAhead):]
	if was := t.p.waiting; now.Missing != was.Missing || !slices.Equal(now.Ahead, was.Ahead) {
		t.p.waiting, t.changed = now, true
	}
}

// A deletion is of a message of its author: of others it is none.
type deletion struct {
	by   store.MemberID
	name store.ContentID
}

// causesFirst sorts the messages among contents that wait: each behind those of its causes that wait, too, else as they came.
// A member chooses the names, and they may form a ring.
func causesFirst(all []store.Parked) (sorted []store.Parked) {
	at := make(map[store.Ref]int, len(all))
	for i, p := range all {
		at[p.Ref] = i
	}

	done := make([]bool, len(all))
	back := map[deletion]bool{}
	var add func(i int)
	add = func(i int) {
		if done[i] {
			return
		}
		done[i] = true
		for _, r := range all[i].After {
			if j, waits := at[r]; waits {
				add(j)
			}
		}
		c, err := chat.Decode(all[i].Content)
		switch {
		case err != nil:
		case c.Kind.Message():
			sorted = append(sorted, all[i])
		case c.Kind == chat.Delete:
			for _, name := range c.IDs {
				back[deletion{all[i].Member, store.ContentID(name)}] = true
			}
		}
	}

	for i := range all {
		add(i)
	}
	return slices.DeleteFunc(sorted, func(p store.Parked) bool {
		return back[deletion{p.Member, store.RoomContent(p.Member, p.ID)}]
	})
}

// Ahead returns the messages of a room that are shown ahead. They have no number, and nothing of them is stored.
func (rs *Rooms) Ahead(tx *store.Tx, room store.ID) (all []store.Message, err error) {
	refs := rs.Waiting(room).Ahead
	if len(refs) == 0 {
		return nil, nil
	}
	parked, err := tx.Parked(room)
	if err != nil {
		return nil, err
	}

	for _, ref := range refs {
		at := slices.IndexFunc(parked, func(p store.Parked) bool { return p.Ref == ref })
		if at < 0 {
			continue // it has its place since
		}
		p := parked[at]
		c, err := chat.Decode(p.Content)
		if err != nil {
			continue
		}
		author, err := tx.Member(room, p.Member)
		if err == nil && author.Blocked {
			continue
		}
		m := received(room, p, c)
		m.Data = nil
		if now := rs.now(); m.Time.IsZero() || m.Time.After(now) {
			m.Time = now
		}
		all = append(all, m)
	}
	return all, nil
}
