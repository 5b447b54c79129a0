package guard

import (
	"net/netip"
	"testing"

	"starling/p2p/directory"
	"starling/p2p/wire"
)

// TestFamilyOfOneWhoLeft: two relays are of one family by the word of either in their list, and of a guard that is
// not listed any more by its last word; of others that left nothing is kept.
func TestFamilyOfOneWhoLeft(t *testing.T) {
	a, b, c := Relay{ID: idOf(1), Kin: []wire.NodeID{idOf(2)}}, Relay{ID: idOf(2)}, Relay{ID: idOf(3), Kin: []wire.NodeID{idOf(4)}}
	for _, both := range []bool{true, false} {
		if b.Kin = nil; both {
			b.Kin = []wire.NodeID{a.ID}
		}
		s := New(Config{})
		s.list = []*guard{{id: a.ID}}
		s.Relays([]Relay{a, b, c}, true)
		if !s.related(a.ID, b.ID) || !s.related(b.ID, a.ID) || s.related(a.ID, c.ID) {
			t.Error("families are not those of the list")
		}
		s.Relays([]Relay{b}, true)
		if !s.related(a.ID, b.ID) || !s.related(b.ID, a.ID) {
			t.Error("a guard has left its family with the list")
		}
		if s.related(c.ID, idOf(4)) {
			t.Error("a relay that left and is no guard has a family")
		}
		a := a
		a.Kin = nil
		s.Relays([]Relay{a, {ID: b.ID}}, true)
		if s.related(a.ID, b.ID) {
			t.Error("their new word does not count")
		}
	}
}

// fit returns so many relays, each in a network of its own.
func fit(n int) (list []Relay) {
	for n := range n {
		at := netip.AddrPortFrom(netip.AddrFrom4([4]byte{byte(20 + n/250), byte(n % 250), 0, 1}), 4001)
		list = append(list, Relay{ID: idOf(n + 1), Fit: true, Addresses: []directory.Address{{AddrPort: at}}})
	}
	return list
}

// TestReady: as many guards are drawn as are asked for, and not one more.
func TestReady(t *testing.T) {
	s := New(Config{})
	s.Relays(fit(5), true)
	for _, n := range []int{1, 3, 2, 5, 9} {
		before := len(s.list)
		s.ready(n)
		if want := min(max(before, n), 5); len(s.list) != want {
			t.Errorf("asked for %d there are %d, want %d", n, len(s.list), want)
		}
	}
}

// TestCandidatesAreBounded: the ladder draws as many guards as a list may have, and not one more.
func TestCandidatesAreBounded(t *testing.T) {
	s := New(Config{})
	s.Relays(fit(2*MaxGuards), true)
	s.asked, s.steps, s.ladder = true, 1, 1
	s.ready(Use)
	for range 2 * MaxGuards {
		g := s.candidate(t0)
		if g == nil {
			break
		}
		g.step = s.ladder
	}
	if len(s.list) != MaxGuards {
		t.Errorf("%d are drawn", len(s.list))
	}
}
