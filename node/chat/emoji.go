package chat

import (
	"strings"
	"unicode/utf8"

	"github.com/clipperhouse/uax29/v2/graphemes"

	"starling/node/api"
)

// The characters that join and change an emoji.
const (
	joiner    = '\u200d'
	asEmoji   = '\ufe0f'
	enclosing = '\u20e3' // a key around a digit
)

// CleanEmoji returns the emoji of a reaction, "" if it is not exactly one: one
// grapheme that begins like an emoji and holds nothing else, so that nobody writes
// words, or marks of ours, under somebody else's message.
func CleanEmoji(s string) string {
	if len(s) > api.MaxEmoji || !utf8.ValidString(s) {
		return ""
	}

	s = strings.TrimSpace(s)
	if one := graphemes.FromString(s); !one.Next() || one.Value() != s {
		return ""
	}

	first, n := utf8.DecodeRuneInString(s)
	rest := s[n:]
	switch {
	case isRegional(first):
		if second, n := utf8.DecodeRuneInString(rest); !isRegional(second) || len(rest) != n {
			return ""
		}
		return s
	case strings.ContainsRune("0123456789#*", first):
		if rest != string(asEmoji)+string(enclosing) && rest != string(enclosing) {
			return ""
		}
		return s
	case !isPictograph(first):
		return ""
	}

	// A pictograph may have others joined to it, and nothing else.
	for _, r := range rest {
		if r != joiner && r != asEmoji && !isSkin(r) && !isTag(r) && !isPictograph(r) {
			return ""
		}
	}
	return s
}

func isRegional(r rune) bool { return r >= 0x1f1e6 && r <= 0x1f1ff }
func isSkin(r rune) bool     { return r >= 0x1f3fb && r <= 0x1f3ff }
func isTag(r rune) bool      { return r >= 0xe0020 && r <= 0xe007f } // of the flags of regions

// isPictograph reports whether Unicode calls a character an extended pictograph:
// those, and no others, a joiner joins to the one before it (UAX 29, rule GB11).
func isPictograph(r rune) bool {
	if r == joiner || r == asEmoji || isSkin(r) || isTag(r) || r < 0x80 {
		return false
	}
	const before = "\U0001f600\u200d"
	joined := graphemes.FromString(before + string(r))
	alone := graphemes.FromString("a" + string(r)) // else it joins whatever is before it
	return joined.Next() && len(joined.Value()) > len(before) && alone.Next() && len(alone.Value()) == 1
}
