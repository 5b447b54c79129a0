package chatview

import (
	"strings"

	"starling/node/api"
	"starling/node/api/mention"
	"starling/node/api/safetext"
	"starling/tui/theme"
	"starling/tui/words"
)

// Authors tells of the authors in a room.
type Authors interface {
	// Author returns the author of a message by the ID of the member. from is the name
	// that the message has.
	Author(member string, from safetext.Text) Author
	// Mentions returns the places of a text that name somebody, and whether each names us.
	Mentions(text string) []Mention
}

// An Author is one member of a room, as they are shown.
type Author struct {
	Name string
	Tag  string // tells them apart from others of that name; it is no part of the name
	// Blocked: their messages are hidden.
	Blocked bool
}

// A Mention is a place of a text that names somebody.
type Mention struct {
	mention.Span
	Us bool
}

// crowd is what a View has of a room: its authors, and the notices that are folded.
type crowd struct {
	v       *View
	authors Authors
	open    map[string]bool // runs that are shown whole, by their first notice
	known   shape           // of the runs
	heads   []int32         // by item: the first of its run, -1 for none
	sizes   map[int32]int
}

// shape tells whether the runs of notices may be others.
type shape struct {
	n, origin    int
	last, unread string
}

// InRoom makes a View one of a room.
func InRoom(v *View, authors Authors) {
	v.crowd = &crowd{v: v, authors: authors, open: map[string]bool{}}
	v.generation++
}

// Reintroduce draws the messages of a room anew: a member is another.
func Reintroduce(v *View) { v.generation++ }

// run returns the first item of the run of notices that an item belongs to, and how many
// there are; -1 for none. A run of one is none.
func (c *crowd) run(i int) (head, size int) {
	if c == nil || !notice(&c.v.items[i]) || c.v.items[i].Change == nil {
		return -1, 0
	}
	v := c.v

	now := shape{n: len(v.items), origin: v.origin, last: v.items[len(v.items)-1].ID, unread: v.unread}
	if c.known != now {
		c.find(now)
	}
	h := c.heads[i]
	if n := c.sizes[h]; h >= 0 && n > 1 {
		return int(h), n
	}
	return -1, 0
}

// find finds all runs. A knock that was answered since stands with those who came.
func (c *crowd) find(now shape) {
	v := c.v
	c.known, c.heads, c.sizes = now, make([]int32, len(v.items)), map[int32]int{}
	in := map[string]int{} // the last time that a member joined
	for i := range v.items {
		if ch := v.items[i].Change; ch != nil && ch.Kind == api.ChangeJoined {
			in[ch.Member] = i
		}
	}

	folds := func(i int) bool {
		it := &v.items[i]
		return notice(it) && (words.Folds(it.Change) || it.Change != nil && it.Change.Kind == api.ChangeKnock && in[it.Change.Member] > i)
	}

	head := int32(-1)
	for i := range v.items {
		it := &v.items[i]
		switch {
		case !folds(i):
			head = -1
		case head < 0 || it.ID == v.unread || !sameDay(v.items[i-1].Time, it.Time):
			head = int32(i)
		}
		if c.heads[i] = head; head >= 0 {
			c.sizes[head]++
		}
	}
}

// away reports whether an item is not seen because it is folded into another.
func (c *crowd) away(i int) bool {
	head, _ := c.run(i)
	return head >= 0 && head != i && !c.open[c.v.items[head].ID]
}

// seen returns the nearest item that is seen, in a direction if there is one.
func (c *crowd) seen(i, by int) int {
	if c == nil || i < 0 || i >= len(c.v.items) || !c.away(i) {
		return i
	}
	head, size := c.run(i)
	if by > 0 && head+size < len(c.v.items) {
		return head + size
	}
	return head
}

// toggle shows a run of notices whole, or folds it again. False: the message is in none.
func (c *crowd) toggle(id string) bool {
	if c == nil || c.v.at(id) < 0 {
		return false
	}
	v := c.v
	head, _ := c.run(v.at(id))
	if head < 0 {
		return false
	}
	first := v.items[head].ID
	c.open[first] = !c.open[first]
	v.selected = first
	v.generation++
	return true
}

// folded is the line of a run of notices: who came and went.
func (c *crowd) folded(head, size int, left string, width int) string {
	v, th := c.v, c.v.th
	run := make([]*api.RoomChange, size)
	for i := range run {
		run[i] = c.told(&v.items[head+i])
	}

	glyph := theme.GlyphFolded
	if c.open[v.items[head].ID] {
		glyph = theme.GlyphOpen
	}
	text := th.Cells.Truncate(glyph+" "+th.Cells.Steady(words.Folded(th, run)), max(1, width-2*indent-6))
	return left + th.Cells.Center(th.Muted.Render(text)+"  "+th.Accent.Render(v.hints.Unfold), width-indent)
}

