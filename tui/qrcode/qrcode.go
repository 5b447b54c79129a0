// Package qrcode draws texts as QR codes with the characters of a terminal, as large as
// there is room, and the pages that show a link with its code.
package qrcode

import (
	"strings"

	tea "charm.land/bubbletea/v2"
	"rsc.io/qr"

	"starling/tui/desk"
	"starling/tui/dialog"
	"starling/tui/theme"
)

// Page shows a link from the first column on, without anything beside it that would be
// selected with it, and the code below, as large as there is room, with paragraphs of
// words that come translated.
func Page(th *theme.Theme, link string, said []string, width, height int) []string {
	var out []string
	for _, l := range th.Cells.Chop(link, width) {
		out = append(out, th.Accent.Render(l))
	}

	code := fit(th, link, width, height-len(out))
	var side []string
	for i, s := range said {
		if i > 0 {
			side = append(side, "")
		}
		side = append(side, s)
	}
	if code == nil {
		side = append(side, "", th.T("The code needs a larger window."))
	}

	// The words stand beside the code where they can, else they come first.
	wide := 0
	if code != nil {
		wide = th.Cells.Width(code[0]) + 3
	}
	room := width - wide - 2
	if code != nil && room < 24 {
		return append(out, code...)
	}
	var words []string
	for _, s := range side {
		words = append(words, th.Cells.Wrap(s, room)...)
	}
	if code == nil {
		words = append([]string{""}, words...)
	}
	for i := range max(len(code), len(words)) {
		left, right := th.Cells.Fit("", wide), ""
		if i < len(code) {
			left = " " + code[i] + "  "
		}
		if i < len(words) {
			right = th.Muted.Render(words[i])
		}
		out = append(out, left+" "+right)
	}
	return out
}

// modules reads a code. It is dark on light, with quiet modules around it.
type modules struct {
	*qr.Code
	quiet int
}

func encode(text string, quiet int) *modules {
	// Upper case fits the denser alphabet of QR codes; links do not care.
	code, err := qr.Encode(strings.ToUpper(text), qr.L)
	if err != nil {
		return nil
	}
	return &modules{code, quiet}
}

// side is how many modules there are with the quiet ones.
func (m *modules) side() int { return m.Size + 2*m.quiet }

// black reports whether a module is dark, counted with the quiet ones.
func (m *modules) black(x, y int) bool {
	x, y = x-m.quiet, y-m.quiet
	return x >= 0 && y >= 0 && x < m.Size && y < m.Size && m.Code.Black(x, y)
}

// draw draws a code with glyphs of w by h modules.
func (m *modules) draw(th *theme.Theme, w, h int, glyph func(dark func(x, y int) bool) rune) []string {
	var out []string
	for y := 0; y < m.side(); y += h {
		var b strings.Builder
		for x := 0; x < m.side(); x += w {
			b.WriteRune(glyph(func(dx, dy int) bool { return m.black(x+dx, y+dy) }))
		}
		out = append(out, th.Ink.Render(b.String()))
	}
	return out
}

// halves draws with half blocks: two modules above each other in a cell, which makes
// them square.
func halves(dark func(x, y int) bool) rune {
	switch top, bottom := dark(0, 0), dark(0, 1); {
	case top && bottom:
		return '█'
	case top:
		return '▀'
	case bottom:
		return '▄'
	}
	return ' '
}

// sixths draws with sextants: two by three modules in a cell, for a screen that is too
// low for halves. They are nearly square.
func sixths(dark func(x, y int) bool) rune {
	bits := 0
	for i := range 6 {
		if dark(i%2, i/2) {
			bits |= 1 << i
		}
	}

	// Some are older than the others, and stand elsewhere.
	switch bits {
	case 0:
		return ' '
	case 0b010101:
		return '▌'
	case 0b101010:
		return '▐'
	case 0b111111:
		return '█'
	}

	r := rune(0x1fb00 + bits - 1)
	if bits > 0b010101 {
		r--
	}
	if bits > 0b101010 {
		r--
	}
	return r
}

// Draw draws a code with half blocks, and quiet modules around it.
func Draw(th *theme.Theme, text string, quiet int) []string {
	m := encode(text, quiet)
	if m == nil {
		return nil
	}
	return m.draw(th, 1, 2, halves)
}

// fit draws a code that fits: with half blocks, with sextants where there are not
// enough rows for these, nil if it does not fit at all.
func fit(th *theme.Theme, text string, width, height int) []string {
	for _, sextants := range []bool{false, true} {
		for quiet := 4; quiet >= 2; quiet-- {
			m := encode(text, quiet)
			switch {
			case m == nil:
				return nil
			case !sextants && m.side() <= width && (m.side()+1)/2 <= height:
				return m.draw(th, 1, 2, halves)
			case sextants && (m.side()+1)/2 <= width && (m.side()+2)/3 <= height:
				return m.draw(th, 2, 3, sixths)
			}
		}
	}
	return nil
}

// bare fills the screen with the code.
func bare(th *theme.Theme, link string, width, height int) []string {
	leave := th.Accent.Render("esc") + th.Muted.Render(" "+th.T("closes"))
	if code := fit(th, link, width, height); code != nil {
		out := make([]string, (height-len(code))/2, height)
		out = append(out, code...)
		if len(out) < height-1 {
			out = append(out, "", leave)
		}
		return out[:min(len(out), height)]
	}

	out := make([]string, height/3)
	out = append(out, th.T("This window is too small for the code."))
	if m := encode(link, 2); m != nil {
		out = append(out, th.T("It needs %d×%d.", (m.side()+1)/2, (m.side()+2)/3))
	}
	return append(out, "", leave)
}

// Open shows a link, with what is said of it, and the buttons that hand it on.
func Open(d *desk.Desk, title, link string, said []string) *dialog.Card {
	card := &dialog.Card{Title: title, Page: true, Body: func(th *theme.Theme, width, height int) []string {
		return Page(th, link, said, width, height)
	}}
	copied := d.T("Link copied, if your terminal allows it.")
	card.Buttons = []dialog.Button{
		{Label: "Copy the link", Key: "c", Action: dialog.Keeping(func() tea.Cmd {
			return tea.Batch(tea.SetClipboard(link), d.Note(copied, false))
		})},
		{Label: "QR alone", Key: "f", Action: Show(d, link)},
		{Label: "Done", Key: "esc", Action: dialog.Close},
	}
	d.Dialogs.Open(card)
	return card
}

// Show shows a code on the whole screen.
func Show(d *desk.Desk, text string) dialog.Action {
	return dialog.Keeping(func() tea.Cmd {
		d.Dialogs.Open(&dialog.Card{Bare: true, Body: func(th *theme.Theme, width, height int) []string {
			return bare(th, text, width, height)
		}})
		return nil
	})
}
