package dialog

import (
	tea "charm.land/bubbletea/v2"

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
	// Leave is done besides closing when the card is left by a key of its own.
	Leave func() tea.Cmd

	scroll int
	page   int
}

// Key presses a button, scrolls, or closes with esc.
func (c *Card) Key(k tea.KeyPressMsg) Action {
	key := k.Keystroke()
	if action, ok := press(c.Buttons, key); ok {
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
		c.scroll -= c.page
	case "pgdown", "ctrl+d", "space":
		c.scroll += c.page
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

	want := c.Width
	if want == 0 {
		want = 56
	}

	inner, air := measure(want, width, height)

	c.page = max(1, height-6)
	body := c.Body(th, inner, height-3-air)
	return draw(th, content{title: c.Title, body: body, buttons: c.Buttons, scroll: &c.scroll}, want, width, height)
}
