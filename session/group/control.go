package group

import (
	"slices"
	"time"

	"starling/session/group/keys"
	"starling/session/group/members"
	"starling/session/internal/kdf"
)

// The types of control data.
const (
	typeEntry     = 2
	typeStatement = 3
	typeSeeds     = 4
	typeHanded    = 5
	typeLeaf      = 6
	typeOffer     = 7
	typeTurn      = 8

	typeLinkCard = 16
	typeRequest  = 17
	typeAnswer   = 18
	typeKnock    = 19

	// Of answers alone.
	typeVerdict = 20
	typeSeen    = 21
	typeHistory = 22
	typeSecret  = 23
)

const (
	chunkSize    = controlSize - 1 - 32 - 1
	leafDataSize = 16 + 4 + keys.LeafSize + 64
	maxVariants  = 4
)

// Take takes an entry of a log. Garbage is an error that changes nothing; an entry may come
// again.
func (r *Room) Take(e Entry, now time.Time) ([]Event, error) {
	at, known := r.places.index[e.Name]
	if !known {
		return nil, ErrInvalid
	}
	err := r.takeAt(at, e, now)
	if err == nil {
		r.retry(now)
	}
	return r.flush(), err
}

func (r *core) takeAt(at spot, e Entry, now time.Time) error {
	switch {
	case at.link != nil:
		return r.takeRequest(at.link, e, now)
	case at.door != nil:
		return r.takeKnock(at.door, e, now)
	case at.place == nil:
		return r.takeAnswer(e, now)
	}

	r.aside.from, r.aside.since, r.aside.log = at.lane, now.Unix(), e.Name
	if e.Position >= SegmentSize {
		leave(r, at.place, at.lane, at.segment, now)
	}
	in, ok := at.place.vault.open(r.group, at.lane, e.Tag, e.Box)
	if !ok {
		garbage(r, at, e, now)
		return ErrInvalid
	}
	if in[0] == kindMessage {
		return r.hearIn(in, at, e, now)
	}
	data, ok := in.controlData()
	if !ok {
		garbage(r, at, e, now)
		return ErrInvalid
	}
	idle(r, at, e, now)
	if data[0] == typeTurn {
		return takeTurn(r, at, data)
	}

	r.places.reading = at.place.rekey
	defer func() { r.places.reading = keys.ID{} }()
	early, rows := seedsBefore(r, at, data), len(r.rows)
	err := r.control(data, at.lane, now)
	if err == nil {
		relay(r, at, data, early, now)
		passOn(r, at.place, data, len(r.rows) > rows)
	}
	return err
}

// passOn has owner and admins repeat an entry of a former place where newcomers read: its author, who leaves or changes a role, may not
// have read the rekey that they came after.
func passOn(r *core, from *place, data []byte, news bool) {
	if to := r.posting(); news && data[0] == typeEntry && r.set.Role(r.self) >= Admin && !slices.Contains(to, from) {
		r.post(data, true)
	}
}

// control takes control data, from whatever lane: each kind is signed or confirmed by itself.
func (r *core) control(data []byte, lane uint8, now time.Time) error {
	b := data[1:]
	switch data[0] {
	case typeEntry:
		return r.takeEntry(b, now)
	case typeStatement:
		return r.takeStatement(b, now)
	case typeSeeds:
		return r.takeSeeds(b, lane, now)
	case typeHanded:
		if len(b) <= 32 || len(b) >= controlSize { // an item of an answer may be longer than a cell
			return ErrInvalid
		}
		r.aside.hand([32]byte(b), b[32:], lane)
		return nil
	case typeLeaf:
		return r.takeLeaf(b, now)
	case typeOffer:
		return r.takeOffer(b)
	}
	return ErrInvalid
}

// takeEntry takes an entry of members.
func (r *core) takeEntry(b []byte, now time.Time) error {
	e, err := members.Parse(b)
	if err != nil {
		return ErrInvalid
	}
	placed, err := r.set.Take(e)
	if err == members.ErrFull {
		return ErrFull
	} else if err != nil {
		return ErrInvalid
	}
	if len(placed) > 0 {
		r.entriesPlaced(placed, now)
	}
	return nil
}

// A chunk is a piece of the seeds of a rekey.
type chunk struct {
	rekey keys.ID
	index uint8
	lane  uint8
	data  []byte
}

