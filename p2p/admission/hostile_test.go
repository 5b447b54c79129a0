package admission

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"starling/p2p/directory"
)

// TestForgedBesideGenuine: news that is taken is passed on as it is. With a forged
// voucher in it it is not taken, by any supposed examiner and of any relay: others
// would hold it against the relay that passes it on.
func TestForgedBesideGenuine(t *testing.T) {
	const known = 80
	stranger := newRelay(t, 500)
	for name, news := range map[string]func(w *world) News{
		"of a newcomer, by a stranger": func(w *world) News {
			r := newRelay(t, 1000)
			return r.vouch(t, Day(start), append(w.examiners(r)[:4], stranger)...)
		},
		"of a newcomer, by one who is no examiner": func(w *world) News {
			r := newRelay(t, 1000)
			return r.vouch(t, Day(start), append(w.examiners(r)[:4], w.examiners(r)[60])...)
		},
		"of a newcomer, of last year": func(w *world) News {
			r := newRelay(t, 1000)
			n := r.vouch(t, Day(start), w.examiners(r)[:5]...)
			n.Vouchers[4].Day -= 365
			return n
		},
		"renewed, by an examiner": func(w *world) News {
			r := w.relays[0]
			r.d.Sequence++
			return r.vouch(t, Day(start), w.examiners(r)[1])
		},
		"renewed, by a stranger": func(w *world) News {
			r := w.relays[0]
			r.d.Sequence++
			return r.vouch(t, Day(start), stranger)
		},
		"our own": func(*world) News {
			r := newRelay(t, 9999)
			r.d.Sequence = 99
			return r.vouch(t, Day(start), stranger)
		},
	} {
		for _, forged := range []bool{false, true} {
			w := newWorld(t, known)
			n := news(w)
			if forged {
				n.Vouchers[len(n.Vouchers)-1].sig[7] ^= 1
			} else if name == "of a newcomer, of last year" {
				continue // its day was changed
			}
			want := error(nil)
			if forged {
				want = ErrForged
			}
			if err := w.Hear(n); !errors.Is(err, want) {
				t.Errorf("%s, forged %v: %v", name, forged, err)
			}
		}
	}
}

// TestHiding: relays that are there while they are examined and hide afterwards, one
// after the other, do not take the voice from examiners that also vouch for others.
// Examiners that vouch for nobody else lose it.
func TestHiding(t *testing.T) {
	w := newWorld(t, 80)
	honest := newRelay(t, 2000)
	four := w.examiners(honest)[:4]
	n := 0
	// next is a relay of which the same four are examiners.
	next := func() *relay {
		for n++; ; n++ {
			r := newRelay(t, 3000+n)
			ok := true
			for _, e := range four {
				ok = ok && barOf(Slack, Day(w.now), r.d.ID, w.Others()).holds(e.d.ID)
			}
			if ok {
				return r.at(fmt.Sprintf("%d.%d.9.9:4001", 60+n/250, n%250))
			}
		}
	}
	fall := func(r *relay) {
		t.Helper()
		// Listed, or looked at first where three of theirs are not reached yet.
		if err := w.Hear(r.vouch(t, Day(w.now), four...)); err != nil && !errors.Is(err, ErrUnvouched) {
			t.Fatal(err)
		}
		for range 2 {
			w.now = w.now.Add(time.Hour + time.Minute)
			w.Failed(Check{r.d.ID, r.sign(t), r.d.Addresses})
		}
	}
	void := func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.void(four[0].d.ID)
	}
	stand := func(r *relay) {
		t.Helper()
		if err := w.Hear(r.vouch(t, Day(w.now), four...)); err != nil {
			t.Fatal(err)
		}
		w.Reached(r.sign(t))
	}

	for range 4 {
		stand(next())
	}
	for range 4 {
		fall(next())
		if void() {
			t.Fatal("who was right as often as wrong has no voice")
		}
		if all := w.Charges(); len(all) > 0 {
			t.Fatalf("kept over a restart: %v", all)
		}
	}
	// One more and they were wrong more often than right.
	fall(next())
	if !void() {
		t.Error("who was wrong more often than right has a voice")
	}
	if err := w.Hear(honest.vouch(t, Day(w.now), four...)); !errors.Is(err, ErrUnvouched) {
		t.Errorf("by who has no voice: %v", err)
	}
}

// TestDeadRelayBlamesNobody: a relay that we have reached since it was vouched for may
// die: nobody was wrong about it. Vouchers of before are no blame when it comes with
// them once more, those that are newer are, when it is not there.
func TestDeadRelayBlamesNobody(t *testing.T) {
	w := newWorld(t, 80)
	r := newRelay(t, 1000)
	four := w.examiners(r)[:4]
	if err := w.Hear(r.vouch(t, Day(w.now), four...)); err != nil {
		t.Fatal(err)
	}
	w.Reached(r.sign(t))
	blamed := func() int {
		for range 2 {
			w.now = w.now.Add(time.Hour + time.Minute)
			w.Failed(Check{r.d.ID, r.sign(t), r.d.Addresses})
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		return len(w.blame)
	}
	if n := blamed(); n != 0 {
		t.Errorf("%d are blamed for the death of a relay", n)
	}
	r.d.Sequence++
	if err := w.Hear(r.vouch(t, Day(start), four...)); err != nil {
		t.Fatal(err)
	}
	w.mu.Lock()
	w.files[r.d.ID].charged = false
	w.mu.Unlock()
	if n := blamed(); n != 0 {
		t.Errorf("%d are blamed for old vouchers", n)
	}

	w.now = start.Add(26 * time.Hour)
	r.d.Sequence, r.d.Issued, r.d.Expires = 9, w.now, w.now.Add(directory.MaxLifetime)
	r.d.Epoch = directory.FirstEpoch(w.now)
	if err := r.d.Promise(r.key); err != nil {
		t.Fatal(err)
	}
	if err := w.Hear(r.vouch(t, Day(w.now), w.examiners(r)[:4]...)); err != nil {
		t.Fatal(err)
	}
	w.mu.Lock()
	w.files[r.d.ID].charged, w.files[r.d.ID].failed = false, nil
	w.mu.Unlock()
	if n := blamed(); n != 4 {
		t.Errorf("%d are blamed who vouch for a relay that is not there", n)
	}
}
