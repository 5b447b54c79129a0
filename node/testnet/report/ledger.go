// Package report keeps the fate of every message of a testnet and reports it: as a
// summary, and as a folder with
//
//	index.html      one page, which needs nothing else
//	summary.json    the numbers
//	events.jsonl    everything that happened, one object a line
//	metrics.jsonl   every node at every moment
//	activity.svg    the traffic of every node over time
//	logs/           the log of every node, if it was kept
//	latency.svg     how long messages took
//	delivery.svg    messages sent and shown, over time
//	traffic.svg     bytes per node
//	online.svg      how many users are connected to a relay, if there is a censor or a cut
//	rooms.svg       how long messages took to everybody else in a room, if there are rooms
package report

import (
	"slices"
	"sync"
	"time"
)

// A Ledger counts messages. Times are since the traffic began. Its methods may
// be called from any goroutine.
type Ledger struct {
	mu         sync.Mutex
	ways       map[Way]*way
	duplicates int
	disordered int
	strange    int
}

// Way is one direction between two users.
type Way struct{ From, To int }

type way struct {
	messages []entry
	last     int // the highest index that was shown
}

// entry is one message; a time below 0 has not come yet.
type entry struct{ sent, shown, delivered time.Duration }

const never = time.Duration(-1)

// NewLedger returns an empty ledger.
func NewLedger() *Ledger { return &Ledger{ways: map[Way]*way{}} }

func (l *Ledger) way(w Way) *way {
	if l.ways[w] == nil {
		l.ways[w] = &way{last: -1}
	}
	return l.ways[w]
}

// Sent writes down that the next message on a way is about to be written.
func (l *Ledger) Sent(w Way, at time.Duration) (index int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	x := l.way(w)
	x.messages = append(x.messages, entry{at, never, never})
	return len(x.messages) - 1
}

// Shown writes down that a message appeared in front of its reader. It returns
// how long that took, and whether this is the first time.
func (l *Ledger) Shown(w Way, index int, at time.Duration) (took time.Duration, first bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	x := l.way(w)
	if index < 0 || index >= len(x.messages) {
		l.strange++
		return 0, false
	}
	e := &x.messages[index]
	if e.shown != never {
		l.duplicates++
		return 0, false
	}
	if index < x.last {
		l.disordered++
	}
	x.last = max(x.last, index)
	e.shown = at
	return at - e.sent, true
}

// Delivered writes down that the sender learned of it.
func (l *Ledger) Delivered(w Way, index int, at time.Duration) (took time.Duration, first bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	x := l.way(w)
	if index < 0 || index >= len(x.messages) || x.messages[index].delivered != never {
		return 0, false
	}
	x.messages[index].delivered = at
	return at - x.messages[index].sent, true
}

// Stored compares a reader's conversation, oldest first, with the record of shown
// messages. A message that is gone from it counts as not shown; one that is in it
// twice, or in another order, counts as shown so.
func (l *Ledger) Stored(w Way, indexes []int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	x := l.way(w)
	seen := map[int]bool{}
	duplicates, disordered, last := 0, 0, -1
	for _, i := range indexes {
		switch {
		case seen[i]:
			duplicates++
		case i < last:
			disordered++
		}
		seen[i], last = true, max(last, i)
	}
	// A message both seen live and left at the end is one mistake, not two.
	l.duplicates = max(l.duplicates, duplicates)
	l.disordered = max(l.disordered, disordered)
	for i := range x.messages {
		if !seen[i] {
			x.messages[i].shown = never
		}
	}
}

// Pending returns how many messages to a user were not shown yet.
func (l *Ledger) Pending(to int) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for w, x := range l.ways {
		for _, e := range x.messages {
			if w.To == to && e.shown == never {
				n++
			}
		}
	}
	return n
}

// Counts are the numbers of a moment.
type Counts struct {
	Sent       int `json:"sent"`
	Shown      int `json:"shown"`
	Delivered  int `json:"delivered"`
	Duplicates int `json:"duplicates"`
	OutOfOrder int `json:"out_of_order"`
	// Strange are texts that nobody wrote.
	Strange int `json:"strange"`
}

// Counts returns the numbers as they are now.
func (l *Ledger) Counts() Counts {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := Counts{Duplicates: l.duplicates, OutOfOrder: l.disordered, Strange: l.strange}
	for _, x := range l.ways {
		for _, e := range x.messages {
			c.Sent++
			if e.shown != never {
				c.Shown++
			}
			if e.delivered != never {
				c.Delivered++
			}
		}
	}
	return c
}

// Times returns the times at which messages were sent, shown and delivered, and the
// delays until shown and until delivered; each in ascending order.
func (l *Ledger) Times() (sent, shown, delivered, toShown, toDelivered []time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, x := range l.ways {
		for _, e := range x.messages {
			sent = append(sent, e.sent)
			if e.shown != never {
				shown, toShown = append(shown, e.shown), append(toShown, e.shown-e.sent)
			}
			if e.delivered != never {
				delivered, toDelivered = append(delivered, e.delivered), append(toDelivered, e.delivered-e.sent)
			}
		}
	}
	for _, all := range [][]time.Duration{sent, shown, delivered, toShown, toDelivered} {
		slices.Sort(all)
	}
	return sent, shown, delivered, toShown, toDelivered
}

// Percentile returns the value that the fraction p of ascending values does
// not exceed (nearest rank), 0 of none.
func Percentile(sorted []time.Duration, p float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	rank := int(p * float64(len(sorted)))
	if float64(rank) < p*float64(len(sorted)) {
		rank++
	}
	return sorted[min(max(rank, 1), len(sorted))-1]
}
