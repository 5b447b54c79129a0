// Package composer is the text field: of many lines for messages, of one line
// for names and links, and hidden for passphrases.
//
// It moves and deletes by visible characters, so that an emoji of seven code points
// goes with one backspace. Pasted text is put in and never interpreted: nothing in a
// paste sends or moves the cursor.
package composer

import (
	"strings"
	"unicode/utf8"

	tea "charm.land/bubbletea/v2"

	"starling/node/api/safetext"
	"starling/tui/term"
	"starling/tui/theme"
)

// Editor is a text field. The zero value is an empty field of many lines.
type Editor struct {
	// Placeholder is shown while the field is empty.
	Placeholder string
	// OneLine turns line breaks into spaces.
	OneLine bool
	// Hidden shows a dot for each character.
	Hidden bool
	// Masked shows blocks instead of letters.
	Masked bool
	// Limit is the most bytes it takes, 0 for no limit; more is not put in.
	Limit int

	past   []past // states to undo to, the latest last
	typing bool   // the last change was typing; more of it is one change

	cells  term.Cells
	text   string
	pos    int // of the cursor in text, in bytes
	goal   int // column that up and down aim for, -1 if none
	killed string
	scroll int // first visible row
	width  int // of the last rendering
}

// Value returns the text.
func (e *Editor) Value() string { return e.text }

// Empty reports whether there is no text.
func (e *Editor) Empty() bool { return e.text == "" }

// past is a state of the field.
type past struct {
	text string
	pos  int
}

// maxPast is how many changes can be undone.
const maxPast = 100

// remember keeps the state before a change. A hidden field keeps nothing.
func (e *Editor) remember(typing bool) {
	if more := typing && e.typing; e.Hidden || more {
		return
	}
	e.typing = typing
	if len(e.past) == maxPast {
		e.past = append(e.past[:0], e.past[1:]...)
	}
	e.past = append(e.past, past{e.text, e.pos})
}

// Undo takes the last change back and reports whether there was one. Typing
// up to a space is one change.
func (e *Editor) Undo() bool {
	n := len(e.past)
	if n == 0 {
		return false
	}
	e.text, e.pos = e.past[n-1].text, e.past[n-1].pos
	e.past[n-1] = past{}
	e.past = e.past[:n-1]
	e.goal, e.typing = -1, false
	return true
}

// Replace is SetValue that can be undone.
func (e *Editor) Replace(s string) {
	e.remember(false)
	kept := e.past
	e.SetValue(s)
	e.past = kept
}

// SetValue replaces the text, puts the cursor at its end and forgets the former one: a
// text that was sent does not come back.
func (e *Editor) SetValue(s string) {
	e.past, e.typing = nil, false
	e.text = e.clean(s)
	e.pos, e.goal, e.scroll = len(e.text), -1, 0
}

// Insert puts text in at the cursor and reports whether there was room.
func (e *Editor) Insert(s string) bool {
	s = e.clean(s)
	if e.Limit > 0 && len(e.text)+len(s) > e.Limit {
		return false
	}
	e.put(s)
	return true
}

// Before returns the text before the cursor.
func (e *Editor) Before() string { return e.text[:e.pos] }

// Take replaces the last n bytes before the cursor, which end at characters, and reports
// whether there was room.
func (e *Editor) Take(n int, s string) bool {
	s = e.clean(s)
	if e.Limit > 0 && len(e.text)-n+len(s) > e.Limit {
		return false
	}
	e.remember(false)
	e.text = e.text[:e.pos-n] + s + e.text[e.pos:]
	e.pos += len(s) - n
	e.goal = -1
	return true
}

// Put is Insert without a limit: whoever hands the text on says that it is too long.
func (e *Editor) Put(s string) { e.put(e.clean(s)) }

func (e *Editor) put(s string) {
	if s == "" {
		return
	}
	e.remember(len(s) <= utf8.UTFMax && s != " " && s != "\n")
	e.text = e.text[:e.pos] + s + e.text[e.pos:]
	e.pos += len(s)
	e.goal = -1
}

func (e *Editor) clean(s string) string {
	s = safetext.Clean(safetext.Normal(s)).String()
	if e.OneLine {
		s = strings.ReplaceAll(s, "\n", " ")
	}
	return s
}

