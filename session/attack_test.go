package session

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"testing"

	"starling/session/envelope"
)

// talking returns a pair that has exchanged messages both ways.
func talking(t testing.TB) (alice, bob *Session) {
	t.Helper()
	alice, bob = pair(t)
	open(t, alice, seal(t, bob, "b"), "b")
	open(t, bob, seal(t, alice, "a"), "a")
	return alice, bob
}

func TestReplay(t *testing.T) {
	alice, bob := talking(t)
	c := seal(t, alice, "once")
	open(t, bob, c, "once")
	refuse(t, bob, c)
	for range 5 {
		open(t, alice, seal(t, bob, "b"), "b")
		open(t, bob, seal(t, alice, "a"), "a")
		refuse(t, bob, c)
	}
	bob = restore(t, state(t, bob))
	refuse(t, bob, c)
	// Under a tag that is still waited for.
	for _, tag := range bob.Window() {
		refuse(t, bob, Cell{Tag: tag, Box: c.Box})
	}
}

func TestReflection(t *testing.T) {
	alice, bob := talking(t)
	for _, s := range []*Session{alice, bob} {
		c := seal(t, s, "mine")
		refuse(t, s, c)
		for _, tag := range s.Window()[:3] {
			refuse(t, s, Cell{Tag: tag, Box: c.Box})
		}
	}
}

// TestTagsSwapped: a mailbox that stores boxes under each other's tags.
func TestTagsSwapped(t *testing.T) {
	alice, bob := talking(t)
	a, b := seal(t, alice, "a"), seal(t, alice, "b")
	refuse(t, bob, Cell{Tag: a.Tag, Box: b.Box})
	refuse(t, bob, Cell{Tag: b.Tag, Box: a.Box})
	open(t, bob, b, "b")
	refuse(t, bob, Cell{Tag: a.Tag, Box: b.Box})
	open(t, bob, a, "a")
}

func TestEveryBitFlip(t *testing.T) {
	alice, bob := talking(t)
	c := seal(t, alice, "x")
	before := state(t, bob)
	for i := range len(c.Box) * 8 {
		c.Box[i/8] ^= 1 << (i % 8)
		if _, err := bob.Open(c); err != ErrRefused {
			t.Fatalf("bit %d: %v", i, err)
		}
		c.Box[i/8] ^= 1 << (i % 8)
	}
	for i := range len(c.Tag) * 8 {
		c.Tag[i/8] ^= 1 << (i % 8)
		if _, err := bob.Open(c); err != ErrRefused {
			t.Fatalf("bit %d of the tag: %v", i, err)
		}
		c.Tag[i/8] ^= 1 << (i % 8)
	}
	if !bytes.Equal(before, state(t, bob)) {
		t.Fatal("state changed")
	}
	open(t, bob, c, "x")
}

