package limits

import "testing"

func TestMakeRoom(t *testing.T) {
	odd := func(n int) bool { return n%2 == 1 }
	for name, c := range map[string]struct {
		most, mostNear int
		near           func(int) bool
		left, leftOdd  int
	}{
		"there is room":           {6, 4, odd, 5, 3},
		"all are too many":        {5, 4, odd, 4, -1},
		"neighbours are too many": {9, 3, odd, 4, 2},
		"both are: a neighbour":   {5, 3, odd, 4, 2},
		"neighbours do not count": {9, 0, nil, 5, 3},
		"and all still are bound": {5, 0, nil, 4, -1},
	} {
		m := map[int]int{1: 1, 2: 2, 3: 3, 4: 4, 5: 5}
		MakeRoom(m, c.most, c.near, c.mostNear)
		n := 0
		for _, v := range m {
			if odd(v) {
				n++
			}
		}
		if len(m) != c.left || c.leftOdd >= 0 && n != c.leftOdd {
			t.Errorf("%s: %v is left", name, m)
		}
	}
}

// TestMakeRoomIsRandom: nobody can tell who goes.
func TestMakeRoomIsRandom(t *testing.T) {
	gone := map[int]bool{}
	for range 1000 {
		m := map[int]bool{1: true, 2: true, 3: true, 4: true}
		MakeRoom(m, 4, func(bool) bool { return true }, 4)
		for k := range 5 {
			if k > 0 && !m[k] {
				gone[k] = true
			}
		}
	}
	if len(gone) != 4 {
		t.Errorf("only %v ever went", gone)
	}
}
