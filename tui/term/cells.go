// Package term knows the terminal: how many cells text takes in it, how text is cut and
// wrapped to fit, and its kind.
//
// Everything that measures text in the app uses one [Cells], because the
// screen falls apart where two measures disagree. Terminals differ in how
// they count emoji: most add up code points, newer ones count a whole
// grapheme cluster (mode 2027). The renderer starts with the first way and
// changes to the second when the terminal answers that it can; Cells must
// then change with it.
package term

import (
	"strings"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
)

// Ellipsis ends text that was cut.
const Ellipsis = "…"

// maxCluster is the longest user-perceived character shown, in bytes. The
// longest emoji take 35; a chain of thousands joined into one would fill one
// cell with kilobytes at every redraw.
const maxCluster = 64

// Cells measures text. The zero value adds up code points (wcwidth).
type Cells struct {
	// Graphemes counts whole grapheme clusters (mode 2027).
	Graphemes bool
}

func (c Cells) method() ansi.Method {
	if c.Graphemes {
		return ansi.GraphemeWidth
	}
	return ansi.WcWidth
}

// Width returns the number of cells of one line; our own styling sequences
// take none.
func (c Cells) Width(s string) int {
	if plainASCII(s) {
		return len(s)
	}
	n, _ := c.measure(s)
	return n
}

// measure returns the cells of a line and whether there is a monstrous
// character in it.
func (c Cells) measure(s string) (n int, monster bool) {
	for s != "" {
		piece, w := c.piece(s)
		s, n = s[len(piece):], n+w
		monster = monster || len(piece) > maxCluster
	}
	return n, monster
}

// Truncate cuts a line to at most w cells and ends it with an ellipsis if
// anything was cut.
func (c Cells) Truncate(s string, w int) string {
	if w <= 0 {
		return ""
	}
	if c.Width(s) <= w {
		return s
	}
	return c.cut(s, w, Ellipsis)
}

// cut keeps the first w cells of a line, the last of them tail, and every styling
// sequence, so that each that was opened is closed.
func (c Cells) cut(s string, w int, tail string) string {
	room := w - c.Width(tail)
	var b strings.Builder
	full := false
	for s != "" {
		piece, n := c.piece(s)
		s = s[len(piece):]
		switch {
		case n == 0 && piece[0] == escape:
			b.WriteString(piece)
		case full:
		case n > room:
			b.WriteString(tail)
			full = true
		case len(piece) > maxCluster:
			b.WriteRune(utf8.RuneError)
			room--
		default:
			b.WriteString(piece)
			room -= n
		}
	}
	return b.String()
}

// drop removes the first w cells of a line and keeps the styling in force. A
// wide character cut in half is removed.
func (c Cells) drop(s string, w int) string {
	var b strings.Builder
	for s != "" && w > 0 {
		piece, n := c.piece(s)
		s, w = s[len(piece):], w-n
		if n == 0 && piece[0] == escape {
			b.WriteString(piece)
		}
	}
	for s != "" {
		// Marks that belonged to the removed text.
		piece, n := c.piece(s)
		if n > 0 || piece[0] == escape {
			break
		}
		s = s[len(piece):]
	}
	b.WriteString(s)
	return b.String()
}

// Fit makes a line exactly w cells wide: cut, or padded with spaces.
func (c Cells) Fit(s string, w int) string {
	if w <= 0 {
		return ""
	}
	if plainASCII(s) && len(s) <= w {
		return s + Spaces(w-len(s))
	}

	n, monster := c.measure(s)
	switch {
	case n > w:
		s = c.cut(s, w, Ellipsis)
		n = c.Width(s)
	case monster:
		s = c.cut(s, w, "")
		n = c.Width(s)
	}

	// A character that joins the spaces behind it would swallow one.
	for c.prepends(s) {
		_, size := utf8.DecodeLastRuneInString(s)
		if s, n = s[:len(s)-size], c.Width(s[:len(s)-size]); n < w {
			s += string(utf8.RuneError)
			n = c.Width(s)
		}
	}
	return s + Spaces(w-n)
}

// prepends reports whether a line ends in one of the few letters that join the
// next character (Prepend in Unicode Annex 29), and would swallow the space or
// the border that comes behind it.
func (c Cells) prepends(s string) bool {
	if !c.Graphemes || s == "" || s[len(s)-1] < utf8.RuneSelf {
		return false
	}
	r, _ := utf8.DecodeLastRuneInString(s)
	cluster, _ := ansi.FirstGraphemeCluster(string(r)+" ", ansi.GraphemeWidth)
	return len(cluster) > len(string(r))
}

