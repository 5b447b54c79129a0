package doubleratchet

import (
	"bytes"
	"fmt"
	"testing"

	"starling/session/internal/key"
)

// TestSkipLimit holds the limits of one message on one chain.
func TestSkipLimit(t *testing.T) {
	for _, c := range []struct {
		nr, n uint32
		ok    bool
	}{
		{0, 0, true}, {0, MaxSkip, true}, {0, MaxSkip + 1, false}, {5, MaxSkip + 5, true}, {5, MaxSkip + 6, false},
		{5, 5, true}, {5, 4, false}, {MaxCounter - 3, MaxCounter - 1, true}, {MaxCounter - 3, MaxCounter, false},
	} {
		s := State{CanReceive: true, Nr: c.nr}
		keys, err := s.SkipTo(c.n, nil)
		if (err == nil) != c.ok || c.ok && (s.Nr != c.n || len(keys) != int(c.n-c.nr)) {
			t.Errorf("from %d to %d: %v", c.nr, c.n, err)
		}
		if !c.ok && s != (State{CanReceive: true, Nr: c.nr}) {
			t.Errorf("from %d to %d: changed by a refusal", c.nr, c.n)
		}
		none := State{}
		if _, err := none.SkipTo(c.n, nil); (err == nil) != (c.n == 0) {
			t.Errorf("without a chain to %d: %v", c.n, err)
		}
	}
}

func TestCannotSend(t *testing.T) {
	for name, s := range map[string]State{
		"before the first message": Starling.Responder(Key{}, key.Generate(), HeaderKey{}, HeaderKey{}),
		"counter used up":          {CanSend: true, Ns: MaxCounter},
	} {
		before := s
		if _, _, err := s.NextSend(); err != ErrCannotSend || s != before {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestTurns lets two sides take turns: header keys, chain keys, message keys
// and counters meet, and every turn has new ones.
func TestTurns(t *testing.T) {
	signed := key.Generate()
	hka, nhkb := HeaderKey{1}, HeaderKey{2}
	a, err := Starling.Initiator(Key{3}, signed.Public(), hka, nhkb)
	if err != nil {
		t.Fatal(err)
	}
	b := Starling.Responder(Key{3}, signed, hka, nhkb)
	seen := map[Key]bool{}
	from, to := &a, &b
	for turn := range 20 {
		if from.HKs != to.NHKr {
			t.Fatal("the receiver does not expect this header key")
		}
		for i := range 5 {
			n, mk, err := from.NextSend()
			if err != nil || n != uint32(i) || seen[mk] {
				t.Fatal(turn, n, err)
			}
			seen[mk] = true
			if i == 0 {
				if err := Starling.Ratchet(to, from.DHs.Public()); err != nil {
					t.Fatal(err)
				}
			}
			if got := to.NextReceive(); got != mk || from.CKs != to.CKr || from.HKs != to.HKr {
				t.Fatal("keys differ")
			}
		}
		if to.Nr != 5 || turn > 0 && to.PN != 5 {
			t.Fatal(turn, to.Nr, to.PN)
		}
		from, to = to, from
	}
}

// TestLowOrder: the peer's ratchet key gives an agreement of all zeros.
func TestLowOrder(t *testing.T) {
	s := Starling.Responder(Key{}, key.Generate(), HeaderKey{}, HeaderKey{})
	if Starling.Ratchet(&s, key.Public{1}) == nil {
		t.Error("ratchet")
	}
	if _, err := Starling.Initiator(Key{}, key.Public{}, HeaderKey{}, HeaderKey{}); err == nil {
		t.Error("initiator")
	}
}

func TestKeysAreNotPrinted(t *testing.T) {
	s := State{RK: Key(bytes.Repeat([]byte{0xab}, 32))}
	for _, v := range []any{s, &s} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
			if got := fmt.Sprintf(verb, v); got != "[secret]" {
				t.Errorf("%s: %s", verb, got)
			}
		}
	}
}
