package theme

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"starling/tui/term"
)

func TestRoleWrapsAndResets(t *testing.T) {
	th := New(true, term.Cells{})
	if got, want := th.Own.Render("x"), "\x1b[1;36mx\x1b[m"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := th.Text.Render("x"); got != "x" {
		t.Errorf("plain text is styled: %q", got)
	}
	if got := th.Bad.Render(""); got != "" {
		t.Errorf("nothing is styled: %q", got)
	}
}

func TestGlyphsAreOneCell(t *testing.T) {
	for _, c := range []term.Cells{{}, {Graphemes: true}} {
		for _, g := range []string{GlyphQueued, GlyphSealed, GlyphSent, GlyphDelivered, GlyphFailed, GlyphVerified, GlyphPending, GlyphBlocked, GlyphSelf, GlyphReady, GlyphWaiting, GlyphBar, GlyphPrompt, GlyphRoom, GlyphFolded, GlyphOpen} {
			if w := c.Width(g); w != 1 {
				t.Errorf("%+v: %q has %d cells", c, g, w)
			}
		}
	}
}

// coloured are the roles of a theme that have a colour, by name.
func coloured(th *Theme) map[string]Role {
	all := map[string]Role{
		"muted": th.Muted, "border": th.Border, "focus": th.Focus, "accent": th.Accent, "own": th.Own, "peer": th.Peer, "good": th.Good,
		"warn": th.Warn, "bad": th.Bad, "code": th.Code, "link": th.Link, "badge": th.Badge, "primary": th.Primary, "named": th.Named, "us": th.Us,
	}
	for i, r := range th.authors {
		all[fmt.Sprint("author ", i)] = r
	}
	return all
}

// The colour of a member is theirs for ever, and thirty members have several.
func TestAuthorsHaveColours(t *testing.T) {
	for _, name := range []string{Auto, Dark, Light, Sixteen} {
		for _, dark := range []bool{true, false} {
			th, some := Named(name, dark, term.Cells{}), map[string]bool{}
			for i := range 30 {
				id := fmt.Sprintf("%032x", i*7919)
				some[th.Author(id).Render("x")] = true
				if again := Named(name, dark, term.Cells{Graphemes: true}).Author(id); again != th.Author(id) {
					t.Errorf("%s: %s has another colour", name, id)
				}
			}
			if len(some) < min(4, len(th.authors)) {
				t.Errorf("%s: only %d colours", name, len(some))
			}
		}
	}
	if got := (&Theme{}).Author("x").Render("x"); got != "x" {
		t.Errorf("%q", got)
	}
}

type rgb [3]float64

// luminance is that of WCAG 2.
func (c rgb) luminance() float64 {
	var l [3]float64
	for i, v := range c {
		if v /= 255; v <= 0.04045 {
			l[i] = v / 12.92
		} else {
			l[i] = math.Pow((v+0.055)/1.055, 2.4)
		}
	}
	return 0.2126*l[0] + 0.7152*l[1] + 0.0722*l[2]
}

func contrast(a, b rgb) float64 {
	x, y := a.luminance(), b.luminance()
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

func hex(s string) (c rgb) {
	for i := range c {
		n, err := strconv.ParseUint(s[1+2*i:3+2*i], 16, 8)
		if err != nil {
			panic(err)
		}
		c[i] = float64(n)
	}
	return c
}

var trueColour = regexp.MustCompile(`38;2;(\d+);(\d+);(\d+)`)

// Text of every role of a look can be read on the screens that it is for: 4.5 to 1, lines
// 3 to 1.
func TestContrast(t *testing.T) {
	for name, screens := range map[string][]string{
		Dark:  {"#000000", "#1e1e1e", "#002b36", "#282c34"},
		Light: {"#ffffff", "#fafafa", "#fdf6e3"},
	} {
		for what, role := range coloured(Named(name, name == Dark, term.Cells{})) {
			m := trueColour.FindStringSubmatch(role.Render("x"))
			if m == nil {
				t.Errorf("%s: %s has no colour of its own: %q", name, what, role.Render("x"))
				continue
			}
			var ink rgb
			for i := range ink {
				ink[i], _ = strconv.ParseFloat(m[i+1], 64)
			}
			least := 4.5
			if what == "border" {
				least = 3
			}
			for _, screen := range screens {
				if c := contrast(ink, hex(screen)); c < least {
					t.Errorf("%s: %s on %s: %.2f to 1", name, what, screen, c)
				}
			}
		}
	}
}

// vga are the 16 colours of a console.
var vga = []string{"#000000", "#aa0000", "#00aa00", "#aa5500", "#0000aa", "#aa00aa", "#00aaaa", "#aaaaaa",
	"#555555", "#ff5555", "#55ff55", "#ffff55", "#5555ff", "#ff55ff", "#55ffff", "#ffffff"}

// The look of 16 colours uses no others, nothing faint, and can be read on a console.
func TestSixteenColours(t *testing.T) {
	code := regexp.MustCompile(`\x1b\[([\d;]*)m`)
	for _, dark := range []bool{true, false} {
		screen := vga[15]
		if dark {
			screen = vga[0]
		}
		for what, role := range coloured(Named(Sixteen, dark, term.Cells{})) {
			m := code.FindStringSubmatch(role.Render("x"))
			if m == nil {
				continue // the terminal's own text
			}

			for _, part := range strings.Split(m[1], ";") {
				n, err := strconv.Atoi(part)
				switch {
				case err != nil || n == 2 || n == 38 || n == 48:
					t.Errorf("%s: %q", what, m[1])
					continue
				case n >= 30 && n <= 37:
					n -= 30
				case n >= 90 && n <= 97:
					n -= 82
				default:
					continue
				}
				if c := contrast(hex(vga[n]), hex(screen)); c < 3 {
					t.Errorf("%s on %s: %.2f to 1", what, screen, c)
				}
			}
		}
	}
}

// Every look has every role, and an unknown one is the look by default.
func TestLooks(t *testing.T) {
	for _, name := range []string{Auto, Dark, Light, Sixteen} {
		th := Named(name, true, term.Cells{})
		if th.Name != name || th.Selected.Render("x") == "x" || th.Title.Render("x") == "x" {
			t.Errorf("%+v", th)
		}
	}
	if got, want := fmt.Sprint(*Named("plaid", true, term.Cells{})), fmt.Sprint(*New(true, term.Cells{})); got != want {
		t.Errorf("%s is not %s", got, want)
	}
}
