package group

import (
	"slices"
	"time"

	"starling/session/group/members"
)

// mayChange says whether we may write a role entry now.
func (r *core) mayChange(now time.Time) error {
	switch {
	case r.set.Role(r.self) == Nobody:
		return ErrGone
	case r.set.Role(r.self) < Admin:
		return ErrRank
	case r.back.silent():
		return ErrNotYet
	case now.Unix() < r.back.quiet:
		return ErrSoon
	case r.set.Written(r.self) >= members.MaxByAuthor-keptEntries:
		return ErrSpent
	}
	return nil
}

// keptEntries is how many of the entries that others take of one author are kept for handing the room over.
const keptEntries = 16

// banMark is a byte behind the cuts of a removal: it is a ban. People are told so; it has no other
// effect.
const banMark = 1

func banned(e *members.Entry) bool {
	n := len(e.Attached)
	return e.Kind == members.SetRole && n%cutSize == 1 && e.Attached[n-1] == banMark
}

// SetRole gives a person another role. Nobody removes them.
func (r *Room) SetRole(member ID, role Role, now time.Time) error {
	return r.setRole(member, role, false, now)
}

func (r *Room) setRole(member ID, role Role, ban bool, now time.Time) error {
	if err := r.mayChange(now); err != nil {
		return err
	}
	was := r.set.Role(member)
	if was == Nobody || was == role {
		return ErrInvalid
	}
	if err := mayRekey(&r.core); err != nil {
		return err
	}
	var attached []byte
	if role < Writer {
		attached = r.ear.cut(member)
	}
	if ban {
		attached = append(attached, banMark)
	}

	before, kept := r.posting(), r.settings
	e, err := r.set.SetRole(r.key, member, role, attached)
	if err != nil {
		return err
	}
	// The rekeys of an admin that is one no more are void; all still read where they led.
	defer r.places.postingAlso(before)()
	r.post(entryData(e), true)
	r.entriesPlaced([]*members.Entry{e}, now)
	postElsewhere(&r.core, before, entryData(e))
	if role == Admin {
		r.tellLeaves()
	}
	if r.settings != kept {
		r.state(kept, now)
	}
	err = r.rekey(now)
	r.flush()
	return err
}

// postElsewhere posts to the places of the room since a change: with the rank of an admin their rekeys end, and the
// places of these may be out of reach.
func postElsewhere(r *core, before []*place, data []byte) {
	for _, p := range r.posting() {
		if !slices.Contains(before, p) {
			r.postAt(p, p.controlLane(), data, true)
		}
	}
}

func entryData(e *members.Entry) []byte { return append([]byte{typeEntry}, e.Append(nil)...) }

// Ban removes a person and closes our links, so that the same person does not come back by
// them under another key.
func (r *Room) Ban(member ID, now time.Time) error {
	if err := r.setRole(member, Nobody, true, now); err != nil {
		return err
	}
	r.door.links = nil
	r.places.reindex(&r.core)
	return nil
}

// Leave leaves the room.
func (r *Room) Leave(now time.Time) error {
	before := r.posting()
	e, err := r.set.Leave(r.key)
	if err != nil {
		return ErrRank
	}
	defer r.places.postingAlso(before)()
	r.post(entryData(e), true)
	r.entriesPlaced([]*members.Entry{e}, now)
	r.flush()
	return nil
}

// HandOver offers the room to a member; we keep a role.
func (r *Room) HandOver(to ID, keep Role, now time.Time) error {
	if err := r.mayChange(now); err != nil && err != ErrSpent {
		return err
	}
	pact, err := r.set.HandOver(r.key, to, keep)
	if err != nil {
		return ErrRank
	}
	r.post(append([]byte{typeOffer}, pact.Append(nil)...), true)
	if r.set.Role(to) < Admin {
		r.tellLeaves()
	}
	return nil
}

// tellLeaves tells the leaves of all again, for somebody that is to rekey.
func (r *core) tellLeaves() {
	for _, m := range r.set.Members() {
		if l, known := r.leaves.of[m.ID]; known {
			r.post(append([]byte{typeLeaf}, l.record...), false)
		}
	}
	own := r.leaves.newest()
	r.post(append([]byte{typeLeaf}, leafData(r.key, r.group, own.counter, own.key.Public())...), false)
}

