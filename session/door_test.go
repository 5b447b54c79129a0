package session

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// TestKnockFromTheFuture: a time far ahead is no order. It counts for nothing until it
// has come, and a time at the limit can be read back.
func TestKnockFromTheFuture(t *testing.T) {
	a, b := talking(t)
	thief := restore(t, state(t, a)).Reset()
	for _, at := range []time.Time{time.UnixMilli(int64(maxInstant)), now.Add(KnockSkew + time.Millisecond), now.AddDate(20000, 0, 0)} {
		if err := thief.Offer(at, ReasonRestored, hints); err != nil {
			t.Fatal(err)
		}
		thief = reread(t, thief)
		r := b.Reset()
		before := resetState(t, r)
		if step, err := r.Take(now, thief.Bundle()[0]); err != ErrEarly || step.New {
			t.Fatalf("%v: %v", at, err)
		}
		if string(before) != string(resetState(t, r)) {
			t.Fatal("a knock from the future changed the reset")
		}
		takeOffer(t, r, offering(t, a, -time.Hour, ReasonRestored).Bundle())
	}

	// An offer that is not far ahead counts, and a premature one does in its time.
	early := offering(t, a, KnockSkew+time.Second, ReasonRestored).Bundle()[0]
	for _, later := range []time.Duration{time.Second, time.Hour} {
		if step, err := b.Reset().Take(now.Add(later), early); err != nil || !step.New {
			t.Fatal(step, err)
		}
	}
}

// steal lets a thief with the state of a reset become the peer of victim; it returns
// the thief's session and the victim's new one.
func steal(t *testing.T, thief *Reset, victim *Session, at time.Time) (theirs, evil *Session) {
	t.Helper()
	if err := thief.Offer(at, ReasonRestored, hints); err != nil {
		t.Fatal(err)
	}
	r := victim.Reset()
	var o *Offered
	for _, c := range thief.Bundle() {
		r = reread(t, r)
		step, err := r.Take(at, c)
		if err != nil || !step.New {
			t.Fatal(step, err)
		}
		o = step.Offered
	}
	theirs, cells, err := o.Join(newID(), []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cells {
		step, err := thief.Take(at, c)
		if err != nil {
			t.Fatal(err)
		}
		if step.Session != nil {
			evil = step.Session
		}
	}
	return restore(t, state(t, theirs)), evil
}

// TestThiefCannotShutTheDoor: after any offers of a thief with an old copy, and however
// many, the owner of the session that it replaced is heard, and with the proof that an
// old copy cannot give the thief is out.
func TestThiefCannotShutTheDoor(t *testing.T) {
	for seed := range uint64(24) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 9))
			owner, peer := talking(t)
			if seed%2 == 1 { // the copy is of the session before
				stolen := state(t, owner)
				owner, peer = renew(t, offering(t, owner, -time.Hour, ReasonRestored), peer.Reset())
				thiefAgainst(t, random, restore(t, stolen), owner, peer)
				return
			}
			stolen := state(t, owner)
			for range 3 { // what heals the session
				open(t, peer, seal(t, owner, "x"), "x")
				open(t, owner, seal(t, peer, "y"), "y")
			}
			thiefAgainst(t, random, restore(t, stolen), owner, peer)
		})
	}
}

