package session

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"starling/session/invite"
	"starling/session/ratchet"
)

// later is after all offers that a test makes, but for those of the far future.
var later = now.Add(24 * time.Hour)

var hints = [][]byte{[]byte("mailbox one"), bytes.Repeat([]byte{9}, 64)}

func resetState(t testing.TB, r *Reset) []byte {
	t.Helper()
	b, err := r.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// reread returns the reset as it comes back from disk.
func reread(t testing.TB, r *Reset) *Reset {
	t.Helper()
	b := resetState(t, r)
	again, err := UnmarshalReset(b)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(resetState(t, again), b) {
		t.Fatal("a reset read back is stored differently")
	}
	return again
}

// offering gives up a session: it makes an offer at a time after now.
func offering(t testing.TB, s *Session, after time.Duration, why Reason) *Reset {
	t.Helper()
	r := s.Reset()
	if err := r.Offer(now.Add(after), why, hints); err != nil {
		t.Fatal(err)
	}
	return r
}

// takeOffer hands over the cells of an offer, by way of the disk each time.
func takeOffer(t testing.TB, r *Reset, cells []Cell) (*Reset, *Offered) {
	t.Helper()
	for i, c := range cells {
		r = reread(t, r)
		if !containsTag(r.Window(), c.Tag) {
			t.Fatalf("cell %d is not waited for", i)
		}
		step, err := r.Take(later, c)
		if err != nil {
			t.Fatalf("cell %d: %v", i, err)
		}
		if !step.New {
			t.Fatalf("cell %d has come before", i)
		}
		if (step.Offered != nil) != (i == len(cells)-1) {
			t.Fatalf("offer after cell %d: %v", i, step.Offered)
		}
		if step.Offered != nil {
			return reread(t, r), step.Offered
		}
	}
	t.Fatal("no offer")
	panic("unreachable")
}

// ignoreStep checks that a cell changes nothing, and is nothing wrong.
func ignoreStep(t testing.TB, r *Reset, c Cell) {
	t.Helper()
	before := resetState(t, r)
	step, err := r.Take(later, c)
	if err != nil || step.New || step.Offered != nil || step.Session != nil {
		t.Fatalf("step %+v, error %v", step, err)
	}
	if !bytes.Equal(before, resetState(t, r)) {
		t.Fatal("an overtaken cell changed the reset")
	}
}

// renew brings two sides to their next session: one offers, the other answers.
func renew(t testing.TB, from, to *Reset) (offered, joined *Session) {
	t.Helper()
	_, o := takeOffer(t, to, from.Bundle())
	joined, cells, err := o.Join(newID(), []byte("again"))
	if err != nil {
		t.Fatal(err)
	}
	offered, _ = takeAnswer(t, from, cells)
	joined, offered = restore(t, state(t, joined)), restore(t, state(t, offered))
	open(t, joined, seal(t, offered, "1"), "1")
	open(t, offered, seal(t, joined, "2"), "2")
	return offered, joined
}

func takeAnswer(t testing.TB, r *Reset, cells []Cell) (*Session, Part) {
	t.Helper()
	for _, c := range cells[:3] {
		r = reread(t, r)
		step, err := r.Take(later, c)
		if err != nil || !step.New {
			t.Fatal(step, err)
		}
		if again, err := reread(t, r).Take(later, c); step.Session == nil && (err != nil || again.New) {
			t.Fatal("a second copy is new")
		}
		if step.Session != nil {
			return step.Session, step.Part
		}
	}
	t.Fatal("no session")
	panic("unreachable")
}

func refuseStep(t testing.TB, r *Reset, c Cell) {
	t.Helper()
	before := resetState(t, r)
	step, err := r.Take(later, c)
	if !errors.Is(err, ErrRefused) || step.Offered != nil || step.Session != nil {
		t.Fatalf("step %v, error %v", step, err)
	}
	if !bytes.Equal(before, resetState(t, r)) {
		t.Fatal("a refused cell changed the reset")
	}
}

// TestReset: a restored side and its peer come to a session of its own, whichever
// of them began the old one.
func TestReset(t *testing.T) {
	for _, restoredInitiator := range []bool{true, false} {
		t.Run(fmt.Sprint("initiator restored: ", restoredInitiator), func(t *testing.T) {
			a, b := talking(t)
			restored, peer := b, a
			if restoredInitiator {
				restored, peer = a, b
			}
			old := restore(t, state(t, restored))
			for range 20 { // the other copy goes on
				open(t, peer, seal(t, restored, "x"), "x")
				open(t, restored, seal(t, peer, "y"), "y")
			}
			r := offering(t, old, 0, ReasonRestored)
			other := peer.Reset()
			if w := other.Window(); len(w) != invite.Knocks || w[0] != r.Bundle()[0].Tag {
				t.Fatalf("window %v", w)
			}
			other, o := takeOffer(t, other, reread(t, r).Bundle())
			if len(other.Window()) != invite.Knocks {
				t.Error("the bundle is still waited for")
			}
			if o.Reason != ReasonRestored || len(o.Hints) != 2 || !bytes.Equal(o.Hints[1], hints[1]) {
				t.Errorf("offer %d %q", o.Reason, o.Hints)
			}
			joined, cells, err := o.Join(newID(), []byte("hello again"))
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range cells[:3] {
				if !containsTag(r.Window(), c.Tag) {
					t.Fatal("the answer is not waited for")
				}
			}
			answered, part := takeAnswer(t, r, cells)
			if string(part.Data) != "hello again" {
				t.Errorf("first content %q", part.Data)
			}
			open(t, joined, seal(t, answered, "1"), "1")
			open(t, answered, seal(t, joined, "2"), "2")
			if joined.SafetyNumber() != answered.SafetyNumber() || joined.VerificationCode() != answered.VerificationCode() {
				t.Error("safety numbers differ")
			}
			if joined.SafetyNumber() == peer.SafetyNumber() || joined.VerificationCode() == peer.VerificationCode() {
				t.Error("the safety number is the old one")
			}
			for _, tag := range append(joined.Window(), answered.Window()...) {
				if containsTag(peer.Window(), tag) || containsTag(restored.Window(), tag) {
					t.Fatal("a tag of the old session")
				}
			}
		})
	}
}

func containsTag(tags []Tag, tag Tag) bool {
	for _, t := range tags {
		if t == tag {
			return true
		}
	}
	return false
}

// TestResetFromBothSides: both sides offer at once: the later offer stands, and of
// two of one millisecond that of the old initiator.
func TestResetFromBothSides(t *testing.T) {
	for name, at := range map[string][2]time.Duration{
		"initiator later": {time.Minute, 0}, "same time": {0, 0}, "responder later": {0, time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := talking(t)
			stands := offering(t, a, at[0], ReasonRestored)
			falls := offering(t, b, at[1], ReasonForked)
			if at[1] > at[0] {
				stands, falls = falls, stands
			}
			fell := falls.Bundle()
			ignoreStep(t, stands, fell[0])
			falls, o := takeOffer(t, falls, stands.Bundle())
			if falls.Bundle() != nil {
				t.Error("the other offer was not withdrawn")
			}
			s, cells, err := o.Join(newID(), []byte("x"))
			if err != nil {
				t.Fatal(err)
			}
			other, _ := takeAnswer(t, stands, cells)
			open(t, s, seal(t, other, "1"), "1")
			// The offer that fell is still in a mailbox.
			ignoreStep(t, other.Reset(), fell[0])
			refuseStep(t, other.Reset(), fell[1])
		})
	}
}

