package tui

import (
	"starling/node/api/safetext"
	"starling/tui/keymap"
	"starling/tui/theme"
)

// drawStatus tells in the last row what holds: the profile and the way out,
// or what is awaited. Parts that do not fit are left out, the least important
// first.
func (a *App) drawStatus() string {
	th, w := a.th, a.width
	hints := a.hints()
	if a.notice.text != "" {
		role := th.Accent
		if a.notice.bad {
			role = th.Bad
		}
		return th.Cells.Fit(" "+role.Render(a.notice.text), w)
	}
	parts := a.truth()
	left := " "
	for i, p := range parts {
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
	room := w - th.Cells.Width(left) - 3
	right := ""
	for _, h := range hints {
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

// truth is what holds now, the most important first.
func (a *App) truth() []string {
	th, s := a.th, &a.status
	if a.lost != nil {
		return []string{th.Bad.Render(theme.GlyphFailed + " " + a.t("no answer from the node: %s", a.describe(a.lost)))}
	}
	if !a.known {
		return []string{th.Muted.Render(a.t("starting…"))}
	}
	var parts []string
	if a.hidden {
		parts = append(parts, th.Accent.Render("▒ "+a.t("incognito")))
	}
	if s.Ready {
		parts = append(parts, th.Good.Render(theme.GlyphReady)+" "+safetext.Line(s.Profile).String())
	} else {
		parts = append(parts, th.Warn.Render(theme.GlyphWaiting+" "+a.t("waiting: %s", safetext.Line(a.t(s.Reason)).String())))
	}
	if s.Outbox.Failed > 0 {
		parts = append(parts, th.Bad.Render(a.n(s.Outbox.Failed, "%d failed", "%d failed")))
	}
	if n := s.Outbox.Queued + s.Outbox.Sealed + s.Outbox.Sent; n > 0 {
		parts = append(parts, a.t("outbox %d", n))
	}
	if s.AllowPrivate {
		parts = append(parts, th.Warn.Render(a.t("private mesh")))
	}
	if !s.Ready {
		parts = append(parts, th.Muted.Render(safetext.Line(s.Profile).String()))
	}
	parts = append(parts,
		th.Muted.Render(a.n(s.Hops, "%d hop", "%d hops")),
		th.Muted.Render(a.t("guards %s", a.guards(s))),
		th.Muted.Render(a.n(s.Relays, "%d relay", "%d relays")))
	if s.Outbox.Queued+s.Outbox.Sealed+s.Outbox.Sent == 0 {
		parts = append(parts, th.Muted.Render(a.t("outbox empty")))
	}
	return parts
}

type hint struct{ key, text string }

// hints are the keys to know where the focus is.
func (a *App) hints() []hint {
	k := func(id keymap.ID) string { return a.keys.Key(a.focus, id) }
	switch a.focus {
	case keymap.Composer:
		return []hint{{k(keymap.Palette), a.t("actions")}, {k(keymap.Help), a.t("help")}, {k(keymap.Switch), a.t("go to")}}
	case keymap.Messages:
		return []hint{{k(keymap.Help), a.t("help")}, {k(keymap.Menu), a.t("menu")}, {k(keymap.Write), a.t("write")}, {k(keymap.Leave), a.t("conversations")}}
	}
	return []hint{{k(keymap.Help), a.t("help")}, {k(keymap.Open), a.t("open")}, {k(keymap.Invite), a.t("invite")}}
}
