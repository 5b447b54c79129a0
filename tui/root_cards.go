package tui

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"rsc.io/qr"

	"starling/node/api"
	"starling/node/api/safetext"
	"starling/tui/theme"
)

// inviteBody shows the link, and the QR code if there is room for it.
func inviteBody(th *theme.Theme, link, expires string, width, height int) []string {
	var out []string
	note := th.Muted.Render("Works once, until " + expires + ".")
	lines := th.Cells.Chop(link, width)
	code := drawQR(th, link, 2)
	if len(code) > 0 && th.Cells.Width(code[0]) <= width && len(code)+len(lines)+6 <= height {
		for _, l := range code {
			out = append(out, th.Cells.Center(l, width))
		}
		out = append(out, "")
	} else {
		out = append(out, th.Muted.Render("The QR code needs a larger window: try f, or make it larger."), "")
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
			out = append(out, "", th.Muted.Render("esc closes"))
		}
		return out[:min(len(out), height)]
	}
	size := len(drawQR(th, link, 0))
	out := make([]string, height/3)
	return append(out,
		"This window is too small for the code.",
		fmt.Sprintf("It needs %d×%d.", size*2+2, size),
		"",
		th.Muted.Render("esc closes"))
}

// networkBody tells what holds now.
func (a *App) networkBody(th *theme.Theme, width, _ int) []string {
	s := &a.status
	if !a.known {
		return []string{th.Muted.Render("The node has not said anything yet.")}
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
		out = append(out, th.Good.Render(theme.GlyphReady+" Messages can leave now."))
	} else {
		wrap(th.Warn, theme.GlyphWaiting+" waiting: "+s.Reason)
		wrap(th.Muted, "Messages wait on this device and leave when the promise below can be kept.")
	}
	head("What this promises")
	if s.Anonymity.Statement != "" {
		wrap(th.Text, s.Anonymity.Statement)
	}
	if n := s.Anonymity.RelaysToLink; n > 0 {
		wrap(th.Muted, fmt.Sprintf("%s in the right places, working together, can link you to a contact. So can who watches both your lines.", plural(n, "relay")))
	}
	if s.Hops > 0 {
		wrap(th.Muted, "Below about a hundred people online at the same time there is little to hide in.")
	}
	if !s.Anonymity.EnoughRelays {
		wrap(th.Warn, "There are too few relays to choose routes by the rules of diversity.")
	}
	if s.AllowPrivate {
		wrap(th.Warn, "Private and loopback relays are admitted: this is a mesh of your own, not for strangers.")
	}
	head("Route")
	row("profile", s.Profile)
	row("way out", route(s))
	row("this session", short(s.PeerID))
	row("relays known", fmt.Sprint(s.Relays))
	head("Guards")
	if len(s.Guards) == 0 {
		wrap(th.Muted, "None yet. A guard is a relay that you connect to, the only kind that sees your address.")
	}
	for _, g := range s.Guards {
		mark := th.Good.Render(theme.GlyphReady) + " connected"
		if !g.Connected {
			mark = th.Warn.Render(theme.GlyphWaiting) + " not connected"
		}
		out = append(out, th.Cells.Fit(mark, column+3)+" "+th.Cells.Truncate(short(safetext.Line(g.PeerID).String())+"  "+th.Muted.Render(safetext.Line(g.Address).String()), width-column-4))
	}
	head("Mailboxes")
	if len(s.Mailboxes) == 0 {
		wrap(th.Muted, "None yet. Mailboxes keep what is sent to you until you fetch it.")
	}
	for _, m := range s.Mailboxes {
		heard := "not heard yet"
		if !m.Heard.IsZero() {
			heard = "heard " + a.since(m.Heard)
		}
		out = append(out, th.Cells.Ends(short(safetext.Line(m.PeerID).String()), th.Muted.Render(heard), width))
	}
	head("Messages on their way")
	row("queued", fmt.Sprint(s.Outbox.Queued))
	row("sealed", fmt.Sprint(s.Outbox.Sealed))
	row("in mailboxes", fmt.Sprint(s.Outbox.Sent))
	row("failed", fmt.Sprint(s.Outbox.Failed))
	head("Traffic")
	row("received", bytes(s.BytesIn))
	row("sent", bytes(s.BytesOut))
	for _, kind := range slices.Sorted(maps.Keys(s.Refused)) {
		row("refused", fmt.Sprintf("%d %s", s.Refused[kind], kind))
	}
	if s.Version != "" {
		out = append(out, "")
		row("version", s.Version)
	}
	return out
}

// route draws the way out by its stations.
func route(s *api.Status) string {
	if s.Hops <= 0 {
		return "direct, no relay hides your address"
	}
	way := []string{"you", "guard"}
	for range s.Hops - 1 {
		way = append(way, "mix")
	}
	return strings.Join(append(way, "mailbox"), " → ")
}

// short keeps the end of an identifier, the part that differs.
func short(id string) string {
	if len(id) > 12 {
		return "…" + id[len(id)-10:]
	}
	return id
}

func bytes(n int64) string {
	switch {
	case n < 1000:
		return fmt.Sprintf("%d B", n)
	case n < 1000*1000:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	}
	return fmt.Sprintf("%.1f MB", float64(n)/1e6)
}

// since says how long ago something was.
func (a *App) since(t time.Time) string {
	d := a.opts.Now().Sub(t)
	switch {
	case d < time.Minute:
		return "just now"
	case d < time.Hour:
		return plural(int(d.Minutes()), "minute") + " ago"
	case d < 48*time.Hour:
		return plural(int(d.Hours()), "hour") + " ago"
	}
	return plural(int(d.Hours()/24), "day") + " ago"
}

// ago is a time as the list shows it: of today the hour, else the day.
func (a *App) ago(t time.Time) string {
	now := a.opts.Now().Local()
	t = t.Local()
	switch {
	case t.Year() == now.Year() && t.YearDay() == now.YearDay():
		return t.Format("15:04")
	case t.Before(now) && now.Sub(t) < 6*24*time.Hour:
		return t.Format("Mon")
	case t.Year() == now.Year():
		return t.Format("2 Jan")
	}
	return t.Format("2006")
}

func plural(n int, what string) string {
	if n == 1 || what == "new" {
		return fmt.Sprintf("%d %s", n, what)
	}
	return fmt.Sprintf("%d %ss", n, what)
}
