package term

import "strings"

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

// Steady replaces the emoji of disputed width, where the terminal does not count
// grapheme clusters: of a joined emoji the first one stays, without skin tone or
// selector, and a flag becomes its two letters. A line that is wider on the terminal
// than here would push everything after it out of place.
func (c Cells) Steady(s string) string {
	if c.Graphemes || !strings.ContainsFunc(s, unsteady) {
		return s
	}

	var b strings.Builder
	b.Grow(len(s))
	var base rune        // the last character that was not a mark
	var joined, cut bool // the next character is joined; it is left out

	for _, r := range s {
		switch {
		case r == zeroWidthJoiner:
			if joined = base >= firstEmoji; !joined {
				b.WriteRune(r)
			}
			continue
		case r == emojiSelector, r == keycap, r >= firstSkin && r <= lastSkin:
			continue
		case r >= firstFlag && r <= lastFlag:
			r = 'A' + r - firstFlag
		}

		cut = joined && r >= firstEmoji
		joined = false
		if !cut {
			b.WriteRune(r)
			base = r
		}
	}
	return b.String()
}

func unsteady(r rune) bool {
	return r == zeroWidthJoiner || r == emojiSelector || r == keycap ||
		r >= firstSkin && r <= lastSkin || r >= firstFlag && r <= lastFlag
}
