package group

import (
	"errors"
	"slices"
	"time"

	"starling/session/group/members"
)

// Kinds of waiting cells, beside kindMessage and the types of control data.
const (
	// kindStray is a message that no chain of its sender has signed: it is tried when somebody is back.
	kindStray = 0
	// kindDropped is the name of a log of which something was dropped here: it is read again once more opens.
	kindDropped = 255
)

// errWaits: something before it is missing.
var errWaits = errors.New("something before it is missing")

// How much waits for something before it. The oldest goes first; the mailboxes still have it, see reread.
const (
	maxAsideOf     = 16 // of one author
	maxAsideWords  = 64 // control data of authors that are known
	maxAsideNobody = 32 // of authors that are unknown
	maxHanded      = 32 // sealed steps, and at most maxVariants of one
	maxChunks      = 96 // seeds of rekeys that are unknown, and variants
)

// Aside is the cells that wait, by author. They are a part of the state, as a mailbox does not
// give again an entry that was acknowledged.
type aside struct {
	waits  []waiting
	from   uint8    // the lane of the entry that is taken just now
	log    [16]byte // its log
	since  int64    // and when it came
	handed []handed // the oldest first
	chunks []chunk
	busy   bool
	back   bool // somebody is, since strays were tried
	opens  bool // something has opened, since logs were read again
}

type waiting struct {
	kind   uint8 // kindMessage, kindStray or the type of control data
	author ID    // zero if unknown
	data   []byte
	from   uint8 // the lane that it came by
	since  int64
	log    [16]byte // zero after a restart
}

// Handed is the sealed part of a step, or something false beside it: it is not signed, and tried.
type handed struct {
	context [32]byte // of the statement
	sealed  []byte
}

// park keeps a cell until there is more.
func (r *core) park(kind uint8, author ID, data []byte) error {
	a := &r.aside
	if _, known := r.set.Key(author); !known {
		author = ID{}
	}
	most := maxAsideOf
	switch {
	case author == ID{}:
		most = maxAsideNobody
	case kind != kindMessage:
		most = maxAsideWords
	}

	n := 0
	for _, w := range a.waits {
		if w.kind == kind && w.author == author {
			if string(w.data) == string(data) {
				return nil
			}
			n++
		}
	}
	a.waits = append(a.waits, waiting{kind, author, append([]byte(nil), data...), a.from, a.since, a.log})
	if n >= most {
		if log := a.drop(kind, author); kind != kindDropped {
			dropped(r, log)
		}
	}
	return nil
}

// dropped notes a log of which something was dropped.
func dropped(r *core, log [16]byte) { r.park(kindDropped, ID{}, log[:]) }

// count counts the cells of a kind and an author that wait.
func (a *aside) count(kind uint8, author ID) (n int) {
	for _, w := range a.waits {
		if w.kind == kind && w.author == author {
			n++
		}
	}
	return n
}

// drop drops the oldest of an author, of nobody that of the lane with most: people that are invented push out cells of
// their own lane. It returns the log.
func (a *aside) drop(kind uint8, author ID) (log [16]byte) {
	var of [laneOpen + 1]int
	alike := func(w waiting) bool { return w.kind == kind && w.author == author }
	for _, w := range a.waits {
		if alike(w) && author == (ID{}) {
			of[w.from]++
		}
	}
	most := slices.Max(of[:])
	oldest := slices.IndexFunc(a.waits, func(w waiting) bool { return alike(w) && (author != (ID{}) || of[w.from] == most) })
	log = a.waits[oldest].log
	a.waits = slices.Delete(a.waits, oldest, oldest+1)
	return log
}

// hand keeps the sealed part of a step. Of one step there are some at most; one of the control lane takes the place of
// the oldest.
func (a *aside) hand(context [32]byte, sealed []byte, lane uint8) {
	of := func(h handed) bool { return h.context == context }
	same := 0
	for _, h := range a.handed {
		if of(h) {
			if string(h.sealed) == string(sealed) {
				return
			}
			same++
		}
	}
	oldest := 0
	switch {
	case same >= maxVariants && lane != laneControl:
		return
	case same >= maxVariants:
		oldest = slices.IndexFunc(a.handed, of)
	case len(a.handed) < maxHanded:
		oldest = len(a.handed)
	}
	a.handed = slices.Delete(a.handed, oldest, min(oldest+1, len(a.handed)))
	a.handed = append(a.handed, handed{context, slices.Clone(sealed)})
}

// handedOf returns something that was handed by a step, or nil.
func (a *aside) handedOf(context [32]byte) []byte {
	for _, h := range a.handed {
		if h.context == context {
			return h.sealed
		}
	}
	return nil
}

// drops forgets something handed that no leaf of ours opens.
func (a *aside) drops(context [32]byte, sealed []byte) {
	a.handed = slices.DeleteFunc(a.handed, func(h handed) bool { return h.context == context && string(h.sealed) == string(sealed) })
}

// retry takes all that waits again, until nothing more finds its place.
func (r *core) retry(now time.Time) {
	if r.aside.busy {
		return
	}
	r.aside.busy = true
	defer func() { r.aside.busy = false }()

	for {
		items := r.aside.waits
		back := r.aside.back
		r.aside.waits, r.aside.back = nil, false
		for _, w := range items {
			r.aside.from, r.aside.since, r.aside.log = w.from, w.since, w.log
			switch {
			case w.kind == kindStray && !back, w.kind == kindDropped:
				r.aside.waits = append(r.aside.waits, w)
			case w.kind == kindMessage || w.kind == kindStray:
				in := inner(make([]byte, innerSize))
				copy(in[:], w.data)
				r.hear(&in, now)
			default:
				r.control(append([]byte{w.kind}, w.data...), laneOpen, now)
			}
		}
		if len(r.aside.waits) >= len(items) && !r.aside.back {
			return
		}
		r.aside.opens = true
	}
}

// parkedEntries are the entries in the set that wait for parents.
func parkedEntries(set *members.Set) [][]byte {
	var all [][]byte
	for _, e := range set.Parked() {
		if len(all) == maxAsideWords {
			break
		}
		all = append(all, e.Append(nil))
	}
	return all
}

func unparkEntries(set *members.Set, all [][]byte) {
	for _, b := range all {
		if e, err := members.Parse(b); err == nil {
			set.Take(e)
		}
	}
}
