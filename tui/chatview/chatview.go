// Package chatview shows one conversation: its messages with their states,
// day lines, the unread line, and a selection to act on.
//
// Messages come in pages from the newest backwards and one by one at the end;
// the view keeps its place through both. Each message is laid out once per
// width and kept until something about it changes.
package chatview

import (
	"reflect"
	"slices"
	"strings"
	"time"

	"starling/node/api"
	"starling/tui/list"
	"starling/tui/term"
	"starling/tui/theme"
)

type item struct {
	api.Message
	revision uint64
	long     *wrapped // of a long text
}

// notice reports whether the node itself says this.
func notice(it *item) bool { return it.State == api.StateNotice }

// View is a conversation on screen. Its methods are for one goroutine.
type View struct {
	th         *theme.Theme
	now        func() time.Time
	peer       string // the contact's name
	hidden     bool   // texts are blocks
	generation uint64 // of the theme, the name, hidden and found
	found      []string
	pictures   Pictures
	hints      Hints

	items  []item
	store  []item         // the room in front of items, in the same array
	index  map[string]int // position plus origin
	origin int            // grows with every page put in front

	complete bool // there is nothing older
	partial  bool // there are newer messages than the loaded ones
	loading  bool
	unread   string // ID of the first unread message
	unreadN  int
	selected string
	unfolded map[string]bool // long messages of which all is shown

	painter   Painter
	restless  bool            // messages came that have code or count down
	unpainted map[string]bool // messages with code that waits for its colours
	counting  map[string]bool // messages that count down
	soonest   time.Duration   // until one of them says something else
	below     int             // messages that came while the end was out of view

	crowd *crowd // of a room; nil in a conversation of two
	early ahead

	list          list.List
	width, height int
}

// Pictures draws the pictures of messages.
type Pictures interface {
	// Picture returns the lines of a picture in at most width by height cells, none if
	// it is not drawn: then the message names its kind and size.
	Picture(id string, width, height int) []string
}

// New returns an empty conversation. Its messages name the keys of hints.
func New(th *theme.Theme, now func() time.Time, pictures Pictures, hints Hints) *View {
	return &View{th: th, now: now, index: map[string]int{}, unpainted: map[string]bool{}, counting: map[string]bool{}, pictures: pictures, hints: hints}
}

// SetTheme changes the look.
func (v *View) SetTheme(th *theme.Theme) {
	v.th = th
	v.generation++
}

// SetPeer sets the name that stands above the contact's messages.
func (v *View) SetPeer(name string) {
	if name != v.peer {
		v.peer = name
		v.generation++
	}
}

// SetHidden shows texts as blocks.
func (v *View) SetHidden(hidden bool) {
	if hidden != v.hidden {
		v.hidden = hidden
		v.generation++
	}
}

// Hints are the keys that a message names.
type Hints struct{ Retry, Discard, Zoom, Unfold, Save, Open, Unread string }

// SetFound shows where words stand in the messages, none for nil.
func (v *View) SetFound(words []string) {
	if !slices.Equal(words, v.found) {
		v.found = words
		v.generation++
	}
}

// Touch has a message laid out again.
func (v *View) Touch(id string) {
	if i := v.at(id); i >= 0 {
		v.items[i].revision++
	}
}

// Len returns how many messages are loaded.
func (v *View) Len() int { return len(v.items) }

// Empty reports whether the conversation is known to have no messages.
func (v *View) Empty() bool { return len(v.items) == 0 && v.complete && !Waits(v) }

// Oldest returns the sequence number to load older messages before, 0 for the
// newest page.
func (v *View) Oldest() int64 {
	for _, it := range v.items {
		if it.Sequence > 0 {
			return it.Sequence
		}
	}
	return 0
}

