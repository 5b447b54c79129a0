package session

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"starling/session/invite"
)

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

func offer(t testing.TB, s *Session, why Reason) *Reset {
	t.Helper()
	r := s.Reset()
	if err := r.Offer(why, hints); err != nil {
		t.Fatal(err)
	}
	return r
}

// takeOffer hands over the cells of an offer, by way of the disk each time.
func takeOffer(t testing.TB, r *Reset, cells []Cell) (*Reset, *Offered) {
	t.Helper()
	for i, c := range cells {
		r = reread(t, r)
		step, err := r.Take(c)
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
			return r, step.Offered
		}
	}
	t.Fatal("no offer")
	panic("unreachable")
}

func takeAnswer(t testing.TB, r *Reset, cells []Cell) (*Session, Part) {
	t.Helper()
	for _, c := range cells[:3] {
		r = reread(t, r)
		step, err := r.Take(c)
		if err != nil || !step.New {
			t.Fatal(step, err)
		}
		if again, err := reread(t, r).Take(c); step.Session == nil && (err != nil || again.New) {
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
	step, err := r.Take(c)
	if !errors.Is(err, ErrRefused) || step.Offered != nil || step.Session != nil {
		t.Fatalf("step %v, error %v", step, err)
	}
	if !bytes.Equal(before, resetState(t, r)) {
		t.Fatal("a refused cell changed the reset")
	}
}

// A restored side and its peer come to a session of its own, whichever of them
// began the old one.
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
			r := offer(t, old, ReasonRestored)
			other := peer.Reset()
			if w := other.Window(); len(w) != invite.Cells || w[0] != r.Bundle()[0].Tag {
				t.Fatalf("window %v", w)
			}
			_, o := takeOffer(t, other, reread(t, r).Bundle())
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
			if bytes.Equal(joined.self[:], peer.self[:]) || bytes.Equal(answered.self[:], old.self[:]) {
				t.Error("an identity of the old session")
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

// Both sides offer at once: the offer of the old initiator stands.
func TestResetFromBothSides(t *testing.T) {
	a, b := talking(t)
	ra, rb := offer(t, a, ReasonRestored), offer(t, b, ReasonForked)
	for _, c := range rb.Bundle() {
		refuseStep(t, ra, c)
		if containsTag(ra.Window(), c.Tag) {
			t.Error("an offer that does not count is waited for")
		}
	}
	rb, o := takeOffer(t, rb, ra.Bundle())
	if rb.Offering() {
		t.Error("the other offer was not withdrawn")
	}
	s, cells, err := o.Join(newID(), []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	other, _ := takeAnswer(t, ra, cells)
	open(t, s, seal(t, other, "1"), "1")
}

// An offer is taken once, and no more than maxTaken are.
func TestResetReplay(t *testing.T) {
	a, b := talking(t)
	r := a.Reset()
	for range maxTaken {
		o := offer(t, b, ReasonRestored).Bundle()
		r, _ = takeOffer(t, r, o)
		before := resetState(t, r)
		for _, c := range o {
			if step, err := r.Take(c); err != nil || step.New || step.Offered != nil {
				t.Fatal(step, err)
			}
		}
		if !bytes.Equal(before, resetState(t, r)) {
			t.Fatal("a second copy changed the reset")
		}
	}
	for _, c := range offer(t, b, ReasonRestored).Bundle() {
		refuseStep(t, r, c)
	}
}

// A profile restored twice from one copy makes two offers; cells of both come
// mixed, and each whole one can be answered.
func TestResetTwice(t *testing.T) {
	a, b := talking(t)
	copied := state(t, b)
	first, second := offer(t, restore(t, copied), ReasonRestored), offer(t, restore(t, copied), ReasonRestored)
	r := a.Reset()
	one, two := first.Bundle(), second.Bundle()
	for _, c := range []Cell{one[0], two[1], two[2], one[0]} {
		if step, err := r.Take(c); err != nil || step.Offered != nil {
			t.Fatal(step, err)
		}
	}
	_, o := takeOffer(t, r, two[:1])
	_, cells, err := o.Join(newID(), []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cells[:2] { // an answer to another offer gives nothing
		if step, err := first.Take(c); err != nil || step.Session != nil {
			t.Fatal(step, err)
		}
	}
	refuseStep(t, first, cells[2])
	takeAnswer(t, second, cells)
}

// Nothing but an offer under the old session's secret is one: no damage, no
// stranger, no cell of the session, no offer reflected to who made it.
func TestResetNeverOnDecryptFailure(t *testing.T) {
	a, b := talking(t)
	r := a.Reset()
	genuine := offer(t, b, ReasonRestored).Bundle()
	c, d := talking(t)
	for i, tag := range r.Window() {
		refuseStep(t, r, Cell{Tag: tag})                              // zeros
		refuseStep(t, r, Cell{Tag: tag, Box: seal(t, b, "x").Box})    // a cell of the session
		refuseStep(t, r, Cell{Tag: tag, Box: genuine[(i+1)%3].Box})   // another part
		refuseStep(t, r, Cell{Tag: tag, Box: newInvite(t).bundle[i]}) // of an invite
		for _, s := range []*Session{a, c, d} {
			refuseStep(t, r, Cell{Tag: tag, Box: offer(t, s, ReasonRestored).Bundle()[i].Box})
		}
		for _, at := range []int{0, 16, 500, 1504, 1535} {
			damaged := genuine[i]
			damaged.Box[at] ^= 1
			refuseStep(t, r, damaged)
		}
	}
	for _, cell := range offer(t, a, ReasonRestored).Bundle() {
		refuseStep(t, r, cell) // under tags of its own, which are ours
	}
	// A session that gets only rubbish goes on as it was.
	for _, tag := range b.Window() {
		refuse(t, b, Cell{Tag: tag})
	}
	open(t, b, seal(t, a, "still here"), "still here")
}

// An offer that deviates in any field is refused, though its author holds the
// secret.
func TestResetMalformedOffer(t *testing.T) {
	a, b := talking(t)
	r := offer(t, b, ReasonRestored)
	keys := invite.DeriveKeys(&r.own)
	var id [invite.HelloIDSize]byte
	plain := new([invite.HelloSize]byte)
	for i, c := range r.Bundle() {
		_, part, ok := keys.OpenOffer(i, &c.Box)
		if !ok {
			t.Fatal("cannot open")
		}
		copy(plain[i*invite.HelloPart:], part[:])
	}
	const hintsAt = 2 + 1957
	for name, edit := range map[string]func(p *[invite.HelloSize]byte){
		"none":              func(*[invite.HelloSize]byte) {},
		"version":           func(p *[invite.HelloSize]byte) { p[0] = 1 },
		"reason 0":          func(p *[invite.HelloSize]byte) { p[1] = 0 },
		"reason 3":          func(p *[invite.HelloSize]byte) { p[1] = 3 },
		"signature":         func(p *[invite.HelloSize]byte) { p[hintsAt-1] ^= 1 },
		"identity":          func(p *[invite.HelloSize]byte) { p[10] ^= 1 },
		"no hint":           func(p *[invite.HelloSize]byte) { p[hintsAt] = 0 },
		"four hints":        func(p *[invite.HelloSize]byte) { p[hintsAt] = 4 },
		"empty hint":        func(p *[invite.HelloSize]byte) { p[hintsAt+1] = 0 },
		"hint of 65 bytes":  func(p *[invite.HelloSize]byte) { p[hintsAt+1] = 65 },
		"rest not all zero": func(p *[invite.HelloSize]byte) { p[len(p)-1] = 1 },
	} {
		p := *plain
		edit(&p)
		other := a.Reset()
		var last error
		for i, tag := range other.Window() {
			_, last = other.Take(Cell{Tag: tag, Box: keys.SealOffer(i, &id, &p)})
		}
		if name == "none" != (last == nil) {
			t.Errorf("%s: %v", name, last)
		}
	}
}

func TestResetLimits(t *testing.T) {
	_, b := talking(t)
	r := b.Reset()
	for _, bad := range [][][]byte{nil, {{}}, {make([]byte, 65)}, {{1}, {2}, {3}, {4}}} {
		if err := r.Offer(ReasonRestored, bad); !errors.Is(err, ErrHints) {
			t.Errorf("hints %v: %v", bad, err)
		}
	}
	if err := r.Offer(ReasonRestored, hints); err != nil {
		t.Fatal(err)
	}
	before := r.Bundle()
	if err := r.Offer(ReasonRestored, hints); err != nil || r.Bundle()[0] == before[0] {
		t.Errorf("second offer: %v", err)
	}
	for _, x := range []any{r, new(Offered)} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%x"} {
			if s := fmt.Sprintf(verb, x); s != "[reset]" && s != "[offer]" {
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
	r := offer(f, b, ReasonRestored)
	for _, c := range r.Bundle() {
		f.Add(c.Tag[:], c.Box[:])
	}
	for _, t := range r.Window() {
		f.Add(t[:], []byte{})
	}
	states := [][]byte{resetState(f, a.Reset()), resetState(f, r)}
	f.Fuzz(func(t *testing.T, tag, box []byte) {
		var c Cell
		copy(c.Tag[:], tag)
		copy(c.Box[:], box)
		for _, before := range states {
			r, err := UnmarshalReset(before)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := r.Take(c); err != nil && !bytes.Equal(before, resetState(t, r)) {
				t.Fatal("a refused cell changed the reset")
			}
		}
	})
}

func FuzzParseOffer(f *testing.F) {
	_, b := talking(f)
	r := offer(f, b, ReasonForked)
	keys := invite.DeriveKeys(&r.own)
	var plain []byte
	for i, c := range r.Bundle() {
		_, part, _ := keys.OpenOffer(i, &c.Box)
		plain = append(plain, part[:]...)
	}
	f.Add(plain)
	f.Fuzz(func(t *testing.T, data []byte) {
		if o, ok := parseOffer(data); ok && (len(o.Hints) == 0 || len(o.Hints) > invite.MaxHints || o.prekeys == nil) {
			t.Fatal("accepted")
		}
	})
}

func FuzzUnmarshalReset(f *testing.F) {
	a, b := talking(f)
	r := offer(f, b, ReasonRestored)
	f.Add(resetState(f, r))
	f.Add(resetState(f, a.Reset()))
	half := a.Reset()
	half.Take(r.Bundle()[1])
	f.Add(resetState(f, half))
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
			r.Take(Cell{Tag: tag})
		}
		r.Bundle()
	})
}
