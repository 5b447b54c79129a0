package group

import (
	"maps"
	"slices"

	"starling/session/group/keys"
	"starling/session/group/members"
)

// Bounds of a stored state, so that a damaged one asks for no memory.
const (
	stateVersion  = 5
	maxPeople     = 1 << 16
	maxPlaces     = 1 << 12
	maxAside      = 1 << 12
	maxOwnLeaves  = 1 << 10
	maxListsState = 1 << 14
)

// openRows takes the entries and statements.
func openRows(key members.Key, rows [][]byte) (r *Room, err error) {
	for i, row := range rows {
		e := readerOf(row)
		kind, at := e.u8(), e.i64()
		if e.Bad {
			return nil, ErrInvalid
		}
		switch {
		case i == 0 && kind == rowEntry:
			create, err := members.Parse(e.Rest)
			if err != nil {
				return nil, ErrInvalid
			}
			set, err := members.Open(create)
			if err != nil {
				return nil, ErrInvalid
			}
			r = newRoom(key, set)
			r.joined[create.Author] = at
		case r == nil:
			return nil, ErrInvalid
		case kind == rowEntry:
			entry, err := members.Parse(e.Rest)
			if err != nil {
				return nil, ErrInvalid
			}
			if _, err := r.set.Take(entry); err != nil {
				return nil, ErrInvalid
			}
			if entry.Kind == members.SetRole && r.joined[entry.Target] == 0 {
				r.joined[entry.Target] = at
			}
		case kind == rowStatement:
			if err := r.openStatement(e.Rest, at); err != nil {
				return nil, err
			}
		default:
			return nil, ErrInvalid
		}
	}

	for _, id := range r.set.People() {
		r.roles[id] = r.set.Role(id)
	}
	return r, nil
}

// openStatement takes a stored statement.
func (r *core) openStatement(b []byte, at int64) error {
	st, err := members.ParseStatement(b)
	if err != nil {
		return ErrInvalid
	}

	w := &word{Statement: st, id: st.ID(), at: at}
	switch st.Topic {
	case members.Rekey:
		if w.rekey, err = keys.ParseRekey(keys.Member(st.Author), st.Context(), st.Body); err != nil || r.keys.Take(w.rekey) != nil {
			return ErrInvalid
		}
		w.rid = w.rekey.ID(r.group)
	case members.Step:
		if w.step, err = keys.ParseStep(st.Context(), st.Body); err != nil {
			return ErrInvalid
		}
	case members.Card:
		if len(st.Body) < 32 {
			return ErrInvalid
		}
	case members.Return:
		if len(st.Body) != len(keys.Nonce{}) {
			return ErrInvalid
		}
	}
	r.words.add(w)
	return nil
}

func (s *places) append(p *pen) {
	p.u16(len(s.all))
	for _, one := range s.all {
		p.raw(one.rekey[:])
		p.raw(one.vault.secret[:])
		p.raw(one.given[:])
		p.flag(one.doubt)
		p.u8(one.writes)
		p.u8(one.lane)
		p.raw(one.segment[:])
		p.raw(one.low[:])
		p.i64(one.turned)
		for lane, n := range one.junk {
			p.u16(int(n))
			p.flag(one.foul[lane])
		}

		p.i64(one.since)
		p.i64(one.retired)
		p.u16(min(one.taken, 1<<15))
		p.flag(one.card != nil)
		if one.card != nil {
			p.raw(one.cardID[:])
			one.card.append(p)
		}
	}
}

