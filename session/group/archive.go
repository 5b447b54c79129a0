package group

import (
	"crypto/rand"
	"encoding/binary"
	"slices"
	"time"

	"starling/session/group/keys"
	"starling/session/group/members"
)

// How many statements of one topic are kept of one author. Honest people are far below.
const (
	maxWords    = 1024
	maxReturns  = 64 // of somebody that may not rekey
	headsOfNeed = 17
)

// An archive is the statements that are kept, in the order in which they came.
type archive struct {
	all     []*word
	known   map[[32]byte]bool
	number  map[authored]int
	rekeys  map[keys.ID]*word
	cards   map[keys.ID][]*word                // by their rekey
	holders map[keys.ID]map[keys.Member]uint16 // with the generation from which on they have it
	nonces  map[ID][]keys.Nonce                // of returns, the newest last
	stale   bool                               // roles have changed since all was judged
}

type authored struct {
	author ID
	topic  members.Topic
}

// A word is a statement with its meaning.
type word struct {
	*members.Statement

	id     [32]byte
	at     int64
	counts bool
	rekey  *keys.Rekey
	rid    keys.ID
	step   *keys.Step
}

func (a *archive) init() {
	*a = archive{known: map[[32]byte]bool{}, number: map[authored]int{}, rekeys: map[keys.ID]*word{}, cards: map[keys.ID][]*word{},
		holders: map[keys.ID]map[keys.Member]uint16{}, nonces: map[ID][]keys.Nonce{}}
}

// most is how many statements of a topic an author may have here.
func most(t members.Topic) int {
	if t == members.Return {
		return maxReturns
	}
	return maxWords
}

// full reports whether an author has as many statements of a topic here as there may be. Steps count while they are
// of a head: needs without end are not to use up those of the admins.
func (a *archive) full(s *members.Statement, heads func() []keys.ID) bool {
	n := a.number[authored{s.Author, s.Topic}]
	if s.Topic == members.Step && n >= most(s.Topic) {
		n = 0
		now := heads()
		for _, w := range a.all {
			if w.step != nil && w.Author == s.Author && slices.ContainsFunc(w.step.Heads, func(h keys.StepHead) bool { return slices.Contains(now, h.Rekey) }) {
				n++
			}
		}
	}
	return n >= most(s.Topic)
}

func (a *archive) add(w *word) {
	a.all = append(a.all, w)
	a.known[w.id] = true
	a.number[authored{w.Author, w.Topic}]++
	switch {
	case w.rekey != nil:
		a.rekeys[w.rid] = w
		for _, m := range w.rekey.Members {
			a.grant(w.rid, m, 0)
		}
	case w.step != nil:
		for _, h := range w.step.Heads {
			a.grant(h.Rekey, w.step.For, h.Generation)
		}
	case w.Topic == members.Card:
		a.cards[keys.ID(w.Body)] = append(a.cards[keys.ID(w.Body)], w)
	case w.Topic == members.Return:
		of := append(a.nonces[w.Author], keys.Nonce(w.Body))
		a.nonces[w.Author] = of[max(0, len(of)-2):]
	}
}

func (a *archive) grant(rekey keys.ID, to keys.Member, generation uint16) {
	if a.holders[rekey] == nil {
		a.holders[rekey] = map[keys.Member]uint16{}
	}
	if had, ok := a.holders[rekey][to]; !ok || generation < had {
		a.holders[rekey][to] = generation
	}
}

// granted reports whether the secrets of a rekey were given to a person, by all that is known.
func (a *archive) granted(rekey keys.ID, to ID) bool {
	_, ok := a.holders[rekey][keys.Member(to)]
	return ok
}

// mayUse reports whether a person can have the keys of a list.
func (a *archive) mayUse(l keys.List, who ID) bool {
	for _, h := range l {
		from, ok := a.holders[h.Rekey][keys.Member(who)]
		if !ok || from > h.Generation {
			return false
		}
	}
	return true
}

// takeStatement takes a statement of anybody.
func (r *core) takeStatement(b []byte, now time.Time) error {
	st, err := members.ParseStatement(b)
	if err != nil {
		return ErrInvalid
	}
	id := st.ID()
	if r.words.known[id] {
		return nil
	}
	if _, known := r.set.Key(st.Author); st.Group != members.EntryID(r.group) || known && !r.set.Attests(st) {
		return ErrInvalid
	}
	for _, parent := range st.Parents {
		if !r.set.Holds(parent) {
			return r.park(typeStatement, st.Author, b)
		}
	}
	counts, err := r.set.Judge(st)
	if err != nil {
		return ErrInvalid
	}

	r.back.heardFrom(st.Author, r.self)
	w := &word{Statement: st, id: id, at: now.Unix(), counts: counts}
	switch st.Topic {
	case members.Need:
		return r.takeNeed(w, now)
	case members.Heads:
		return r.takeHeads(w, b)
	case members.Trouble:
		return r.takeTrouble(w)
	}
	if r.words.full(st, r.keys.Heads) {
		return ErrFull
	}
	if err := r.understand(w, now); err == errWaits {
		return r.park(typeStatement, st.Author, b)
	} else if err != nil {
		return err
	}
	r.keep(w, now)
	return nil
}

