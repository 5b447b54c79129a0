package admission

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"starling/p2p/directory"
	"starling/p2p/wire"
)

// TestChecks: a relay that does not answer is no longer reached after two failures
// an hour apart, and loses its place after three without a fresh voucher. An
// examiner of three such relays has no voice for a week.
func TestChecks(t *testing.T) {
	w := newWorld(t, 80)
	fail := func(r *relay) {
		for range 3 {
			w.now = w.now.Add(time.Hour + time.Minute)
			w.Failed(Check{r.d.ID, r.sign(t), r.d.Addresses})
		}
	}
	r := newRelay(t, 1000)
	liars := w.examiners(r)[:4]
	if err := w.Hear(r.vouch(t, Day(w.now), liars...)); err != nil {
		t.Fatal(err)
	}
	w.now = w.now.Add(time.Hour)
	w.Failed(Check{r.d.ID, r.sign(t), r.d.Addresses})
	w.mu.Lock()
	if len(w.blame) > 0 {
		t.Error("one failure is enough")
	}
	w.mu.Unlock()
	fail(r)
	if listed, reached := w.listed(r); !listed || reached {
		t.Errorf("with a fresh voucher: listed %v, reached %v", listed, reached)
	}
	w.mu.Lock()
	voiceless := w.void(liars[0].d.ID)
	w.blame[liars[0].d.ID] = append(w.blame[liars[0].d.ID], w.now, w.now)
	if voiceless || !w.void(liars[0].d.ID) {
		t.Error("charges do not count as they should")
	}
	w.mu.Unlock()
	other := newRelay(t, 1001)
	four := append([]*relay{liars[0]}, slices.DeleteFunc(w.examiners(other)[:4], func(o *relay) bool { return o == liars[0] })[:3]...)
	if err := w.Hear(other.vouch(t, Day(w.now), four...)); !errors.Is(err, ErrUnvouched) {
		t.Errorf("with the word of one who lied three times: %v", err)
	}
	w.now = w.now.Add(8 * 24 * time.Hour)
	w.mu.Lock()
	if w.void(liars[0].d.ID) {
		t.Error("still voiceless after a week")
	}
	w.mu.Unlock()

	// Nobody vouches any more.
	w = newWorld(t, 80)
	if err := w.Hear(r.vouch(t, Day(w.now), w.examiners(r)[:4]...)); err != nil {
		t.Fatal(err)
	}
	w.mu.Lock()
	w.files[r.d.ID].vouched = w.now.Add(-Fresh)
	w.mu.Unlock()
	fail(r)
	if listed, _ := w.listed(r); listed {
		t.Error("still listed")
	}
}

// TestPutOff: a check that cannot be made is put off, a relay's of the list and a
// candidate's, and does not keep the others waiting.
func TestPutOff(t *testing.T) {
	w := newWorld(t, 20)
	r, o := newRelay(t, 1000), newRelay(t, 1001)
	if err := w.Hear(r.vouch(t, Day(w.now), w.examiners(r)[:4]...)); err == nil {
		t.Fatal("listed before it was looked at")
	}
	due, _ := w.Due(8)
	if len(due) != 1 || due[0].ID != r.d.ID {
		t.Fatalf("due: %v", due)
	}
	w.Later(due[0], 30*time.Second)
	due, wait := w.Due(8)
	if len(due) != 0 || wait <= 0 || wait > 30*time.Second {
		t.Errorf("due at once again: %v, or in %v", due, wait)
	}
	w.Hear(o.vouch(t, Day(w.now), w.examiners(o)[:4]...))
	if due, _ := w.Due(8); len(due) != 1 || due[0].ID != o.d.ID {
		t.Errorf("another waits for it: %v", due)
	}
	w.now = w.now.Add(30 * time.Second)
	if due, _ := w.Due(8); len(due) != 1 || due[0].ID != r.d.ID {
		t.Errorf("after its wait: %v", due)
	}
}