func thiefAgainst(t *testing.T, random *rand.Rand, stolen, owner, peer *Session) {
	evil, at := stolen, now
	held := []*Session{stolen}
	for range 1 + random.IntN(6) { // by any of the doors that the thief can know
		at = at.Add(time.Hour)
		from := evil
		if s := held[random.IntN(len(held))]; containsTag(peer.Reset().Window(), s.Reset().own1(t)) {
			from = s
		}
		peer, evil = steal(t, from.Reset(), peer, at.Add(KnockSkew/2))
		held = append(held, evil)
		if n := len(peer.Reset().doors); n > maxDoors {
			t.Fatalf("%d doors", n)
		}
	}

	// Weeks later the owner finds out.
	at = at.AddDate(0, 0, 20)
	back := owner.Reset()
	if err := back.Offer(at, ReasonForked, hints); err != nil {
		t.Fatal(err)
	}
	r := peer.Reset()
	var o *Offered
	for _, c := range back.Bundle() {
		if !containsTag(r.Window(), c.Tag) {
			t.Fatal("the owner is not waited for")
		}
		step, err := r.Take(at, c)
		if err != nil || !step.New {
			t.Fatal("the owner is not heard", err)
		}
		o = step.Offered
	}
	if !o.Proven {
		t.Fatal("the owner has not proven what they hold")
	}
	peer, _, err := o.Join(newID(), []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	window := peer.Reset().Window()
	for i, s := range held {
		if i == 0 && stolen.SafetyNumber() == owner.SafetyNumber() {
			continue // the same door as the owner's
		}
		if containsTag(window, s.Reset().own1(t)) {
			t.Error("the thief is still waited for")
		}
	}
}

// own1 is the tag of the first knock that a side can make.
func (r *Reset) own1(t *testing.T) Tag {
	if err := r.Offer(now, ReasonRestored, hints); err != nil {
		t.Fatal(err)
	}
	return r.Bundle()[0].Tag
}

// TestProof: the present state proves itself, also when the other side has not heard
// its last cells; a copy from two DH steps before does not.
func TestProof(t *testing.T) {
	proven := func(from, to *Session) bool {
		r := to.Reset()
		_, o := takeOffer(t, r, offering(t, from, 0, ReasonForked).Bundle())
		return o.Proven
	}
	a, b := talking(t)
	old := restore(t, state(t, a))
	for i := range 4 {
		open(t, b, seal(t, a, "x"), "x")
		if !proven(a, b) || !proven(b, a) {
			t.Fatal("the present state does not prove itself")
		}
		if i > 1 && proven(old, b) {
			t.Fatal("an old copy proves itself")
		}
		c := seal(t, b, "y")
		seal(t, b, "lost")
		if !proven(b, a) {
			t.Fatal("not before the last cells have come")
		}
		open(t, a, c, "y")
		seal(t, a, "lost")
		if !proven(a, b) {
			t.Fatal("not after a DH step that the other has not seen")
		}
	}
}

// TestKeptOpenForAWhile: after a month the door of a replaced session is closed with
// the next reset.
func TestKeptOpenForAWhile(t *testing.T) {
	for _, days := range []int{29, 31} {
		a, b := talking(t)
		stolen := restore(t, state(t, a))
		for range 3 {
			open(t, b, seal(t, a, "x"), "x")
			open(t, a, seal(t, b, "y"), "y")
		}
		b, evil := steal(t, stolen.Reset(), b, now)
		at := now.AddDate(0, 0, days)
		b, evil = steal(t, evil.Reset(), b, at)
		b, _ = steal(t, evil.Reset(), b, at.Add(time.Hour))
		if waits := containsTag(b.Reset().Window(), a.Reset().own1(t)); waits != (days < 30) {
			t.Errorf("after %d days the door is open: %v", days, waits)
		}
		b.Compared()
		if w := restore(t, state(t, b)).Reset().Window(); len(w) != 6 {
			t.Errorf("%d tags after safety numbers were compared", len(w))
		}
	}
}

// TestCompared: a session with compared safety numbers keeps no door open, and where
// there was none there is none.
func TestCompared(t *testing.T) {
	for n := range maxFormer + 1 {
		s, _ := talking(t)
		s.former = make([]door, 0, maxFormer)
		for i := range n {
			s.former = append(s.former, door{secret: [32]byte{byte(i)}, kept: now0 + instant(i)})
		}
		s.Compared()
		if len(s.former) != min(n, 1) || len(s.former) == 1 && (s.former[0].kept != 0 || s.former[0].secret[0] != 0) {
			t.Errorf("of %d doors %d are left", n, len(s.former))
		}
		if r := s.Reset(); len(r.remember(0, now0)) != 1 {
			t.Errorf("of %d doors %d are remembered by the next session", n, len(r.remember(0, now0)))
		}
	}
}

// now0 is now as an offer has it.
var now0 = instantOf(now)

// TestSucceed: which doors a session remembers, and since when they are kept open.
func TestSucceed(t *testing.T) {
	const month = keptOpen
	for name, c := range map[string]struct {
		kept   []instant // of the doors before
		at     int
		proven bool
		now    instant
		want   map[int]instant // the doors afterwards
	}{
		"restored":                         {[]instant{0}, 0, false, 7, map[int]instant{0: 7}},
		"present state":                    {[]instant{0}, 0, true, 7, map[int]instant{0: 0}},
		"through the door before":          {[]instant{0, 0}, 1, false, 7, map[int]instant{0: 7, 1: 0}},
		"with its proof":                   {[]instant{0, 0}, 1, true, 7, map[int]instant{0: 7, 1: 0}},
		"the door before goes":             {[]instant{0, 0}, 0, false, 7, map[int]instant{0: 7}},
		"one that is kept does not":        {[]instant{0, 5}, 0, false, 7, map[int]instant{0: 7, 1: 5}},
		"not for a proof elsewhere":        {[]instant{0, 5}, 0, true, 7, map[int]instant{0: 0, 1: 5}},
		"as many as can be":                {[]instant{0, 0, 1, 2}, 1, false, 7, map[int]instant{0: 7, 1: 0, 2: 1, 3: 2}},
		"no more":                          {[]instant{0, 1, 2, 3}, 0, false, 7, map[int]instant{0: 0, 1: 1, 2: 2, 3: 3}},
		"no more, through another":         {[]instant{0, 0, 1, 2, 3}, 1, false, 7, map[int]instant{1: 0, 2: 1, 3: 2, 4: 3}},
		"the owner is back":                {[]instant{0, 5, 6}, 1, true, 7, map[int]instant{1: 0}},
		"those before the owner stay":      {[]instant{0, 5, 6, 4}, 1, true, 7, map[int]instant{1: 0, 3: 4}},
		"and those of the same time":       {[]instant{0, 5, 5}, 1, true, 7, map[int]instant{1: 0, 2: 5}},
		"without the proof all stay":       {[]instant{0, 5, 6}, 1, false, 7, map[int]instant{0: 7, 1: 5, 2: 6}},
		"at the end of its time":           {[]instant{0, 5}, 0, true, 5 + month, map[int]instant{0: 0, 1: 5}},
		"after its time":                   {[]instant{0, 5}, 0, true, 6 + month, map[int]instant{0: 0}},
		"a new one in the place of an old": {[]instant{0, 1, 2, 3 + month}, 0, false, 3 + month, map[int]instant{0: 3 + month, 3: 3 + month}},
	} {
		r := &Reset{}
		for i, kept := range c.kept {
			r.doors = append(r.doors, door{secret: [32]byte{byte(i)}, kept: kept})
		}
		got := r.succeed(c.at, c.proven, c.now)
		if len(got) != len(c.want) || got[0].secret[0] != byte(c.at) {
			t.Errorf("%s: %d doors", name, len(got))
		}
		for _, d := range got {
			if kept, ok := c.want[int(d.secret[0])]; !ok || kept != d.kept {
				t.Errorf("%s: door %d kept since %d", name, d.secret[0], d.kept)
			}
		}
	}
}
