package p2p

import (
	"slices"
	"sync"
	"time"
)

const (
	doubtLife   = 10 * time.Minute
	doubtMost   = 6 * time.Hour
	doubtPoints = 2
	proofLife   = time.Hour
	maxDoubts   = 1024
)

// doubts remembers which relays were on routes that brought no answer. A
// failure is a point for each relay of the route that could have caused it, an
// answer takes all their points away; with two points a relay is avoided for
// ten minutes, as long as there are enough others. It is a guess: of seven
// relays, six are innocent.
//
// So an answer is also a proof, for an hour: while there is somebody on a
// failed route who has none, whoever has one is not blamed. A relay that
// swallows everything never has one. It is soon alone with its points, and
// avoided for twice as long each time, up to six hours.
type doubts struct {
	mu      sync.Mutex
	m       map[NodeID]doubt
	version int // changes whenever the set of avoided relays may have changed
}

type doubt struct {
	points int
	last   time.Time // failure
	times  int       // it was avoided since it last answered
	proof  time.Time // when it last was on the route of an answer
}

func (d doubt) proven(now time.Time) bool { return now.Sub(d.proof) < proofLife }

// avoid reports whether a relay is avoided now, and until when.
func (d doubt) avoid(now time.Time) bool {
	return d.points >= doubtPoints && now.Sub(d.last) <= d.life()
}

func (d doubt) life() time.Duration {
	return min(doubtLife<<min(max(d.times-1, 0), 10), doubtMost)
}

// failed blames relays of a route that brought no answer. Others were on it,
// too, who are judged elsewhere: a guard, the mailbox.
func (t *doubts) failed(relays, others []NodeID, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.m == nil || len(t.m) > maxDoubts {
		t.m = map[NodeID]doubt{}
	}
	unproven := false
	for _, id := range slices.Concat(relays, others) {
		unproven = unproven || !t.m[id].proven(now)
	}
	for _, id := range relays {
		d := t.m[id]
		if unproven && d.proven(now) {
			continue
		}
		if now.Sub(d.last) > d.life() {
			d.points = 0
		}
		if d.points++; d.points == doubtPoints {
			d.times++
		}
		d.last = now
		t.m[id] = d
	}
	t.version++
}

func (t *doubts) answered(relays []NodeID, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.m == nil {
		t.m = map[NodeID]doubt{}
	}
	for _, id := range relays {
		if t.m[id].points >= doubtPoints {
			t.version++
		}
		t.m[id] = doubt{proof: now}
	}
}

// excused takes the points of relays away that are asked for by name.
func (t *doubts) excused(relays []NodeID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, id := range relays {
		if d := t.m[id]; d.points > 0 {
			if d.points >= doubtPoints {
				t.version++
			}
			d.points = 0
			t.m[id] = d
		}
	}
}

// forgive takes the points of all away, and a time that they were avoided: it
// was somebody else.
func (t *doubts) forgive() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for id, d := range t.m {
		d.points, d.times = 0, max(0, d.times-1)
		t.m[id] = d
	}
	t.version++
}

// avoided returns the relays to avoid now, and the version of that answer.
func (t *doubts) avoided(now time.Time) (map[NodeID]bool, int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var ids map[NodeID]bool
	for id, d := range t.m {
		switch {
		case d.avoid(now):
			if ids == nil {
				ids = map[NodeID]bool{}
			}
			ids[id] = true
		case !d.proven(now) && now.Sub(d.last) > 2*doubtMost:
			delete(t.m, id)
		}
	}
	return ids, t.version
}
