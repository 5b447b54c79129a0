package catalogue

import (
	"fmt"
	"strconv"
	"strings"
)

// An Entry is one text with its translation.
type Entry struct {
	ID, IDPlural string
	Text         string
	Plural       []string // by form
	Line         int
}

// maxForms bounds the plural forms of an entry.
const maxForms = 6

// Parse reads the part of the gettext format that the catalogues use:
// comments, msgid, msgid_plural, msgstr, msgstr[n], and strings that go on in
// the next line. An entry with an empty msgid is the header and is left out.
func Parse(text string) ([]Entry, error) {
	var out []Entry
	var cur Entry
	var into *string
	flush := func() {
		if cur.ID != "" {
			out = append(out, cur)
		}
		cur, into = Entry{}, nil
	}

	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}

		// A line is a keyword and a string, or a string that goes on.
		word, quoted, found := strings.Cut(line, " ")
		if line[0] == '"' {
			word, quoted, found = "", line, true
		}
		value, err := strconv.Unquote(strings.TrimSpace(quoted))
		if !found || err != nil {
			return nil, fmt.Errorf("line %d: not a string in quotes", i+1)
		}

		switch {
		case word == "" && into != nil:
		case word == "msgid":
			flush()
			cur.Line = i + 1
			into = &cur.ID
		case word == "msgid_plural":
			into = &cur.IDPlural
		case word == "msgstr":
			into = &cur.Text
		case strings.HasPrefix(word, "msgstr[") && strings.HasSuffix(word, "]"):
			n, err := strconv.Atoi(word[len("msgstr[") : len(word)-1])
			if err != nil || n != len(cur.Plural) || n >= maxForms {
				return nil, fmt.Errorf("line %d: plural forms count from 0", i+1)
			}
			cur.Plural = append(cur.Plural, "")
			into = &cur.Plural[n]
		default:
			return nil, fmt.Errorf("line %d: %q is not known here", i+1, word)
		}

		*into += value
	}
	flush()
	return out, nil
}
