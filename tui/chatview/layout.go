package chatview

import (
	"strings"
	"time"

	"starling/node/api"
	"starling/node/api/safetext"
	"starling/tui/catalogue"
	"starling/tui/list"
	"starling/tui/term"
	"starling/tui/theme"
)

const (
	// together is how close messages of one person stand under one name.
	together = 5 * time.Minute
	// wide is where the states have a column of their own; below it they
	// stand beside the name, and the text has the whole width.
	wide = 44
	// stateColumn fits the longest state, its glyph and a space before it.
	stateColumn = 13
	indent      = 2
	// measure is the widest a message is laid out: longer lines are hard to
	// read, and its state would stand far from it.
	measure = 104
)

// source shows the messages to the list.
type source struct{ v *View }

func (s source) Len() int {
	if Waits(s.v) {
		return len(s.v.items) + 1
	}
	return len(s.v.items)
}

func (s source) Index(id string) int {
	if id == aheadID && Waits(s.v) {
		return len(s.v.items)
	}
	return s.v.at(id)
}

// The lines above a message, and the way it is drawn.
const (
	flagDay = 1 << iota
	flagUnread
	flagName
	flagGap
	flagSelected
	flagFolded
	flagBits = iota
)

func (s source) Key(i int) list.Key {
	if i == len(s.v.items) {
		return s.v.early.key(s.v)
	}
	it := &s.v.items[i]
	version := s.v.generation<<48 | it.revision<<flagBits | s.v.flags(i)
	if _, size := s.v.crowd.run(i); size > 0 {
		version ^= uint64(size) << 24 // its first line counts them
	}
	return list.Key{ID: it.ID, Version: version}
}

func (v *View) flags(i int) uint64 {
	it := &v.items[i]
	var f uint64
	if it.ID == v.unread {
		f |= flagUnread
	}
	if it.ID == v.selected {
		f |= flagSelected
	}

	if v.crowd.away(i) {
		f |= flagFolded
	}

	if i == 0 {
		return f | flagDay | flagName
	}
	prev := &v.items[i-1]
	if !sameDay(prev.Time, it.Time) {
		f |= flagDay
	}

	// A name stands above the first of several messages of one side.
	gap := it.Time.Sub(prev.Time)
	apart := prev.Outgoing != it.Outgoing || prev.Member != it.Member && !notice(it) || notice(prev) != notice(it) || gap > together || gap < -together || f&(flagDay|flagUnread) != 0
	if apart {
		f |= flagName | flagGap
	} else if head, _ := v.crowd.run(i); notice(it) && (head < 0 || head == i) {
		f |= flagGap
	} else if it.Outgoing && v.width < wide {
		f |= flagName
	}
	return f
}

func sameDay(a, b time.Time) bool {
	ay, am, ad := a.Local().Date()
	by, bm, bd := b.Local().Date()
	return ay == by && am == bm && ad == bd
}

// Lines lays out one message.
func (s source) Lines(i, width int) []string {
	layOut := s.v.lines
	if i == len(s.v.items) {
		layOut = func(_, width int) []string { return s.v.early.lines(s.v, width) }
	}
	if width <= measure {
		return layOut(i, width)
	}
	lines := layOut(i, measure)
	for k := range lines {
		lines[k] += term.Spaces(width - measure)
	}
	return lines
}

func (v *View) lines(i, width int) []string {
	th := v.th
	it := &v.items[i]
	flags := v.flags(i)
	if flags&flagFolded != 0 {
		return nil
	}
	narrow := width < wide
	out := append(v.above(i, width, flags), v.gap(it, width)...)

	left := term.Spaces(indent)
	if flags&flagSelected != 0 {
		left = th.Accent.Render(theme.GlyphBar) + " "
	}

	// A run of changes in a room is one line until it is opened; a notice has no author.
	if head, size := v.crowd.run(i); head == i {
		out = append(out, v.crowd.folded(head, size, left, width))
		if !v.crowd.open[it.ID] {
			return out
		}
		left = term.Spaces(indent)
	}
	if notice(it) {
		return append(out, v.notice(it, left, width)...)
	}

	// The head: author, time and, where the window is narrow, state.
	state := ""
	if it.Outgoing {
		state = v.state(it)
	}
	if flags&flagName != 0 {
		right := ""
		if narrow {
			right = state
		}
		role := th.Peer
		if it.Outgoing {
			role = th.Own
		}
		head := role.Render(v.name(it)) + "  " + th.Muted.Render(it.Time.Local().Format("15:04"))
		if v.crowd != nil && !it.Outgoing {
			head = v.crowd.head(it, width-indent-th.Cells.Width(right)-1)
		}
		out = append(out, left+th.Cells.Ends(head, right, width-indent))
	}

	// The text; the state stands beside its last line.
	room := width - indent - 1
	if !narrow && it.Outgoing {
		room = width - indent - stateColumn // those of others have no state
	}
	body := v.content(it, room)
	for k, line := range body {
		if k == len(body)-1 && !narrow && state != "" {
			out = append(out, left+th.Cells.Fit(line, room)+term.Spaces(stateColumn-th.Cells.Width(state)-1)+state+" ")
			continue
		}
		out = append(out, left+th.Cells.Fit(line, width-indent))
	}

	// Below: reactions, the reason of a failure, and what can be done about it.
	if foot := v.foot(it); foot != "" {
		out = append(out, left+th.Cells.Fit(foot, width-indent))
	}
	if it.Reason != "" && it.Outgoing && it.State != api.StateDelivered {
		role := th.Muted
		if it.State == api.StateFailed {
			role = th.Bad
		}
		for _, line := range th.Cells.Wrap(safetext.Clean(catalogue.Sentence(th.T(it.Reason))).String(), width-indent-1) {
			out = append(out, left+th.Cells.Fit(role.Render(line), width-indent))
		}
	}
	if it.Outgoing && it.State == api.StateFailed {
		out = append(out, left+th.Cells.Fit(th.Accent.Render(v.hints.Retry)+th.Muted.Render(" "+th.T("retry")+"   ")+th.Accent.Render(v.hints.Discard)+th.Muted.Render(" "+th.T("discard")), width-indent))
	}
	return out
}

