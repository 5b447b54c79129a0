package qrcode

import (
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"

	"starling/tui/term"
	"starling/tui/theme"
)

// What is drawn is read again, module by module, as a scanner sees it.
func TestCodesAreDrawnWhole(t *testing.T) {
	th := theme.New(true, term.Cells{})
	link := "starling:" + strings.Repeat("abcdefgh234567zy", 16)[:247] // as long as one of two mailboxes
	m := encode(link, 2)
	read := map[string]struct {
		w, h  int
		lines []string
	}{
		"halves": {1, 2, m.draw(th, 1, 2, halves)},
		"sixths": {2, 3, m.draw(th, 2, 3, sixths)},
	}
	for name, d := range read {
		for y := range m.side() {
			line := []rune(ansi.Strip(d.lines[y/d.h]))
			for x := range m.side() {
				if got := dark(line[x/d.w], x%d.w, y%d.h, d.h); got != m.black(x, y) {
					t.Fatalf("%s: module %d,%d is %t", name, x, y, got)
				}
			}
		}
		for _, l := range d.lines {
			if n := th.Cells.Width(l); n != (m.side()+d.w-1)/d.w {
				t.Fatalf("%s: a row has %d cells", name, n)
			}
		}
	}

	// It fits a terminal of 80×24, with two quiet modules around it.
	code := fit(th, link, 80, 24)
	if code == nil || len(code) > 24 {
		t.Errorf("it takes %d rows", len(code))
	}
	if body := Page(th, link, []string{"Works once.", "Give it to one person, on a way that you trust."}, 80, 22); len(body) > 22 {
		t.Errorf("with its link it takes %d rows", len(body))
	}
	if fit(th, link, 80, 17) != nil {
		t.Error("it fits where it cannot")
	}
}

// dark reads a module out of a glyph of so many rows.
func dark(r rune, x, y, rows int) bool {
	switch {
	case r == ' ':
		return false
	case r == '█':
		return true
	case rows == 2:
		return r == '▀' && y == 0 || r == '▄' && y == 1
	case r == '▌':
		return x == 0
	case r == '▐':
		return x == 1
	}
	bits := int(r) - 0x1fb00 + 1 // Unicode 16, Symbols for Legacy Computing: 21 and 42 are left out
	if bits >= 21 {
		bits++
	}
	if bits >= 42 {
		bits++
	}
	return bits>>(2*y+x)&1 == 1
}
