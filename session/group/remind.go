package group

import (
	"slices"
	"time"

	"starling/session/group/keys"
	"starling/session/group/members"
)

// The only one with the right to rekey can be restored behind rekeys and removals of their own, while both mailboxes have
// lost their disks; or somebody with that right behind two of their own, while the others that have it are away. There is nobody to be asked then, and all seems to be as it was. Members see that return, and repeat all
// that came later: entries and statements are signed by their authors. Until then the one that is back listens, as
// somebody removed may have the keys of before.

const (
	// remindAfter is when the first member speaks: after the question of one that has read the logs, and lacks keys.
	remindAfter = needAfter + 30*time.Second
	// listensFor is how long nothing is said after such a return: time for the word of the eighth member, if those before are
	// away.
	listensFor = 5 * time.Minute
	// relayFor is how long after their word members pass on the keys that are made upon it, and relayMost how many cells: of
	// three rekeys for a full room.
	relayFor  = time.Hour
	relayMost = 3 * (Limit + 2)
)

// listening reports whether others are to be heard first. A clock that comes back from another year does not prolong it.
func (b *back) listening(now time.Time) bool {
	end := time.Unix(b.listens, 0)
	return now.Before(end) && end.Sub(now) <= listensFor
}

// noteBehind notes that somebody with the right to rekey has come back, and lacks things that we have.
func noteBehind(r *core, w *word, now time.Time) {
	all, own := r.rankers()
	p := r.places.of(r.places.reading)
	if own >= 0 || !slices.Contains(all, w.Author) || p == nil {
		return
	}
	present := slices.Contains(r.keys.Heads(), p.rekey)
	if present && !r.back.asked && len(r.set.Since(w.Parents)) == 0 {
		return
	}
	r.duty.behind = need{who: w.Author, at: now.Unix(), knows: w.Parents, from: p.rekey}
}

// knowsHeads reports whether the one that is behind knows of our heads: by asking for them, or as the author of new ones.
func knowsHeads(r *core, asks []keys.ID) bool {
	for _, id := range r.keys.Heads() {
		if w := r.words.rekeys[id]; !slices.Contains(asks, id) && (w == nil || w.at < r.duty.behind.at) {
			return false
		}
	}
	return true
}

// lostOwn reports whether we are restored behind keys that we have made.
func lostOwn(r *core) bool {
	_, own := r.rankers()
	return own >= 0 && slices.ContainsFunc(r.keys.Lacking(), func(id keys.ID) bool {
		w := r.words.rekeys[id]
		return w != nil && w.Author == r.self
	})
}

// heardOf notes that somebody has heard: they ask for keys, or make them.
func (d *duty) heardOf(who ID) {
	if d.behind.who == who {
		d.behind = need{}
	}
}

// dueRemind repeats everything since the place of the one that is behind was made: the members by turns, until
// one of them was heard.
func dueRemind(r *core, now time.Time) time.Time {
	n := r.duty.behind
	all, own := r.rankers()
	p := r.places.of(n.from)
	if n.who == (ID{}) {
		return time.Time{}
	}
	if own >= 0 || !slices.Contains(all, n.who) || p == nil {
		r.duty.behind = need{}
		return time.Time{}
	}

	before := 0
	for _, m := range r.set.Members() {
		if m.ID == r.self {
			break
		}
		if m.Role < Admin {
			before++
		}
	}
	when := time.Unix(n.at, 0).Add(remindAfter + time.Duration(before)*turnUrgent)
	if may := r.duty.favour(n.who); when.Before(may) {
		when = may
	}
	if now.Before(when) {
		return when
	}

	r.duty.behind = need{}
	r.duty.favoured(n.who, now)
	if home := readBefore(r, n); home != nil && home != p {
		r.duty.relay, r.duty.relayed = need{who: n.who, at: now.Unix(), from: p.rekey, heads: []keys.ID{home.rekey}}, 0
		for _, w := range r.words.all {
			if w.Author == n.who && w.at >= n.at {
				repeat(r, home, w)
			}
		}
	}
	for _, data := range r.duty.notRepeated(p, r.sinceMade(p, n), now) {
		r.postAt(p, laneOpen, data, true)
	}
	return time.Time{}
}