func (s *places) read(e *reader) {
	for range e.Count(2, maxPlaces) {
		one := &place{rekey: e.b32(), vault: newVault(e.b32()), given: e.b32(), doubt: e.flag(), writes: e.u8(), lane: e.u8()}
		one.derive()
		e.Into(one.segment[:])
		e.Into(one.low[:])
		one.turned = e.i64()
		for lane := range one.junk {
			one.junk[lane], one.foul[lane] = uint16(e.u16()), e.flag()
		}
		one.since, one.retired, one.taken = e.i64(), e.i64(), e.u16()
		if e.flag() {
			one.cardID = e.b32()
			one.card = e.card()
		}
		for lane, n := range one.segment {
			e.Bad = e.Bad || n >= segments || one.low[lane] > n
		}
		e.Bad = e.Bad || one.writes > writesRoot || one.lane > laneLast
		if e.Bad {
			return
		}
		s.all = append(s.all, one)
	}
}

func sorted[V any](m map[ID]V) []ID {
	return slices.SortedFunc(maps.Keys(m), func(a, b ID) int { return slices.Compare(a[:], b[:]) })
}

func (l *leaves) append(p *pen) {
	p.u16(len(l.own))
	for _, own := range l.own {
		p.u32(own.counter)
		p.raw(own.key.Bytes())
		p.i64(own.made)
		p.i64(own.used)
	}
}

func (l *leaves) read(e *reader) {
	for range e.Count(2, maxOwnLeaves) {
		own := &ownLeaf{counter: e.u32()}
		key, err := keys.ParseLeafKey(e.Take(keys.LeafKeySize, keys.LeafKeySize))
		own.key, own.made, own.used = key, e.i64(), e.i64()
		if e.Bad = e.Bad || err != nil; e.Bad {
			return
		}
		l.own = append(l.own, own)
	}
}

func (l *leaves) appendOf(p *pen, who ID) {
	p.i64(l.of[who].at)
	p.raw(l.of[who].record)
}

func (l *leaves) readOf(e *reader, who ID) {
	at := e.i64()
	record := e.Take(leafDataSize, leafDataSize)
	if e.Bad = e.Bad || ID(record) != who; e.Bad {
		return
	}
	// The signature was checked when it came.
	c := readerOf(record[len(who):])
	one := leafOf{counter: c.u32(), record: record, at: at}
	_, err := keys.ParseLeaf(c.Take(keys.LeafSize, keys.LeafSize))
	e.Bad = err != nil
	one.leaf = leafIn(record)
	l.of[who] = one
}

func (a *ear) append(p *pen) {
	p.raw(a.mine[:])
	p.raw(a.stated[:])
	appendRefs(p, a.frontier)
	appendRefs(p, a.named)
}

func (a *ear) read(e *reader) {
	a.mine, a.stated = Ref(e.b16()), e.b8()
	a.frontier, a.named = readRefs(e, maxCauses), readRefs(e, maxNamed)
}

func appendRefs(p *pen, refs []Ref) {
	p.u16(len(refs))
	for _, ref := range refs {
		p.raw(ref[:])
	}
}

func readRefs(e *reader, most int) (refs []Ref) {
	for range e.Count(2, most) {
		refs = append(refs, Ref(e.b16()))
	}
	return refs
}

// appendOf appends the newest of one member.
func (a *ear) appendOf(p *pen, who ID) {
	p.u8(uint8(len(a.notes[who])))
	for _, n := range a.notes[who] {
		p.raw(n.list[:])
		p.raw(n.nonce[:])
		p.u32(n.number)
		p.raw(n.body[:])
		p.raw(n.signature[:])
		p.flag(n.forked)
	}
	p.u8(uint8(len(a.said[who])))
	for _, content := range a.said[who] {
		p.raw(content[:])
	}
	appendRefs(p, a.last[who])
}

func (a *ear) readOf(e *reader, who ID) {
	a.notes[who] = nil
	for range e.Count(1, maxNotes) {
		n := note{}
		e.Into(n.list[:])
		n.nonce, n.number, n.body, n.signature, n.forked = e.b16(), e.u32(), e.b32(), e.b64(), e.flag()
		a.notes[who] = append(a.notes[who], n)
	}
	for range e.Count(1, maxSaid) {
		a.said[who] = append(a.said[who], e.b16())
	}
	if last := readRefs(e, maxLast); last != nil {
		a.last[who] = last
	}
}

