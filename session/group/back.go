package group

import (
	"crypto/rand"
	"encoding/hex"
	"slices"
	"time"

	"starling/session/group/keys"
	"starling/session/group/members"
	"starling/session/internal/kdf"
	"starling/session/internal/secret"
)

// quietAfter is how long an admin changes no roles after a restore.
const quietAfter = time.Hour

// silentAfter is how long both mailboxes are waited for; then one is enough. It may be gone for good.
const silentAfter = time.Hour

// knockAgain is how long somebody waits for the answer to a knock before the next one. Owner and admins go on
// without an answer after silentAfter.
const knockAgain = 24 * time.Hour

const knockSize = 1 + leafDataSize + 32 + 64

// Back is the way back into the room: after a restore, or from a long absence.
type back struct {
	secret.Hidden

	restored bool
	since    int64 // when that was first acted upon
	ended    map[end]bool
	opened   bool  // from disk, and not acted upon yet
	active   int64 // when Due was called last
	away     bool  // the logs are gone
	asked    bool  // we have knocked
	answer   [32]byte
	at       []Mailbox
	answers  []*answering
	nonce    keys.Nonce // of our chain, since the last return
	quiet    int64      // until when no roles are changed
	knocked  int64
	said     int64 // when we last said everything again
	listens  int64 // until when nothing is said: others may know more

	copied  bool // we are a backup
	old     bool // and were not there for so long that others may have left the place
	unheard bool // back from that without the word of anybody, and nobody was heard since
}

// An end is a log at a mailbox that was read to its end.
type end struct {
	name    [16]byte
	mailbox [32]byte
}

// silent reports whether nothing may be sealed or signed yet.
func (b *back) silent() bool { return b.restored || b.away }

// Restored says that the state is from a backup: it may be behind.
func (r *Room) Restored() {
	r.back.begin()
	r.back.copied = true
}

func (b *back) begin() { b.restored, b.since, b.ended = true, 0, map[end]bool{} }

// current reports whether the others still read where we write: they do for placeLife after any change.
func (b *back) current(now time.Time) bool {
	return !b.silent() && now.Sub(time.Unix(b.active, 0)) < placeLife-renewAfter
}

// noteAge begins a return if the state is of a time that others need not read any more.
func (b *back) noteAge(now time.Time) {
	if !b.opened || b.active == 0 || now.Sub(time.Unix(b.active, 0)) <= placeLife {
		return
	}
	b.opened, b.old = false, true
	if !b.restored {
		b.begin()
	}
}

// Unheard reports whether perhaps nobody reads us: see [Unheard].
func (r *Room) Unheard() bool { return r.back.unheard }

// heardFrom notes that somebody of the room is where we are.
func (b *back) heardFrom(who, self ID) { b.unheard = b.unheard && who == self }

// Away reports whether we look for the place of the room.
func (r *Room) Away() bool { return r.back.away }

// Listening reports whether nothing is said, as others may know more.
func (r *Room) Listening(now time.Time) bool { return r.back.listening(now) }

// Returning reports whether the control lanes are still to be read to their end.
func (r *Room) Returning() bool { return r.back.restored }

// Ended says that a log was read to its end at a mailbox.
func (r *Room) Ended(name [16]byte, mailbox [32]byte, now time.Time) []Event {
	r.dueBack(now)
	if !r.back.restored {
		return r.flush()
	}
	r.back.ended[end{name, mailbox}] = true
	if r.readToEnd(Mailboxes) {
		r.comeBack(now)
	}
	return r.flush()
}

// readToEnd reports whether each control lane was read to its end, at so many of its mailboxes, or at one of any.
func (r *core) readToEnd(at int) bool {
	for _, p := range r.places.all {
		if p.card == nil {
			continue
		}
		for segment := range p.segment[laneControl] + 1 {
			n, elsewhere := 0, 0
			for e := range r.back.ended {
				switch {
				case e.name != p.name(laneControl, segment):
				case slices.ContainsFunc(p.card.mailboxes, func(m Mailbox) bool { return m.Node == e.mailbox }):
					n++
				default:
					elsewhere++
				}
			}
			// Where it lies while these are gone there may be less.
			if n < min(at, len(p.card.mailboxes)) && (at > 1 || elsewhere == 0) {
				return false
			}
		}
	}
	return true
}

