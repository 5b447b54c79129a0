package tui

import "starling/tui/keymap"

// drawStatus draws the last row: the profile and the way out, or the reason to
// wait. Parts that do not fit are left out, the least important
// first.
func (a *App) drawStatus() string {
	th, w := a.desk.Theme, a.width
	if n := a.desk.Notice; n.Text != "" {
		role := th.Accent
		if n.Bad {
			role = th.Bad
		}
		return th.Cells.Fit(" "+role.Render(n.Text), w)
	}

	left := " "
	for i, p := range a.network.truth() {
		if i > 0 {
			p = th.Border.Render(" · ") + p
		}
		if th.Cells.Width(left)+th.Cells.Width(p) > w-1 {
			if i == 0 {
				left += th.Cells.Truncate(p, w-2)
			}
			break
		}
		left += p
	}

	// The keys to know stand at the right, as many as there is room for.
	room := w - th.Cells.Width(left) - 3
	right := ""
	for _, h := range a.hints() {
		add := th.Accent.Render(h.key) + " " + th.Muted.Render(h.text)
		if right != "" {
			add = "   " + add
		}
		if th.Cells.Width(right)+th.Cells.Width(add) > room {
			break
		}
		right += add
	}
	return th.Cells.Ends(left, right, w-1) + " "
}

type hint struct{ key, text string }

// hints are the keys to know where the focus is.
func (a *App) hints() []hint {
	k := func(id keymap.ID) string { return a.desk.Keys.Key(a.focus, id) }
	t := a.desk.T
	switch a.focus {
	case keymap.Composer:
		return []hint{{k(keymap.Palette), t("actions")}, {k(keymap.Help), t("help")}, {k(keymap.Switch), t("go to")}}
	case keymap.Messages:
		return []hint{{k(keymap.Help), t("help")}, {k(keymap.Menu), t("menu")}, {k(keymap.Write), t("write")}, {k(keymap.Leave), t("conversations")}}
	}
	return []hint{{k(keymap.Help), t("help")}, {k(keymap.Open), t("open")}, {k(keymap.Invite), t("invite")}}
}