// appendHalves appends messages of several cells, as far as they came.
func (a *ear) appendHalves(p *pen) {
	p.u16(len(a.partial))
	for _, one := range a.partial {
		p.raw(one.sender[:])
		p.raw(one.id[:])
		p.u8(uint8(one.count))
		p.raw(one.previous[:])
		p.u8(uint8(len(one.causes)))
		for _, c := range one.causes {
			p.raw(c[:])
		}
		p.u8(uint8(len(one.pieces)))
		for _, i := range slices.Sorted(maps.Keys(one.pieces)) {
			p.u8(uint8(i))
			p.blob(one.pieces[i])
		}
	}
}

func (a *ear) readHalves(e *reader) {
	for range e.Count(2, mostPartials) {
		one := &partial{sender: e.id(), id: e.b16(), count: int(e.u8()), previous: Ref(e.b16()), pieces: map[int][]byte{}}
		for range e.Count(1, maxCauses) {
			one.causes = append(one.causes, Ref(e.b16()))
		}
		for range e.Count(1, maxCount) {
			i := int(e.u8())
			one.pieces[i] = e.blob(dataSize)
			e.Bad = e.Bad || i >= one.count
		}
		a.partial = append(a.partial, one)
	}
}

func (d *door) append(p *pen) {
	p.u8(uint8(len(d.links)))
	for _, l := range d.links {
		p.blob(l.encode())
		p.raw(l.leaf.Bytes())
	}
	p.u16(len(d.requests))
	for _, q := range d.requests {
		p.raw(q.id[:])
		p.raw(q.link[:])
		p.i64(q.at)
		for _, variants := range q.pieces {
			p.u8(uint8(len(variants)))
			for _, b := range variants {
				p.blob(b)
			}
		}
		p.flag(q.person != nil)
		if q.person != nil {
			p.blob(q.person.Append(nil))
			p.raw(q.leaf.record)
			p.raw(q.answer[:])
		}
	}

	p.u16(len(d.handled))
	for _, id := range d.handled {
		p.raw(id[:])
	}
	p.u8(uint8(len(d.logs)))
	for _, l := range d.logs {
		p.raw(l.key[:])
		p.i64(l.at)
		appendMailboxes(p, l.mailboxes)
	}
}

func (d *door) read(e *reader, group [32]byte) {
	for range e.Count(1, MaxLinks) {
		i, err := parseInviteBytes(e.blob(maxLinkText))
		key, err2 := keys.ParseLeafKey(e.Take(keys.LeafKeySize, keys.LeafKeySize))
		if e.Bad = e.Bad || err != nil || err2 != nil || i.group != group; e.Bad {
			return
		}
		d.links = append(d.links, &link{invite: *i, leaf: key})
	}
	for range e.Count(2, MaxWaiting) {
		q := &request{id: e.b16(), link: e.b16(), at: e.i64()}
		for i := range q.pieces {
			for range e.Count(1, maxVariants) {
				q.pieces[i] = append(q.pieces[i], e.blob(requestData))
			}
		}
		if e.flag() {
			person, err := members.ParsePerson(e.blob(512))
			q.leaf.record = e.Take(leafDataSize, leafDataSize)
			q.answer = e.b32()
			if e.Bad = e.Bad || err != nil; e.Bad {
				return
			}
			who, leaf, ok := parseLeaf(group, q.leaf.record, func(ID) ([32]byte, bool) { return person.Key, true })
			e.Bad = e.Bad || !ok || who != person.ID()
			q.person, q.leaf = person, leaf
		}
		d.requests = append(d.requests, q)
	}

	for range e.Count(2, maxHandled) {
		d.handled = append(d.handled, e.b16())
	}
	for range e.Count(1, maxDoors) {
		d.logs = append(d.logs, &doorLog{key: e.b32(), at: e.i64(), mailboxes: e.mailboxes()})
	}
}

