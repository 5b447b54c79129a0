package api

import (
	"errors"
	"testing"
	"time"
)

func TestParseDuration(t *testing.T) {
	const day = 24 * time.Hour
	for s, want := range map[string]time.Duration{
		"0": 0, "0s": 0, "90s": 90 * time.Second, "30m": 30 * time.Minute, "8h": 8 * time.Hour, "1h30m": 90 * time.Minute,
		"7d": 7 * day, "2w": 14 * day, "1w2d3h": 9*day + 3*time.Hour, "1.5h": 90 * time.Minute, "0.5d": 12 * time.Hour,
		"250ms": 250 * time.Millisecond, " 7d\n": 7 * day, "168h": 7 * day, "24h0m0s": day,
	} {
		if d, err := ParseDuration(s); err != nil || d != want {
			t.Errorf("%q: %v, %v", s, d, err)
		}
	}
	for _, s := range []string{"", " ", "7", "d", "-1h", "+1h", "1h-1m", "7 d", "7D", "7days", "soon", "1..5h", ".", "1e3s", "0x1p4s", "inf", "NaNs",
		"9999999999999w", "99999d", "1h 30m", "١h", "1y", "1h30"} {
		if d, err := ParseDuration(s); !errors.Is(err, ErrDuration) || d != 0 {
			t.Errorf("%q: %v, %v", s, d, err)
		}
	}
}

func FuzzParseDuration(f *testing.F) {
	for _, s := range []string{"7d", "1h30m", "-1h", "9999999w", "0.1ms"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := ParseDuration(s)
		if d < 0 || err != nil && d != 0 {
			t.Fatalf("%q: %v, %v", s, d, err)
		}
		// What the standard library can write is read as it was written.
		if err == nil && d < 100*365*24*time.Hour {
			if again, err := ParseDuration(d.Truncate(time.Millisecond).String()); err != nil || again != d.Truncate(time.Millisecond) {
				t.Fatalf("%v: %v, %v", d, again, err)
			}
		}
	})
}
