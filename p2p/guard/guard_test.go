package guard

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"starling/p2p/directory"
	"starling/p2p/wire"
)

var now = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

func relays(n int, address func(i int) string) *directory.Snapshot {
	s := &directory.Snapshot{}
	for i := range n {
		s.Relays = append(s.Relays, &directory.Descriptor{
			ID:        wire.NodeID{byte(i + 1)},
			Addresses: []directory.Address{{AddrPort: netip.MustParseAddrPort(address(i))}},
		})
	}
	return s
}

func apart(i int) string { return fmt.Sprintf("11.%d.0.1:1", i) }

// ids of a compact notation: "12" is the relays 1 and 2.
func ids(s string) (list []wire.NodeID) {
	for _, c := range s {
		list = append(list, wire.NodeID{byte(c - '0')})
	}
	return list
}

func in(s string) func(wire.NodeID) bool {
	return func(id wire.NodeID) bool { return slices.Contains(ids(s), id) }
}

func TestWanted(t *testing.T) {
	for _, c := range []struct {
		list, up, away string
		keep, dial     string
		more           bool
	}{
		{"", "", "", "", "", true},
		{"1", "", "", "", "1", true},
		{"12", "", "", "", "12", false},
		{"12", "1", "", "1", "2", false},
		{"12", "12", "", "12", "", false},
		{"12", "2", "1", "2", "1", true},
		{"123", "2", "1", "2", "13", false},
		{"123", "23", "1", "23", "1", false},
		{"123", "13", "2", "13", "2", false},
		{"123", "123", "", "12", "", false}, // the third is let go
		{"123", "3", "", "", "12", false},   // before anybody is known to be away
		{"1234", "", "1234", "", "1234", true},
	} {
		var l List
		for _, id := range ids(c.list) {
			l.Guards = append(l.Guards, Guard{ID: id})
		}
		keep, dial, more := l.Wanted(in(c.up), in(c.away))
		if !slices.Equal(keep, ids(c.keep)) || !slices.Equal(dial, ids(c.dial)) || more != c.more {
			t.Errorf("list %q, up %q, away %q: keep %v, dial %v, more %v", c.list, c.up, c.away, keep, dial, more)
		}
	}
}

func TestExtend(t *testing.T) {
	var l List
	s := relays(MaxGuards+5, apart)
	for l.Extend(s, now, false) {
	}
	if len(l.Guards) != MaxGuards {
		t.Errorf("%d guards", len(l.Guards))
	}
	seen := map[wire.NodeID]bool{}
	for _, g := range l.Guards {
		if seen[g.ID] {
			t.Error("twice the same")
		}
		seen[g.ID] = true
		if life := g.Until.Sub(now); life < lifeMin || life > lifeMax {
			t.Errorf("lives %v", life)
		}
	}
	// One network gives one guard, unless private addresses are admitted.
	same := relays(5, func(i int) string { return fmt.Sprintf("11.7.%d.1:1", i) })
	l = List{}
	for l.Extend(same, now, false) {
	}
	if len(l.Guards) != 1 {
		t.Errorf("%d guards of one network", len(l.Guards))
	}
	for l.Extend(same, now, true) {
	}
	if len(l.Guards) != 5 {
		t.Errorf("%d guards on one machine", len(l.Guards))
	}
}

func TestPrune(t *testing.T) {
	l := List{Guards: []Guard{
		{ID: wire.NodeID{1}, Until: now.Add(time.Hour), Seen: now},
		{ID: wire.NodeID{2}, Until: now.Add(90 * 24 * time.Hour), Seen: now},
		{ID: wire.NodeID{3}, Until: now.Add(90 * 24 * time.Hour), Seen: now},
	}}
	if l.Prune(now) {
		t.Error("pruned too early")
	}
	later := now.Add(2 * time.Hour)
	if !l.Prune(later) || !slices.Equal(l.IDs(), ids("23")) {
		t.Errorf("after a lifetime: %v", l.IDs())
	}
	later = now.Add(goneFor + time.Hour)
	addr := directory.Address{AddrPort: netip.MustParseAddrPort("11.0.0.9:9")}
	l.Answered(wire.NodeID{3}, addr, later.Add(-time.Hour))
	if !l.Prune(later) || !slices.Equal(l.IDs(), ids("3")) || l.Guards[0].Address != addr {
		t.Errorf("after a long absence: %v", l.IDs())
	}
}

func stored() List {
	var l List
	for range 3 {
		l.Extend(relays(9, apart), now, false)
	}
	return l
}

func TestState(t *testing.T) {
	l := stored()
	b := l.Append(nil)
	again, rest, err := Cut(append(bytes.Clone(b), 7, 7))
	if err != nil || !bytes.Equal(rest, []byte{7, 7}) || !slices.Equal(again.IDs(), l.IDs()) || !bytes.Equal(again.Append(nil), b) {
		t.Fatalf("%v: %v", again, err)
	}
	for n := range b {
		if _, _, err := Cut(b[:n]); err == nil {
			t.Errorf("cut at %d: accepted", n)
		}
	}
}

func FuzzState(f *testing.F) {
	l := stored()
	f.Add(l.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if l, rest, err := Cut(b); err == nil && !bytes.Equal(append(l.Append(nil), rest...), b) {
			t.Fatalf("%x is not written as it was read", b)
		}
	})
}
