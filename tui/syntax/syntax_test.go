package syntax

import (
	"fmt"
	"strings"
	"testing"
)

// drawn is code with its spans written out.
func drawn(code string, spans []Span) string {
	var b strings.Builder
	for _, s := range spans {
		if s.Kind == Plain {
			b.WriteString(code[:s.Bytes])
		} else {
			fmt.Fprintf(&b, "<%c:%s>", "pksnc"[s.Kind], code[:s.Bytes])
		}
		code = code[s.Bytes:]
	}
	return b.String() + code
}

// paint colours code as the app does.
func paint(p *Painter, language, code string) []Span {
	p.Paint(language, code)
	if work := p.Work(); work != nil {
		p.Take(work())
	}
	out, _ := p.Paint(language, code)
	return out
}

func TestPaint(t *testing.T) {
	var p Painter
	for _, c := range []struct{ language, code, want string }{
		{"Go", "return 1 // x", "<k:return> <n:1> <c:// x>"},
		{"py", "def f(): return 'a'", "<k:def> f(): <k:return> <s:'a'>"},
		{"sql", "SELECT 1", "<k:SELECT> <n:1>"},
		{"c", "int x = 0x1f; /* a\nb */ char *s = \"q\\\"r\";", "<k:int> x = <n:0x1f>; <c:/* a\nb */> <k:char> *s = <s:\"q\\\"r\">;"},
		{"sh", "echo $# # x", "echo $# <c:# x>"},
		{"json", "{\"a\": [\"b\", true, 1.5]}", "{<k:\"a\">: [<s:\"b\">, <k:true>, <n:1.5>]}"},
		{"yaml", "a: b # c", "<k:a>: b <c:# c>"},
		{"toml", "[a]\nb = 1", "<k:[a]>\nb = <n:1>"},
		{"html", "<a href='b'>it's</a><!-- c -->", "<<k:a> href=<s:'b'>>it's</<k:a>><c:<!-- c -->>"},
		{"diff", "@@ -1 +1 @@\n-a\n+b\n c", "<k:@@ -1 +1 @@>\n<n:-a>\n<s:+b>\n c"},
		{"tex", "\\emph{a} 5\\% % c", "<k:\\emph>{a} <n:5><k:\\>% <c:% c>"},
		{"rust", "fn f<'a>(x: &'a str)", "<k:fn> f<'a>(x: &'a <k:str>)"},
	} {
		if got := drawn(c.code, spans(languages[strings.ToLower(c.language)], c.code)); got != c.want {
			t.Errorf("%s: %s", c.language, got)
		}
	}
	if out := paint(&p, "GO", "return"); len(out) > 1 {
		t.Errorf("painted as %v", out)
	}
	for _, language := range []string{"", "brainfuck", "../go", strings.Repeat("go", 1000)} {
		if out, later := p.Paint(language, "x"); out != nil || later {
			t.Errorf("%q is known", language)
		}
	}
	if out, later := p.Paint("go", strings.Repeat("x", MaxCode+1)); out != nil || later {
		t.Error("long code is coloured")
	}
}

// Every language that is offered has a lexer, and its spans have all bytes.
func TestEveryLanguage(t *testing.T) {
	const code = "if x == \"a\" { return 1 } # // -- b\n\t<a href='b'>é</a>\n"
	for name, lexer := range languages {
		out := spans(lexer, code)
		n := 0
		for _, s := range out {
			n += s.Bytes
		}
		if n != len(code) {
			t.Errorf("%s (%s): %d of %d bytes", name, lexer, n, len(code))
		}
	}
}

// TestReadOnce: code of the greatest length is read to its end, whatever it is.
func TestReadOnce(t *testing.T) {
	for _, piece := range []string{"\"", "'\\", "/*", "((((", "\t \t", "a", "[", "a[", "<a ", "1.1", "''", "\n"} {
		code := strings.Repeat(piece, MaxCode/len(piece))
		for name := range grammars {
			n := 0
			for _, s := range spans(name, code) {
				n += s.Bytes
			}
			if n != len(code) {
				t.Errorf("%s: %d of %d bytes of %q", name, n, len(code), piece)
			}
		}
	}
	if spans("nothing", "x") != nil {
		t.Error("a language that is not there")
	}
}

// A piece of which the work never ends keeps others from being begun.
func TestOneAtATime(t *testing.T) {
	var p Painter
	for i := range 3 * maxWanted {
		p.Paint("go", fmt.Sprint("return ", i))
	}
	if len(p.wanted) != maxWanted {
		t.Errorf("%d wait", len(p.wanted))
	}
	stuck := p.Work()
	if stuck == nil || p.Work() != nil {
		t.Error("not one at a time")
	}
	p.Take(stuck())
	if p.Work() == nil {
		t.Error("the next is not begun")
	}
}

func FuzzSpans(f *testing.F) {
	var names []string
	for name := range languages {
		names = append(names, name)
	}
	f.Add(uint8(0), "if x { return `a` } // b")
	f.Add(uint8(9), strings.Repeat("((((\"\\", 50))
	f.Fuzz(func(t *testing.T, which uint8, code string) {
		if len(code) > MaxCode {
			return
		}
		name := names[int(which)%len(names)]
		n := 0
		for _, s := range spans(languages[name], code) {
			n += s.Bytes
		}
		if n != len(code) {
			t.Errorf("%s: %d of %d bytes of %q", name, n, len(code), code)
		}
	})
}
