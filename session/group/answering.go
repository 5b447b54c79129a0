package group

import (
	"crypto/rand"
	"slices"
	"time"

	"starling/session/group/keys"
	"starling/session/group/members"
	"starling/session/internal/kdf"
	"starling/session/internal/secret"
)

// The answer to a knock lies where everybody with the door can read and write: all members of the room, and former ones. So its
// cells are of a secret, which its author seals to the leaf of the knock, and signs.

// maxStrangers is how many answers are read of authors that are not known here yet, maxAnswers of all together.
const (
	maxStrangers = 4
	maxAnswers   = 64
)

const secretData = 32 + 16 + 64

// An answering is an answer on its way to us.
type answering struct {
	secret.Hidden

	author    ID
	known     bool // its author has signed it, as far as that is known here
	secret    [32]byte
	signature [64]byte
	came      stream
}

func answerInfo(group [32]byte, who ID, leaf *keys.Leaf) []byte {
	hash := leaf.Hash()
	return slices.Concat([]byte(kdf.RoomAnswer), group[:], who[:], hash[:])
}

func answerSaid(group, knock, secret [32]byte) []byte {
	return slices.Concat(group[:], knock[:], secret[:])
}

// secretCell is the first cell of an answer: its secret, sealed to the leaf of a knock.
func secretCell(k members.Key, group, knock, secret [32]byte, who ID, leaf *keys.Leaf) ([]byte, error) {
	var p pen
	id := k.ID()
	p.raw(secret[:])
	p.raw(id[:])
	signature := k.Sign(kdf.SignAnswer, answerSaid(group, knock, secret))
	p.raw(signature[:])
	sealed, err := keys.SealTo(leaf, answerInfo(group, who, leaf), p.b)
	return append([]byte{typeSecret}, sealed...), err
}

// answerKnock lets a member find the place again.
func (r *core) answerKnock(n need, now time.Time) {
	l := r.leaves.of[n.who]
	r.post(append([]byte{typeLeaf}, l.record...), false)
	said, sealed, err := r.grant(n.who, l, r.keys.Heads(), now)
	r.duty.answered(n.who)
	if err != nil {
		return
	}
	for _, data := range said {
		r.post(data, true)
	}

	var s [32]byte
	rand.Read(s[:])
	cell, err := secretCell(r.key, r.group, n.answer, s, n.who, l.leaf)
	if err != nil {
		return
	}
	v := newVault(n.answer)
	a := putInto(&v, n.answer, r.group, laneAnswer, 0, n.mailboxes, control(cell))
	a.Urgent = true
	r.out = append(r.out, a)
	answerIn(r, n.answer, newVault(s), n.mailboxes, r.welcome(said, sealed, nil))
}

// takeAnswer takes a cell of the answer to our knock.
func (r *core) takeAnswer(e Entry, now time.Time) error {
	open := func(secret [32]byte) ([]byte, bool) {
		v := newVault(secret)
		in, ok := v.open(r.group, laneAnswer, e.Tag, e.Box)
		if !ok {
			return nil, false
		}
		return in.controlData()
	}
	if data, ok := open(r.back.answer); ok {
		return takeSecret(r, data)
	}
	for _, a := range r.back.answers {
		if data, ok := open(a.secret); ok {
			whole, err := a.came.take(data)
			if whole == nil || err != nil {
				return err
			}
			return answered(r, a, whole, now)
		}
	}
	return ErrInvalid
}

// takeSecret takes the secret of an answer. Of each author that is known here the last one counts, as of some others.
func takeSecret(r *core, data []byte) error {
	if data[0] != typeSecret {
		return ErrInvalid
	}
	for _, own := range r.leaves.own {
		if own.made != r.back.knocked {
			continue
		}
		plain, err := own.key.Unseal(answerInfo(r.group, r.self, own.key.Public()), data[1:])
		if err != nil || len(plain) != secretData {
			continue
		}
		e := readerOf(plain)
		a := &answering{secret: e.b32(), author: e.id(), signature: e.b64()}
		if _, a.known = r.set.Key(a.author); a.known && !a.holds(r) {
			return ErrInvalid
		}
		r.back.answering(a)
		return nil
	}
	return ErrInvalid
}

// holds reports whether the author of an answer is known here, and has signed its secret.
func (a *answering) holds(r *core) bool {
	public, known := r.set.Key(a.author)
	return known && members.Signed(public, kdf.SignAnswer, answerSaid(r.group, r.back.answer, a.secret), a.signature)
}

// answering adds an answer in the place of the last of its author, or of the oldest of authors that are not known here.
func (b *back) answering(a *answering) {
	if slices.ContainsFunc(b.answers, func(o *answering) bool { return o.secret == a.secret }) {
		return
	}
	strangers := 0
	for _, o := range b.answers {
		if !o.known {
			strangers++
		}
	}
	out := slices.IndexFunc(b.answers, func(o *answering) bool {
		return a.known && o.known && o.author == a.author || !a.known && !o.known && strangers >= maxStrangers
	})
	if out < 0 && len(b.answers) >= maxAnswers {
		out = 0
	}
	if out >= 0 {
		b.answers = slices.Delete(b.answers, out, out+1)
	}
	b.answers = append(b.answers, a)
}

// answered takes a whole answer. It ends the wait if its author may give one, by all that is known with it.
func answered(r *core, a *answering, whole []byte, now time.Time) error {
	a.came = stream{}
	all, ok := items(whole)
	if !ok {
		return ErrInvalid
	}
	r.takeItems(all, now)
	if len(r.keys.Lacking()) > 0 || r.set.Role(a.author) < Admin || !a.holds(r) {
		return ErrInvalid
	}
	switch b := &r.back; {
	case b.silent():
		r.comeBack(now)
	default: // we have never stopped speaking
		b.asked, b.answers = false, nil
		r.places.reindex(r)
	}
	return nil
}

// appendAnswers and readAnswers are the part of a state of them.
func (b *back) appendAnswers(p *pen) {
	p.u16(len(b.answers))
	for _, a := range b.answers {
		p.raw(a.author[:])
		p.flag(a.known)
		p.raw(a.secret[:])
		p.raw(a.signature[:])
		a.came.append(p)
	}
}

func (b *back) readAnswers(e *reader) {
	for range e.Count(2, maxAnswers) {
		b.answers = append(b.answers, &answering{author: e.id(), known: e.flag(), secret: e.b32(), signature: e.b64(), came: e.stream()})
	}
}
