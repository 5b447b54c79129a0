package group

import (
	"crypto/ed25519"
	"slices"
	"time"

	"starling/session/group/keys"
	"starling/session/internal/kdf"
)

// junkMost is how many entries of a lane that say nothing are a flood. Honest writers put few things but messages
// into lanes 1 to 6: a leaf a day, a word now and then.
const junkMost = 256

// Trouble is a flooded lane, or one with taken tags.
type trouble struct {
	rekey  keys.ID
	lane   uint8
	by     ID   // zero: we saw it ourselves
	proved bool // there is garbage in the lane, signed with its key
}

// signedIn reports whether an entry was signed with the key of a lane of writers. A mailbox has none of these; owner and
// admins have all.
func signedIn(r *core, at spot, e Entry) bool {
	p := at.place
	if p.writes != writesRoot || at.lane < laneFirst || at.lane > laneLast {
		return false
	}
	public := publicOf(logKey(laneSecret(p.given, at.lane), at.lane, at.segment))
	return ed25519.Verify(public[:], slices.Concat([]byte(logAppend), public[:], e.Tag[:], e.Box), e.Signature[:])
}

// garbage counts an entry of no honest writer: a proof of the word of others about the lane.
func garbage(r *core, at spot, e Entry, now time.Time) {
	if !signedIn(r, at, e) {
		return
	}
	for i, t := range r.duty.troubles {
		if t.rekey == at.place.rekey && t.lane == at.lane && !t.proved {
			r.duty.troubles[i].proved = true
			r.tell(Flooded{t.lane})
		}
	}
	at.place.foul[at.lane] = true
	junk(r, at, 1)
}

// idle counts an entry that is of use to few. Admins put all that they say into the lane that they were dealt.
func idle(r *core, at spot, e Entry, now time.Time) {
	if signedIn(r, at, e) && !r.duty.ofLeader(r, at) {
		junk(r, at, 1)
	}
}

// junk counts entries that say nothing; very many are trouble.
func junk(r *core, at spot, n int) {
	j := &at.place.junk[at.lane]
	before := *j
	if *j = uint16(min(int(*j)+n, 1<<15)); before < junkMost && *j >= junkMost {
		r.duty.accuse(trouble{at.place.rekey, at.lane, ID{}, true})
		r.tell(Flooded{at.lane})
	}
}

// accuse notes trouble: once of each lane, and once by each person under a rekey.
func (d *duty) accuse(t trouble) bool {
	for i, o := range d.troubles {
		if o.rekey == t.rekey && o.lane == t.lane {
			d.troubles[i].proved = o.proved || t.proved
			return false
		}
		if o.rekey == t.rekey && o.by == t.by && t.by != (ID{}) {
			return false
		}
	}
	d.troubles = append(d.troubles, t)
	d.troubles = d.troubles[max(0, len(d.troubles)-lanes*maxDeals):]
	return true
}

// takeTrouble notes a lane with taken tags. It is a word of one person until there is garbage in the lane.
func (r *core) takeTrouble(w *word) error {
	if len(w.Body) != 33 || w.Body[32] >= lanes {
		return ErrInvalid
	}
	t := trouble{rekey: keys.ID(w.Body), lane: w.Body[32], by: w.Author}
	p := r.places.of(t.rekey)
	if p == nil {
		return nil
	}
	if t.proved = p.foul[t.lane]; r.duty.accuse(t) && t.proved {
		r.tell(Flooded{t.lane})
	}
	return nil
}

// relieve reports whether a lane of the present keys is in trouble.
func relieve(r *core, now time.Time) bool {
	if now.Unix() < r.duty.relief+int64(troubleRest/time.Second) {
		return false
	}
	heads := r.keys.Heads()
	return slices.ContainsFunc(r.duty.troubles, func(t trouble) bool { return t.proved && slices.Contains(heads, t.rekey) })
}

// laneOf is the lane of somebody under a rekey: the one of our dealing, or else the same from every admin. So nobody has
// more than two lanes by asking for keys again and again.
func laneOf(r *core, p *place, who ID) uint8 {
	for _, one := range r.duty.deals {
		if one.rekey != p.rekey {
			continue
		}
		if one.lane[who] == 0 {
			one.lane[who] = p.laneGiven(who)
		}
		return one.lane[who]
	}
	return p.laneGiven(who)
}

// laneGiven is the lane in a step of an admin that has not dealt the lanes.
func (p *place) laneGiven(who ID) uint8 {
	return laneFirst + kdf.MAC(p.given[:], []byte("lane of a step"), who[:])[0]%laneLast
}

// hit reports whether a lane of somebody was in trouble in a dealing of ours.
func hit(r *core, one deal, who ID) bool {
	lane, dealt := one.lane[who]
	if !dealt {
		return false
	}
	also := lane
	if p := r.places.of(one.rekey); p != nil && r.words.stepped(one.rekey, who) {
		also = p.laneGiven(who)
	}
	return slices.ContainsFunc(r.duty.troubles, func(t trouble) bool {
		return t.proved && t.rekey == one.rekey && (t.lane == lane || t.lane == also)
	})
}

// stepped reports whether a step handed a rekey to somebody.
func (a *archive) stepped(rekey keys.ID, who ID) bool {
	return slices.ContainsFunc(a.all, func(w *word) bool {
		return w.step != nil && w.step.For == keys.Member(who) && slices.ContainsFunc(w.step.Heads, func(h keys.StepHead) bool { return h.Rekey == rekey })
	})
}

// weights is in how many dealings of a kind each shared a lane in trouble, and in how many there was any.
func weights(r *core, counts func(deal) bool) (of map[ID]int, times int) {
	of = map[ID]int{}
	for _, one := range r.duty.deals {
		if !counts(one) || !slices.ContainsFunc(r.duty.troubles, func(t trouble) bool { return t.proved && t.rekey == one.rekey }) {
			continue
		}
		times++
		for who := range one.lane {
			if hit(r, one, who) {
				of[who]++
			}
		}
	}
	return of, times
}

// aloneAt reports whether a dealing was ours alone.
func (d *duty) aloneAt(rekey keys.ID) bool {
	return slices.ContainsFunc(d.deals, func(one deal) bool { return one.alone && one.rekey == rekey })
}

// ofLeader reports whether a lane was dealt to another admin.
func (d *duty) ofLeader(r *core, at spot) bool {
	for _, one := range d.deals {
		for who, lane := range one.lane {
			if one.rekey == at.place.rekey && lane == at.lane && who != r.self && r.set.Role(who) >= Admin && one.alone {
				return true
			}
		}
	}
	return false
}

// suspects is the one writer in a lane in trouble at least twice, and every time, of dealings that were ours alone: in any
// other the garbage could be an admin's. Reporters are no exception: the flooder may be the first of them.
func suspects(r *core) (all []ID) {
	of, times := weights(r, func(one deal) bool { return one.alone })
	for who, n := range of {
		if times >= 2 && n == times && who != r.self {
			all = append(all, who)
		}
	}
	if len(all) != 1 {
		return nil
	}
	return all
}
