package dialog

import (
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"starling/tui/catalogue"
	"starling/tui/composer"
	"starling/tui/theme"
)

// A Field is one question of a form: a line of text, or a choice.
type Field struct {
	Label string
	Hint  string
	Text  composer.Editor
	// Choices, if any, are chosen from with left and right.
	Choices []string
	Chosen  int
	// Judge says something of the text while it is typed, in place of the hint and drawn;
	// nil: nothing is said.
	Judge func(th *theme.Theme, text string) string

	// Pasted makes of a pasted text what belongs into the field; nil: all of it.
	Pasted func(text string) string

	// Complete completes the text, and returns what it could go on with: tab does it, and
	// goes to the next field only where nothing is to complete.
	Complete func(text string) (completed string, found []string)

	found []string
}

// Line is a field for one line of text.
func Line(label, hint string, limit int) *Field {
	f := &Field{Label: label, Hint: hint}
	f.Text.OneLine, f.Text.Limit = true, limit
	return f
}

// Answer is the text of a field without the spaces around it.
func (f *Field) Answer() string { return strings.TrimSpace(f.Text.Value()) }

// A Form asks for something. Enter goes to the next field and, from the last
// one, submits.
type Form struct {
	Title  string
	Intro  string
	Fields []*Field
	// Label of the button that submits.
	Label string
	// Submit makes the action of the answers; it may set Error and return none.
	Submit func() Action
	// NoCancel leaves the button out that closes the form.
	NoCancel bool
	// More are further buttons; their keys work wherever the cursor is.
	More []Button
	// Error names the fault of the answers.
	Error string
	// Busy names the work in progress; the form takes no keys but esc.
	Busy string
	// Above is drawn over the fields, in the rows that they leave; unlike the
	// introduction it is never left out.
	Above func(th *theme.Theme, width, height int) []string
	// Leave is done besides closing when the form is left by a key of its own.
	Leave func() tea.Cmd
	// Width of the text, 0 for 52.
	Width int

	at     int
	scroll int
	rows   []int // first row of each field in the body
}

// Key edits, moves between fields, submits or closes.
func (f *Form) Key(k tea.KeyPressMsg) Action {
	key := k.Keystroke()
	if key == cancel || key == "ctrl+c" {
		return Closing(f.Leave)
	}

	// Until the answer has come a second submit would do it twice.
	if f.Busy != "" {
		return Action{}
	}
	if action, ok := press(f.More, key); ok {
		return action
	}

	cur := f.Fields[f.at]
	switch key {
	case "enter":
		if f.at < len(f.Fields)-1 {
			f.at++
			return Action{}
		}
		return f.submit()
	case "tab", "down":
		if key == "tab" && cur.complete() {
			return Action{}
		}
		f.at = (f.at + 1) % len(f.Fields)
		return Action{}
	case "shift+tab", "up":
		f.at = (f.at + len(f.Fields) - 1) % len(f.Fields)
		return Action{}
	}

	if n := len(cur.Choices); n > 0 {
		switch key {
		case "left", "h", "-":
			cur.Chosen = (cur.Chosen + n - 1) % n
		case "right", "l", "space", "+":
			cur.Chosen = (cur.Chosen + 1) % n
		}
		return Action{}
	}

	if cur.Text.Key(k) {
		f.Error, cur.found = "", nil
	}
	return Action{}
}

// maxFound is how many names a field shows that its text could become.
const maxFound = 12

// complete completes the text of a field, and reports whether there was anything to do.
func (f *Field) complete() bool {
	if f.Complete == nil {
		return false
	}
	text, found := f.Complete(f.Text.Value())
	changed := text != f.Text.Value()
	if changed {
		f.Text.SetValue(text)
	}
	if f.found = nil; len(found) > 1 {
		f.found = found
	}
	return changed || len(found) > 1
}

// submit makes the action of the answers, unless an earlier one is waited for.
func (f *Form) submit() Action {
	if f.Busy != "" {
		return Action{}
	}
	f.Error = ""
	return f.Submit()
}

// Focus goes to a field.
func (f *Form) Focus(i int) { f.at = max(0, min(i, len(f.Fields)-1)) }

// Paste puts text in; it never submits.
func (f *Form) Paste(s string) Action {
	cur := f.Fields[f.at]
	if f.Busy != "" || len(cur.Choices) > 0 {
		return Action{}
	}
	if cur.Pasted != nil {
		s = cur.Pasted(s)
	}
	f.Error, cur.found = "", nil
	if !cur.Text.Insert(s) {
		f.Error = catalogue.Mark("The text is too long for this place.")
	}
	return Action{}
}

// Click goes to a field.
func (f *Form) Click(_, y int) Action {
	if f.Busy != "" {
		return Action{}
	}
	for i := len(f.rows) - 1; i >= 0; i-- {
		if y >= f.rows[i] {
			f.at = i
			break
		}
	}
	return Action{}
}

// Wheel is nothing to a form.
func (f *Form) Wheel(int) {}

