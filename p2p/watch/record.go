package watch

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"maps"
	"slices"
	"time"

	"starling/p2p/mailbox"
	"starling/p2p/pace"
	"starling/p2p/wire"
)

// ErrRecord means that a stored record cannot be read.
var ErrRecord = errors.New("watch: damaged record")

const (
	maxKept = 1024               // mailboxes, and boxes
	boxLife = 7 * 24 * time.Hour // well below mailbox.TTL
	again   = 10 * time.Minute   // until a record that was not kept is offered anew
	century = 100 * 365 * 24 * 60 * 60

	verdictSize = wire.NodeIDSize + 2*8
	layawaySize = wire.NodeIDSize + 16 + mailbox.TagSize + sha256.Size + 2*8
)

// A Record is the results of trials, kept from one start to the next: the mailboxes
// that failed, and the boxes that lie there, or are to, and are not asked for yet.
// Times of failures are by the running time of the client, so that no wrong clock
// matters. Those of boxes are seconds since 1970, because boxes grow old while the
// client is away.
type Record struct {
	lived    time.Duration
	verdicts []verdict
	layaways []layaway
}

// A verdict is the result of the trials of a mailbox, by the time lived; 0 is never.
type verdict struct {
	at           wire.NodeID
	failed, lied time.Duration
}

// A layaway is the box of a late trial: stored, or hidden and to be stored when due. Then
// stored is 0, and the box is not made yet.
type layaway struct {
	at          wire.NodeID
	watch       watchID
	tag         mailbox.Tag
	sum         [sha256.Size]byte // of the box
	stored, due int64
}

// A watchID tells watches apart without their keys, which are the caller's.
type watchID [16]byte

func idOf(key string, at wire.NodeID) watchID {
	sum := sha256.Sum256(append(at[:], key...))
	return watchID(sum[:])
}

// Append appends the encoding. Numbers are big endian:
//
//	size  time lived in seconds (8)
//	2     number of mailboxes, each: node id (32) ‖ failed (8) ‖ lied (8)
//	2     number of boxes, each: node id (32) ‖ watch (16) ‖ tag (16) ‖
//	      SHA-256 of the box (32) ‖ stored (8) ‖ due (8)
func (r *Record) Append(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(r.lived/time.Second))
	b = binary.BigEndian.AppendUint16(b, uint16(len(r.verdicts)))
	for _, v := range r.verdicts {
		b = append(b, v.at[:]...)
		b = binary.BigEndian.AppendUint64(b, uint64(v.failed/time.Second))
		b = binary.BigEndian.AppendUint64(b, uint64(v.lied/time.Second))
	}
	b = binary.BigEndian.AppendUint16(b, uint16(len(r.layaways)))
	for _, l := range r.layaways {
		b = append(append(append(append(b, l.at[:]...), l.watch[:]...), l.tag[:]...), l.sum[:]...)
		b = binary.BigEndian.AppendUint64(b, uint64(l.stored))
		b = binary.BigEndian.AppendUint64(b, uint64(l.due))
	}
	return b
}

// Cut reads a record from the front of b and returns the rest. Nothing in it points
// into b.
func (r *Record) Cut(b []byte) (rest []byte, err error) {
	good := true
	cut := func(n int) []byte {
		if len(b) < n {
			good = false
			// Zeros, so that the rest runs through to the one check of good.
			return make([]byte, n)
		}
		head := b[:n]
		b = b[n:]
		return head
	}
	number := func() int64 {
		n := binary.BigEndian.Uint64(cut(8))
		good = good && n <= century
		return int64(n)
	}
	count := func(size int) int {
		n := int(binary.BigEndian.Uint16(cut(2)))
		// Bounded by the bytes that are there before anything is made.
		good = good && n <= maxKept && n*size <= len(b)
		return n
	}

	read := Record{lived: time.Duration(number()) * time.Second}
	for n := count(verdictSize); good && n > 0; n-- {
		v := verdict{at: wire.NodeID(cut(wire.NodeIDSize))}
		v.failed, v.lied = time.Duration(number())*time.Second, time.Duration(number())*time.Second
		read.verdicts = append(read.verdicts, v)
	}
	if !good {
		return nil, ErrRecord
	}
	for n := count(layawaySize); good && n > 0; n-- {
		l := layaway{at: wire.NodeID(cut(wire.NodeIDSize)), watch: watchID(cut(16)),
			tag: mailbox.Tag(cut(mailbox.TagSize)), sum: [sha256.Size]byte(cut(sha256.Size))}
		l.stored, l.due = number(), number()
		read.layaways = append(read.layaways, l)
	}
	if !good {
		return nil, ErrRecord
	}

	// Whole or not at all.
	*r = read
	return b, nil
}

