package group

import (
	"slices"
	"time"

	"starling/session/group/keys"
	"starling/session/group/members"
	"starling/session/internal/kdf"
)

// Bounds of memory for each sender.
const (
	maxNotes    = 8  // newest cells, to prove two under one number
	maxSaid     = 16 // newest contents, which come once
	maxPartials = 4  // contents in pieces
	maxNamed    = 256
	maxLast     = 3   // newest refs, which the next content may name as the one before
	maxBefore   = 256 // refs of before we came
	allPartials = 1 << 20

	mostPartials = 256 // of all together
	cutSize      = 8 + 4
)

// An ear hears: it knows the newest cells of each sender, the contents in pieces, and the contents
// that nobody has named as a cause yet.
type ear struct {
	notes    map[ID][]note
	said     map[ID][][16]byte
	last     map[ID][]Ref
	before   []Ref // said before we came
	frontier []Ref // heard, and named by nothing that was heard or said
	named    []Ref // named as causes, and not heard yet
	mine     Ref
	partial  []*partial
	dropped  int         // pieces that made room for others
	opened   bool        // a cell was, by the last call of hear
	stated   keys.Digest // the last list that we told in a statement
}

// A note is a cell that was opened.
type note struct {
	list      keys.Digest
	nonce     keys.Nonce
	number    uint32
	body      [32]byte
	signature [64]byte
	forked    bool
}

// A partial is a content of which pieces are missing.
type partial struct {
	sender   ID
	id       [16]byte
	count    int
	previous Ref
	causes   []Ref
	pieces   map[int][]byte
}

func (e *ear) init() {
	*e = ear{notes: map[ID][]note{}, said: map[ID][][16]byte{}, last: map[ID][]Ref{}}
}

// speaks says why nothing can be said now, or nil.
func (r *core) speaks() error {
	role := r.set.Role(r.self)
	switch {
	case role == Nobody:
		return ErrGone
	case role < Writer || r.settings.AdminsOnly && role < Admin:
		return ErrRank
	case r.back.silent() || len(r.keys.Lacking()) > 0:
		return ErrNotYet
	}

	// Nobody speaks under keys of somebody removed. Who left by themselves is heard out.
	for _, id := range r.remaining() {
		if e := r.set.Given(id); e == nil || e.Kind != members.Leave {
			return ErrNotYet
		}
	}
	p := r.writing()
	if p == nil || p.card == nil {
		return ErrNotYet
	}
	return nil
}

// Say says a content to the room.
func (r *Room) Say(id [16]byte, content []byte, now time.Time) error {
	if len(content) > MaxContent {
		return ErrInvalid
	}
	if err := r.speaks(); err != nil {
		return err
	}
	if r.back.listening(now) {
		return ErrNotYet
	}
	p := r.writing()
	if now.Before(p.laneBy()) {
		return ErrNotYet
	}
	lane := p.messageLane()
	if l := r.keys.List(); len(l) > 1 && r.ear.stated != l.Digest() {
		r.ear.stated = l.Digest()
		w := r.statement(members.Heads, random(), bodyOf(l.Append(nil)))
		r.postAt(p, lane, statementData(w), true)
	}

	for _, b := range fragments(r.ear.mine, id, r.ear.frontier, content) {
		list, number, key, err := r.keys.Next(keys.Member(r.self), r.back.nonce)
		if err != nil {
			return ErrNotYet
		}
		m := &message{sender: r.self, number: number, list: list}
		m.seal(r.key, r.group, r.back.nonce, key, b)
		r.ear.note(m, r.back.nonce)
		a, ok := p.put(r.group, lane, m.inner())
		if !ok {
			return ErrNotYet
		}
		a.ID, a.Urgent = id, true
		r.out = append(r.out, a)
	}

	r.ear.mine = refOf(r.group, r.self, id, content)
	r.ear.finished(r.self, id)
	r.ear.frontier = nil
	return nil
}

// note notes an opened cell.
func (e *ear) note(m *message, nonce keys.Nonce) {
	all := append(e.notes[m.sender], note{m.list, nonce, m.number, m.bodyHash(), m.signature, false})
	e.notes[m.sender] = all[max(0, len(all)-maxNotes):]
}

func (e *ear) finished(who ID, id [16]byte) {
	all := append(e.said[who], id)
	e.said[who] = all[max(0, len(all)-maxSaid):]
}

// hearIn takes a message of a lane.
func (r *core) hearIn(in *inner, at spot, e Entry, now time.Time) error {
	m, ok := parseMessage(in)
	if !ok || at.lane == laneOpen && r.settings.AdminsOnly && r.set.Role(m.sender) < Admin {
		return ErrInvalid
	}
	err := r.hear(in, now)
	if err != nil {
		garbage(r, at, e, now)
	}
	if r.ear.opened {
		trails(r, m, at.place, now)
	}
	if n := r.ear.dropped; n > 0 && signedIn(r, at, e) {
		junk(r, at, n)
	}
	r.ear.dropped = 0
	return err
}

