package outfox

import (
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func TestEpoch(t *testing.T) {
	e := EpochAt(noon)
	if e != 20779 || e.Byte() != 20779%256 {
		t.Fatalf("epoch %d, byte %d", e, e.Byte())
	}
	if got := e.Start(); !got.Equal(noon.Add(-12 * time.Hour)) {
		t.Errorf("starts %v", got)
	}
	if got := e.End(); !got.Equal(noon.Add(12 * time.Hour)) {
		t.Errorf("ends %v", got)
	}
	if EpochAt(e.End()) != e+1 || EpochAt(e.End().Add(-1)) != e {
		t.Error("the border belongs to the wrong epoch")
	}
}

func TestSlot(t *testing.T) {
	s := SlotAt(noon)
	if s != 20779*12+6 || s.Byte() != byte((20779*12+6)%256) {
		t.Fatalf("slot %d, byte %d", s, s.Byte())
	}
	if !s.Start().Equal(noon) || !s.End().Equal(noon.Add(2*time.Hour)) {
		t.Errorf("from %v to %v", s.Start(), s.End())
	}
	if SlotAt(s.End()) != s+1 || SlotAt(s.End().Add(-1)) != s {
		t.Error("the border belongs to the wrong slot")
	}
}

// TestSlotSaysTheEpoch: keys are those of the day four slots before the last slot
// of a packet.
func TestSlotSaysTheEpoch(t *testing.T) {
	day := Epoch(20779)
	first := SlotAt(day.Start())
	for _, tc := range []struct {
		slot Slot
		want Epoch
	}{
		{first, day - 1},
		{first + 3, day - 1}, // ends at 08:00
		{first + 4, day},     // made at midnight to live long
		{first + 11, day},
		{first + 12, day},
		{first + 15, day},
		{first + 16, day + 1},
	} {
		if got := tc.slot.Epoch(); got != tc.want {
			t.Errorf("slot %d of the day: epoch %d, want %d", tc.slot-first, got-day, tc.want-day)
		}
	}
	if end := (first + 3).End(); !end.Equal(day.Start().Add(KeyLife)) {
		t.Errorf("the last packet under the key of the day before ends %v", end)
	}
}

func TestResolveSlot(t *testing.T) {
	for _, now := range []Slot{249354, 249343, 249344, 249345} { // 249344 is 0 modulo 256
		for _, tc := range []struct {
			at   time.Time
			most int
		}{
			{now.Start(), MaxAhead},
			{now.End().Add(-Skew - 1), MaxAhead},
			{now.End().Add(-Skew), MaxAhead + 1},
			{now.End().Add(-1), MaxAhead + 1},
		} {
			for d := -128; d < 128; d++ {
				x := Slot(int(now) + d)
				got, ok := ResolveSlot(x.Byte(), tc.at)
				if want := d >= 0 && d <= tc.most; ok != want || ok && got != x {
					t.Errorf("at %v the byte of slot %+d is taken for %d, %v", tc.at, d, got, ok)
				}
			}
		}
	}
}

// TestResolveEpoch: the key of a day opens from ten minutes before it until eight
// hours after it.
func TestResolveEpoch(t *testing.T) {
	for _, day := range []Epoch{20779, 20736, 20735} { // 20736 is 0 modulo 256
		for _, tc := range []struct {
			at          time.Time
			first, last Epoch
		}{
			{day.Start().Add(-Skew - 1), day - 1, day - 1},
			{day.Start().Add(-Skew), day - 1, day},
			{day.Start(), day - 1, day},
			{day.Start().Add(KeyLife - 1), day - 1, day},
			{day.Start().Add(KeyLife), day, day},
			{day.End().Add(-Skew - 1), day, day},
		} {
			for d := range Epoch(256) {
				x := day + d - 128
				got, ok := ResolveEpoch(x.Byte(), tc.at)
				if want := x >= tc.first && x <= tc.last; ok != want || ok && got != x {
					t.Errorf("at %v the byte of %d is taken for %d, %v", tc.at, x, got, ok)
				}
			}
		}
	}
}

// TestExpiry: through a day, packets of an honest maker with a clock that is right
// or Skew ahead open at once. No other pair of bytes in a packet does.
func TestExpiry(t *testing.T) {
	day := Epoch(20736) // 0 modulo 256
	for at := day.Start(); at.Before(day.End()); at = at.Add(time.Minute) {
		good := map[[2]byte]Slot{}
		for _, made := range []time.Time{at, at.Add(Skew)} {
			for draw := Slot(1); draw <= MaxAhead; draw++ {
				s := SlotAt(made) + draw
				good[[2]byte{s.Epoch().Byte(), s.Byte()}] = s
			}
		}
		s := SlotAt(at) // made before, in its last slot now
		good[[2]byte{s.Epoch().Byte(), s.Byte()}] = s
		for _, epoch := range []byte{254, 255, 0, 1, 2} {
			for slot := range 256 {
				got, ok := Expiry(epoch, byte(slot), at)
				want, fits := good[[2]byte{epoch, byte(slot)}]
				if ok != fits || ok && got != want {
					t.Fatalf("at %v, epoch byte %d, slot byte %d: slot %d, %v", at, epoch, slot, got, ok)
				}
				if _, known := ResolveEpoch(epoch, at); ok && !known {
					t.Fatalf("at %v, epoch byte %d: there is no key for what is in time", at, epoch)
				}
			}
		}
	}
}
