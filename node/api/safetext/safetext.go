// Package safetext is the door for text that somebody else chose.
//
// Names and messages of contacts end up in a terminal, a window title, a notification,
// a log or a script's input, and the right bytes drive each of those. C1 controls as
// UTF-8 pass through most screen libraries. A carriage return overwrites the name
// before it. Bidi overrides reorder file names. A window title goes to the terminal
// unescaped. Thousands of combining marks freeze a redraw. [Text] is text without any
// of that. Every sink takes a Text, never a peer's string.
//
// [Clean] keeps line breaks and is for messages; [Line] makes one line and is
// for names. Both are idempotent, never fail, and run in linear time.
package safetext

import (
	"encoding/json"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxMarks is the number of combining marks kept on one base character. The
// densest real writing systems (Tibetan, Hebrew with points and cantillation)
// stay below it.
const MaxMarks = 8

// Text is text that is safe to show: valid UTF-8, in which the line feed is the only
// control character. The zero value is the empty text.
type Text struct{ s string }

// Clean makes text of one or more lines safe:
//
//   - CR LF, CR, NEL, LS and PS become a line feed; a tab becomes spaces.
//   - Other C0 and C1 controls, DEL and invalid UTF-8 become U+FFFD.
//   - Format characters are removed, bidi controls and tags among them, but
//     for the joiners (U+200C, U+200D) that scripts and emoji need. So are
//     noncharacters and private-use characters.
//   - Marks past [MaxMarks] on one base character are removed.
func Clean(s string) Text { return Text{clean(s, false)} }

// Line is [Clean] for text of one line: line breaks become spaces, and spaces
// are trimmed at both ends and folded in between.
func Line(s string) Text {
	return Text{strings.Join(strings.Fields(clean(s, true)), " ")}
}

// String returns the safe text.
func (t Text) String() string { return t.s }

// IsZero reports whether t is the empty text.
func (t Text) IsZero() bool { return t.s == "" }

// MarshalJSON encodes t as a JSON string.
func (t Text) MarshalJSON() ([]byte, error) { return json.Marshal(t.s) }

// UnmarshalJSON cleans the decoded text, so that a Text is safe from any source.
func (t *Text) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	*t = Clean(s)
	return nil
}

// tab replaces a tab: its width depends on its place, which is not known here.
const tab = "    "

const (
	nextLine           = 0x85
	lineSeparator      = 0x2028
	paragraphSeparator = 0x2029
	nonJoiner          = 0x200C
	joiner             = 0x200D
)

func clean(s string, oneLine bool) string {
	var b strings.Builder
	b.Grow(len(s))
	marks := 0
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		invalid := r == utf8.RuneError && n == 1
		i += n
		if invalid {
			b.WriteRune(utf8.RuneError)
			marks = 0
			continue
		}

		// Characters that break a line, and joiners, which have an effect of their own.
		switch r {
		case '\r', '\n', nextLine, lineSeparator, paragraphSeparator:
			if r == '\r' && i < len(s) && s[i] == '\n' {
				i++
			}
			if oneLine {
				b.WriteByte(' ')
			} else {
				b.WriteByte('\n')
			}
			marks = 0
			continue
		case '\t':
			b.WriteString(tab)
			marks = 0
			continue
		case nonJoiner, joiner:
			// A joiner counts as a mark: a run of them is as hostile.
			if marks < MaxMarks {
				b.WriteRune(r)
			}
			marks++
			continue
		}

		switch {
		case unicode.Is(unicode.Cc, r):
			b.WriteRune(utf8.RuneError)
			marks = 0
		case unicode.In(r, unicode.Cf, unicode.Co), nonCharacter(r):
			// Left out, and no base for marks.
		case unicode.Is(unicode.M, r):
			if marks < MaxMarks {
				b.WriteRune(r)
			}
			marks++
		default:
			b.WriteRune(r)
			marks = 0
		}
	}

	return b.String()
}

// nonCharacter reports the 66 code points that Unicode reserves for internal
// use (Unicode 16, section 23.7).
func nonCharacter(r rune) bool {
	return r&0xFFFE == 0xFFFE || (r >= 0xFDD0 && r <= 0xFDEF)
}