// understand reads the body of a statement that is kept.
func (r *core) understand(w *word, now time.Time) error {
	switch w.Topic {
	case members.Rekey:
		rekey, err := keys.ParseRekey(keys.Member(w.Author), w.Context(), w.Body)
		if err != nil {
			return ErrInvalid
		}
		if r.keys.Take(rekey) != nil {
			return errWaits
		}
		w.rekey, w.rid = rekey, rekey.ID(r.group)
		r.keys.SetVoid(w.rid, !w.counts)

	case members.Step:
		step, err := keys.ParseStep(w.Context(), w.Body)
		if err != nil {
			return ErrInvalid
		}
		if err := r.openStep(step, now); err != nil {
			return err
		}
		w.step = step

	case members.Return:
		if len(w.Body) != len(keys.Nonce{}) || zero(w.Body) {
			return ErrInvalid
		}
	case members.Settings:
		if _, ok := parseSettings(w.Body); !ok {
			return ErrInvalid
		}
	case members.Card:
		if len(w.Body) < 32 {
			return ErrInvalid
		}
	}
	return nil
}

// keep adds a statement to the archive, and follows from it.
func (r *core) keep(w *word, now time.Time) {
	r.words.add(w)
	r.aside.back = r.aside.back || w.Topic == members.Return
	r.row(rowStatement, now.Unix(), w.Append(nil))

	switch {
	case w.rekey != nil:
		r.duty.wondered = 0
		if len(r.keys.Heads()) == 1 { // beside other heads it was made without them
			r.duty.heardOf(w.Author)
		}
		for _, m := range r.set.Members() {
			if w.counts && w.rekey.LeavesOut(keys.Member(m.ID)) {
				r.tell(LeftOut{m.ID, w.Author})
			}
		}
	case w.step != nil:
		r.duty.answered(ID(w.step.For))
		r.duty.heardOf(ID(w.step.For))
		if ID(w.step.For) == r.self && w.Author != r.self && len(r.keys.Lacking()) == 0 {
			r.back.listens = 0
		}
	case w.Topic == members.Return && w.Author != r.self && w.counts:
		r.tell(Returned{w.Author})
		noteBehind(r, w, now)
	}
	r.settle(now)
}

// openStep takes a step: what it hands to us too, if that is here and lacking.
func (r *core) openStep(step *keys.Step, now time.Time) error {
	lacking := false
	for _, h := range step.Heads {
		if r.words.rekeys[h.Rekey] == nil {
			return errWaits
		}
		if _, err := r.keys.Place(h.Rekey); err != nil && !r.places.forgot(r, h.Rekey) {
			lacking = true
		}
	}
	if !lacking {
		if r.keys.TakeStep(step) != nil {
			return ErrInvalid
		}
		return nil
	}

	// The fingerprints in it can be checked by those alone that hold the heads.
	if step.For != keys.Member(r.self) {
		return errWaits
	}
	for sealed := r.aside.handedOf(step.Context); sealed != nil; sealed = r.aside.handedOf(step.Context) {
		for _, own := range r.leaves.own {
			if len(sealed) < 3 || byte(own.counter) != sealed[2] {
				continue
			}
			if lane, err := r.keys.OpenStep(step, keys.Member(r.self), own.key, sealed); err == nil {
				r.leaves.used(own, now)
				madePlaces(r, step, lane, now)
				return nil
			}
		}
		r.aside.drops(step.Context, sealed) // anybody may have put it beside the right one
	}
	return errWaits
}

// madePlaces makes the places of a step that was opened.
func madePlaces(r *core, step *keys.Step, lane [32]byte, now time.Time) {
	for _, h := range step.Heads {
		r.places.make(r, h.Rekey, lane, now)
		lane = [32]byte{} // it is one of the first head's place
	}
}

// random is a counter for statements whose order does not matter: two never have one context, not
// even if one was made before a restore.
func random() uint32 {
	var b [4]byte
	rand.Read(b[:])
	return binary.BigEndian.Uint32(b[:])
}

// statement makes a statement of ours.
func (r *core) statement(topic members.Topic, counter uint32, body func(context [32]byte) []byte) *word {
	st := r.set.State(r.key, topic, counter)
	st.Body = body(st.Context())
	st.Sign(r.key)
	return &word{Statement: st, id: st.ID(), counts: true}
}

func bodyOf(b []byte) func([32]byte) []byte { return func([32]byte) []byte { return b } }

func statementData(w *word) []byte { return append([]byte{typeStatement}, w.Append(nil)...) }
