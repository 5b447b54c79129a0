package p2p

import (
	"slices"
	"sync"
	"time"
)

const (
	muteAfter     = 8 // requests in a row over a guard that brought no answer
	muteMailboxes = 2 // and went to so many mailboxes at least
	muteFor       = 30 * time.Minute
)

// mutes remembers which guards take packets and bring nothing. Such a guard
// looks like one that works: it is connected and hands out the list. It counts
// as away for a while, so that the next in the list stands in: it gains by its
// silence what it would by closing the connection, and no more. One mailbox
// that does not answer says nothing about a guard; several do.
type mutes struct {
	mu sync.Mutex
	m  map[NodeID]*mute
}

type mute struct {
	failures  int
	mailboxes []NodeID // that did not answer, at most muteMailboxes
	until     time.Time
}

// failed counts a request over guards and reports whether one of them is mute
// now and was not before.
func (t *mutes) failed(guards []NodeID, mailbox NodeID, now time.Time) (news bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.m == nil {
		t.m = map[NodeID]*mute{}
	}
	for _, id := range guards {
		g := t.m[id]
		if g == nil {
			g = &mute{}
			t.m[id] = g
		}
		g.failures++
		if len(g.mailboxes) < muteMailboxes && !slices.Contains(g.mailboxes, mailbox) {
			g.mailboxes = append(g.mailboxes, mailbox)
		}
		if g.failures >= muteAfter && len(g.mailboxes) >= muteMailboxes {
			*g = mute{until: now.Add(muteFor)}
			news = true
		}
	}
	return news
}

// answered clears the guards that an answer came over.
func (t *mutes) answered(guards ...NodeID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, id := range guards {
		delete(t.m, id)
	}
}

// is reports whether a guard is mute.
func (t *mutes) is(id NodeID, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	g := t.m[id]
	return g != nil && now.Before(g.until)
}

// forget gives all guards another try: when every one of them is mute, it is
// not the guards.
func (t *mutes) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	clear(t.m)
}
