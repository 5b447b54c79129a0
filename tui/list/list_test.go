package list

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// items are strings of lines; the ID is the first line.
type items struct {
	all      []string
	rendered int
	hidden   map[string]bool // by ID
}

func (s *items) Len() int { return len(s.all) }
func (s *items) Key(i int) Key {
	id, version := strings.SplitN(s.all[i], "\n", 2)[0], uint64(len(s.all[i]))
	if s.hidden[id] {
		version = 0
	}
	return Key{ID: id, Version: version}
}
func (s *items) Index(id string) int {
	return slices.IndexFunc(s.all, func(a string) bool { return strings.SplitN(a, "\n", 2)[0] == id })
}
func (s *items) Lines(i, _ int) []string {
	s.rendered++
	if s.hidden[s.Key(i).ID] {
		return nil
	}
	return strings.Split(s.all[i], "\n")
}

func numbered(from, to int) []string {
	var out []string
	for i := from; i < to; i++ {
		out = append(out, fmt.Sprintf("%d\n%d.", i, i))
	}
	return out
}

func view(l *List, s *items) string { return strings.Join(l.View(s), " ") }

func expect(t *testing.T, l *List, s *items, want string) {
	t.Helper()
	if got := view(l, s); got != want {
		t.Errorf("view is %q, want %q", got, want)
	}
}

func TestShortListStandsAtTheBottom(t *testing.T) {
	var l List
	l.SetSize(10, 4)
	s := &items{all: []string{"a", "b"}}
	expect(t, &l, s, "  a b")
	l.Scroll(s, -3)
	expect(t, &l, s, "  a b")
	if l.At(1) != -1 || l.At(2) != 0 || l.At(3) != 1 {
		t.Errorf("rows are %d %d %d", l.At(1), l.At(2), l.At(3))
	}
}

func TestFollowsTheEnd(t *testing.T) {
	var l List
	l.SetSize(10, 3)
	s := &items{all: numbered(0, 5)}
	expect(t, &l, s, "3. 4 4.")
	s.all = numbered(0, 6)
	expect(t, &l, s, "4. 5 5.")
}

func TestScrollKeepsItsPlace(t *testing.T) {
	var l List
	l.SetSize(10, 3)
	s := &items{all: numbered(10, 20)}
	view(&l, s)
	l.Scroll(s, -5)
	expect(t, &l, s, "16 16. 17")
	s.all = numbered(10, 25) // newer
	expect(t, &l, s, "16 16. 17")
	s.all = numbered(0, 25) // older
	expect(t, &l, s, "16 16. 17")
	l.SetSize(20, 4)
	expect(t, &l, s, "16 16. 17 17.")
	l.Scroll(s, -1000)
	expect(t, &l, s, "0 0. 1 1.")
	l.Scroll(s, 1000)
	expect(t, &l, s, "23 23. 24 24.")
	if !l.AtEnd() {
		t.Error("does not follow at the end")
	}
}

func TestReveal(t *testing.T) {
	var l List
	l.SetSize(10, 4)
	s := &items{all: numbered(0, 20)}
	view(&l, s)
	l.Reveal(s, "5")
	expect(t, &l, s, "5 5. 6 6.")
	l.Reveal(s, "7")
	expect(t, &l, s, "6 6. 7 7.")
	l.Reveal(s, "6")
	expect(t, &l, s, "6 6. 7 7.")
	l.Reveal(s, "19")
	expect(t, &l, s, "18 18. 19 19.")
}

func TestItemRemovedAtTheTop(t *testing.T) {
	var l List
	l.SetSize(10, 2)
	s := &items{all: numbered(0, 20)}
	view(&l, s)
	l.ShowTop(s, "5")
	expect(t, &l, s, "5 5.")
	s.all = slices.Delete(s.all, 5, 6)
	expect(t, &l, s, "19 19.") // nowhere better to go
}

func TestRendersOnlyWhatIsSeenOnce(t *testing.T) {
	var l List
	l.SetSize(10, 10)
	s := &items{all: numbered(0, 1000)}
	view(&l, s)
	if s.rendered > 6 {
		t.Errorf("rendered %d items for 10 lines", s.rendered)
	}
	s.rendered = 0
	view(&l, s)
	if s.rendered != 0 {
		t.Errorf("rendered %d items again", s.rendered)
	}
}

func TestPicker(t *testing.T) {
	var p Picker
	p.Move(5, 10)
	if from, to := p.Window(10, 3); from != 3 || to != 6 {
		t.Errorf("window is %d..%d", from, to)
	}
	p.Move(-1, 10)
	if from, to := p.Window(10, 3); from != 3 || to != 6 {
		t.Errorf("window moved to %d..%d", from, to)
	}
	p.Move(100, 10)
	if p.Selected != 9 {
		t.Errorf("selected %d", p.Selected)
	}
	if from, to := p.Window(0, 3); from != 0 || to != 0 || p.Selected != 0 {
		t.Errorf("empty: %d..%d, selected %d", from, to, p.Selected)
	}
}

// Items without lines are passed over, in both directions and at both ends.
func TestItemsWithoutLines(t *testing.T) {
	var l List
	l.SetSize(10, 3)
	s := &items{all: numbered(0, 20), hidden: map[string]bool{"0": true, "9": true, "10": true, "11": true, "19": true}}
	expect(t, &l, s, "17. 18 18.")
	l.Scroll(s, -14)
	expect(t, &l, s, "7. 8 8.")
	l.Scroll(s, 3)
	expect(t, &l, s, "12 12. 13")
	l.ShowTop(s, "10")
	expect(t, &l, s, "12 12. 13")
	l.Scroll(s, -1000)
	expect(t, &l, s, "1 1. 2")
	s.hidden["1"] = true
	expect(t, &l, s, "2 2. 3")
	l.Scroll(s, 1000)
	expect(t, &l, s, "17. 18 18.")
	l.Reveal(s, "11")
	l.Reveal(s, "9")
	for i := range 20 {
		s.hidden[fmt.Sprint(i)] = true
	}
	expect(t, &l, s, "  ")
}