// WithoutBoxes returns the verdicts alone: those of an older copy stand, but its boxes
// may have been asked for since.
func (r Record) WithoutBoxes() Record {
	r.layaways = nil
	return r
}

// take begins with a stored record.
func (ws *Watches) take(r Record) {
	ws.lived = max(time.Second, r.lived)
	for _, v := range r.verdicts {
		ws.verdicts[v.at] = v
	}
	for _, l := range r.layaways {
		ws.layaways[l.watch] = l
	}
}

// age is how long the client has run, at all starts.
func (ws *Watches) age() time.Duration {
	return (ws.lived + time.Since(ws.began)).Truncate(time.Second)
}

// lasts reports whether a verdict of a time lived still counts.
func (ws *Watches) lasts(at, life time.Duration) bool { return at > 0 && ws.age()-at < life }

// lies reports whether a mailbox should still have a box stored at a time; an
// impossible time says no.
func (ws *Watches) lies(stored int64) bool {
	age := ws.cfg.Now().Unix() - stored
	return age >= 0 && age < int64(boxLife/time.Second)
}

// holds reports whether a layaway is good for a trial still.
func (ws *Watches) holds(l layaway) bool {
	if l.stored == 0 {
		return ws.lies(l.due - int64(hideMost/time.Second))
	}
	return ws.lies(l.stored)
}

// layaway returns the trial with a box at the mailbox for a watch, nil if there is
// none.
func (ws *Watches) layaway(key string, at wire.NodeID, now time.Time) *trial {
	id := idOf(key, at)
	l, ok := ws.layaways[id]
	delete(ws.layaways, id)
	if !ok || !ws.holds(l) {
		return nil
	}
	wait := time.Duration(l.due-ws.cfg.Now().Unix()) * time.Second
	t := newTrial(now.Add(min(max(wait, 0), lateMost)), true)
	t.tag, t.ask, t.hidden, t.named = l.tag, l.due, true, false
	if l.stored != 0 {
		t.box, t.sum, t.stored = nil, l.sum, l.stored
	}
	return t
}

// Record returns the bytes to be kept, and a function to be called once they are. Ripe
// boxes are not in it, and are asked for only after it was kept. Otherwise a box that
// came would be missed at the next start, after a crash.
func (ws *Watches) Record() (r Record, kept func()) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	r.lived = ws.age()
	ws.forget()
	r.verdicts = slices.SortedFunc(maps.Values(ws.verdicts), func(a, b verdict) int { return bytes.Compare(a.at[:], b.at[:]) })

	var ripe []*trial
	// Those of watches that are gone are kept while the mailbox may still hold the box.
	maps.DeleteFunc(ws.layaways, func(_ watchID, l layaway) bool { return !ws.holds(l) })
	r.layaways = slices.Collect(maps.Values(ws.layaways))
	for _, w := range ws.m {
		switch t := w.trial; {
		case t == nil || !t.hidden || t.named:
		case t.ripe:
			ripe = append(ripe, t)
		default:
			l := layaway{w.mailbox, idOf(w.key, w.mailbox), t.tag, t.sum, t.stored, t.ask}
			// The put has not been answered: the sum proves nothing yet.
			if t.stored == 0 {
				l.sum = [sha256.Size]byte{}
			}
			r.layaways = append(r.layaways, l)
		}
	}
	slices.SortFunc(r.layaways, func(a, b layaway) int {
		return cmp.Or(cmp.Compare(b.stored, a.stored), bytes.Compare(a.watch[:], b.watch[:]))
	})
	r.layaways = r.layaways[:min(len(r.layaways), maxKept)]

	return r, func() { ws.name(ripe) }
}

// name lets fetches name the tags of trials.
func (ws *Watches) name(ripe []*trial) {
	now := time.Now()
	ws.mu.Lock()
	for _, w := range ws.m {
		if slices.Contains(ripe, w.trial) && !w.trial.named {
			w.trial.named, w.trial.since, w.trial.due = true, now, time.Time{}
			w.at(soon())
		}
	}
	ws.mu.Unlock()
	pace.Kick(ws.wake)
}

// forget drops verdicts that have expired, and the oldest of too many.
func (ws *Watches) forget() {
	maps.DeleteFunc(ws.verdicts, func(_ wire.NodeID, v verdict) bool {
		return !ws.lasts(v.failed, failureLasts) && !ws.lasts(v.lied, lieLasts)
	})
	for len(ws.verdicts) > maxKept {
		oldest := slices.MinFunc(slices.Collect(maps.Values(ws.verdicts)), func(a, b verdict) int { return cmp.Compare(a.failed, b.failed) })
		delete(ws.verdicts, oldest.at)
	}
}