// takeSeeds takes a piece of seeds. Pieces are not signed: a seed is confirmed by its rekey, and a false
// piece beside the right one is tried in vain.
func (r *core) takeSeeds(b []byte, lane uint8, now time.Time) error {
	if len(b) < 34 || len(b) > 33+chunkSize {
		return ErrInvalid
	}
	c := chunk{keys.ID(b), b[32], lane, slices.Clone(b[33:])}
	w := r.words.rekeys[c.rekey]
	if w != nil {
		from, to, ok := seedOf(w.rekey, r.self)
		if r.keys.Whole(c.rekey) || !ok || int(c.index) < from/chunkSize || int(c.index) > (to-1)/chunkSize {
			return nil
		}
	}

	a := &r.aside
	same := 0
	for _, o := range a.chunks {
		if o.rekey == c.rekey && o.index == c.index {
			if string(o.data) == string(c.data) {
				return nil
			}
			same++
		}
	}
	if same >= maxVariants && lane != laneControl {
		return ErrFull
	}
	if len(a.chunks) >= maxChunks { // the oldest goes, of members before admins
		oldest := max(0, slices.IndexFunc(a.chunks, func(o chunk) bool { return o.lane != laneControl }))
		a.chunks = slices.Delete(a.chunks, oldest, oldest+1)
		dropped(r, a.log) // most come by one log
	}
	a.chunks = append(a.chunks, c)
	if w != nil {
		r.trySeeds(w, now)
		r.settle(now)
	}
	return nil
}

// seedOf is where the seed of a member is in the seeds of a rekey: one for each member but the author.
func seedOf(rekey *keys.Rekey, who ID) (from, to int, ok bool) {
	n := 0
	for _, m := range rekey.Members {
		if m == keys.Member(who) {
			return n * keys.SeedSize, (n + 1) * keys.SeedSize, m != rekey.Author
		}
		if m != rekey.Author {
			n++
		}
	}
	return 0, 0, false
}

// trySeeds opens our seed of a rekey, if all pieces of it are here.
func (r *core) trySeeds(w *word, now time.Time) {
	if r.keys.Whole(w.rid) || w.counts && !wantsSeed(r, w, now) {
		r.aside.dropChunks(w.rid)
		return
	}
	from, to, ok := seedOf(w.rekey, r.self)
	if !ok {
		r.aside.dropChunks(w.rid)
		return
	}

	// Both pieces, in each variant of them.
	first, last := from/chunkSize, (to-1)/chunkSize
	for _, one := range r.aside.variants(w.rid, first) {
		for _, two := range r.aside.variants(w.rid, last) {
			all, at := one, from-first*chunkSize
			if last > first {
				if len(one) != chunkSize {
					continue
				}
				all = append(slices.Clone(one), two...)
			}
			if at+keys.SeedSize > len(all) {
				continue
			}
			if r.openSeed(w, all[at:at+keys.SeedSize], now) {
				r.aside.dropChunks(w.rid)
				return
			}
		}
	}
}

// wantsSeed reports whether the seed of a rekey that counts is wanted: of a head, and of a former one that came after the rekey
// that names it, as others spoke under it meanwhile. An erased one does not come back.
func wantsSeed(r *core, w *word, now time.Time) bool {
	return !r.places.forgot(r, w.rid) || r.places.of(w.rid) != nil && r.keys.Held(w.rid) ||
		r.places.of(w.rid) == nil && now.Unix()-w.at < int64(secretsLife/time.Second)
}

func (a *aside) variants(rekey keys.ID, index int) (all [][]byte) {
	for _, c := range a.chunks {
		if c.rekey == rekey && int(c.index) == index {
			all = append(all, c.data)
		}
	}
	return all
}

func (a *aside) dropChunks(rekey keys.ID) {
	a.chunks = slices.DeleteFunc(a.chunks, func(c chunk) bool { return c.rekey == rekey })
}

func (r *core) openSeed(w *word, sealed []byte, now time.Time) bool {
	for _, own := range r.leaves.own {
		if byte(own.counter) != sealed[2] {
			continue
		}
		if given, err := r.keys.Open(w.rid, keys.Member(r.self), own.key, sealed); err == nil {
			r.leaves.used(own, now)
			if p := r.places.of(w.rid); p != nil && p.given != ([32]byte{}) {
				given = [32]byte{} // a step, of later, gave what we have
			}
			r.places.make(r, w.rid, given, now)
			return true
		}
	}
	return false
}

// Leaves are the keys that secrets are sealed to: our own private ones, the newest last, and
// those of others.
type leaves struct {
	own []*ownLeaf
	of  map[ID]leafOf
}

