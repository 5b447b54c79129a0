// Package search is the dialog that finds messages: words are typed, hits come with the
// text around them, and one of them is gone to.
//
// The panel asks by an [Ask] that the app answers with [Panel.Show]; each has a
// number, so that a slow answer to an older question is not shown. It shows the given
// hits and keeps nothing.
package search

import (
	"strings"
	"unicode/utf8"

	tea "charm.land/bubbletea/v2"

	"starling/node/api"
	"starling/node/api/safetext"
	"starling/tui/chatview"
	"starling/tui/composer"
	"starling/tui/dialog"
	"starling/tui/list"
	"starling/tui/match"
	"starling/tui/term"
	"starling/tui/theme"
	"starling/tui/words"
)

// PageSize is how many hits are asked for at once.
const PageSize = 50

// Ask is a question. Its number goes back with the answer, to [Panel.Show].
type Ask struct {
	N int
	api.SearchRequest
}

// Panel is the dialog.
type Panel struct {
	Title string
	// Contact is where to search, everywhere if it is empty.
	Contact string
	// Name is the name of a message's sender, and its place if there is more than one.
	Name func(api.Message) string
	// When is when it was sent.
	When func(api.Message) string
	// Mask hides the text of a message in incognito.
	Mask func(string) string
	// Read reads the words and the filters among them; an error is shown.
	Read func(string) (api.SearchRequest, error)
	// Wrong puts an error into words.
	Wrong func(error) string
	// Find asks for hits.
	Find func(Ask) tea.Cmd
	// Go goes to a message with these words.
	Go func(m api.Message, words []string) tea.Cmd

	words  composer.Editor
	n      int      // of the last question
	terms  []string // the words of it, without filters
	hits   []hit
	whole  bool // there are no more
	asking bool
	wrong  string
	rows   list.Picker
	room   int
	from   int
}

// A hit is a message, its text as it is drawn, and where in it the first word stands.
type hit struct {
	api.Message
	text string
	at   int
}

// hitOf draws the text of a message without signs of markdown, unless the words stand in what
// is not drawn of it, such as the target of a link.
func hitOf(m api.Message, terms []string) hit {
	raw := said(&m)
	text := chatview.Preview(raw)
	at, _ := match.Next(text, terms)
	if at < 0 {
		if inRaw, _ := match.Next(raw, terms); inRaw >= 0 {
			text, at = raw, inRaw
		}
	}
	return hit{m, text, max(at, 0)}
}

// New returns a panel with words to begin with.
func New(title, placeholder, words string) *Panel {
	p := &Panel{Title: title}
	p.words.OneLine, p.words.Limit = true, 256
	p.words.Placeholder = placeholder
	p.words.SetValue(words)
	return p
}

// Words returns the words to search for.
func (p *Panel) Words() string { return p.words.Value() }

// Question asks for the typed words, and does nothing if there are none.
func (p *Panel) Question() dialog.Action {
	p.n++
	p.hits, p.whole, p.wrong, p.rows = nil, false, "", list.Picker{}
	p.asking, p.terms = false, nil
	req, err := p.Read(p.words.Value())
	if err != nil {
		p.wrong = p.Wrong(err)
		return dialog.Action{}
	}

	p.terms = match.Words(req.Words)
	filtered := req.From != "" || req.Contact != "" || req.Kind != "" || !req.Since.IsZero() || !req.Until.IsZero()
	if len(p.terms) == 0 && !filtered {
		return dialog.Action{}
	}
	return p.ask(req, 0)
}

func (p *Panel) ask(req api.SearchRequest, before int64) dialog.Action {
	p.asking = true
	req.Before, req.Limit = before, PageSize
	if p.Contact != "" {
		req.Contact = p.Contact
	}
	q := Ask{p.n, req}
	return dialog.Keeping(func() tea.Cmd { return p.Find(q) })
}

// Show takes the answer to question n.
func (p *Panel) Show(n int, hits []api.Message, wrong string) {
	if n != p.n {
		return
	}
	p.asking = false
	for _, m := range hits {
		p.hits = append(p.hits, hitOf(m, p.terms))
	}
	p.whole = len(hits) < PageSize
	p.wrong = wrong
}

// Key edits the words, moves or goes there.
func (p *Panel) Key(k tea.KeyPressMsg) dialog.Action {
	switch k.Keystroke() {
	case "esc", "ctrl+c":
		return dialog.Close
	case "enter":
		return p.choose(p.rows.Selected)
	case "up", "shift+tab":
		p.rows.Move(-1, len(p.hits))
	case "down", "tab", "ctrl+n":
		p.rows.Move(1, len(p.hits))
		return p.more()
	case "pgup":
		p.rows.Move(-p.room, len(p.hits))
	case "pgdown":
		p.rows.Move(p.room, len(p.hits))
		return p.more()
	default:
		before := p.words.Value()
		p.words.Key(k)
		if p.words.Value() != before {
			return p.Question()
		}
	}
	return dialog.Action{}
}

