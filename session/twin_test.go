package session

import (
	"bytes"
	"crypto/rand"
	"errors"
	"testing"

	"starling/session/envelope"
)

// TestTwin: a cell sealed by another copy of ours under a tag of ours is known for
// that, whether or not there was a DH step in between; nothing that a mailbox can make
// is.
func TestTwin(t *testing.T) {
	for _, stepped := range []bool{false, true} {
		a, b := talking(t)
		open(t, a, seal(t, b, "y"), "y")
		earlier := seal(t, a, "earlier")
		open(t, b, earlier, "earlier")
		news := seal(t, b, "news")
		copied := state(t, a)

		// One copy went on before the other was put back.
		if stepped {
			open(t, a, news, "news")
		}
		theirs := seal(t, a, "theirs")
		further := seal(t, a, "further")
		restored := restore(t, copied)
		ours := seal(t, restored, "ours")
		next := seal(t, restored, "next")
		if theirs.Tag != ours.Tag {
			t.Fatal("another place")
		}
		check := func(when string) {
			t.Helper()
			restored = restore(t, state(t, restored))
			if !restored.Twin(&ours.Box, &theirs.Box) || !restored.Twin(&next.Box, &further.Box) && !stepped {
				t.Errorf("%s, DH step %v: a twin is not known", when, stepped)
			}
			spliced := ours.Box
			rand.Read(spliced[200:])
			var noise, zeros [envelope.CellSize]byte
			rand.Read(noise[:])
			damaged := theirs.Box
			damaged[20] ^= 1
			for name, box := range map[string]*[envelope.CellSize]byte{"ours": &ours.Box, "our header": &spliced, "noise": &noise,
				"zeros": &zeros, "damaged": &damaged, "an earlier cell": &earlier.Box, "the next of ours": &next.Box,
				"the peer's": &news.Box} {
				if restored.Twin(&ours.Box, box) {
					t.Errorf("%s, DH step %v: %s is taken for a twin", when, stepped, name)
				}
			}
			if stepped && restored.Twin(&next.Box, &theirs.Box) {
				t.Errorf("%s: the first of a chain is taken for the twin of another place", when)
			}
		}
		check("at once")
		open(t, restored, news, "news")
		check("after a DH step")
		for range MaxTwinSteps - 2 {
			open(t, b, seal(t, restored, "x"), "x")
			open(t, restored, seal(t, b, "y"), "y")
			if stepped {
				break // the peer would have noticed
			}
		}
	}
	if alice, _ := talking(t); alice.ratchet.Twin(nil, nil) || alice.ratchet.Twin(make([]byte, 1536), make([]byte, 1535)) {
		t.Error("nothing is a twin")
	}
}

// MaxTwinSteps is for how many DH steps evidence about a cell is good at least.
const MaxTwinSteps = 8

// TestTwinForgets: the evidence lasts for some DH steps and no longer.
func TestTwinForgets(t *testing.T) {
	a, b := talking(t)
	copied := state(t, a)
	theirs := seal(t, a, "theirs")
	a = restore(t, copied)
	ours := seal(t, a, "ours")
	open(t, b, ours, "ours")
	for i := range 12 {
		open(t, a, seal(t, b, "y"), "y")
		if known := a.Twin(&ours.Box, &theirs.Box); known != (i < MaxTwinSteps) {
			t.Errorf("after %d DH steps: %v", i+1, known)
		}
		open(t, b, seal(t, a, "x"), "x")
	}
}

// TestTwinKnock: an offer moves only for an earlier knock of the same profile.
func TestTwinKnock(t *testing.T) {
	a, b := talking(t)
	first, second := offering(t, a, 0, ReasonRestored), offering(t, a, 1, ReasonRestored)
	theirs := offering(t, b, 0, ReasonRestored).Bundle()[0].Box
	one, two := first.Bundle(), second.Bundle()
	var noise [envelope.CellSize]byte
	rand.Read(noise[:])
	for name, box := range map[string]*[envelope.CellSize]byte{"itself": &two[0].Box, "a cell of its bundle": &two[1].Box,
		"noise": &noise, "the peer's": &theirs} {
		if second.Twin(box) {
			t.Errorf("%s is taken for a twin", name)
		}
	}
	if !second.Twin(&one[0].Box) || a.Reset().Twin(&one[0].Box) {
		t.Error("an earlier knock is not known, or there is no offer")
	}
}

// TestRetired: a session that was given up opens cells still under way, and says
// nothing any more.
func TestRetired(t *testing.T) {
	a, b := talking(t)
	old := state(t, a)
	for range flareAt {
		seal(t, a, "lost")
	}
	inFlight := seal(t, b, "in flight")
	a.Retire()
	if a = restore(t, state(t, a)); !a.Retired() || len(a.Signals()) != 0 {
		t.Fatal("not retired after a restart")
	}
	if _, err := a.Seal(newID(), nil, 0); !errors.Is(err, ErrRetired) {
		t.Fatal(err)
	}
	open(t, a, inFlight, "in flight")
	for range flareAt {
		seal(t, b, "lost")
	}
	if _, err := a.Open(b.Signals()[0]); err != nil || len(a.Signals()) != 0 {
		t.Error("a signal came of a session that was given up", err)
	}
	if last := seal(t, b, "on"); !containsTag(a.Window(), last.Tag) {
		t.Error("the flare changed nothing")
	} else {
		open(t, a, last, "on")
	}

	// One that has gone back still shows the cells that its other self would have seen.
	c := restore(t, old)
	d := restore(t, state(t, b))
	open(t, d, seal(t, restore(t, old), "heard"), "heard")
	news := seal(t, d, "news")
	c.Retire()
	if i := bytes.Index(bytes.Join(tagBytes(c.Window()), nil), news.Tag[:]); i >= 0 {
		open(t, c, news, "news")
	}
}

func tagBytes(tags []Tag) (b [][]byte) {
	for i := range tags {
		b = append(b, tags[i][:])
	}
	return b
}