// gap says that something is missing before a message, in the middle, where
// nothing that a contact writes can stand.
func (v *View) gap(it *item, width int) []string {
	th := v.th
	text := ""
	switch it.Gap {
	case api.GapMissing:
		text = th.T("something written before this has not arrived yet")
	case api.GapLost:
		text = th.T("something written before this never arrived")
	default:
		return nil
	}
	var out []string
	for _, line := range th.Cells.Wrap("· "+text, max(1, width-2*indent)) {
		out = append(out, th.Muted.Render(th.Cells.Center(line, width)))
	}
	return out
}

// noticeMeasure is the widest a notice is laid out.
const noticeMeasure = 60

// notice lays out a notice of the node itself: in the middle, where no text of a
// contact can stand.
func (v *View) notice(it *item, left string, width int) []string {
	th := v.th
	room := max(1, min(width-4*indent, noticeMeasure))
	text, glyph, role := th.T(it.Text.String()), theme.GlyphNotice+" ", th.Warn
	if it.Change != nil && v.crowd != nil {
		text = v.crowd.change(it)
		if it.Change.Kind != api.ChangeFork && it.Change.Kind != api.ChangeUnheard {
			glyph, role = "", th.Muted
		}
	}
	var out []string
	for i, line := range th.Cells.Wrap(th.Cells.Steady(text), room) {
		if i == 0 {
			line = glyph + line
		}
		out = append(out, left+th.Cells.Center(role.Render(line), width-indent))
	}
	return out
}

// above returns the lines between a message and the one before it.
func (v *View) above(i, width int, flags uint64) []string {
	th := v.th
	var out []string

	if i == 0 {
		switch {
		case v.loading:
			out = append(out, th.Muted.Render(th.Cells.Center(th.T("loading older messages…"), width)))
		case v.complete:
			out = append(out, term.Spaces(width), th.Muted.Render(th.Cells.Center(th.T("This is where the conversation begins."), width)))
		}
	}

	if flags&flagDay != 0 {
		out = append(out, term.Spaces(width), rule(th, th.Border, th.Muted, v.day(v.items[i].Time), width))
	}

	if flags&flagUnread != 0 {
		if flags&flagDay == 0 {
			out = append(out, term.Spaces(width))
		}
		label := th.T("new")
		if v.unreadN > 0 {
			label = th.N(v.unreadN, "%d new", "%d new")
		}
		if v.unreadN > 0 && v.crowd != nil {
			label = th.N(v.unreadN, "%d new since you were away", "%d new since you were away")
		}
		out = append(out, rule(th, th.Accent, th.Accent, label, width))
	}

	if flags&flagGap != 0 && flags&(flagDay|flagUnread) == 0 {
		out = append(out, term.Spaces(width))
	}
	return out
}

// rule is a line across with a label in its middle.
func rule(th *theme.Theme, line, text theme.Role, label string, width int) string {
	label = " " + label + " "
	n := width - 2*indent - th.Cells.Width(label)
	if n < 2 {
		return text.Render(th.Cells.Center(label, width))
	}
	return term.Spaces(indent) + line.Render(strings.Repeat("─", n/2)) +
		text.Render(label) + line.Render(strings.Repeat("─", n-n/2)) + term.Spaces(indent)
}

func (v *View) day(t time.Time) string {
	if t.Local().Year() == v.now().Local().Year() {
		return v.th.Time(t, "Monday 2 January")
	}
	return v.th.Time(t, "Monday 2 January 2006")
}

func (v *View) name(it *item) string {
	if it.Outgoing {
		return v.th.T("you")
	}
	if v.crowd != nil {
		return v.crowd.author(it.Member, it.From)
	}
	if v.peer != "" || v.hidden {
		return v.peer
	}
	return v.th.Cells.Steady(safetext.Line(it.From.String()).String())
}

func (v *View) state(it *item) string {
	th := v.th
	switch {
	case it.Deleted:
		return ""
	case !it.Read.IsZero():
		return th.Good.Render(theme.GlyphRead) + th.Muted.Render(" "+th.T("read"))
	}
	switch it.State {
	case api.StateQueued:
		return th.Muted.Render(theme.GlyphQueued + " " + th.T("queued"))
	case api.StateSealed:
		return th.Muted.Render(theme.GlyphSealed + " " + th.T("sealed"))
	case api.StateSent:
		return th.Muted.Render(theme.GlyphSent + " " + th.T("sent"))
	case api.StateDelivered:
		return th.Good.Render(theme.GlyphDelivered) + th.Muted.Render(" "+th.T("delivered"))
	case api.StateFailed:
		return th.Bad.Render(theme.GlyphFailed + " " + th.T("failed"))
	}
	return ""
}

// wrapped is a long text, kept as it was laid out: a state or an unread line
// changes nothing of it.
type wrapped struct {
	width      int
	generation uint64
	lines      []string
}

// longText is the size from which a layout is kept, in bytes.
const longText = 2048

func (v *View) wrap(it *item, width int) []string {
	text := it.Text.String()
	if len(text) < longText {
		return v.body(it.ID, text, width)
	}
	if w := it.long; w == nil || w.width != width || w.generation != v.generation {
		it.long = &wrapped{width: width, generation: v.generation, lines: v.body(it.ID, text, width)}
	}
	return it.long.lines
}
