package theme

import (
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
		for _, g := range []string{GlyphQueued, GlyphSealed, GlyphSent, GlyphDelivered, GlyphFailed, GlyphVerified, GlyphPending, GlyphBlocked, GlyphReady, GlyphWaiting, GlyphBar, GlyphPrompt} {
			if w := c.Width(g); w != 1 {
				t.Errorf("%+v: %q has %d cells", c, g, w)
			}
		}
	}
}