// TestNoCandidateWaits: more candidates than are looked at together have their turns at
// once, and so has one whose voices count only since another relay was reached.
func TestNoCandidateWaits(t *testing.T) {
	w := newWorld(t, 20)
	for i := range 10 {
		r := newRelay(t, 1000+i)
		w.Hear(r.vouch(t, Day(w.now), w.examiners(r)[:4]...))
	}
	for i, left := range []int{6, 2, 0} {
		due, wait := w.Due(4)
		if len(due) != min(4, 10-4*i) || (wait == 0) != (left > 0) {
			t.Errorf("%d are due and %d left, the next look is in %v", len(due), left, wait)
		}
	}

	// Three have reached one, and the fourth was not reached by us before.
	w = newWorld(t, 20)
	fourth, r := newRelay(t, 500), newRelay(t, 1000)
	n := r.vouch(t, Day(w.now), append(w.examiners(r)[:3:3], fourth)...)
	w.mu.Lock()
	c := w.candidate(&r.d, n.Raw)
	for _, v := range n.Vouchers {
		c.voices[v.Examiner] = v.Mask
	}
	w.mu.Unlock()
	select {
	case <-w.Wake():
	default:
	}
	if err := w.Reached(fourth.sign(t)); err != nil {
		t.Fatal(err)
	}
	select {
	case <-w.Wake():
	default:
		t.Error("the next look is not made at once")
	}
	if due, _ := w.Due(4); !slices.ContainsFunc(due, func(c Check) bool { return c.ID == r.d.ID }) {
		t.Errorf("due: %v", due)
	}
}

// TestDue: all are looked at in their time, those vouched for soon.
func TestDue(t *testing.T) {
	w := newWorld(t, 80)
	r := newRelay(t, 1000)
	if err := w.Hear(r.vouch(t, Day(w.now), w.examiners(r)[:4]...)); err != nil {
		t.Fatal(err)
	}
	w.now = w.now.Add(max(time.Minute, 80*time.Second/50) + time.Second)
	if due, _ := w.Due(8); len(due) != 1 || due[0].ID != r.d.ID || !bytes.Equal(due[0].Raw, r.sign(t)) {
		t.Fatalf("due: %v", due)
	}
	if due, _ := w.Due(8); len(due) != 0 {
		t.Errorf("twice at once: %v", due)
	}
	w.Reached(r.sign(t))
	checked := map[wire.NodeID]int{}
	for range 27 * 60 {
		w.now = w.now.Add(time.Minute)
		due, _ := w.Due(8)
		for _, c := range due {
			checked[c.ID]++
			w.Reached(c.Raw)
		}
	}
	for _, r := range w.relays {
		if checked[r.d.ID] != 1 {
			t.Errorf("checked %d times in a day and a bit", checked[r.d.ID])
		}
	}
}

// TestChecksGoByAClockThatDoesNotJump: at any time of day learned, a relay that was
// reached is looked at again a day or so later, and not before.
func TestChecksGoByAClockThatDoesNotJump(t *testing.T) {
	for _, by := range []time.Duration{-365 * 24 * time.Hour, 10 * time.Minute, 365 * 24 * time.Hour} {
		now, steady := start, start
		dir := directory.New(directory.Config{Now: func() time.Time { return now }})
		r := newRelay(t, 3)
		w := New(Config{Directory: dir, Self: newRelay(t, 4).d.ID, Now: func() time.Time { return now }, Steady: func() time.Time { return steady }})
		if err := w.Reached(r.sign(t)); err != nil {
			t.Fatal(err)
		}

		f := w.files[r.d.ID]
		if left := f.check.Sub(steady); left < 20*time.Hour || left > 28*time.Hour {
			t.Errorf("the next check is in %v", left)
		}
		now = now.Add(by)
		steady = steady.Add(time.Minute)
		if due, wait := w.Due(8); len(due) != 0 || wait <= 0 || wait > time.Minute {
			t.Errorf("the time of day moved by %v: %d are due, wait %v", by, len(due), wait)
		}
		steady = steady.Add(28 * time.Hour)
		if due, _ := w.Due(8); len(due) != len(w.Others()) {
			t.Errorf("the time of day moved by %v: %d are due a day later", by, len(due))
		}
	}
}