// AddOlder puts a page in front, oldest message first. complete says that
// nothing is older. Messages that are there already stay as they are.
func (v *View) AddOlder(page []api.Message, complete bool) {
	v.loading = false
	if complete != v.complete {
		v.complete = complete
		v.touchFirst()
	}

	fresh := make([]item, 0, len(page))
	for _, m := range page {
		if _, known := v.index[m.ID]; !known {
			fresh = append(fresh, item{Message: m})
			v.restless = v.restless || restless(&m)
		} else if it := &v.items[v.at(m.ID)]; it.Sequence == 0 {
			it.Sequence = m.Sequence
		}
	}
	if len(fresh) == 0 {
		return
	}
	v.touchFirst()
	v.prepend(fresh)
	v.origin += len(fresh)
	for i, it := range fresh {
		v.index[it.ID] = i - v.origin
	}
}

// prepend puts items in front. There is room kept for it, so that a hundred
// thousand messages are not moved for every page.
func (v *View) prepend(fresh []item) {
	front := len(v.store)
	if front < len(fresh) {
		front = len(fresh) + len(v.items)
		v.grow(front)
	}
	front -= len(fresh)
	whole := v.store[:len(v.store)+len(v.items)]
	copy(whole[front:], fresh)
	v.store, v.items = whole[:front], whole[front:]
}

// grow makes room for more messages: front in front, and some at the end.
func (v *View) grow(front int) {
	n := front + len(v.items)
	whole := make([]item, n, n+len(v.items)/2+64)
	copy(whole[front:], v.items)
	v.store, v.items = whole[:front], whole[front:]
}

// Newest returns the sequence number to load newer messages after.
func (v *View) Newest() int64 {
	for i := len(v.items) - 1; i >= 0; i-- {
		if n := v.items[i].Sequence; n > 0 {
			return n
		}
	}
	return 0
}

// Reset shows another part of the conversation. older and newer say that
// nothing is before or behind it.
func (v *View) Reset(page []api.Message, older, newer bool) {
	v.items, v.store, v.index, v.origin = nil, nil, map[string]int{}, 0
	v.complete, v.partial, v.loading = older, false, false
	v.selected, v.below = "", 0
	v.list.End()
	for _, m := range page {
		v.Add(m)
	}
	v.partial = !newer
	v.below = 0
}

// AddNewer puts a page behind the last message. complete says that nothing is
// newer.
func (v *View) AddNewer(page []api.Message, complete bool) {
	v.partial, v.loading = false, false
	below := v.below
	for _, m := range page {
		v.Add(m)
	}
	v.partial = !complete
	if v.below = below; complete && v.list.AtEnd() {
		v.below = 0
	}
}

// Partial reports whether there are newer messages than the loaded ones.
func (v *View) Partial() bool { return v.partial }

// WantsNewer reports whether the view comes near the newest message that is
// loaded while there are newer ones.
func (v *View) WantsNewer() bool {
	if !v.partial || v.loading || v.height == 0 {
		return false
	}
	v.list.View(source{v})
	return v.list.Last() >= len(v.items)-margin
}

// Add puts a message at the end, or changes the one with its ID. One that
// would leave a gap is only counted.
func (v *View) Add(m api.Message) {
	if v.Change(m) {
		return
	}
	if v.partial {
		v.below++
		return
	}
	v.index[m.ID] = len(v.items) - v.origin
	if len(v.items) == cap(v.items) {
		v.grow(len(v.store))
	}
	v.items = append(v.items, item{Message: m})
	v.restless = v.restless || restless(&m)
	if !v.list.AtEnd() {
		v.below++
	}
}

// Change changes the message with the same ID and reports whether it is here.
func (v *View) Change(m api.Message) bool {
	i := v.at(m.ID)
	if i < 0 {
		return false
	}
	if m.Sequence == 0 {
		m.Sequence = v.items[i].Sequence
	}
	if m.Picture != nil && m.Picture.Data == nil && v.items[i].Picture != nil {
		m.Picture = v.items[i].Picture
	}
	if !reflect.DeepEqual(m, v.items[i].Message) {
		v.items[i] = item{Message: m, revision: v.items[i].revision + 1}
		v.restless = v.restless || restless(&m)
	}
	return true
}

// restless reports whether a message changes by itself: it has code, or counts down.
func restless(m *api.Message) bool {
	return !m.Expires.IsZero() || strings.Contains(m.Text.String(), fence)
}

