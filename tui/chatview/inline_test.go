package chatview

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"

	"starling/node/api/safetext"
	"starling/tui/term"
)

// marked writes the styles of a text out, for tests.
func marked(r rich) string {
	var b strings.Builder
	cur := style(0)
	for i := range len(r.text) {
		if r.styles != nil && r.styles[i] != cur {
			if cur != 0 {
				b.WriteString(">")
			}
			if cur = r.styles[i]; cur != 0 {
				b.WriteString("<")
				for k, name := range []string{"b", "i", "c", "l"} {
					if cur&(1<<k) != 0 {
						b.WriteString(name)
					}
				}
				b.WriteString(":")
			}
		}
		b.WriteByte(r.text[i])
	}
	if cur != 0 {
		b.WriteString(">")
	}
	return b.String()
}

func TestInline(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"plain", "plain"},
		{"a **bold** b", "a <b:bold> b"},
		{"a *it* and _it_.", "a <i:it> and <i:it>."},
		{"**b *both* b**", "<b:b ><bi:both><b: b>"},
		{"`a*b*c` and ``x`y``", "<c:a*b*c> and <c:x`y>"},
		{"2*3*4 snake_case_name", "2*3*4 snake_case_name"},
		{"2 * 3 * 4", "2 * 3 * 4"},
		{"*open, **open, `open, [open", "*open, **open, `open, [open"},
		{"*a **b**", "*a <b:b>"},
		{"***x*** ____", "***x*** ____"},
		{"\\*not\\* \\`not\\`", "*not* `not`"},
		{"C:\\dir", "C:\\dir"},
		{"日本**太字**です", "日本<b:太字>です"},
		{"see https://a.example/x_y_z.", "see <l:https://a.example/x_y_z>."},
		{"(http://a.example)", "(<l:http://a.example>)"},
		{"https:// xhttps://no", "https:// xhttps://no"},
		{"[bank](https://evil.example)", "bank (<l:https://evil.example>)"},
		{"[https://bank.example](https://evil.example)!", "https://bank.example (<l:https://evil.example>)!"},
		{"[a](b c) [](x) [x]() [a] (b)", "[a](b c) [](x) [x]() [a] (b)"},
		{"[[a](b)", "[a (<l:b>)"},
		{"**`c`** **a [t](u)**", "<c:c> <b:a t (><bl:u><b:)>"},
	} {
		if got := marked(inline(c.in)); got != c.want {
			t.Errorf("%q is %q, want %q", c.in, got, c.want)
		}
	}
}

func TestInlineIsDrawn(t *testing.T) {
	v := newView(60, 10)
	v.AddOlder(nil, false)
	v.Add(in("1", "It is **very** late, see [here](https://a.example/a/long/way).", noon))
	got := screen(v)
	if !strings.Contains(got, "It is very late, see here") || !strings.Contains(got, "(https://a.example/a/long/way).") {
		t.Errorf("screen is\n%s", got)
	}
	all := strings.Join(v.Render(), "\n")
	if !strings.Contains(all, v.th.Strong.Render("very")) {
		t.Errorf("not bold: %q", all)
	}
	if strings.Contains(all, "\x1b]") {
		t.Errorf("an escape sequence that is no style: %q", all)
	}
}

func FuzzInline(f *testing.F) {
	for _, s := range []string{"**a *b* c** `d` [e](f) https://g", "👩**🏽** 👩\u200d*👩*", "*a*\u0301", strings.Repeat("*a ", 40), strings.Repeat("[a](", 9)} {
		f.Add(s, 20)
	}
	f.Fuzz(func(t *testing.T, s string, width int) {
		if width < 2 || width > 200 || len(s) > 4096 {
			return
		}
		s = safetext.Clean(s).String()
		r := inline(strings.ReplaceAll(s, "\n", " "))
		if r.styles != nil && len(r.styles) != len(r.text) || !utf8.ValidString(r.text) {
			t.Fatalf("%d styles for %q", len(r.styles), r.text)
		}
		v := newView(80, 10)
		for _, l := range v.body(s, width) {
			if n := (term.Cells{}).Width(l); n > width {
				t.Fatalf("%q is %d cells, not %d", ansi.Strip(l), n, width)
			}
		}
	})
}

func BenchmarkInlineHostile(b *testing.B) {
	for _, c := range []struct{ name, unit string }{
		{"stars", "*a "}, {"ends", "*a _a **"}, {"bold", "**a *b "}, {"both", "*a _b **c __d "}, {"ticks", "`a ``b ```c "}, {"links", "[a](b"}, {"brackets", "["}, {"urls", "https://a "},
	} {
		b.Run(c.name, func(b *testing.B) {
			s := strings.Repeat(c.unit, (32<<10)/len(c.unit))
			for b.Loop() {
				inline(s)
			}
		})
	}
}
