// Package list scrolls through items of any height without ever asking for
// the height of all of them.
//
// A [List] remembers which item is at the top of the view and how much of it
// is scrolled away, so items can be added at either end, and the width can
// change, without losing the place. At the end it follows: new items push the
// older ones up. Only visible items are rendered, and again only when their key or the
// width changes.
package list

// A Key identifies an item and everything its lines depend on but the width.
type Key struct {
	ID      string
	Version uint64
}

// A Source is the items of a List.
type Source interface {
	Len() int
	Key(i int) Key
	// Index finds an item by its ID, -1 if it is gone.
	Index(id string) int
	// Lines renders an item, in lines of at most width cells. One without lines is not
	// seen.
	Lines(i, width int) []string
}

type rendered struct {
	version uint64
	width   int
	lines   []string
	used    uint64 // the frame that used it last
}

// List is the position in a [Source]. The zero value follows the end.
type List struct {
	width, height int

	scrolled bool   // not at the end
	top      string // ID of the first visible item
	offset   int    // lines of it that are scrolled away

	cache map[string]rendered
	frame uint64
	rows  []int // item of each row of the last view, -1 for none
	all   bool  // the last view showed everything there is
}

// SetSize sets the size of the view in cells.
func (l *List) SetSize(width, height int) {
	l.width, l.height = max(width, 1), max(height, 1)
}

// AtEnd reports whether the view follows the end.
func (l *List) AtEnd() bool { return !l.scrolled }

// End goes to the end and follows it.
func (l *List) End() { l.scrolled = false }

// First returns the first visible item, -1 if there is none.
func (l *List) First() int {
	for _, i := range l.rows {
		if i >= 0 {
			return i
		}
	}
	return -1
}

// Last returns the last visible item, -1 if there is none.
func (l *List) Last() int {
	for y := len(l.rows) - 1; y >= 0; y-- {
		if l.rows[y] >= 0 {
			return l.rows[y]
		}
	}
	return -1
}

// At returns the item in a row of the view, -1 if there is none.
func (l *List) At(row int) int {
	if row < 0 || row >= len(l.rows) {
		return -1
	}
	return l.rows[row]
}

// ShowTop scrolls so that an item begins at the top of the view.
func (l *List) ShowTop(s Source, id string) {
	if s.Index(id) >= 0 {
		l.scrolled, l.top, l.offset = true, id, 0
	}
}

// Reveal scrolls as little as needed to have an item in view.
func (l *List) Reveal(s Source, id string) {
	i := s.Index(id)
	if i < 0 {
		return
	}
	l.settle(s)
	first, last := s.Index(l.top), l.Last()
	switch {
	case i < first || i == first && l.offset > 0:
		l.ShowTop(s, id)
	case i >= last:
		// Its last line becomes the last line of the view.
		l.scrolled, l.top, l.offset = true, id, 0
		if n := len(l.lines(s, i)); n < l.height {
			l.move(s, n-l.height)
		}
	}
}

// Scroll moves the view by lines, up if negative.
func (l *List) Scroll(s Source, lines int) {
	if s.Len() == 0 {
		return
	}
	l.settle(s)
	if l.all {
		return
	}
	l.scrolled = true
	l.move(s, lines)
}

// settle makes top and offset fit the view.
func (l *List) settle(s Source) { l.View(s) }

// move shifts the top by lines.
func (l *List) move(s Source, lines int) {
	i := s.Index(l.top)
	if i < 0 {
		l.scrolled = false
		return
	}
	offset := l.offset + lines
	for offset < 0 && i > 0 {
		i--
		offset += len(l.lines(s, i))
	}
	offset = max(offset, 0)
	for i < s.Len()-1 {
		n := len(l.lines(s, i))
		if offset < n {
			break
		}
		offset -= n
		i++
	}
	l.top, l.offset = s.Key(i).ID, offset
}

// View returns exactly as many lines as the view is high; a short list stands
// at the bottom.
func (l *List) View(s Source) []string {
	l.frame++
	if l.scrolled {
		if out, ok := l.viewFrom(s); ok {
			l.prune()
			return out
		}
		l.scrolled = false
	}
	out := l.viewEnd(s)
	l.prune()
	return out
}

// viewFrom fills the view from the top item. It is not ok if the end comes
// before the bottom of the view.
func (l *List) viewFrom(s Source) ([]string, bool) {
	start := s.Index(l.top)
	if start < 0 {
		return nil, false
	}

	out := make([]string, 0, l.height)
	rows := make([]int, 0, l.height)
	skip := l.offset
	if n := len(l.lines(s, start)); skip >= n {
		skip = max(0, n-1)
		l.offset = skip
	}

	more := false // below the view
	for i := start; i < s.Len() && !more; i++ {
		for _, line := range l.lines(s, i)[skip:] {
			if more = len(out) == l.height; more {
				break
			}
			out = append(out, line)
			rows = append(rows, i)
		}
		skip = 0
	}

	if !more {
		return nil, false
	}
	l.rows, l.all = rows, false
	return out, true
}

// viewEnd fills the view from the last item upwards.
func (l *List) viewEnd(s Source) []string {
	out := make([]string, l.height)
	rows := make([]int, l.height)
	row := l.height
	i := s.Len() - 1
	for ; i >= 0 && row > 0; i-- {
		lines := l.lines(s, i)
		for k := len(lines) - 1; k >= 0 && row > 0; k-- {
			row--
			out[row], rows[row] = lines[k], i
			l.top, l.offset = s.Key(i).ID, k
		}
	}
	l.all = i < 0 && (row > 0 || l.offset == 0)
	for y := range row {
		rows[y] = -1
	}
	l.rows = rows
	return out
}

func (l *List) lines(s Source, i int) []string {
	key := s.Key(i)
	if r, ok := l.cache[key.ID]; ok && r.version == key.Version && r.width == l.width {
		if r.used != l.frame {
			r.used = l.frame
			l.cache[key.ID] = r
		}
		return r.lines
	}
	if l.cache == nil {
		l.cache = map[string]rendered{}
	}
	lines := s.Lines(i, l.width)
	l.cache[key.ID] = rendered{version: key.Version, width: l.width, lines: lines, used: l.frame}
	return lines
}

// kept is the number of frames and items that the cache remembers.
const (
	keptFrames = 64
	keptItems  = 1024
)

// prune forgets items that have not been in view for a while.
func (l *List) prune() {
	if len(l.cache) < keptItems {
		return
	}
	for id, r := range l.cache {
		if r.used+keptFrames < l.frame {
			delete(l.cache, id)
		}
	}
}