// takeOffer takes the owner's half of a pact.
func (r *core) takeOffer(b []byte) error {
	e, err := members.Parse(b)
	if err != nil || e.Kind != members.Pact || !r.set.Drafted(e) {
		return ErrInvalid
	}
	if e.Target != r.self || r.set.Role(r.self) == Nobody || r.set.Role(e.Author) != Owner || r.set.Holds(e.ID()) {
		return nil
	}
	if r.duty.offer != nil && r.duty.offer.ID() == e.ID() {
		return nil
	}
	r.duty.offer = e
	r.tell(Offered{e.Author, e.Role})
	return nil
}

// AcceptPact takes the room that was offered to us.
func (r *Room) AcceptPact(now time.Time) error {
	if r.duty.offer == nil {
		return ErrInvalid
	}
	if r.back.silent() {
		return ErrNotYet
	}
	if err := mayRekey(&r.core); err != nil {
		return err
	}
	before := r.posting()
	e, err := r.set.Accept(r.key, r.duty.offer)
	if err != nil {
		return ErrInvalid
	}
	r.duty.offer = nil
	defer r.places.postingAlso(before)()
	r.post(entryData(e), true)
	r.entriesPlaced([]*members.Entry{e}, now)
	postElsewhere(&r.core, before, entryData(e))
	err = r.rekey(now)
	r.flush()
	return err
}

// SetSettings changes the rules.
func (r *Room) SetSettings(s Settings, now time.Time) error {
	if !soundTitle(s.Title) {
		return ErrInvalid
	}
	switch role := r.set.Role(r.self); {
	case role == Nobody:
		return ErrGone
	case role < Admin:
		return ErrRank
	case r.back.silent():
		return ErrNotYet
	}
	silenced := s.AdminsOnly != r.settings.AdminsOnly
	if silenced {
		if err := mayRekey(&r.core); err != nil {
			return err
		}
	}
	if r.words.number[authored{r.self, members.Settings}] >= most(members.Settings) {
		return ErrSpent
	}

	r.state(s, now)
	var err error
	if silenced {
		err = r.rekey(now)
	}
	r.flush()
	return err
}

// state states the settings, above all that are known.
func (r *core) state(s Settings, now time.Time) {
	counter := uint32(1)
	for _, w := range r.words.all {
		if w.Topic == members.Settings && w.counts && w.Counter+1 > counter {
			counter = w.Counter + 1
		}
	}
	w := r.statement(members.Settings, counter, bodyOf(s.encode()))
	w.at = now.Unix()
	r.keep(w, now)
	r.post(statementData(w), false)
}

// Move takes the room to other mailboxes, from the next keys on, which it makes.
func (r *Room) Move(mailboxes []Mailbox, now time.Time) error {
	if !soundMailboxes(mailboxes) {
		return ErrInvalid
	}
	was := r.mailboxes
	r.mailboxes, r.duty.moving = cloneMailboxes(mailboxes), true
	err := r.rekey(now)
	r.duty.moving = false
	if err != nil {
		r.mailboxes = was
	}
	r.flush()
	return err
}

// Mailboxes returns the mailboxes where new messages go, and those of the next keys.
func (r *Room) Mailboxes() []Mailbox { return cloneMailboxes(r.mailboxes) }

// Turn returns when it is our turn to move the room: owner and admins do so one after the other, the first at once.
func (r *Room) Turn(since time.Time) time.Time {
	turn, _ := r.turn(since.Unix(), turnUrgent)
	return turn
}

// postingAlso posts at these places, too, until the function is called.
func (s *places) postingAlso(all []*place) (end func()) {
	s.also = all
	return func() { s.also = nil }
}

func union(a, b []*place) []*place {
	all := slices.Clone(a)
	for _, p := range b {
		if !slices.Contains(all, p) {
			all = append(all, p)
		}
	}
	return all
}