// TestResetOvertakesPending: an offer that one side began to take is overtaken by an
// offer of its own.
func TestResetOvertakesPending(t *testing.T) {
	a, b := talking(t)
	theirs := offering(t, b, 0, ReasonForked).Bundle()
	r := a.Reset()
	for _, c := range theirs[:2] {
		if step, err := r.Take(later, c); err != nil || !step.New {
			t.Fatal(step, err)
		}
	}
	if err := r.Offer(now.Add(time.Second), ReasonRestored, hints); err != nil {
		t.Fatal(err)
	}
	refuseStep(t, reread(t, r), theirs[2])
	renew(t, r, b.Reset())
}

// TestResetReplay: an offer is taken once, in each of its copies.
func TestResetReplay(t *testing.T) {
	a, b := talking(t)
	cells := offering(t, b, 0, ReasonRestored).Bundle()
	r := a.Reset()
	for i, c := range cells {
		if step, err := r.Take(later, c); err != nil || !step.New {
			t.Fatal(step, err)
		}
		for _, again := range cells[:i+1] {
			if i < len(cells)-1 || again == cells[0] {
				ignoreStep(t, r, again)
			} else {
				refuseStep(t, r, again) // its tag is not waited for any more
			}
		}
	}
}

// TestRestoredTwice: a profile restored twice from one copy makes two offers.
// In any order, and whether or not the first was answered, the second has the session
// in the end, and the first cannot take it away again.
func TestRestoredTwice(t *testing.T) {
	a, b := talking(t)
	copied := state(t, b)
	first := offering(t, restore(t, copied), 0, ReasonRestored)
	second := offering(t, restore(t, copied), time.Hour, ReasonRestored)
	if first.Bundle()[0].Tag != second.Bundle()[0].Tag || !second.Elsewhere() || first.Bundle()[0].Tag == second.Bundle()[0].Tag {
		t.Fatal("the second offer has no place of its own")
	}
	one, two := first.Bundle(), second.Bundle()

	t.Run("second overtakes", func(t *testing.T) {
		r := a.Reset()
		for _, c := range []Cell{one[0], one[1], two[0]} {
			if step, err := r.Take(later, c); err != nil || !step.New || step.Offered != nil {
				t.Fatal(step, err)
			}
		}
		refuseStep(t, r, one[2])
		takeOffer(t, r, two[1:])
	})
	t.Run("first comes late", func(t *testing.T) {
		r := a.Reset()
		if _, err := r.Take(later, two[0]); err != nil {
			t.Fatal(err)
		}
		ignoreStep(t, r, one[0])
	})
	for _, answered := range []bool{false, true} {
		t.Run(fmt.Sprint("first answered: ", answered), func(t *testing.T) {
			_, o := takeOffer(t, a.Reset(), one)
			peer, cells, err := o.Join(newID(), []byte("x"))
			if err != nil {
				t.Fatal(err)
			}
			if answered {
				mine, _ := takeAnswer(t, reread(t, first), cells)
				open(t, peer, seal(t, mine, "in the first"), "in the first")
			}
			peer = restore(t, state(t, peer))
			restored := reread(t, second)
			for _, c := range cells { // the answer to the first gives the second nothing
				if containsTag(restored.Window(), c.Tag) {
					t.Fatal("an answer to another offer is waited for")
				}
			}
			ignoreStep(t, peer.Reset(), one[0])
			_, peer = renew(t, restored, peer.Reset())
			ignoreStep(t, peer.Reset(), one[0])
			ignoreStep(t, peer.Reset(), two[0])

			// Any number of times, and by the other side as well.
			third := offering(t, restore(t, copied), 2*time.Hour, ReasonRestored)
			for third.Elsewhere() {
			}
			mine, peer := renew(t, third, peer.Reset())
			renew(t, offering(t, peer, 3*time.Hour, ReasonForked), mine.Reset())
		})
	}
}

