// Package dialog holds the boxes above the conversation: cards that tell
// something, forms that ask something and pickers that find something.
//
// A dialog changes only itself. A key that asks for more gives an [Action], which
// carries the work; the app hands it to [Stack.Act].
//
// A dialog that opens by itself ([Stack.Volunteer]) comes below those that are open.
// Once it is on top it takes no keys for [Grace]: they were meant for the screen
// before.
//
// Titles, labels and hints are put into the person's language here; words with a name
// in them come translated.
package dialog

import (
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"starling/tui/term"
	"starling/tui/theme"
)

// An Action is work that a dialog wants done. The zero value is none.
type Action struct {
	// Close closes the dialog first.
	Close bool
	// Do is done then, unless it is nil.
	Do func() tea.Cmd
}

// Close is the action of a dialog that is done.
var Close = Action{Close: true}

// Closing closes the dialog and does something.
func Closing(do func() tea.Cmd) Action { return Action{Close: true, Do: do} }

// Keeping does something while the dialog stays open.
func Keeping(do func() tea.Cmd) Action { return Action{Do: do} }

// A Dialog is something above the screen that takes the keys.
type Dialog interface {
	Key(tea.KeyPressMsg) Action
	Paste(text string) Action
	// Click is at a cell of the last rendering.
	Click(x, y int) Action
	Wheel(lines int)
	// Render draws into at most width by height cells.
	Render(th *theme.Theme, width, height int) Box
}

// A Box is a drawn dialog. Every line has Width cells.
type Box struct {
	Lines []string
	Width int
	// Cursor is where the text cursor is, if there is one.
	Cursor  bool
	CX, CY  int
	Covers  bool // fills the screen, without a border
	buttons []spot
	top     int  // first row of the body
	more    bool // there is more below the last row of it
}

type spot struct {
	x, y, w int
	press   func() Action
}

// A Button is something to press: by mouse, or by its key.
type Button struct {
	Label  string
	Key    string
	Action Action

	press func() Action // instead of Action, if it is made when it is pressed
}

// pressed returns the action of the button.
func (b Button) pressed() Action {
	if b.press != nil {
		return b.press()
	}
	return b.Action
}

// Grace is how long a dialog that opened by itself takes no keys.
const Grace = 1200 * time.Millisecond

// entry is an open dialog. One that came by itself is early until its grace is over.
// The grace begins once it is on top.
type entry struct {
	Dialog
	early, begun bool
}

// Stack is the open dialogs, the top one last.
type Stack struct {
	open []entry
	box  Box // of the top one, as last drawn
	x, y int
}

// Open puts a dialog on top.
func (s *Stack) Open(d Dialog) { s.open = append(s.open, entry{Dialog: d}) }

// Volunteer puts a dialog that nobody asked for below all that are open.
func (s *Stack) Volunteer(d Dialog) {
	s.open = append([]entry{{Dialog: d, early: true}}, s.open...)
}

// Surfaced reports, once, that a volunteer has come to the top: Ready is to be
// called after [Grace].
func (s *Stack) Surfaced() bool {
	n := len(s.open)
	if n == 0 || !s.open[n-1].early || s.open[n-1].begun {
		return false
	}
	s.open[n-1].begun = true
	return true
}

// Ready ends the grace of the dialog on top, and reports whether there was any.
func (s *Stack) Ready() bool {
	n := len(s.open)
	if n == 0 || !s.open[n-1].begun || !s.open[n-1].early {
		return false
	}
	s.open[n-1].early = false
	return true
}

// Top returns the dialog that is drawn, nil if none is open.
func (s *Stack) Top() Dialog {
	if len(s.open) == 0 {
		return nil
	}
	return s.open[len(s.open)-1].Dialog
}

// Keys returns the dialog that has the keys, nil if none has: then they are for the
// screen below.
func (s *Stack) Keys() Dialog {
	if n := len(s.open); n > 0 && !s.open[n-1].early {
		return s.open[n-1].Dialog
	}
	return nil
}

// Close closes the top dialog.
func (s *Stack) Close() {
	if n := len(s.open); n > 0 {
		s.open[n-1] = entry{}
		s.open = s.open[:n-1]
	}
}

// Clear closes all.
func (s *Stack) Clear() { s.open = nil }

// Remove closes a dialog wherever it is.
func (s *Stack) Remove(d Dialog) {
	for i, o := range s.open {
		if o.Dialog == d {
			s.open = append(s.open[:i], s.open[i+1:]...)
			return
		}
	}
}

// Has reports whether a dialog is open.
func (s *Stack) Has(d Dialog) bool {
	for _, o := range s.open {
		if o.Dialog == d {
			return true
		}
	}
	return false
}

// Act does the action of the top dialog.
func (s *Stack) Act(action Action) tea.Cmd {
	if action.Close {
		s.Close()
	}
	if action.Do == nil {
		return nil
	}
	return action.Do()
}

// Click passes a click at a cell of the screen to the top dialog.
func (s *Stack) Click(x, y int) Action {
	d := s.Top()
	if d == nil {
		return Action{}
	}

	x, y = x-s.x, y-s.y
	for _, b := range s.box.buttons {
		if y == b.y && x >= b.x && x < b.x+b.w {
			return b.press()
		}
	}
	return d.Click(x, y)
}