func (d *duty) append(p *pen) {
	p.blob([]byte(d.view))
	p.flag(d.offer != nil)
	if d.offer != nil {
		p.blob(d.offer.Append(nil))
	}
	p.i64(d.rekeyDue)
	p.i64(d.lacking)
	p.u32(uint32(d.asked))
	p.i64(d.lastNeed)
	p.i64(d.relief)
	p.u16(len(d.needs))
	for _, n := range d.needs {
		n.append(p)
	}
	d.behind.append(p)
	d.relay.append(p)

	p.u16(len(d.favours))
	for _, id := range sorted(d.favours) {
		p.raw(id[:])
		p.i64(d.favours[id])
	}

	p.u16(len(d.unkeyed))
	for _, id := range sorted(d.unkeyed) {
		p.raw(id[:])
		p.i64(d.unkeyed[id])
	}
	p.u16(len(d.lists))
	for _, l := range slices.SortedFunc(maps.Keys(d.lists), func(a, b keys.Digest) int { return slices.Compare(a[:], b[:]) }) {
		p.raw(l[:])
		p.i64(d.lists[l])
	}

	// Rekeys that somebody cannot read, and the lanes in which they were dealt out.
	p.u8(uint8(len(d.troubles)))
	for _, t := range d.troubles {
		p.raw(t.rekey[:])
		p.u8(t.lane)
		p.raw(t.by[:])
		p.flag(t.proved)
	}
	p.u8(uint8(len(d.deals)))
	for _, one := range d.deals {
		p.raw(one.rekey[:])
		p.flag(one.alone)
		p.u16(len(one.lane))
		for _, id := range sorted(one.lane) {
			p.raw(id[:])
			p.u8(one.lane[id])
		}
	}
}

func (d *duty) read(e *reader) {
	d.view = string(e.blob(64))
	if e.flag() {
		offer, err := members.Parse(e.blob(controlSize))
		e.Bad = e.Bad || err != nil
		d.offer = offer
	}
	d.rekeyDue, d.lacking, d.asked, d.lastNeed, d.relief = e.i64(), e.i64(), int(e.u32()), e.i64(), e.i64()
	for range e.Count(2, maxNeeds) {
		d.needs = append(d.needs, readNeed(e))
	}
	d.behind, d.relay = readNeed(e), readNeed(e)

	for range e.Count(2, maxPeople) {
		id := e.id()
		d.favours[id] = e.i64()
	}
	for range e.Count(2, maxPeople) {
		id := e.id()
		d.unkeyed[id] = e.i64()
	}
	for range e.Count(2, maxListsState) {
		l := keys.Digest(e.b8())
		d.lists[l] = e.i64()
	}
	for range e.Count(1, lanes*maxDeals) {
		d.troubles = append(d.troubles, trouble{e.b32(), e.u8(), e.id(), e.flag()})
	}
	for range e.Count(1, maxDeals) {
		one := deal{rekey: e.b32(), alone: e.flag(), lane: map[ID]uint8{}}
		for range e.Count(2, maxPeople) {
			id := e.id()
			one.lane[id] = e.u8()
		}
		d.deals = append(d.deals, one)
	}
}

func (n *need) append(p *pen) {
	p.raw(n.who[:])
	p.u8(uint8(len(n.heads)))
	for _, h := range n.heads {
		p.raw(h[:])
	}
	p.u8(uint8(len(n.knows)))
	for _, h := range n.knows {
		p.raw(h[:])
	}
	p.i64(n.at)
	p.raw(n.from[:])
	p.raw(n.answer[:])
	appendMailboxes(p, n.mailboxes)
}

func readNeed(e *reader) need {
	n := need{who: e.id()}
	for range e.Count(1, headsOfNeed) {
		n.heads = append(n.heads, e.b32())
	}
	for range e.Count(1, members.MaxParents) {
		n.knows = append(n.knows, e.b32())
	}
	n.at, n.from, n.answer, n.mailboxes = e.i64(), e.b32(), e.b32(), e.mailboxes()
	return n
}

