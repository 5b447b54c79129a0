package mailbox

import (
	"math/rand/v2"
	"time"

	"golang.org/x/time/rate"
)

// class says how much a row of a store is worth.
type class byte

const (
	vacant  class = iota
	unasked       // no fetch has named the tag of its box
	asked
	classes
)

// TurnoverTime is how long it takes at least to replace as many boxes of a class as
// its share of the room holds, after the first sixteenth.
const TurnoverTime = 24 * time.Hour

// quota says which rows of a store are in use and which is replaced when all are:
// see Room in the package comment. It decides, the store does.
type quota struct {
	max      int
	share    [classes]int
	turnover [classes]*rate.Limiter

	rows  []class
	count [classes]int
	low   int // no row below it is vacant
	// undo holds the former values of the rows changed since commit.
	undo []change
}

type change struct {
	row int
	was class
}

func newQuota(max int) *quota {
	q := new(quota)
	q.resize(max)
	return q
}

// resize sets the number of boxes that there is room for. Those above it stay until
// they are acknowledged or expire, and no new box comes before.
func (q *quota) resize(max int) {
	q.max = max
	q.share[unasked] = max / 4
	q.share[asked] = max - max/4
	for c := unasked; c < classes; c++ {
		q.turnover[c] = rate.NewLimiter(rate.Limit(float64(q.share[c])/TurnoverTime.Seconds()), q.share[c]/16+1)
	}
}

func (q *quota) len() int { return q.count[unasked] + q.count[asked] }

// set changes a row.
func (q *quota) set(row int, c class) {
	for row >= len(q.rows) {
		q.rows = append(q.rows, vacant)
		q.count[vacant]++
	}
	was := q.rows[row]
	q.undo = append(q.undo, change{row, was})
	q.put(row, c)
}

func (q *quota) put(row int, c class) {
	q.count[q.rows[row]]--
	q.count[c]++
	q.rows[row] = c
	if c == vacant {
		q.low = min(q.low, row)
	}
}

// commit lets the changes stand, rollback takes them back.
func (q *quota) commit() { q.undo = q.undo[:0] }

func (q *quota) rollback() {
	for i := len(q.undo) - 1; i >= 0; i-- {
		q.put(q.undo[i].row, q.undo[i].was)
	}
	q.commit()
}

// ask notes that a fetch has named the box of a row.
func (q *quota) ask(row int) {
	if q.rows[row] == unasked {
		q.set(row, asked)
	}
}

// place takes a row for a new box. now measures the time between two calls, and must
// not jump when a clock is set: time.Now is right for it. It says whether the box that
// is there has to go, and whether there is a row at all.
func (q *quota) place(c class, now time.Time) (row int, replaces, ok bool) {
	if q.len() < q.max {
		for q.low < len(q.rows) && q.rows[q.low] != vacant {
			q.low++
		}
		row = q.low
		q.set(row, c)
		return row, false, true
	}
	if q.len() > q.max {
		return 0, false, false // its owner wants less room; nobody's box is deleted for it
	}

	from := c
	for other := unasked; other < classes; other++ {
		if q.count[other] > q.share[other] {
			from = other
		}
	}
	// Rows over the share were only lent, and go to the other class at once.
	if q.count[from] == 0 || from == c && !q.turnover[c].AllowN(now, 1) {
		return 0, false, false
	}
	row = q.random(from)
	q.set(row, c)
	return row, true, true
}

// random returns a row of a class that has some.
func (q *quota) random(c class) int {
	for range 64 {
		if row := rand.IntN(len(q.rows)); q.rows[row] == c {
			return row
		}
	}
	for row := rand.IntN(len(q.rows)); ; row = (row + 1) % len(q.rows) {
		if q.rows[row] == c {
			return row
		}
	}
}
