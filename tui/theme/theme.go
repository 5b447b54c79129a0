// Package theme is the look of things: the style of each role of text, and the glyphs
// that go with it.
//
// By default roles use the terminal's own 16 colours and its own background, so that a
// person's palette is respected and nothing assumes a dark screen; a person may choose
// another look ([Named]). No look paints a background. Nothing is told by colour alone:
// every state has a glyph and a word.
package theme

import (
	"hash/fnv"
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
	Name  string // of the look
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

	CodeKeyword, CodeString, CodeNumber Role // in code of a known language
	Button                              Role // a button
	Primary                             Role // the button that enter presses

	Strong, Emphasis, StrongEmphasis, Struck Role // in messages

	Named Role // a member of the room that a text names
	Us    Role // ourselves, named
	Found Role // words that were searched for
	Ink   Role // dark modules of a QR code on light

	authors []Role // names of the members of rooms
}

// Author is how the name of a member of a room is drawn: in the colour of their ID, the same
// on every day and on every screen of this look. Several members may have one: it helps
// the eye, and their names tell them apart.
func (th *Theme) Author(id string) Role {
	if len(th.authors) == 0 {
		return th.Peer
	}
	h := fnv.New32a()
	h.Write([]byte(id))
	return th.authors[h.Sum32()%uint32(len(th.authors))]
}

// T puts an English text into the person's language and formats it.
func (th *Theme) T(english string, args ...any) string { return th.Words.Sprintf(english, args...) }

// N is T for a text with a number.
func (th *Theme) N(n int, one, many string) string { return th.Words.Count(n, one, many) }

// Time formats a time.
func (th *Theme) Time(t time.Time, layout string) string { return th.Words.Time(t.Local(), layout) }

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
	GlyphSelf      = "⌂"
	GlyphTimer     = "◷"
	GlyphReply     = "↳"
	GlyphForward   = "↷"
	GlyphLate      = "↶"
	GlyphQuote     = "┃"
	GlyphDraft     = "✎"
	GlyphRoom      = "⁂"
	GlyphFolded    = "▸"
	GlyphOpen      = "▾"
	GlyphMention   = "@"
)