// change is a notice of a room in the person's language.
func (c *crowd) change(it *item) string { return words.Change(c.v.th, c.told(it)) }

// told is the change of a notice with the names of members as they are shown.
func (c *crowd) told(it *item) *api.RoomChange {
	change := *it.Change
	name := func(id string, was safetext.Text) safetext.Text {
		if id == "" {
			return was
		}
		return safetext.Line(c.author(id, was))
	}
	if change.Kind != api.ChangeNamed {
		change.Name = name(change.Member, change.Name)
	} else if c.v.hidden {
		change.Name = safetext.Line(c.v.th.Cells.Mask(change.Name.String()))
	}
	change.ByName = name(change.By, change.ByName)
	return &change
}

// author is the name of a member, with the digits that tell them apart.
func (c *crowd) author(member string, from safetext.Text) string {
	a := c.authors.Author(member, from)
	return a.Name + a.Tag
}

// blocked reports whether a message is hidden because its author is blocked.
func (c *crowd) blocked(it *item) bool {
	return c != nil && !it.Outgoing && it.Member != "" && !c.v.unfolded[it.ID] && c.authors.Author(it.Member, it.From).Blocked
}

// head is the name above the messages of a member and their time, in a width. The name
// gives way to the digits behind it.
func (c *crowd) head(it *item, width int) string {
	th := c.v.th
	when := "  " + th.Muted.Render(it.Time.Local().Format("15:04"))
	a := c.authors.Author(it.Member, it.From)
	tag := th.Muted.Render(a.Tag)
	named := ""
	if it.Mention && !c.v.hidden {
		named = "  " + th.Us.Render(" "+theme.GlyphMention+th.T("you")+" ")
	}
	room := width - th.Cells.Width(when) - th.Cells.Width(tag) - th.Cells.Width(named)
	return th.Author(it.Member).Render(th.Cells.Truncate(a.Name, max(4, room))) + tag + when + named
}

// mentioned marks the members that a text names.
func (c *crowd) mentioned(r rich) rich {
	if c == nil || c.v.hidden {
		return r
	}
	for _, m := range c.authors.Mentions(r.text) {
		if r.styles == nil {
			r.styles = make([]style, len(r.text))
		}
		st := named
		if m.Us {
			st = us
		}
		for k := m.From; k < m.To; k++ {
			r.styles[k] |= st
		}
	}
	return r
}

// maxReactors is how many names stand behind an emoji.
const maxReactors = 3

// reactions are those of a room: each emoji once, with its members.
func (c *crowd) reactions(it *item) []string {
	th := c.v.th
	var order []string
	by := map[string][]string{}
	for _, r := range it.Reactions {
		emoji := th.Cells.Truncate(th.Cells.Steady(safetext.Line(r.Emoji.String()).String()), maxReaction)
		if emoji == "" {
			continue
		}
		who := th.T("you")
		if !r.Outgoing {
			a := c.authors.Author(r.Member, safetext.Text{})
			if a.Blocked {
				continue
			}
			who = th.Cells.Truncate(a.Name, 16) + a.Tag
		}
		if by[emoji] == nil {
			order = append(order, emoji)
		}
		by[emoji] = append(by[emoji], who)
	}

	var parts []string
	for _, emoji := range order {
		all := by[emoji]
		text := strings.Join(all[:min(len(all), maxReactors)], ", ")
		if more := len(all) - maxReactors; more > 0 {
			text += " " + th.N(more, "and %d more", "and %d more")
		}
		if c.v.hidden {
			emoji = th.Cells.Mask(emoji)
		}
		parts = append(parts, emoji+th.Muted.Render(" "+text))
	}
	return parts
}

// awayHint says at the top that there are new messages above the view, "" if there are none.
func (c *crowd) awayHint() string {
	if c == nil {
		return ""
	}
	v := c.v
	i := v.at(v.unread)
	if i < 0 || v.unreadN == 0 || v.list.First() <= i {
		return ""
	}
	text := " ↑ " + v.th.N(v.unreadN, "%d new since you were away", "%d new since you were away") + " "
	return v.th.Badge.Render(text) + v.th.Accent.Render(" "+v.hints.Unread+" ")
}

// MentionAbove returns the next message that names us above the selected one, else the last.
func MentionAbove(v *View) (id string, ok bool) {
	from := len(v.items)
	if i := v.at(v.selected); i >= 0 {
		from = i
	}
	for i := from - 1; i >= 0; i-- {
		if v.items[i].Mention {
			return v.items[i].ID, true
		}
	}
	return "", false
}
