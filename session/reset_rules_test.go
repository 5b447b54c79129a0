package session

import (
	"bytes"
	"testing"
	"time"

	"starling/session/internal/key"
	"starling/session/internal/key/keytest"
	"starling/session/invite"
	"starling/session/prekey"
)

// TestInstants: a time of an offer is between the first millisecond of 1970 and the
// last of 9999, by any clock.
func TestInstants(t *testing.T) {
	for name, c := range map[string]struct {
		at   time.Time
		want instant
	}{
		"now":          {now, instant(now.UnixMilli())},
		"1970":         {time.Unix(0, 0), 1},
		"before":       {time.Unix(-1000, 0), 1},
		"no time":      {time.Time{}, 1},
		"the last":     {time.UnixMilli(int64(maxInstant)), maxInstant},
		"one too late": {time.UnixMilli(int64(maxInstant) + 1), maxInstant},
	} {
		if got := instantOf(c.at); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

// TestTimeOfOffers: an offer is later than the one before, by the clock or by a
// millisecond, and never beyond the end of time.
func TestTimeOfOffers(t *testing.T) {
	a, _ := talking(t)
	r := a.Reset()
	for _, c := range []struct {
		at   time.Time
		want instant
	}{
		{now, instantOf(now)},
		{now.Add(time.Hour), instantOf(now.Add(time.Hour))},
		{now, instantOf(now.Add(time.Hour)) + 1},
		{now, instantOf(now.Add(time.Hour)) + 2},
		{time.UnixMilli(int64(maxInstant)), maxInstant},
		{time.UnixMilli(int64(maxInstant)), maxInstant},
		{now, instantOf(now)}, // a wrong clock made the one before
	} {
		if err := r.Offer(c.at, ReasonForked, hints); err != nil || r.offer.time != c.want {
			t.Errorf("at %v: %d, want %d: %v", c.at, r.offer.time, c.want, err)
		}
		reread(t, r)
	}
}

// TestOffersOvertake: our offer takes the place of the peer's pending one if it comes
// through the door of the session that both give up, and is earlier.
func TestOffersOvertake(t *testing.T) {
	for name, c := range map[string]struct {
		door  int
		last  instant
		stays bool
	}{
		"earlier":            {0, instantOf(now) - 1, false},
		"later":              {0, instantOf(now) + 1, true},
		"by another door":    {1, instantOf(now) - 1, true},
		"later, by another":  {1, instantOf(now) + 1, true},
		"much earlier, here": {0, 1, false},
	} {
		a, _ := talking(t)
		r := a.Reset()
		r.doors = append(r.doors, door{})
		r.doors[c.door].last = c.last
		r.pending = &pendingOffer{reason: ReasonForked, door: c.door}
		if err := r.Offer(now, ReasonForked, hints); err != nil || (r.pending != nil) != c.stays {
			t.Errorf("%s: stays %v: %v", name, r.pending != nil, err)
		}
	}
}

// TestStands: the later offer stands, of either side; of two of one millisecond that of
// the session's initiator.
func TestStands(t *testing.T) {
	for _, initiator := range []bool{false, true} {
		r := &Reset{initiator: initiator}
		if r.stands(0) {
			t.Error("no offer stands")
		}
		a, b := talking(t)
		for _, s := range []*Session{a, b} {
			if again := reread(t, s.Reset()); again.initiator != s.Initiator() {
				t.Error("the role is another after a restart")
			}
		}
		r.offer = &offer{time: 100}
		for theirs, want := range map[instant]bool{99: true, 100: initiator, 101: false} {
			if got := r.stands(theirs); got != want {
				t.Errorf("initiator %v, theirs %d: %v", initiator, theirs, got)
			}
		}
	}
}

// TestElsewhere: a knock moves to the next of its tags, and is one there, until there is
// no other.
func TestElsewhere(t *testing.T) {
	a, b := talking(t)
	r := offering(t, a, 0, ReasonRestored)
	for slot := range invite.Knocks {
		knock := r.Bundle()[0]
		if r.offer.slot != slot || knock.Tag != invite.DeriveKnock(&r.own).Tags[slot] {
			t.Errorf("slot %d", r.offer.slot)
		}
		if step, err := b.Reset().Take(later, knock); err != nil || !step.New {
			t.Errorf("slot %d: %v", slot, err)
		}
		if r.Elsewhere() != (slot < invite.Knocks-1) {
			t.Errorf("elsewhere than slot %d", slot)
		}
		r = reread(t, r)
	}
}

// TestAnswerCounts: an answer closes our offer for good: knocks from before it are no
// news, in whichever order they come, and the door remembers the later one.
func TestAnswerCounts(t *testing.T) {
	for name, last := range map[string]instant{"offers before": 1, "offers later": instantOf(now) + 9} {
		a, b := talking(t)
		r := offering(t, a, 0, ReasonRestored)
		r.doors[0].last = last
		_, o := takeOffer(t, b.Reset(), r.Bundle())
		_, cells, err := o.Join(newID(), []byte("again"))
		if err != nil {
			t.Fatal(err)
		}
		if s, _ := takeAnswer(t, r, cells[:3]); len(s.former) != 1 || s.former[0].last != max(last, instantOf(now)) {
			t.Errorf("%s: doors %+v", name, s.former)
		}
	}
}

// TestKnockOfTheFuture: a knock counts ten minutes ahead of our clock, and no sooner.
func TestKnockOfTheFuture(t *testing.T) {
	a, b := talking(t)
	knock := offering(t, a, KnockSkew, ReasonRestored).Bundle()[0]
	if _, err := b.Reset().Take(now.Add(-time.Millisecond), knock); err != ErrEarly {
		t.Errorf("too early: %v", err)
	}
	if step, err := b.Reset().Take(now, knock); err != nil || !step.New {
		t.Errorf("in time: %v", err)
	}
}

// TestKnockElsewhereBesideOurs: an offer of ours does not stand against a knock through
// the door of another session.
func TestKnockElsewhereBesideOurs(t *testing.T) {
	a, b := talking(t)
	theirs := offering(t, b, 0, ReasonRestored)
	r := a.Reset()
	r.doors = append([]door{{secret: [32]byte{1}}}, r.doors...)
	if err := r.Offer(now.Add(time.Hour), ReasonForked, hints); err != nil {
		t.Fatal(err)
	}
	if step, err := r.Take(later, theirs.Bundle()[0]); err != nil || !step.New || r.pending == nil || r.pending.door != 1 {
		t.Errorf("%v, %v", step.New, err)
	}
}

// TestAnswerTwice: a part of an answer that comes again is no news.
func TestAnswerTwice(t *testing.T) {
	a, b := talking(t)
	r := offering(t, a, 0, ReasonRestored)
	_, o := takeOffer(t, b.Reset(), r.Bundle())
	_, cells, err := o.Join(newID(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []bool{true, false} {
		if step, err := r.Take(later, cells[1]); err != nil || step.New != want || step.Session != nil {
			t.Errorf("copy %d: new %v, %v", i, step.New, err)
		}
	}
}

// TestOfferedLimits: a first content that is too long, and keys that give no secret, make
// no session.
func TestOfferedLimits(t *testing.T) {
	a, b := talking(t)
	r := offering(t, a, 0, ReasonRestored)
	_, o := takeOffer(t, b.Reset(), r.Bundle())
	if s, cells, err := o.Join(newID(), make([]byte, MaxContent+1)); err != ErrTooLong || s != nil || cells != nil {
		t.Errorf("too long: %v", err)
	}
	if s, _, err := o.Join(newID(), bytes.Repeat([]byte{1}, MaxContent)); err != nil || s == nil {
		t.Errorf("as long as can be: %v", err)
	}
	bad := prekey.New()
	bad.Signed = key.Restore([32]byte{1}, keytest.LowOrder()[3])
	o.prekeys = bad.Bundle()
	if s, cells, err := o.Join(newID(), nil); err != ErrBundle || s != nil || cells != nil {
		t.Errorf("no secret: %v", err)
	}
}
