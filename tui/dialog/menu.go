package dialog

import (
	tea "charm.land/bubbletea/v2"

	"starling/tui/keymap"
	"starling/tui/list"
	"starling/tui/theme"
)

// An Item is one line of a menu.
type Item struct {
	Label  string
	Key    string
	Action Action
}

// A Menu is a short list of actions. An item's own key chooses it at once.
type Menu struct {
	Title string
	Items []Item

	rows list.Picker
	room int
	from int
}

// Key moves, chooses or closes.
func (m *Menu) Key(k tea.KeyPressMsg) Action {
	for _, it := range m.Items {
		if it.Key != "" && (k.String() == it.Key || k.Keystroke() == it.Key || keymap.Latin(k.String()) == it.Key) {
			return it.Action
		}
	}
	switch k.Keystroke() {
	case cancel, "ctrl+c", "q", "left", "h":
		return Close
	case "enter", "space", "right", "l":
		return m.choose(m.rows.Selected)
	case "up", "k", "shift+tab":
		m.rows.Move(-1, len(m.Items))
	case "down", "j", "tab":
		m.rows.Move(1, len(m.Items))
	case "home", "pgup":
		m.rows.Select(0, len(m.Items))
	case "end", "pgdown":
		m.rows.Select(len(m.Items)-1, len(m.Items))
	}
	return Action{}
}

func (m *Menu) choose(i int) Action {
	if i < 0 || i >= len(m.Items) {
		return Action{}
	}
	return m.Items[i].Action
}

// Paste is nothing to a menu.
func (m *Menu) Paste(string) Action { return Action{} }

// Click chooses a row.
func (m *Menu) Click(_, y int) Action {
	from, to := m.rows.Window(len(m.Items), m.room)
	if i := from + y - m.from; y >= m.from && i < to {
		return m.choose(i)
	}
	return Action{}
}

// Wheel scrolls.
func (m *Menu) Wheel(lines int) { m.rows.Scroll(lines, len(m.Items), m.room) }

// mostMenu is how wide a menu may become for its labels to be read whole.
const mostMenu = 72

// Render draws the menu. The text cursor stands on the selected row, for users of a
// screen reader.
func (m *Menu) Render(th *theme.Theme, width, height int) Box {
	want := 40
	for _, it := range m.Items {
		want = max(want, min(mostMenu, th.Cells.Width(th.T(it.Label))+th.Cells.Width(it.Key)+5))
	}
	inner, air := measure(want, width, height)

	m.room = max(1, min(len(m.Items), height-2-air))
	c := content{title: m.Title}
	from, to := m.rows.Window(len(m.Items), m.room)
	for i := from; i < to; i++ {
		it := m.Items[i]
		if i == m.rows.Selected {
			c.cursor, c.cy = true, len(c.body)
			c.body = append(c.body, th.Selected.Render(th.Cells.Ends(" "+th.T(it.Label), it.Key+" ", inner)))
			continue
		}
		c.body = append(c.body, th.Cells.Ends(" "+th.T(it.Label), th.Muted.Render(it.Key)+" ", inner))
	}

	box := draw(th, c, want, width, height)
	m.from = box.top
	return box
}
