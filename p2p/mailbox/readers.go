package mailbox

import (
	"container/list"
	"math/rand/v2"
	"slices"
	"time"

	"starling/p2p/outfox"
)

// Limits of readers.
const (
	// DefaultMaxReaders leases, of eight logs and five blocks mostly, take some 20 MB.
	DefaultMaxReaders = 5120
	// DefaultReaderBytes bounds the memory of all, for any use of them.
	DefaultReaderBytes = 20 << 20
	// maxLogReaders are the readers of one log.
	maxLogReaders = 1024
)

// readers are the follows that stand. Each has a seat under its lease, of a house of its
// own: watches of boxes lose none to them.
type readers struct {
	seats *seats
	byLog map[LogName][]*reader
	order *list.List       // of *reader, oldest first; all live equally long
	clock func() time.Time // for the epochs of blocks
}

// reader is the standing follow of one lease.
type reader struct {
	logs    []LogPosition // and up to where those that waited went out
	blocks  []*outfox.Block
	expires time.Time
	seat    *seat         // while it stands
	place   *list.Element // likewise
	size    int           // that the seat is charged
	looking bool          // the entries that wait are read just now
	missed  bool          // and more have come meanwhile
}

func newReaders(seats *seats, clock func() time.Time) *readers {
	return &readers{seats: seats, byLog: make(map[LogName][]*reader), order: list.New(), clock: clock}
}

func newReader(f *Follow, now time.Time) *reader {
	return &reader{logs: slices.Clone(f.Logs), blocks: f.Blocks, expires: now.Add(SubscriptionLife), looking: true}
}

// cost is the approximate memory of a reader, in bytes.
func (r *reader) cost() int { return 512 + 450*len(r.blocks) + 160*len(r.logs) }

func (rs *readers) len() int { return rs.order.Len() }

// follows reports whether somebody reads a log just now.
func (rs *readers) follows(name LogName) bool { return len(rs.byLog[name]) > 0 }

// more adds blocks to the reader of a lease that follows the same logs, if it stands.
func (rs *readers) more(f *Follow, now time.Time) bool {
	it := rs.seats.byID[f.Lease]
	if it == nil || it.reader == nil || f.Mode != More {
		return false
	}
	r := it.reader
	same := slices.EqualFunc(r.logs, f.Logs, func(a, b LogPosition) bool { return a.Name == b.Name })
	if !same || r.looking || !r.expires.After(now) {
		return false
	}
	blocks := append(slices.Clone(r.blocks), f.Blocks...)
	r.blocks = blocks[max(0, len(blocks)-maxStanding):]
	r.expires = now.Add(SubscriptionLife)
	rs.order.MoveToBack(r.place)
	it.renewed = now
	rs.charge(r)
	return true
}

// charge makes the seat pay for what the reader has now.
func (rs *readers) charge(r *reader) {
	rs.seats.charge(r.seat, r.cost()-r.size)
	r.size = r.cost()
}

// add lets a reader stand in place of the former one of its lease, if it has a seat or gets
// one. A lease replaces nobody else.
func (rs *readers) add(lease LeaseID, r *reader, paid bool, now time.Time) verdict {
	it := rs.seats.byID[lease]
	// The lease is secret: only the former reader itself can name it.
	if it != nil && it.reader != nil {
		rs.end(it.reader)
	}
	if it == nil {
		if rs.seats.crowded() && !paid {
			return unpaid
		}
		it = rs.seats.enter(lease, r.cost(), now, rs.leave)
	}
	if it == nil || rs.seats.bytes+r.cost() > rs.seats.maxBytes {
		return refused
	}

	it.renewed, it.reader, r.seat = now, r, it
	r.place = rs.order.PushBack(r)
	rs.charge(r)
	// One of the crowd at random goes: readers of others' logs could otherwise push out the right one for sure.
	for _, l := range r.logs {
		all := rs.byLog[l.Name]
		if len(all) >= maxLogReaders {
			at := rand.IntN(len(all))
			all = slices.Delete(all, at, at+1)
		}
		rs.byLog[l.Name] = append(all, r)
	}
	return stands
}

// leave ends the reader of a seat, and frees it.
func (rs *readers) leave(it *seat) {
	if it.reader != nil {
		rs.end(it.reader)
	}
	rs.seats.remove(it)
}

func (rs *readers) end(r *reader) {
	if r.place == nil {
		return
	}
	rs.order.Remove(r.place)
	rs.seats.charge(r.seat, -r.size)
	r.seat.reader, r.seat, r.place, r.size = nil, nil, nil, 0
	for _, l := range r.logs {
		all := slices.DeleteFunc(rs.byLog[l.Name], func(o *reader) bool { return o == r })
		if rs.byLog[l.Name] = all; len(all) == 0 {
			delete(rs.byLog, l.Name)
		}
	}
}

// spend uses a block that the hops still have the keys for. Without blocks a reader ends.
func (rs *readers) spend(r *reader) (block *outfox.Block) {
	for block == nil && len(r.blocks) > 0 {
		if _, ok := outfox.ResolveEpoch(r.blocks[0].Epoch(), rs.clock()); ok {
			block = r.blocks[0]
		}
		r.blocks = r.blocks[1:]
	}
	switch {
	case r.place == nil:
	case len(r.blocks) == 0 && !r.looking:
		rs.end(r)
	default:
		rs.charge(r)
	}
	return block
}

// standing returns how many blocks of a reader wait for an entry.
func (rs *readers) standing(r *reader) int {
	if r.place == nil {
		return 0
	}
	return len(r.blocks)
}

// A push is an entry on its way to a reader.
type push struct {
	block    *outfox.Block
	standing int
}

// push uses a block of each reader of a log for an entry that came.
func (rs *readers) push(e *LogEntry, now time.Time) (pushes []push) {
	for _, r := range slices.Clone(rs.byLog[e.Name]) {
		switch {
		case !r.expires.After(now):
			rs.end(r)
			continue
		case r.looking:
			r.missed = true
			continue
		case r.has(e):
			continue
		}
		block := rs.spend(r)
		if block == nil {
			continue
		}
		pushes = append(pushes, push{block, rs.standing(r)})
	}
	return pushes
}

// has reports whether an entry was among those that waited: it was read before it was
// pushed.
func (r *reader) has(e *LogEntry) bool {
	return slices.ContainsFunc(r.logs, func(l LogPosition) bool {
		return l.Name == e.Name && l.Instance == e.Instance && e.Position <= l.After
	})
}

// sent notes that an entry that waited went out.
func (r *reader) sent(e *LogEntry) {
	for i := range r.logs {
		if l := &r.logs[i]; l.Name == e.Name && (l.Instance != e.Instance || e.Position > l.After) {
			l.Instance, l.After = e.Instance, e.Position
		}
	}
}

// expire ends old readers, and then seats that were not renewed.
func (rs *readers) expire(now time.Time) {
	for e := rs.order.Front(); e != nil; e = rs.order.Front() {
		r := e.Value.(*reader)
		if r.expires.After(now) {
			break
		}
		rs.end(r)
	}
	for _, it := range rs.seats.byID {
		if now.Sub(it.renewed) >= SubscriptionLife {
			rs.leave(it)
		}
	}
}

// positions are those up to which entries went out.
func (r *reader) positions() []LogPosition { return slices.Clone(r.logs) }

// looked ends the reading of what waits: from now on entries are pushed, if blocks are left.
func (rs *readers) looked(r *reader) {
	r.looking = false
	if len(r.blocks) == 0 {
		rs.end(r)
	}
}
