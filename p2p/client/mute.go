package client

import (
	"sync"
	"time"
)

const (
	muteAfter  = 8 // requests in a row over a guard that brought no answer
	muteChance = 0.95
	muteFor    = 30 * time.Minute
)

// mutes remembers which guards take packets and bring nothing. Such a guard
// looks like one that works: it is connected and hands out the list. It counts
// as away for a while, so that the next in the list stands in: it gains by its
// silence what it would by closing the connection, and no more. A row of
// failures says little about a guard, because it is on all routes: a mailbox
// that is down causes them as well. So it also has to be what explains them
// (package blame).
type mutes struct {
	mu sync.Mutex
	m  map[NodeID]*mute
}

type mute struct {
	failures int
	until    time.Time
}

// failed counts a request over guards and reports whether one of them is mute
// now and was not before. down is how likely a relay is down.
func (t *mutes) failed(guards []NodeID, down func(NodeID) float64, now time.Time) (news bool) {
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
		if g.failures++; g.failures >= muteAfter && down(id) >= muteChance {
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
