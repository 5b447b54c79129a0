package group

import (
	"slices"
	"time"

	"starling/session/group/keys"
	"starling/session/group/members"
)

// Limits of answers.
const (
	answerData = controlSize - 1 - 4
	maxAnswer  = 2 << 20 // bytes of all items
	maxPieces  = (maxAnswer + answerData - 1) / answerData
	maxItem    = MaxContent
	maxHistory = 1 << 20
)

// The verdict of an answer.
const (
	admitted = 0
	declined = 1
	usedUp   = 2
	over     = 3
	crowded  = 4
)

// A stream is an answer in pieces: the items of control data, each with its length 3 before it.
type stream struct {
	count  int
	pieces map[int][]byte
}

func appendItem(b, data []byte) []byte {
	return append(append(b, byte(len(data)>>16), byte(len(data)>>8), byte(len(data))), data...)
}

// take takes a piece: typeAnswer ‖ index 2 ‖ count 2 ‖ bytes. It returns the whole once it is here.
func (s *stream) take(data []byte) (whole []byte, err error) {
	e := readerOf(data)
	kind, index, count := e.u8(), e.u16(), e.u16()
	if e.Bad || kind != typeAnswer || count == 0 || count > maxPieces || index >= count || len(e.Rest) == 0 ||
		index < count-1 && len(e.Rest) != answerData || s.count != 0 && s.count != count {
		return nil, ErrInvalid
	}
	if s.pieces == nil {
		s.pieces = map[int][]byte{}
	}
	s.count = count
	if s.pieces[index] == nil {
		s.pieces[index] = slices.Clone(e.Rest)
	}
	if len(s.pieces) < s.count {
		return nil, nil
	}
	for i := range s.count {
		whole = append(whole, s.pieces[i]...)
	}
	return whole, nil
}

func (s *stream) append(p *pen) {
	p.u16(s.count)
	p.u16(len(s.pieces))
	for i := range s.count {
		if d := s.pieces[i]; d != nil {
			p.u16(i)
			p.blob(d)
		}
	}
}

func (e *reader) stream() (s stream) {
	s.count = e.u16()
	for range e.Count(2, maxPieces) {
		if s.pieces == nil {
			s.pieces = map[int][]byte{}
		}
		i := e.u16()
		s.pieces[i] = e.blob(answerData)
	}
	e.Bad = e.Bad || s.count > maxPieces || len(s.pieces) > s.count
	return s
}

// items cuts a whole answer.
func items(whole []byte) (all [][]byte, ok bool) {
	if len(whole) > maxAnswer {
		return nil, false
	}
	e := readerOf(whole)
	for len(e.Rest) > 0 {
		n := int(e.Number(3))
		item := e.Take(n, maxItem+1)
		if e.Bad || n == 0 {
			return nil, false
		}
		all = append(all, item)
	}
	return all, len(all) > 0
}

// answerName is the log of an answer.
func answerName(secret [32]byte) [16]byte { return nameOf(publicOf(logKey(secret, laneAnswer, 0))) }

// answer sends items to the log that a secret leads to.
func (r *core) answer(secret [32]byte, mailboxes []Mailbox, all [][]byte) error {
	return answerIn(r, secret, newVault(secret), mailboxes, all)
}

// answerIn sends items to the log of a secret, in cells of another one.
func answerIn(r *core, secret [32]byte, v vault, mailboxes []Mailbox, all [][]byte) error {
	var b []byte
	for _, item := range all {
		b = appendItem(b, item)
	}
	if len(b) > maxAnswer {
		return ErrFull
	}
	v.meet = meetOf(secret)
	count := (len(b) + answerData - 1) / answerData
	for i := range count {
		p := pen{}
		p.u8(typeAnswer)
		p.u16(i)
		p.u16(count)
		p.raw(b[i*answerData : min(len(b), (i+1)*answerData)])
		a := putInto(&v, secret, r.group, laneAnswer, 0, mailboxes, control(p.b))
		a.Urgent = true
		r.out = append(r.out, a)
	}
	return nil
}

// welcome is everything that somebody needs who has nothing: entries, the steps for them, statements,
// the leaves of all, and the contents that nobody has named yet.
func (r *core) welcome(said, sealed [][]byte, history [][]byte) [][]byte {
	all := [][]byte{{typeVerdict, admitted}}
	for _, e := range r.set.Entries() {
		all = append(all, entryData(e))
	}
	all = append(all, sealed...)
	for _, w := range r.words.all {
		if w.rekey != nil {
			all = append(all, statementData(w))
		}
	}
	all = append(all, said...)

	heads := r.keys.Heads()
	for _, w := range r.words.all {
		switch {
		case w.step != nil && !slices.ContainsFunc(w.step.Heads, func(h keys.StepHead) bool { return slices.Contains(heads, h.Rekey) }):
		case w.Topic == members.Card && !slices.Contains(heads, keys.ID(w.Body)):
		case w.rekey == nil:
			all = append(all, statementData(w))
		}
	}
	for _, m := range r.set.Members() {
		if l, known := r.leaves.of[m.ID]; known {
			all = append(all, append([]byte{typeLeaf}, l.record...))
		}
	}
	own := r.leaves.newest()
	all = append(all, append([]byte{typeLeaf}, leafData(r.key, r.group, own.counter, own.key.Public())...))

	seen := []byte{typeSeen}
	for _, ref := range r.refs() {
		seen = append(seen, ref[:]...)
	}
	all = append(all, seen)
	for _, h := range history {
		all = append(all, append([]byte{typeHistory}, h...))
	}
	return all
}

// refs is the contents that the next ones may name as causes, or as the one before: a newcomer knows
// them as said before.
func (r *core) refs() (all []Ref) {
	e := &r.ear
	all = slices.Concat(e.frontier, e.before)
	for _, id := range sorted(e.last) {
		if r.set.Role(id) != Nobody {
			all = append(all, e.last[id]...)
		}
	}
	if e.mine != (Ref{}) {
		all = append(all, e.mine)
	}
	slices.SortFunc(all, func(a, b Ref) int { return slices.Compare(a[:], b[:]) })
	return slices.Compact(all)
}

// takeItems takes the items of an answer in their order. The first entry is known.
func (r *core) takeItems(all [][]byte, now time.Time) (history [][]byte) {
	r.aside.from, r.aside.since = laneControl, now.Unix()
	for _, item := range all {
		switch item[0] {
		case typeVerdict, typeSeen:
		case typeHistory:
			history = append(history, item[1:])
		default:
			r.control(item, laneControl, now)
		}
	}
	r.retry(now)
	return history
}