// more asks for the next hits when the last one is near.
func (p *Panel) more() dialog.Action {
	if p.whole || p.asking || len(p.hits) == 0 || p.rows.Selected < len(p.hits)-p.room {
		return dialog.Action{}
	}
	req, err := p.Read(p.words.Value())
	if err != nil {
		return dialog.Action{}
	}
	return p.ask(req, p.hits[len(p.hits)-1].Sequence)
}

func (p *Panel) choose(i int) dialog.Action {
	if i < 0 || i >= len(p.hits) {
		return dialog.Action{}
	}
	m, words := p.hits[i].Message, p.terms
	return dialog.Closing(func() tea.Cmd { return p.Go(m, words) })
}

// Paste puts text into the words.
func (p *Panel) Paste(s string) dialog.Action {
	p.words.Insert(s)
	return p.Question()
}

// Click goes to a hit.
func (p *Panel) Click(_, y int) dialog.Action {
	i := (y - p.from) / perHit
	from, to := p.rows.Window(len(p.hits), p.room)
	if y < p.from || from+i >= to {
		return dialog.Action{}
	}
	return p.choose(from + i)
}

// Wheel scrolls.
func (p *Panel) Wheel(lines int) { p.rows.Scroll(lines, len(p.hits), p.room) }

// perHit is the rows of a hit: the sender, and the text.
const perHit = 2

// Render draws the panel. Its height does not depend on the hits.
func (p *Panel) Render(th *theme.Theme, width, height int) dialog.Box {
	frame := dialog.NewFrame(th, th.T(p.Title), 72, width, height)
	inner := frame.Inner
	line, x, _ := p.words.Render(th, inner-2, 1)
	frame.Add(th.Accent.Render(theme.GlyphPrompt) + " " + line[0])
	frame.Cursor(x+2, 0)

	status := ""
	switch {
	case p.wrong != "":
		status = th.Bad.Render(p.wrong)
	case p.asking && len(p.hits) == 0:
		status = th.Muted.Render(th.T("searching…"))
	case len(p.hits) == 0 && strings.TrimSpace(p.words.Value()) != "":
		status = th.Muted.Render(th.T("No message has these words."))
	case len(p.hits) > 0 && p.whole:
		status = th.Muted.Render(th.N(len(p.hits), "%d message", "%d messages"))
	case len(p.hits) > 0:
		status = th.Muted.Render(th.T("%d messages and more", len(p.hits)))
	default:
		status = th.Muted.Render(th.T("Whole words; from:me on:2026-11-22 before: after: kind:picture"))
	}
	frame.Add(th.Cells.Truncate(status, inner))

	p.from = frame.Top()
	p.room = max(1, frame.Room()/perHit)
	from, to := p.rows.Window(len(p.hits), p.room)
	for i := from; i < to; i++ {
		p.hit(frame, th, p.hits[i], i == p.rows.Selected)
	}
	for range (p.room - (to - from)) * perHit {
		frame.Add("")
	}
	return frame.Box()
}

func (p *Panel) hit(f *dialog.Frame, th *theme.Theme, m hit, selected bool) {
	bar, name := " ", th.Title
	if selected {
		bar, name = th.Accent.Render(theme.GlyphBar), th.Own
	}
	f.Add(bar + th.Cells.Ends(name.Render(th.Cells.Truncate(p.Name(m.Message), f.Inner-16)), th.Muted.Render(p.When(m.Message)), f.Inner-1))
	f.Add(bar + " " + p.snippet(th, m, f.Inner-2))
}

// said is the text of a message, and the name of its file.
func said(m *api.Message) string {
	if m.File == nil {
		return m.Text.String()
	}
	return strings.TrimSpace(m.Text.String() + " ▤ " + words.File(m.File))
}

// snippet is the part of a text around the first word found, in one line.
func (p *Panel) snippet(th *theme.Theme, m hit, width int) string {
	terms := p.terms
	s, at := m.text, m.at
	if s == "" && m.Picture != nil {
		s = th.T("a picture")
	}

	// It begins a third of the width before the word, with a whole one.
	from := at
	for k := 0; from > 0 && k < width/3; k++ {
		_, n := utf8.DecodeLastRuneInString(s[:from])
		from -= n
	}
	if from > 0 {
		if sp := strings.IndexAny(s[from:at], " \n"); sp >= 0 {
			from += sp + 1
		}
	}

	end := min(len(s), at+8*width)
	for end < len(s) && !utf8.RuneStart(s[end]) {
		end--
	}

	line := th.Cells.Steady(safetext.Line(s[from:end]).String())
	if from > 0 {
		line = term.Ellipsis + line
	}
	if p.Mask != nil {
		if masked := p.Mask(line); masked != line {
			return th.Muted.Render(th.Cells.Truncate(masked, width))
		}
	}

	line = th.Cells.Truncate(line, width)
	i, n := match.Next(line, terms)
	if i < 0 {
		return line
	}
	return line[:i] + th.Found.Render(line[i:i+n]) + line[i+n:]
}
