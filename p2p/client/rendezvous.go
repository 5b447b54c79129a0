package client

import (
	"sync"
	"time"

	"starling/p2p/directory"
)

// Rendezvous returns up to n relays at which those who share a secret meet when
// mailboxes they told each other are gone: the best first, the same for both as
// far as both know the same relays. See directory.Snapshot.Rendezvous.
func (c *Client) Rendezvous(secret [32]byte, n int) ([]NodeID, error) {
	snap := c.dir.Snapshot()
	if len(snap.Relays) < MinRelays {
		return nil, ErrFewRelays
	}
	return snap.Rendezvous(secret, n), nil
}

// Missing returns those of some mailboxes that do not work now: they are not in
// the directory, or say that they leave, or do not answer though others do. The
// error is ErrOffline while that cannot be told: no guard is there, or none has
// given us its list since the start.
func (c *Client) Missing(ids []NodeID) (missing []NodeID, err error) {
	if up, _ := c.guardsUp(); len(up) == 0 || c.listed.Load() == nil {
		return nil, ErrOffline
	}
	snap := c.dir.Snapshot()
	if len(snap.Relays) < MinRelays {
		return nil, ErrFewRelays
	}
	for _, id := range ids {
		if c.missing(snap, id) {
			missing = append(missing, id)
		}
	}
	return missing, nil
}

// listedNow reports whether a relay is in the directory.
func (c *Client) listedNow(id NodeID) bool {
	_, listed := c.dir.Snapshot().Find(id)
	return listed
}

func (c *Client) missing(snap *directory.Snapshot, id NodeID) bool {
	_, listed := snap.Find(id)
	return !listed || c.silence.of(id)
}

const (
	// silentAfter is how many requests to a mailbox in a row, each over another
	// route, bring no answer before it counts as silent. Those that end within
	// silentApart are one: they may have been lost together.
	silentAfter = 8
	silentApart = time.Second
	maxSilences = 1024
)

// silence remembers the mailboxes that do not answer. One is only called silent
// if another has answered since it began: otherwise it may be us.
type silence struct {
	mu       sync.Mutex
	m        map[NodeID]unanswered
	answered time.Time // by any mailbox, the last time
}

type unanswered struct {
	requests    int
	since, last time.Time
}

func (s *silence) failed(id NodeID, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u, ok := s.m[id]
	if !ok {
		if s.m == nil || len(s.m) >= maxSilences {
			s.m = map[NodeID]unanswered{}
		}
		u.since = now
	}
	if now.Sub(u.last) >= silentApart {
		u.requests++
	}
	u.last = now
	s.m[id] = u
}

func (s *silence) answer(id NodeID, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.m, id)
	s.answered = now
}

func (s *silence) of(id NodeID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.m[id]
	return u.requests >= silentAfter && s.answered.After(u.since)
}
