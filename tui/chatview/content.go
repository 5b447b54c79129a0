package chatview

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	"starling/node/api"
	"starling/node/api/safetext"
	"starling/tui/match"
	"starling/tui/theme"
)

// The largest a picture is drawn in a conversation, in cells.
const (
	pictureWidth  = 48
	pictureHeight = 14
)

// content lays out the parts of a message: a line if it is late or forwarded, the quote
// it answers, its picture and its text.
func (v *View) content(it *item, width int) []string {
	th := v.th
	if it.Deleted {
		text := th.T("This message was taken back.")
		return []string{th.Muted.Render(th.Cells.Truncate(text, width))}
	}

	var out []string
	if it.Late != nil {
		late := th.T("came late, written before: %s", v.quotedText(it.Late))
		out = append(out, th.Muted.Render(th.Cells.Truncate(theme.GlyphLate+" "+late, width)))
	}
	if it.Forwarded {
		out = append(out, th.Muted.Render(th.Cells.Truncate(theme.GlyphForward+" "+th.T("forwarded"), width)))
	}
	if it.Reply != nil {
		out = append(out, th.Border.Render(theme.GlyphQuote)+" "+th.Muted.Render(th.Cells.Truncate(v.quoted(it.Reply), width-indent)))
	}

	if it.Picture != nil {
		out = append(out, v.picture(it, width)...)
		if it.Text.IsZero() {
			return out
		}
	}
	return append(out, v.fold(it, v.wrap(it, width), width)...)
}

const (
	// foldFrom is from how many lines a text is folded, and foldTo how many are left.
	foldFrom = 40
	foldTo   = 24
)

// fold leaves a part of a long text: its beginning, or where the words stand that were
// searched for.
func (v *View) fold(it *item, lines []string, width int) []string {
	if len(lines) <= foldFrom || v.unfolded[it.ID] {
		return lines
	}

	from := 0
	if len(v.found) > 0 {
		hit := slices.IndexFunc(lines, func(l string) bool {
			at, _ := match.Next(ansi.Strip(l), v.found)
			return at >= 0
		})
		if hit >= foldTo {
			from = min(hit-1, len(lines)-foldTo)
		}
	}
	th := v.th
	left := func(n int) string {
		return th.Muted.Render(th.Cells.Truncate("… "+th.N(n, "%d more line", "%d more lines")+"  ", width-12)) +
			th.Accent.Render(v.hints.Unfold) + th.Muted.Render(" "+th.T("shows all"))
	}

	var out []string
	if from > 0 {
		out = append(out, left(from))
	}
	out = append(out, lines[from:from+foldTo]...)
	if rest := len(lines) - from - foldTo; rest > 0 {
		out = append(out, left(rest))
	}
	return out
}

// Unfold shows all of a long message, or folds it again.
func (v *View) Unfold(id string) {
	if v.unfolded == nil {
		v.unfolded = map[string]bool{}
	}
	v.unfolded[id] = !v.unfolded[id]
	v.Touch(id)
	v.list.Reveal(source{v}, id)
}

// quoted is the answered message in one line, with its author.
func (v *View) quoted(q *api.Quote) string {
	if q.Text.IsZero() && q.From.IsZero() {
		return v.quotedText(q)
	}
	return v.who(q.Outgoing, q.From) + ": " + v.quotedText(q)
}

func (v *View) quotedText(q *api.Quote) string {
	th := v.th
	if q.Text.IsZero() && q.From.IsZero() {
		return th.T("a message that is not here any more")
	}
	text := th.Cells.Steady(safetext.Line(strings.ReplaceAll(q.Text.String(), fence, " ")).String())
	if text == "" {
		text = th.T("a picture")
	}
	if v.hidden {
		text = th.Cells.Mask(text)
	}
	return text
}

func (v *View) who(outgoing bool, from safetext.Text) string {
	return v.name(&item{Message: api.Message{Outgoing: outgoing, From: from}})
}

