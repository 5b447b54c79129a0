package report

import (
	"strings"
	"testing"
)

// hall is a room of four in which 0 has said something that all have seen, and 1 has answered.
func hall() *Rooms {
	l := NewRooms(1)
	for u := range 4 {
		l.In(0, u)
	}
	l.Said(0, 0, 0)
	l.Shown(0, 1, 0, 0, 5*ms)
	l.Said(0, 1, 10*ms)
	return l
}

func TestRooms(t *testing.T) {
	fine := func(l *Rooms) {
		for _, u := range []int{2, 3} {
			l.Shown(0, u, 0, 0, 20*ms)
			l.Shown(0, u, 1, 1, 30*ms)
		}
		l.Shown(0, 0, 1, 1, 30*ms)
	}
	for name, tt := range map[string]struct {
		do    func(l *Rooms)
		want  RoomCounts
		words string
	}{
		"fine":            {fine, RoomCounts{Said: 2, Due: 6, Shown: 6, In: 4}, "All 2 messages in rooms were shown once and in causal order at the others, 6 times"},
		"lost":            {func(l *Rooms) { l.Shown(0, 0, 1, 1, 30*ms) }, RoomCounts{Said: 2, Due: 6, Shown: 2, In: 4}, "4 not shown"},
		"twice":           {func(l *Rooms) { fine(l); l.Shown(0, 2, 0, 0, 40*ms) }, RoomCounts{Said: 2, Due: 6, Shown: 6, Duplicates: 1, In: 4}, "1 shown twice"},
		"an answer first": {func(l *Rooms) { l.Shown(0, 2, 1, 1, 1*ms); fine(l) }, RoomCounts{Said: 2, Due: 6, Shown: 6, Duplicates: 1, OutOfOrder: 1, In: 4}, "1 before their cause"},
		"nobody said it":  {func(l *Rooms) { fine(l); l.Shown(0, 2, 3, 0, 40*ms); l.Shown(0, 2, 0, 7, 40*ms) }, RoomCounts{Said: 2, Due: 6, Shown: 6, Strange: 2, In: 4}, "2 that nobody said"},
		"removed, and not known to the author": {func(l *Rooms) {
			fine(l)
			l.Out(0, 3)
			l.Shown(0, 3, 0, l.Said(0, 0, 40*ms), 50*ms)
			l.Shown(0, 1, 0, 2, 50*ms)
			l.Shown(0, 2, 0, 2, 50*ms)
		}, RoomCounts{Said: 3, Due: 6, Shown: 6, In: 4, Out: 1}, "nobody of 1 that were removed or left opened"},
		"removed, and known": {func(l *Rooms) {
			fine(l)
			l.Out(0, 3)
			l.Knows(0, 0, 3)
			l.Shown(0, 3, 0, l.Said(0, 0, 40*ms), 50*ms)
			l.Shown(0, 1, 0, 2, 50*ms)
			l.Shown(0, 2, 0, 2, 50*ms)
		}, RoomCounts{Said: 3, Due: 6, Shown: 6, Opened: 1, In: 4, Out: 1}, "1 opened by the removed"},
		"a newcomer": {func(l *Rooms) {
			fine(l)
			l.In(0, 4)
			l.Shown(0, 4, 0, l.Said(0, 0, 40*ms), 50*ms)
			for u := 1; u < 4; u++ {
				l.Shown(0, u, 0, 2, 50*ms)
			}
		}, RoomCounts{Said: 3, Due: 10, Shown: 10, In: 5}, "All 3 messages"},
		"gone from the conversation": {func(l *Rooms) { fine(l); l.Stored(0, 2, []Entry{{1, 1}}) }, RoomCounts{Said: 2, Due: 6, Shown: 5, OutOfOrder: 1, In: 4}, "1 not shown"},
		"in it twice":                {func(l *Rooms) { fine(l); l.Stored(0, 2, []Entry{{0, 0}, {1, 1}, {1, 1}}) }, RoomCounts{Said: 2, Due: 6, Shown: 6, Duplicates: 1, In: 4}, "1 shown twice"},
		"as it should be":            {func(l *Rooms) { fine(l); l.Stored(0, 2, []Entry{{0, 0}, {1, 1}}) }, RoomCounts{Said: 2, Due: 6, Shown: 6, In: 4}, "All 2"},
		"undone":                     {func(l *Rooms) { fine(l); l.Undone() }, RoomCounts{Said: 2, Due: 6, Shown: 6, Undone: 1, In: 4}, "1 joins, removals or roles that failed"},
	} {
		l := hall()
		tt.do(l)
		if got := l.Counts(); got != tt.want {
			t.Errorf("%s: %+v, want %+v", name, got, tt.want)
		}
		sum := Summary{Rooms: l.Summary(tt.want.Said)}
		if good := strings.HasPrefix(sum.Verdict(), "All"); good != sum.Passed() || !strings.Contains(sum.Verdict(), tt.words) {
			t.Errorf("%s: passed %v, %s", name, sum.Passed(), sum.Verdict())
		}
	}
}

// TestRoomsThatWereNotSaid: messages of the plan that nobody could say are missing; one taken back is due to nobody.
func TestRoomsThatWereNotSaid(t *testing.T) {
	l := NewRooms(1)
	l.In(0, 0)
	l.In(0, 1)
	l.Void(0, l.Said(0, 0, 0))
	if c := l.Counts(); c.Said != 0 || c.Due != 0 || l.Pending(1) != 0 {
		t.Errorf("%+v", c)
	}
	l.Said(0, 0, 0)
	if m := l.Missing(); len(m) != 1 || m[0] != (Showing{Room: 0, Author: 0, Index: 1, Reader: 1}) {
		t.Errorf("missing: %+v", m)
	}
	if l.Pending(1) != 1 || l.Pending(0) != 0 {
		t.Error("pending")
	}
	l.Shown(0, 1, 0, 1, 7*ms)
	s := Summary{Rooms: l.Summary(2)}
	if s.Passed() || !strings.Contains(s.Verdict(), "1 not said") || s.Rooms.P50 != 7 {
		t.Errorf("%s, %+v", s.Verdict(), s.Rooms)
	}
	if r := (&Report{Summary: s, Rooms: l, Ledger: NewLedger()}); !strings.Contains(string(r.page(r.charts())), "said in rooms") || len(r.charts()) != 5 {
		t.Error("a page without the rooms")
	}
	if NewRooms(0).Summary(0) != nil {
		t.Error("no rooms, and a summary of them")
	}
}

// TestWhoCannotHear: a message is due to nobody that its author does not know, and to nobody at all if
// its author was removed before it was heard.
func TestWhoCannotHear(t *testing.T) {
	l := NewRooms(1)
	for user := range 4 {
		l.In(0, user)
	}
	l.Met(0, l.Said(0, 0, 0), map[int]bool{0: true, 1: true, 2: true})
	if c := l.Counts(); c.Due != 2 {
		t.Errorf("due %d times, want 2", c.Due)
	}
	l.Shown(0, 1, 0, 0, 5*ms)
	l.Shown(0, 2, 0, 0, 5*ms)
	l.Shown(0, 1, 3, l.Said(0, 3, 10*ms), 20*ms)
	l.Out(0, 3)
	l.Cut(0, 2, 3)
	l.Shown(0, 2, 1, l.Said(0, 1, 30*ms), 40*ms)
	l.Shown(0, 0, 1, 2, 40*ms)
	if c := l.Counts(); c.Due != 5 || c.Shown != 5 || c.OutOfOrder != 0 {
		t.Errorf("%+v", c)
	}
}