// SetState changes how far a message has come and reports whether it is here.
func (v *View) SetState(id string, state api.State, reason string) bool {
	i := v.at(id)
	if i < 0 {
		return false
	}
	it := &v.items[i]
	if it.State != state || it.Reason != reason {
		it.State, it.Reason = state, reason
		it.revision++
	}
	return true
}

// Remove takes a message out.
func (v *View) Remove(id string) {
	i := v.at(id)
	if i < 0 {
		return
	}
	if v.selected == id {
		v.selected = ""
		if i > 0 {
			v.selected = v.items[i-1].ID
		} else if len(v.items) > 1 {
			v.selected = v.items[1].ID
		}
	}
	if v.unread == id {
		v.unread = ""
	}
	v.items = slices.Delete(v.items, i, i+1)
	delete(v.index, id)
	for k := i; k < len(v.items); k++ {
		v.index[v.items[k].ID] = k - v.origin
	}
}

// Has reports whether a message is loaded.
func (v *View) Has(id string) bool { return v.at(id) >= 0 }

// Message returns a loaded message.
func (v *View) Message(id string) (api.Message, bool) {
	if i := v.at(id); i >= 0 {
		return v.items[i].Message, true
	}
	return api.Message{}, false
}

func (v *View) at(id string) int {
	if i, ok := v.index[id]; ok {
		return i + v.origin
	}
	return -1
}

// touchFirst has the first message laid out again: the lines above it change.
func (v *View) touchFirst() {
	if len(v.items) > 0 {
		v.items[0].revision++
	}
}

// MarkUnread draws the unread line above the last n incoming messages and, if
// they do not fit the view, begins there. It reports false if older messages
// must be loaded to find the place.
func (v *View) MarkUnread(n int) bool {
	v.unread, v.unreadN = "", n
	if n <= 0 {
		return true
	}
	for i := len(v.items) - 1; i >= 0; i-- {
		if it := &v.items[i]; !it.Outgoing && !notice(it) {
			if n--; n == 0 {
				v.unread = v.items[i].ID
				return true
			}
		}
	}
	if v.complete && len(v.items) > 0 {
		v.unread = v.items[0].ID
		return true
	}
	return v.complete
}

// BeginUnread draws the unread line above a message unless there is one.
func (v *View) BeginUnread(id string) {
	if v.unread == "" {
		v.unread, v.unreadN = id, 0
	}
	v.unreadN++
	if i := v.at(v.unread); i >= 0 {
		v.items[i].revision++
	}
}

// ClearUnread removes the unread line.
func (v *View) ClearUnread() { v.unread, v.unreadN = "", 0 }

// JumpUnread scrolls to the unread line and reports whether there is one.
func (v *View) JumpUnread() bool {
	if v.at(v.unread) < 0 {
		return false
	}
	v.list.ShowTop(source{v}, v.unread)
	v.list.View(source{v}) // the rest may be short enough for the end
	return true
}

// Loading says that older messages are on their way.
func (v *View) Loading() {
	v.loading = true
	v.touchFirst()
}

// margin is how many messages above the view are loaded ahead.
const margin = 30

// WantsOlder reports whether the view comes near the oldest loaded message.
func (v *View) WantsOlder() bool {
	if v.complete || v.loading || v.height == 0 {
		return false
	}
	v.list.View(source{v})
	return v.list.First() < margin
}

// AtEnd reports whether the newest message is in view.
func (v *View) AtEnd() bool { return v.list.AtEnd() && !v.partial }

// End goes to the newest message.
func (v *View) End() {
	v.list.End()
	v.below = 0
}

// Scroll moves by lines, up if negative.
func (v *View) Scroll(lines int) {
	v.list.Scroll(source{v}, lines)
	v.list.View(source{v})
	if v.AtEnd() {
		v.below = 0
	}
}

// Page moves by most of the view.
func (v *View) Page(by int) { v.Scroll(by * max(1, v.height-2)) }

