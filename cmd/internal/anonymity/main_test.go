package main

import (
	"os"
	"path/filepath"
	"testing"
)

// TestClosedForms: the simulators agree with closed forms.
func TestClosedForms(t *testing.T) {
	if testing.Short() {
		t.Skip("years")
	}
	if err := check(); err != nil {
		t.Error(err)
	}
}

// TestYear holds the bar: a laptop's year of ten outages a day, where relays stay, shows
// its address to four relays in the median and to six at the 95th percentile.
func TestYear(t *testing.T) {
	runs := 10
	if testing.Short() {
		runs = 4
	}
	years := typical.many(runs)
	if m, most := quantile(years, .5), quantile(years, .95); m > 4 || most > 6 {
		t.Errorf("seen by %d in the median, %d at the 95th percentile", m, most)
	}
	if part := covered(years); part < .999 {
		t.Errorf("a guard is up %.2f %% of the time", 100*part)
	}
}

// TestReport: every drawn figure is written.
func TestReport(t *testing.T) {
	var r report
	if err := r.captures(50); err != nil {
		t.Fatal(err)
	}
	r.intersections()
	dir := t.TempDir()
	for name, data := range r.files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil || len(data) < 500 {
			t.Errorf("%s: %d bytes, %v", name, len(data), err)
		}
	}
	if len(r.files) != 2 || r.text.Len() < 1000 {
		t.Errorf("%d figures, %d bytes of text", len(r.files), r.text.Len())
	}
}
