package group

import (
	"crypto/sha256"
	"maps"
	"slices"
	"time"

	"starling/session/group/keys"
	"starling/session/group/members"
)

// When things are due.
const (
	rekeyAge    = 7 * 24 * time.Hour
	turnUrgent  = 30 * time.Second // for each place in the list of those that may
	turnAge     = time.Hour
	turnNeed    = 10 * time.Second
	mergeAfter  = 2 * time.Minute // of heads that were sealed to the same people
	needAfter   = time.Minute
	needOften   = 3 // needs a minute apart; then every ten
	needRarely  = 10 * time.Minute
	secretsLife = 48 * time.Hour      // m, n and place of a rekey that is no head any more
	listLife    = 14 * 24 * time.Hour // what is left of a tree
	leafLife    = 14 * 24 * time.Hour // of an old leaf, after the first use of the next
	renewAfter  = 24 * time.Hour
	troubleRest = time.Hour // between two rekeys for a lane in trouble
	maxNeeds    = 64
	wonderAfter = 2 * time.Minute
	settlesIn   = 10 * time.Minute // the first reading of all logs
	maxDoubling = 10               // of the time between two such needs
	maxDeals    = 4
)

// Duty is the things to do later, and the times that they hang on.
type duty struct {
	view     string
	moving   bool
	offer    *members.Entry
	rekeyDue int64 // since when; 0: it is not
	lacking  int64 // since when
	asked    int   // how often
	lastNeed int64
	strange  map[members.EntryID]int64 // parents that are not here, since when
	wondered int                       // needs for that, since the keys or roles last changed
	trailing map[ID]int64              // members that speak under former keys, since when
	rereads  int                       // of logs, since the last day without one
	reread   int64                     // when the last was
	repeated map[[32]byte]int64        // cells that were said again at a place
	needs    []need
	behind   need // somebody that only members can tell what they missed; nobody's: there is none
	relay    need // the keys of such a one, on their way to people that do not read where they come
	relayed  int
	favours  map[ID]int64
	unkeyed  map[ID]int64
	lists    map[keys.Digest]int64
	troubles []trouble
	relief   int64 // when we last rekeyed for one
	deals    []deal
}

// A need is somebody that lacks heads, or has knocked.
type need struct {
	who       ID
	heads     []keys.ID
	knows     []members.EntryID // their newest entries
	at        int64
	from      keys.ID  // the place of their word
	answer    [32]byte // of a knock
	mailboxes []Mailbox
}

// A deal is a dealing of ours: the lane of each writer. In one that is ours alone nobody else has the keys of all lanes.
type deal struct {
	rekey keys.ID
	lane  map[ID]uint8
	alone bool
}

func (d *duty) init() {
	d.unkeyed, d.lists, d.favours = map[ID]int64{}, map[keys.Digest]int64{}, map[ID]int64{}
	d.strange, d.repeated, d.trailing = map[members.EntryID]int64{}, map[[32]byte]int64{}, map[ID]int64{}
}

func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// Expire ends for good what is over: links, secrets, logs to read. The caller is sure of the time: a clock that is wrong
// for one look ends nothing. It says when to call it again.
func (r *Room) Expire(now time.Time) (events []Event, next time.Time) {
	if r.set.Role(r.self) == Nobody {
		return r.flush(), next
	}
	what := func() int {
		return len(r.keys.Retired()) + len(r.keys.Lists()) + len(r.places.all) + len(r.door.links) + len(r.door.logs)
	}
	before := what()
	next = earliest(r.dueErasure(now), earliest(r.places.expire(&r.core, now), r.door.expire(&r.core, now)))
	if what() != before {
		r.settle(now)
	}
	return r.flush(), next
}

