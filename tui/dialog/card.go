package dialog

import (
	tea "charm.land/bubbletea/v2"

	"starling/tui/keymap"
	"starling/tui/theme"
)

// A Card tells something. Its text scrolls if it does not fit.
type Card struct {
	Title string
	// Body lays the text out for a width; height is the room there is.
	Body func(th *theme.Theme, width, height int) []string
	// Buttons are under the text. The one with the key "enter" comes first.
	Buttons []Button
	// Width of the text, 0 for 56.
	Width int
	// Bare fills the screen with the body alone.
	Bare bool
	// Page fills the screen with a title, the buttons, and the body from the first
	// column on: a text in it can be selected without a frame.
	Page bool
	// Whole: the first button is pressed once the end of the text was in view; before
	// that it reads on.
	Whole bool
	// Leave is done besides closing when the card is left by a key of its own.
	Leave func() tea.Cmd

	scroll int
	rows   int // of a page
	seen   bool
}

// buttons are those that can be pressed now.
func (c *Card) buttons() []Button {
	if !c.Whole || c.seen || len(c.Buttons) == 0 {
		return c.Buttons
	}
	on := Button{Label: "Read on", Key: c.Buttons[0].Key, Action: Keeping(func() tea.Cmd {
		c.scroll += c.rows
		return nil
	})}
	return append([]Button{on}, c.Buttons[1:]...)
}

// Key presses a button, scrolls, or closes with esc.
func (c *Card) Key(k tea.KeyPressMsg) Action {
	key := k.Keystroke()
	if action, ok := press(c.buttons(), key); ok {
		return action
	}
	key = keymap.Latin(key)
	if action, ok := press(c.buttons(), key); ok {
		return action
	}

	switch key {
	case cancel, "q", "ctrl+c":
		return Closing(c.Leave)
	case "up", "k":
		c.scroll--
	case "down", "j":
		c.scroll++
	case "pgup", "ctrl+u":
		c.scroll -= c.rows
	case "pgdown", "ctrl+d", "space":
		c.scroll += c.rows
	case "home", "g":
		c.scroll = 0
	case "end", "shift+g":
		c.scroll = 1 << 30
	}
	return Action{}
}

// Paste is nothing to a card.
func (c *Card) Paste(string) Action { return Action{} }

// Click beside the buttons is nothing.
func (c *Card) Click(int, int) Action { return Action{} }

// Wheel scrolls.
func (c *Card) Wheel(lines int) { c.scroll += lines }

// Render draws the card.
func (c *Card) Render(th *theme.Theme, width, height int) Box {
	if c.Bare {
		box := Box{Width: width, Covers: true}
		for _, line := range c.Body(th, width, height) {
			box.Lines = append(box.Lines, th.Cells.Center(line, width))
		}
		for len(box.Lines) < height {
			box.Lines = append(box.Lines, th.Cells.Fit("", width))
		}
		return box
	}

	if c.Page {
		return c.page(th, width, height)
	}

	want := c.Width
	if want == 0 {
		want = 56
	}

	inner, air := measure(want, width, height)

	c.rows = max(1, height-6)
	body := c.Body(th, inner, height-3-air)
	box := draw(th, content{title: c.Title, body: body, buttons: c.buttons(), scroll: &c.scroll}, want, width, height)
	if c.Whole && !c.seen && !box.more {
		c.seen = true
		return draw(th, content{title: c.Title, body: body, buttons: c.buttons(), scroll: &c.scroll}, want, width, height)
	}
	return box
}

// page draws a card of a whole screen but for its last row, where notices stand. The
// buttons stand beside the title, or below it where they do not fit.
func (c *Card) page(th *theme.Theme, width, height int) Box {
	box := Box{Width: width, Covers: true}
	title := " " + th.Title.Render(th.Cells.Truncate(th.T(c.Title), width/2)) + "   "
	used := th.Cells.Width(title)
	buttons := buttonRows(th, c.Buttons, width-used)
	beside := len(buttons) == 1
	if !beside {
		box.Lines = append(box.Lines, th.Cells.Fit(title, width))
		title, used = " ", 1
		buttons = buttonRows(th, c.Buttons, width-2)
	}

	for _, f := range buttons {
		for _, s := range f.spots {
			s.x += used
			s.y = len(box.Lines)
			box.buttons = append(box.buttons, s)
		}
		box.Lines = append(box.Lines, th.Cells.Fit(title+f.line, width))
	}

	room := max(1, height-1-len(box.Lines))
	body := c.Body(th, width, room)
	c.rows = room
	c.scroll = max(0, min(c.scroll, len(body)-room))
	for _, line := range body[c.scroll:min(len(body), c.scroll+room)] {
		box.Lines = append(box.Lines, th.Cells.Fit(line, width))
	}
	for len(box.Lines) < height-1 {
		box.Lines = append(box.Lines, th.Cells.Fit("", width))
	}
	return box
}
