package admission

import (
	"net/netip"
	"slices"
	"testing"

	"starling/p2p/wire"
)

// TestLine: of one network few wait, of all not many; a relay has one place; where all
// places are taken the network makes room that has most; and networks take turns.
func TestLine(t *testing.T) {
	turn := func(id int, source netip.Addr) Turn {
		return Turn{Check: Check{ID: wire.NodeID{byte(id), byte(id >> 8), 1}}, Source: source, Nonce: uint64(id)}
	}
	crowd := netip.AddrFrom4([4]byte{9, 9, 9, 9})
	at := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{20, byte(i), 0, 1}) }

	l := NewLine(true)
	in := 0
	for i := range 1000 {
		if l.Join(turn(i, crowd)) {
			in++
		}
		l.Join(turn(0, crowd)) // has a place
	}
	if in != maxLineNetwork {
		t.Errorf("%d of one network wait", in)
	}
	for i := range maxLine - maxLineNetwork {
		if !l.Join(turn(2000+i, at(i))) {
			t.Fatalf("no place for %d", i)
		}
	}
	if !l.Join(turn(3000, at(200))) || len(l.turns) != maxLine || l.counts()[block(crowd)] != maxLineNetwork-1 {
		t.Errorf("%d wait, %d of the crowd", len(l.turns), l.counts()[block(crowd)])
	}
	if !l.Join(turn(3001, at(0))) || l.Join(turn(3002, at(0))) {
		t.Error("a network that has as many as others pushes out another")
	}

	// Who lives beside a crowd of one address has a place, and keeps it; so have three.
	l = NewLine(true)
	for i := range maxLineNetwork {
		l.Join(turn(i, crowd))
	}
	beside := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{9, 9, 9, byte(100 + i)}) }
	for i := range maxLineNetwork - 1 {
		if !l.Join(turn(4000+i, beside(i))) {
			t.Errorf("no place for neighbour %d", i)
		}
		for j := range 100 {
			l.Join(turn(100+j, crowd))
		}
	}
	if l.Join(turn(5000, beside(50))) {
		t.Error("one of four who have a place each goes for a fifth")
	}
	for i := range maxLineNetwork - 1 {
		if !slices.ContainsFunc(l.turns, func(o Turn) bool { return o.Nonce == uint64(4000+i) }) {
			t.Errorf("neighbour %d has lost its place", i)
		}
	}
	if len(l.turns) != maxLineNetwork {
		t.Errorf("%d of the network wait", len(l.turns))
	}

	// A crowd that always comes back does not hold up another network.
	l = NewLine(true)
	waited := 0
	for range 100 {
		for i := range maxLineNetwork {
			l.Join(turn(i, crowd))
		}
		l.Join(turn(500, at(1)))
		for waited++; ; waited++ {
			next, ok := l.Next()
			if !ok {
				t.Fatal("nobody waits")
			}
			if next.Nonce == 500 {
				break
			}
			l.Join(turn(int(next.Nonce), crowd))
		}
	}
	if waited > 300 {
		t.Errorf("100 turns of a small network took %d", waited)
	}
	for range 10 {
		l.Next()
	}
	if _, ok := l.Next(); ok {
		t.Error("somebody waits in an empty line")
	}

	// On one machine networks do not count.
	l = NewLine(false)
	for i := range 2 * maxLine {
		l.Join(turn(i, crowd))
	}
	if len(l.turns) != maxLine {
		t.Errorf("%d wait", len(l.turns))
	}
}
