package chatview

import (
	"strings"
	"testing"
	"time"

	"starling/node/api"
)

// TestAheadHasNoPlace: messages that came ahead stand behind all others and are none of them: nothing selects them, a click there
// selects nothing, and one that has come to its place is there alone.
func TestAheadHasNoPlace(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.Local)
	v := newView(60, 30)
	v.AddOlder(nil, true)
	SetAhead(v, []api.Message{in("b", "second", now), in("c", "third", now)}, 7)
	line, day := "─────── about 7 older messages are being fetched ───────", "────────────────── Sunday 22 November ──────────────────"
	expect(t, v, line, day, "alice  12:00", "second", "third")
	if v.Empty() || v.Len() != 0 || v.Newest() != 0 {
		t.Errorf("%d messages, the newest %d", v.Len(), v.Newest())
	}
	v.SelectLast()
	v.SelectEdge(true)
	v.Move(1)
	if m, ok := v.Selected(); ok {
		t.Errorf("selected %+v", m)
	}

	v.Add(in("a", "first", now))
	v.Add(in("b", "second", now))
	expect(t, v, "This is where the conversation begins.", day, "alice  12:00", "first", "second", line, day, "alice  12:00", "third")
	if n := strings.Count(screen(v), "second"); n != 1 {
		t.Errorf("%d times:\n%s", n, screen(v))
	}
	v.SelectLast()
	if m, _ := v.Selected(); m.ID != "b" {
		t.Errorf("selected %q", m.ID)
	}
	for row, line := range v.Render() {
		if strings.Contains(line, "third") && v.Click(row) {
			t.Error("a click selects what came ahead")
		}
	}
	SetAhead(v, nil, 0)
	if s := screen(v); strings.Contains(s, "third") || Waits(v) {
		t.Errorf("it stays:\n%s", s)
	}
}

// TestGivenSaysSo: what was said before one came is shown as the word of somebody else, until its author is heard.
func TestGivenSaysSo(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.Local)
	v := newView(60, 30)
	m := in("a", "from before", now)
	m.Given = true
	v.AddOlder([]api.Message{m}, true)
	if s := screen(v); !strings.Contains(s, "as told by who let you in") {
		t.Errorf("not a word of it:\n%s", s)
	}
	m.Given = false
	v.Add(m)
	if s := screen(v); strings.Contains(s, "as told by") || !strings.Contains(s, "from before") {
		t.Errorf("its author was heard:\n%s", s)
	}
}
