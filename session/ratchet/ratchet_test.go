package ratchet

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"testing"

	"starling/session/internal/key"
)

func newPair(t testing.TB) (alice, bob *State) {
	t.Helper()
	var k Keys
	for _, b := range [][]byte{k.Root[:], k.PQ[:], k.HeaderA[:], k.HeaderB[:], k.AD[:]} {
		rand.Read(b)
	}
	signed := key.Generate()
	alice, err := NewInitiator(k, signed.Public())
	if err != nil {
		t.Fatal(err)
	}
	return alice, NewResponder(k, signed)
}

// talking returns a pair that has exchanged a message each way.
func talking(t testing.TB) (alice, bob *State) {
	t.Helper()
	alice, bob = newPair(t)
	pass(t, alice, bob)
	pass(t, bob, alice)
	return alice, bob
}

func seal(t testing.TB, s *State, plaintext string) []byte {
	t.Helper()
	m, err := s.Seal(nil, []byte(plaintext))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func open(t testing.TB, s *State, m []byte, plaintext string) {
	t.Helper()
	got, err := s.Open(nil, m)
	if err != nil {
		t.Fatalf("%q: %v", plaintext, err)
	}
	if string(got) != plaintext {
		t.Fatalf("opened %q, want %q", got, plaintext)
	}
}

func pass(t testing.TB, from, to *State) {
	t.Helper()
	open(t, to, seal(t, from, "message"), "message")
}

func bytesOf(t testing.TB, s *State) []byte {
	t.Helper()
	b, err := s.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func copyOf(t testing.TB, s *State) *State {
	t.Helper()
	c, err := Unmarshal(bytesOf(t, s))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// refuse checks that s refuses a message with the one error and stays as it is.
func refuse(t testing.TB, s *State, m []byte) {
	t.Helper()
	refuseWith(t, ErrRefused, s, m)
}

// refuseWith is refuse with the error that is due.
func refuseWith(t testing.TB, want error, s *State, m []byte) {
	t.Helper()
	before := bytesOf(t, s)
	if _, err := s.Open(nil, m); err != want {
		t.Fatalf("error %v, want %v", err, want)
	}
	if !bytes.Equal(before, bytesOf(t, s)) {
		t.Fatal("a refused message changed the state")
	}
}

// forge seals as the holder of s would, but with a header that edit changed.
func forge(t testing.TB, s *State, plaintext string, edit func(h *header)) []byte {
	t.Helper()
	s = copyOf(t, s)
	n, ec, err := s.ec.NextSend()
	if err != nil {
		t.Fatal(err)
	}
	msg, pq, err := s.pq.Send()
	if err != nil {
		t.Fatal(err)
	}
	h := header{dh: s.ec.DHs.Public(), pn: s.ec.PN, n: n, pq: msg}
	edit(&h)
	mk := hybrid(&ec, &pq)
	return s.encode(nil, &h, &mk, []byte(plaintext))
}

func TestForgeIsGenuineWithoutEdit(t *testing.T) {
	alice, bob := talking(t)
	open(t, bob, forge(t, alice, "x", func(*header) {}), "x")
}

func TestConversation(t *testing.T) {
	alice, bob := newPair(t)
	if bob.CanSend(1) || !alice.CanSend(1) {
		t.Fatal("the initiator sends first")
	}
	for i := range 300 {
		for j := range i % 4 {
			m := fmt.Sprint("a", i, j)
			open(t, bob, seal(t, alice, m), m)
		}
		for j := range i % 3 {
			m := fmt.Sprint("b", i, j)
			open(t, alice, seal(t, bob, m), m)
		}
		alice, bob = copyOf(t, alice), copyOf(t, bob)
	}
	if alice.pq.Epoch() < 4 || alice.ec.Steps < 100 {
		t.Fatalf("%d epochs, %d DH steps", alice.pq.Epoch(), alice.ec.Steps)
	}
}

// TestSizes holds the sizes that the layout promises.
func TestSizes(t *testing.T) {
	alice, _ := newPair(t)
	for _, n := range []int{0, 1, 15, 16, 1359} {
		if m := seal(t, alice, string(make([]byte, n))); len(m) != MessageSize(n) {
			t.Errorf("%d bytes seal to %d, want %d", n, len(m), MessageSize(n))
		}
	}
	if HeaderSize != 144 || MessageSize(1359) != 1536 || BodySize(1536) != 1359 {
		t.Error(HeaderSize, MessageSize(1359), BodySize(1536))
	}
}

// TestOutOfOrderAcrossSteps holds messages back over three DH steps and two
// epochs of the post-quantum ratchet.
func TestOutOfOrderAcrossSteps(t *testing.T) {
	alice, bob := talking(t)
	held := map[string][]byte{}
	hold := func(name string) { held[name] = seal(t, alice, name) }
	hold("first chain 0")
	hold("first chain 1")
	pass(t, alice, bob)
	for i := range 3 {
		hold(fmt.Sprint("end of chain ", i))
		pass(t, bob, alice)
		hold(fmt.Sprint("start of chain ", i))
		pass(t, alice, bob)
	}
	open(t, bob, held["first chain 1"], "first chain 1")
	delete(held, "first chain 1")
	for epoch := alice.pq.Epoch(); alice.pq.Epoch() < epoch+2; {
		pass(t, bob, alice)
		pass(t, alice, bob)
	}
	bob = copyOf(t, bob)
	for name, m := range held {
		open(t, bob, m, name)
		refuse(t, bob, m)
	}
	if bob.skipped.total != 0 || len(bob.skipped.chains) != 0 {
		t.Fatal("skipped keys left over")
	}
}

// TestPrivateStateIsNotPrinted covers everything that prints.
func TestPrivateStateIsNotPrinted(t *testing.T) {
	alice, _ := newPair(t)
	k := Keys{Root: [32]byte{1, 2, 3}}
	for _, v := range []any{alice, k, &k} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x", "%q"} {
			if s := fmt.Sprintf(verb, v); len(s) > 20 || s[0] != '[' {
				t.Errorf("%s of %T: %q", verb, v, s)
			}
		}
	}
}

func FuzzUnmarshal(f *testing.F) {
	alice, bob := talking(f)
	f.Add(bytesOf(f, alice))
	seal(f, alice, "lost")
	pass(f, alice, bob)
	pass(f, bob, alice)
	seal(f, alice, "lost")
	pass(f, alice, bob)
	f.Add(bytesOf(f, bob))
	_, fresh := newPair(f)
	f.Add(bytesOf(f, fresh))
	m := seal(f, alice, "m")
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := Unmarshal(data)
		if err != nil {
			if !errors.Is(err, ErrState) {
				t.Fatal(err)
			}
			return
		}
		again, _ := s.MarshalBinary()
		if !bytes.Equal(again, data) {
			t.Fatal("two encodings of one state")
		}
		s.Open(nil, m)
		if s.CanSend(1) {
			s.Seal(nil, nil)
		}
	})
}

func FuzzOpen(f *testing.F) {
	alice, bob := talking(f)
	f.Add(seal(f, alice, "m"))
	f.Add(make([]byte, 1536))
	f.Add([]byte{})
	before := bytesOf(f, bob)
	f.Fuzz(func(t *testing.T, m []byte) {
		s := copyOf(t, bob)
		if _, err := s.Open(nil, m); err != nil && !bytes.Equal(before, bytesOf(t, s)) {
			t.Fatal("a refused message changed the state")
		}
	})
}

func FuzzHeader(f *testing.F) {
	f.Add(make([]byte, headerPlain))
	f.Fuzz(func(t *testing.T, b []byte) {
		if h, ok := parseHeader(b); ok && !bytes.Equal(h.append(nil), b) {
			t.Fatal("two encodings of one header")
		}
	})
}
