package chatview

import (
	"strings"

	"starling/tui/theme"
)

// A style is how a byte of text is drawn, in bits that add up.
type style uint8

const (
	bold style = 1 << iota
	italic
	code
	link
	found
)

// rich is text with a style for each byte; nil styles are plain text.
type rich struct {
	text   string
	styles []style
}

// inline reads the marks within one line: **bold**, *italic* or _italic_,
// `code`, [text](target) and bare addresses. The target of a link is always written out
// behind its text, and nothing is made clickable: the words of a link cannot hide its
// target. A mark without its end stays as it is. It takes linear time.
func inline(line string) rich {
	if !strings.ContainsAny(line, "*_`[:") {
		return rich{text: line}
	}
	p := parser{}
	p.text.Grow(len(line) + 8)
	p.parse(line, 0)
	if !p.styled {
		return rich{text: p.text.String()}
	}
	return rich{p.text.String(), p.styles}
}

type parser struct {
	text   strings.Builder
	styles []style
	styled bool
}

func (p *parser) put(s string, st style) {
	p.text.WriteString(s)
	for range len(s) {
		p.styles = append(p.styles, st)
	}
	p.styled = p.styled || st != 0
}

// parse reads s, which is drawn with st. Each mark opens only once within
// itself, so the depth is two at most.
func (p *parser) parse(s string, st style) {
	// Marks that have no end further on: one and two of ` * _ each.
	var hopeless [7]bool // and three ` at the end

	for i := 0; i < len(s); {
		rest := s[i:]
		switch c := s[i]; {
		case c == '\\' && len(rest) > 1 && strings.IndexByte("*_`[", rest[1]) >= 0:
			p.put(rest[1:2], st)
			i += 2
			continue
		case c == '`':
			n := run(rest, '`')
			slot := n - 1
			if n == 3 {
				slot = len(hopeless) - 1
			}
			if n <= 3 && !hopeless[slot] {
				if end := endOfCode(rest[n:], n); end > 0 {
					p.put(rest[n:n+end], st&^(bold|italic)|code)
					i += n + end + n
					continue
				}
				hopeless[slot] = true
			}
			p.put(rest[:n], st)
			i += n
			continue
		case c == '*' || c == '_':
			n := run(rest, c)

			mark := style(0)
			switch n {
			case 1:
				mark = italic
			case 2:
				mark = bold
			}
			slot := 1 + n
			if c == '_' {
				slot = 3 + n
			}
			if mark != 0 && st&mark == 0 && opens(s, i, n) && !hopeless[slot] {
				if end := closing(s, i+n, c, n); end > 0 {
					p.parse(s[i+n:end], st|mark)
					i = end + n
					continue
				}
				hopeless[slot] = true
			}
			p.put(rest[:n], st)
			i += n
			continue
		case c == '[':
			if text, target, n := bracketed(rest); n > 0 {
				p.put(text, st)
				p.put(" (", st)
				p.put(target, st|link)
				p.put(")", st)
				i += n
				continue
			}
		case (c == 'h' || c == 's') && (i == 0 || !word(s[i-1])):
			if n := address(rest); n > 0 {
				p.put(rest[:n], st|link)
				i += n
				continue
			}
		}

		// Nothing begins here.
		p.put(rest[:1], st)
		i++
	}
}

// run counts how often c stands at the beginning of s.
func run(s string, c byte) int {
	n := 0
	for n < len(s) && s[n] == c {
		n++
	}
	return n
}

func word(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// opens reports whether the mark of n bytes at i may begin something: it does
// not stand within a word, and no space follows.
func opens(s string, i, n int) bool {
	if i > 0 && (word(s[i-1]) || s[i] == '_' && s[i-1] >= 0x80) {
		return false
	}
	return i+n < len(s) && s[i+n] != ' '
}

// closing finds the mark of exactly n times c that closes one at from, -1 if there is
// none.
func closing(s string, from int, c byte, n int) int {
	for i := from; i < len(s); {
		switch s[i] {
		case '\\':
			i += 2
		case c:
			k := run(s[i:], c)
			after := i + k
			if k == n && i > from && s[i-1] != ' ' &&
				(after == len(s) || !word(s[after]) && (c != '_' || s[after] < 0x80)) {
				return i
			}
			i = after
		default:
			i++
		}
	}
	return -1
}

// endOfCode finds the run of exactly n backticks, 0 if there is none or
// nothing before it.
func endOfCode(s string, n int) int {
	for i := 0; i < len(s); {
		if s[i] != '`' {
			i++
			continue
		}
		k := run(s[i:], '`')
		if k == n {
			return i
		}
		i += k
	}
	return 0
}

// bracketed reads [text](target) and returns its length, 0 if it is none.
func bracketed(s string) (text, target string, n int) {
	end := strings.IndexAny(s[1:], "[]")
	if end <= 0 || s[1+end] == '[' || !strings.HasPrefix(s[2+end:], "(") {
		return "", "", 0
	}
	text = s[1 : 1+end]
	s = s[3+end:]
	stop := strings.IndexAny(s, ")( [")
	if stop <= 0 || s[stop] != ')' {
		return "", "", 0
	}
	return text, s[:stop], 3 + end + stop + 1
}

// address returns the length of a bare address at the beginning of s.
func address(s string) int {
	scheme := 0
	for _, x := range []string{"https://", "http://", "starling:"} {
		if strings.HasPrefix(s, x) {
			scheme = len(x)
		}
	}
	if scheme == 0 {
		return 0
	}
	n := strings.IndexAny(s, " <>\"`")
	if n < 0 {
		n = len(s)
	}
	n = len(strings.TrimRight(s[:n], ".,;:!?)]*_'"))
	if n <= scheme {
		return 0
	}
	return n
}

// wrapRich lays out text with its styles.
func (v *View) wrapRich(r rich, width int) []string {
	lines := v.th.Cells.Wrap(r.text, width)
	if r.styles == nil {
		return lines
	}
	at := 0
	for i, line := range lines {
		// Wrapping dropped spaces and line feeds.
		for at < len(r.text) && !strings.HasPrefix(r.text[at:], line) && (r.text[at] == ' ' || r.text[at] == '\n') {
			at++
		}
		if !strings.HasPrefix(r.text[at:], line) {
			break // it was not showable as it was; the rest stays plain
		}
		lines[i] = v.paint(line, r.styles[at:at+len(line)])
		at += len(line)
	}
	return lines
}

// paint draws a line. One character on the screen keeps one style, so that its
// width stays the same.
func (v *View) paint(line string, styles []style) string {
	var b strings.Builder
	from, cur := 0, style(0)
	flush := func(to int) {
		if to > from {
			b.WriteString(v.role(cur).Render(line[from:to]))
			from = to
		}
	}
	for i := 0; i < len(line); {
		cluster, _ := v.th.Cells.Next(line[i:])
		if styles[i] != cur {
			flush(i)
			cur = styles[i]
		}
		i += len(cluster)
	}
	flush(len(line))
	return b.String()
}

func (v *View) role(st style) theme.Role {
	switch {
	case st&found != 0:
		return v.th.Found
	case st&code != 0:
		return v.th.Code
	case st&link != 0:
		return v.th.Link
	case st&(bold|italic) == bold|italic:
		return v.th.StrongEmphasis
	case st&bold != 0:
		return v.th.Strong
	case st&italic != 0:
		return v.th.Emphasis
	}
	return v.th.Text
}