// dueBack begins a return after a long absence, and goes on with one mailbox if the other is silent.
func (r *core) dueBack(now time.Time) (next time.Time) {
	rewind(r, now)
	b := &r.back
	b.noteAge(now)
	b.opened, b.active = false, now.Unix()

	if b.asked {
		next = dueKnock(r, now)
	}
	if end := time.Unix(b.listens, 0); now.Before(end) {
		next = earliest(next, end)
	}
	if !b.restored {
		return next
	}

	if b.since == 0 {
		b.since = now.Unix()
	}
	if end := time.Unix(b.since, 0).Add(silentAfter); now.Before(end) {
		return earliest(next, end)
	}
	if r.readToEnd(1) && len(b.ended) > 0 {
		r.comeBack(now)
		return time.Time{}
	}
	return earliest(next, now.Add(silentAfter))
}

// dueKnock ends the wait for an answer that does not come: owner and admins go on without one, others knock again.
func dueKnock(r *core, now time.Time) time.Time {
	leads, again := r.set.Role(r.self) >= Admin, knockAgain
	if leads {
		again = silentAfter
	}
	switch when := time.Unix(r.back.knocked, 0).Add(again); {
	case now.Before(when):
		return when
	case leads:
		goOn(r, now)
		return time.Time{}
	}
	knock(r, now)
	return now.Add(knockAgain)
}

// goOn comes back without the word of anybody.
func goOn(r *core, now time.Time) {
	b := &r.back
	all, _ := r.rankers()
	// Without a copy the only one that makes keys has the newest.
	lost := b.old && (b.copied || len(all) > 1) && len(r.set.Members()) > 1
	b.asked = false
	r.comeBack(now)
	sayAgain(r, now)
	if lost {
		b.unheard = true
		r.tell(Unheard{})
	}
}

// comeBack tells that we are back: under another nonce, so that no key and no number is used twice,
// and with a new leaf.
func (r *core) comeBack(now time.Time) {
	r.back.restored, r.back.away, r.back.ended = false, false, nil
	r.back.copied, r.back.old, r.back.unheard = false, false, false
	if r.set.Role(r.self) == Nobody {
		return
	}
	rand.Read(r.back.nonce[:])
	w := r.statement(members.Return, random(), bodyOf(r.back.nonce[:]))
	w.at = now.Unix()
	r.keep(w, now)
	r.post(statementData(w), true)
	if !r.back.asked {
		r.renew(now)
	}
	r.back.asked, r.back.answers = false, nil
	if r.set.Role(r.self) >= Admin {
		r.back.quiet = now.Add(quietAfter).Unix()
	}
	if lostOwn(r) {
		r.back.listens = now.Add(listensFor).Unix()
	}
	r.settle(now)
}

// Lost says that the room's logs are not at the mailboxes any more. An owner or admin that was there until now says everything
// again, for those that have not read it; so does the only one with the right to rekey, once back. All others
// knock at the room's door, with a new leaf, and are answered there. Somebody that was not there lately is silent until
// then: perhaps the place where they would speak is not read any more.
func (r *Room) Lost(now time.Time) error {
	b := &r.back
	b.noteAge(now)
	all, own := r.rankers()
	switch here := b.current(now); {
	case r.set.Role(r.self) == Nobody:
		return ErrGone
	case own >= 0 && here:
		sayAgain(&r.core, now)
	case own >= 0 && len(all) == 1:
		if b.restored {
			b.listens = now.Add(listensFor).Unix()
		}
		goOn(&r.core, now)
	case b.asked || b.knocked != 0 && now.Sub(time.Unix(b.knocked, 0)).Abs() < favourRest:
		b.away = b.away || b.asked && !here
	case len(r.door.logs) == 0:
		return ErrInvalid
	default:
		b.away = b.away || !here
		knock(&r.core, now)
	}
	return nil
}

