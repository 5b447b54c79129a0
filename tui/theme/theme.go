// Package theme is the look of things: the style of each role of text, and the glyphs
// that go with it.
//
// Roles use the terminal's own 16 colours and its own background, so that a
// person's palette is respected and nothing assumes a dark screen. Nothing is
// told by colour alone: every state has a glyph and a word.
package theme

import (
	"image/color"
	"strings"
	"time"

	"charm.land/lipgloss/v2"

	"starling/tui/catalogue"
	"starling/tui/term"
)

// A Role is how one kind of text is drawn.
type Role struct{ open, end string }

// Render draws one piece of text. Pieces are joined, never nested.
func (r Role) Render(s string) string {
	if s == "" || r.open == "" {
		return s
	}
	return r.open + s + r.end
}

func role(s lipgloss.Style) Role {
	open, end, _ := strings.Cut(s.Render("x"), "x")
	return Role{open: open, end: end}
}

// A Theme is a set of roles, the measure of the terminal they are for, and the
// language that the person reads.
type Theme struct {
	Cells term.Cells
	Dark  bool
	Words *catalogue.Catalogue

	Text     Role // texts of people
	Muted    Role // times, hints, other things of less weight
	Border   Role // lines between panes
	Focus    Role // lines around the part with the focus
	Title    Role // headings
	Accent   Role // things to act on: keys, links, the selection bar
	Own      Role // our name
	Peer     Role // a contact's name
	Good     Role // holds, delivered, verified
	Warn     Role // waits, not verified
	Bad      Role // failed
	Selected Role // the selected row where it has the focus
	Badge    Role // counts of unread messages
	Code     Role // code in messages
	Link     Role // where a link leads
	Button   Role // a button
	Primary  Role // the button that enter presses

	Strong, Emphasis, StrongEmphasis Role // in messages

	Found Role // words that were searched for
	Ink   Role // dark modules of a QR code on light
}

// T puts an English text into the person's language and formats it.
func (th *Theme) T(english string, args ...any) string { return th.Words.Sprintf(english, args...) }

// N is T for a text with a number.
func (th *Theme) N(n int, one, many string) string { return th.Words.Count(n, one, many) }

// Time formats a time.
func (th *Theme) Time(t time.Time, layout string) string { return th.Words.Time(t.Local(), layout) }

// New returns the theme for a dark or light background.
func New(dark bool, cells term.Cells) *Theme {
	pick := func(onDark, onLight color.Color) lipgloss.Style {
		if dark {
			return lipgloss.NewStyle().Foreground(onDark)
		}
		return lipgloss.NewStyle().Foreground(onLight)
	}
	plain := lipgloss.NewStyle()
	accent := pick(lipgloss.Cyan, lipgloss.Blue)
	return &Theme{
		Cells:    cells,
		Dark:     dark,
		Text:     role(plain),
		Muted:    role(plain.Faint(true)),
		Border:   role(pick(lipgloss.BrightBlack, lipgloss.BrightBlack)),
		Focus:    role(accent),
		Title:    role(plain.Bold(true)),
		Accent:   role(accent),
		Own:      role(accent.Bold(true)),
		Peer:     role(pick(lipgloss.Magenta, lipgloss.Magenta).Bold(true)),
		Good:     role(pick(lipgloss.Green, lipgloss.Green)),
		Warn:     role(pick(lipgloss.Yellow, lipgloss.Magenta)),
		Bad:      role(pick(lipgloss.BrightRed, lipgloss.Red)),
		Selected: role(plain.Reverse(true)),
		Badge:    role(accent.Bold(true).Reverse(true)),
		Code:     role(pick(lipgloss.Yellow, lipgloss.Blue)),
		Link:     role(accent.Underline(true)),
		Strong:   role(plain.Bold(true)),
		Emphasis: role(plain.Italic(true)),

		StrongEmphasis: role(plain.Bold(true).Italic(true)),

		Button:  role(plain),
		Primary: role(accent.Bold(true).Reverse(true)),
		Found:   role(plain.Reverse(true)),
		Ink:     role(lipgloss.NewStyle().Foreground(lipgloss.Black).Background(lipgloss.BrightWhite)),
	}
}

// Glyphs. All are one cell wide in every terminal measured.
const (
	GlyphQueued    = "○"
	GlyphSealed    = "◐"
	GlyphSent      = "●"
	GlyphDelivered = "✓"
	GlyphFailed    = "✗"
	GlyphVerified  = "✓"
	GlyphPending   = "…"
	GlyphBlocked   = "⊘"
	GlyphNotice    = "!"
	GlyphReady     = "●"
	GlyphWaiting   = "○"
	GlyphBar       = "▌"
	GlyphPrompt    = "›"
	GlyphRead      = "✓✓"
	GlyphPinned    = "▴"
	GlyphMuted     = "⊖"
	GlyphTimer     = "◷"
	GlyphReply     = "↳"
	GlyphForward   = "↷"
	GlyphLate      = "↶"
	GlyphQuote     = "┃"
	GlyphDraft     = "✎"
)
