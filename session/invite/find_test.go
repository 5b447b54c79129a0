package invite

import (
	"strings"
	"testing"

	"starling/session/internal/linktext"
)

// wrap breaks a text into lines of n characters.
func wrap(s string, n int, begin, end string) string {
	var b strings.Builder
	for len(s) > 0 {
		cut := min(n, len(s))
		b.WriteString(begin + s[:cut] + end + "\n")
		s = s[cut:]
	}
	return b.String()
}

// TestFind: however a link was copied, it is found.
func TestFind(t *testing.T) {
	for _, l := range links(t) {
		text := l.Encode()
		upper := strings.ToUpper(text)
		frame := "╭" + strings.Repeat("─", 42) + "╮\n" + wrap(text, 40, "│ ", " │") + "╰" + strings.Repeat("─", 42) + "╯\n"
		for name, pasted := range map[string]string{
			"alone": text, "capitals": upper, "blanks around": " \t" + text + "\r\n",
			"in a sentence":           "Hi Bob, take " + text + " and write to me. It is good for one day.",
			"end of a sentence":       "My invite is " + text + ".",
			"two sentences":           "This begins with starling: as all do.\nIt is " + text + ", see you!",
			"angle brackets":          "<" + text + ">",
			"quotes":                  "\"" + text + "\"",
			"other quotes":            "„" + text + "“",
			"guillemets":              "«" + text + "»",
			"apostrophes":             "'" + text + "'",
			"brackets":                "(" + text + ")",
			"markdown":                "[invite](" + text + ")",
			"code":                    "```\n" + text + "\n```",
			"wrapped at 76":           wrap(text, 76, "", ""),
			"wrapped at 20, CRLF":     strings.ReplaceAll(wrap(text, 20, "", ""), "\n", "\r\n"),
			"wrapped in its prefix":   wrap(text, 5, "", ""),
			"prefix alone":            "starling:\n" + strings.TrimPrefix(text, Prefix),
			"quoted":                  wrap("Alice wrote: "+text+" Greetings", 50, "> ", ""),
			"quoted twice":            wrap(text, 50, "> > ", ""),
			"quoted tight":            wrap(text, 50, ">>", ""),
			"quoted with initials":    wrap(text, 50, "AB> ", ""),
			"quoted by bars":          wrap(text, 50, "| ", ""),
			"quoted-printable":        wrap(text, 70, "", "="),
			"shell":                   wrap(text, 70, "  ", "\\"),
			"framed":                  frame,
			"framed, in a mail":       "> " + strings.ReplaceAll(frame, "\n", "\n> "),
			"framed in ASCII":         "+------+\n" + wrap(text, 40, "| ", " |") + "+------+\n",
			"soft hyphens":            wrap(text, 30, "", "\u00ad"),
			"a mark of byte order":    "\ufeff" + text,
			"zero width":              strings.Join(strings.Split(text, ""), "\u200b"),
			"indented":                wrap(text, 60, "        ", ""),
			"no-break spaces":         "\u00a0" + text + "\u00a0",
			"line separators":         strings.ReplaceAll(wrap(text, 60, "", ""), "\n", "\u2028"),
			"HTML":                    `<a href="` + text + `">` + text + `</a>`,
			"JSON":                    `{"id":"x","link":"` + text + `","expires":"2030"}`,
			"after a broken one":      text[:40] + "! No, this one: " + text,
			"twice":                   text + "\n" + text,
			"regards on the next":     text + "\nalice",
			"after a mail's headings": "From: a@example.org\nSubject: starling\n\n" + text + "\n-- \nAlice\n",
		} {
			got, err := Find(pasted)
			if err != nil {
				t.Errorf("%s: %v\n%s", name, err, pasted)
			} else if got.Encode() != text {
				t.Errorf("%s: found another link", name)
			}
		}
	}
}

// TestFindSaysWhatIsWrong with the first that is no whole link.
func TestFindSaysWhatIsWrong(t *testing.T) {
	text := link(t, "a").Encode()
	later := link(t, "a").Bytes()
	later[0] = 9
	later = appendChecksum(later[:len(later)-checksumSize])
	for name, c := range map[string]struct {
		text string
		want error
	}{
		"nothing":              {"", ErrForeign},
		"words":                {"hello, have you got a starling?", ErrForeign},
		"another's":            {"https://example.org/invite", ErrForeign},
		"glued to a word":      {"x" + text, ErrForeign},
		"the prefix":           {"starling:", ErrTruncated},
		"cut":                  {text[:60], ErrTruncated},
		"cut, with brackets":   {"<" + text[:60] + ">", ErrTruncated},
		"a typo":               {text[:70] + "1" + text[71:], ErrChecksum},
		"more at the end":      {text + "a", ErrChecksum},
		"a digit at the end":   {text + "9", ErrChecksum},
		"nonsense":             {"starling:zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz", ErrChecksum},
		"nonsense in words":    {"starling: the bird, sings", ErrChecksum},
		"all of the alphabet":  {Prefix + "abcdefghijklmnopqrstuvwxyz234567", ErrChecksum},
		"of a later version":   {linktext.Encode(Prefix, later), ErrVersion},
		"later, in a sentence": {"take " + linktext.Encode(Prefix, later) + " now", ErrVersion},
		"too long a text":      {strings.Repeat(" ", MaxText) + text, ErrForeign},
		"no end":               {Prefix + strings.Repeat("a", 3*maxLink), ErrChecksum},
	} {
		if _, err := Find(c.text); err != c.want {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// TestFindEndsSoon: a text of beginnings alone costs no more than others.
func TestFindEndsSoon(t *testing.T) {
	for _, s := range []string{Prefix, Prefix + "a\n", "\n>", "s\nt\na\nr\nl\ni\nn\ng\n:\n"} {
		if _, err := Find(strings.Repeat(s, MaxText/len(s))); err == nil {
			t.Errorf("%q: a link", s)
		}
	}
}

func FuzzFind(f *testing.F) {
	text := link(f, "a", "bc").Encode()
	for _, s := range []string{text, "<" + text + ">", "> " + text[:30] + "\n> " + text[30:], Prefix + Prefix, "│ " + text + " │"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		l, err := Find(s)
		if (l == nil) != (err != nil) {
			t.Fatal(l, err)
		}
		if err != nil {
			return
		}
		if again, err := Find("so: " + l.Encode() + " is it"); err != nil || again.Encode() != l.Encode() {
			t.Fatalf("a found link is not found again: %v", err)
		}
	})
}
