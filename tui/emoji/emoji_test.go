package emoji

import (
	"testing"
	"unicode/utf8"

	"starling/node/api/safetext"
	"starling/tui/term"
)

func TestAllAreSteady(t *testing.T) {
	seen := map[string]bool{}
	for _, e := range All {
		if seen[e.Char] || seen[e.Name] {
			t.Errorf("%s %q is there twice", e.Char, e.Name)
		}
		seen[e.Char], seen[e.Name] = true, true
		for _, c := range []term.Cells{{}, {Graphemes: true}} {
			steady := c.Steady(e.Char)
			if n := c.Width(steady); (n != 2 || utf8.RuneCountInString(e.Char) != 1) && e.Name != "red heart" {
				t.Errorf("%s takes %d cells", e.Char, n)
			}
		}
		if safetext.Emoji(e.Char) != e.Char {
			t.Errorf("%s cannot be reacted with", e.Char)
		}
	}
}

func TestRecent(t *testing.T) {
	var r Recent
	for _, c := range []string{"🔥", "👀", "🔥", "🎉", "💯", "😂", "🙏", "👎", "👍", "😮"} {
		r.Use(c)
	}
	if len(r) != maxRecent || r[0] != "😮" {
		t.Errorf("recent are %v", r)
	}
	all := r.Sorted()
	if len(all) != len(All) || all[0].Char != "😮" || all[7].Char != "🔥" {
		t.Errorf("sorted begins %v", all[:9])
	}
	for name, want := range map[string]string{"party": "🎉", "Party ": "🎉", "nothing": "", "rotes Herz": "❤️", "красное сердце": "❤️", "red heart": "❤️"} {
		if got := Named(name); got != want {
			t.Errorf("%q is %q, not %q", name, got, want)
		}
	}
}
