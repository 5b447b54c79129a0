package main

import (
	"bytes"
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

// TestSame: a simulation is what its seed says, so that the report changes with the program alone.
func TestSame(t *testing.T) {
	quiet := life{outages: 1, leave: .002}
	if a, b := quiet.live(1), quiet.live(1); a != b {
		t.Errorf("two years of one seed: %v, %v", a, b)
	}
	var a, b report
	for _, r := range []*report{&a, &b} {
		if err := r.captures(50); err != nil {
			t.Fatal(err)
		}
		if err := r.timing(); err != nil {
			t.Fatal(err)
		}
	}
	if a.text.String() != b.text.String() {
		t.Errorf("two reports:\n%s\n%s", a.text.String(), b.text.String())
	}
	for name, data := range a.files {
		if !bytes.Equal(data, b.files[name]) {
			t.Errorf("%s differs", name)
		}
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
