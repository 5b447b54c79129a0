package mailbox

import (
	"math/rand/v2"
	"time"
)

// Limits of seats.
const (
	// DefaultMaxSeats watches, of one or two subscriptions mostly, take some 60 MB.
	DefaultMaxSeats = 20_000
	// DefaultSeatBytes bounds the memory of all seats, for any use of them.
	DefaultSeatBytes = 80 << 20
	// seatYouth is how long a seat can be lost to a newcomer.
	seatYouth = 24 * time.Hour
	// seatSubscriptions bounds the subscriptions of one seat. In a burst each tag of a
	// window may have one of its own, and a box is not pushed after its subscription
	// ended.
	seatSubscriptions = 64
)

// seats bound the watches with standing subscriptions. Watches have no names here: a
// mailbox can tell only that a fetch has the lease of an earlier one, or names its
// tags.
type seats struct {
	max, maxBytes int

	bytes int
	byID  map[LeaseID]*seat
	young []*seat // and some that are so no more
}

// seat is a watch at this mailbox. It outlives its subscriptions for as long as one
// lives, so that it can renew them.
type seat struct {
	id      LeaseID
	since   time.Time
	renewed time.Time
	subs    []*subscription // oldest first
	reader  *reader         // of logs; it has no subscriptions
	bytes   int
	inYoung int    // place there, or -1
	asks    bucket // follows
}

func newSeats(max, maxBytes int) *seats {
	return &seats{max: max, maxBytes: maxBytes, byID: make(map[LeaseID]*seat)}
}

// cost is the approximate memory of a subscription, in bytes.
func (s *subscription) cost() int { return 512 + 450*len(s.blocks) + 120*len(s.tags) }

// crowded reports whether less than a quarter is free, full whether a newcomer of a
// size does not fit.
func (s *seats) crowded() bool {
	return 4*len(s.byID) >= 3*s.max || 4*s.bytes >= 3*s.maxBytes
}

func (s *seats) full(size int) bool {
	return len(s.byID) >= s.max || s.bytes+size > s.maxBytes
}

// enter gives a newcomer a seat, or nil. end ends the subscriptions of the seat that
// makes room.
func (s *seats) enter(id LeaseID, size int, now time.Time, end func(*seat)) *seat {
	for s.full(size) {
		old := s.drawYoung(now)
		if old == nil {
			return nil
		}
		end(old)
	}
	new := &seat{id: id, since: now, inYoung: len(s.young)}
	s.byID[id] = new
	s.young = append(s.young, new)
	return new
}

// drawYoung returns a random seat that can be lost, or nil.
func (s *seats) drawYoung(now time.Time) *seat {
	for len(s.young) > 0 {
		it := s.young[rand.IntN(len(s.young))]
		if now.Sub(it.since) < seatYouth {
			return it
		}
		s.grown(it)
	}
	return nil
}

// grown takes a seat out of those that can be lost.
func (s *seats) grown(it *seat) {
	if it.inYoung < 0 {
		return
	}
	last := s.young[len(s.young)-1]
	s.young[it.inYoung], last.inYoung = last, it.inYoung
	s.young = s.young[:len(s.young)-1]
	it.inYoung = -1
}

// rename keeps the seat of a watch that has begun anew under another lease.
func (s *seats) rename(it *seat, id LeaseID) {
	delete(s.byID, it.id)
	it.id = id
	s.byID[id] = it
}

// remove frees a seat. Its subscriptions have ended.
func (s *seats) remove(it *seat) {
	s.grown(it)
	delete(s.byID, it.id)
}

// charge adds to the memory of a seat.
func (s *seats) charge(it *seat, bytes int) {
	it.bytes += bytes
	s.bytes += bytes
}
