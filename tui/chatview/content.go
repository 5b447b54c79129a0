package chatview

import (
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	"starling/node/api"
	"starling/node/api/safetext"
	"starling/tui/match"
	"starling/tui/theme"
	"starling/tui/words"
)

// The largest a picture is drawn in a conversation, in cells.
const (
	pictureWidth  = 48
	pictureHeight = 14
)

// content lays out the parts of a message: a line if it is late or forwarded, the quote
// it answers, its picture or file, and its text.
func (v *View) content(it *item, width int) []string {
	th := v.th
	if it.Deleted {
		text := th.T("This message was taken back.")
		return []string{th.Muted.Render(th.Cells.Truncate(text, width))}
	}

	if v.crowd.blocked(it) {
		text := th.Cells.Truncate(theme.GlyphBlocked+" "+th.T("hidden: you have blocked them")+"  ", max(1, width-8))
		return []string{th.Muted.Render(text) + th.Accent.Render(v.hints.Unfold) + th.Muted.Render(" "+th.T("shows it"))}
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

	if it.File != nil {
		out = append(out, v.file(it, width))
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
	if v.crowd.toggle(id) {
		v.list.Reveal(source{v}, v.selected)
		return
	}
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
	text := th.Cells.Steady(safetext.Line(Preview(q.Text.String())).String())
	if text == "" {
		text = th.T("a picture or a file")
	}
	if v.hidden {
		text = th.Cells.Mask(text)
	}
	return text
}

func (v *View) who(outgoing bool, from safetext.Text) string {
	if v.crowd != nil && !outgoing {
		return v.crowd.author("", from)
	}
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

// file names the file, with its size and what can be done with it.
func (v *View) file(it *item, width int) string {
	th := v.th
	size := Size(it.File.Size)
	keys := "  " + th.Accent.Render(v.hints.Save) + th.Muted.Render(" "+th.T("saves")) + "  " + th.Accent.Render(v.hints.Open) + th.Muted.Render(" "+th.T("opens"))
	room := width - 4 - th.Cells.Width(size)
	name := FileName(th, it.File, max(8, room))
	if th.Cells.Width(name)+th.Cells.Width(keys) > room {
		keys = "" // the menu has them too
	}
	if v.hidden {
		name = th.Cells.Mask(name)
	}
	return th.Border.Render("▤ ") + name + th.Muted.Render("  "+size) + keys
}

// FileName is the name of a file in a width. Its ending, by which a system chooses the
// program, is always there.
func FileName(th *theme.Theme, f *api.File, width int) string {
	text := th.Cells.Steady(words.File(f))
	if th.Cells.Width(text) <= width {
		return text
	}
	ending := path.Ext(text)
	if th.Cells.Width(ending) > width/2 {
		return th.Cells.Truncate(text, width)
	}
	return th.Cells.Truncate(strings.TrimSuffix(text, ending), width-th.Cells.Width(ending)) + ending
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
	return strconv.Itoa((n+512)/1024) + " KiB"
}

// maxReaction is the widest that a reaction is drawn, in cells: four people and their joints.
const maxReaction = 11

// foot is the lines below a message: reactions and marks.
func (v *View) foot(it *item) string {
	th := v.th
	if v.crowd.blocked(it) {
		return ""
	}
	var parts []string
	reactions := it.Reactions
	if v.crowd != nil {
		parts, reactions = v.crowd.reactions(it), nil
	}

	for _, r := range reactions {
		emoji := th.Cells.Truncate(th.Cells.Steady(safetext.Line(r.Emoji.String()).String()), maxReaction)
		if v.hidden {
			emoji = th.Cells.Mask(emoji)
		}
		if emoji != "" {
			parts = append(parts, emoji+th.Muted.Render(" "+v.who(r.Outgoing, it.From)))
		}
	}
	if it.Given {
		parts = append(parts, th.Muted.Render(th.T("as told by who let you in")))
	}
	if !it.Edited.IsZero() && !it.Deleted {
		parts = append(parts, th.Muted.Render(th.T("edited")))
	}

	switch {
	case it.Deleted:
	case !it.Expires.IsZero():
		parts = append(parts, th.Muted.Render(theme.GlyphTimer+" "+v.countdown(it)))
	case it.Timer > 0 && it.Outgoing:
		parts = append(parts, th.Muted.Render(theme.GlyphTimer+" "+th.T("disappears %s after it arrived", Span(th, it.Timer))))
	case it.Timer > 0:
		parts = append(parts, th.Muted.Render(theme.GlyphTimer+" "+th.T("disappears %s after it was read", Span(th, it.Timer))))
	}
	return strings.Join(parts, th.Border.Render(" · "))
}

// countdown is how long a message still stays, and notes when that changes.
func (v *View) countdown(it *item) string {
	left := it.Expires.Sub(v.now())
	text, changes := Countdown(v.th, left)
	if changes > 0 {
		v.counting[it.ID] = true
		if v.soonest == 0 || changes < v.soonest {
			v.soonest = changes
		}
	}
	return text
}

// Countdown is how long a message still stays, and how long that text holds, 0 for ever.
func Countdown(th *theme.Theme, left time.Duration) (text string, holds time.Duration) {
	unit := time.Second
	switch {
	case left <= 0:
		return th.T("disappears now"), 0
	case left > 48*time.Hour:
		unit = 24 * time.Hour
	case left > 2*time.Hour:
		unit = time.Hour
	case left > 2*time.Minute:
		unit = time.Minute
	}

	n := int((left + unit - 1) / unit) // the last minute counts as one
	holds = left - time.Duration(n-1)*unit
	switch unit {
	case time.Second:
		return th.N(n, "disappears in %d second", "disappears in %d seconds"), holds
	case time.Minute:
		return th.N(n, "disappears in %d minute", "disappears in %d minutes"), holds
	case time.Hour:
		return th.N(n, "disappears in %d hour", "disappears in %d hours"), holds
	}
	return th.N(n, "disappears in %d day", "disappears in %d days"), holds
}

// Tick lays out the messages anew that count down, and returns after how long to do so
// again, 0 if none counts.
func (v *View) Tick() time.Duration {
	for id := range v.counting {
		v.Touch(id)
	}
	clear(v.counting)
	v.soonest = 0
	if v.height > 0 {
		v.list.View(source{v})
	}
	return v.soonest
}

// Counts reports whether a message that was laid out counts down.
func (v *View) Counts() bool { return v.soonest > 0 }

// Span is a number of seconds in the largest unit that holds it.
func Span(th *theme.Theme, seconds int) string { return words.Span(th, seconds) }

// highlight marks the words that were searched for.
func (v *View) highlight(r rich) rich {
	r = v.crowd.mentioned(r)
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
