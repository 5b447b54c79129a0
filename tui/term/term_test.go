package term

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
)

func TestFit(t *testing.T) {
	var c Cells
	for _, tc := range []struct {
		in   string
		w    int
		want string
	}{
		{"abc", 5, "abc  "},
		{"abcdef", 4, "abc…"},
		{"日本語", 6, "日本語"},
		{"日本語", 5, "日本…"},
		{"日本語", 4, "日… "},
		{"abc", 0, ""},
		{"\x1b[1mabc\x1b[m", 4, "\x1b[1mabc\x1b[m "},
	} {
		if got := c.Fit(tc.in, tc.w); got != tc.want {
			t.Errorf("Fit(%q, %d) = %q, want %q", tc.in, tc.w, got, tc.want)
		}
	}
}

func TestWrap(t *testing.T) {
	var c Cells
	for _, tc := range []struct {
		in   string
		w    int
		want []string
	}{
		{"", 10, []string{""}},
		{"one two three", 8, []string{"one two", "three"}},
		{"one two three", 7, []string{"one two", "three"}},
		{"abcdefghij", 4, []string{"abcd", "efgh", "ij"}},
		{"ab cdefghij", 4, []string{"ab", "cdef", "ghij"}},
		{"a\n\nb", 4, []string{"a", "", "b"}},
		{"  indented words here", 12, []string{"  indented", "words here"}},
		{"日本語テキスト", 6, []string{"日本語", "テキス", "ト"}},
		{"日本語テキスト", 5, []string{"日本", "語テ", "キス", "ト"}},
		{"x   y", 3, []string{"x", "y"}},
		{"日", 1, []string{"\uFFFD"}},
		{"trailing   ", 20, []string{"trailing"}},
	} {
		if got := c.Wrap(tc.in, tc.w); !slices.Equal(got, tc.want) {
			t.Errorf("Wrap(%q, %d) = %q, want %q", tc.in, tc.w, got, tc.want)
		}
	}
}

func TestChopKeepsSpaces(t *testing.T) {
	var c Cells
	if got, want := c.Chop("    if x {", 6), []string{"    if", " x {"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestOver(t *testing.T) {
	var c Cells
	for _, tc := range []struct {
		under, over string
		x           int
		want        string
	}{
		{"0123456789", "ab", 3, "012ab56789"},
		{"日本語日本", "ab", 3, "日 ab 日本"},
		{"0123456789", "abc", 0, "abc3456789"},
		{"0123456789", "abc", 7, "0123456abc"},
	} {
		if got := c.Over(tc.under, tc.over, tc.x, 10); got != tc.want {
			t.Errorf("Over(%q, %q, %d) = %q, want %q", tc.under, tc.over, tc.x, got, tc.want)
		}
	}
}

func TestEnds(t *testing.T) {
	var c Cells
	if got, want := c.Ends("left", "right", 12), "left   right"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := c.Ends("a long left", "right", 12), "a lon… right"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestSteady(t *testing.T) {
	for _, tc := range []struct{ in, want string }{
		{"plain 日本 text", "plain 日本 text"},
		{"👨\u200d👩\u200d👧!", "👨⁺👩⁺👧!"},
		{"👩\U0001F3FD\u200d🚀 👍\U0001F3FD.", "👩⁺🚀 👍⁺."},
		{"🏳\uFE0F\u200d🌈 ❤\uFE0F ✈\uFE0F", "🏳⁺🌈 ❤ ✈"},
		{"🇩🇪🇫🇷🇺 1\uFE0F\u20E3 #\u20E3\u20E3", "[DE][FR]U [1] [#]"},
		{"می\u200cخواهم क\u094d\u200dष", "می\u200cخواهم क\u094d\u200dष"}, // joiners that letters need
		{"👩\u200d", "👩"},
		{"\u20E3\U0001F3FD\U0001F3FD", "⁺"},
	} {
		if got := (Cells{}).Steady(tc.in); got != tc.want {
			t.Errorf("Steady(%q) = %q, want %q", tc.in, got, tc.want)
		}
		if got := (Cells{Graphemes: true}).Steady(tc.in); got != tc.in {
			t.Errorf("%q is changed to %q where clusters are counted", tc.in, got)
		}
	}
}

func TestMonstersAreReplaced(t *testing.T) {
	monster := strings.Repeat("👩\u200d", 5000) + "👩"
	for _, c := range []Cells{{}, {Graphemes: true}} {
		if got := c.Wrap("a "+monster+" b", 20); len(strings.Join(got, "")) > 40 {
			t.Errorf("%+v: Wrap keeps %d bytes", c, len(strings.Join(got, "")))
		}
		if got := c.Fit(monster, 20); len(got) > 40 {
			t.Errorf("%+v: Fit keeps %d bytes", c, len(got))
		}
	}
}

func TestPlainAgreesWithTheSearch(t *testing.T) {
	if !narrowNotAmbiguous {
		t.Skip("the environment asks for wide characters")
	}
	for _, m := range []ansi.Method{ansi.WcWidth, ansi.GraphemeWidth} {
		for r := rune(0xa0); r < 0x20000; r++ {
			w := plain(r)
			if w == 0 {
				continue
			}
			for _, next := range []string{"", "a", "я", "日", string(r), "\uFFFD", "1"} {
				s := string(r) + next
				if cluster, n := ansi.FirstGraphemeCluster(s, m); cluster != string(r) || n != w {
					t.Fatalf("%U before %q: cluster %q of %d cells, not %d", r, next, cluster, n, w)
				}
			}
		}
	}
}

func FuzzWrap(f *testing.F) {
	f.Add("one two 日本語 👨‍👩‍👧 e\u0301", 5, true)
	f.Add("\u070f", 105, true)
	f.Add("ab\u0d4e\u0d4e", 4, true)
	f.Fuzz(func(t *testing.T, s string, w int, graphemes bool) {
		if w < 1 || w > 200 || !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 }) {
			return
		}
		c := Cells{Graphemes: graphemes}
		for _, lines := range [][]string{c.Wrap(s, w), c.Chop(s, w)} {
			for _, l := range lines {
				if n := c.Width(l); n > w {
					t.Fatalf("%q at %d: line %q has %d cells", s, w, l, n)
				}
			}
		}
		if n := c.Width(c.Fit(s, w)); n != w {
			t.Fatalf("Fit(%q, %d) has %d cells", s, w, n)
		}
		if n := c.Width(c.Fit(s, w) + "│"); n != w+1 {
			t.Fatalf("Fit(%q, %d) and a border have %d cells", s, w, n)
		}
	})
}