// Top goes to the oldest loaded message.
func (v *View) Top() {
	if len(v.items) > 0 {
		v.list.ShowTop(source{v}, v.items[0].ID)
	}
}

// Pictured returns the loaded messages that have a picture.
func (v *View) Pictured() []api.Message {
	var out []api.Message
	for i := range v.items {
		if v.items[i].Picture != nil {
			out = append(out, v.items[i].Message)
		}
	}
	return out
}

// SelectedRow returns the row of the view where the selected message begins,
// -1 if it is not in view.
func (v *View) SelectedRow() int {
	i := v.at(v.selected)
	if i < 0 {
		return -1
	}
	for y := range v.height {
		if v.list.At(y) == i {
			return y
		}
	}
	return -1
}

// Selected returns the selected message.
func (v *View) Selected() (api.Message, bool) { return v.Message(v.selected) }

// Deselect ends the selection, and words are marked no more.
func (v *View) Deselect() {
	v.selected = ""
	v.SetFound(nil)
}

// Select selects a message and brings it into view.
func (v *View) Select(id string) {
	if v.at(id) >= 0 {
		v.selected = id
		v.list.Reveal(source{v}, id)
	}
}

// SelectLast selects the last message in view.
func (v *View) SelectLast() {
	if len(v.items) == 0 {
		return
	}
	i := len(v.items) - 1
	if !v.list.AtEnd() {
		if last := v.list.Last(); last >= 0 {
			i = min(i, last)
		}
	}
	v.selected = v.items[v.crowd.seen(i, 0)].ID
}

// Move moves the selection by messages.
func (v *View) Move(by int) {
	i := v.at(v.selected)
	if i < 0 {
		v.SelectLast()
		return
	}
	i = v.crowd.seen(max(0, min(i+by, len(v.items)-1)), by)
	v.selected = v.items[i].ID
	v.list.Reveal(source{v}, v.selected)
	if v.crowd.seen(len(v.items)-1, 0) == i {
		v.End()
	}
}

// SelectEdge selects the first or last loaded message.
func (v *View) SelectEdge(last bool) {
	if len(v.items) == 0 {
		return
	}
	if last {
		v.selected = v.items[v.crowd.seen(len(v.items)-1, 0)].ID
		v.End()
		return
	}
	v.selected = v.items[0].ID
	v.Top()
}

// Click selects the message in a row of the view and reports whether there is
// one.
func (v *View) Click(row int) bool {
	i := v.list.At(row)
	if i < 0 || i >= len(v.items) {
		return false
	}
	v.selected = v.items[i].ID
	return true
}

// Resize sets the size of the view in cells.
func (v *View) Resize(width, height int) {
	v.width, v.height = width, height
	v.list.SetSize(width, height)
}

// Render returns the lines of the view, each of its full width.
func (v *View) Render() []string {
	lines := v.list.View(source{v})
	if v.AtEnd() {
		v.below = 0
	}
	for i, l := range lines {
		if l == "" {
			lines[i] = term.Spaces(v.width)
		}
	}
	if hint := v.crowd.awayHint(); hint != "" {
		lines[0] = v.th.Cells.Over(lines[0], hint, max(0, v.width-v.th.Cells.Width(hint)-1), v.width)
	}
	if !v.AtEnd() && len(v.items) > 0 {
		hint := v.th.Selected.Render(" ↓ " + v.th.T("more") + " ")
		if v.below > 0 {
			hint = v.th.Badge.Render(" ↓ " + v.th.N(v.below, "%d new message", "%d new messages") + " ")
		}
		last := len(lines) - 1
		lines[last] = v.th.Cells.Over(lines[last], hint, max(0, v.width-v.th.Cells.Width(hint)-1), v.width)
	}
	return lines
}

// LastWhere returns the newest loaded message that is right.
func (v *View) LastWhere(right func(*api.Message) bool) (api.Message, bool) {
	for i := len(v.items) - 1; i >= 0; i-- {
		if right(&v.items[i].Message) {
			return v.items[i].Message, true
		}
	}
	return api.Message{}, false
}
