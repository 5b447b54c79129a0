// Package catalogue holds the texts of the app in other languages.
//
// A catalogue is a gettext file (.po), embedded, keyed by the English text as
// it stands in the source. A text that is not in it stays English, so that a new
// one of the node can still be read. A test reads the source and
// holds that German and Russian have every text of the app, with the same
// placeholders.
//
// The files NAME.po hold the texts of the app, NAME-node.po those of the node:
// errors, hints and notices, which arrive in English.
package catalogue

import (
	"embed"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

//go:embed *.po
var files embed.FS

// Languages are the ones there is a catalogue for, beside English.
var Languages = []string{"de", "ru"}

// forms say which plural form a number takes, as the gettext manual has them.
var forms = map[string]func(n int) int{
	"de": func(n int) int {
		if n == 1 {
			return 0
		}
		return 1
	},
	"ru": func(n int) int {
		switch ones, tens := n%10, n%100; {
		case ones == 1 && tens != 11:
			return 0
		case ones >= 2 && ones <= 4 && (tens < 12 || tens > 14):
			return 1
		}
		return 2
	},
}

// A Catalogue is one language. A nil one is English.
type Catalogue struct {
	language string
	entries  map[string]Entry
	form     func(int) int
}

// New returns the catalogue of a language ("de", "ru_RU.UTF-8", …), nil for
// English and for one that is not there. An empty language is the one of the
// environment: $LC_ALL, $LC_MESSAGES, $LANG.
func New(language string) *Catalogue {
	if language == "" {
		language = environment()
	}

	// A language is known by its two letters.
	language, _, _ = strings.Cut(strings.ToLower(language), ".")
	language, _, _ = strings.Cut(strings.ReplaceAll(language, "-", "_"), "_")
	form := forms[language]
	if form == nil {
		return nil
	}

	// The texts of the app, and those of the node.
	c := &Catalogue{language: language, entries: map[string]Entry{}, form: form}
	for _, name := range []string{language + ".po", language + "-node.po"} {
		text, err := files.ReadFile(name)
		if err != nil {
			continue
		}
		entries, err := Parse(string(text))
		if err != nil {
			panic(err) // the files are ours; a test holds it
		}
		for _, e := range entries {
			c.entries[e.ID] = e
		}
	}
	return c
}

func environment() string {
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if v := os.Getenv(name); v != "" {
			return v
		}
	}
	return ""
}

// Language returns the code of the language, "en" for English.
func (c *Catalogue) Language() string {
	if c == nil {
		return "en"
	}
	return c.language
}

// Text returns a text in the language. One with numbers in it that is not
// there is looked up with %d for each.
func (c *Catalogue) Text(english string) string {
	if c == nil {
		return english
	}
	if e, ok := c.entries[english]; ok && e.Text != "" {
		return e.Text
	}
	if !strings.ContainsAny(english, "0123456789") || strings.Contains(english, "%") {
		return english
	}
	var numbers []any
	key := number.ReplaceAllStringFunc(english, func(s string) string {
		n, _ := strconv.Atoi(s)
		numbers = append(numbers, n)
		return "%d"
	})
	if e, ok := c.entries[key]; ok && e.Text != "" {
		return fmt.Sprintf(e.Text, numbers...)
	}
	return english
}

// number is one that a text of the node may hold.
var number = regexp.MustCompile(`\b[0-9]{1,9}\b`)

// Sprintf formats a text of the language. Its arguments may be in another
// order there: %[2]s.
func (c *Catalogue) Sprintf(english string, args ...any) string {
	text := c.Text(english)
	if len(args) == 0 {
		return text
	}
	return fmt.Sprintf(text, args...)
}

// Count formats a text with a number; one and many are its English forms,
// each with %d or without.
func (c *Catalogue) Count(n int, one, many string) string {
	text := many
	if n == 1 {
		text = one
	}
	if c != nil {
		if e, ok := c.entries[one]; ok && c.form(n) < len(e.Plural) {
			text = e.Plural[c.form(n)]
		}
	}
	if !strings.Contains(text, "%d") {
		return text
	}
	return fmt.Sprintf(text, n)
}

// Mark marks a text that is looked up later.
func Mark(english string) string { return english }

// names of days and months, as layouts of package time spell them.
var names = []struct {
	layout string
	name   func(time.Time) string
}{
	{"Monday", func(t time.Time) string { return t.Weekday().String() }},
	{"January", func(t time.Time) string { return t.Month().String() }},
	{"Mon", func(t time.Time) string { return "short " + t.Weekday().String()[:3] }},
	{"Jan", func(t time.Time) string { return "short " + t.Month().String()[:3] }},
}

// Time formats a time in the layout of the language.
func (c *Catalogue) Time(t time.Time, layout string) string {
	if c == nil {
		return t.Format(layout)
	}
	var b strings.Builder
	rest := c.Text(layout)
	for rest != "" {
		at, which := len(rest), -1
		for i, n := range names {
			if k := strings.Index(rest, n.layout); k >= 0 && k < at {
				at, which = k, i
			}
		}
		b.WriteString(t.Format(rest[:at]))
		if which < 0 {
			break
		}
		b.WriteString(c.Text(names[which].name(t)))
		rest = rest[at+len(names[which].layout):]
	}
	return b.String()
}

// command matches what is typed or pasted as it stands, and is no word.
var command = regexp.MustCompile(`^(starling[ :-]|[a-z]+[0-9:=/_]|[a-z]+\.[a-z])`)

// Sentence is a text that begins as a sentence. The errors and reasons of the node begin small,
// as the command line puts them behind a colon. A command keeps its form.
func Sentence(text string) string {
	first, size := utf8.DecodeRuneInString(text)
	if size == 0 || first == utf8.RuneError || command.MatchString(text) {
		return text
	}
	return string(unicode.ToTitle(first)) + text[size:]
}
