package safetext

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/clipperhouse/uax29/v2/graphemes"
)

// MaxEmoji is the longest emoji in bytes.
const MaxEmoji = 32

// The characters that join and change an emoji.
const (
	asEmoji   = '\ufe0f'
	enclosing = '\u20e3' // a key around a digit
	blackFlag = '\U0001f3f4'
	lastTag   = '\U000e007f'
)

// Emoji returns the emoji of a reaction, "" if it is not exactly one: one grapheme
// that begins like an emoji and holds nothing else, so that nobody writes words, or
// marks of ours, under somebody else's message. It is the one rule, for receiving,
// sending and typing.
func Emoji(s string) string {
	s = strings.TrimSpace(s)
	if len(s) > MaxEmoji || !utf8.ValidString(s) {
		return ""
	}
	if one := graphemes.FromString(s); !one.Next() || one.Value() != s {
		return ""
	}

	first, n := utf8.DecodeRuneInString(s)
	rest := []rune(s[n:])
	switch {
	case isRegional(first):
		if len(rest) != 1 || !isRegional(rest[0]) {
			return ""
		}
	case strings.ContainsRune("0123456789#*", first):
		if after := string(rest); after != string(asEmoji)+string(enclosing) && after != string(enclosing) {
			return ""
		}
	case !isPictograph(first) || !joins(first, rest):
		return ""
	}
	return s
}

// joins reports whether the rest behind a pictograph belongs to an emoji: a style, a
// skin, the tags of a flag up to their end, or another pictograph with a joiner before it.
func joins(before rune, rest []rune) bool {
	for i, r := range rest {
		switch {
		case r == asEmoji:
			if !isPictograph(before) {
				return false
			}
		case isSkin(r):
			if !isPictograph(before) && before != asEmoji {
				return false
			}

		case r == joiner:
			if before == joiner || i == len(rest)-1 {
				return false
			}
		case isTag(r):
			if !isTag(before) && before != blackFlag || before == lastTag || i == len(rest)-1 && r != lastTag {
				return false
			}

		case isPictograph(r):
			if before != joiner {
				return false
			}
		default:
			return false
		}
		before = r
	}
	return true
}

func isRegional(r rune) bool { return r >= 0x1f1e6 && r <= 0x1f1ff }
func isSkin(r rune) bool     { return r >= 0x1f3fb && r <= 0x1f3ff }
func isTag(r rune) bool      { return r >= 0xe0020 && r <= lastTag }

// isPictograph reports whether a character is an emoji of its own: of the newer blocks
// the extended pictographs of Unicode, of the older ones the emoji alone.
func isPictograph(r rune) bool {
	if isSkin(r) || isTag(r) {
		return false
	}
	if r < 0x1f000 {
		return unicode.Is(oldEmoji, r)
	}

	// A pictograph, and nothing else, a joiner joins to the one before it (UAX 29, rule
	// GB11).
	const before = "\U0001f600\u200d"
	joined := graphemes.FromString(before + string(r))
	alone := graphemes.FromString("a" + string(r)) // else it joins anything before it
	return joined.Next() && len(joined.Value()) > len(before) && alone.Next() && len(alone.Value()) == 1
}

// oldEmoji are the emoji below U+1F000 (emoji-data.txt, Emoji and not a digit).
var oldEmoji = &unicode.RangeTable{
	LatinOffset: 2,
	R16: []unicode.Range16{
		{0xa9, 0xa9, 1}, {0xae, 0xae, 1}, {0x203c, 0x203c, 1}, {0x2049, 0x2049, 1}, {0x2122, 0x2122, 1},
		{0x2139, 0x2139, 1}, {0x2194, 0x2199, 1}, {0x21a9, 0x21aa, 1}, {0x231a, 0x231b, 1}, {0x2328, 0x2328, 1},
		{0x23cf, 0x23cf, 1}, {0x23e9, 0x23f3, 1}, {0x23f8, 0x23fa, 1}, {0x24c2, 0x24c2, 1}, {0x25aa, 0x25ab, 1},
		{0x25b6, 0x25b6, 1}, {0x25c0, 0x25c0, 1}, {0x25fb, 0x25fe, 1}, {0x2600, 0x2604, 1}, {0x260e, 0x260e, 1},
		{0x2611, 0x2611, 1}, {0x2614, 0x2615, 1}, {0x2618, 0x2618, 1}, {0x261d, 0x261d, 1}, {0x2620, 0x2620, 1},
		{0x2622, 0x2623, 1}, {0x2626, 0x2626, 1}, {0x262a, 0x262a, 1}, {0x262e, 0x262f, 1}, {0x2638, 0x263a, 1},
		{0x2640, 0x2640, 1}, {0x2642, 0x2642, 1}, {0x2648, 0x2653, 1}, {0x265f, 0x2660, 1}, {0x2663, 0x2663, 1},
		{0x2665, 0x2666, 1}, {0x2668, 0x2668, 1}, {0x267b, 0x267b, 1}, {0x267e, 0x267f, 1}, {0x2692, 0x2697, 1},
		{0x2699, 0x2699, 1}, {0x269b, 0x269c, 1}, {0x26a0, 0x26a1, 1}, {0x26a7, 0x26a7, 1}, {0x26aa, 0x26ab, 1},
		{0x26b0, 0x26b1, 1}, {0x26bd, 0x26be, 1}, {0x26c4, 0x26c5, 1}, {0x26c8, 0x26c8, 1}, {0x26ce, 0x26cf, 1},
		{0x26d1, 0x26d1, 1}, {0x26d3, 0x26d4, 1}, {0x26e9, 0x26ea, 1}, {0x26f0, 0x26f5, 1}, {0x26f7, 0x26fa, 1},
		{0x26fd, 0x26fd, 1}, {0x2702, 0x2702, 1}, {0x2705, 0x2705, 1}, {0x2708, 0x270d, 1}, {0x270f, 0x270f, 1},
		{0x2712, 0x2712, 1}, {0x2714, 0x2714, 1}, {0x2716, 0x2716, 1}, {0x271d, 0x271d, 1}, {0x2721, 0x2721, 1},
		{0x2728, 0x2728, 1}, {0x2733, 0x2734, 1}, {0x2744, 0x2744, 1}, {0x2747, 0x2747, 1}, {0x274c, 0x274c, 1},
		{0x274e, 0x274e, 1}, {0x2753, 0x2755, 1}, {0x2757, 0x2757, 1}, {0x2763, 0x2764, 1}, {0x2795, 0x2797, 1},
		{0x27a1, 0x27a1, 1}, {0x27b0, 0x27b0, 1}, {0x27bf, 0x27bf, 1}, {0x2934, 0x2935, 1}, {0x2b05, 0x2b07, 1},
		{0x2b1b, 0x2b1c, 1}, {0x2b50, 0x2b50, 1}, {0x2b55, 0x2b55, 1}, {0x3030, 0x3030, 1}, {0x303d, 0x303d, 1},
		{0x3297, 0x3297, 1}, {0x3299, 0x3299, 1},
	},
}