// LostLog says that no mailbox has anything of another log: the card of a link is put there again.
func (r *Room) LostLog(name [16]byte) {
	if l := r.places.index[name].link; l != nil {
		postLink(&r.core, l)
	}
}

// knock knocks at the last door that we know.
func knock(r *core, now time.Time) {
	d := r.door.logs[len(r.door.logs)-1]
	own := r.leaves.make(now)
	b := &r.back
	b.asked, b.knocked, b.at, b.answers = true, now.Unix(), d.mailboxes, nil
	rand.Read(b.answer[:])

	data := knockData(r.key, r.group, leafData(r.key, r.group, own.counter, own.key.Public()), b.answer)
	v := newVault(d.key)
	a := putInto(&v, d.key, r.group, laneDoor, 0, d.mailboxes, control(data))
	a.Urgent = true
	r.out = append(r.out, a)
	r.places.reindex(r)
}

// sayAgain says the newest entries and statements again at each place, for those that had not read them when they were lost, and the
// cards of our links. A cell that is there still is the same one.
func sayAgain(r *core, now time.Time) {
	if b := &r.back; b.said != 0 && now.Sub(time.Unix(b.said, 0)).Abs() < favourRest {
		return
	}
	r.back.said = now.Unix()

	for _, p := range r.places.all {
		w := r.words.rekeys[p.rekey]
		if p.card == nil || p.crowded || w == nil {
			continue
		}
		var all [][]byte
		for _, e := range r.set.Since(w.Parents) {
			all = append(all, entryData(e))
		}
		for _, o := range r.words.all {
			if o.at >= w.at {
				all = append(all, statementData(o))
			}
		}
		lane := p.controlLane()
		for _, data := range all[max(0, len(all)-maxMissed):] {
			r.postAt(p, lane, data, true)
		}
	}
	for _, l := range r.door.links {
		postLink(r, l)
	}
}

// knockData is a knock: a leaf record, and the secret of the answer, signed.
func knockData(k members.Key, group [32]byte, record []byte, answer [32]byte) []byte {
	p := pen{}
	p.u8(typeKnock)
	p.raw(record)
	p.raw(answer[:])
	signature := k.Sign(kdf.SignKnock, append(group[:], p.b...))
	p.raw(signature[:])
	return p.b
}

// places are the log of the answer to a knock.
func (b *back) places(r *core) []Place {
	if !b.asked {
		return nil
	}
	name := answerName(b.answer)
	p := Place{Key: "back-" + hex.EncodeToString(name[:8]), Mailboxes: b.at, Door: true}
	p.add(name, meetOf(b.answer))
	return []Place{p}
}

// takeKnock takes the knock of a member that has lost the place.
func (r *core) takeKnock(d *doorLog, e Entry, now time.Time) error {
	v := newVault(d.key)
	in, ok := v.open(r.group, laneDoor, e.Tag, e.Box)
	if !ok {
		return ErrInvalid
	}
	data, ok := in.controlData()
	if !ok || len(data) != knockSize || data[0] != typeKnock {
		return ErrInvalid
	}

	who, l, ok := parseLeaf(r.group, data[1:1+leafDataSize], r.set.Key)
	public, known := r.set.Key(who)
	signed := data[:knockSize-64]
	if !ok || !known || !members.Signed(public, kdf.SignKnock, append(r.group[:], signed...), [64]byte(data[knockSize-64:])) {
		return ErrInvalid
	}
	had, known := r.leaves.of[who]
	if known && had.counter >= l.counter || l.counter > minutes(now)+leafAhead || who == r.self || r.set.Role(who) == Nobody || r.set.Role(r.self) < Admin {
		return nil
	}
	l.at = now.Unix()
	r.leaves.of[who] = l
	r.duty.add(need{who: who, at: now.Unix(), answer: [32]byte(data[1+leafDataSize:]), mailboxes: slices.Clone(d.mailboxes)})
	return nil
}
