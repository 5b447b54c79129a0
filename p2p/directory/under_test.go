package directory

import (
	"bytes"
	"testing"
	"time"
)

// TestUnder: Under gives the relays of one first byte, in the order of their ids, and a
// digest; its beginning is the place of the sketch.
func TestUnder(t *testing.T) {
	now := start
	d := at(&now, false)
	want := map[byte][][]byte{}
	for n := range 40 {
		raw := newRelay(t, n+1).sign(t)
		if err := d.Add(raw); err != nil {
			t.Fatal(err)
		}
		desc, err := Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		want[desc.ID[0]] = append(want[desc.ID[0]], raw)
	}
	sketch := d.Snapshot().Sketch
	total := 0
	for first := range 256 {
		entries, digest := d.Under(byte(first))
		if len(entries) != len(want[byte(first)]) {
			t.Errorf("%d entries under %d, want %d", len(entries), first, len(want[byte(first)]))
		}
		for _, e := range entries {
			total++
			found := false
			for _, raw := range want[byte(first)] {
				found = found || bytes.Equal(raw, e.Raw)
			}
			if !found || e.Known != VouchedOnly {
				t.Errorf("an entry under %d is another, or known since %d", first, e.Known)
			}
		}
		if len(entries) > 0 && !bytes.Equal(digest[:len(sketch[first])], sketch[first][:]) {
			t.Errorf("another digest under %d", first)
		}
	}
	if total != 40 {
		t.Errorf("%d entries in all", total)
	}
	now = now.Add(MaxLifetime + time.Hour)
	for first := range want {
		if entries, _ := d.Under(first); len(entries) != 0 {
			t.Errorf("%d entries that expired", len(entries))
		}
	}
}
