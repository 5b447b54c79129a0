package session

import (
	"fmt"
	"testing"
)

func TestReorderAndRepair(t *testing.T) {
	alice, bob := pair(t)
	var cells []Cell
	for i := range Ahead {
		cells = append(cells, seal(t, alice, fmt.Sprint(i)))
	}
	open(t, bob, cells[Ahead-1], fmt.Sprint(Ahead-1))
	if n := len(bob.Window()); n != flaresAhead+2*Ahead-1 {
		t.Fatalf("window of %d tags", n)
	}
	// Many DH steps pass before the missing cells are repeated.
	for range 20 {
		open(t, alice, seal(t, bob, "x"), "x")
		open(t, bob, seal(t, alice, "y"), "y")
	}
	bob = restore(t, state(t, bob))
	for _, i := range []int{3, 0, 30, 1, 15, 16, 14} {
		open(t, bob, cells[i], fmt.Sprint(i))
		refuse(t, bob, cells[i])
	}
	bob = restore(t, state(t, bob))
	for i := range Ahead - 1 {
		if _, err := bob.Open(cells[i]); (err == nil) != (i != 3 && i != 0 && i != 30 && i != 1 && i != 15 && i != 16 && i != 14) {
			t.Fatalf("cell %d: %v", i, err)
		}
	}
	if n := len(bob.Window()); n != flaresAhead+Ahead {
		t.Fatalf("window of %d tags", n)
	}
}
