package group

import (
	"cmp"
	"crypto/rand"
	"math/big"
	"slices"
	"time"

	"starling/session/group/keys"
	"starling/session/group/members"
)

// After rekeys in so many weeks without a new leaf nothing is sealed to somebody: they come back by a
// return. A busy hour of removals is one, and so is one look at a clock that is off.
const staleRekeys = 4

// rekey makes fresh keys for everybody in the room, and a place for them.
func (r *core) rekey(now time.Time) error {
	if r.set.Role(r.self) < Admin {
		return ErrRank
	}
	if r.back.silent() {
		return ErrNotYet
	}
	if err := mayRekey(r); err != nil {
		return err
	}
	remaining := r.remaining()
	old := r.posting()
	if len(r.words.rekeys) == 0 {
		old = nil
	}

	var root [32]byte
	rand.Read(root[:])
	dealt, alone := r.deal()
	var to []keys.Recipient
	for _, m := range keyed(r) {
		if one, ok := r.recipient(m, root, dealt[m.ID], alone, now); ok {
			to = append(to, one)
		}
	}

	st := r.set.State(r.key, members.Rekey, random())
	rekey, sealed, err := r.keys.Rekey(keys.Member(r.self), st.Context(), to)
	if err != nil {
		return ErrFull
	}
	st.Body = rekey.Append(nil)
	st.Sign(r.key)
	w := &word{Statement: st, id: st.ID(), at: now.Unix(), counts: true, rekey: rekey, rid: rekey.ID(r.group)}

	p := r.places.make(r, w.rid, root, now)
	p.writes, p.lane = writesRoot, dealt[r.self]
	pi := p.vault.secret
	c := r.statement(members.Card, random(), func(context [32]byte) []byte {
		return sealCard(r.group, w.rid, pi, context, newCard(root, r.door.secret(len(remaining) > 0), r.mailboxes))
	})
	r.duty.dealt(deal{w.rid, dealt, alone})
	r.keep(w, now)
	r.keep(c, now)

	r.sendRekey(w, c, sealed, old)
	return nil
}

// mayRekey reports whether others take one more rekey of ours, with its card.
func mayRekey(r *core) error {
	for _, topic := range []members.Topic{members.Rekey, members.Card} {
		if r.words.number[authored{r.self, topic}] >= most(topic) {
			return ErrSpent
		}
	}
	return nil
}

// keyed is the members to be given keys: all, but of a crowd beyond the limit the owner, the admins, and the oldest
// members.
func keyed(r *core) []members.Somebody {
	all := r.set.Members()
	if len(all) <= keys.MaxRecipients {
		return all
	}
	came := map[ID]int{}
	for i, e := range r.set.Entries() {
		if e.Person != nil && came[e.Person.ID()] == 0 {
			came[e.Person.ID()] = i
		}
	}
	slices.SortFunc(all, func(a, b members.Somebody) int {
		return cmp.Or(cmp.Compare(min(b.Role, Admin)/Admin, min(a.Role, Admin)/Admin), cmp.Compare(came[a.ID], came[b.ID]))
	})
	if at := slices.IndexFunc(all, func(m members.Somebody) bool { return m.ID == r.self }); at >= keys.MaxRecipients {
		all[0], all[at] = all[at], all[0]
	}
	return all[:keys.MaxRecipients]
}

// recipient is a member as the receiver of a seed.
func (r *core) recipient(m members.Somebody, root [32]byte, lane uint8, alone bool, now time.Time) (keys.Recipient, bool) {
	one := keys.Recipient{Member: keys.Member(m.ID)}
	if m.ID == r.self {
		own := r.leaves.newest()
		one.Leaf, one.Counter = own.key.Public(), own.counter
	} else {
		l, known := r.leaves.of[m.ID]
		if !known || r.words.staleFor(l, now) {
			return one, false
		}
		one.Leaf, one.Counter = l.leaf, l.counter
	}
	one.Lane = r.settings.laneFor(m.Role, root, lane, alone && m.ID != r.self)
	return one, true
}

// laneFor is the secret that somebody of a role is given: owner and admins that of all lanes, unless the dealer keeps it.
func (s *Settings) laneFor(role Role, root [32]byte, lane uint8, kept bool) [32]byte {
	switch {
	case role >= Admin && !kept:
		return root
	case role >= Admin || role == Writer && !s.AdminsOnly:
		return laneSecret(root, lane)
	}
	return [32]byte{}
}

