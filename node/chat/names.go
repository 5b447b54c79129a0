package chat

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"starling/node/api"
	"starling/node/api/safetext"
)

// Two names that look the same are one name to people. A contact chooses theirs, so no
// invisible characters may stand in a name. Names that differ by no more than those, or
// by case, count as the same ([SameName]). Letters of other scripts that look alike do
// differ.

// apart are scripts with letters that never join, and the characters between words: no
// joiner and no variation selector has an effect behind them.
var apart = []*unicode.RangeTable{
	unicode.Latin, unicode.Greek, unicode.Cyrillic, unicode.Armenian, unicode.Georgian, unicode.Hebrew,
	unicode.Han, unicode.Hangul, unicode.Hiragana, unicode.Katakana, unicode.Nd, unicode.Z, unicode.P,
}

const (
	braillePatternBlank = 0x2800
	emojiStyle          = 0xFE0F
	keycap              = 0x20E3
)

// legible returns a name as one safe line of characters that can be seen, and "" if
// there is none.
func legible(s string) string {
	var b strings.Builder
	before, seen := ' ', false
	runes := []rune(safetext.Line(s).String())

	for i, r := range runes {
		mark := unicode.Is(unicode.M, r)
		switch {
		case r == braillePatternBlank, unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r):
			continue
		case unicode.Is(unicode.Join_Control, r), unicode.Is(unicode.Variation_Selector, r):
			capped := r == emojiStyle && i+1 < len(runes) && runes[i+1] == keycap
			// Invisible between letters they make two names that look the same.
			if unicode.In(before, apart...) && !capped || before == r {
				continue
			}

		case mark && !seen:
			continue // on nothing, it would be on the text before the name
		case !mark:
			seen = seen || unicode.In(r, unicode.L, unicode.N, unicode.P, unicode.S)
		}
		b.WriteRune(r)
		if !mark {
			before = r
		}
	}

	if !seen {
		return ""
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// ShortName cuts a name to so many bytes.
func ShortName(s string, most int) string {
	for len(s) > most {
		_, n := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-n]
	}
	return strings.TrimSpace(s)
}

// SameName reports whether people would take two names for the same.
func SameName(a, b string) bool { return skeleton(a) == skeleton(b) }

// skeleton is a name without case, spaces, and signs that only change the drawing of
// letters.
func skeleton(s string) string {
	s = strings.ToLower(norm.NFKC.String(s))
	return norm.NFC.String(strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Join_Control, r) || unicode.Is(unicode.Variation_Selector, r) || unicode.IsSpace(r) {
			return -1
		}
		return r
	}, s))
}

// OwnName reports whether people would take a name for that of the note to self: what
// they write to it stays with them, and would be sent.
func OwnName(name string) bool {
	return slices.ContainsFunc(api.SelfNames, func(own string) bool { return SameName(name, own) })
}
