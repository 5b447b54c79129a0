package tui

import (
	"slices"

	"starling/tui/keymap"
)

// drawStatus draws the last row: whether messages can leave and what is wrong, the keys
// to know, and numbers if there is room left. The first key is there at any width.
func (a *App) drawStatus() string {
	th, w := a.desk.Theme, a.width
	if n := a.desk.Notice; n.Text != "" {
		role := th.Accent
		if n.Bad {
			role = th.Bad
		}
		return th.Cells.Fit(" "+role.Render(n.Text), w)
	}

	hints := a.hints()
	first := a.hint(hints[0])
	parts, numbers := a.network.truth()
	// The first part is cut rather than the first key: somebody new is lost without it.
	left := " " + th.Cells.Truncate(parts[0], max(w/2, w-4-th.Cells.Width(first)))
	add := func(parts []string, room int) {
		for _, p := range parts {
			p = th.Border.Render(" · ") + p
			if th.Cells.Width(left)+th.Cells.Width(p) > room {
				return
			}
			left += p
		}
	}
	add(parts[1:], w-4-th.Cells.Width(first))

	// The keys to know stand at the right, as many as there is room for.
	room := w - th.Cells.Width(left) - 3
	right := ""
	for i, h := range hints {
		add := a.hint(h)
		if i > 0 {
			add = "   " + add
		}
		if th.Cells.Width(right)+th.Cells.Width(add) > room {
			break
		}
		right += add
	}

	// Numbers last: they take the room that is left.
	add(numbers, w-4-th.Cells.Width(right))
	return th.Cells.Ends(left, right, w-1) + " "
}

// longNotice is a notice that does not fit into the status bar, in rows from the last one up:
// nothing of it is cut, as it may end with the step to take.
func longNotice(a *App) (up []string) {
	th, n := a.desk.Theme, a.desk.Notice
	if th.Cells.Width(n.Text)+2 <= a.width {
		return nil
	}
	role := th.Accent
	if n.Bad {
		role = th.Bad
	}
	lines := th.Cells.Wrap(n.Text, a.width-2)
	for _, l := range slices.Backward(lines[:min(len(lines), a.height/2)]) {
		up = append(up, th.Cells.Fit(" "+role.Render(l), a.width))
	}
	return up
}

// hint draws a key to know.
func (a *App) hint(h hint) string {
	return a.desk.Theme.Accent.Render(h.key) + " " + a.desk.Theme.Muted.Render(h.text)
}

type hint struct{ key, text string }

// hints are the keys to know where the focus is.
func (a *App) hints() []hint {
	k := func(id keymap.ID) string { return a.desk.Keys.Key(a.focus, id) }
	t := a.desk.T
	switch a.focus {
	case keymap.Composer:
		return []hint{{k(keymap.Help), t("help")}, {k(keymap.Palette), t("actions")}, {k(keymap.Switch), t("go to")}}
	case keymap.Messages:
		return []hint{{k(keymap.Help), t("help")}, {k(keymap.Menu), t("menu")}, {k(keymap.Write), t("write")}, {k(keymap.Leave), t("conversations")}}
	}
	return []hint{{k(keymap.Help), t("help")}, {k(keymap.Open), t("open")}, {k(keymap.Invite), t("invite")}}
}