// Due acts on the time, and says when to call it again.
func (r *Room) Due(now time.Time) (events []Event, next time.Time) {
	if r.set.Role(r.self) == Nobody {
		return r.flush(), now.Add(rekeyAge)
	}
	next = now.Add(renewAfter)
	at := func(t time.Time) { next = earliest(next, t) }

	at(r.dueBack(now))
	if r.speaks() == nil && now.Before(r.writing().laneBy()) {
		at(r.writing().laneBy())
	}
	if !r.back.silent() {
		at(r.dueRekey(now))
		at(r.dueNeed(now))
		at(dueReread(&r.core, now))
		at(r.dueAnswers(now))
		at(dueRemind(&r.core, now))
		at(r.dueGrants(now))
		at(r.dueLeaf(now))
		if _, own := r.rankers(); own == 0 && stated(&r.core) == nil {
			restate(&r.core, r.settings, now)
		}
	}
	r.settle(now)
	return r.flush(), next
}

// turn is when it is our turn to do something that several may do.
func (r *core) turn(since int64, each time.Duration) (time.Time, bool) {
	_, own := r.rankers()
	return time.Unix(since, 0).Add(time.Duration(own) * each), own >= 0
}

// dueRekey rekeys: at once if the keys are wrong, by turns if others may do it, too.
func (r *core) dueRekey(now time.Time) time.Time {
	urgent := r.keys.MergeDue() || len(r.keys.Heads()) == 0 || r.duty.asked >= needOften || relieve(r, now)
	var card time.Time // until when one is waited for
	if p := r.writing(); p != nil && p.card == nil {
		if card = time.Unix(p.since, 0).Add(needAfter); !now.Before(card) {
			urgent = true
		}
	} else if p != nil && p.doubt {
		urgent = true
	}
	merge := mergeAt(r)
	urgent = urgent || !merge.IsZero() && !now.Before(merge)
	since, each := now.Unix(), turnUrgent

	// A removal brings new keys of its author: they come, unless the mailboxes have lost them.
	grace := time.Duration(0)
	if len(r.remaining()) > 0 && !urgent {
		urgent, grace = true, graceOfRemovers(r)
	}
	for _, h := range r.keys.List() {
		urgent = urgent || h.Generation >= keys.MaxGeneration
	}
	if !urgent {
		each, since = turnAge, 0
		for _, id := range r.keys.Heads() {
			w := r.words.rekeys[id]
			since = max(since, time.Unix(w.at, 0).Add(rekeyAge).Unix())
		}
		if p := r.writing(); p != nil && p.last() {
			since = min(since, max(now.Unix(), p.since+int64(troubleRest/time.Second)))
		}
	}
	if !urgent && since > now.Unix() {
		r.duty.rekeyDue = 0
		if turn, ours := r.turn(since, each); ours {
			return earliest(turn, earliest(card, merge))
		}
		return time.Time{}
	}

	if r.duty.rekeyDue == 0 {
		r.duty.rekeyDue = now.Unix()
	}
	turn, ours := r.turn(r.duty.rekeyDue, each)
	if !ours {
		return time.Time{}
	}
	if turn = turn.Add(grace); now.Before(turn) {
		return turn
	}
	if r.rekey(now) == nil {
		r.duty.rekeyDue = 0
		r.duty.relief = now.Unix()
	}
	return now.Add(turnUrgent)
}

// mergeAt is when several heads become one, also if all were sealed to the same people. A member without one of them reads the place
// of another alone, and perhaps nobody speaks there: the rekey that follows both tells them.
func mergeAt(r *core) (when time.Time) {
	heads := r.keys.Heads()
	if len(heads) < 2 {
		return when
	}
	for _, id := range heads {
		if at := time.Unix(r.words.rekeys[id].at, 0).Add(mergeAfter); at.After(when) {
			when = at
		}
	}
	return when
}

// graceOfRemovers is how long the keys of a removal's author are waited for.
func graceOfRemovers(r *core) time.Duration {
	for _, id := range r.remaining() {
		e := r.set.Given(id)
		if e == nil || e.Kind != members.SetRole || e.Author == r.self || r.set.Role(e.Author) < Admin {
			return 0
		}
	}
	return turnUrgent
}