func (a *aside) append(p *pen) {
	p.u16(len(a.waits))
	for _, w := range a.waits {
		p.u8(w.kind)
		p.raw(w.author[:])
		p.blob(w.data)
		p.u8(w.from)
		p.i64(w.since)
	}
	p.u8(uint8(len(a.handed)))
	for _, h := range a.handed {
		p.raw(h.context[:])
		p.blob(h.sealed)
	}
	p.u8(uint8(len(a.chunks)))
	for _, c := range a.chunks {
		p.raw(c.rekey[:])
		p.u8(c.index)
		p.u8(c.lane)
		p.blob(c.data)
	}
}

func (a *aside) read(e *reader) {
	for range e.Count(2, maxAside) {
		w := waiting{kind: e.u8(), author: e.id(), data: e.blob(innerSize), from: e.u8(), since: e.i64()}
		e.Bad = e.Bad || w.from > laneOpen || w.kind == kindDropped && len(w.data) != len(w.log)
		a.waits = append(a.waits, w)
	}
	for range e.Count(1, maxHanded) {
		a.handed = append(a.handed, handed{e.b32(), e.blob(controlSize)})
	}
	for range e.Count(1, maxChunks) {
		a.chunks = append(a.chunks, chunk{e.b32(), e.u8(), e.u8(), e.blob(chunkSize)})
	}
}

func (b *back) append(p *pen) {
	p.flag(b.restored)
	p.i64(b.since)
	p.i64(b.active)
	p.flag(b.away)
	p.flag(b.asked)
	p.raw(b.answer[:])
	appendMailboxes(p, b.at)
	p.raw(b.nonce[:])
	p.i64(b.quiet)
	(&stream{}).append(p) // of an older version
	p.i64(b.knocked)
	p.i64(b.said)
	p.i64(b.listens)
	p.flag(b.copied)
	p.flag(b.old)
	p.flag(b.unheard)
}

func (b *back) read(e *reader) {
	b.restored, b.since, b.active, b.away, b.asked, b.answer, b.at = e.flag(), e.i64(), e.i64(), e.flag(), e.flag(), e.b32(), e.mailboxes()
	b.nonce, b.quiet = e.b16(), e.i64()
	e.stream()
	b.knocked, b.said, b.listens = e.i64(), e.i64(), e.i64()
	b.copied, b.old, b.unheard = e.flag(), e.flag(), e.flag()
	if b.opened = true; b.restored {
		b.ended = map[end]bool{}
	}
}

// State returns all parts of the state: there is one, and a room that comes of it has that as well.
func (j *Joining) State() map[string][]byte {
	p := &pen{}
	p.u8(stateVersion)
	p.blob(j.invite.encode())
	p.blob([]byte(j.name))
	p.raw(j.key.Bytes())
	p.raw(j.leaf.Bytes())
	p.raw(j.answer[:])
	p.flag(j.asked)
	j.came.append(p)
	return map[string][]byte{partFirst: p.b}
}

// OpenJoining opens a stored Joining.
func OpenJoining(state map[string][]byte) (*Joining, error) {
	e := readerOf(state[partFirst])
	version := e.u8()
	i, err := parseInviteBytes(e.blob(maxLinkText))
	if err != nil || version != stateVersion {
		return nil, ErrInvalid
	}
	j := &Joining{invite: i, name: string(e.blob(MaxName))}
	key, err := members.ParseKey(e.Take(members.SeedSize, members.SeedSize))
	leaf, err2 := keys.ParseLeafKey(e.Take(keys.LeafKeySize, keys.LeafKeySize))
	j.key, j.leaf, j.answer, j.asked, j.came = key, leaf, e.b32(), e.flag(), e.stream()
	if err != nil || err2 != nil || !e.Done() || len(state) != 1 {
		return nil, ErrInvalid
	}
	return j, nil
}