type ownLeaf struct {
	counter uint32
	key     keys.LeafKey
	made    int64
	used    int64 // when a secret was first opened with it; 0: not yet
}

type leafOf struct {
	counter uint32
	leaf    *keys.Leaf // within the record
	record  []byte
	at      int64
}

func (l *leaves) init() { l.of = map[ID]leafOf{} }

func (l *leaves) newest() *ownLeaf { return l.own[len(l.own)-1] }

// used notes the first use of a leaf.
func (l *leaves) used(own *ownLeaf, now time.Time) {
	if own.used == 0 {
		own.used = now.Unix()
	}
}

func leafSaid(group [32]byte, data []byte) []byte { return append(group[:], data[:leafDataSize-64]...) }

// leafData is a leaf record: member 16 ‖ counter 4 ‖ leaf ‖ signature.
func leafData(k members.Key, group [32]byte, counter uint32, leaf *keys.Leaf) []byte {
	var p pen
	id := k.ID()
	p.raw(id[:])
	p.u32(counter)
	p.raw(leaf[:])
	s := k.Sign(kdf.SignLeaf, leafSaid(group, append(p.b, make([]byte, 64)...)))
	p.raw(s[:])
	return p.b
}

// parseLeaf reads a leaf record of the bearer of a key.
func parseLeaf(group [32]byte, b []byte, public func(ID) ([32]byte, bool)) (who ID, l leafOf, ok bool) {
	if len(b) != leafDataSize {
		return who, l, false
	}
	e := readerOf(b)
	who, l.counter = e.id(), e.u32()
	_, err := keys.ParseLeaf(e.Take(keys.LeafSize, keys.LeafSize))
	key, known := public(who)
	if err != nil || !known || !members.Signed(key, kdf.SignLeaf, leafSaid(group, b), e.b64()) {
		return who, l, false
	}
	l.record = slices.Clone(b)
	l.leaf = leafIn(l.record)
	return who, l, true
}

// leafIn is the leaf of a sound record.
func leafIn(record []byte) *keys.Leaf {
	at := len(ID{}) + 4
	return (*keys.Leaf)(record[at : at+keys.LeafSize])
}

// takeLeaf takes a leaf record. The highest counter counts.
func (r *core) takeLeaf(b []byte, now time.Time) error {
	if len(b) == leafDataSize {
		if _, known := r.set.Key(ID(b)); !known {
			return r.park(typeLeaf, ID{}, b)
		}
	}
	who, l, ok := parseLeaf(r.group, b, r.set.Key)
	if !ok {
		return ErrInvalid
	}
	if who == r.self {
		return nil
	}
	had, known := r.leaves.of[who]
	if known && had.counter >= l.counter {
		return nil
	}
	if l.counter > minutes(now)+leafAhead {
		return ErrInvalid
	}
	l.at = now.Unix()
	r.leaves.of[who] = l
	return nil
}

// renew makes a new leaf of ours and tells it.
func (r *core) renew(now time.Time) {
	own := r.leaves.make(now)
	r.post(append([]byte{typeLeaf}, leafData(r.key, r.group, own.counter, own.key.Public())...), false)
}

// minutes is a counter that a restored profile does not repeat.
func minutes(now time.Time) uint32 { return uint32(max(now.Unix()/60, 0)) }

const (
	// leafAhead is how many minutes the counter of a leaf may be ahead of the time. A thief of a key, or a clock
	// that is off, would say the last one there is, and its owner could never make a later one.
	leafAhead = 2 * 24 * 60
	// mostLeaves is how many leaves of our own are kept.
	mostLeaves = 256
)

// make makes a new leaf. Its counter is above those of the leaves before it that others took.
func (l *leaves) make(now time.Time) *ownLeaf {
	n := minutes(now)
	for _, own := range l.own {
		if own.counter <= minutes(now)+leafAhead {
			n = max(n, own.counter+1)
		}
	}
	own := &ownLeaf{counter: n, key: keys.NewLeafKey(), made: now.Unix()}
	l.own = append(l.own, own)
	l.own = l.own[max(0, len(l.own)-mostLeaves):]
	return own
}

// takeTurn takes the word that a segment of a lane is left, from that lane alone.
func takeTurn(r *core, at spot, data []byte) error {
	if len(data) != 3 || data[1] != at.lane || data[2] != at.segment {
		return ErrInvalid
	}
	at.place.turn(at.lane, at.segment)
	return nil
}