// TestBothRestoredInTurn: the peer of a restored profile can be restored from a copy of
// the same session.
func TestBothRestoredInTurn(t *testing.T) {
	a, b := talking(t)
	copyOfA, copyOfB := state(t, a), state(t, b)
	b, _ = renew(t, offering(t, restore(t, copyOfB), 0, ReasonRestored), a.Reset())
	a, _ = renew(t, offering(t, restore(t, copyOfA), time.Hour, ReasonRestored), b.Reset())
	renew(t, offering(t, restore(t, copyOfB), 2*time.Hour, ReasonRestored), a.Reset())
}

// TestRestoredFromTooOldACopy: a copy of a session that is two sessions old is not
// heard any more.
func TestRestoredFromTooOldACopy(t *testing.T) {
	a, b := talking(t)
	tooOld := state(t, b)
	b, a = renew(t, offering(t, b, 0, ReasonRestored), a.Reset())
	b, a = renew(t, offering(t, b, time.Hour, ReasonRestored), a.Reset())
	knock := offering(t, restore(t, tooOld), 2*time.Hour, ReasonRestored).Bundle()[0]
	if containsTag(a.Reset().Window(), knock.Tag) {
		t.Error("waited for")
	}
	refuseStep(t, a.Reset(), knock)
	open(t, a, seal(t, b, "on"), "on")
}

// TestResetNeverOnDecryptFailure: nothing but an offer under the old session's secret
// is one: no damage, no stranger, no cell of the session, no offer reflected to its
// maker.
func TestResetNeverOnDecryptFailure(t *testing.T) {
	a, b := talking(t)
	r := a.Reset()
	genuine := offering(t, b, 0, ReasonRestored).Bundle()
	c, d := talking(t)
	for _, tag := range r.Window() {
		refuseStep(t, r, Cell{Tag: tag})                              // zeros
		refuseStep(t, r, Cell{Tag: tag, Box: seal(t, b, "x").Box})    // a cell of the session
		refuseStep(t, r, Cell{Tag: tag, Box: genuine[1].Box})         // another part
		refuseStep(t, r, Cell{Tag: tag, Box: newInvite(t).bundle[0]}) // of an invite
		for _, s := range []*Session{a, c, d} {
			refuseStep(t, r, Cell{Tag: tag, Box: offering(t, s, 0, ReasonRestored).Bundle()[0].Box})
		}
		if tag != genuine[0].Tag {
			refuseStep(t, r, Cell{Tag: tag, Box: genuine[0].Box}) // another place
		}
	}
	for i, cell := range genuine[:3] {
		for _, at := range []int{0, 16, 500, 1504, 1535} {
			damaged := cell
			damaged.Box[at] ^= 1
			refuseStep(t, r, damaged)
		}
		if i > 0 {
			refuseStep(t, r, Cell{Tag: cell.Tag, Box: genuine[i+1].Box}) // another part
		}
		if step, err := r.Take(later, cell); err != nil || !step.New {
			t.Fatal(step, err)
		}
	}
	for _, cell := range offering(t, a, 0, ReasonRestored).Bundle() {
		refuseStep(t, r, cell) // reflected: our own tags are not waited for
	}
	// A session that gets only rubbish goes on as it was.
	for _, tag := range b.Window() {
		refuse(t, b, Cell{Tag: tag})
	}
	open(t, b, seal(t, a, "still here"), "still here")
}

