package safetext

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestClean(t *testing.T) {
	for _, c := range []struct{ name, in, clean, line string }{
		{"plain", "hello", "hello", "hello"},
		{"line breaks", "a\r\nb\rc\u0085d\u2028e\u2029f\ng", "a\nb\nc\nd\ne\nf\ng", "a b c d e f g"},
		{"tab", "a\tb", "a    b", "a b"},
		{"escape", "\x1b[2Jx", "\uFFFD[2Jx", "\uFFFD[2Jx"},
		{"C1 as UTF-8", "\u009d52;c;AAAA\u009c", "\uFFFD52;c;AAAA\uFFFD", "\uFFFD52;c;AAAA\uFFFD"},
		{"bell, backspace, delete", "\a\b\x7f", "\uFFFD\uFFFD\uFFFD", "\uFFFD\uFFFD\uFFFD"},
		{"bidi", "a\u202eb\u2066c\u061cd", "abcd", "abcd"},
		{"tags", "\U000E0041x", "x", "x"},
		{"private use", "\ue000x\U0010fffdy", "xy", "xy"},
		{"noncharacters", "\ufdd0x\U0001ffffy", "xy", "xy"},
		{"invalid", "a\xffb\xc0\x80", "a\uFFFDb\uFFFD\uFFFD", "a\uFFFDb\uFFFD\uFFFD"},
		{"family emoji", "👨\u200d👩\u200d👧", "👨\u200d👩\u200d👧", "👨\u200d👩\u200d👧"},
		{"persian", "می\u200cخواهم", "می\u200cخواهم", "می\u200cخواهم"},
		{"marks", "a" + strings.Repeat("\u0301", 5000), "a" + strings.Repeat("\u0301", MaxMarks), "a" + strings.Repeat("\u0301", MaxMarks)},
		{"joiners", "a" + strings.Repeat("\u200d", 5000), "a" + strings.Repeat("\u200d", MaxMarks), "a" + strings.Repeat("\u200d", MaxMarks)},
		{"spaces", "  a   b  ", "  a   b  ", "a b"},
		{"own replacement", "\uFFFD", "\uFFFD", "\uFFFD"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Clean(c.in).String(); got != c.clean {
				t.Errorf("Clean = %q, want %q", got, c.clean)
			}
			if got := Line(c.in).String(); got != c.line {
				t.Errorf("Line = %q, want %q", got, c.line)
			}
		})
	}
}

func TestJSONCleans(t *testing.T) {
	var text Text
	if err := json.Unmarshal([]byte(`"a\u001b]0;x\u0007b"`), &text); err != nil {
		t.Fatal(err)
	}
	if want := "a\uFFFD]0;x\uFFFDb"; text.String() != want {
		t.Errorf("got %q, want %q", text, want)
	}
}

func FuzzClean(f *testing.F) {
	f.Add("a\x1b]52;c;\u009d\u202e\r\n\t")
	f.Fuzz(func(t *testing.T, s string) {
		for _, text := range []Text{Clean(s), Line(s)} {
			out := text.String()
			if !utf8.ValidString(out) {
				t.Fatalf("%q: not UTF-8: %q", s, out)
			}
			marks := 0
			for _, r := range out {
				if r != '\n' && unicode.Is(unicode.Cc, r) {
					t.Fatalf("%q: control %U in %q", s, r, out)
				}
				if unicode.Is(unicode.M, r) || r == joiner || r == nonJoiner {
					marks++
				} else {
					marks = 0
				}
				if marks > MaxMarks {
					t.Fatalf("%q: %d marks in a row", s, marks)
				}
			}
			if again := Clean(out); again != text {
				t.Fatalf("%q: not idempotent: %q, %q", s, out, again)
			}
		}
		if strings.ContainsRune(Line(s).String(), '\n') {
			t.Fatalf("%q: Line kept a line break", s)
		}
	})
}

func FuzzUnmarshalJSON(f *testing.F) {
	f.Add([]byte(`"a\u0000\u202e\ud800"`))
	f.Add([]byte(`null`))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var text Text
		if text.UnmarshalJSON(b) == nil && Clean(text.String()) != text {
			t.Fatalf("%q is not clean", text)
		}
	})
}
