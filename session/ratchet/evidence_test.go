package ratchet

import (
	"bytes"
	"crypto/rand"
	"testing"

	"starling/session/internal/doubleratchet"
	"starling/session/internal/key"
)

// splice returns the header of one message with the body of another.
func splice(header, body []byte) []byte {
	return append(bytes.Clone(header[:HeaderSize]), body[HeaderSize:]...)
}

// TestTwin: a message sealed by another copy of a state at a place of ours is known for
// that, in the same chain and over a DH step; nothing else is.
func TestTwin(t *testing.T) {
	alice, bob := talking(t)
	earlier := seal(t, alice, "earlier")
	open(t, bob, earlier, "earlier")
	news := seal(t, bob, "news")

	// The other copy goes on by itself, in the chain and, stepped, in the next one.
	other, stepped := copyOf(t, alice), copyOf(t, alice)
	theirs, further := seal(t, other, "theirs"), seal(t, other, "further")
	open(t, stepped, news, "news")
	first, second := seal(t, stepped, "theirs"), seal(t, stepped, "second")

	ours, next := seal(t, alice, "ours"), seal(t, alice, "next")
	noise := make([]byte, len(ours))
	rand.Read(noise)
	damaged := bytes.Clone(theirs)
	damaged[20] ^= 1
	otherKey := forge(t, alice, "x", func(h *header) { h.n, h.dh = h.n-2, key.Generate().Public() })

	check := func(when string) {
		t.Helper()
		for _, c := range []struct {
			name       string
			own, found []byte
			want       bool
		}{
			{"in the same chain", ours, theirs, true},
			{"the one after", next, further, true},
			{"over a DH step", ours, first, true},
			{"the header alone", ours[:HeaderSize], theirs[:HeaderSize], true},
			{"whatever the body", ours, splice(theirs, noise), true},

			{"itself", ours, ours, false},
			{"our header", ours, splice(ours, noise), false},
			{"the next of ours", ours, next, false},
			{"one before", ours, earlier, false},
			{"the number after", ours, further, false},
			{"another ratchet key", ours, otherKey[:len(ours)], false},
			{"the second after a DH step", ours, second, false},
			{"of another place, over a DH step", next, first, false},
			{"the peer's", ours, news, false},
			{"noise", ours, noise, false},
			{"damaged", ours, damaged, false},
			{"longer", ours, append(bytes.Clone(theirs), make([]byte, 16)...), false},
			{"short", ours[:HeaderSize-1], theirs[:HeaderSize-1], false},
			{"nothing", nil, nil, false},
			{"not of ours", noise, theirs, false},
		} {
			if got := alice.Twin(c.own, c.found); got != c.want {
				t.Errorf("%s, %s: %v", when, c.name, got)
			}
		}
	}
	check("at once")
	open(t, alice, news, "news")
	check("after a DH step")
	for range MaxPast - 1 {
		pass(t, alice, bob)
		pass(t, bob, alice)
	}
	check("after the last step for which there is evidence")
	pass(t, alice, bob)
	pass(t, bob, alice)
	if alice.Twin(ours, theirs) {
		t.Error("evidence is kept for longer")
	}
}

// TestTwinOfTheFirst: noise is no twin of the first message of a chain, with its
// numbers of zeros.
func TestTwinOfTheFirst(t *testing.T) {
	alice, _ := newPair(t)
	ours := seal(t, alice, "first")
	noise := make([]byte, len(ours))
	rand.Read(noise)
	if alice.Twin(ours, noise) {
		t.Error("noise is a twin")
	}
}

// TestTwinBeforeFirstReceive: a side that has sealed nothing has no twin, and no key of
// zeros is one of theirs.
func TestTwinBeforeFirstReceive(t *testing.T) {
	alice, bob := newPair(t)
	alice.ec.HKs = doubleratchet.HeaderKey{}
	own := forge(t, alice, "x", func(*header) {})
	found := forge(t, alice, "x", func(*header) {})
	if bob.Twin(own, found) {
		t.Error("a header under a key of zeros is evidence")
	}
}

// TestProofs: one side's proof of its sending chain is the one that the other expects,
// at every step another, and nobody else can make it.
func TestProofs(t *testing.T) {
	alice, bob := newPair(t)
	seen := map[Proof]bool{{}: true, proof(new(doubleratchet.HeaderKey)): true}
	expect := func(from, to *State, which int) {
		t.Helper()
		p := from.SendingProof()
		if to.ReceivingProofs()[which] != p {
			t.Error("the proof is another than the peer expects")
		}
		if seen[p] {
			t.Error("a proof twice, or one that anybody can make")
		}
		seen[p] = true
	}
	if p := bob.ReceivingProofs(); p[0] != p[1] {
		t.Error("there are two proofs before the first message")
	}
	expect(alice, bob, 1)
	pass(t, alice, bob)
	if bob.ReceivingProofs()[0] != alice.SendingProof() {
		t.Error("the proof of the chain that came is another")
	}
	for range 3 {
		expect(bob, alice, 1)
		pass(t, bob, alice)
		if alice.ReceivingProofs()[0] != bob.SendingProof() {
			t.Error("the proof of the chain that came is another")
		}
		expect(alice, bob, 1)
		pass(t, alice, bob)
	}
}