// dueNeed asks for heads that are lacking.
func (r *core) dueNeed(now time.Time) time.Time {
	d := &r.duty
	lacking := r.keys.Lacking()
	if len(lacking) == 0 {
		d.lacking, d.asked = 0, 0
		return dueWonder(r, now)
	}
	if d.lacking == 0 {
		d.lacking = now.Unix()
	}
	when := time.Unix(max(d.lacking, d.lastNeed), 0).Add(needAfter)
	if d.asked >= needOften {
		when = time.Unix(d.lastNeed, 0).Add(needRarely)
	}
	if now.Before(when) {
		return when
	}

	askFor(r, lacking, now)
	// What was sealed to us may be sealed to the leaf of a thief.
	if d.asked++; d.asked >= needOften && !now.Before(time.Unix(r.leaves.newest().made, 0).Add(renewAfter)) {
		r.renew(now)
	}
	return now.Add(needAfter)
}

// askFor says that heads are needed.
func askFor(r *core, heads []keys.ID, now time.Time) {
	var p pen
	for _, id := range heads[:min(len(heads), headsOfNeed)] {
		p.raw(id[:])
	}
	w := r.statement(members.Need, random(), bodyOf(p.b))
	for _, at := range r.posting() {
		r.postAt(at, laneOpen, statementData(w), true)
	}
	r.duty.lastNeed = now.Unix()
	if !now.Before(r.duty.mayReread(now)) {
		rereads(r, controlLogs(r), now)
	}
}

// unexplained is since when something waits here for an entry, a step or a rekey that perhaps was lost, in seconds. Things
// from our first reading, or from that of a return, do not count: they may be from before us, and nobody hands that over.
func unexplained(r *core, now time.Time) (first int64) {
	here := r.joined[r.self]
	for _, w := range r.words.all {
		if w.Topic == members.Return && w.Author == r.self {
			here = max(here, w.at)
		}
	}
	note := func(at int64) {
		if at > here+int64(settlesIn/time.Second) && now.Sub(time.Unix(at, 0)) < placeLife && (first == 0 || at < first) {
			first = at
		}
	}
	for _, w := range r.aside.waits {
		if w.kind != kindStray && w.kind != kindDropped {
			note(w.since)
		}
	}
	for rekey, cards := range r.words.cards {
		if r.words.rekeys[rekey] == nil {
			note(cards[0].at)
		}
	}

	if p := r.writing(); p != nil && p.card == nil {
		note(p.since)
	}

	since := map[members.EntryID]int64{}
	for _, id := range r.set.Missing() {
		if since[id] = r.duty.strange[id]; since[id] == 0 {
			since[id] = now.Unix()
		}
		note(since[id])
	}
	r.duty.strange = since
	return first
}

// dueWonder asks for things that were lost, since others wait for them: a list that nobody has told, an
// unknown parent. It names the heads that are known; an admin that knows none of them hands over all. The cells that wait may be
// invented: each time it takes twice as long.
func dueWonder(r *core, now time.Time) time.Time {
	d := &r.duty
	first := unexplained(r, now)
	all, own := r.rankers()
	heads := r.keys.Heads()
	if first == 0 || len(heads) == 0 || own >= 0 && len(all) == 1 {
		return time.Time{}
	}

	when := time.Unix(first, 0).Add(wonderAfter)
	if d.wondered > 0 {
		when = time.Unix(max(first, d.lastNeed), 0).Add(wonderAfter << min(d.wondered, maxDoubling))
	}
	if now.Before(when) {
		return when
	}
	askFor(r, heads, now)
	d.wondered++
	return now.Add(wonderAfter)
}

// Gone says that the mailboxes of the room are gone, for so long that others have moved it if anybody is there: perhaps before that, while
// we were away. Where the readers meet nothing tells us, so we ask, rarely; after a return, or without a place for long, we come back as from lost logs.
func (r *Room) Gone(now time.Time) error {
	r.back.noteAge(now)
	if r.back.restored {
		return r.Lost(now)
	}
	d, heads := &r.duty, r.keys.Heads()
	all, own := r.rankers()
	rest := wonderAfter << min(d.wondered, maxDoubling)
	if len(heads) == 0 || own >= 0 && len(all) == 1 || now.Sub(time.Unix(d.lastNeed, 0)).Abs() < rest {
		return nil
	}
	askFor(&r.core, heads, now)
	d.wondered++
	return nil
}

