package admission

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"starling/p2p/wire"
)

// invented returns relays that are not there, of which some relays are examiners: node
// ids cost an attacker nothing, so he tries until they are.
func (w *world) invented(t *testing.T, n, from int, by []*relay) (all []*relay) {
	t.Helper()
	for i := from; len(all) < n; i++ {
		r := newRelay(t, i)
		others := w.Others()
		if !slices.ContainsFunc(by, func(l *relay) bool { return !barOf(Slack, Day(w.now), r.d.ID, others).holds(l.d.ID) }) {
			all = append(all, r)
		}
	}
	return all
}

// TestFewLiars: four relays that live and vouch for as many as they like that are not
// there have three of them in a list at most, before it is looked at or after, and none
// once two looks at each have failed.
func TestFewLiars(t *testing.T) {
	for _, n := range []int{24, 60} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			w := newWorld(t, n)
			liars := w.relays[:4]
			fakes := w.invented(t, 36, 20_000, liars)
			there := map[wire.NodeID]bool{}
			for _, r := range w.relays {
				there[r.d.ID] = true
			}

			var news []News
			for _, f := range fakes {
				news = append(news, f.vouch(t, Day(w.now), liars...))
			}

			most := 0
			for minute := range 6 * 60 {
				for i := 0; i < len(news) && minute%20 == 0; i++ {
					w.Hear(news[i])
				}
				due, _ := w.Due(4)
				for _, c := range due {
					if there[c.ID] {
						w.Reached(c.Raw)
					} else {
						w.Failed(c)
					}
				}
				most = max(most, len(w.Others())-n)
				w.now = w.now.Add(time.Minute)
			}
			if left := len(w.Others()) - n; most > unproven || left != 0 {
				t.Errorf("%d that are not there were listed at a time, and %d are after six hours", most, left)
			}
			for _, r := range w.relays {
				if w.mu.Lock(); w.void(r.d.ID) != slices.Contains(liars, r) {
					t.Errorf("relay %v has a voice: %v", r.d.ID, !w.void(r.d.ID))
				}
				w.mu.Unlock()
			}
		})
	}
}

// TestMissedBesideLies: a relay that is there, and did not answer one look, is looked at
// again, though all of its voices have others to prove and nobody has more to say. In an
// hour it is looked at three times, and only then somebody would be charged.
func TestMissedBesideLies(t *testing.T) {
	w := newWorld(t, 24)
	voices := w.relays[:4]
	for _, f := range w.invented(t, unproven, 20_000, voices) {
		w.Hear(f.vouch(t, Day(w.now), voices...))
	}
	due, _ := w.Due(8)
	for _, c := range due {
		w.Failed(c) // and is listed by four voices
	}
	if n := len(w.Others()) - len(w.relays); n != unproven {
		t.Fatalf("%d that are not there are listed", n)
	}

	r := w.invented(t, 1, 30_000, voices)[0]
	w.Hear(r.vouch(t, Day(w.now), voices...))
	var looks []time.Duration
	for began := w.now; w.now.Sub(began) < 2*again; w.now = w.now.Add(time.Minute) {
		due, _ := w.Due(8)
		for _, c := range due {
			if c.ID == r.d.ID {
				looks = append(looks, w.now.Sub(began))
				w.Failed(c)
			}
		}
	}
	if want := []time.Duration{0, lookAgain, 3 * lookAgain}; !slices.Equal(looks, want) {
		t.Errorf("looked at after %v, want %v", looks, want)
	}
	if n := len(w.Charges()); n != 0 {
		t.Errorf("%d are charged", n)
	}
}

// TestNewcomerBesideLies: a relay that is there and was vouched for by others is looked
// at soon, beside any number that four liars have invented.
func TestNewcomerBesideLies(t *testing.T) {
	w := newWorld(t, 24)
	for _, f := range w.invented(t, 300, 20_000, w.relays[:4]) {
		w.Hear(f.vouch(t, Day(w.now), w.relays[:4]...))
	}
	r := newRelay(t, 1000)
	honest := slices.DeleteFunc(w.examiners(r), func(o *relay) bool { return slices.Contains(w.relays[:4], o) })[:8]
	w.Hear(r.vouch(t, Day(w.now), honest...))

	for i := range 10 {
		due, _ := w.Due(4)
		if slices.ContainsFunc(due, func(c Check) bool { return c.ID == r.d.ID }) {
			t.Logf("in turn %d", i+1)
			return
		}
	}
	t.Error("it has not had its turn beside 40 that are not there")
}

// TestDeathIsNoLie: relays that were reached and die, however many, cost none of their
// examiners a voice.
func TestDeathIsNoLie(t *testing.T) {
	w := newWorld(t, 24)
	var dead []*relay
	for i := range 6 {
		r := newRelay(t, 1000+i)
		w.Hear(r.vouch(t, Day(w.now), w.examiners(r)[:8]...))
		if err := w.Reached(r.sign(t)); err != nil {
			t.Fatal(err)
		}
		dead = append(dead, r)
	}
	for range 4 {
		w.now = w.now.Add(time.Hour + time.Minute)
		for _, r := range dead {
			w.Failed(Check{r.d.ID, r.sign(t), r.d.Addresses})
		}
	}
	if n := len(w.Charges()); n != 0 {
		t.Errorf("%d are charged", n)
	}
}
