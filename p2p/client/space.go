package client

import (
	"context"
	"slices"
	"sync"
	"time"

	"starling/p2p/link"
)

// Where a network freezes connections after a few frames, and the next ones are few, a request
// that leaves without room for its answer is worse than one that waits here: the answer waits
// at the guard behind others, is late, and the repeated request asks for another one that
// takes the room of the next. So no more requests leave than answers can come.
const (
	// spaceAfter is how long a connection brings what waited at the guard.
	spaceAfter = time.Second
	// spaceLook is how often somebody who waits looks whether there is room.
	spaceLook = 250 * time.Millisecond
	// An answer is held up as long as the connection on which it must come has no room, and
	// a while after the next one is there, but no longer than heldMost: then it is lost.
	heldAfter = 2 * time.Second
	heldMost  = 4 * time.Minute
	// bookedFor is how long room is kept for a request that was told that there is some.
	bookedFor = 2 * time.Second
	// listSparing is how much time at least is between questions for the list after failures: their pages
	// come late, and for nothing.
	listSparing = 10 * time.Minute
)

// space is how many answers may come from each guard.
type space struct {
	passage *passage
	links   func() *link.Links

	mu     sync.Mutex
	due    map[*request]time.Time // requests whose first answer has not come
	booked []time.Time            // requests that leave in a moment
}

// sparing reports whether a guard has room for a few answers alone.
func (s *space) sparing(id NodeID) bool { return s.passage.Sparing(id) }

// anySparing reports whether one of the guards that are up does.
func (s *space) anySparing() bool {
	links := s.links()
	return links != nil && slices.ContainsFunc(links.Peers(), s.sparing)
}

// free returns how many more answers may come from a guard on the connection that there is. On a
// full or young one there is no telling how much waits there already, and nothing is asked for.
func (s *space) free(id NodeID) int {
	links := s.links()
	if links == nil {
		return 0
	}
	n, since := links.Room(id, s.passage.Budget(id))
	if time.Since(since) < spaceAfter {
		return 0
	}

	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for req, sent := range s.due {
		if now.Sub(sent) > heldMost {
			delete(s.due, req)
		} else if req.answerOver() == id {
			n--
		}
	}
	return n
}

// any reports whether a request may leave: there is room, or for any number.
func (s *space) any(up []NodeID) bool {
	return len(up) == 0 || slices.ContainsFunc(up, func(id NodeID) bool { return !s.sparing(id) || s.free(id) > 0 })
}

// order puts the guard with most room first, if there is little.
func (s *space) order(up []NodeID) []NodeID {
	if len(up) < 2 || !slices.ContainsFunc(up, s.sparing) {
		return up
	}
	free := map[NodeID]int{}
	for _, id := range up {
		free[id] = s.free(id)
	}
	up = slices.Clone(up)
	slices.SortStableFunc(up, func(a, b NodeID) int { return free[b] - free[a] })
	return up
}

// await waits until there is room for an answer from one of the guards that are up, and
// keeps it for a request that leaves now. Where there is room for any number it does not wait.
func (s *space) await(ctx context.Context, up func() []NodeID) error {
	for {
		all := up()
		if !slices.ContainsFunc(all, s.sparing) {
			return ctx.Err()
		}
		if s.book(all) {
			return nil
		}
		t := time.NewTimer(spaceLook)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		}
	}
}

// book keeps room for one request, if there is some.
func (s *space) book(up []NodeID) bool {
	most := 0
	for _, id := range up {
		if !s.sparing(id) {
			return true
		}
		most += max(0, s.free(id))
	}
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.booked = slices.DeleteFunc(s.booked, func(at time.Time) bool { return now.Sub(at) > bookedFor })
	if most < len(s.booked)+1 {
		return false
	}
	s.booked = append(s.booked, now)
	return true
}

// sent notes that a request has left.
func (s *space) sent(req *request) {
	if req.answerOver().IsZero() || !s.sparing(req.answerOver()) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.due == nil {
		s.due = map[*request]time.Time{}
	}
	if len(s.due) < maxReplies {
		s.due[req] = req.sent
	}
	if len(s.booked) > 0 && len(req.backs) == 1 {
		s.booked = s.booked[1:]
	}
}

// over notes that the first answer came, or that none will.
func (s *space) over(req *request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.due, req)
}

// held reports whether the answer to a request may be under way where connections freeze: the one
// on which it comes is full, or was a moment ago, or is new, so that it brings again what the
// one before did not.
func (s *space) held(req *request) bool {
	id, links := req.answerOver(), s.links()
	if links == nil || id.IsZero() || !s.passage.Freezes(id) || !links.Connected(id) || time.Since(req.sent) > heldMost {
		return false
	}
	frames, since := links.Room(id, s.passage.Budget(id))
	switch {
	case since.IsZero() || frames == 0 && s.sparing(id):
		return true
	case since.After(req.sent):
		return time.Since(since) < req.c.patience()
	}
	return s.sparing(id) && time.Since(since) < heldAfter
}

// answerOver is the guard from which the first answer comes; zero is none.
func (r *request) answerOver() (id NodeID) {
	if len(r.backs) > 0 {
		id = r.backs[0].guard()
	}
	return id
}

// Held implements watch.Request.
func (r *request) Held() bool { return r.c.space.held(r) }