// trails notes a member that goes on speaking under keys that we have left. They have missed those after them, and nothing where
// they read tells them so: they are answered there as if they had asked.
func trails(r *core, m *message, at *place, now time.Time) {
	if r.set.Role(r.self) < Admin || r.set.Role(m.sender) == Nobody {
		return
	}
	l, _ := r.keys.Known(m.list)
	var known []keys.ID
	for _, h := range l {
		known = append(known, h.Rekey)
	}
	behind := slices.ContainsFunc(r.keys.Heads(), func(h keys.ID) bool {
		return !slices.Contains(known, h) && now.Sub(time.Unix(r.words.rekeys[h].at, 0)) >= wonderAfter
	})

	since := r.duty.trailing[m.sender]
	switch {
	case !behind:
		delete(r.duty.trailing, m.sender)
	case since == 0:
		r.duty.trailing[m.sender] = now.Unix()
	case now.Sub(time.Unix(since, 0)) >= wonderAfter:
		delete(r.duty.trailing, m.sender)
		r.duty.add(need{who: m.sender, heads: known, at: now.Unix(), from: at.rekey})
	}
}

// takeNeed notes somebody that lacks heads.
func (r *core) takeNeed(w *word, now time.Time) error {
	n := len(w.Body) / 32
	if len(w.Body)%32 != 0 || n == 0 || n > headsOfNeed {
		return ErrInvalid
	}
	asks := make([]keys.ID, n)
	for i := range asks {
		asks[i] = keys.ID(w.Body[32*i:])
	}
	if knowsHeads(r, asks) && len(r.set.Since(w.Parents)) == 0 {
		r.duty.heardOf(w.Author)
	}
	if r.set.Role(r.self) < Admin || w.Author == r.self || r.set.Role(w.Author) == Nobody {
		return nil
	}
	r.duty.add(need{who: w.Author, at: now.Unix(), knows: w.Parents, from: r.places.reading, heads: asks})
	return nil
}

// add adds a need: one for each person, a knock before a word in a lane.
func (d *duty) add(one need) {
	at := slices.IndexFunc(d.needs, func(n need) bool { return n.who == one.who })
	switch {
	case at >= 0 && one.answer != ([32]byte{}):
		d.needs[at] = one
	case at < 0 && len(d.needs) < maxNeeds:
		d.needs = append(d.needs, one)
	}
}

// answered drops the need of somebody that was handed the heads. A knock is answered by us alone, or not at all.
func (d *duty) answered(who ID) {
	d.needs = slices.DeleteFunc(d.needs, func(n need) bool { return n.who == who })
	delete(d.unkeyed, who)
}

// dueAnswers answers needs, by turns.
func (r *core) dueAnswers(now time.Time) (next time.Time) {
	for _, n := range slices.Clone(r.duty.needs) {
		turn, ours := r.turn(n.at, turnNeed)
		switch {
		case !ours || r.set.Role(n.who) == Nobody:
			r.duty.answered(n.who)
		case now.Before(turn):
			next = earliest(next, turn)
		case n.answer != [32]byte{} && !atHome(r): // they knock once a day
			next = earliest(next, now.Add(turnNeed))
		default:
			if may := r.duty.favour(n.who); now.Before(may) {
				next = earliest(next, may)
				continue
			}
			r.duty.favoured(n.who, now)
			if n.answer != [32]byte{} {
				r.answerKnock(n, now)
			} else {
				r.handOut(n, now)
			}
		}
	}
	return next
}