// Ends puts left and right at the ends of a line of exactly w cells. The right
// one is kept; the left one is cut to leave a space before it.
func (c Cells) Ends(left, right string, w int) string {
	r := c.Width(right)
	if r == 0 {
		return c.Fit(left, w)
	}
	if r >= w {
		return c.Fit(right, w)
	}
	return c.Fit(left, w-r-1) + " " + right
}

// Center puts s in the middle of a line of exactly w cells.
func (c Cells) Center(s string, w int) string {
	n := c.Width(s)
	if n >= w {
		return c.Fit(s, w)
	}
	left := (w - n) / 2
	return Spaces(left) + s + Spaces(w-n-left)
}

// Over lays a line over another, starting at cell x, and keeps the cells to the left
// and right of it. under is w cells wide.
func (c Cells) Over(under, over string, x, w int) string {
	right := x + c.Width(over)
	left := c.cut(under, x, "")
	var b strings.Builder
	b.WriteString(left)
	b.WriteString(Spaces(x - c.Width(left)))
	b.WriteString(over)
	if right < w {
		rest := c.drop(under, right)
		b.WriteString(Spaces(w - right - c.Width(rest)))
		b.WriteString(rest)
	}
	return b.String()
}

const (
	escape    = 0x1b
	hyperlink = "\x1b]8;" // as ansi.SetHyperlink writes it, up to a bell
	bell      = 0x07
)

// piece returns the first character of s, or the first styling sequence (CSI
// … m, or OSC 8 … for a hyperlink), which has no width.
func (c Cells) piece(s string) (string, int) {
	if s[0] != escape {
		return c.Next(s)
	}
	if len(s) > 1 && s[1] == '[' {
		for i := 2; i < len(s); i++ {
			if s[i] >= '@' && s[i] <= '~' {
				return s[:i+1], 0
			}
		}
	}
	if strings.HasPrefix(s, hyperlink) {
		if i := strings.IndexByte(s, bell); i >= 0 {
			return s[:i+1], 0
		}
	}
	return s[:1], 0
}

// Next returns the first user-perceived character of s and its cells. It is
// empty only if s is.
func (c Cells) Next(s string) (cluster string, width int) {
	if s == "" {
		return "", 0
	}
	r, n := utf8.DecodeRuneInString(s)
	w := 0
	switch {
	case r < ' ' || r == 0x7f:
		return s[:1], 0
	case r < utf8.RuneSelf:
		w = 1
	case narrowNotAmbiguous:
		w = plain(r)
	}
	if w > 0 {
		if n == len(s) || s[n] < utf8.RuneSelf {
			return s[:n], w
		}
		if next, _ := utf8.DecodeRuneInString(s[n:]); plain(next) > 0 {
			return s[:n], w
		}
	}
	return ansi.FirstGraphemeCluster(s, c.method())
}

// narrowNotAmbiguous is false where the environment asks for ambiguous
// characters to be wide, and [plain] does not hold.
var narrowNotAmbiguous = ansi.StringWidthWc("я") == 1 && ansi.StringWidth("я") == 1

// plain returns the cells of a character that never joins another one before
// or after it, 0 for any that might. It spares most text the search for
// clusters; a test compares it with that.
func plain(r rune) int {
	switch {
	case r >= 0xa1 && r <= 0x2ff && r != 0xad && r != 0xa9 && r != 0xae, // Latin
		r >= 0x391 && r <= 0x3a1, r >= 0x3b1 && r <= 0x3c9, // Greek
		r >= 0x400 && r <= 0x481, r >= 0x48a && r <= 0x52f, // Cyrillic
		r >= 0x5d0 && r <= 0x5ea, r >= 0x620 && r <= 0x64a, // Hebrew, Arabic
		r >= 0x2010 && r <= 0x2027, r >= 0x2500 && r <= 0x257f, // punctuation, lines
		r == utf8.RuneError:
		return 1
	case r >= 0x3041 && r <= 0x3096, r >= 0x30a1 && r <= 0x30fa, // kana
		r >= 0x3400 && r <= 0x4dbf, r >= 0x4e00 && r <= 0x9fff, // Han
		r >= 0xac00 && r <= 0xd7a3, // Hangul
		r == 0x3001, r == 0x3002, r >= 0xff01 && r <= 0xff5e:
		return 2
	}
	return 0
}

// Spaces returns n spaces, none if n is negative.
func Spaces(n int) string {
	const some = "                                                                                                                                "
	switch {
	case n <= 0:
		return ""
	case n <= len(some):
		return some[:n]
	}
	return strings.Repeat(" ", n)
}

func plainASCII(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
