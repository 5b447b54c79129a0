package chatview

import (
	"slices"
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
				for k, name := range []string{"b", "i", "c", "l", "f", "s", "w"} {
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
		{"a ~~gone~~ b ~~open ~one~", "a <s:gone> b ~~open ~one~"},
		{"~~**b** x~~ \\~~no~~", "<bs:b><s: x> ~~no~~"},
		{"HTTPS://A.example!", "<l:HTTPS://A.example>!"},
		{"**`c`** **a [t](u)**", "<c:c> <b:a t (><bl:u><b:)>"},
	} {
		if got := marked(inline(c.in, nil)); got != c.want {
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
	for _, part := range strings.Split(all, "\x1b]")[1:] {
		if !strings.HasPrefix(part, "8;;\a") && !strings.HasPrefix(part, "8;id=") {
			t.Errorf("an escape sequence that is no style: %q", part)
		}
	}
}

// hyperlinks returns the hyperlinks of drawn lines: each target with its name, and the
// texts that lead there.
func hyperlinks(lines []string) map[string]string {
	out := map[string]string{}
	for _, l := range lines {
		for _, part := range strings.Split(l, "\x1b]8;")[1:] {
			head, text, _ := strings.Cut(part, "\a")
			if head != ";" {
				out[head] += ansi.Strip(text)
			}
		}
	}
	return out
}

func TestHyperlinks(t *testing.T) {
	const long = "https://a.example/a/very/long/way/that/does/not/fit/into/one/line/of/this/view?and=more"
	for _, c := range []struct {
		text string
		want []string
	}{
		{"see https://a.example/x.", []string{"https://a.example/x"}},
		{long, []string{long}},
		{"[bank](https://evil.example)", []string{"https://evil.example"}},
		{"https://a.example https://a.example", []string{"https://a.example", "https://a.example"}},
		{"**https://a.example/*x*** https://b.example", []string{"https://a.example/*x", "https://b.example"}},
		{"https://paypal.com@evil.example https://\u0430pple.com http://127.1 https://a.example/\u0437", nil},
		{"javascript:alert(1) [x](javascript:alert(1)) file:///etc/passwd starling:abc", nil},
		{"`https://a.example`", nil},
	} {
		v := newView(40, 30)
		v.Add(in("1", c.text, noon))
		v.SetFound([]string{"example"})
		links := hyperlinks(v.Render())
		var got []string
		for head, text := range links {
			_, target, _ := strings.Cut(head, ";")
			if target != text {
				t.Errorf("%q reads as %q", target, text)
			}
			got = append(got, target)
		}
		slices.Sort(got)
		if !slices.Equal(got, c.want) {
			t.Errorf("%q: %q, want %q", c.text, got, c.want)
		}
	}
}

func TestDeceitIsNoted(t *testing.T) {
	for text, want := range map[string]string{
		"https://paypal.com@evil.example/x": "https://paypal.com@evil.example/x (! leads to evil.example)",
		"https://\u0430pple.com":            "https://\u0430pple.com (! leads to xn--pple-43d.com = \u0430pple.com, mixed scripts)",
		"https://xn--pple-43d.com":          "(! leads to xn--pple-43d.com = \u0430pple.com, mixed scripts)",
		"http://0x7f.1/":                    "(! leads to 127.0.0.1, this computer or its network)",
		"https://a.example/%E2%80%AEx":      "(! written backwards, invisible characters)",
		"[x](https://a@b.example)":          "x (https://a@b.example (! leads to b.example))",
		"https://a.example":                 "https://a.example",
	} {
		v := newView(140, 10)
		v.Add(in("1", text, noon))
		if got := screen(v); !strings.Contains(got, want) {
			t.Errorf("%s is shown as\n%s", text, got)
		}
	}
}

func TestAddresses(t *testing.T) {
	got := Addresses("a https://a.example, [b](http://b.example/x) and https://a.example\n`https://c.example` [d](e) starling:x")
	if want := []string{"https://a.example", "http://b.example/x", "starling:x"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if got := Addresses(strings.Repeat("https://a.example ", 5000)); len(got) != 1 {
		t.Errorf("%d", len(got))
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
		v := newView(80, 10)
		r := inline(strings.ReplaceAll(s, "\n", " "), v.note)
		if r.styles != nil && len(r.styles) != len(r.text) || !utf8.ValidString(r.text) {
			t.Fatalf("%d styles for %q", len(r.styles), r.text)
		}
		for _, l := range v.body("", s, width) {
			if n := (term.Cells{}).Width(l); n > width {
				t.Fatalf("%q is %d cells, not %d", ansi.Strip(l), n, width)
			}
		}
	})
}

func BenchmarkInlineHostile(b *testing.B) {
	v := newView(80, 10)
	for _, c := range []struct{ name, unit string }{
		{"stars", "*a "}, {"ends", "*a _a **"}, {"bold", "**a *b "}, {"both", "*a _b **c __d "}, {"ticks", "`a ``b ```c "}, {"links", "[a](b"}, {"brackets", "["}, {"urls", "https://a "},
	} {
		b.Run(c.name, func(b *testing.B) {
			s := strings.Repeat(c.unit, (32<<10)/len(c.unit))
			for b.Loop() {
				inline(s, v.note)
			}
		})
	}
}