// handOut hands heads to somebody by the lanes: the steps for all, and to them where they read what they
// may have missed since.
func (r *core) handOut(n need, now time.Time) {
	l, known := r.leaves.of[n.who]
	if !known {
		r.duty.answered(n.who)
		return
	}
	theirs := r.readBy(n)

	// Somebody lacks the heads that they name, or all but these: they are handed all that are here.
	lacking := r.keys.Lacking()
	heads := slices.DeleteFunc(r.keys.Heads(), func(h keys.ID) bool { return slices.Contains(lacking, h) })
	said, sealed, err := r.grant(n.who, l, heads, now)
	r.duty.answered(n.who)
	if err != nil {
		said, sealed = nil, nil // but for the rekeys that they missed
	}
	for _, data := range said {
		r.post(data, true)
	}

	missed := r.missedSince(theirs, n)
	for _, p := range theirs {
		lane := p.controlLane()
		for _, data := range slices.Concat(r.duty.notRepeated(p, missed, now), sealed, said) {
			r.postAt(p, lane, data, true)
		}
	}
}

// notRepeated is the cells that were not said again at a place just now: they answered everybody there.
func (d *duty) notRepeated(p *place, all [][]byte, now time.Time) (fresh [][]byte) {
	maps.DeleteFunc(d.repeated, func(_ [32]byte, at int64) bool { return now.Sub(time.Unix(at, 0)).Abs() >= needRarely })
	for _, data := range all {
		if id := sha256.Sum256(append(p.rekey[:], data...)); d.repeated[id] == 0 {
			d.repeated[id] = now.Unix()
			fresh = append(fresh, data)
		}
	}
	return fresh
}

// readBy is where somebody reads: where they said so, or the newest place that they were given.
func (r *core) readBy(n need) []*place {
	var newest *place
	for _, p := range r.places.all {
		if p.card != nil && p.rekey == n.from {
			return []*place{p}
		}
		if p.card != nil && r.words.granted(p.rekey, n.who) && !slices.Contains(n.heads, p.rekey) && (newest == nil || p.since >= newest.since) {
			newest = p
		}
	}
	if newest == nil || slices.Contains(r.posting(), newest) {
		return r.posting()[:min(1, len(r.posting()))]
	}
	return []*place{newest}
}

// maxMissed is how much a lane repeats for one person. Who missed more knocks at the door.
const maxMissed = 256

// missedSince is the entries, rekeys and cards that somebody did not see in a place. Of rekeys they know those that they
// name, and those that these name; which of the others came to us first tells nothing.
func (r *core) missedSince(at []*place, n need) (all [][]byte) {
	if len(at) == 0 {
		return nil
	}
	w := r.words.rekeys[at[0].rekey]
	if w == nil {
		return nil
	}
	knows, since := n.knows, r.keys.Since(append(slices.Clone(n.heads), w.rid))
	if knows == nil {
		knows = w.Parents
	}

	for _, e := range r.set.Since(knows) {
		all = append(all, entryData(e))
	}
	for _, o := range r.words.all {
		if o.rekey != nil && slices.Contains(since, o.rid) || o.step != nil && o.at >= w.at {
			all = append(all, statementData(o))
		}
	}
	for _, id := range slices.Concat(since, r.keys.Heads()) {
		for _, c := range r.words.cards[id] {
			all = append(all, statementData(c))
		}
	}
	if len(all) > maxMissed {
		return nil
	}
	return all
}

// dueGrants hands the heads to people in the room that a rekey left out: at once to those that we
// added ourselves, by turns to others.
func (r *core) dueGrants(now time.Time) (next time.Time) {
	d := &r.duty
	if r.set.Role(r.self) < Admin || len(r.keys.Lacking()) > 0 {
		return next
	}
	for _, m := range keyed(r) {
		l, known := r.leaves.of[m.ID]
		if m.ID == r.self || !known || r.words.staleFor(l, now) || !r.unkeyed(m.ID) {
			delete(d.unkeyed, m.ID)
			continue
		}
		if d.unkeyed[m.ID] == 0 {
			d.unkeyed[m.ID] = now.Unix()
		}

		turn, _ := r.turn(d.unkeyed[m.ID], turnUrgent)
		if e := r.set.Entry(m.Since); e == nil || e.Author != r.self {
			turn = turn.Add(turnUrgent)
		} else {
			turn = now
		}
		if now.Before(turn) {
			next = earliest(next, turn)
			continue
		}
		r.handOut(need{who: m.ID}, now)
	}
	return next
}