// hear takes a message.
func (r *core) hear(in *inner, now time.Time) error {
	r.ear.opened = false
	m, ok := parseMessage(in)
	if !ok {
		return ErrInvalid
	}
	public, known := r.set.Key(m.sender)
	if !known {
		return r.park(kindMessage, ID{}, in[:])
	}
	nonce, ok := r.words.nonceOf(m, r.group, public)
	if !ok {
		// The return that the nonce is from may come behind it, by another lane. As it may be anybody's, it
		// waits with those of nobody.
		r.park(kindStray, ID{}, in[:])
		return ErrInvalid
	}
	if again, done := r.heardBefore(m, nonce); done {
		return again
	}
	if !r.heardOut(m, nonce) {
		return ErrInvalid
	}
	if l, known := r.keys.Known(m.list); known && !r.words.mayUse(l, m.sender) {
		return r.park(kindMessage, m.sender, in[:])
	}

	var b *body
	err := r.keys.OpenCell(m.list, keys.Member(m.sender), nonce, m.number, func(k keys.MessageKey) bool {
		b, ok = m.open(r.group, nonce, k)
		return ok
	})
	switch err {
	case nil:
	case keys.ErrLacking:
		return r.park(kindMessage, m.sender, in[:])
	case keys.ErrAhead: // the newest entries of a log may come first
		if r.aside.count(kindMessage, m.sender) >= maxAsideOf {
			r.ear.dropped++
		}
		return r.park(kindMessage, m.sender, in[:])
	case keys.ErrUsed:
		return nil
	default:
		return ErrInvalid
	}
	r.ear.opened = true
	r.back.heardFrom(m.sender, r.self)
	r.gap(m, nonce)
	r.ear.note(m, nonce)
	r.piece(m, b)
	return nil
}

// nonceOf finds the chain that a cell is of, by its signature: the newest first.
func (a *archive) nonceOf(m *message, group, public [32]byte) (keys.Nonce, bool) {
	all := a.nonces[m.sender]
	for i := len(all) - 1; i >= 0; i-- {
		if m.signed(public, group, all[i]) {
			return all[i], true
		}
	}
	return keys.Nonce{}, m.signed(public, group, keys.Nonce{})
}

// heardBefore finds a cell among the newest. Another body under its number is a proof, told once.
func (r *core) heardBefore(m *message, nonce keys.Nonce) (err error, done bool) {
	for i := range r.ear.notes[m.sender] {
		n := &r.ear.notes[m.sender][i]
		if n.list != m.list || n.nonce != nonce || n.number != m.number {
			continue
		}
		if hash := m.bodyHash(); hash != n.body && !n.forked {
			n.forked = true
			p := Proof{Group: r.group, List: m.list, Sender: m.sender, Nonce: nonce, Number: m.number}
			a, b := p, p
			a.Body, a.Signature = n.body, n.signature
			b.Body, b.Signature = hash, m.signature
			r.tell(Forked{m.sender, a, b})
		}
		return nil, true
	}
	return nil, false
}

// heardOut reports whether the role of a sender lets them speak. Somebody removed, or made a reader, is heard up to the
// numbers that each entry states which did it; somebody that left, as long as their keys open. A leave beside a removal changes nothing.
func (r *core) heardOut(m *message, nonce keys.Nonce) bool {
	if r.set.Role(m.sender) >= Writer {
		return true
	}
	chain := chainOf(m.list, nonce)
	return r.set.Given(m.sender) != nil && !slices.ContainsFunc(r.set.Silenced(m.sender), func(e *members.Entry) bool {
		return !heardUpTo(e.Attached, chain, m.number)
	})
}

// heardUpTo reports whether the word of a removal states a higher number of a chain.
func heardUpTo(cut []byte, chain keys.Digest, number uint32) bool {
	for ; len(cut) >= cutSize; cut = cut[cutSize:] {
		c := readerOf(cut[8:cutSize])
		if keys.Digest(cut) == chain && number < c.u32() {
			return true
		}
	}
	return false
}

// chainOf names a chain: its list, after a return a hash of it with the nonce. Otherwise somebody removed would begin another chain, with numbers
// below those that were heard.
func chainOf(list keys.Digest, nonce keys.Nonce) keys.Digest {
	if nonce == (keys.Nonce{}) {
		return list
	}
	h := kdf.Hash(kdf.RoomHeard, list[:], nonce[:])
	return keys.Digest(h[:8])
}

// cut states the numbers of a person's cells that were heard: later ones are refused by all alike.
func (e *ear) cut(of ID) []byte {
	next := map[keys.Digest]uint32{}
	var order []keys.Digest
	for _, n := range e.notes[of] {
		chain := chainOf(n.list, n.nonce)
		if _, known := next[chain]; !known {
			order = append(order, chain)
		}
		next[chain] = max(next[chain], n.number+1)
	}
	var p pen
	for _, d := range order {
		p.raw(d[:])
		p.u32(next[d])
	}
	return p.b
}

