package p2p

import (
	"sync"
	"time"
)

const (
	doubtLife   = 10 * time.Minute
	doubtPoints = 2
	maxDoubts   = 1024
)

// doubts remembers which relays were on routes that brought no answer. A
// failure is a point for each relay of the route, an answer takes all their
// points away; with two points a relay is avoided for ten minutes, as long as
// there are enough others. It is a guess: of seven relays, six are innocent.
type doubts struct {
	mu      sync.Mutex
	m       map[NodeID]doubt
	version int // changes whenever the set of avoided relays may have changed
}

type doubt struct {
	points int
	last   time.Time
}

func (t *doubts) failed(relays []NodeID, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.m == nil || len(t.m) > maxDoubts {
		t.m = map[NodeID]doubt{}
	}
	for _, id := range relays {
		t.m[id] = doubt{t.m[id].points + 1, now}
	}
	t.version++
}

func (t *doubts) answered(relays []NodeID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, id := range relays {
		if d, ok := t.m[id]; ok {
			delete(t.m, id)
			if d.points >= doubtPoints {
				t.version++
			}
		}
	}
}

// avoided returns the relays to avoid now, and the version of that answer.
func (t *doubts) avoided(now time.Time) (map[NodeID]bool, int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var ids map[NodeID]bool
	for id, d := range t.m {
		switch {
		case now.Sub(d.last) > doubtLife:
			delete(t.m, id)
		case d.points >= doubtPoints:
			if ids == nil {
				ids = map[NodeID]bool{}
			}
			ids[id] = true
		}
	}
	return ids, t.version
}
