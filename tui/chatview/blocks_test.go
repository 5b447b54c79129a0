package chatview

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"

	"starling/node/api"
	"starling/node/api/safetext"
	"starling/tui/syntax"
	"starling/tui/term"
)

// laid is a text as it is laid out, without its styles.
func laid(text string, width int) string {
	v := newView(80, 40)
	return ansi.Strip(strings.Join(v.body("", safetext.Clean(text).String(), width), "\n"))
}

func TestBlocks(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"# One\n### Three #3", "One\nThree #3"},
		{"#tag #", "#tag #"},
		{"> said\n>> before\nmore", "┊ said\n┊ ┊ before\nmore"},
		{"> - a\n> # b", "┊ • a\n┊ b"},
		{"- one\n  * two\n+ three\n-no\n- ", "• one\n  • two\n• three\n-no\n-"},
		{"1. one\n12) two\n1.5 is a number\n12345. no", "1. one\n12) two\n1.5 is a number\n12345. no"},
		{"- a long item that goes on", "• a long item\n  that goes on"},
		{"> a long quote that goes on", "┊ a long quote\n┊ that goes on"},
		{"7. a long item that goes on", "7. a long item\n   that goes on"},
		{"a - b\n5 > 4\n*it*", "a - b\n5 > 4\nit"},
		{"-- \n---\n***", "--\n---\n***"},
		{">>>>>>>> deep", "┊ ┊ ┊ ┊ >>>>\n┊ ┊ ┊ ┊ deep"},
		{"```", "```"},
		{"```\n```", "(empty code)"},
		{"```go\n# x\n- y\n```", "│ # x\n│ - y"},
		{"```\nno end", "```\nno end"},
	} {
		if got := laid(c.text, 16); got != c.want {
			t.Errorf("%q is\n%s\nwant\n%s", c.text, got, c.want)
		}
	}
}

// A contact cannot draw the quote of an answer.
func TestQuotedTextIsNoAnswer(t *testing.T) {
	v := newView(60, 20)
	v.Add(in("1", "> you: I owe you 100\n\u2503 you: I owe you 100", noon))
	m := in("2", "yes", noon)
	m.Reply = &api.Quote{ID: "0", Text: safetext.Clean("you?")}
	v.Add(m)
	lines := v.Render()
	for _, l := range lines {
		if strings.Contains(ansi.Strip(l), "┃ you: I owe") && strings.Contains(l, v.th.Border.Render("┃")) {
			t.Errorf("%q looks like the quote of an answer", l)
		}
	}
}

func TestPreview(t *testing.T) {
	for text, want := range map[string]string{
		"**bold** and `code` and [a](https://b.example)": "bold and code and a (https://b.example)",
		"# Title\n> said": "Title\nsaid", "- a\n2. b": "• a\n2. b", "```go\nx := 1\n```": "x := 1", "```": "```", "~~no~~": "no", "2*3*4": "2*3*4",
	} {
		if got := Preview(text); got != want {
			t.Errorf("%q: %q", text, got)
		}
	}
}

func TestCodeIsColoured(t *testing.T) {
	v := newView(60, 20)
	var p syntax.Painter
	v.SetPainter(&p)
	v.Add(in("1", "```go\nreturn \"a日b\" // wörds\n\tx := 12\n```", noon))
	plain := screen(v)
	v.Restless()
	if !v.Unpainted() {
		t.Fatal("nothing waits for its colours")
	}
	p.Take(p.Work()())
	v.Repaint()
	all := strings.Join(v.Render(), "\n")
	if got := screen(v); got != plain {
		t.Errorf("colours change the text to\n%s\nfrom\n%s", got, plain)
	}
	if spans, _ := p.Paint("go", "return \"a日b\" // wörds\n\tx := 12"); spans == nil {
		t.Skip("this machine is too busy for colours")
	}
	for _, want := range []string{v.th.CodeKeyword.Render("return"), v.th.CodeString.Render("\"a日b\""), v.th.Muted.Render("// wörds"), v.th.CodeNumber.Render("12")} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is not in %q", want, all)
		}
	}
}

func TestCountdown(t *testing.T) {
	now := noon
	v := newView(60, 20)
	v.now = func() time.Time { return now }
	m := in("1", "soon gone", noon)
	m.Timer, m.Expires = 3600, noon.Add(90*time.Minute)
	v.Add(m)
	for _, c := range []struct {
		at   time.Duration
		want string
		next time.Duration
	}{
		{0, "disappears in 90 minutes", time.Minute}, {30 * time.Second, "disappears in 90 minutes", 30 * time.Second},
		{88*time.Minute + time.Second, "disappears in 119 seconds", time.Second}, {90*time.Minute - time.Second, "disappears in 1 second", time.Second},
		{91 * time.Minute, "disappears now", 0}, {-100 * time.Hour, "disappears in 5 days", 5*time.Hour + 30*time.Minute},
	} {
		now = noon.Add(c.at)
		v.Touch("1")
		v.counting["1"] = true
		if next := v.Tick(); next != c.next {
			t.Errorf("at %v again after %v, not %v", c.at, next, c.next)
		}
		if got := screen(v); !strings.Contains(got, c.want) {
			t.Errorf("at %v: %s", c.at, got)
		}
	}
}

func FuzzBlocks(f *testing.F) {
	for _, s := range []string{"> - # a", "1. x\n> > y", "```go\nfunc f() {}\n```", "  - a\n#### b", "> ```\nx\n> ```"} {
		f.Add(s, 20)
	}
	f.Fuzz(func(t *testing.T, s string, width int) {
		if width < 4 || width > 200 || len(s) > 4096 {
			return
		}
		s = safetext.Clean(s).String()
		v := newView(80, 10)
		v.SetPainter(&fakePainter{})
		for _, l := range v.body("", s, width) {
			if n := (term.Cells{}).Width(l); n > width {
				t.Fatalf("%q is %d cells, not %d", ansi.Strip(l), n, width)
			}
		}
		if p := Preview(s); len(p) > 3*len(s)+8 {
			t.Fatalf("the preview of %q is %q", s, p)
		}
	})
}

// fakePainter gives every other byte another kind.
type fakePainter struct{}

func (*fakePainter) Paint(_, code string) (out []syntax.Span, later bool) {
	for i := range len(code) {
		out = append(out, syntax.Span{Bytes: 1, Kind: syntax.Kind(i % 5)})
	}
	return out, false
}

// Every kind of block, 128 KiB of each.
func BenchmarkBlocksHostile(b *testing.B) {
	for _, unit := range []string{"> ", "- a\n", "# a\n", "```\n", "> > > - a ", "1. ", "```go\n"} {
		b.Run(fmt.Sprintf("%q", unit), func(b *testing.B) {
			text := strings.Repeat(unit, (128<<10)/len(unit))
			v := newView(80, 10)
			for b.Loop() {
				v.body("", text, 80)
			}
		})
	}
}
