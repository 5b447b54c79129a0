package search

import (
	"fmt"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"starling/node/api"
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
	return p
}

func typed(p *Panel, s string) (last any) {
	for _, r := range s {
		last = p.Key(tea.KeyPressMsg{Code: r, Text: string(r)})
	}
	return last
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
	first := typed(p, "rel").(Ask)
	second := typed(p, "a").(Ask)
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
	q := typed(p, "x").(Ask)
	p.Show(q.N, hits(PageSize, "x"), "")
	screen(p)
	var more any
	for range PageSize {
		if more = p.Key(tea.KeyPressMsg{Code: tea.KeyDown}); more != nil {
			break
		}
	}
	ask, ok := more.(Ask)
	if !ok || ask.Before != 1 {
		t.Fatalf("asked %+v", more)
	}
	p.Show(ask.N, hits(3, "x"), "")
	if s := screen(p); !strings.Contains(s, fmt.Sprint(PageSize+3, " messages")) {
		t.Errorf("shows\n%s", s)
	}
	jump, ok := p.Key(tea.KeyPressMsg{Code: tea.KeyEnter}).(Jump)
	if !ok || jump.Words[0] != "x" {
		t.Errorf("goes to %+v", jump)
	}
}

func TestSnippetShowsTheWord(t *testing.T) {
	p := panel()
	q := typed(p, "needle").(Ask)
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
	q := typed(p, "日本").(Ask)
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
	if _, ok := p.Key(tea.KeyPressMsg{Code: tea.KeyEscape}).(dialog.Close); !ok {
		t.Error("esc does not close")
	}
}
