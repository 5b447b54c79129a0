package session

import (
	"bytes"
	"crypto/rand"
	"errors"
	"strings"
	"testing"
	"time"

	"starling/session/envelope"
)

var now = time.Unix(1_800_000_000, 0)

func newID() (id ID) {
	rand.Read(id[:])
	return id
}

func newInvite(t testing.TB) *Invite {
	t.Helper()
	v, err := NewInvite(now.Add(24*time.Hour), [][]byte{[]byte("a hint"), bytes.Repeat([]byte{7}, 64)})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func join(t testing.TB, v *Invite, content string) (*Session, []Cell) {
	t.Helper()
	n, err := ParseLink(v.Link())
	if err != nil {
		t.Fatal(err)
	}
	s, cells, err := n.Join(now, v.Bundle(), newID(), []byte(content))
	if err != nil {
		t.Fatal(err)
	}
	return s, cells
}

func accept(t testing.TB, v *Invite, cells []Cell) (*Session, Part) {
	t.Helper()
	for i, c := range cells {
		s, part, err := v.Accept(now, c)
		if err != nil {
			t.Fatalf("cell %d: %v", i, err)
		}
		if (s != nil) != (i == 2) {
			t.Fatalf("session after cell %d: %v", i, s)
		}
		if s != nil {
			return s, part
		}
	}
	t.Fatal("no session")
	panic("unreachable")
}

// pair returns the two sides of a fresh session, after the first message.
func pair(t testing.TB) (alice, bob *Session) {
	t.Helper()
	v := newInvite(t)
	alice, cells := join(t, v, "hello")
	bob, _ = accept(t, v, cells)
	return alice, bob
}

func seal(t testing.TB, s *Session, content string) Cell {
	t.Helper()
	cells, err := s.Seal(newID(), []byte(content), 0)
	if err != nil {
		t.Fatal(err)
	}
	if len(cells) != 1 {
		t.Fatalf("%d cells", len(cells))
	}
	return cells[0]
}

func open(t testing.TB, s *Session, c Cell, content string) {
	t.Helper()
	p, err := s.Open(c)
	if err != nil {
		t.Fatalf("%q: %v", content, err)
	}
	if string(p.Data) != content {
		t.Fatalf("opened %q, want %q", p.Data, content)
	}
}

func state(t testing.TB, s *Session) []byte {
	t.Helper()
	b, err := s.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func restore(t testing.TB, b []byte) *Session {
	t.Helper()
	s, err := UnmarshalSession(b)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// refuse checks that s refuses c and stays as it is.
func refuse(t testing.TB, s *Session, c Cell) {
	t.Helper()
	before := state(t, s)
	if _, err := s.Open(c); !errors.Is(err, ErrRefused) {
		t.Fatalf("error %v, want ErrRefused", err)
	}
	if !bytes.Equal(before, state(t, s)) {
		t.Fatal("a refused cell changed the state")
	}
}

func TestFirstMessageAndAnswer(t *testing.T) {
	v := newInvite(t)
	id := newID()
	n, err := ParseLink(strings.ToUpper(v.Link()))
	if err != nil {
		t.Fatal(err)
	}
	if n.ID() != v.ID() || !n.Expires().Equal(v.Expires()) || len(n.Hints()) != 2 {
		t.Fatal("invitation differs from invite")
	}
	alice, cells, err := n.Join(now, v.Bundle(), id, []byte("hello"))
	if err != nil {
		t.Fatal(err)
	}
	if len(cells) != 3 {
		t.Fatalf("%d hello cells", len(cells))
	}
	if alice.Established() {
		t.Fatal("established before an answer")
	}
	var bob *Session
	var part Part
	for i, c := range []Cell{cells[2], cells[0], cells[1]} {
		b, err := v.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		if v, err = UnmarshalInvite(b); err != nil {
			t.Fatal(err)
		}
		if bob, part, err = v.Accept(now, c); err != nil {
			t.Fatal(err)
		}
		if (bob != nil) != (i == 2) {
			t.Fatal("session at the wrong cell")
		}
	}
	if part.ID != id || part.Index != 0 || part.Count != 1 || string(part.Data) != "hello" || part.Seq != 0 {
		t.Fatalf("part %+v", part)
	}
	if !bob.Established() || !v.Used() || v.Bundle() != nil {
		t.Fatal("invite not burned")
	}
	if alice.SafetyNumber() != bob.SafetyNumber() || len(alice.SafetyNumber()) != 71 {
		t.Fatalf("safety numbers %q, %q", alice.SafetyNumber(), bob.SafetyNumber())
	}
	if alice.Export("x") != bob.Export("x") || alice.Export("x") == alice.Export("y") {
		t.Fatal("exported secrets")
	}
	open(t, alice, seal(t, bob, "hello yourself"), "hello yourself")
	if !alice.Established() {
		t.Fatal("not established by an answer")
	}
	for range 3 {
		open(t, bob, seal(t, alice, "ping"), "ping")
		open(t, alice, seal(t, bob, "pong"), "pong")
		alice, bob = restore(t, state(t, alice)), restore(t, state(t, bob))
	}
}

func TestLongContent(t *testing.T) {
	content := make([]byte, MaxContent)
	rand.Read(content)
	v := newInvite(t)
	n, _ := ParseLink(v.Link())
	id := newID()
	_, cells, err := n.Join(now, v.Bundle(), id, content)
	if err != nil {
		t.Fatal(err)
	}
	bob, part := accept(t, v, cells)
	got := bytes.Clone(part.Data)
	for i, c := range cells[3:] {
		p, err := bob.Open(c)
		if err != nil {
			t.Fatal(err)
		}
		if p.ID != id || int(p.Index) != i+1 || p.Count != envelope.MaxFragments {
			t.Fatalf("part %d: %d of %d", i, p.Index, p.Count)
		}
		got = append(got, p.Data...)
	}
	if !bytes.Equal(got, content) {
		t.Fatal("content differs")
	}
	if _, err := bob.Seal(id, make([]byte, MaxContent+1), 0); err != ErrTooLong {
		t.Fatal(err)
	}
	if _, _, err := n.Join(now, v.Bundle(), id, make([]byte, MaxContent+1)); err != ErrTooLong {
		t.Fatal(err)
	}
}

func TestOneKiBInOneCell(t *testing.T) {
	alice, bob := pair(t)
	text := strings.Repeat("é", 512)
	open(t, bob, seal(t, alice, text), text)
	open(t, alice, seal(t, bob, ""), "")
}