// gap tells of numbers that were skipped.
func (r *core) gap(m *message, nonce keys.Nonce) {
	next, any := uint32(0), false
	for _, n := range r.ear.notes[m.sender] {
		if n.list == m.list && n.nonce == nonce {
			next, any = max(next, n.number+1), true
		}
	}
	if any && m.number > next {
		r.tell(Gap{m.sender, next, m.number - 1})
	}
}

// piece puts a fragment to the others of its content.
func (r *core) piece(m *message, b *body) {
	e := &r.ear
	if slices.Contains(e.said[m.sender], b.id) {
		return
	}
	at := slices.IndexFunc(e.partial, func(p *partial) bool { return p.sender == m.sender && p.id == b.id })
	if at < 0 {
		e.makeRoom(m.sender, func(id ID) bool { return r.set.Role(id) == Nobody })
		e.partial = append(e.partial, &partial{sender: m.sender, id: b.id, count: b.count, pieces: map[int][]byte{}})
		at = len(e.partial) - 1
	}
	p := e.partial[at]
	if p.count != b.count || p.pieces[b.index] != nil {
		return
	}

	p.pieces[b.index] = append([]byte{}, b.data...)
	if b.index == 0 {
		p.previous, p.causes = b.previous, b.causes
	}
	if len(p.pieces) < p.count {
		return
	}
	e.partial = slices.Delete(e.partial, at, at+1)
	r.whole(p, m.number)
}

// makeRoom drops the oldest content in pieces of a sender with too many, or of all too many that of the sender with most;
// of very many small ones the oldest of somebody that has gone, or else of the sender with most of them.
func (e *ear) makeRoom(sender ID, gone func(ID) bool) {
	all := 0
	size, number := map[ID]int{}, map[ID]int{}
	for _, p := range e.partial {
		for _, d := range p.pieces {
			size[p.sender] += len(d)
			all += len(d)
		}
		number[p.sender]++
	}

	from := sender
	switch {
	case number[sender] >= maxPartials:
	case len(e.partial) >= mostPartials:
		from = e.partial[0].sender
		for _, p := range e.partial {
			if was, is := gone(from), gone(p.sender); is && !was || is == was && number[p.sender] > number[from] {
				from = p.sender
			}
		}
	case all < allPartials:
		return
	default:
		for id, n := range size {
			if n > size[from] || n == size[from] && slices.Compare(id[:], from[:]) < 0 {
				from = id
			}
		}
	}
	oldest := slices.IndexFunc(e.partial, func(p *partial) bool { return p.sender == from })
	e.dropped += len(e.partial[oldest].pieces)
	e.partial = slices.Delete(e.partial, oldest, oldest+1)
}

// whole tells of a content that is complete.
func (r *core) whole(p *partial, number uint32) {
	var content []byte
	for i := range p.count {
		content = append(content, p.pieces[i]...)
	}
	e := &r.ear
	e.finished(p.sender, p.id)
	if len(content) > MaxContent {
		return
	}

	said := Said{Member: p.sender, ID: p.id, Content: content, Number: number, Ref: refOf(r.group, p.sender, p.id, content)}
	if p.previous != (Ref{}) {
		said.After = append(said.After, p.previous)
	}
	said.After = append(said.After, p.causes...)
	last := append(e.last[p.sender], said.Ref)
	e.last[p.sender] = last[max(0, len(last)-maxLast):]
	e.cause(said.Ref, said.After)
	r.tell(said)
}

// cause follows the causes: those of a content are named by it, and it is to be named unless something heard before
// names it.
func (e *ear) cause(of Ref, after []Ref) {
	for _, c := range after {
		if at := slices.Index(e.frontier, c); at >= 0 {
			e.frontier = slices.Delete(e.frontier, at, at+1)
		} else if c != e.mine && !slices.Contains(e.named, c) {
			e.named = append(e.named, c)
		}
	}
	e.named = e.named[max(0, len(e.named)-maxNamed):]
	if at := slices.Index(e.named, of); at >= 0 {
		e.named = slices.Delete(e.named, at, at+1)
		return
	}
	e.frontier = append(e.frontier, of)
	e.frontier = e.frontier[max(0, len(e.frontier)-maxCauses):]
}

// takeHeads makes ready for cells under a list that somebody tells.
func (r *core) takeHeads(w *word, b []byte) error {
	l, err := keys.ParseList(w.Body)
	if err != nil {
		return ErrInvalid
	}
	for _, h := range l {
		if r.words.rekeys[h.Rekey] == nil || h.Generation > r.keys.Stated(h.Rekey) {
			return r.park(typeStatement, w.Author, b) // a step may come that states it
		}
	}
	if r.keys.Expect(l) != nil {
		return r.park(typeStatement, w.Author, b)
	}
	return nil
}