// staleFor reports whether somebody has not renewed their leaf for long.
func (a *archive) staleFor(l leafOf, now time.Time) bool {
	var since []int64
	for _, w := range a.rekeys {
		if w.at > l.at && w.at <= now.Unix() {
			since = append(since, w.at)
		}
	}
	slices.Sort(since)
	n, last := 0, l.at
	for _, at := range since {
		if at-last >= int64(rekeyAge/time.Second) {
			n, last = n+1, at
		}
	}
	return n >= staleRekeys
}

// sendRekey sends the statement and the seeds to the old places, and the card to all.
func (r *core) sendRekey(w, c *word, sealed []keys.Sealed, old []*place) {
	var seeds []byte
	for i, s := range sealed {
		if w.rekey.Members[i] != w.rekey.Author {
			seeds = append(seeds, s...)
		}
	}

	for _, p := range old {
		lane := p.controlLane()
		r.postAt(p, lane, statementData(w), true)
		for i, rest := 0, seeds; len(rest) > 0; i++ {
			n := min(len(rest), chunkSize)
			data := append([]byte{typeSeeds}, w.rid[:]...)
			r.postAt(p, lane, append(append(data, byte(i)), rest[:n]...), true)
			rest = rest[n:]
		}
		r.postAt(p, lane, statementData(c), true)
	}
	if p := r.places.of(w.rid); p != nil {
		r.postAt(p, laneControl, statementData(c), true)
		if len(old) == 0 {
			r.postAt(p, laneControl, statementData(w), true)
		}
	}
}

// deal deals the writers to lanes anew. Those that shared a lane in trouble are spread first, so that two
// dealings leave one of them. While there is trouble the dealing is ours alone: other admins could write in anybody's
// lane; they are given one for themselves, and members the others.
func (r *core) deal() (dealt map[ID]uint8, alone bool) {
	var all, leaders []ID
	weight, times := weights(r, func(deal) bool { return true })
	for _, m := range r.set.Members() {
		switch {
		case m.Role >= Admin && m.ID != r.self && times > 0:
			leaders = append(leaders, m.ID)
		case m.Role >= Writer:
			all = append(all, m.ID)
		}
	}
	for i := len(all) - 1; i > 0; i-- {
		j := pick(i + 1)
		all[i], all[j] = all[j], all[i]
	}
	slices.SortStableFunc(all, func(a, b ID) int { return cmp.Compare(weight[b], weight[a]) })

	dealt = map[ID]uint8{}
	start, n := pick(laneLast), laneLast
	if len(leaders) > 0 {
		n--
	}
	for i, id := range all {
		dealt[id] = uint8(laneFirst + (start+i%n)%laneLast)
	}
	for _, id := range leaders {
		dealt[id] = uint8(laneFirst + (start+n)%laneLast)
	}
	rankers, _ := r.rankers()
	return dealt, times > 0 || len(rankers) == 1
}

// pick is a random number below n.
func pick(n int) int {
	v, err := rand.Int(rand.Reader, big.NewInt(int64(n)))
	if err != nil {
		panic("group: " + err.Error()) // the system's randomness never fails
	}
	return int(v.Int64())
}

// grant hands heads to somebody, in as many steps as it takes: the statements for all, and the
// sealed parts for them. Their lane is one of the first head's place.
func (r *core) grant(to ID, leaf leafOf, heads []keys.ID, now time.Time) (said [][]byte, sealed [][]byte, err error) {
	if len(heads) == 0 || r.set.Role(r.self) < Admin {
		return nil, nil, ErrNotYet
	}

	for len(heads) > 0 {
		n := min(len(heads), stepHeads)
		one := keys.Recipient{Member: keys.Member(to), Leaf: leaf.leaf, Counter: leaf.counter}
		if p := r.places.of(heads[0]); p != nil && p.writes == writesRoot {
			one.Lane = r.settings.laneFor(r.set.Role(to), p.given, laneOf(r, p, to), r.duty.aloneAt(p.rekey))
		}
		st := r.set.State(r.key, members.Step, random())
		step, secret, err := r.keys.Step(st.Context(), one, heads[:n])
		if err != nil {
			return nil, nil, ErrNotYet
		}
		st.Body = step.Append(nil)
		st.Sign(r.key)
		w := &word{Statement: st, id: st.ID(), at: now.Unix(), counts: true, step: step}
		r.keep(w, now)
		context := st.Context()
		said = append(said, statementData(w))
		sealed = append(sealed, append(append([]byte{typeHanded}, context[:]...), secret...))
		heads = heads[n:]
	}
	return said, sealed, nil
}

// stepHeads is how many heads one step hands over, so that each part of it is one cell.
const stepHeads = 4