// Render draws the form.
func (f *Form) Render(th *theme.Theme, width, height int) Box {
	want := f.Width
	if want == 0 {
		want = 52
	}
	inner, _ := measure(want, width, height)

	roomyForm := height >= roomy
	var c content
	c.title = f.Title
	var intro []string
	if f.Intro != "" && roomyForm {
		for _, line := range th.Cells.Wrap(th.T(f.Intro), inner) {
			intro = append(intro, th.Muted.Render(line))
		}
		intro = append(intro, "")
	}

	// The fields: a label, the text or the choices, a hint.
	f.rows = f.rows[:0]
	for i, field := range f.Fields {
		if i > 0 && roomyForm {
			c.body = append(c.body, "")
		}
		f.rows = append(f.rows, len(c.body))
		label := th.Muted
		bar := th.Border.Render(theme.GlyphBar)
		if i == f.at && f.Busy == "" {
			label = th.Title
			bar = th.Accent.Render(theme.GlyphBar)
		}
		c.body = append(c.body, label.Render(th.T(field.Label)))
		if len(field.Choices) > 0 {
			c.body = append(c.body, bar+" "+choices(th, field, i == f.at, inner-2))
			if i == f.at && f.Busy == "" {
				c.cursor, c.cx, c.cy = true, 1, len(c.body)-1
			}
		} else {
			if i != f.at || f.Busy != "" {
				c.body = append(c.body, bar+" "+field.Text.Head(th, inner-2))
			} else {
				lines, x, _ := field.Text.Render(th, inner-2, 1)
				c.body = append(c.body, bar+" "+lines[0])
				c.cursor, c.cx, c.cy = true, x+2, len(c.body)-1
			}
		}

		// Names that tab has found take the place of the hint.
		if len(field.found) > 0 && i == f.at {
			list := strings.Join(field.found[:min(len(field.found), maxFound)], "   ")
			if more := len(field.found) - maxFound; more > 0 {
				list += "   " + th.N(more, "and %d more", "and %d more")
			}
			for _, line := range th.Cells.Wrap(list, inner-2) {
				c.body = append(c.body, "  "+th.Muted.Render(line))
			}
			continue
		}

		said := ""
		if field.Judge != nil {
			said = field.Judge(th, field.Text.Value())
		}
		if said != "" && (roomyForm || i == f.at) {
			c.body = append(c.body, "  "+th.Cells.Truncate(said, inner-2))
		} else if field.Hint != "" && roomyForm {
			for _, line := range th.Cells.Wrap(th.T(field.Hint), inner-2) {
				c.body = append(c.body, "  "+th.Muted.Render(line))
			}
		}
	}

	if f.Above != nil {
		room := height - frameH - len(c.body)
		if note := th.T(f.Error) + f.Busy; note != "" {
			room -= 1 + len(th.Cells.Wrap(note, inner))
		}
		above := append(f.Above(th, inner, max(0, room-1)), "")
		c.body = append(above, c.body...)
		c.cy += len(above)
		for i := range f.rows {
			f.rows[i] += len(above)
		}
	}

	note, role := th.T(f.Error), th.Bad
	if f.Busy != "" {
		note, role = f.Busy, th.Warn
	}
	if note != "" {
		var lines []string
		if roomyForm {
			lines = append(lines, "")
		}
		for _, line := range th.Cells.Wrap(note, inner) {
			lines = append(lines, role.Render(line))
		}
		c.body = f.noted(&c, lines, height)
	}
	// The fault must be seen; the introduction gives way to it.
	if note == "" || len(intro)+len(c.body) <= height-frameH {
		c.body = append(intro, c.body...)
		c.cy += len(intro)
		for i := range f.rows {
			f.rows[i] += len(intro)
		}
	}

	c.buttons = []Button{
		{Label: f.Label, Key: primary, press: f.submit},
		{Label: "Cancel", Key: cancel, Action: Closing(f.Leave)},
	}
	c.buttons = append(c.buttons, f.More...)
	if f.NoCancel {
		c.buttons = c.buttons[:1]
	}
	if f.Busy != "" {
		c.buttons = c.buttons[1:]
	}
	if note != "" && !roomyForm {
		// The note matters more than the field on a small screen.
		c.cy = max(c.cy, 0)
	}

	c.scroll = &f.scroll
	box := draw(th, c, want, width, height)
	for i := range f.rows {
		f.rows[i] += box.top - f.scroll
	}
	return box
}

// noted puts a note below the fields or, where they do not fit, above the one with the
// focus, which is in view.
func (f *Form) noted(c *content, note []string, height int) []string {
	if len(c.body)+len(note) <= height-frameH {
		return append(c.body, note...)
	}
	note = note[len(note)-min(len(note), max(1, height-frameH-3)):]
	at := f.rows[f.at]
	for i := f.at; i < len(f.rows); i++ {
		f.rows[i] += len(note)
	}
	c.cy += len(note)
	return slices.Insert(c.body, at, note...)
}

// choices draws all choices, or the chosen one alone where there is no room for
// all.
func choices(th *theme.Theme, f *Field, focused bool, width int) string {
	all := 0
	for _, c := range f.Choices {
		all += th.Cells.Width(th.T(c)) + 3
	}

	if all > width {
		r := th.Selected
		if focused {
			r = th.Primary
		}
		c := th.T(f.Choices[f.Chosen])
		return th.Muted.Render("‹ ") + r.Render(" "+c+" ") + th.Muted.Render(" ›")
	}

	s := ""
	for i, c := range f.Choices {
		c = th.T(c)
		if i > 0 {
			s += " "
		}
		switch {
		case i == f.Chosen && focused:
			s += th.Primary.Render(" " + c + " ")
		case i == f.Chosen:
			s += th.Selected.Render(" " + c + " ")
		default:
			s += th.Muted.Render(" " + c + " ")
		}
	}
	return s
}
