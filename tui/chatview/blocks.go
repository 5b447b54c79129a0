package chatview

import (
	"slices"
	"strings"

	"starling/tui/syntax"
	"starling/tui/theme"
)

// Painter colours code.
type Painter interface {
	// Paint returns the spans of code, nil if they are not known; later says that they
	// will be.
	Paint(language, code string) (spans []syntax.Span, later bool)
}

// SetPainter gives code its colours.
func (v *View) SetPainter(p Painter) { v.painter = p }

// Restless lays the view out if messages came that change by themselves, so that
// Unpainted and Counts know of them.
func (v *View) Restless() {
	if v.restless && v.height > 0 {
		v.restless = false
		v.list.View(source{v})
	}
}

// Unpainted reports whether code waits for its colours, which Repaint gives it.
func (v *View) Unpainted() bool { return len(v.unpainted) > 0 }

// Repaint lays out the messages anew that waited for colours.
func (v *View) Repaint() {
	for id := range v.unpainted {
		if i := v.at(id); i >= 0 {
			v.items[i].revision++
			v.items[i].long = nil
		}
	}
	clear(v.unpainted)
}

const fence = "```"

// opensCode reports whether code begins behind a line: it has a fence and at most one
// word, the language. A line that says more is text.
func opensCode(line string) (language string, ok bool) {
	word, ok := strings.CutPrefix(strings.TrimSpace(line), fence)
	word = strings.TrimSpace(word)
	return word, ok && !strings.ContainsAny(word, "` ")
}

// closesCode reports whether code ends before a line. Without such a line there is no
// code, and nothing of the text is left out.
func closesCode(line string) bool { return strings.TrimSpace(line) == fence }

// body lays out a text: paragraphs, lists, quotes and headings wrapped at words, fenced
// code as it is. id is that of its message.
func (v *View) body(id, text string, width int) []string {
	text = v.th.Cells.Steady(text)
	if v.hidden {
		return v.th.Cells.Wrap(v.th.Cells.Mask(text), width)
	}

	var out []string
	lines := strings.Split(text, "\n")
	last := len(lines) - 1 // where code can end
	for last >= 0 && !closesCode(lines[last]) {
		last--
	}
	for i := 0; i < len(lines); i++ {
		language, opens := opensCode(lines[i])
		if !opens || i >= last {
			out = append(out, v.block(lines[i], width)...)
			continue
		}
		end := i + 1
		for !closesCode(lines[end]) {
			end++
		}
		out = append(out, v.fenced(id, language, lines[i+1:end], width)...)
		i = end
	}

	if len(out) == 0 {
		return []string{v.th.Muted.Render(v.th.T("(empty code)"))}
	}
	return out
}

// fenced lays out code.
func (v *View) fenced(id, language string, lines []string, width int) []string {
	var spans []syntax.Span
	if v.painter != nil {
		var later bool
		if spans, later = v.painter.Paint(language, strings.Join(lines, "\n")); later {
			v.unpainted[id] = true
		}
	}

	var out []string
	c := &colours{th: v.th, spans: slices.Clone(spans)}
	for _, line := range lines {
		for _, piece := range v.th.Cells.Chop(line, width-indent) {
			out = append(out, v.th.Border.Render("│")+" "+c.draw(piece, line))
		}
		c.skip(len(line) + 1 - c.drawn)
		c.drawn = 0
	}
	return out
}

// colours draws code piece by piece.
type colours struct {
	th    *theme.Theme
	spans []syntax.Span // of the rest of the code
	drawn int           // bytes of the line
}

// draw draws the next piece of a line. One that was changed to be showable has one colour,
// and so has a character of the screen.
func (c *colours) draw(piece, line string) string {
	if c.spans == nil || !strings.HasPrefix(line[c.drawn:], piece) {
		c.spans = nil
		return c.th.Code.Render(piece)
	}
	c.drawn += len(piece)

	var b strings.Builder
	for piece != "" {
		n, kind := 0, syntax.Plain
		if len(c.spans) > 0 {
			kind = c.spans[0].Kind
		}
		for n < len(piece) && (len(c.spans) == 0 || n < c.spans[0].Bytes) {
			cluster, _ := c.th.Cells.Next(piece[n:])
			n += len(cluster)
		}
		b.WriteString(c.role(kind).Render(piece[:n]))
		piece = piece[n:]
		c.skip(n)
	}
	return b.String()
}

// skip leaves bytes of the code behind.
func (c *colours) skip(n int) {
	for n > 0 && len(c.spans) > 0 {
		taken := min(n, c.spans[0].Bytes)
		n -= taken
		if c.spans[0].Bytes -= taken; c.spans[0].Bytes == 0 {
			c.spans = c.spans[1:]
		}
	}
}