// picture draws the picture, or names its kind and size.
func (v *View) picture(it *item, width int) []string {
	th := v.th
	if v.pictures != nil && !v.hidden {
		if lines := v.pictures.Picture(it.ID, min(width, pictureWidth), min(pictureHeight, max(4, v.height/2))); len(lines) > 0 {
			return lines
		}
	}
	label := th.T("picture, %s, %s", Kind(it.Picture.Type), Size(it.Picture.Size))
	return []string{th.Border.Render("▦ ") + th.Muted.Render(th.Cells.Truncate(label+"  ", max(0, width-8))) + th.Accent.Render(v.hints.Zoom) + th.Muted.Render(" "+th.T("shows it"))}
}

// Kind names the type of a picture. It says nothing that the sender made up.
func Kind(mime string) string {
	switch mime {
	case "image/png":
		return "PNG"
	case "image/jpeg":
		return "JPEG"
	case "image/gif":
		return "GIF"
	}
	return "?"
}

// Size is a number of bytes for people.
func Size(n int) string {
	if n < 1000 {
		return strconv.Itoa(n) + " B"
	}
	return strconv.Itoa((n+500)/1000) + " kB"
}

// foot is the lines below a message: reactions and marks.
func (v *View) foot(it *item) string {
	th := v.th
	var parts []string

	for _, r := range it.Reactions {
		emoji := th.Cells.Truncate(th.Cells.Steady(safetext.Line(r.Emoji.String()).String()), 4)
		if v.hidden {
			emoji = th.Cells.Mask(emoji)
		}
		if emoji != "" {
			parts = append(parts, emoji+th.Muted.Render(" "+v.who(r.Outgoing, it.From)))
		}
	}
	if !it.Edited.IsZero() && !it.Deleted {
		parts = append(parts, th.Muted.Render(th.T("edited")))
	}

	switch {
	case it.Deleted:
	case !it.Expires.IsZero():
		parts = append(parts, th.Muted.Render(theme.GlyphTimer+" "+th.T("disappears %s", v.moment(it.Expires))))
	case it.Timer > 0 && it.Outgoing:
		parts = append(parts, th.Muted.Render(theme.GlyphTimer+" "+th.T("disappears %s after it arrived", Span(th, it.Timer))))
	case it.Timer > 0:
		parts = append(parts, th.Muted.Render(theme.GlyphTimer+" "+th.T("disappears %s after it was read", Span(th, it.Timer))))
	}
	return strings.Join(parts, th.Border.Render(" · "))
}

// moment is a moment to come: of today the hour, else the day too.
func (v *View) moment(t time.Time) string {
	if sameDay(t, v.now()) {
		return v.th.T("at %s", v.th.Time(t, "15:04"))
	}
	return v.th.T("on %s", v.th.Time(t, "2 Jan 15:04"))
}

// Span is a number of seconds in the largest unit that holds it.
func Span(th *theme.Theme, seconds int) string {
	switch {
	case seconds%(7*24*3600) == 0 && seconds > 0:
		return th.N(seconds/(7*24*3600), "%d week", "%d weeks")
	case seconds%(24*3600) == 0 && seconds > 0:
		return th.N(seconds/(24*3600), "%d day", "%d days")
	case seconds%3600 == 0 && seconds > 0:
		return th.N(seconds/3600, "%d hour", "%d hours")
	case seconds%60 == 0 && seconds > 0:
		return th.N(seconds/60, "%d minute", "%d minutes")
	}
	return th.N(seconds, "%d second", "%d seconds")
}

// highlight marks the words that were searched for.
func (v *View) highlight(r rich) rich {
	if len(v.found) == 0 {
		return r
	}
	for from := 0; ; {
		at, n := match.Next(r.text[from:], v.found)
		if at < 0 {
			return r
		}
		if r.styles == nil {
			r.styles = make([]style, len(r.text))
		}
		for k := range n {
			r.styles[from+at+k] |= found
		}
		from += at + n
	}
}