// dueLeaf makes a new leaf once the last was used for a day.
func (r *core) dueLeaf(now time.Time) time.Time {
	own := r.leaves.newest()
	if own.counter > minutes(now)+leafAhead { // a clock was off, and nobody took it
		r.renew(now)
		return time.Time{}
	}
	if own.used == 0 {
		return time.Time{}
	}
	when := time.Unix(own.made, 0).Add(renewAfter)
	if now.Before(when) {
		return when
	}
	r.renew(now)
	return time.Time{}
}

// dueErasure erases secrets that are old enough.
func (r *core) dueErasure(now time.Time) (next time.Time) {
	over := func(since int64, life time.Duration) bool {
		end := time.Unix(since, 0).Add(life)
		if now.Before(end) {
			next = earliest(next, end)
			return false
		}
		return true
	}
	for _, id := range r.keys.Retired() {
		if p := r.places.of(id); p == nil || p.retired != 0 && over(p.retired, secretsLife) {
			r.keys.Forget(id)
		}
	}

	present := r.keys.List().Digest()
	seen := map[keys.Digest]bool{}
	for _, d := range r.keys.Lists() {
		seen[d] = true
		if r.duty.lists[d] == 0 {
			r.duty.lists[d] = now.Unix()
		}
		if d != present && over(r.duty.lists[d], listLife) {
			r.keys.ForgetList(d)
		}
	}
	for d := range r.duty.lists {
		if !seen[d] {
			delete(r.duty.lists, d)
		}
	}

	own := r.leaves.own
	for i := 0; i+1 < len(own); i++ {
		if used := own[i+1].used; used != 0 && over(used, leafLife) {
			own = slices.Delete(own, i, i+1)
			i--
		}
	}
	r.leaves.own = own
	return next
}

// Refused says that those mailboxes of an append have refused it: its tag was taken by another
// entry, or the log is full. Its content goes out again elsewhere, to them alone. Two in one lane are told to
// those that deal the lanes. ErrFull: there is no other log for it, and it is to be tried again; somebody may
// write there as fast as mailboxes take it.
func (r *Room) Refused(a Append, full bool, now time.Time) error {
	if full && a.Aside() {
		return ErrFull
	}
	var at spot
	found := false
	for name, s := range r.places.index {
		if name == nameOf(a.Log) {
			at, found = s, s.place != nil
		}
	}
	if !found {
		return ErrInvalid
	}
	in, ok := at.place.vault.open(r.group, at.lane, a.Tag, a.Box)
	if !ok {
		return ErrInvalid
	}

	lane := at.lane
	if moved := full && leave(&r.core, at.place, at.lane, at.segment, now); !moved && at.segment >= at.place.segment[at.lane] {
		if lane = laneOpen; at.lane == laneOpen {
			return ErrFull
		}
	}
	again, ok := at.place.put(r.group, lane, in)
	if !ok {
		return ErrNotYet
	}
	again.ID, again.Urgent, again.Mailboxes = a.ID, a.Urgent, a.Mailboxes
	r.out = append(r.out, again)
	if !full {
		r.met(at, now)
	}
	return nil
}

// met counts tags that were taken from us; the second is told.
func (r *core) met(at spot, now time.Time) {
	if at.place.taken++; at.place.taken != 2 {
		return
	}
	p := pen{}
	p.raw(at.place.rekey[:])
	p.u8(at.lane)
	w := r.statement(members.Trouble, random(), bodyOf(p.b))
	r.postAt(at.place, laneOpen, statementData(w), true)
	r.takeTrouble(w)
	r.flush()
}

// dealt keeps a dealing of ours.
func (d *duty) dealt(one deal) {
	d.deals = append(d.deals, one)
	d.deals = d.deals[max(0, len(d.deals)-maxDeals):]
}
