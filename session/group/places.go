package group

import (
	"cmp"
	"slices"
	"time"

	"starling/session/group/keys"
)

// How long logs are read after their rekey was last a head. Mailboxes keep entries as long.
const placeLife = 14 * 24 * time.Hour

// maxPlacesOf is how many places by one author are read: the lowest heads, then the latest former ones. So rekeys
// without end do not make logs to follow without end.
const maxPlacesOf = 32

// Places are the logs that are read, and where each log's name leads.
type places struct {
	all   []*place
	index map[[16]byte]spot
	also  []*place // where control data goes, too

	reading keys.ID // the place of the entry that is being taken
}

// A spot is a log: of a place, or of one of the logs beside them.
type spot struct {
	place   *place
	lane    uint8
	segment uint8
	link    *link
	door    *doorLog
}

func (s *places) init() { s.index = map[[16]byte]spot{} }

// of returns the place of a rekey, or nil.
func (s *places) of(rekey keys.ID) *place {
	for _, p := range s.all {
		if p.rekey == rekey {
			return p
		}
	}
	return nil
}

// forgot reports whether the secrets of a rekey are not needed any more.
func (s *places) forgot(r *core, rekey keys.ID) bool { return !slices.Contains(r.keys.Heads(), rekey) }

// make makes the place of a rekey with secrets here, and gives it the secret that came along.
func (s *places) make(r *core, rekey keys.ID, given [32]byte, now time.Time) *place {
	p := s.of(rekey)
	if p == nil {
		pi, err := r.keys.Place(rekey)
		if err != nil {
			return nil
		}
		p = newPlace(rekey, pi, now)
		s.all = append(s.all, p)
	}
	p.give(given, r.self)
	return p
}

// settle finds cards for places, and retires those that are no heads.
func (s *places) settle(r *core, now time.Time) {
	heads := r.keys.Heads()
	for _, id := range heads {
		s.make(r, id, [32]byte{}, now)
	}
	for _, p := range s.all {
		s.findCard(r, p)
		switch head := slices.Contains(heads, p.rekey); {
		case head:
			p.retired = 0
		case p.retired == 0:
			p.retired = now.Unix()
		}
	}
	if p := r.writing(); p != nil && p.card != nil && !r.duty.moving {
		r.mailboxes = p.card.mailboxes
	}
	s.crowded(r)
	s.reindex(r)
}

// findCard takes the card of a place. It is by the author of the rekey; of two of theirs the lower id, and both are
// doubted.
func (s *places) findCard(r *core, p *place) {
	rekey, all := r.words.rekeys[p.rekey], r.words.cards[p.rekey]
	if rekey == nil || p.seen == len(all) {
		return
	}
	p.seen = len(all)

	var best *word
	var chosen *card
	n := 0
	for _, w := range all {
		if w.Author != rekey.Author {
			continue
		}
		c, ok := openCard(r.group, p.vault.secret, w.Context(), w.Body)
		if !ok {
			continue
		}
		if n++; best == nil || slices.Compare(w.id[:], best.id[:]) < 0 {
			best, chosen = w, c
		}
	}
	p.doubt = p.doubt || n > 1
	if best == nil || p.card != nil && p.cardID == best.id {
		return
	}
	p.card, p.cardID = chosen, best.id
	p.learn(r.self)
	r.door.learn(chosen)
}

// reindex finds the log of each name anew.
func (s *places) reindex(r *core) {
	clear(s.index)
	for _, p := range s.all {
		if p.card == nil {
			continue
		}
		for lane := range uint8(lanes) {
			for segment := range uint8(segments) {
				s.index[p.name(lane, segment)] = spot{place: p, lane: lane, segment: segment}
			}
		}
	}
	for _, l := range r.door.links {
		s.index[l.name()] = spot{lane: laneLink, link: l}
	}
	for _, d := range r.door.logs {
		s.index[d.name()] = spot{lane: laneDoor, door: d}
	}
	if r.back.asked {
		s.index[answerName(r.back.answer)] = spot{lane: laneAnswer}
	}
}

// writing is the place that messages go to: of the lowest head.
func (r *core) writing() *place {
	heads := r.keys.Heads()
	if len(heads) == 0 {
		return nil
	}
	return r.places.of(heads[0])
}

// posting is the places for control data: of all heads, or else the newest that we know.
func (r *core) posting() (all []*place) {
	for _, id := range r.keys.Heads() {
		if p := r.places.of(id); p != nil && p.card != nil && !p.crowded {
			all = append(all, p)
		}
	}
	if all = union(all, r.places.also); len(all) > 0 {
		return all
	}
	var newest *place
	for _, p := range r.places.all {
		if p.card != nil && (newest == nil || p.since >= newest.since) {
			newest = p
		}
	}
	if newest != nil {
		all = append(all, newest)
	}
	return all
}

// post puts control data into the places that others read.
func (r *core) post(data []byte, urgent bool) {
	for _, p := range r.posting() {
		r.postAt(p, p.controlLane(), data, urgent)
	}
}

func (r *core) postAt(p *place, lane uint8, data []byte, urgent bool) {
	if a, ok := p.put(r.group, lane, control(data)); ok {
		a.Urgent = urgent
		r.out = append(r.out, a)
	}
}

// Logs returns the logs to follow.
func (r *Room) Logs() (all []Place) {
	if r.set.Role(r.self) == Nobody {
		return nil
	}
	for _, p := range r.places.all {
		if !p.crowded {
			all = append(all, p.logs()...)
		}
	}
	return append(append(all, r.door.places(&r.core)...), r.back.places(&r.core)...)
}

// expire drops places that nobody writes in any more.
func (s *places) expire(r *core, now time.Time) (next time.Time) {
	s.all = slices.DeleteFunc(s.all, func(p *place) bool {
		if p.retired == 0 {
			return false
		}
		end := time.Unix(p.retired, 0).Add(placeLife)
		if now.Before(end) {
			next = earliest(next, end)
			return false
		}
		return true
	})
	s.reindex(r)
	return next
}

// crowded finds the places beyond the most of their author, which are not read, and forgets them unless they are
// heads.
func (s *places) crowded(r *core) {
	of := map[keys.Member][]*place{}
	for _, p := range s.all {
		if w := r.words.rekeys[p.rekey]; w != nil {
			of[w.rekey.Author] = append(of[w.rekey.Author], p)
		}
		p.crowded = false
	}
	for _, all := range of {
		if len(all) <= maxPlacesOf {
			continue
		}
		slices.SortFunc(all, func(a, b *place) int {
			if a.retired == 0 || b.retired == 0 {
				return cmp.Or(cmp.Compare(a.retired, b.retired), slices.Compare(a.rekey[:], b.rekey[:]))
			}
			return cmp.Or(cmp.Compare(b.retired, a.retired), cmp.Compare(b.since, a.since), slices.Compare(a.rekey[:], b.rekey[:]))
		})
		for _, p := range all[maxPlacesOf:] {
			p.crowded = true
		}
	}
	s.all = slices.DeleteFunc(s.all, func(p *place) bool { return p.crowded && p.retired != 0 })
}