// TestUniformError: noise, a foreign session's cell, a replay, a damaged cell
// and a malformed body give the very same error.
func TestUniformError(t *testing.T) {
	alice, bob := talking(t)
	stranger, _ := talking(t)
	opened := seal(t, alice, "x")
	open(t, bob, opened, "x")
	next := bob.receive.ahead[0]
	var noise Cell
	rand.Read(noise.Box[:])
	noise.Tag = next
	foreign := seal(t, stranger, "x")
	foreign.Tag = next
	damaged := seal(t, alice, "x")
	damaged.Box[1000] ^= 1
	for name, c := range map[string]Cell{
		"noise": noise, "unknown tag": {}, "foreign": foreign, "replay": opened, "damaged": damaged,
		"nothing": {Tag: next},
	} {
		if p, err := bob.Open(c); err != ErrRefused || p.Data != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// sealBody seals a body as only the peer could, however wrong it is.
func sealBody(t *testing.T, s *Session, edit func(b *envelope.Body, plain *[envelope.BodySize]byte)) Cell {
	t.Helper()
	s = restore(t, state(t, s))
	b := envelope.Body{Number: s.send.cells.n, Heard: s.receive.number, Flare: s.send.flares.n,
		Previous: s.send.previous, Count: 1, Data: []byte("x")}
	var plain [envelope.BodySize]byte
	edit(&b, nil)
	b.Encode(&plain)
	edit(&b, &plain)
	var c Cell
	if _, err := s.ratchet.Seal(c.Box[:0], plain[:]); err != nil {
		t.Fatal(err)
	}
	c.Tag = s.send.next(&c.Box)
	return c
}

// TestMalformedBody: an authentic body is still checked before it counts.
func TestMalformedBody(t *testing.T) {
	alice, bob := talking(t)
	type plain = [envelope.BodySize]byte
	for name, edit := range map[string]func(b *envelope.Body, p *plain){
		"version":          func(_ *envelope.Body, p *plain) { set(p, 0, 1) },
		"padding":          func(_ *envelope.Body, p *plain) { set(p, envelope.BodySize-1, 1) },
		"padding begins":   func(_ *envelope.Body, p *plain) { set(p, 69, 1) },
		"length over-long": func(_ *envelope.Body, p *plain) { set(p, 66, 0xff) },
		"sequence behind":  func(b *envelope.Body, _ *plain) { b.Number = 0 },
		"sequence ahead":   func(b *envelope.Body, _ *plain) { b.Number = 1 << 30 },
		"no fragments":     func(b *envelope.Body, _ *plain) { b.Count = 0 },
		"a signal":         func(b *envelope.Body, _ *plain) { b.Count, b.Data = 0, nil },
		"index":            func(b *envelope.Body, _ *plain) { b.Index = 9 },
	} {
		t.Run(name, func(t *testing.T) { refuse(t, bob, sealBody(t, alice, edit)) })
	}
	open(t, bob, sealBody(t, alice, func(*envelope.Body, *plain) {}), "x")
}

func set(p *[envelope.BodySize]byte, i int, v byte) {
	if p != nil {
		p[i] = v
	}
}

// TestHistoryForked: every cell names the cell before it, so a peer that tells
// two histories is found out as soon as both ends of a gap are here.
func TestHistoryForked(t *testing.T) {
	alice, bob := talking(t)
	forged := sealBody(t, alice, func(b *envelope.Body, _ *[envelope.BodySize]byte) { b.Previous[0] ^= 1 })
	before := state(t, bob)
	if _, err := bob.Open(forged); err != ErrForked || !errors.Is(err, ErrRefused) {
		t.Fatal(err)
	}
	if !bytes.Equal(before, state(t, bob)) {
		t.Fatal("state changed")
	}
	// The same in a gap: at its front, and against the cell after it.
	first := sealBody(t, alice, func(b *envelope.Body, _ *[envelope.BodySize]byte) { b.Previous[0] ^= 1 })
	other := sealBody(t, alice, func(b *envelope.Body, _ *[envelope.BodySize]byte) { b.Data = []byte("another") })
	genuine := seal(t, alice, "x")
	open(t, bob, seal(t, alice, "y"), "y")
	for _, c := range []Cell{first, other} {
		if _, err := bob.Open(c); err != ErrForked {
			t.Fatal(err)
		}
	}
	open(t, bob, genuine, "x")

	// In the middle of a gap, against the cell before it, which came late.
	late := seal(t, alice, "late")
	middle := sealBody(t, alice, func(b *envelope.Body, _ *[envelope.BodySize]byte) { b.Previous[0] ^= 1 })
	genuine = seal(t, alice, "x")
	last := seal(t, alice, "last")
	open(t, bob, seal(t, alice, "y"), "y")
	open(t, bob, late, "late")
	if _, err := bob.Open(middle); err != ErrForked {
		t.Fatal(err)
	}
	open(t, bob, last, "last")
	open(t, bob, genuine, "x")
}

// TestForkedChain: a peer that went back and then received ends its chain before
// messages of it that have come. The header alone shows it, and only the peer can
// have made it: a cell that was moved to another tag shows nothing.
func TestForkedChain(t *testing.T) {
	alice, bob := talking(t)
	open(t, alice, seal(t, bob, "a"), "a")
	open(t, bob, seal(t, alice, "b"), "b")
	backup := state(t, alice)
	moved := seal(t, alice, "in one history")
	open(t, bob, moved, "in one history")
	alice = restore(t, backup)
	if _, err := alice.Open(seal(t, bob, "seen")); err != ErrBehind || !errors.Is(err, ErrForked) {
		t.Fatal(err)
	}
	reply := sealBody(t, bob, func(b *envelope.Body, _ *[envelope.BodySize]byte) { b.Heard-- })
	reply.Tag = alice.receive.ahead[1]
	if _, err := alice.Open(reply); err != nil {
		t.Fatal(err)
	}
	seal(t, alice, "under a tag that was used")
	forked := seal(t, alice, "in another history")
	before := state(t, bob)
	if _, err := bob.Open(forked); err != ErrForked {
		t.Fatal(err)
	}
	moved.Tag = bob.receive.ahead[0]
	if _, err := bob.Open(moved); err != ErrRefused {
		t.Fatal(err)
	}
	if !bytes.Equal(before, state(t, bob)) {
		t.Fatal("state changed")
	}
}

// TestRestoredBackup: a sender that goes back to an older state repeats tags, which the
// mailbox refuses, and cells, which the receiver refuses; where it gets beyond the
// received cells, the fork is seen. No key opens two messages.
func TestRestoredBackup(t *testing.T) {
	alice, bob := talking(t)
	backup := state(t, alice)
	var sent []Cell
	for i := range 3 {
		sent = append(sent, seal(t, alice, fmt.Sprint(i)))
		open(t, bob, sent[i], fmt.Sprint(i))
	}
	alice = restore(t, backup)
	for i := range 3 {
		c := seal(t, alice, "restored")
		if c.Tag != sent[i].Tag {
			t.Fatal("a restored state must repeat its tags, so that mailboxes notice")
		}
		refuse(t, bob, c)
	}
	if _, err := bob.Open(seal(t, alice, "restored")); err != ErrForked {
		t.Fatal(err)
	}
}

// TestCrashBetweenSealAndSend: the state was stored, the cell was lost with
// the process; the content is sealed again under a fresh key and tag.
func TestCrashBetweenSealAndSend(t *testing.T) {
	alice, bob := talking(t)
	id := newID()
	lost, err := alice.Seal(id, []byte("text"), 0)
	if err != nil {
		t.Fatal(err)
	}
	alice = restore(t, state(t, alice))
	again, err := alice.Seal(id, []byte("text"), 0)
	if err != nil {
		t.Fatal(err)
	}
	if again[0].Tag == lost[0].Tag {
		t.Fatal("a tag twice")
	}
	for i := 0; i < envelope.CellSize; i += 16 {
		if bytes.Equal(again[0].Box[i:i+16], lost[0].Box[i:i+16]) {
			t.Fatal("a ciphertext block twice: a key was used again")
		}
	}
	p, err := bob.Open(again[0])
	if err != nil || p.ID != id {
		t.Fatal("the content id is what names it", err)
	}
	open(t, bob, lost[0], "text")
}

// TestTailLossIsVisible: a cell that is held back leaves its tag in the window
// and a gap in the numbers; nothing is silently renumbered.
func TestTailLossIsVisible(t *testing.T) {
	alice, bob := talking(t)
	first := seal(t, alice, "1")
	p1, err := bob.Open(first)
	if err != nil {
		t.Fatal(err)
	}
	held := seal(t, alice, "2")
	p3, err := bob.Open(seal(t, alice, "3"))
	if err != nil {
		t.Fatal(err)
	}
	if p3.Seq != p1.Seq+2 {
		t.Fatalf("sequence numbers %d and %d", p1.Seq, p3.Seq)
	}
	w := bob.Window()
	if len(w) != flaresAhead+1+Ahead || w[flaresAhead] != held.Tag {
		t.Fatal("the missing cell is not asked for first")
	}
	p2, err := bob.Open(held)
	if err != nil || p2.Seq != p1.Seq+1 {
		t.Fatal(err)
	}
}

// TestTooFarAhead: one cell beyond the window is refused, and opens when the
// window has come there.
func TestTooFarAhead(t *testing.T) {
	alice, bob := talking(t)
	var cells []Cell
	for range Ahead + 1 {
		cells = append(cells, seal(t, alice, "x"))
	}
	refuse(t, bob, cells[Ahead])
	open(t, bob, cells[0], "x")
	open(t, bob, cells[Ahead], "x")
}

func TestGapLimits(t *testing.T) {
	alice, bob := talking(t)
	var lost []Cell
	for range MaxGaps/(Ahead-1) + 1 {
		for range Ahead - 1 {
			lost = append(lost, seal(t, alice, "lost"))
		}
		open(t, bob, seal(t, alice, "x"), "x")
		open(t, alice, seal(t, bob, "so far"), "so far")
	}
	if n := len(bob.Window()); n != flaresAhead+MaxGaps+Ahead {
		t.Fatalf("window of %d", n)
	}
	refuse(t, bob, lost[0])
	bob = restore(t, state(t, bob))
	kept := lost[len(lost)-MaxGaps:]
	refuse(t, bob, lost[len(lost)-MaxGaps-1])
	for i := range kept {
		open(t, bob, kept[len(kept)-1-i], "lost")
	}
	if n := len(bob.Window()); n != flaresAhead+Ahead {
		t.Fatalf("window of %d", n)
	}

	old := seal(t, alice, "old")
	for i := range MaxGapAge {
		open(t, bob, seal(t, alice, "x"), "x")
		if i%300 == 0 {
			open(t, alice, seal(t, bob, "so far"), "so far")
		}
	}
	if n := len(bob.Window()); n != flaresAhead+Ahead {
		t.Fatalf("window of %d after %d cells", n, MaxGapAge)
	}
	refuse(t, bob, old)
}

// TestNoResetOnFailure: no amount of refused cells changes a session; the
// genuine cell still opens.
func TestNoResetOnFailure(t *testing.T) {
	alice, bob := talking(t)
	before := state(t, bob)
	window := bob.Window()
	var c Cell
	for i := range 500 {
		rand.Read(c.Box[:])
		c.Tag = window[i%len(window)]
		if _, err := bob.Open(c); err != ErrRefused {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(before, state(t, bob)) {
		t.Fatal("state changed")
	}
	open(t, bob, seal(t, alice, "x"), "x")
}

// TestSafetyNumber: the same for the two, different for everyone else, and so
// different on both sides of someone in the middle.
func TestSafetyNumber(t *testing.T) {
	alice, bob := pair(t)
	mallory1, mallory2 := pair(t)
	n := alice.SafetyNumber()
	groups := strings.Fields(n)
	if len(groups) != 12 || len(n) != 71 {
		t.Fatalf("%q", n)
	}
	for _, g := range groups {
		if len(g) != 5 || strings.Trim(g, "0123456789") != "" {
			t.Fatalf("%q", n)
		}
	}
	if n != bob.SafetyNumber() || n == mallory1.SafetyNumber() || n == mallory2.SafetyNumber() {
		t.Fatal("safety numbers")
	}
	if restore(t, state(t, alice)).SafetyNumber() != n {
		t.Fatal("the number changes with a restart")
	}
}

// TestSteadyState holds the bound on a stored session that nothing is missing
// from, through whole agreements of the post-quantum ratchet.
func TestSteadyState(t *testing.T) {
	alice, bob := talking(t)
	for range 400 {
		open(t, bob, seal(t, alice, "x"), "x")
		open(t, alice, seal(t, bob, "x"), "x")
		for _, s := range []*Session{alice, bob} {
			if n := len(state(t, s)); n > 16<<10 {
				t.Fatalf("%d bytes", n)
			}
		}
	}
}

// TestCellsLookAlike: no byte of a cell is the same in all cells, of any kind: there is
// no version, type, limit or length in clear.
func TestCellsLookAlike(t *testing.T) {
	alice, bob := talking(t)
	kinds := map[string][]Cell{}
	for range 40 {
		v := newInvite(t)
		_, hello := join(t, v, "x")
		offer := offering(t, bob, 0, ReasonRestored).Bundle()
		kinds["bundle"] = append(kinds["bundle"], v.Bundle()[0])
		kinds["hello"] = append(kinds["hello"], hello[0])
		kinds["knock"] = append(kinds["knock"], offer[0])
		kinds["message"] = append(kinds["message"], seal(t, alice, "x"))
	}
	for kind, cells := range kinds {
		for i := range envelope.CellSize {
			same := true
			for _, c := range cells {
				same = same && c.Box[i] == cells[0].Box[i]
			}
			if same {
				t.Errorf("%s: byte %d is always %#02x", kind, i, cells[0].Box[i])
			}
		}
	}
}

func TestSessionIsNotPrinted(t *testing.T) {
	alice, _ := pair(t)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x", "%q"} {
		if s := fmt.Sprintf(verb, alice); s != "[secret]" {
			t.Errorf("%s: %.40q", verb, s)
		}
	}
}

func FuzzOpen(f *testing.F) {
	alice, bob := talking(f)
	c := seal(f, alice, "x")
	f.Add(c.Tag[:], c.Box[:])
	tag := bob.Window()[3]
	f.Add(tag[:], []byte{})
	before := state(f, bob)
	f.Fuzz(func(t *testing.T, tag, box []byte) {
		var c Cell
		copy(c.Tag[:], tag)
		copy(c.Box[:], box)
		s := restore(t, before)
		if _, err := s.Open(c); err != nil && !bytes.Equal(before, state(t, s)) {
			t.Fatal("a refused cell changed the state")
		}
	})
}

func FuzzUnmarshalSession(f *testing.F) {
	alice, bob := talking(f)
	f.Add(state(f, alice))
	for range 9 {
		seal(f, alice, "lost")
		seal(f, alice, "lost")
		open(f, bob, seal(f, alice, "x"), "x")
		open(f, alice, seal(f, bob, "x"), "x")
	}
	f.Add(state(f, bob))
	c := seal(f, alice, "x")
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := UnmarshalSession(data)
		if err != nil {
			if err != ErrState {
				t.Fatal(err)
			}
			return
		}
		if !bytes.Equal(state(t, s), data) {
			t.Fatal("two encodings of one session")
		}
		s.Open(c)
		s.Seal(newID(), []byte("x"), 0)
		s.Window()
		s.SafetyNumber()
		restore(t, state(t, s))
	})
}
