package tui

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"rsc.io/qr"

	"starling/node/api/safetext"
	"starling/tui/theme"
	"starling/tui/words"
)

// inviteBody shows the link, and the QR code if there is room for it.
func inviteBody(th *theme.Theme, link, expires string, width, height int) []string {
	var out []string
	note := th.Muted.Render(th.T("Works once, until %s.", expires))
	lines := th.Cells.Chop(link, width)
	code := drawQR(th, link, 2)
	if len(code) > 0 && th.Cells.Width(code[0]) <= width && len(code)+len(lines)+6 <= height {
		for _, l := range code {
			out = append(out, th.Cells.Center(l, width))
		}
		out = append(out, "")
	} else {
		out = append(out, th.Muted.Render(th.T("The QR code needs a larger window: try f, or make it larger.")), "")
	}
	for _, l := range lines {
		out = append(out, th.Accent.Render(l))
	}
	return append(out, "", note)
}

// drawQR draws a code with half blocks, quiet modules around it. It draws
// dark on light whatever the terminal's colours are.
func drawQR(th *theme.Theme, text string, quiet int) []string {
	// Upper case fits the denser alphabet of QR codes; links do not care.
	code, err := qr.Encode(strings.ToUpper(text), qr.L)
	if err != nil {
		return nil
	}
	black := func(x, y int) bool {
		return x >= 0 && y >= 0 && x < code.Size && y < code.Size && code.Black(x, y)
	}
	var out []string
	for y := -quiet; y < code.Size+quiet; y += 2 {
		var b strings.Builder
		for x := -quiet; x < code.Size+quiet; x++ {
			top, bottom := black(x, y), black(x, y+1)
			switch {
			case top && bottom:
				b.WriteString("█")
			case top:
				b.WriteString("▀")
			case bottom:
				b.WriteString("▄")
			default:
				b.WriteString(" ")
			}
		}
		out = append(out, th.Ink.Render(b.String()))
	}
	return out
}

// bareQR fills the screen with the code, with as much quiet as there is room.
func bareQR(th *theme.Theme, link string, width, height int) []string {
	for quiet := 4; quiet >= 0; quiet-- {
		code := drawQR(th, link, quiet)
		if len(code) == 0 || len(code) > height || th.Cells.Width(code[0]) > width {
			continue
		}
		out := make([]string, (height-len(code))/2, height)
		out = append(out, code...)
		if len(out) < height-1 {
			out = append(out, "", th.Accent.Render("esc")+th.Muted.Render(" "+th.T("closes")))
		}
		return out[:min(len(out), height)]
	}
	size := len(drawQR(th, link, 0))
	out := make([]string, height/3)
	return append(out,
		th.T("This window is too small for the code."),
		th.T("It needs %d×%d.", size*2+2, size),
		"",
		th.Accent.Render("esc")+th.Muted.Render(" "+th.T("closes")))
}