// knockOf returns the plaintext of an offer's knock.
func knockOf(t testing.TB, r *Reset) (plain [invite.KnockSize]byte) {
	t.Helper()
	plain, ok := invite.DeriveKnock(&r.own).Open(r.offer.slot, &r.offer.knock)
	if !ok {
		t.Fatal("cannot open")
	}
	return plain
}

// TestMalformedKnock: a knock that deviates in any field is refused, though its
// author holds the secret.
func TestMalformedKnock(t *testing.T) {
	a, b := talking(t)
	r := offering(t, b, 0, ReasonRestored)
	plain := knockOf(t, r)
	link := len(r.offer.invite.link.Bytes())
	const linkAt = 1 + 8 + 32 + 2
	relink := func(edit func(l *invite.Link)) func(p *[invite.KnockSize]byte) {
		return func(p *[invite.KnockSize]byte) {
			l := *r.offer.invite.link
			edit(&l)
			clear(p[linkAt-2:])
			b := l.Bytes()
			binary.BigEndian.PutUint16(p[linkAt-2:], uint16(len(b)))
			copy(p[linkAt:], b)
		}
	}
	for name, edit := range map[string]func(p *[invite.KnockSize]byte){
		"none":              func(*[invite.KnockSize]byte) {},
		"reason 0":          func(p *[invite.KnockSize]byte) { p[0] = 0 },
		"reason 3":          func(p *[invite.KnockSize]byte) { p[0] = 3 },
		"time 0":            func(p *[invite.KnockSize]byte) { clear(p[1:9]) },
		"year 10000":        func(p *[invite.KnockSize]byte) { binary.BigEndian.PutUint64(p[1:], uint64(maxInstant)+1) },
		"longer than it is": func(p *[invite.KnockSize]byte) { p[linkAt-2] = 0xff },
		"cut link":          func(p *[invite.KnockSize]byte) { p[linkAt-1]-- },
		"version of link":   func(p *[invite.KnockSize]byte) { p[linkAt] = 2 },
		"checksum":          func(p *[invite.KnockSize]byte) { p[linkAt+link-1] ^= 1 },
		"an expiry":         relink(func(l *invite.Link) { l.Expires = now }),
		"no hint":           relink(func(l *invite.Link) { l.Hints = nil }),
		"rest not all zero": func(p *[invite.KnockSize]byte) { p[len(p)-1] = 1 },
	} {
		p := plain
		edit(&p)
		other := a.Reset()
		tag := other.Window()[0]
		c := Cell{Tag: tag, Box: invite.DeriveKnock(&r.own).Seal(0, &p)}
		if name != "none" {
			refuseStep(t, other, c)
		} else if step, err := other.Take(later, c); err != nil || !step.New {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestResetForeignBundle: the bundle of an offer is the one its link names.
func TestResetForeignBundle(t *testing.T) {
	a, b := talking(t)
	r := a.Reset()
	o := offering(t, b, 0, ReasonRestored)
	if _, err := r.Take(later, o.Bundle()[0]); err != nil {
		t.Fatal(err)
	}
	plain := new([invite.BundleSize]byte)
	copy(plain[:], []byte{bundleVersion, 0xff, 0xff, 0xff, 0xff})
	copy(plain[5:], newInvite(t).prekeys.Bundle().Append(nil))
	var last error
	for i, tag := range o.offer.invite.BundleTags() {
		c := Cell{Tag: tag, Box: o.offer.invite.keys.SealBundle(i, plain)}
		if i < 2 {
			_, last = r.Take(later, c)
		} else {
			refuseStep(t, r, c)
		}
	}
	if last != nil {
		t.Error(last)
	}
}

func TestResetLimits(t *testing.T) {
	_, b := talking(t)
	r := b.Reset()
	for _, bad := range [][][]byte{nil, {{}}, {make([]byte, 129)}, {{1}, {2}, {3}, {4}}} {
		if err := r.Offer(now, ReasonRestored, bad); !errors.Is(err, ErrHints) {
			t.Errorf("hints %v: %v", bad, err)
		}
	}
	if r.Elsewhere() || r.Bundle() != nil {
		t.Error("no offer has a place")
	}
	long := bytes.Repeat([]byte{1}, 64)
	if err := r.Offer(now, ReasonRestored, [][]byte{long, long, long}); err != nil {
		t.Fatal(err)
	}
	before := r.Bundle()
	if err := r.Offer(now.Add(-time.Hour), ReasonRestored, hints); err != nil || r.Bundle()[0] == before[0] {
		t.Errorf("second offer: %v", err)
	}
	if k := knockOf(t, r); binary.BigEndian.Uint64(k[1:]) != uint64(now.UnixMilli())+1 {
		t.Error("a second offer is not later than the first")
	}
	for _, x := range []any{r, new(Offered), invite.DeriveKnock(&r.own)} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%x"} {
			if s := fmt.Sprintf(verb, x); s != "[secret]" {
				t.Errorf("%s: %.40q", verb, s)
			}
		}
	}
}

func TestVerificationCode(t *testing.T) {
	a, b := talking(t)
	code := a.VerificationCode()
	if code != b.VerificationCode() || len(code) != len(VerificationPrefix)+52 || !strings.HasPrefix(code, "starling-verify:") {
		t.Errorf("codes %q and %q", code, b.VerificationCode())
	}
	if c, _ := talking(t); c.VerificationCode() == code {
		t.Error("two sessions with one code")
	}
	if restore(t, state(t, a)).VerificationCode() != code {
		t.Error("another code after a restart")
	}
}

func FuzzResetTake(f *testing.F) {
	a, b := talking(f)
	r := offering(f, b, 0, ReasonRestored)
	half := a.Reset()
	for i, c := range r.Bundle() {
		f.Add(c.Tag[:], c.Box[:])
		if i < 2 {
			half.Take(later, c)
		}
	}
	for _, t := range r.Window() {
		f.Add(t[:], []byte{})
	}
	states := [][]byte{resetState(f, a.Reset()), resetState(f, r), resetState(f, half)}
	f.Fuzz(func(t *testing.T, tag, box []byte) {
		var c Cell
		copy(c.Tag[:], tag)
		copy(c.Box[:], box)
		for _, before := range states {
			r, err := UnmarshalReset(before)
			if err != nil {
				t.Fatal(err)
			}
			if step, err := r.Take(later, c); !step.New && !bytes.Equal(before, resetState(t, r)) {
				t.Fatalf("a cell that brought nothing changed the reset: %v", err)
			}
		}
	})
}

func FuzzParseKnock(f *testing.F) {
	_, b := talking(f)
	plain := knockOf(f, offering(f, b, 0, ReasonForked))
	f.Add(plain[:])
	f.Fuzz(func(t *testing.T, data []byte) {
		p, sent, err := parseKnock(data, instantOf(now))
		if err != nil {
			if err != ErrRefused && err != ErrEarly {
				t.Fatal(err)
			}
			return
		}
		o := offer{reason: p.reason, time: sent, invite: &Invite{link: p.invitation.link}}
		b := o.plain(new(ratchet.Proof))
		copy(b[proofAt:], data[proofAt:][:32])
		if !bytes.Equal(b[:], data) {
			t.Fatal("two encodings of one knock")
		}
	})
}

func FuzzUnmarshalReset(f *testing.F) {
	a, b := talking(f)
	r := offering(f, b, 0, ReasonRestored)
	f.Add(resetState(f, r))
	f.Add(resetState(f, a.Reset()))
	half := a.Reset()
	for _, c := range r.Bundle()[:3] {
		half.Take(later, c)
		f.Add(resetState(f, half))
	}
	b, a = renew(f, r, a.Reset())
	f.Add(resetState(f, a.Reset()))
	f.Add(resetState(f, offering(f, b, time.Second, ReasonForked)))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := UnmarshalReset(data)
		if err != nil {
			if err != ErrState {
				t.Fatal(err)
			}
			return
		}
		if !bytes.Equal(resetState(t, r), data) {
			t.Fatal("two encodings of one reset")
		}
		for _, tag := range r.Window() {
			r.Take(later, Cell{Tag: tag})
		}
		r.Elsewhere()
		r.Bundle()
	})
}
