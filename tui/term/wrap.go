package term

import (
	"strings"
	"unicode/utf8"
)

// Wrap breaks text into lines of at most w cells: at line feeds, at spaces,
// after a wide character, and within a word only if it is longer than a line.
// Spaces at a break are dropped, those that indent a line are kept. The text
// must not hold escape sequences. There is always at least one line.
func (c Cells) Wrap(s string, w int) []string {
	w = max(w, 1)
	var out []string
	for line := range strings.SplitSeq(s, "\n") {
		out = c.wrapLine(out, line, w)
	}
	return out
}

// wrapLine appends the lines of one paragraph to out.
func (c Cells) wrapLine(out []string, s string, w int) []string {
	if len(s) <= w && plainASCII(s) {
		return append(out, strings.TrimRight(s, " "))
	}
	start := 0     // of the line, in bytes
	width := 0     // of s[start:i]
	brk := -1      // byte after which the line may break
	brkWidth := 0  // width of s[start:brk]
	indent := true // only spaces so far

	for i := 0; i < len(s); {
		cluster, n := c.Next(s[i:])
		if n > w || len(cluster) > maxCluster {
			s = s[:i] + c.showable(s[i:], w)
			continue
		}

		// The line ends here, at a space, at the last place to break, or anywhere.
		if width+n > w {
			if cluster == " " {
				// The space that does not fit ends the line.
				out = append(out, strings.TrimRight(s[start:i], " "))
				for i < len(s) && s[i] == ' ' {
					i++
				}
				start, width, brk = i, 0, -1
				continue
			}
			if brk > start {
				out = append(out, strings.TrimRight(s[start:brk], " "))
				start, width = brk, width-brkWidth
			} else {
				out = append(out, s[start:i])
				start, width = i, 0
			}
			brk, indent = -1, false
			continue
		}

		i += len(cluster)
		width += n

		switch {
		case cluster == " ":
			if !indent {
				brk, brkWidth = i, width
			}
		case n == 2:
			brk, brkWidth, indent = i, width, false
		default:
			indent = false
		}
	}
	return append(out, strings.TrimRight(s[start:], " "))
}

// showable replaces the characters that do not fit a line of w cells or that
// are monstrous.
func (c Cells) showable(s string, w int) string {
	var b strings.Builder
	for s != "" {
		cluster, n := c.Next(s)
		s = s[len(cluster):]
		if n > w || len(cluster) > maxCluster {
			b.WriteRune(utf8.RuneError)
		} else {
			b.WriteString(cluster)
		}
	}
	return b.String()
}

// Chop breaks text into lines of at most w cells without regard to words, for
// code, where every space counts.
func (c Cells) Chop(s string, w int) []string {
	w = max(w, 1)
	if len(s) <= w && plainASCII(s) {
		return []string{s}
	}
	var out []string
	var b strings.Builder
	width := 0
	for s != "" {
		cluster, n := c.Next(s)
		s = s[len(cluster):]
		if n > w || len(cluster) > maxCluster {
			cluster, n = string(utf8.RuneError), 1
		}
		if width+n > w {
			out = append(out, b.String())
			b.Reset()
			width = 0
		}
		b.WriteString(cluster)
		width += n
	}
	return append(out, b.String())
}
