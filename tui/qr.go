package tui

import (
	"strings"

	tea "charm.land/bubbletea/v2"
	"rsc.io/qr"

	"starling/tui/desk"
	"starling/tui/dialog"
	"starling/tui/theme"
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

// drawQR draws a code with half blocks, quiet modules around it. It draws dark on
// light, with any colours of the terminal.
func drawQR(th *theme.Theme, text string, quiet int) []string {
	// Upper case fits the denser alphabet of QR codes; links do not care.
	code, err := qr.Encode(strings.ToUpper(text), qr.L)
	if err != nil {
		return nil
	}
	black := func(x, y int) bool {
		return x >= 0 && y >= 0 && x < code.Size && y < code.Size && code.Black(x, y)
	}

	// One row of text is two rows of modules.
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

// showQR shows a code on the whole screen.
func showQR(d *desk.Desk, text string) dialog.Action {
	return dialog.Keeping(func() tea.Cmd {
		d.Dialogs.Open(&dialog.Card{Bare: true, Body: func(th *theme.Theme, width, height int) []string {
			return bareQR(th, text, width, height)
		}})
		return nil
	})
}
