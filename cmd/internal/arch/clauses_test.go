package arch

import (
	"regexp"
	"strings"
	"testing"
)

var (
	// clause finds the words that stand in place of a noun: "what was sent" is the
	// message, "who has the link" its holder.
	clause = regexp.MustCompile(`(?i)\b(who|what|whom|whoever|whatever|whose)\b`)
	// sentenceEnd is the space between two sentences.
	sentenceEnd = regexp.MustCompile(`([.!?])\s+`)
)

// Limits of TestClauses: in each package this share of the sentences, in percent, or
// this many.
const (
	clausePercent = 4
	clauseFew     = 2
)

// TestClauses holds that comments outside tests use nouns: few sentences of a package
// have a clause of clause, and none has two.
func TestClauses(t *testing.T) {
	all, found := map[string]int{}, map[string][]string{}
	for _, f := range files(t) {
		if f.test {
			continue
		}
		for _, c := range f.ast.Comments {
			at := f.fset.Position(c.Pos())
			for _, s := range sentences(c.Text()) {
				all[f.dir]++
				n := len(clause.FindAllString(s, -1))
				if n > 0 {
					found[f.dir] = append(found[f.dir], at.String()+": "+s)
				}
				if n > 1 {
					t.Errorf("%s: %d clauses in one sentence; a noun says it shorter: %s", at, n, s)
				}
			}
		}
	}

	for dir, some := range found {
		if most := max(clauseFew, all[dir]*clausePercent/100); len(some) > most {
			t.Errorf("%s: %d of %d sentences have a clause with who or what, and %d may; use nouns:\n%s",
				dir, len(some), all[dir], most, strings.Join(some, "\n"))
		}
	}
}

// sentences splits a comment without its tables and headings.
func sentences(text string) (all []string) {
	for _, paragraph := range strings.Split(text, "\n\n") {
		if strings.HasPrefix(paragraph, "\t") || strings.HasPrefix(paragraph, "# ") {
			continue
		}
		words := strings.Join(strings.Fields(paragraph), " ")
		for _, s := range strings.Split(sentenceEnd.ReplaceAllString(words, "$1\n"), "\n") {
			if s != "" {
				all = append(all, s)
			}
		}
	}
	return all
}

// TestSentences holds that a comment is split as it is read.
func TestSentences(t *testing.T) {
	got := sentences("One. Two\nlines!\n\n# What it is\n\n\twho\twhat\n\nThree (e.g. this)?\n")
	if want := "One.|Two lines!|Three (e.g.|this)?"; strings.Join(got, "|") != want {
		t.Errorf("%q, want %q", got, want)
	}
}
