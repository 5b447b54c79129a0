package chatview

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"

	"starling/node/api"
	"starling/node/api/safetext"
	"starling/tui/term"
	"starling/tui/theme"
)

func TestMain(m *testing.M) {
	time.Local = time.UTC
	os.Exit(m.Run())
}

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func newView(width, height int) *View {
	v := New(theme.New(true, term.Cells{}), func() time.Time { return noon }, nil, Hints{"R", "x", "z", "s", "S", "O", "u"})
	v.SetPeer("alice")
	v.Resize(width, height)
	return v
}

func in(id, text string, at time.Time) api.Message {
	return api.Message{ID: id, Text: safetext.Clean(text), Time: at, State: api.StateReceived}
}

func out(id, text string, at time.Time, s api.State) api.Message {
	return api.Message{ID: id, Text: safetext.Clean(text), Time: at, Outgoing: true, State: s}
}

func screen(v *View) string {
	var lines []string
	for _, l := range v.Render() {
		if l = strings.TrimSpace(ansi.Strip(l)); l != "" {
			lines = append(lines, l)
		}
	}
	return strings.Join(lines, "\n")
}

func expect(t *testing.T, v *View, want ...string) {
	t.Helper()
	if got := screen(v); got != strings.Join(want, "\n") {
		t.Errorf("screen is\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
}

func TestGroups(t *testing.T) {
	v := newView(60, 30)
	v.AddOlder([]api.Message{
		in("1", "one", noon),
		in("2", "two", noon.Add(time.Minute)),
		in("3", "much later", noon.Add(time.Hour)),
		out("4", "mine", noon.Add(time.Hour), api.StateSent),
		in("5", "tomorrow", noon.Add(24*time.Hour)),
		in("6", "in the past", noon.Add(-400*24*time.Hour)),
	}, false)
	expect(t, v,
		"────────────────── Sunday 22 November ──────────────────",
		"alice  12:00", "one", "two",
		"alice  13:00", "much later",
		"you  13:00", "mine                                               ● sent",
		"────────────────── Monday 23 November ──────────────────",
		"alice  12:00", "tomorrow",
		"─────────────── Saturday 18 October 2025 ───────────────",
		"alice  12:00", "in the past",
	)
}

func TestEveryStateHasAWord(t *testing.T) {
	for _, width := range []int{36, 60} {
		for _, s := range []api.State{api.StateQueued, api.StateSealed, api.StateSent, api.StateDelivered, api.StateFailed} {
			v := newView(width, 10)
			v.Add(out("1", "text", noon, s))
			if got := screen(v); !strings.Contains(got, " "+string(s)) {
				t.Errorf("%d cells: %s is not on\n%s", width, s, got)
			}
		}
	}
}

func TestStatesDoNotMoveLines(t *testing.T) {
	v := newView(60, 20)
	for i := range 5 {
		v.Add(out(fmt.Sprint(i), "text "+fmt.Sprint(i), noon, api.StateQueued))
	}
	rows := func() (at string) {
		for y, l := range v.Render() {
			if i := strings.Index(l, "text "); i >= 0 {
				at += fmt.Sprint(y, l[i:i+6], " ")
			}
		}
		return at
	}
	before := rows()
	for _, s := range []api.State{api.StateSealed, api.StateSent, api.StateDelivered} {
		v.SetState("2", s, "")
		if got := rows(); got != before {
			t.Errorf("%s moves lines: %s, was %s", s, got, before)
		}
	}
}

func TestUnreadLine(t *testing.T) {
	v := newView(60, 20)
	v.AddOlder([]api.Message{in("1", "old", noon), in("2", "new one", noon), out("3", "mine", noon, api.StateSent), in("4", "new two", noon)}, true)
	if !v.MarkUnread(2) {
		t.Fatal("the place is not found")
	}
	got := screen(v)
	if !strings.Contains(got, "old\n──────────────────────── 2 new ─────────────────────────\nalice  12:00\nnew one") {
		t.Errorf("screen is\n%s", got)
	}
	v.ClearUnread()
	if strings.Contains(screen(v), "2 new") {
		t.Error("the line stays")
	}
	// More unread than there is: above all.
	if !v.MarkUnread(9) || !strings.Contains(screen(v), "9 new") {
		t.Errorf("screen is\n%s", screen(v))
	}
	w := newView(60, 20)
	w.AddOlder([]api.Message{in("1", "x", noon)}, false)
	if w.MarkUnread(9) {
		t.Error("the place is found though older messages are not loaded")
	}
}

func TestPagesInFrontAndDuplicates(t *testing.T) {
	v := newView(60, 30)
	v.AddOlder([]api.Message{in("3", "three", noon), in("4", "four", noon)}, false)
	v.Add(in("5", "five", noon))
	v.AddOlder([]api.Message{in("1", "one", noon), in("2", "two", noon), in("3", "three", noon)}, true)
	v.Add(in("4", "four again", noon))
	v.Remove("2")
	for i, id := range []string{"1", "3", "4", "5"} {
		if v.at(id) != i || v.items[i].ID != id {
			t.Errorf("%s is at %d", id, v.at(id))
		}
	}
	if v.Has("2") || v.Len() != 4 {
		t.Errorf("%d messages", v.Len())
	}
	if got := screen(v); !strings.Contains(got, "one\nthree\nfour again\nfive") {
		t.Errorf("screen is\n%s", got)
	}
}

func TestSelectionMovesAndSurvivesRemoval(t *testing.T) {
	v := newView(60, 10)
	for i := range 20 {
		v.Add(in(fmt.Sprint(i), fmt.Sprint("m", i), noon))
	}
	v.SelectLast()
	v.Move(-5)
	if m, _ := v.Selected(); m.ID != "14" {
		t.Errorf("selected %q", m.ID)
	}
	v.Remove("14")
	if m, _ := v.Selected(); m.ID != "13" {
		t.Errorf("after removal %q", m.ID)
	}
	v.Move(-100)
	if m, _ := v.Selected(); m.ID != "0" || !strings.Contains(screen(v), "m0") {
		t.Errorf("selected %q on\n%s", m.ID, screen(v))
	}
	v.Move(100)
	if !v.AtEnd() {
		t.Error("not at the end")
	}
}

func TestCodeKeepsItsSpaces(t *testing.T) {
	v := newView(60, 20)
	v.Add(in("1", "see\n```go\nif x {\n    y()\n}\n```\ndone", noon))
	if got := screen(v); !strings.Contains(got, "see\n│ if x {\n│     y()\n│ }\ndone") {
		t.Errorf("screen is\n%s", got)
	}
	v.Add(in("2", "```\n```", noon)) // nothing in it must still be a message
	v.Render()
}

func TestEveryLineHasTheWidth(t *testing.T) {
	for _, width := range []int{1, 2, 3, 7, 20, 43, 44, 60, 200} {
		v := newView(width, 40)
		v.AddOlder([]api.Message{
			in("1", "日本語テキスト 👨‍👩‍👧 long long long words", noon),
			out("2", strings.Repeat("x", 300), noon, api.StateFailed),
			in("3", "```\n"+strings.Repeat("日", 100)+"\n```", noon),
		}, true)
		v.SetState("2", api.StateFailed, "a reason that is long enough to be wrapped somewhere")
		v.MarkUnread(1)
		v.Select("2")
		for _, l := range v.Render() {
			if n := (term.Cells{}).Width(l); n != width && width > 12 {
				t.Errorf("at %d: %q has %d cells", width, ansi.Strip(l), n)
			}
		}
	}
}

// More messages than anybody reads, loaded page by page.
func BenchmarkLoad100000(b *testing.B) {
	pages := make([][]api.Message, 1000)
	for p := range pages {
		for i := range 100 {
			pages[p] = append(pages[p], in(fmt.Sprint(p, "-", i), "some text", noon))
		}
	}
	for b.Loop() {
		v := newView(100, 50)
		for _, page := range pages {
			v.AddOlder(page, false)
		}
		v.Top()
		v.Render()
	}
}