// Key handles a keystroke and reports whether the field had a use for it.
func (e *Editor) Key(k tea.KeyPressMsg) bool {
	// The column to keep holds for moves up and down in a row, and ends with any other key.
	goal := e.goal
	e.goal = -1
	if k.Text == "" {
		e.typing = false
	}

	switch k.Keystroke() {
	case "left", "ctrl+b":
		e.pos = e.before(e.pos)
	case "right", "ctrl+f":
		e.pos = e.after(e.pos)
	case "ctrl+left", "alt+left", "alt+b":
		e.pos = e.wordBefore(e.pos)
	case "ctrl+right", "alt+right", "alt+f":
		e.pos = e.wordAfter(e.pos)
	case "home", "ctrl+a":
		e.pos = e.lineStart(e.pos)
	case "end", "ctrl+e":
		e.pos = e.lineEnd(e.pos)
	case "ctrl+home", "alt+<", "alt+shift+,":
		e.pos = 0
	case "ctrl+end", "alt+>", "alt+shift+.":
		e.pos = len(e.text)
	case "up":
		return e.vertical(-1, goal)
	case "down":
		return e.vertical(1, goal)
	case "backspace", "ctrl+h", "shift+backspace":
		e.remove(e.before(e.pos), e.pos)
	case "delete", "ctrl+d":
		e.remove(e.pos, e.after(e.pos))
	case "ctrl+w", "alt+backspace", "ctrl+backspace":
		e.kill(e.wordBefore(e.pos), e.pos)
	case "alt+d", "alt+delete", "ctrl+delete":
		e.kill(e.pos, e.wordAfter(e.pos))
	case "ctrl+u":
		from := e.lineStart(e.pos)
		// At the start of a line it joins the line to the one before, as in a shell's editor.
		if from == e.pos {
			from = e.before(e.pos)
		}
		e.kill(from, e.pos)
	case "ctrl+y":
		e.Insert(e.killed)
	default:
		if k.Text == "" {
			e.goal = goal
			return false
		}
		e.Insert(k.Text)
	}
	return true
}

func (e *Editor) remove(from, to int) {
	if from == to {
		return
	}
	e.remember(false)
	e.text = e.text[:from] + e.text[to:]
	e.pos = from
}

// kill removes text and keeps it for ctrl+y. A hidden field keeps nothing.
func (e *Editor) kill(from, to int) {
	if !e.Hidden && to > from {
		e.killed = e.text[from:to]
	}
	e.remove(from, to)
}

// after returns the position behind the character at pos.
func (e *Editor) after(pos int) int {
	cluster, _ := e.cells.Next(e.text[pos:])
	return pos + len(cluster)
}

// before returns the position of the character before pos. Characters can
// only be told apart forwards, so it starts at the line.
func (e *Editor) before(pos int) int {
	if pos == 0 {
		return 0
	}
	i := e.lineStart(pos)
	if i == pos {
		return pos - 1 // the line feed
	}
	for {
		next := e.after(i)
		if next >= pos {
			return i
		}
		i = next
	}
}

func (e *Editor) lineStart(pos int) int { return strings.LastIndexByte(e.text[:pos], '\n') + 1 }

func (e *Editor) lineEnd(pos int) int {
	if n := strings.IndexByte(e.text[pos:], '\n'); n >= 0 {
		return pos + n
	}
	return len(e.text)
}

func (e *Editor) wordBefore(pos int) int {
	for pos > 0 && blank(e.text[pos-1]) {
		pos--
	}
	for pos > 0 && !blank(e.text[pos-1]) {
		pos--
	}
	return pos
}

func (e *Editor) wordAfter(pos int) int {
	for pos < len(e.text) && blank(e.text[pos]) {
		pos++
	}
	for pos < len(e.text) && !blank(e.text[pos]) {
		pos++
	}
	return pos
}

func blank(b byte) bool { return b == ' ' || b == '\n' }

// vertical moves the cursor by a row as it was last shown.
func (e *Editor) vertical(by, goal int) bool {
	rows := e.rows(max(e.width, 1))
	r, col := e.locate(rows)
	if goal < 0 {
		goal = col
	}

	if r+by < 0 || r+by >= len(rows) {
		return false
	}

	// The cell nearest to the goal that has a letter.
	row := rows[r+by]
	pos, width := row.from, 0
	for pos < row.to {
		cluster, n := e.shown(e.text[pos:])
		if width+n > goal {
			break
		}
		width += n
		if pos+len(cluster) > row.to {
			break
		}
		pos += len(cluster)
	}
	e.pos, e.goal = pos, goal
	return true
}

// shown returns the next character and the cells that it is drawn with.
func (e *Editor) shown(s string) (string, int) {
	cluster, n := e.cells.Next(s)
	switch {
	case e.Hidden:
		n = 1
	case len(cluster) > 4:
		// More than one code point: it may be drawn in a simpler way.
		n = e.cells.Width(e.cells.Steady(cluster))
	}
	return cluster, n
}

