package search

import (
	"fmt"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"starling/node/api"
	"starling/node/api/query"
	"starling/node/api/safetext"
	"starling/tui/dialog"
	"starling/tui/term"
	"starling/tui/theme"
)

var th = theme.New(true, term.Cells{})

func panel() *Panel {
	p := New("Search", "type", "")
	p.Name = func(m api.Message) string { return m.From.String() }
	p.When = func(api.Message) string { return "12:00" }
	p.Read = func(s string) (api.SearchRequest, error) { return query.Parse(s, time.Now()) }
	p.Wrong = func(err error) string { return err.Error() }
	return p
}

// asked returns the question that an action asks, nil if it asks none.
func asked(p *Panel, action dialog.Action) (q *Ask) {
	p.Find = func(a Ask) tea.Cmd { q = &a; return nil }
	if action.Do != nil {
		action.Do()
	}
	return q
}

func typed(t *testing.T, p *Panel, s string) Ask {
	t.Helper()
	var last *Ask
	for _, r := range s {
		last = asked(p, p.Key(tea.KeyPressMsg{Code: r, Text: string(r)}))
	}
	if last == nil {
		t.Fatalf("%q asks for nothing", s)
	}
	return *last
}

func hits(n int, text string) []api.Message {
	out := make([]api.Message, n)
	for i := range out {
		out[i] = api.Message{ID: fmt.Sprint(i), Sequence: int64(n - i), From: safetext.Line("alice"), Text: safetext.Clean(text)}
	}
	return out
}

func screen(p *Panel) string { return ansi.Strip(strings.Join(p.Render(th, 80, 24).Lines, "\n")) }

func TestOldAnswersAreNotShown(t *testing.T) {
	p := panel()
	first := typed(t, p, "rel")
	second := typed(t, p, "a")
	if second.Words != "rela" || second.N == first.N {
		t.Fatalf("asked %+v after %+v", second, first)
	}
	p.Show(second.N, hits(1, "the relay"), "")
	p.Show(first.N, hits(2, "relics"), "")
	if s := screen(p); !strings.Contains(s, "the relay") || strings.Contains(s, "relics") {
		t.Errorf("shows\n%s", s)
	}
	if p.Key(tea.KeyPressMsg{Code: tea.KeyBackspace}); strings.Contains(screen(p), "the relay") {
		t.Error("hits of other words stay")
	}
}

func TestMoreHitsAreAskedForAtTheEnd(t *testing.T) {
	p := panel()
	q := typed(t, p, "x")
	p.Show(q.N, hits(PageSize, "x"), "")
	screen(p)
	var ask *Ask
	for range PageSize {
		if ask = asked(p, p.Key(tea.KeyPressMsg{Code: tea.KeyDown})); ask != nil {
			break
		}
	}
	if ask == nil || ask.Before != 1 {
		t.Fatalf("asked %+v", ask)
	}
	p.Show(ask.N, hits(3, "x"), "")
	if s := screen(p); !strings.Contains(s, fmt.Sprint(PageSize+3, " messages")) {
		t.Errorf("shows\n%s", s)
	}
	var words []string
	p.Go = func(_ api.Message, w []string) tea.Cmd { words = w; return nil }
	if jump := p.Key(tea.KeyPressMsg{Code: tea.KeyEnter}); !jump.Close || jump.Do == nil || jump.Do() != nil || words[0] != "x" {
		t.Errorf("goes to %q", words)
	}
}

func TestSnippetShowsTheWord(t *testing.T) {
	p := panel()
	q := typed(t, p, "needle")
	p.Show(q.N, hits(1, strings.Repeat("hay ", 200)+"Needle "+strings.Repeat("hay ", 200)), "")
	if s := screen(p); !strings.Contains(s, "…") || !strings.Contains(s, "Needle") {
		t.Errorf("shows\n%s", s)
	}
	if !strings.Contains(strings.Join(p.Render(th, 80, 24).Lines, ""), th.Found.Render("Needle")) {
		t.Error("the word is not marked")
	}
	p.Mask = th.Cells.Mask
	if s := screen(p); strings.Contains(s, "hay") {
		t.Errorf("shows\n%s", s)
	}
}

func TestPanelFits(t *testing.T) {
	p := panel()
	q := typed(t, p, "日本")
	p.Show(q.N, hits(30, strings.Repeat("日本語 ", 100)), "")
	for _, size := range [][2]int{{40, 10}, {80, 24}, {200, 60}} {
		box := p.Render(th, size[0], size[1])
		if len(box.Lines) > size[1] {
			t.Errorf("%v: %d lines", size, len(box.Lines))
		}
		for _, l := range box.Lines {
			if n := th.Cells.Width(l); n != box.Width {
				t.Errorf("%v: %d cells, not %d", size, n, box.Width)
			}
		}
	}
	if a := p.Key(tea.KeyPressMsg{Code: tea.KeyEscape}); !a.Close || a.Do != nil {
		t.Error("esc does not close")
	}
}

func TestFiltersAreNoWords(t *testing.T) {
	p := panel()
	q := typed(t, p, "from:me relay kind:link")
	if q.From != "me" || q.Kind != api.KindLink || q.Words != "relay" {
		t.Errorf("asks for %+v", q)
	}
	p.Show(q.N, hits(1, "a relay from me"), "")
	if got := screen(p); !strings.Contains(got, "a relay from me") || !strings.Contains(got, "1 message") {
		t.Error(got)
	}
	asked(p, p.Paste(" on:yesteryear"))
	if got := screen(p); !strings.Contains(got, "the date of on: cannot be read") {
		t.Error(got)
	}
}

// A file is found by its name, and shown by it.
func TestHitOfAFile(t *testing.T) {
	p := panel()
	q := typed(t, p, "plan")
	p.Show(q.N, []api.Message{{From: safetext.Line("bob"), File: &api.File{Name: safetext.Line("../the plan.pdf")}}}, "")
	if got := ansi.Strip(strings.Join(p.Render(th, 80, 24).Lines, "\n")); !strings.Contains(got, "▤ the plan.pdf") {
		t.Errorf("shown:\n%s", got)
	}
}

// The signs of markdown are not shown, unless what is sought stands in what is not drawn.
func TestHitsWithoutMarks(t *testing.T) {
	for _, tt := range []struct{ text, words, shown, hidden string }{
		{"a **very** loud `word` here", "loud", "a very loud word here", "*"},
		{"# Plan\n- buy *milk*\n- ~~pay~~", "milk", "Plan • buy milk • pay", "~"},
		{"> quoted **bold**\nanswer", "bold", "quoted bold answer", "*"},
		{"look:\n```go\na * b * c\n```\nend", "end", "look: a * b * c end", "`"},
		{"[the page](https://example.org/zanzibar)", "zanzibar", "https://example.org/zanzibar", ""},
		{"2 * 3 * 4 is 24", "24", "2 * 3 * 4 is 24", ""},
		{"snake_case_name stays", "stays", "snake_case_name stays", ""},
		{"**", "nothing", "**", ""},
	} {
		p := panel()
		q := typed(t, p, tt.words)
		p.Show(q.N, hits(1, tt.text), "")
		shown := screen(p)
		if !strings.Contains(shown, tt.shown) || tt.hidden != "" && strings.Contains(shown, tt.hidden) {
			t.Errorf("%q is shown as\n%s", tt.text, shown)
		}
	}
}
