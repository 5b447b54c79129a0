package rooms

import "testing"

// TestPositions: whatever a mailbox numbers, in any order, twice, or far ahead: everything is taken once as
// far as it is true, and the memory of it is bounded.
func TestPositions(t *testing.T) {
	var p position
	taken := 0
	for _, at := range []uint32{3, 2, 2, 1, 3, 4, 4, 6} {
		var fresh bool
		if p, fresh = p.take(at); fresh {
			taken++
		}
	}
	if p.all != 4 || taken != 5 || !p.ahead[6] || len(p.ahead) != 1 {
		t.Errorf("%d taken, up to %d, ahead %v", taken, p.all, p.ahead)
	}
	if p, _ = p.take(5); p.all != 6 || len(p.ahead) != 0 {
		t.Errorf("up to %d, ahead %v", p.all, p.ahead)
	}
	for at := uint32(100_000); at < 200_000; at += 10 {
		p, _ = p.take(at)
	}
	for _, at := range []uint32{0, 1<<32 - 1} {
		var fresh bool
		if p, fresh = p.take(at); !fresh {
			t.Errorf("an entry at %d is lost", at)
		}
	}
	if p.all != 6 || len(p.ahead) > maxAhead {
		t.Errorf("up to %d, %d ahead", p.all, len(p.ahead))
	}
}