func (c *colours) role(k syntax.Kind) theme.Role {
	switch k {
	case syntax.Keyword:
		return c.th.CodeKeyword
	case syntax.String:
		return c.th.CodeString
	case syntax.Number:
		return c.th.CodeNumber
	case syntax.Comment:
		return c.th.Muted
	}
	return c.th.Code
}

const (
	// maxDepth is how deep quotes and lists are drawn within others.
	maxDepth = 4
	// glyphQuoted stands before quoted text. It is another one than that of an answer's
	// quote (theme.GlyphQuote), which no text of a contact can draw.
	glyphQuoted = "┊"
	glyphItem   = "•"
)

// A mark is the sign at the beginning of a line.
type mark struct {
	quotes  int    // how many > there are
	spaces  int    // before an item of a list
	item    string // what stands before an item, "" if it is none
	heading bool
	text    string // the rest
}

// markOf reads the sign at the beginning of a line.
func markOf(line string) mark {
	var m mark
	rest := line
	for m.quotes < maxDepth && strings.HasPrefix(rest, ">") {
		rest = strings.TrimPrefix(rest[1:], " ")
		m.quotes++
	}

	trimmed := strings.TrimLeft(rest, " ")
	spaces := len(rest) - len(trimmed)
	switch level, number := run(trimmed, '#'), digits(trimmed); {
	case level >= 1 && level <= 6 && spaces < 4 && len(trimmed) > level+1 && trimmed[level] == ' ':
		m.heading, rest = true, strings.TrimLeft(trimmed[level:], " ")
	case len(trimmed) > 2 && strings.IndexByte("-*+", trimmed[0]) >= 0 && trimmed[1] == ' ' && strings.TrimSpace(trimmed[2:]) != "":
		m.item, m.spaces, rest = glyphItem, min(spaces, 2*maxDepth), strings.TrimLeft(trimmed[2:], " ")
	case number > 0 && number <= 4 && len(trimmed) > number+2 && strings.IndexByte(".)", trimmed[number]) >= 0 && trimmed[number+1] == ' ':
		m.item, m.spaces, rest = trimmed[:number+1], min(spaces, 2*maxDepth), strings.TrimLeft(trimmed[number+2:], " ")
	}
	m.text = rest
	return m
}

// digits counts the digits at the beginning of s.
func digits(s string) int { return len(s) - len(strings.TrimLeft(s, "0123456789")) }

// block lays out one line of a text, with the sign at its beginning.
func (v *View) block(line string, width int) []string {
	m := markOf(line)
	base := style(0)
	if m.heading {
		base |= bold
	}
	if m.quotes > 0 {
		base |= quoted
	}
	first, next := "", ""
	if m.quotes > 0 {
		first = v.th.Border.Render(strings.Repeat(glyphQuoted+" ", m.quotes))
		next = first
	}
	taken := 2 * m.quotes
	if m.item != "" {
		w := m.spaces + v.th.Cells.Width(m.item) + 1
		first += strings.Repeat(" ", m.spaces) + v.th.Accent.Render(m.item) + " "
		next += strings.Repeat(" ", w)
		taken += w
	}
	if taken == 0 {
		return v.wrapRich(v.highlight(styled(m.text, base, v.note)), width)
	}
	if taken > width/2 { // nothing would be left for the text
		return v.wrapRich(v.highlight(inline(line, v.note)), width)
	}

	lines := v.wrapRich(v.highlight(styled(m.text, base, v.note)), width-taken)
	for i := range lines {
		if i == 0 {
			lines[i] = first + lines[i]
		} else {
			lines[i] = next + lines[i]
		}
	}
	return lines
}

// styled reads the marks within a text that is drawn with a style as a whole.
func styled(text string, base style, note func(string) string) rich {
	if base == 0 {
		return inline(text, note)
	}
	p := parser{note: note}
	p.parse(text, base)
	return rich{p.text.String(), p.styles, p.addresses}
}

// Preview is a text without the signs of markdown, for a line of a list: what stands in a
// conversation when it is drawn. Code stays as it is, but for its fences.
func Preview(text string) string {
	lines := strings.Split(text, "\n")
	out := make([]string, 0, len(lines))
	code := 0 // lines of it that follow
	for i, line := range lines {
		if code > 0 {
			if code--; code > 0 {
				out = append(out, line)
			}
			continue
		}
		if _, opens := opensCode(line); opens && len(lines) > 1 {
			code = 1 + slices.IndexFunc(lines[i+1:], closesCode)
			continue // typed alone it is all there is
		}
		m := markOf(line)
		text := inline(m.text, nil).text
		if m.item != "" {
			text = m.item + " " + text
		}
		out = append(out, text)
	}
	return strings.Join(out, "\n")
}
