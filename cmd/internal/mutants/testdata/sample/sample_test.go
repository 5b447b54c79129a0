package sample

import (
	"slices"
	"testing"
)

func TestLarger(t *testing.T) {
	if Larger(1, 2) != 2 || Larger(2, 1) != 2 || Larger(3, 3) != 3 {
		t.Error("not the larger")
	}
}

func TestBounded(t *testing.T) {
	if Bounded(3) != 3 || Bounded(30) != 9 {
		t.Error("not bounded")
	}
}

func TestSorted(t *testing.T) {
	if !slices.IsSorted(Sorted([]int{3, 1, 2})) {
		t.Error("not sorted")
	}
}

func TestNothing(t *testing.T) {}