// Draw lays the top dialog over the screen and returns its text cursor.
func (s *Stack) Draw(th *theme.Theme, screen []string, width int) *tea.Cursor {
	d := s.Top()
	if d == nil {
		return nil
	}
	height := len(screen)
	box := d.Render(th, width, height)
	s.box = box
	s.x, s.y = (width-box.Width)/2, max(0, (height-len(box.Lines))/2)
	for i, line := range box.Lines {
		if s.y+i < height {
			screen[s.y+i] = th.Cells.Over(screen[s.y+i], line, s.x, width)
		}
	}
	if !box.Cursor {
		return nil
	}
	return tea.NewCursor(s.x+box.CX, s.y+box.CY)
}

const (
	sidePad = 2             // between border and text
	frameW  = 2 + 2*sidePad // columns that are not text
	frameH  = 6             // rows that are not text, with air and buttons
	roomy   = 16            // rows from which there is air in a dialog
	margin  = 2             // columns of screen left at each side
	primary = "enter"       // key of the first button
	cancel  = "esc"         // key that closes
	ruleH   = "─"           // border
)

// content is the inside of a frame.
type content struct {
	title   string
	body    []string
	buttons []Button
	cursor  bool
	cx, cy  int // in the body
	scroll  *int
}

// measure returns the width of a dialog's text, and the empty rows above and below it.
func measure(want, width, height int) (inner, air int) {
	inner = min(want, width-2*margin-frameW)
	if width < 50 {
		inner = width - frameW
	}
	if height >= roomy {
		air = 2
	}
	return inner, air
}

// draw puts content into a border. want is the width of the text it would
// like to have.
func draw(th *theme.Theme, c content, want, width, height int) Box {
	inner, air := measure(want, width, height)
	outer := inner + frameW
	air /= 2 // above, and again below
	foot := buttonRows(th, c.buttons, inner)
	fixed := 2 + air // borders, air above
	if len(foot) > 0 {
		fixed += len(foot) + air
	} else {
		fixed += air
	}
	room := max(1, min(len(c.body), height-fixed))

	from := 0
	if c.scroll != nil {
		if c.cursor {
			*c.scroll = max(min(*c.scroll, c.cy), c.cy-room+1)
		}
		*c.scroll = max(0, min(*c.scroll, len(c.body)-room))
		from = *c.scroll
	}

	box := Box{Width: outer, top: 1 + air}
	side := th.Border.Render("│")
	row := func(s string) {
		box.Lines = append(box.Lines, side+term.Spaces(sidePad)+th.Cells.Fit(s, inner)+term.Spaces(sidePad)+side)
	}

	// The edges say that there is more to scroll to.
	upper, lower := "", ""
	if from > 0 {
		upper = " " + th.T("more above") + " "
	}
	if from+room < len(c.body) {
		lower = " " + th.T("more below") + " "
		box.more = true
	}

	box.Lines = append(box.Lines, edge(th, "╭", "╮", th.T(c.title), upper, outer))
	for range air {
		row("")
	}
	for _, line := range c.body[from : from+room] {
		row(line)
	}
	if air > 0 {
		row("")
	}

	// The buttons, with the cells at which they are clicked.
	for _, f := range foot {
		y := len(box.Lines)
		for _, s := range f.spots {
			s.x += 1 + sidePad
			s.y = y
			box.buttons = append(box.buttons, s)
		}
		row(f.line)
	}
	box.Lines = append(box.Lines, edge(th, "╰", "╯", "", lower, outer))
	if c.cursor {
		box.Cursor, box.CX, box.CY = true, c.cx+1+sidePad, c.cy-from+box.top
	}
	return box
}

func edge(th *theme.Theme, left, right, title, note string, width int) string {
	var b strings.Builder
	used := 2
	b.WriteString(th.Border.Render(left + ruleH))
	used++
	if title != "" {
		t := th.Cells.Truncate(" "+title+" ", max(0, width-6))
		b.WriteString(th.Title.Render(t))
		used += th.Cells.Width(t)
	}
	tail := ""
	if n := th.Cells.Width(note); note != "" && used+n+1 <= width {
		tail = th.Muted.Render(note) + th.Border.Render(ruleH)
		used += n + 1
	}
	b.WriteString(th.Border.Render(strings.Repeat(ruleH, max(0, width-used))))
	b.WriteString(tail)
	b.WriteString(th.Border.Render(right))
	return b.String()
}

type foot struct {
	line  string
	spots []spot
}

// buttonRows sets buttons from the left, in as many rows as they need.
func buttonRows(th *theme.Theme, buttons []Button, width int) []foot {
	var out []foot
	var cur foot
	used := 0
	flush := func() {
		if used > 0 {
			out = append(out, cur)
			cur, used = foot{}, 0
		}
	}

	for _, b := range buttons {
		text := " " + th.T(b.Label) + " "
		hint := ""
		if b.Key != "" {
			hint = " " + b.Key
		}

		n := th.Cells.Width(text) + th.Cells.Width(hint)
		gap := 0
		if used > 0 {
			gap = 3
		}
		if used > 0 && used+gap+n > width {
			flush()
			gap = 0
		}

		r := th.Selected
		if b.Key == primary {
			r = th.Primary
		}
		cur.line += term.Spaces(gap) + r.Render(text) + th.Muted.Render(hint)
		cur.spots = append(cur.spots, spot{x: used + gap, w: n, press: b.pressed})
		used += gap + n
	}
	flush()
	return out
}

// press finds the button that a keystroke presses.
func press(buttons []Button, key string) (Action, bool) {
	for _, b := range buttons {
		if b.Key == key {
			return b.pressed(), true
		}
	}
	return Action{}, false
}