// readBefore is a place that people read before somebody came back behind it.
func readBefore(r *core, n need) *place {
	for _, id := range r.keys.Heads() {
		w, p := r.words.rekeys[id], r.places.of(id)
		if p != nil && p.card != nil && (w == nil || w.Author != n.who || w.at < n.at) {
			return p
		}
	}
	return nil
}

// repeat repeats a return that came before our turn, and the keys made at once after it: those of the copy were old.
func repeat(r *core, home *place, w *word) {
	heads := &r.duty.relay.heads
	switch {
	case w.Topic == members.Return, w.Topic == members.Card && len(*heads) > 1:
	case w.rekey != nil && len(*heads) < headsOfNeed:
		*heads = append(*heads, w.rid)
	default:
		return
	}
	r.postAt(home, laneOpen, statementData(w), true)
}

// sinceMade is everything since a place was made: entries that somebody does not know, statements, and the leaves of all.
func (r *core) sinceMade(p *place, n need) (all [][]byte) {
	w := r.words.rekeys[p.rekey]
	if w == nil {
		return nil
	}
	for _, e := range r.set.Since(n.knows) {
		all = append(all, entryData(e))
	}
	for _, o := range r.words.all {
		if o != w && o.at >= w.at && (o.Author != n.who || o.Topic != members.Return) {
			all = append(all, statementData(o))
		}
	}
	all = all[max(0, len(all)-maxMissed):]
	for _, id := range sorted(r.leaves.of) {
		if id != n.who && r.set.Role(id) > Nobody {
			all = append(all, append([]byte{typeLeaf}, r.leaves.of[id].record...))
		}
	}
	return all
}

// relay passes on the keys that are made by the one that was behind, with their card and seeds, from the place where it came
// back to the last one: people that came in later read that alone. Early are the seeds that came before their rekey.
func relay(r *core, at spot, data []byte, early [][]byte, now time.Time) {
	d := &r.duty
	n := &d.relay
	if !n.relays(at) {
		return
	}
	to := r.places.of(n.heads[0])
	if to == nil || d.relayed >= relayMost || now.Sub(time.Unix(n.at, 0)).Abs() > relayFor {
		*n = need{}
		return
	}

	all := append([][]byte{data}, early...)
	if data[0] == typeStatement {
		st, err := members.ParseStatement(data[1:])
		if err != nil || st.Author != n.who {
			return
		}
		rekey := rekeyOf(st, r.group)
		switch {
		case st.Topic == members.Card:
			all = all[:1]
		case rekey == keys.ID{} || slices.Contains(n.heads, rekey) || len(n.heads) >= headsOfNeed:
			return
		default:
			n.heads = append(n.heads, rekey)
		}
	} else if data[0] != typeSeeds {
		return
	}
	for _, data := range all {
		if data[0] == typeStatement || slices.Contains(n.heads[1:], keys.ID(data[1:])) {
			d.relayed++
			r.postAt(to, laneOpen, data, true)
		}
	}
}

// relays reports whether a need is that of somebody whose keys are passed on from a log: where they came back, or where the next
// keys come after those that went. Its heads are the place where all go, and the rekeys that went.
func (n *need) relays(at spot) bool {
	return n.who != (ID{}) && at.lane == laneControl && len(n.heads) > 0 &&
		(at.place.rekey == n.from || slices.Contains(n.heads[1:], at.place.rekey))
}

// rekeyOf is the rekey of a statement; zero is none.
func rekeyOf(st *members.Statement, group [32]byte) (id keys.ID) {
	if st.Topic == members.Rekey {
		if rekey, err := keys.ParseRekey(keys.Member(st.Author), st.Context(), st.Body); err == nil {
			id = rekey.ID(group)
		}
	}
	return id
}

// seedsBefore are the seeds that came before a statement that is their rekey, perhaps, and has to be passed on.
func seedsBefore(r *core, at spot, data []byte) (early [][]byte) {
	if data[0] != typeStatement || !r.duty.relay.relays(at) {
		return nil
	}
	for _, c := range r.aside.chunks {
		if c.lane == laneControl {
			early = append(early, slices.Concat([]byte{typeSeeds}, c.rekey[:], []byte{c.index}, c.data))
		}
	}
	return early
}
