package outfox

import (
	"testing"
	"time"
)

func TestEpoch(t *testing.T) {
	noon := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
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
	for _, e := range []Epoch{20779, 20736, 20735} { // 20736 is 0 modulo 256
		for d := range Epoch(256) {
			x := e + d - 128
			got, ok := e.Resolve(x.Byte())
			if want := x >= e-1 && x <= e+1; ok != want || ok && got != x {
				t.Errorf("epoch %d resolves the byte of %d to %d, %v", e, x, got, ok)
			}
		}
	}
}
