package term

import (
	"strings"
	"unicode/utf8"
)

const (
	zeroWidthJoiner = 0x200D
	emojiSelector   = 0xFE0F
	keycap          = 0x20E3
	firstSkin       = 0x1F3FB
	lastSkin        = 0x1F3FF
	firstFlag       = 0x1F1E6 // regional indicator A
	lastFlag        = 0x1F1FF
	firstEmoji      = 0x203C // joined characters below are letters
)

// Beyond stands for the part of an emoji that is not drawn.
const Beyond = '\u207a' // ⁺

// Steady replaces the emoji of disputed width, where the terminal does not count
// grapheme clusters. A joined emoji becomes its parts with a mark between them, a skin
// tone the mark, and a flag or a key its letters in brackets: nothing is left out without
// a sign. A line that is wider on the terminal than here would push everything after it
// out of place.
func (c Cells) Steady(s string) string {
	if c.Graphemes || !strings.ContainsFunc(s, unsteady) {
		return s
	}

	out := make([]byte, 0, len(s)+8)
	base, at := rune(0), 0 // the last character that was not a mark, and its place
	marked := false        // the mark is the last character

	mark := func() {
		if !marked {
			out = utf8.AppendRune(out, Beyond)
			marked = true
		}
	}
	for s != "" {
		r, n := utf8.DecodeRuneInString(s)
		s = s[n:]
		next, _ := utf8.DecodeRuneInString(s)
		switch {
		case r == zeroWidthJoiner && base < firstEmoji:
			out = utf8.AppendRune(out, r)
		case r == zeroWidthJoiner:
			if s != "" && next >= firstEmoji {
				mark()
			}
		case r == emojiSelector:
		case r == keycap:
			if base > ' ' && base < utf8.RuneSelf && at == len(out)-1 {
				out = append(out[:at], '[', byte(base), ']')
			}
		case r >= firstSkin && r <= lastSkin:
			mark()
		case flag(r) && flag(next):
			s = s[utf8.RuneLen(next):]
			out = append(out, '[', 'A'+byte(r-firstFlag), 'A'+byte(next-firstFlag), ']')
			base, marked = 0, false
		default:
			if flag(r) {
				r = 'A' + r - firstFlag
			}
			base, at, marked = r, len(out), r == Beyond
			out = utf8.AppendRune(out, r)
		}
	}
	return string(out)
}

func flag(r rune) bool { return r >= firstFlag && r <= lastFlag }

func unsteady(r rune) bool {
	return r == zeroWidthJoiner || r == emojiSelector || r == keycap ||
		r >= firstSkin && r <= lastSkin || r >= firstFlag && r <= lastFlag
}