// A row is a piece of the text that is shown in one row.
type row struct{ from, to int }

// rows wraps the text at a width and leaves a cell for the cursor at the end
// of a row. It breaks after spaces, which stay at the end of their row.
func (e *Editor) rows(width int) []row {
	var out []row
	room := max(width-1, 1)
	start, used, brk, brkUsed := 0, 0, -1, 0

	for i := 0; i < len(e.text); {
		if e.text[i] == '\n' {
			out = append(out, row{start, i})
			i++
			start, used, brk = i, 0, -1
			continue
		}

		cluster, n := e.shown(e.text[i:])
		n = min(n, room)

		// A line breaks behind its last space, else where it is full.
		if used+n > room {
			if brk > start {
				out = append(out, row{start, brk})
				start, used = brk, used-brkUsed
			} else {
				out = append(out, row{start, i})
				start, used = i, 0
			}
			brk = -1
			continue
		}

		i += len(cluster)
		used += n
		if cluster == " " || n == 2 {
			brk, brkUsed = i, used
		}
	}
	return append(out, row{start, len(e.text)})
}

// locate returns the row and column of the cursor.
func (e *Editor) locate(rows []row) (r, col int) {
	for r = len(rows) - 1; r > 0 && rows[r].from > e.pos; r-- {
	}
	for i := rows[r].from; i < e.pos; {
		cluster, n := e.shown(e.text[i:])
		i += len(cluster)
		col += n
	}
	return r, col
}

// Height returns the rows that the text takes at a width, at most most.
func (e *Editor) Height(cells term.Cells, width, most int) int {
	e.cells = cells
	return min(len(e.rows(width)), max(most, 1))
}

// Render draws the field into height rows of width cells and returns them
// with the position of the cursor.
func (e *Editor) Render(th *theme.Theme, width, height int) (lines []string, x, y int) {
	e.cells, e.width = th.Cells, width
	lines = make([]string, height)
	if e.text == "" {
		for i := range lines {
			lines[i] = term.Spaces(width)
		}
		lines[0] = th.Muted.Render(th.Cells.Fit(e.Placeholder, width))
		return lines, 0, 0
	}

	// The row of the cursor is in view.
	rows := e.rows(width)
	r, col := e.locate(rows)
	e.scroll = min(e.scroll, r)
	e.scroll = max(e.scroll, r-height+1)
	e.scroll = max(0, min(e.scroll, len(rows)-height))

	for i := range lines {
		s := ""
		if k := e.scroll + i; k < len(rows) {
			s = e.text[rows[k].from:rows[k].to]
		}
		if e.Hidden {
			s = strings.Repeat("•", e.count(s))
		}
		s = th.Cells.Steady(s)
		if e.Masked {
			s = th.Cells.Mask(s)
		}
		lines[i] = th.Cells.Fit(s, width)
	}
	return lines, min(col, width-1), r - e.scroll
}

// Head draws the beginning of the field, in one row, for one that has no cursor.
func (e *Editor) Head(th *theme.Theme, width int) string {
	s, _, _ := strings.Cut(e.text, "\n")
	switch {
	case e.text == "":
		return th.Muted.Render(th.Cells.Fit(e.Placeholder, width))
	case e.Hidden:
		s = strings.Repeat("•", e.count(s))
	case e.Masked:
		s = th.Cells.Mask(th.Cells.Steady(s))
	default:
		s = th.Cells.Steady(s)
	}
	return th.Cells.Fit(s, width)
}

func (e *Editor) count(s string) int {
	n := 0
	for s != "" {
		cluster, _ := e.cells.Next(s)
		s = s[len(cluster):]
		n++
	}
	return n
}

// Click puts the cursor at a cell of the last rendering.
func (e *Editor) Click(x, y int) {
	rows := e.rows(max(e.width, 1))
	r := max(0, min(e.scroll+y, len(rows)-1))
	pos, width := rows[r].from, 0
	for pos < rows[r].to {
		cluster, n := e.shown(e.text[pos:])
		if width+n > x {
			break
		}
		width += n
		pos += len(cluster)
	}
	e.pos, e.goal = pos, -1
}

// Lines returns the number of lines and bytes of the text.
func (e *Editor) Lines() int { return strings.Count(e.text, "\n") + 1 }

// Valid reports whether the cursor stands at a boundary; tests use it.
func (e *Editor) valid() bool {
	return e.pos >= 0 && e.pos <= len(e.text) && (e.pos == len(e.text) || utf8.RuneStart(e.text[e.pos]))
}
