package session

import (
	"testing"
	"time"
)

// TestOfferOfAWrongClock: an offer that was made by a clock which was far ahead is made
// again, and counts then; of two by clocks that are nearly right the later stands, though
// the clock was set back in between.
func TestOfferOfAWrongClock(t *testing.T) {
	for _, ahead := range []time.Duration{-time.Hour, 0, time.Hour, 3 * time.Hour, 365 * 24 * time.Hour} {
		alice, bob := talking(t)
		r := alice.Reset()
		if r.Early(now) || r.Reason() != 0 {
			t.Fatal("there is an offer")
		}
		if err := r.Offer(now.Add(ahead), ReasonRestored, hints); err != nil {
			t.Fatal(err)
		}
		early := ahead > 2*time.Hour
		if r.Early(now) != early || r.Reason() != ReasonRestored {
			t.Errorf("%v ahead: early %v", ahead, r.Early(now))
		}
		if err := r.Offer(now, ReasonForked, hints); err != nil {
			t.Fatal(err)
		}
		want := instantOf(now.Add(max(0, ahead)))
		if early {
			want = instantOf(now)
		}
		if got := r.offer.time; got != want && got != want+1 {
			t.Errorf("%v ahead: the second offer is of %d, not %d", ahead, got, want)
		}
		step, err := bob.Reset().Take(now, r.Bundle()[0])
		if wait := want > instantOf(now)+instant(KnockSkew.Milliseconds()); (err != nil) != wait || step.New == wait {
			t.Errorf("%v ahead: %v, new %v", ahead, err, step.New)
		}
	}
}