// networkBody tells what holds now.
func (a *App) networkBody(th *theme.Theme, width, _ int) []string {
	s := &a.status
	if !a.known {
		return []string{th.Muted.Render(th.T("The node has not said anything yet."))}
	}
	var out []string
	wrap := func(role theme.Role, text string) {
		for _, l := range th.Cells.Wrap(safetext.Clean(text).String(), width) {
			out = append(out, role.Render(l))
		}
	}
	head := func(text string) { out = append(out, "", th.Title.Render(text)) }
	const column = 14
	row := func(label, value string) {
		room := width - column
		for i, l := range th.Cells.Wrap(safetext.Line(value).String(), room) {
			if i > 0 {
				label = ""
			}
			out = append(out, th.Muted.Render(th.Cells.Fit(label, column))+l)
		}
	}
	if s.Ready {
		out = append(out, th.Good.Render(theme.GlyphReady+" "+th.T("Messages can leave now.")))
	} else {
		wrap(th.Warn, theme.GlyphWaiting+" "+th.T("waiting: %s", th.T(s.Reason)))
		wrap(th.Muted, th.T("Messages wait on this device and leave when the promise below can be kept."))
	}
	head(th.T("What this promises"))
	if s.Anonymity.Statement != "" {
		wrap(th.Text, th.T(s.Anonymity.Statement))
	}
	if n := s.Anonymity.RelaysToLink; n > 0 {
		wrap(th.Muted, th.N(n, "%d relay in the right place can link you to a contact. So can who watches both your lines.", "%d relays in the right places, working together, can link you to a contact. So can who watches both your lines."))
	}
	if s.Hops > 0 {
		wrap(th.Muted, th.T("Below about a hundred people online at the same time there is little to hide in."))
	}
	if !s.Anonymity.EnoughRelays {
		wrap(th.Warn, th.T("There are too few relays to choose routes by the rules of diversity."))
	}
	if s.AllowPrivate {
		wrap(th.Warn, th.T("Private and loopback relays are admitted: this is a mesh of your own, not for strangers."))
	}
	head(th.T("Route"))
	row(th.T("profile"), s.Profile)
	row(th.T("way out"), words.Route(th, s))
	row(th.T("this session"), short(s.PeerID))
	row(th.T("relays known"), fmt.Sprint(s.Relays))
	if s.Doubtful > 0 {
		row(th.T("avoided now"), th.T("%d: nothing comes back", s.Doubtful))
	}
	head(th.T("Guards"))
	if len(s.Guards) == 0 {
		wrap(th.Muted, th.T("None yet. A guard is a relay that you connect to, the only kind that sees your address."))
	}
	for _, g := range s.Guards {
		mark := th.Good.Render(theme.GlyphReady) + " " + th.T("connected")
		if !g.Connected {
			mark = th.Warn.Render(theme.GlyphWaiting) + " " + th.T("not connected")
		}
		out = append(out, th.Cells.Fit(mark, column+3)+" "+th.Cells.Truncate(short(safetext.Line(g.PeerID).String())+"  "+th.Muted.Render(safetext.Line(g.Address).String()), width-column-4))
	}
	head(th.T("Mailboxes"))
	if len(s.Mailboxes) == 0 {
		wrap(th.Muted, th.T("None yet. Mailboxes keep what is sent to you until you fetch it."))
	}
	for _, m := range s.Mailboxes {
		heard := th.T("not heard yet")
		if !m.Heard.IsZero() {
			heard = th.T("heard %s", a.since(m.Heard))
		}
		out = append(out, th.Cells.Ends(short(safetext.Line(m.PeerID).String()), th.Muted.Render(heard), width))
	}
	head(th.T("Messages on their way"))
	row(th.T("queued"), fmt.Sprint(s.Outbox.Queued))
	row(th.T("sealed"), fmt.Sprint(s.Outbox.Sealed))
	row(th.T("in mailboxes"), fmt.Sprint(s.Outbox.Sent))
	row(th.T("failed"), fmt.Sprint(s.Outbox.Failed))
	head(th.T("Traffic"))
	row(th.T("received"), words.Bytes(s.BytesIn))
	row(th.T("sent"), words.Bytes(s.BytesOut))
	for _, kind := range slices.Sorted(maps.Keys(s.Refused)) {
		row(th.T("refused"), fmt.Sprintf("%d %s", s.Refused[kind], th.T(kind)))
	}
	if s.Version != "" {
		out = append(out, "")
		row(th.T("version"), s.Version)
	}
	return out
}

// short keeps the end of an identifier, the part that differs.
func short(id string) string {
	if len(id) > 12 {
		return "…" + id[len(id)-10:]
	}
	return id
}

// since says how long ago something was.
func (a *App) since(t time.Time) string {
	d := a.opts.Now().Sub(t)
	switch {
	case d < time.Minute:
		return a.t("just now")
	case d < time.Hour:
		return a.n(int(d.Minutes()), "%d minute ago", "%d minutes ago")
	case d < 48*time.Hour:
		return a.n(int(d.Hours()), "%d hour ago", "%d hours ago")
	}
	return a.n(int(d.Hours()/24), "%d day ago", "%d days ago")
}

// ago is a time as the list shows it: of today the hour, else the day.
func (a *App) ago(t time.Time) string {
	now := a.opts.Now().Local()
	t = t.Local()
	switch {
	case t.Year() == now.Year() && t.YearDay() == now.YearDay():
		return t.Format("15:04")
	case t.Before(now) && now.Sub(t) < 6*24*time.Hour:
		return a.th.Time(t, "Mon")
	case t.Year() == now.Year():
		return a.th.Time(t, "2 Jan")
	}
	return t.Format("2006")
}
